"""Kite's answers are read strictly: exact amounts, or refused whole."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from engine.adapters.brokers.zerodha import reading as read
from engine.adapters.brokers.zerodha.holdings import balances, delivered, intraday
from engine.domain.orders import OrderState

D = Decimal
ORDER: dict[str, Any] = {
    "order_id": "260302000000007", "status": "OPEN", "status_message": None,
    "order_timestamp": "2026-03-02 12:30:30", "variety": "regular", "exchange": "NSE",
    "tradingsymbol": "IDEA", "order_type": "LIMIT", "transaction_type": "BUY", "validity": "DAY",
    "product": "CNC", "quantity": 10, "price": D("12.55"), "trigger_price": 0,
    "filled_quantity": 0, "pending_quantity": 10, "tag": "Ra",
}  # fmt: skip
TRADE: dict[str, Any] = {
    "trade_id": "78910", "order_id": "260302000000007", "exchange": "NSE",
    "tradingsymbol": "IDEA", "product": "CNC", "average_price": D("12.55"), "quantity": 4,
    "transaction_type": "BUY", "fill_timestamp": "2026-03-02 12:30:31",
}  # fmt: skip
HOLDING = {"tradingsymbol": "IDEA", "opening_quantity": 7}
POSITION = {
    "tradingsymbol": "IDEA", "exchange": "NSE", "product": "CNC", "quantity": 3,
    "day_buy_quantity": 5, "day_sell_quantity": 2,
}  # fmt: skip
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.decimals(allow_nan=True, allow_infinity=True),
    st.text(max_size=8), st.just([]), st.just({}), st.just("NaN"), st.just("9999-99-99 00:00:00"),
)  # fmt: skip


def order_report(line: Any) -> object:
    return read.report(line, "a", [])


READINGS: dict[str, tuple[Callable[[Any], object], dict[str, Any]]] = {
    "order": (order_report, ORDER),
    "trade": (read.execution, TRADE),
    "holding": (lambda line: delivered([line], {"net": []}), HOLDING),
    "position": (lambda line: delivered([], {"net": [line]}), POSITION),
    "intraday": (lambda line: intraday({"net": [line]}, "NSE"), POSITION | {"product": "MIS"}),
    "margins": (lambda line: balances({}, line, []), {"net": D("99725.05000000002")}),
    "locked": (lambda line: balances({}, {"net": 1}, [line]), ORDER),
}


@pytest.mark.parametrize("name", list(READINGS))
@given(data=st.data())
def test_a_line_is_read_or_refused_whatever_is_in_it(name: str, data: st.DataObject) -> None:
    reading, line = READINGS[name]
    field = data.draw(st.sampled_from(sorted(line)))
    junk = data.draw(JUNK)
    spoiled = {key: value for key, value in line.items() if key != field}
    if junk is not None or data.draw(st.booleans()):
        spoiled[field] = junk
    try:
        found = reading(spoiled)
    except (read.Unreadable, ValidationError):
        return
    for value in values_in(found):
        if isinstance(value, Decimal):
            assert value.is_finite()
        if isinstance(value, datetime):
            assert value.utcoffset() == timedelta(0)


def values_in(found: object) -> Iterator[object]:
    """All single values of what was read."""
    if isinstance(found, BaseModel):
        found = found.model_dump()
    if isinstance(found, Mapping):
        found = list(found.values())
    if isinstance(found, list | tuple):
        for each in found:
            yield from values_in(each)
    else:
        yield found


@pytest.mark.parametrize("name", list(READINGS))
def test_what_kite_documents_is_read(name: str) -> None:
    reading, line = READINGS[name]
    assert reading(line) is not None


@pytest.mark.parametrize(
    "text", ["", "NaN", '{"a": NaN}', '{"a": Infinity}', '{"a": -Infinity}', "<html>", "[" * 5000]
)
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(read.Unreadable):
        read.parsed(text)


def test_amounts_keep_every_digit_that_was_told() -> None:
    told = read.parsed('{"price": 12.3456789012345678901, "quantity": 10}')
    assert read.amount(told, "price") == D("12.3456789012345678901")
    assert read.money({"net": D("99725.05000000002")}, "net") == D("99725.05")


def test_times_are_indias() -> None:
    assert read.execution(TRADE).time == datetime(2026, 3, 2, 7, 0, 31, tzinfo=UTC)


def test_the_same_trade_told_twice_is_one_and_ids_are_unique_over_days() -> None:
    later = TRADE | {"order_id": "260303000000001"}
    found = read.executions([later, TRADE, TRADE])
    assert [one.trade_id for one in found] == ["260302000000007-78910", "260303000000001-78910"]


@pytest.mark.parametrize(
    ("status", "validity", "state"),
    [
        ("OPEN", "DAY", OrderState.OPEN), ("TRIGGER PENDING", "DAY", OrderState.OPEN),
        ("PUT ORDER REQ RECEIVED", "DAY", OrderState.OPEN),
        ("VALIDATION PENDING", "DAY", OrderState.OPEN), ("OPEN PENDING", "DAY", OrderState.OPEN),
        ("CANCEL PENDING", "DAY", OrderState.OPEN), ("CANCELLED", "DAY", OrderState.CANCELLED),
        ("CANCELLED", "IOC", OrderState.EXPIRED), ("REJECTED", "DAY", OrderState.REJECTED),
    ],
)  # fmt: skip
def test_statuses_have_the_meaning_that_is_documented(
    status: str, validity: str, state: OrderState
) -> None:
    line = ORDER | {"status": status, "validity": validity, "status_message": "why"}
    report = read.report(line, "a", [])
    assert report.state is state
    assert (report.reason == "why") is (state is not OrderState.OPEN)


def test_fills_and_what_the_order_says_have_to_agree() -> None:
    fills = [read.execution(TRADE)]
    partly = read.report(ORDER | {"filled_quantity": 4}, "a", fills)
    assert (partly.state, partly.filled) == (OrderState.PARTLY_FILLED, 4)
    for wrong in ({"filled_quantity": 5}, {"status": "COMPLETE"}, {"quantity": 3}):
        with pytest.raises(read.Unreadable):
            read.report(ORDER | wrong, "a", fills)


def test_what_was_carried_over_the_night_and_the_days_trades_are_held() -> None:
    bse = POSITION | {"exchange": "BSE", "day_buy_quantity": 1, "day_sell_quantity": 0}
    futures = POSITION | {"exchange": "NFO"}
    held = delivered([HOLDING], {"net": [POSITION, bse, futures]})
    assert held == {"IDEA": 7 + 5 - 2 + 1}
