"""Orders in Kite's own words: exact texts, nothing that the type does not take."""

from decimal import Decimal
from typing import Any

from engine.adapters.brokers.zerodha.options import ZerodhaOptions
from engine.adapters.brokers.zerodha.tags import tag_of
from engine.domain.money import text
from engine.domain.orders import (
    NEEDS_PRICE,
    NEEDS_STOP_PRICE,
    OrderRequest,
    OrderType,
    Side,
    TimeInForce,
)
from engine.errors import OrderRejected

REGULAR = "regular"
TYPES = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.STOP: "SL-M",
    OrderType.STOP_LIMIT: "SL",
}
SIDES = {Side.BUY: "BUY", Side.SELL: "SELL"}
VALIDITIES = {TimeInForce.DAY: "DAY", TimeInForce.IOC: "IOC"}
PROTECTED = frozenset({OrderType.MARKET, OrderType.STOP})
"""Types that Kite refuses without market protection."""


def order_parameters(request: OrderRequest, options: ZerodhaOptions) -> dict[str, Any]:
    """The parameters of one order. Raises OrderRejected for one that cannot be said."""
    if request.type not in TYPES:
        raise OrderRejected(f"Zerodha takes no {request.type.value.replace('_', ' ')} orders.")
    parameters = {
        "variety": REGULAR,
        "exchange": options.exchange.value,
        "tradingsymbol": request.symbol,
        "transaction_type": SIDES[request.side],
        "quantity": text(_given(request.quantity, "a quantity")),
        "product": options.product.value,
        "order_type": TYPES[request.type],
        "validity": _validity(request),
        "tag": tag_of(request.client_id),
    }
    if request.type in NEEDS_PRICE:
        parameters["price"] = text(_given(request.price, "a price"))
    if request.type in NEEDS_STOP_PRICE:
        parameters["trigger_price"] = text(_given(request.stop_price, "a stop price"))
    if request.type in PROTECTED:
        parameters["market_protection"] = str(options.market_protection)
    return parameters


def _validity(request: OrderRequest) -> str:
    """How long it lasts; what a market order says of that does not matter."""
    if request.type is OrderType.MARKET and request.time_in_force not in VALIDITIES:
        return VALIDITIES[TimeInForce.DAY]
    try:
        return VALIDITIES[request.time_in_force]
    except KeyError:
        raise OrderRejected(
            f"Zerodha takes no {request.time_in_force.value.upper()} orders: an order lasts for"
            " the day (DAY) or fills at once (IOC).",
            field="time_in_force",
        ) from None


def _given(value: Decimal | None, what: str) -> Decimal:
    if value is None:
        raise OrderRejected(f"The order needs {what}.")
    return value
