"""ccxt's unified answers about orders and trades, read strictly: exact amounts or nothing."""

from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from engine.adapters.brokers.ccxt_reports import MOST, Row, Unreadable, moment, row, rows, words
from engine.domain.money import ZERO, plain
from engine.domain.orders import Execution, OrderReport, OrderState, OrderType, Side
from engine.ports import Balance

FOREIGN = "#"
"""Begins what stands for the client id of an order that has none: its own id follows."""

SIDES = {"buy": Side.BUY, "sell": Side.SELL}
STATES = {
    "open": OrderState.OPEN,
    "canceling": OrderState.OPEN,
    "canceled": OrderState.CANCELLED,
    "cancelled": OrderState.CANCELLED,
    "expired": OrderState.EXPIRED,
    "failed": OrderState.EXPIRED,
    "rejected": OrderState.REJECTED,
    "closed": OrderState.FILLED,
}
ENDED = {OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED}
AT_ONCE = {"IOC", "FOK"}
ABOUT_TOTALS = {"info", "free", "used", "total", "debt", "timestamp", "datetime"}


def amount(source: Row, name: str, *, least: Decimal = ZERO) -> Decimal:
    """An exact amount. Raises Unreadable for NaN, null, a float, nonsense."""
    told = source.get(name)
    try:
        value = Decimal(told) if isinstance(told, str) else None
    except InvalidOperation:
        value = None
    if value is None or not value.is_finite() or not least <= value <= MOST:
        raise Unreadable(f"{name} is {str(told)[:40]!r}")
    return plain(value)


def balances(answer: Any) -> dict[str, Balance]:
    """What an account holds. Raises Unreadable."""
    held = {}
    for asset, line in row(answer).items():
        if asset in ABOUT_TOTALS:
            continue
        free, locked = amount(row(line), "free"), amount(line, "used")
        held[asset] = Balance(asset=asset, free=free, locked=locked)
    return held


def executions(answer: Any, symbol: str) -> list[Execution]:
    """Trades of a symbol, each once, oldest first. Raises Unreadable."""
    found = {
        words(line, "id"): _execution(line, symbol)
        for line in rows(answer)
        if line.get("symbol") == symbol
    }
    return sorted(found.values(), key=lambda trade: trade.time)


def _execution(line: Row, symbol: str) -> Execution:
    side, fee = SIDES.get(words(line, "side")), row(line.get("fee"))
    price, quantity = amount(line, "price"), amount(line, "amount")
    if side is None or not price or not quantity:
        raise Unreadable("a trade of nothing, or of no side")
    return Execution(
        trade_id=f"{symbol.replace('/', '')}-{words(line, 'id')}",
        price=price,
        quantity=quantity,
        fee=amount(fee, "cost", least=-MOST),  # below zero: a reward for waiting in the book
        fee_asset=words(fee, "currency"),
        time=moment(line, "timestamp"),
        symbol=symbol,
        side=side,
        venue_id=words(line, "order"),
    )


def has_traded(order: Row) -> bool:
    """Whether the order has trades to be asked for. Raises Unreadable."""
    return amount(order, "filled") > 0


def report(
    order: Row, fills: Sequence[Execution], client_id_of: Callable[[str], str]
) -> OrderReport:
    """An order with its fills. Raises Unreadable.

    Exchanges list trades a little later than orders: an order whose trades are not all there yet
    is reported as it was with those that are.
    """
    quantity, told = amount(order, "amount"), amount(order, "filled")
    side = SIDES.get(words(order, "side"))
    state = STATES.get(words(order, "status"))
    filled = sum((fill.quantity for fill in fills), ZERO)
    if side is None or state is None or not quantity:
        raise Unreadable("a state, side or quantity that is not documented")
    if filled > quantity or told > quantity:
        raise Unreadable(f"{max(filled, told)} of {quantity} filled")
    state = _state(order, state, filled=filled, told=told, quantity=quantity)
    kind, price, stop_price = _levels(order)
    own_id = order.get("clientOrderId")
    venue_id = words(order, "id")
    return OrderReport(
        client_id=client_id_of(own_id) if isinstance(own_id, str) and own_id
        else f"{FOREIGN}{venue_id}",
        venue_id=venue_id,
        symbol=words(order, "symbol"),
        side=side,
        state=state,
        quantity=quantity,
        filled=filled,
        fills=tuple(fill.fill for fill in fills),
        reason=str(order["status"]) if state in ENDED else "",
        type=kind,
        price=price,
        stop_price=stop_price,
        created_at=moment(order, "timestamp"),
    )  # fmt: skip


def _state(
    order: Row, state: OrderState, *, filled: Decimal, told: Decimal, quantity: Decimal
) -> OrderState:
    if filled == quantity:
        return OrderState.FILLED
    if filled < told:
        return OrderState.PARTLY_FILLED if filled else OrderState.OPEN
    if state is OrderState.FILLED:  # closed, and not all of it was filled
        return OrderState.EXPIRED
    if state is OrderState.CANCELLED and order.get("timeInForce") in AT_ONCE:
        return OrderState.EXPIRED
    return OrderState.PARTLY_FILLED if filled and state is OrderState.OPEN else state


def _levels(order: Row) -> tuple[OrderType, Decimal | None, Decimal | None]:
    """The type, the limit and the trigger."""
    names = ("triggerPrice", "stopLossPrice")
    triggers = [amount(order, name) for name in names if order.get(name) is not None]
    stop_price = next((trigger for trigger in triggers if trigger), None)
    if "limit" not in words(order, "type").lower():
        return (OrderType.STOP if stop_price else OrderType.MARKET), None, stop_price
    price = amount(order, "price")
    return (OrderType.STOP_LIMIT if stop_price else OrderType.LIMIT), price, stop_price
