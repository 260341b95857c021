"""Trades as CSV: exact, quoted as RFC 4180 wants it, and nothing that a spreadsheet would run."""

import csv
import io
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from engine.contracts import Trade
from engine.domain.csv_export import COLUMNS, csv_chunks
from tests.fakes.services import FakeServices

MOMENT = datetime(2026, 1, 31, 8, 0, 0, 250_000, tzinfo=UTC)


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def trade(**changes: object) -> Trade:
    return FakeServices(1, 1, 0, now=lambda: MOMENT).trades_made[0].model_copy(update=changes)


def exported(*trades: Trade) -> dict[str, str]:
    return read("".join(csv_chunks(trades)))[0]


def test_every_field_of_a_trade_is_a_column() -> None:
    assert set(COLUMNS) == set(Trade.model_fields)
    assert len(COLUMNS) == len(set(COLUMNS))


def test_no_trades_are_a_header_row() -> None:
    assert "".join(csv_chunks([])) == ",".join(COLUMNS) + "\r\n"


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("-1.5", "-1.5"),
        ("1E+2", "100"),
        ("1E-8", "0.00000001"),
        ("0.10", "0.1"),
        ("-0E-9", "0"),
        ("123456789012345678901234567890.123456789", "123456789012345678901234567890.123456789"),
    ],
)
def test_numbers_stay_numbers_to_the_last_digit(value: str, cell: str) -> None:
    row = exported(trade(pnl=Decimal(value)))
    assert row["pnl"] == cell
    assert Decimal(row["pnl"]) == Decimal(value)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_text_that_looks_like_a_formula_is_text(start: str) -> None:
    row = exported(trade(bot_name=f"{start}cmd|' /C calc'!A0"))
    assert row["bot_name"] == f"'{start}cmd|' /C calc'!A0"


def test_quotes_commas_and_line_breaks_survive() -> None:
    words = 'a "quoted", word\r\nand another'
    assert exported(trade(exit_reason=words))["exit_reason"] == words


def test_times_are_utc() -> None:
    tokyo = MOMENT.astimezone(timezone(timedelta(hours=9)))
    row = exported(trade(exit_time=tokyo))
    assert row["exit_time"] == "2026-01-31T08:00:00.250000Z"


def test_chunks_hold_whole_rows_and_lose_none() -> None:
    trades = FakeServices(3, 250, 0, now=lambda: MOMENT).trades_made
    chunks = list(csv_chunks(trades))
    assert len(chunks) > 3
    assert all(chunk.endswith("\r\n") for chunk in chunks)
    assert [row["id"] for row in read("".join(chunks))] == [one.id for one in trades]


def test_the_header_comes_before_the_first_trade_is_read() -> None:
    def failing() -> object:
        raise AssertionError("read too early")
        yield

    assert next(iter(csv_chunks(failing()))).startswith("id,")  # type: ignore[arg-type]
