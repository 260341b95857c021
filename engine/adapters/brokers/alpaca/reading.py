"""Alpaca's answers, read strictly: exact amounts or nothing at all."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, ParamSpec, TypeVar

from pydantic import ValidationError

from engine.adapters.brokers.alpaca.client import NAME
from engine.domain.money import ZERO, ensure_utc, plain
from engine.domain.orders import OrderState, OrderType, Side
from engine.errors import BrokerUnavailable, DataError

P = ParamSpec("P")
T = TypeVar("T")
Row = Mapping[str, Any]
MOST = Decimal(10) ** 18  # of anything: more is a mistake of somebody's
SIDES = {"buy": Side.BUY, "sell": Side.SELL, "sell_short": Side.SELL}
TYPES = {
    "market": OrderType.MARKET,
    "limit": OrderType.LIMIT,
    "stop": OrderType.STOP,
    "stop_limit": OrderType.STOP_LIMIT,
    "trailing_stop": OrderType.TRAILING_STOP,
}
JUST_SENT = frozenset({"pending_new", "accepted"})
"""Taken by Alpaca, not yet by a market."""

STATES = {
    **dict.fromkeys((
        *JUST_SENT, "new", "held", "accepted_for_bidding", "stopped", "suspended", "calculated",
        "pending_cancel", "pending_replace", "pending_review", "done_for_day",
    ), OrderState.OPEN),
    "partially_filled": OrderState.PARTLY_FILLED,
    "filled": OrderState.FILLED,
    "canceled": OrderState.CANCELLED,
    "replaced": OrderState.CANCELLED,
    "expired": OrderState.EXPIRED,
    "rejected": OrderState.REJECTED,
}  # fmt: skip


class Unreadable(ValueError):
    """An answer that is not what Alpaca documents: it is not believed."""


def understood(reading: Callable[P, T], *told: P.args, **named: P.kwargs) -> T:
    """What an answer to a question says, or BrokerUnavailable when it cannot be believed."""
    try:
        return reading(*told, **named)
    except (Unreadable, ValidationError) as error:
        raise BrokerUnavailable(f"{NAME}: an answer cannot be read: {error}") from error


def priced(reading: Callable[P, T], *told: P.args, **named: P.kwargs) -> T:
    """The same for prices: DataError."""
    try:
        return reading(*told, **named)
    except (Unreadable, ValidationError) as error:
        raise DataError(f"{NAME} gave prices that cannot be read: {error}") from error


def rows(answer: Any) -> Sequence[Row]:
    """A list of objects. Raises Unreadable."""
    if not isinstance(answer, list) or not all(isinstance(one, dict) for one in answer):
        raise Unreadable("not a list of objects")
    return answer


def row(answer: Any) -> Row:
    """One object. Raises Unreadable."""
    if not isinstance(answer, dict):
        raise Unreadable("not an object")
    return answer


def signed(source: Row, name: str) -> Decimal:
    """An exact amount of either sign, told as text or as a number. Raises Unreadable."""
    told = source.get(name)
    try:
        is_number = isinstance(told, str | int | Decimal) and not isinstance(told, bool)
        value = Decimal(told) if is_number else None  # type: ignore[arg-type]
    except InvalidOperation:
        value = None
    if value is None or not value.is_finite() or abs(value) > MOST:
        raise Unreadable(f"{name} is {str(told)[:40]!r}")
    return plain(value)


def amount(source: Row, name: str) -> Decimal:
    """An exact amount that is not below zero. Raises Unreadable for NaN, null, nonsense."""
    value = signed(source, name)
    if value < 0:
        raise Unreadable(f"{name} is {value}")
    return value


def positive(source: Row, name: str) -> Decimal:
    """An exact amount above zero. Raises Unreadable."""
    value = amount(source, name)
    if not value:
        raise Unreadable(f"{name} is zero")
    return value


def maybe(source: Row, name: str) -> Decimal | None:
    """An amount where there is one: null, absent and zero are none. Raises Unreadable."""
    return None if source.get(name) is None else amount(source, name) or None


def words(source: Row, name: str) -> str:
    """A text that is not empty. Raises Unreadable."""
    told = source.get(name)
    if not isinstance(told, str) or not told:
        raise Unreadable(f"{name} is {str(told)[:40]!r}")
    return told


def one_of(source: Row, name: str, known: Mapping[str, T]) -> T:
    """A text of a documented list, translated. Raises Unreadable for any other."""
    told = words(source, name)
    if told not in known:
        raise Unreadable(f"{name} is {told[:40]!r}, which is not documented")
    return known[told]


def is_set(source: Row, name: str) -> bool:
    """A flag; absent or null is not set. Raises Unreadable for what is neither."""
    told = source.get(name)
    if told is None:
        return False
    if not isinstance(told, bool):
        raise Unreadable(f"{name} is {str(told)[:40]!r}")
    return told


def moment(source: Row, name: str) -> datetime:
    """A time, RFC 3339 to the nanosecond; microseconds are kept. Raises Unreadable."""
    told = words(source, name)
    try:
        return ensure_utc(datetime.fromisoformat(told))
    except ValueError as error:
        raise Unreadable(f"{name} is {told[:40]!r}") from error


def taken_at(order: Row) -> datetime:
    """When an order was taken. Raises Unreadable."""
    return moment(order, "created_at" if order.get("submitted_at") is None else "submitted_at")


def day(source: Row, name: str) -> datetime:
    """The beginning, UTC, of a date. Raises Unreadable."""
    told = words(source, name)
    try:
        return datetime.strptime(told[:10], "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise Unreadable(f"{name} is {told[:40]!r}") from error


def short(symbol: str) -> str:
    """BTC/USD as positions and activities may write it, BTCUSD."""
    return symbol.replace("/", "")


def total(values: Sequence[Decimal]) -> Decimal:
    """Their sum, exact."""
    return sum(values, ZERO)
