"""Orders in MetaTrader's words."""

from decimal import Decimal
from typing import Any, NamedTuple

from engine.adapters.brokers.mt5 import codes
from engine.adapters.brokers.mt5.symbols import Listing
from engine.adapters.brokers.mt5.tags import MOST_PARTS, part_of
from engine.domain.instruments import Quote
from engine.domain.matching import form_trouble, objection
from engine.domain.orders import OrderRequest, OrderType, Side, TimeInForce
from engine.errors import OrderRejected
from engine.ports import BrokerCapabilities

LASTING = {TimeInForce.GTC: codes.LAST_GTC, TimeInForce.DAY: codes.LAST_DAY}
NO_PRICE = Decimal("Infinity")


class Part(NamedTuple):
    """What one of MetaTrader's orders takes of one of ours: units of base, and the position that
    it closes (0: none in particular)."""

    units: Decimal
    position: int = 0


class Stamp(NamedTuple):
    """What is written on every order of an account."""

    magic: int
    deviation: int


def check(request: OrderRequest, listed: Listing, capabilities: BrokerCapabilities) -> Decimal:
    """The quantity of an order that may be sent. Raises OrderRejected."""
    name = request.symbol
    trouble = form_trouble(request)
    if trouble is not None:
        raise OrderRejected(f"{name}: {trouble[0]}", field=trouble[1])
    if request.quantity is None:
        raise OrderRejected(f"{name}: MetaTrader takes a quantity, no amount.")
    if (request.type, request.side) not in codes.ORDER_TYPES:
        raise OrderRejected(f"{name}: MetaTrader takes no {_kind(request)} orders.")
    is_resting = request.type is not OrderType.MARKET
    if is_resting and request.reduce_only and not capabilities.rests_protection:
        raise OrderRejected(
            f"{name}: on a hedging account a {_kind(request)} order would open a position instead "
            "of closing one; the engine watches the level itself."
        )
    if is_resting and request.time_in_force not in LASTING:
        raise OrderRejected(f"{name}: MetaTrader's pending orders last for ever or for the day.")
    sized = request.model_copy(update={"reduce_only": False})  # small exits are refused too
    price = request.price or request.stop_price or NO_PRICE
    reason = objection(sized, listed.instrument, request.quantity, price)
    if reason is not None:
        raise OrderRejected(f"{name}: {reason}.")
    return request.quantity


def wording(
    request: OrderRequest, listed: Listing, quote: Quote, stamp: Stamp, tag: str, parts: list[Part]
) -> list[dict[str, Any]]:
    """The requests of ``order_send`` for one order. Raises OrderRejected for too many parts."""
    if len(parts) > MOST_PARTS:
        raise OrderRejected(f"{request.symbol}: more than {MOST_PARTS} positions would be closed.")
    return [
        {
            "symbol": request.symbol,
            "volume": listed.lots(part.units),
            "type": codes.ORDER_TYPES[request.type, request.side],
            "magic": stamp.magic,
            "comment": part_of(tag, number, len(parts)),
            **({"position": part.position} if part.position else {}),
            **_details(request, listed, quote, stamp),
        }
        for number, part in enumerate(parts, 1)
    ]


def _details(request: OrderRequest, listed: Listing, quote: Quote, stamp: Stamp) -> dict[str, Any]:
    if request.type is OrderType.MARKET:
        price = quote.ask if request.side is Side.BUY else quote.bid
        return {
            "action": codes.DEAL,
            "price": float(price),
            "deviation": stamp.deviation,
            "type_filling": listed.filling_at_once,
            "type_time": codes.LAST_GTC,
        }
    details: dict[str, Any] = {
        "action": codes.PENDING,
        "type_filling": codes.FILL_RETURN,
        "type_time": LASTING[request.time_in_force],
    }
    if request.stop_price is None:
        return details | {"price": float(request.price or 0)}
    if request.price is not None:
        details["stoplimit"] = float(request.price)
    return details | {"price": float(request.stop_price)}


def _kind(request: OrderRequest) -> str:
    return request.type.value.replace("_", " ")
