"""Orders in Binance's own words: exact texts, nothing that the type does not take."""

from decimal import Decimal
from typing import Any

from engine.domain.money import text
from engine.domain.orders import OcoRequest, OrderRequest, OrderType, Side, TimeInForce
from engine.errors import OrderRejected

TYPES = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.STOP: "STOP_LOSS",
    OrderType.STOP_LIMIT: "STOP_LOSS_LIMIT",
    OrderType.TRAILING_STOP: "STOP_LOSS",
}
SIDES = {Side.BUY: "BUY", Side.SELL: "SELL"}
TIMES_IN_FORCE = {TimeInForce.GTC: "GTC", TimeInForce.IOC: "IOC", TimeInForce.FOK: "FOK"}
TIMED = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})


def order_parameters(request: OrderRequest, name: str) -> dict[str, Any]:
    """The parameters of one order. Raises OrderRejected for one that cannot be said."""
    return {
        "symbol": name,
        "side": SIDES[request.side],
        "type": TYPES[request.type],
        "quantity": text(_given(request.quantity, "a quantity")),
        "newClientOrderId": request.client_id,
        "newOrderRespType": "FULL",
        **_details(request),
    }


def oco_parameters(request: OcoRequest, name: str) -> dict[str, Any]:
    """The parameters of a list: selling, the limit is above and the stop below; buying, the other
    way round. Raises OrderRejected."""
    limit, stop = request.limit, request.stop
    if (limit.side, limit.quantity, limit.symbol) != (stop.side, stop.quantity, stop.symbol):
        raise OrderRejected("The two orders differ in symbol, side or quantity.")
    if limit.type is not OrderType.LIMIT or stop.type not in (
        OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP,
    ):  # fmt: skip
        raise OrderRejected("One of the two has to be a limit order, the other a stop.")
    limit_side, stop_side = ("above", "below") if limit.side is Side.SELL else ("below", "above")
    legs = {
        f"{limit_side}Type": "LIMIT_MAKER",
        f"{limit_side}Price": text(_given(limit.price, "a price")),
        f"{limit_side}ClientOrderId": limit.client_id,
        f"{stop_side}Type": TYPES[stop.type],
        f"{stop_side}ClientOrderId": stop.client_id,
        **{f"{stop_side}{key[0].upper()}{key[1:]}": said for key, said in _details(stop).items()},
    }
    return {
        "symbol": name,
        "listClientOrderId": request.group_id,
        "side": SIDES[limit.side],
        "quantity": text(_given(limit.quantity, "a quantity")),
        "newOrderRespType": "FULL",
        **legs,
    }


def _details(request: OrderRequest) -> dict[str, Any]:
    """Price, trigger, distance and time in force, as far as the type has them."""
    details: dict[str, Any] = {}
    if request.type in TIMED:
        details["price"] = text(_given(request.price, "a price"))
        details["timeInForce"] = TIMES_IN_FORCE[request.time_in_force]
    if request.type in (OrderType.STOP, OrderType.STOP_LIMIT):
        details["stopPrice"] = text(_given(request.stop_price, "a stop price"))
    if request.type is OrderType.TRAILING_STOP:
        distance = _given(request.trail_bps, "a distance")
        if distance != int(distance):
            raise OrderRejected("A trailing stop's distance is a whole number of basis points.")
        details["trailingDelta"] = int(distance)
    return details


def _given(value: Decimal | None, what: str) -> Decimal:
    if value is None:
        raise OrderRejected(f"The order needs {what}.")
    return value
