"""What the service refuses before an order reaches the matching engine: parameters and filters."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from tests.fakes.exchange.records import (
    CONTINGENT,
    ORDER_TYPES,
    PRICED,
    ZERO,
    Order,
    Refused,
    SymbolRules,
)

CLIENT_ID = re.compile(r"^[a-zA-Z0-9\-_./:]{1,36}$")
NUMBER = re.compile(r"^([0-9]{1,20})(\.[0-9]{1,20})?$")
PLACES = 8
TIMES_IN_FORCE = ("GTC", "IOC", "FOK")
NEEDS = {
    "LIMIT": ("timeInForce", "quantity", "price"),
    "LIMIT_MAKER": ("quantity", "price"),
    "MARKET": (),
    "STOP_LOSS": ("quantity",),
    "TAKE_PROFIT": ("quantity",),
    "STOP_LOSS_LIMIT": ("timeInForce", "quantity", "price"),
    "TAKE_PROFIT_LIMIT": ("timeInForce", "quantity", "price"),
}
DETAILS = ("timeInForce", "quantity", "price", "stopPrice", "trailingDelta", "quoteOrderQty")


@dataclass(frozen=True)
class Endpoint:
    """What an endpoint takes, and what it costs of the minute's weight."""

    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    is_signed: bool = False
    weight: int = 1


ORDER = (
    "newClientOrderId", "newOrderRespType", "icebergQty", "strategyId", "strategyType",
    "selfTradePreventionMode", *DETAILS,
)  # fmt: skip
LEG = ("ClientOrderId", "IcebergQty", "Price", "StopPrice", "TrailingDelta", "TimeInForce")
OCO = tuple(side + name for side in ("above", "below") for name in LEG)
IDS = ("orderId", "origClientOrderId")
RANGE = ("startTime", "endTime", "limit")
WALLET = "GET /sapi/v1/account/apiRestrictions"

ENDPOINTS = {
    "GET ping": Endpoint(),
    "GET time": Endpoint(),
    "GET exchangeInfo": Endpoint(
        takes=("symbol", "symbols", "permissions", "showPermissionSets", "symbolStatus"), weight=20
    ),
    "GET klines": Endpoint(("symbol", "interval"), (*RANGE, "timeZone"), weight=2),
    "GET ticker/24hr": Endpoint(takes=("symbol", "symbols", "type"), weight=2),
    "GET ticker/bookTicker": Endpoint(takes=("symbol", "symbols"), weight=2),
    "GET ticker/price": Endpoint(takes=("symbol", "symbols"), weight=2),
    "GET account": Endpoint(takes=("omitZeroBalances",), is_signed=True, weight=20),
    "GET account/commission": Endpoint(("symbol",), is_signed=True, weight=20),
    WALLET: Endpoint(is_signed=True),
    "POST order": Endpoint(("symbol", "side", "type"), ORDER, is_signed=True),
    "GET order": Endpoint(("symbol",), IDS, is_signed=True, weight=4),
    "DELETE order": Endpoint(
        ("symbol",), (*IDS, "newClientOrderId", "cancelRestrictions"), is_signed=True
    ),
    "GET openOrders": Endpoint(takes=("symbol",), is_signed=True, weight=6),
    "DELETE openOrders": Endpoint(("symbol",), is_signed=True),
    "GET allOrders": Endpoint(("symbol",), ("orderId", *RANGE), is_signed=True, weight=20),
    "GET myTrades": Endpoint(("symbol",), ("orderId", "fromId", *RANGE), is_signed=True, weight=20),
    "POST orderList/oco": Endpoint(
        ("symbol", "side", "quantity", "aboveType", "belowType"),
        ("listClientOrderId", "newOrderRespType", "selfTradePreventionMode", *OCO),
        is_signed=True,
    ),
    "GET orderList": Endpoint(
        takes=("orderListId", "origClientOrderId"), is_signed=True, weight=4
    ),
    "DELETE orderList": Endpoint(
        ("symbol",), ("orderListId", "listClientOrderId", "newClientOrderId"), is_signed=True
    ),
}  # fmt: skip


def check_parameters(endpoint: Endpoint, pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The parameters as a table. Raises Refused for what is missing, empty, doubled or unknown."""
    sent: dict[str, str] = {}
    for name, value in pairs:
        if name in sent:
            raise Refused(-1101, "Duplicate values for a parameter detected.")
        if not value:
            raise Refused(-1105, f"Parameter '{name}' was empty.")
        sent[name] = value
    signed = ("timestamp", "signature") if endpoint.is_signed else ()
    for name in (*endpoint.needs, *signed):
        if name not in sent:
            raise missing(name)
    known = {*endpoint.needs, *endpoint.takes, *signed, *(("recvWindow",) if signed else ())}
    read = len(known & set(sent))
    if read < len(sent):
        raise Refused(
            -1104,
            f"Not all sent parameters were read; read '{read}' parameter(s) "
            f"but was sent '{len(sent)}'.",
        )
    return sent


def missing(name: str) -> Refused:
    """The answer to a parameter that is not there."""
    return Refused(
        -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    )


def number(sent: Mapping[str, str], name: str) -> Decimal:
    """A parameter as an amount; 0 when it is not there. Raises Refused."""
    if name not in sent:
        return ZERO
    if not NUMBER.match(sent[name]):
        pattern = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
        raise Refused(
            -1100, f"Illegal characters found in parameter '{name}'; legal range is '{pattern}'."
        )
    value = Decimal(sent[name])
    exponent = value.normalize().as_tuple().exponent
    if isinstance(exponent, int) and -exponent > PLACES:
        raise Refused(-1111, f"Parameter '{name}' has too much precision.")
    return value


def whole(sent: Mapping[str, str], name: str, default: int = 0) -> int:
    """A parameter as a whole number. Raises Refused."""
    try:
        return int(sent.get(name, default))
    except ValueError:
        pattern = "^[0-9]{1,20}$"
        raise Refused(
            -1100, f"Illegal characters found in parameter '{name}'; legal range is '{pattern}'."
        ) from None


def check_client_id(value: str, name: str) -> str:
    """A client's id for an order. Raises Refused."""
    if not CLIENT_ID.match(value):
        raise Refused(
            -1100,
            f"Illegal characters found in parameter '{name}'; "
            f"legal range is '{CLIENT_ID.pattern}'.",
        )
    return value


def check_form(sent: Mapping[str, str]) -> None:
    """Whether type, side and details of a new order belong together. Raises Refused."""
    kind = sent["type"]
    if sent["side"] not in ("BUY", "SELL"):
        raise Refused(-1117, "Invalid side.")
    if kind not in ORDER_TYPES:
        raise Refused(-1116, "Invalid orderType.")
    if "timeInForce" in sent and sent["timeInForce"] not in TIMES_IN_FORCE:
        raise Refused(-1115, "Invalid timeInForce.")
    for name in NEEDS[kind]:
        if name not in sent:
            raise missing(name)
    if kind == "MARKET" and ("quantity" in sent) == ("quoteOrderQty" in sent):
        raise Refused(
            -1102, "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!"
        )
    if kind in CONTINGENT and ("stopPrice" in sent) == ("trailingDelta" in sent):
        raise Refused(
            -1102, "Param 'stopPrice' or 'trailingDelta' must be sent, but both were empty/null!"
        )
    allowed = {*NEEDS[kind]}
    allowed |= {"quantity", "quoteOrderQty"} if kind == "MARKET" else set()
    allowed |= {"stopPrice", "trailingDelta"} if kind in CONTINGENT else set()
    for name in DETAILS:
        if name in sent and name not in allowed:
            raise Refused(-1106, f"Parameter '{name}' sent when not required.")


def check_filters(rules: SymbolRules, order: Order, open_orders: list[Order]) -> None:
    """Every filter of the symbol, in the order of its listing. Raises Refused."""
    for price in (order.price, order.stop_price):
        if price and not _fits(price, rules.min_price, rules.max_price, rules.tick):
            raise _failed("PRICE_FILTER")
    if not _fits(order.quantity, rules.min_quantity, rules.max_quantity, rules.step):
        raise _failed("LOT_SIZE")
    is_market = order.type not in PRICED
    if is_market and order.quantity > rules.max_market_quantity:
        raise _failed("MARKET_LOT_SIZE")
    if order.trailing_delta and not 10 <= order.trailing_delta <= 2000:
        raise _failed("TRAILING_DELTA")
    if order.price and not rules.price * rules.down <= order.price <= rules.price * rules.up:
        raise _failed("PERCENT_PRICE_BY_SIDE")
    value = order.quantity * (order.price or order.stop_price or rules.price)
    if value < rules.min_notional or (not is_market and value > rules.max_notional):
        raise _failed("NOTIONAL")
    if order.type == "MARKET":
        return
    if len(open_orders) >= rules.max_orders:
        raise _failed("MAX_NUM_ORDERS")
    stops = sum(one.type in CONTINGENT for one in open_orders)
    if order.type in CONTINGENT and stops >= rules.max_stops:
        raise _failed("MAX_NUM_ALGO_ORDERS")


def _fits(value: Decimal, least: Decimal, most: Decimal, step: Decimal) -> bool:
    try:
        return least <= value <= most and value % step == 0
    except InvalidOperation:
        return False


def _failed(name: str) -> Refused:
    return Refused(-1013, f"Filter failure: {name}")
