"""Binance's answers about orders and trades, read strictly: exact amounts or nothing at all."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from engine.domain.money import ZERO, from_epoch_ms, plain
from engine.domain.orders import (
    Execution,
    OrderReport,
    OrderState,
    OrderType,
    Side,
    VenueFill,
)
from engine.ports import Balance

MOST = Decimal(10) ** 18  # of anything: more is a mistake of somebody's
LAST_MS = 4_102_444_800_000  # the end of the year 2099
STATES = {
    "NEW": OrderState.OPEN,
    "PENDING_NEW": OrderState.OPEN,
    "PENDING_CANCEL": OrderState.OPEN,
    "PARTIALLY_FILLED": OrderState.PARTLY_FILLED,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELLED,
    "REJECTED": OrderState.REJECTED,
    "EXPIRED": OrderState.EXPIRED,
    "EXPIRED_IN_MATCH": OrderState.EXPIRED,
}
SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
TYPES = {
    "MARKET": OrderType.MARKET,
    "LIMIT": OrderType.LIMIT,
    "LIMIT_MAKER": OrderType.LIMIT,
    "STOP_LOSS": OrderType.STOP,
    "STOP_LOSS_LIMIT": OrderType.STOP_LIMIT,
    "TAKE_PROFIT": OrderType.STOP,
    "TAKE_PROFIT_LIMIT": OrderType.STOP_LIMIT,
}
ENDED = {OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED}
OWN_ID = "clientOrderId"
CANCELLED_ID = "origClientOrderId"  # in the answer to a cancellation, which has an id of its own
Row = Mapping[str, Any]


class Unreadable(ValueError):
    """An answer that is not what the venue documents: it is not believed."""


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


def amount(source: Row, name: str) -> Decimal:
    """An exact amount that is not below zero. Raises Unreadable for NaN, null, nonsense."""
    told = source.get(name)
    try:
        value = Decimal(told) if isinstance(told, str) else None
    except InvalidOperation:
        value = None
    if value is None or not value.is_finite() or not 0 <= value <= MOST:
        raise Unreadable(f"{name} is {str(told)[:40]!r}")
    return plain(value)


def whole(source: Row, name: str) -> int:
    """A number that counts. Raises Unreadable."""
    told = source.get(name)
    if not isinstance(told, int) or isinstance(told, bool) or told < 0:
        raise Unreadable(f"{name} is {str(told)[:40]!r}")
    return told


def words(source: Row, name: str) -> str:
    """A text that is not empty. Raises Unreadable."""
    told = source.get(name)
    if not isinstance(told, str) or not told:
        raise Unreadable(f"{name} is {str(told)[:40]!r}")
    return told


def moment(source: Row, name: str) -> datetime:
    """A time. Raises Unreadable."""
    told = whole(source, name)
    if told > LAST_MS:
        raise Unreadable(f"{name} is {told}")
    return from_epoch_ms(told)


def balances(answer: Any) -> dict[str, Balance]:
    """What an account holds. Raises Unreadable."""
    held = {}
    for line in rows(row(answer).get("balances")):
        asset = words(line, "asset")
        free, locked = amount(line, "free"), amount(line, "locked")
        held[asset] = Balance(asset=asset, free=free, locked=locked)
    return held


def execution(line: Row, symbol: str) -> Execution:
    """One line of the account's trades. Raises Unreadable."""
    is_buyer = line.get("isBuyer")
    if not isinstance(is_buyer, bool):
        raise Unreadable("isBuyer is neither true nor false")
    return Execution(
        **_fill(line, words(line, "symbol"), "id", moment(line, "time")),
        symbol=symbol,
        side=Side.BUY if is_buyer else Side.SELL,
        venue_id=str(whole(line, "orderId")),
    )


def executions(answer: Any, symbol: str) -> list[Execution]:
    """Trades, each once, oldest first. Raises Unreadable."""
    found = {whole(line, "id"): execution(line, symbol) for line in rows(answer)}
    return [found[number] for number in sorted(found)]


def fills_of_answer(answer: Row) -> tuple[VenueFill, ...]:
    """The fills in the answer to a new order, each once. Raises Unreadable."""
    time, name = moment(answer, "transactTime"), words(answer, "symbol")
    found = {
        whole(line, "tradeId"): VenueFill(**_fill(line, name, "tradeId", time))
        for line in rows(answer.get("fills"))
    }
    return tuple(found[number] for number in sorted(found))


def _fill(line: Row, name: str, number: str, time: datetime) -> dict[str, Any]:
    """A fill's own fields; ids of trades count within a symbol, so they carry its name."""
    price, quantity = amount(line, "price"), amount(line, "qty")
    if not price or not quantity:
        raise Unreadable("a trade of nothing")
    return {
        "trade_id": f"{name}-{whole(line, number)}",
        "price": price,
        "quantity": quantity,
        "fee": amount(line, "commission"),
        "fee_asset": words(line, "commissionAsset"),
        "time": time,
    }


def asked_for(answer: Any, client_id: str, name: str) -> Row:
    """The order that was asked for. Raises Unreadable for another one.

    A cancelled order may be listed under the id of its cancellation: it was found by its own.
    """
    found = row(answer)
    told = words(found, OWN_ID)
    is_ours = told == client_id or found.get("status") == "CANCELED"
    if not is_ours or found.get("symbol") != name:
        raise Unreadable(f"the answer is about another order, {told[:40]!r}")
    return {**found, OWN_ID: client_id}


def report(source: Row, symbol: str, fills: Sequence[VenueFill], *, id_name: str) -> OrderReport:
    """An order with all its fills. Raises Unreadable when they are not what was executed.

    An order can have traded between the two questions: then the fills know more.
    """
    quantity, told = amount(source, "origQty"), amount(source, "executedQty")
    state = STATES.get(words(source, "status"))
    side, kind = SIDES.get(words(source, "side")), TYPES.get(words(source, "type"))
    filled = sum((fill.quantity for fill in fills), ZERO)
    if state is None or side is None or kind is None:
        raise Unreadable("a state, side or type that is not documented")
    if not told <= filled <= quantity:
        raise Unreadable(f"{filled} of {quantity} in trades, {told} executed")
    if filled == quantity:
        state = OrderState.FILLED
    elif filled and state is OrderState.OPEN:
        state = OrderState.PARTLY_FILLED
    elif state is OrderState.FILLED:
        raise Unreadable(f"filled, but {filled} of {quantity} executed")
    is_trailing = "trailingDelta" in source
    return OrderReport(
        client_id=words(source, id_name),
        venue_id=str(whole(source, "orderId")),
        symbol=symbol,
        side=side,
        state=state,
        quantity=quantity,
        filled=filled,
        fills=tuple(fills),
        reason=words(source, "status").lower() if state in ENDED else "",
        type=OrderType.TRAILING_STOP if is_trailing else kind,
        price=_price(source, "price"),
        stop_price=_price(source, "stopPrice"),
        created_at=_taken_at(source, id_name),
    )


def _price(source: Row, name: str) -> Decimal | None:
    return (amount(source, name) or None) if name in source else None


def _taken_at(source: Row, id_name: str) -> datetime | None:
    """When the order was taken; the answer to a cancellation only tells when that was."""
    if "time" in source:
        return moment(source, "time")
    return None if id_name == CANCELLED_ID else moment(source, "transactTime")


def streamed(event: Row, symbol_of: Callable[[str], str]) -> OrderReport:
    """An ``executionReport`` of the user's stream, with its newest fill only. Raises Unreadable."""
    name = words(event, "s")
    state = STATES.get(words(event, "X"))
    side, kind = SIDES.get(words(event, "S")), TYPES.get(words(event, "o"))
    if state is None or side is None or kind is None:
        raise Unreadable("a state, side or type that is not documented")
    fills: tuple[VenueFill, ...] = ()
    if event.get("x") == "TRADE":
        line = {
            "price": event.get("L"), "qty": event.get("l"), "tradeId": event.get("t"),
            "commission": event.get("n"), "commissionAsset": event.get("N"),
        }  # fmt: skip
        fills = (VenueFill(**_fill(line, name, "tradeId", moment(event, "T"))),)
    return OrderReport(
        client_id=words(event, "C") if event.get("C") else words(event, "c"),
        venue_id=str(whole(event, "i")),
        symbol=symbol_of(name),
        side=side,
        state=state,
        quantity=amount(event, "q"),
        filled=amount(event, "z"),
        fills=fills,
        reason=words(event, "X").lower() if state in ENDED else "",
        type=OrderType.TRAILING_STOP if event.get("d") else kind,
        price=amount(event, "p") or None,
        stop_price=amount(event, "P") or None,
        created_at=moment(event, "O"),
    )
