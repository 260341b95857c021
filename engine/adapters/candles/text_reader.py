"""Reads candle files of other programs into rows, with the line of each and every digit."""

import codecs
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.adapters.candles.text_formats import ROLES, TextFormat, find_format
from engine.domain.candle_checks import NO_TIME, RawCandles
from engine.domain.candles import FloatArray, IntArray
from engine.errors import ConfigError
from engine.ports import ReadTable

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = "\t;,|"
HEAD_LINES = 10
FEWEST_COLUMNS = 5
EPOCHS = ((1e11, 1000.0), (1e14, 1.0), (1e17, 1e-3), (float("inf"), 1e-6))
"""An epoch below the first number is one of seconds (milliseconds, microseconds, nanoseconds); the
second makes milliseconds of it."""

DATE = re.compile(r"(\d{4})[./](\d\d)[./](\d\d)")
COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:[ T]?(\d\d):?(\d\d):?(\d\d)?)?")
DAY_FIRST = re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a file's rows begin and how they are parted. ``skipped`` lines come before."""

    encoding: str
    separator: str
    skipped: int
    cells: list[str]
    has_header: bool


class TextReader:
    """Implements ``CandleReader`` for text files."""

    def read(self, path: Path) -> ReadTable:
        """The file's rows. Raises ConfigError when it is of no known format."""
        layout = _layout(path)
        found = find_format(layout.cells, layout.has_header)
        if found is None:
            seen = ", ".join(cell.strip() or "(empty)" for cell in layout.cells[:12])[:200]
            what = "columns" if layout.has_header else "values"
            raise ConfigError(
                f"No candles are recognised in this file. Its first {what} are: {seen}. Needed are"
                " a time (timestamp, date, time), open, high, low and close, best with a header.",
                field="file",
            )
        table = _table(path, layout)
        columns = _columns(found, list(table.columns))
        notes = list(found.notes)
        if "volume" not in columns:
            notes.append("The file has no volume: it is taken as 0")
        raw = _rows(table, columns, notes)
        return ReadTable(found.name, found.title, raw, tuple(notes))


def _layout(path: Path) -> Layout:
    with path.open("rb") as file:
        start = file.read(4)
    encoding = "utf-8-sig"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    try:
        with path.open(encoding=encoding, newline="") as text:
            lines = [line.rstrip("\r\n") for line in islice(text, HEAD_LINES)]
    except UnicodeError as error:
        raise ConfigError("The file is not text: candles are imported from CSV files.",
                          field="file") from error  # fmt: skip
    for place, line in enumerate(lines):
        separator = max(SEPARATORS, key=line.count)
        cells = next(csv.reader([line], delimiter=separator), [])
        if len(cells) >= FEWEST_COLUMNS:  # before it are comments and empty lines
            has_header = any(_is_name(cell) for cell in cells)
            return Layout(encoding, separator, place, [cell.strip() for cell in cells], has_header)
    raise ConfigError(
        "The file has no line of five or more columns: candles need a time, open, high, low and"
        " close, parted by a comma, semicolon or tab.", field="file",
    )  # fmt: skip


def _is_name(cell: str) -> bool:
    """Whether a cell is a word, as those of a header are; a T and a Z may stand in a time."""
    return bool(re.search(r"[A-SU-Ya-su-y]{2}|^[<A-Za-z]", cell.strip()))


def _table(path: Path, layout: Layout) -> "pd.DataFrame":
    """All cells as text, so that no digit is lost; the index is each row's line."""
    import pandas as pd

    table = _plain_table(path, layout)
    if table is None:
        table = _any_table(path, layout)
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes what is too much for an index
        raise ConfigError("The rows have more columns than the header names.", field="file")
    table.index = table.index + layout.skipped + (2 if layout.has_header else 1)
    maybe_empty = table.iloc[:, 0].fillna("") == ""
    if not maybe_empty.any():
        return table
    empty = (table[maybe_empty].fillna("") == "").all(axis=1)
    return table.drop(index=empty.index[empty])


def _plain_table(path: Path, layout: Layout) -> "pd.DataFrame | None":
    """By Arrow, several times as fast; None for a file with empty lines or uneven rows."""
    import pyarrow as pa
    from pyarrow import csv

    names = layout.cells if layout.has_header else [str(one) for one in range(len(layout.cells))]
    if layout.encoding != "utf-8-sig" or len(set(names)) < len(names):
        return None
    skipped = layout.skipped + (1 if layout.has_header else 0)
    try:
        table = csv.read_csv(
            path,
            read_options=csv.ReadOptions(column_names=names, skip_rows=skipped),
            parse_options=csv.ParseOptions(delimiter=layout.separator, ignore_empty_lines=False),
            convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
    except pa.ArrowException:
        return None
    frame: pd.DataFrame = table.to_pandas()
    if not layout.has_header:
        frame.columns = list(range(len(names)))
    return frame


def _any_table(path: Path, layout: Layout) -> "pd.DataFrame":
    """By pandas, which takes more and says what it does not take. Raises ConfigError."""
    import pandas as pd

    try:
        return pd.read_csv(
            path, sep=layout.separator, dtype=str, encoding=layout.encoding,
            skiprows=layout.skipped, header=0 if layout.has_header else None,
            skip_blank_lines=False, keep_default_na=False, na_values=[], on_bad_lines="error",
            skipinitialspace=True,
        )  # fmt: skip
    except (ValueError, UnicodeError) as error:
        raise ConfigError(
            f"The file cannot be read: {str(error).strip().splitlines()[0]}", field="file"
        ) from error


def _columns(found: TextFormat, names: list[Any]) -> dict[str, Any]:
    """The column of each role. Raises ConfigError when one that is needed is missing."""
    by_name = {str(name).strip().lower(): name for name in reversed(names)}
    columns: dict[str, Any] = {}
    for role, candidates in found.columns.items():
        for one in candidates:
            if isinstance(one, int) and one < len(names):
                columns[role] = names[one]
            elif str(one) in by_name:
                columns[role] = by_name[str(one)]
            else:
                continue
            break
    needed = {*ROLES[1:5], *({"date", "clock"} & set(found.columns) or {"time"})}
    if columns.get("clock") is None and "date" in columns:  # daily bars of MetaTrader
        needed.discard("clock")
    missing = sorted(needed - set(columns))
    if missing:
        raise ConfigError(f"The file has no column for: {', '.join(missing)}.", field="file")
    return columns


def _rows(table: "pd.DataFrame", columns: dict[str, Any], notes: list[str]) -> RawCandles:
    stamps = _stamps(table, columns)
    numbers = [_numbers(table, columns.get(role)) for role in ROLES[1:]]
    lines = np.asarray(table.index, dtype=np.int64)

    def text(row: int, role: str) -> str:
        if role == "time":
            return str(stamps.iloc[row])
        return str(table[columns[role]].iloc[row]).strip() if role in columns else "0"

    opened, high, low, close, volume = numbers
    return RawCandles(_times(stamps, notes), opened, high, low, close, volume, lines, text)


def _numbers(table: "pd.DataFrame", column: Any) -> FloatArray:
    """NaN where the cell is no number; a missing column is 0."""
    if column is None:
        return np.zeros(len(table))
    import pyarrow as pa

    try:  # Arrow rounds each decimal correctly, as float() does, and takes a tenth of the time
        return np.asarray(pa.array(table[column]).cast(pa.float64()).to_numpy(), dtype=np.float64)
    except (pa.ArrowException, TypeError):
        values = table[column].to_list()
        return np.array([_number(value) for value in values], dtype=np.float64)


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return float("nan")


def _stamps(table: "pd.DataFrame", columns: dict[str, Any]) -> "pd.Series[str]":
    """Each row's time as it was written, a date and a clock joined."""
    names = ("date", "clock") if "date" in columns else ("time",)
    parts = [table[columns[name]].astype(str).str.strip() for name in names if name in columns]
    joined: pd.Series[str] = parts[0] if len(parts) == 1 else parts[0] + " " + parts[1]
    return joined


def _times(stamps: "pd.Series[str]", notes: list[str]) -> IntArray:
    """Epoch milliseconds; NO_TIME where a time cannot be read. ``notes`` gets how they were read.

    Raises ConfigError for days before months, which could be months before days.
    """
    import pandas as pd

    first = next(iter(stamps), "")
    if re.fullmatch(r"\d{9,19}(\.\d*)?", first):
        return _epochs(np.array([_number(one) for one in stamps], dtype=np.float64))
    if DAY_FIRST.match(first):
        raise ConfigError(
            f"The time '{first[:40]}' could be of two days: write dates as YYYY-MM-DD.",
            field="file",
        )
    if DATE.match(first):
        stamps = stamps.str.replace(DATE, r"\1-\2-\3", regex=True)
    elif COMPACT.fullmatch(first):
        stamps = pd.Series(list(_spelled(stamps)), index=stamps.index)
    moments = pd.to_datetime(stamps, utc=True, errors="coerce", format="ISO8601")
    if not re.search(r"(Z|z|[+-]\d\d:?\d\d)$", first) and not any("UTC" in one for one in notes):
        notes.append("Times have no time zone: they are taken as UTC")
    numbers = np.asarray(moments.dt.as_unit("ms").astype("int64"), dtype=np.int64)
    return np.where(np.asarray(moments.isna()), NO_TIME, numbers)


def _epochs(numbers: FloatArray) -> IntArray:
    largest = float(np.nanmax(np.abs(numbers), initial=0))
    factor = next(factor for limit, factor in EPOCHS if largest < limit)
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(numbers), np.rint(numbers * factor), NO_TIME).astype(np.int64)


def _spelled(stamps: "pd.Series[str]") -> Iterator[str]:
    """``20260102`` and ``20260102 093000`` as ISO 8601; what is no such thing stays."""
    for stamp in stamps:
        match = COMPACT.fullmatch(stamp)
        if match is None:
            yield stamp
            continue
        year, month, day, hour, minute, second = match.groups()
        yield f"{year}-{month}-{day}T{hour or '00'}:{minute or '00'}:{second or '00'}"
