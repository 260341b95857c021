"""Tables as CSV (RFC 4180): exact decimals, UTC times, and no text a spreadsheet would run."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice

from engine.domain.money import text, utc_text
from engine.domain.positions import Trade

COLUMNS = (
    "id", "bot_id", "bot_name", "account_id", "market", "symbol", "quote", "strategy", "side",
    "quantity", "entry_time", "entry_price", "entry_value", "exit_time", "exit_price", "exit_value",
    "fees", "funding", "dust", "pnl", "return_fraction", "entry_count", "exit_reason",
)  # fmt: skip
"""Every field of a trade, in this order."""

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
_ROWS_A_CHUNK = 200


def csv_chunks(trades: Iterable[Trade]) -> Iterator[str]:
    """Trades as CSV, with every field."""
    return csv_table(COLUMNS, ([getattr(one, name) for name in COLUMNS] for one in trades))


def csv_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The header row at once, then the rows in chunks of whole ones, lines ended by CR LF.

    None is an empty cell; floats are written with all their digits.
    """
    yield _lines([tuple(_cell(column) for column in columns)])
    left = iter(rows)
    while chunk := [tuple(map(_cell, row)) for row in islice(left, _ROWS_A_CHUNK)]:
        yield _lines(chunk)


def _cell(value: object) -> str:
    """Numbers stay numbers, -1.5 too; only text that looks like a formula gets a quote mark."""
    if isinstance(value, Decimal):
        return text(value)
    if isinstance(value, datetime):
        return utc_text(value)
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value)
    words = str(value)
    return f"'{words}" if words.startswith(_FORMULA_STARTS) else words


def _lines(rows: Iterable[tuple[str, ...]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue()
