"""Kite's answers, read strictly: exact amounts or nothing at all."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, NoReturn

from engine.domain.money import ZERO, plain
from engine.domain.orders import Execution, OrderReport, OrderState, OrderType, Side, VenueFill

IST = timezone(timedelta(hours=5, minutes=30), "IST")
"""India has one time and never changes it."""

CURRENCY = "INR"
PAISA = Decimal("0.01")
MOST = Decimal(10) ** 15  # of anything: more is a mistake of somebody's
STATES = {
    "COMPLETE": OrderState.FILLED,
    "CANCELLED": OrderState.CANCELLED,
    "REJECTED": OrderState.REJECTED,
    **dict.fromkeys(
        (
            "PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING", "OPEN",
            "TRIGGER PENDING", "MODIFY VALIDATION PENDING", "MODIFY PENDING", "MODIFIED",
            "CANCEL PENDING", "AMO REQ RECEIVED",
        ),
        OrderState.OPEN,
    ),
}  # fmt: skip
SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
TYPES = {
    "MARKET": OrderType.MARKET,
    "LIMIT": OrderType.LIMIT,
    "SL": OrderType.STOP_LIMIT,
    "SL-M": OrderType.STOP,
}
ENDED = {OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED}
Row = Mapping[str, Any]


class Unreadable(ValueError):
    """An answer that is not what Kite documents: it is not believed."""


def parsed(text: str) -> Any:
    """A JSON text, its numbers exact. Raises Unreadable."""
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise Unreadable("not JSON") from error


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def rows(answer: Any) -> Sequence[Row]:
    """A list of objects. Raises Unreadable."""
    if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
        raise Unreadable("not a list of objects")
    return answer


def row(answer: Any) -> Row:
    """One object. Raises Unreadable."""
    if not isinstance(answer, dict):
        raise Unreadable("not an object")
    return answer


def number(source: Row, name: str) -> Decimal:
    """An exact number. Raises Unreadable for NaN, null, nonsense."""
    told = source.get(name)
    if isinstance(told, bool) or not isinstance(told, int | Decimal):
        raise Unreadable(f"{name} is {str(told)[:40]!r}")
    value = Decimal(told)
    if not value.is_finite() or abs(value) > MOST:
        raise Unreadable(f"{name} is {str(told)[:40]!r}")
    return plain(value)


def amount(source: Row, name: str) -> Decimal:
    """An exact number that is not below zero. Raises Unreadable."""
    value = number(source, name)
    if value < 0:
        raise Unreadable(f"{name} is {value}")
    return value


def words(source: Row, name: str) -> str:
    """A text that is not empty. Raises Unreadable."""
    told = source.get(name)
    if not isinstance(told, str) or not told:
        raise Unreadable(f"{name} is {str(told)[:40]!r}")
    return told


def moment(source: Row, name: str) -> datetime:
    """A time, which Kite tells in India's. Raises Unreadable."""
    try:
        return datetime.strptime(words(source, name), "%Y-%m-%d %H:%M:%S").replace(
            tzinfo=IST
        ).astimezone(UTC)  # fmt: skip
    except (ValueError, OverflowError) as error:
        raise Unreadable(f"{name} is {str(source.get(name))[:40]!r}") from error


def money(source: Row, name: str) -> Decimal:
    """Rupees to the paisa: sums come with the noise of floats. Raises Unreadable."""
    return plain(number(source, name).quantize(PAISA))


def state_of(line: Row) -> OrderState:
    """Where an order stands by its status alone. Raises Unreadable for one not documented."""
    state = STATES.get(words(line, "status"))
    if state is None:
        raise Unreadable(f"a status that is not documented, {str(line['status'])[:40]!r}")
    if state is OrderState.CANCELLED and line.get("validity") == "IOC":
        return OrderState.EXPIRED  # nobody takes such an order back: what it did not get is over
    return state


def execution(line: Row) -> Execution:
    """One trade. Ids of trades are the exchange's, by day: they carry the order's, which is
    Kite's and unique. Kite tells no charges here; see docs/zerodha.md. Raises Unreadable."""
    order_id, price = words(line, "order_id"), amount(line, "average_price")
    quantity, side = amount(line, "quantity"), SIDES.get(words(line, "transaction_type"))
    if not price or not quantity or side is None:
        raise Unreadable("a trade of nothing")
    return Execution(
        trade_id=f"{order_id}-{words(line, 'trade_id')}",
        price=price,
        quantity=quantity,
        fee_asset=CURRENCY,
        time=moment(line, "fill_timestamp"),
        symbol=words(line, "tradingsymbol"),
        side=side,
        venue_id=order_id,
    )


def executions(lines: Sequence[Row]) -> list[Execution]:
    """Trades, each once, oldest first. Raises Unreadable."""
    found = {trade.trade_id: trade for trade in map(execution, lines)}
    return sorted(found.values(), key=lambda trade: (trade.time, trade.trade_id))


def report(line: Row, client_id: str, fills: Sequence[VenueFill]) -> OrderReport:
    """An order with all its fills. Raises Unreadable when they are not what was executed.

    An order can have traded between the two questions: then the fills know more.
    """
    quantity, told = amount(line, "quantity"), amount(line, "filled_quantity")
    side, kind = SIDES.get(words(line, "transaction_type")), TYPES.get(words(line, "order_type"))
    state, filled = state_of(line), sum((fill.quantity for fill in fills), ZERO)
    if side is None or kind is None:
        raise Unreadable("a side or type that is not documented")
    if not told <= filled <= quantity:
        raise Unreadable(f"{filled} of {quantity} in trades, {told} executed")
    if filled == quantity:
        state = OrderState.FILLED
    elif filled and state is OrderState.OPEN:
        state = OrderState.PARTLY_FILLED
    elif state is OrderState.FILLED:
        raise Unreadable(f"complete, but {filled} of {quantity} executed")
    return OrderReport(
        client_id=client_id,
        venue_id=words(line, "order_id"),
        symbol=words(line, "tradingsymbol"),
        side=side,
        state=state,
        quantity=quantity,
        filled=filled,
        fills=tuple(fills),
        reason=_reason(line, state) if state in ENDED else "",
        type=kind,
        price=amount(line, "price") or None,
        stop_price=amount(line, "trigger_price") or None,
        created_at=moment(line, "order_timestamp"),
    )


def _reason(line: Row, state: OrderState) -> str:
    told = line.get("status_message")
    return told[:200] if isinstance(told, str) and told else state.value
