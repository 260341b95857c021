"""Values come back from the database as exactly the values that were put in."""

import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from engine.adapters.store.store import SqlStore
from engine.adapters.store.types import (
    ExactDecimal,
    FiniteFloat,
    JsonText,
    PlainText,
    UtcTime,
    decimal_text,
    time_text,
)
from tests.contract.store_samples import event, trade

DIALECT = sqlite.dialect()
AMOUNTS = st.decimals(allow_nan=False, allow_infinity=False)
ZONES = st.timedeltas(min_value=timedelta(hours=-23), max_value=timedelta(hours=23)).map(timezone)
# A day from the ends of the calendar, so that every zone's UTC is a date.
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=ZONES)  # noqa: DTZ001
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(AMOUNTS)
def test_every_digit_of_an_amount_is_kept_as_plain_text(amount: Decimal) -> None:
    text = ExactDecimal().process_bind_param(amount, DIALECT)
    assert text is not None
    assert set(text) <= set("-0123456789.")
    assert ExactDecimal().process_result_value(text, DIALECT) == amount


@given(AMOUNTS, st.integers(0, 12))
def test_equal_amounts_have_one_text(amount: Decimal, zeros: int) -> None:
    sign, digits, exponent = amount.as_tuple()
    assert isinstance(exponent, int)
    longer = Decimal((sign, digits + (0,) * zeros, exponent - zeros))
    assert longer == amount
    assert decimal_text(longer) == decimal_text(amount)


@given(MOMENTS, MOMENTS)
def test_the_order_of_times_is_the_order_of_their_texts(one: datetime, other: datetime) -> None:
    assert (one < other) == (time_text(one) < time_text(other))
    assert (one == other) == (time_text(one) == time_text(other))
    kept = UtcTime().process_result_value(UtcTime().process_bind_param(one, DIALECT), DIALECT)
    assert kept == one
    assert kept.tzinfo is UTC


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture],
          deadline=None)  # fmt: skip
@given(amount=AMOUNTS, moment=MOMENTS, message=st.text(), data=st.dictionaries(st.text(), JSON))
def test_the_database_changes_nothing(
    store: SqlStore, amount: Decimal, moment: datetime, message: str, data: dict[str, Any]
) -> None:
    kept_trade = trade(pnl=amount, exit_time=moment)
    kept_event = event(time=moment, message=message, data=data)
    with store.transaction() as tx:
        tx.trades.prune(datetime.max.replace(tzinfo=UTC))
        tx.events.prune(datetime.max.replace(tzinfo=UTC))
        tx.trades.add(kept_trade)
        tx.events.add(kept_event)
    with store.reading() as tx:
        assert tx.trades.select(pnl=amount, since=moment) == [kept_trade]
        found = tx.events.get("e0")
    assert found.time == moment
    assert found.message == message.replace("\x00", "\ufffd")
    assert found.data == data


def test_text_that_no_database_can_keep_is_kept_as_far_as_it_goes(store: SqlStore) -> None:
    broken = "a\x00b\ud800c"
    with store.transaction() as tx:
        tx.events.add(event(message=broken, data={"text": broken, "number": float("nan")}))
    with store.reading() as tx:
        kept = tx.events.get("e0")
    assert kept.message == "a\ufffdb\ufffdc"
    assert kept.data == {"text": "a\x00b\ufffdc", "number": None}


REFUSED: list[tuple[Any, object, type[Exception]]] = [
    (ExactDecimal(), 0.1, TypeError),
    (ExactDecimal(), 1, TypeError),
    (ExactDecimal(), "1", TypeError),
    (ExactDecimal(), Decimal("NaN"), ValueError),
    (ExactDecimal(), Decimal("-Infinity"), ValueError),
    (UtcTime(), datetime(2026, 1, 1), ValueError),  # noqa: DTZ001 - that is the point
    (UtcTime(), "2026-01-01T00:00:00Z", TypeError),
    (PlainText(), 5, TypeError),
    (FiniteFloat(), math.nan, ValueError),
    (FiniteFloat(), math.inf, ValueError),
]


@pytest.mark.parametrize(("kind", "value", "error"), REFUSED)
def test_what_would_not_come_back_the_same_is_refused(
    kind: Any, value: object, error: type[Exception]
) -> None:
    with pytest.raises(error):
        kind.process_bind_param(value, DIALECT)


@pytest.mark.parametrize(
    "kind", [ExactDecimal(), UtcTime(), PlainText(), FiniteFloat(), JsonText()]
)
def test_nothing_stays_nothing(kind: Any) -> None:
    assert kind.process_bind_param(None, DIALECT) is None
    assert ExactDecimal().process_result_value(None, DIALECT) is None


def test_amounts_in_json_are_strings() -> None:
    text = JsonText().process_bind_param({"amount": Decimal("0.10")}, DIALECT)
    assert text == '{"amount":"0.10"}'
