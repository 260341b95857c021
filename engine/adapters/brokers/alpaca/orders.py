"""Orders in Alpaca's own words: exact texts, nothing that the type does not take.

After docs.alpaca.markets, "Placing Orders" and "Fractional Trading".
"""

from decimal import Decimal
from itertools import takewhile
from typing import Any, NamedTuple

from engine.adapters.brokers.alpaca.reading import JUST_SENT, Row, words
from engine.domain.instruments import Instrument, InstrumentKind
from engine.domain.money import ONE, text
from engine.domain.orders import (
    NEEDS_PRICE,
    NEEDS_STOP_PRICE,
    OcoRequest,
    OrderRequest,
    OrderType,
    Side,
    TimeInForce,
)
from engine.errors import OrderRejected

PENNY = Decimal("0.01")
BPS_PER_PERCENT = Decimal(100)
LONGEST_ID = 48
JOINT = "~"
AT_ONCE = frozenset({"ioc", "fok"})
STOPS = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})


def order_parameters(request: OrderRequest, instrument: Instrument) -> dict[str, Any]:
    """The body of one order. Raises OrderRejected for one that cannot be said."""
    quantity = _given(request.quantity, "a quantity")
    return {
        "symbol": request.symbol,
        "side": request.side.value,
        "type": request.type.value,
        "qty": text(quantity),
        "time_in_force": _lasting(request, instrument).value,
        "client_order_id": request.client_id,
        **_intent(request.side, instrument),
        **_levels(request),
    }


def oco_parameters(request: OcoRequest, instrument: Instrument) -> dict[str, Any]:
    """The body of a pair. Raises OrderRejected."""
    limit, stop = request.limit, request.stop
    if (limit.side, limit.quantity, limit.symbol) != (stop.side, stop.quantity, stop.symbol):
        raise OrderRejected("The two orders differ in symbol, side or quantity.")
    if limit.type is not OrderType.LIMIT or stop.type not in STOPS:
        raise OrderRejected("One of the two has to be a limit order, the other a stop.")
    quantity = _given(limit.quantity, "a quantity")
    if quantity % ONE:
        raise OrderRejected("Alpaca takes pairs of orders for whole shares only.")
    lasting = TimeInForce.DAY if limit.time_in_force is TimeInForce.DAY else TimeInForce.GTC
    return {
        "symbol": limit.symbol,
        "side": limit.side.value,
        "type": "limit",
        "order_class": "oco",
        "qty": text(quantity),
        "time_in_force": lasting.value,
        "client_order_id": Pair(limit.client_id, stop.client_id).joined(),
        "take_profit": {"limit_price": text(_given(limit.price, "a price"))},
        "stop_loss": _levels(stop),
        **_intent(limit.side, instrument),
    }


def is_awaited(order: Row) -> bool:
    """Whether more is told of an order in a moment: it is on its way to a market, or is filled at
    once or never."""
    state = words(order, "status")
    is_working = state in JUST_SENT | {"new", "partially_filled"}
    is_at_once = order.get("time_in_force") in AT_ONCE or order.get("type") == "market"
    return state in JUST_SENT or (is_working and is_at_once)


def is_off_grid(price: Decimal) -> bool:
    """Whether a price of a stock is finer than the rule on sub-pennies allows, from a dollar on."""
    return price >= 1 and bool(price % PENNY)


class Pair(NamedTuple):
    """The client ids of a pair's two orders. Alpaca keeps one id for both, the limit's order's;
    it is made so that both can be read from it, by another process too."""

    limit_id: str
    stop_id: str

    def joined(self) -> str:
        """What Alpaca is told: the first id, how much of its end differs, the second's end.
        Raises OrderRejected for ids too long to join."""
        both = zip(self.limit_id, self.stop_id, strict=False)
        shared = sum(1 for _ in takewhile(lambda two: two[0] == two[1], both))
        own = len(self.limit_id) - shared
        told = f"{self.limit_id}{JOINT}{own}{JOINT}{self.stop_id[shared:]}"
        if len(told) > LONGEST_ID:
            raise OrderRejected("The ids of the two orders are too long to be told as one.")
        return told

    @classmethod
    def parted(cls, told: str) -> "Pair | None":
        """The two ids, or None for the id of anything else."""
        limit_id, first, rest = told.partition(JOINT)
        count, second, end = rest.partition(JOINT)
        if not (first and second and count.isdigit() and int(count) <= len(limit_id)):
            return None
        return cls(limit_id, limit_id[: len(limit_id) - int(count)] + end)


def _lasting(request: OrderRequest, instrument: Instrument) -> TimeInForce:
    """Parts of shares trade by the day only; a market order of a stock ends with its day too."""
    if instrument.kind is InstrumentKind.CRYPTO:
        return request.time_in_force
    is_part = request.quantity is not None and request.quantity % ONE != 0
    is_long = request.time_in_force is TimeInForce.GTC
    if is_long and (is_part or request.type is OrderType.MARKET):
        return TimeInForce.DAY
    return request.time_in_force


def _intent(side: Side, instrument: Instrument) -> dict[str, str]:
    """A sale of stock may only close: Alpaca itself refuses what would be a short."""
    is_sale = side is Side.SELL and instrument.kind is InstrumentKind.STOCK
    return {"position_intent": "sell_to_close"} if is_sale else {}


def _levels(request: OrderRequest) -> dict[str, str]:
    """Price, trigger and distance, as far as the type has them."""
    levels: dict[str, str] = {}
    if request.type in NEEDS_PRICE:
        levels["limit_price"] = text(_given(request.price, "a price"))
    if request.type in NEEDS_STOP_PRICE:
        levels["stop_price"] = text(_given(request.stop_price, "a stop price"))
    if request.type is OrderType.TRAILING_STOP:
        distance = _given(request.trail_bps, "a distance")
        levels["trail_percent"] = text(distance / BPS_PER_PERCENT)
    return levels


def _given(value: Decimal | None, what: str) -> Decimal:
    if value is None:
        raise OrderRejected(f"The order needs {what}.")
    return value
