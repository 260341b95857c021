"""The columns of a candle file as arrays: fast where the file is plain, and exact always.

Arrow's reader rounds every decimal correctly, as Python's own ``float()`` does (both give the
nearest double; a test compares them). It is tried first; whatever it does not take (another
notation, a bad cell) is read cell by cell, which either reads it or says in which line it cannot.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.domain.candles import FloatArray, IntArray
from engine.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")
NUMBERS = COLUMNS[1:]
TIMES = frozenset({"time", "datetime", "date", "open_time", "open time"})
"""What else the column of times is called, where there is no ``timestamp``."""

SECONDS_BELOW = 1e11
"""An epoch below is one of seconds: as milliseconds it would be 1973."""


@dataclass(frozen=True, slots=True)
class Columns:
    """``time`` in epoch milliseconds UTC, the numbers by name; all of one length."""

    time: IntArray
    numbers: Mapping[str, FloatArray]


def read_columns(path: Path) -> Columns:
    """The six columns of a CSV or Parquet file, unchecked but for being times and finite numbers.

    Raises ConfigError saying what is wrong, and in which line.
    """
    read = _fast_parquet if path.suffix == ".parquet" else _fast_csv
    try:
        columns = read(path)
    except FileNotFoundError:
        raise refused(path, "there is no such file") from None
    except OSError as error:
        raise _unreadable(path, error) from error
    return columns or _cell_by_cell(path)


def refused(path: Path, problem: str, row: int | None = None) -> ConfigError:
    """``row`` counts from zero after the header; the message counts the file's lines."""
    where = "" if row is None else f" in line {_line_of(path, row)}"
    return ConfigError(f"The candle file {path} cannot be used: {problem}{where}.", field="market")


def _plain(names: Iterable[Any]) -> list[str]:
    """Columns' names in lower case, the one of times as ``timestamp`` whatever it was called; two
    of them, a date and a clock, stay as they are."""
    plain = [str(name).strip().lower() for name in names]
    found = TIMES.intersection(plain)
    if "timestamp" in plain or len(found) != 1:
        return plain
    return ["timestamp" if name in found else name for name in plain]


# --- fast


def _fast_csv(path: Path) -> Columns | None:
    """None when the file is not as plain as this reader needs it. Raises OSError."""
    import pyarrow as pa
    from pyarrow import csv

    with path.open("rb") as file:
        head = file.readline(4096).decode("utf-8-sig", "replace").strip("\r\n").split(",")
        first = file.readline(4096).decode("utf-8", "replace").split(",")
    names = _plain(head)
    if len(set(names)) < len(names) or len(first) != len(names) or set(COLUMNS) - set(names):
        return None
    time_type = _time_type(first[names.index("timestamp")].strip())
    types = dict.fromkeys(NUMBERS, pa.float64()) | {"timestamp": time_type}
    try:
        table = csv.read_csv(
            path,
            read_options=csv.ReadOptions(column_names=names, skip_rows=1),
            convert_options=csv.ConvertOptions(
                column_types=types, include_columns=COLUMNS, null_values=[""]
            ),
        )
    except pa.ArrowException:
        return None
    return _of_table(table)


def _time_type(cell: str) -> Any:
    """What the first time looks like: an epoch, ISO 8601 with a zone, or without."""
    import pyarrow as pa

    if _is_number(cell):
        return pa.float64()
    has_zone = cell.endswith(("Z", "z")) or any(mark in cell[10:] for mark in "+-")
    return pa.timestamp("ms", "UTC" if has_zone else None)


def _fast_parquet(path: Path) -> Columns | None:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except pa.ArrowException as error:
        raise _unreadable(path, error) from error
    names = _plain(table.column_names)
    if len(set(names)) < len(names):
        return None
    return _of_table(table.rename_columns(names)) if set(COLUMNS) <= set(names) else None


def _of_table(table: Any) -> Columns | None:
    """None for columns that are not of times and numbers throughout."""
    import pyarrow as pa

    if any(table[name].null_count for name in COLUMNS):
        return None
    numbers = {}
    for name in NUMBERS:
        column = table[name]
        if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
            return None
        numbers[name] = np.asarray(column.to_numpy(), dtype=np.float64)
    times = table["timestamp"]
    if pa.types.is_timestamp(times.type):
        length = pa.timestamp("ms", times.type.tz)
        time = times.cast(length, safe=False).cast(pa.int64()).to_numpy()
    elif pa.types.is_floating(times.type) or pa.types.is_integer(times.type):
        time = _from_epochs(np.asarray(times.to_numpy(), dtype=np.float64))
    else:
        return None
    is_sound = all(bool(np.isfinite(one).all()) for one in numbers.values())
    return Columns(np.asarray(time, dtype=np.int64), numbers) if is_sound else None


def _from_epochs(epochs: FloatArray) -> IntArray:
    if not np.isfinite(epochs).all():
        return np.full(len(epochs), -1, dtype=np.int64)  # the check of times names the row
    is_seconds = float(np.abs(epochs).max(initial=0)) < SECONDS_BELOW
    return np.rint(epochs * 1000 if is_seconds else epochs).astype(np.int64)


# --- cell by cell


def _cell_by_cell(path: Path) -> Columns:
    table = _read(path)
    names = dict(zip(_plain(table.columns), table.columns, strict=True))
    missing = [column for column in COLUMNS if column not in names]
    if missing:
        raise refused(
            path, f"it has no column {', '.join(missing)}; needed are {', '.join(COLUMNS)}"
        )
    if not len(table):
        return Columns(np.empty(0, dtype=np.int64), dict.fromkeys(NUMBERS, np.empty(0)))
    time = _times(path, table[names["timestamp"]])
    numbers = {name: _numbers(path, name, table[names[name]]) for name in NUMBERS}
    return Columns(time, numbers)


def _read(path: Path) -> "pd.DataFrame":
    import pandas as pd

    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        table = pd.read_csv(path, skipinitialspace=True, dtype=str)
    except (OSError, ValueError, UnicodeError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes what is too much for an index
        raise refused(path, "its rows have more columns than its header names")
    return table


def _times(path: Path, column: Any) -> IntArray:
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column) or _is_number(column.iloc[0]):
        return _from_epochs(_numbers(path, "timestamp", column))
    moments = pd.to_datetime(column, utc=True, errors="coerce", format="ISO8601")
    unread = np.flatnonzero(moments.isna())
    if len(unread):
        row = int(unread[0])
        raise refused(path, f"the timestamp '{column.iloc[row]}' is not a time", row)
    return np.asarray(moments.dt.as_unit("ms").astype("int64"), dtype=np.int64)


def _numbers(path: Path, name: str, column: Any) -> FloatArray:
    values = column.to_list()
    try:
        numbers = np.array([float(value) for value in values], dtype=np.float64)
    except (TypeError, ValueError):
        row = next(row for row, value in enumerate(values) if not _is_number(value))
        raise refused(path, f"{name} is '{values[row]}', which is no number", row) from None
    unread = np.flatnonzero(~np.isfinite(numbers))
    if len(unread):
        row = int(unread[0])
        raise refused(path, f"{name} is '{values[row]}', which is no number", row)
    return numbers


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _line_of(path: Path, row: int) -> int:
    """The line of a row: empty ones are no rows."""
    if path.suffix == ".parquet":
        return row + 1
    with path.open("rb") as file:
        return next(_filled_lines(file, row + 1), row + 2)


def _filled_lines(file: Any, place: int) -> Iterator[int]:
    """The number of the filled line at ``place``, the header's being 0."""
    filled = -1
    for number, line in enumerate(file, 1):
        filled += bool(line.strip())
        if filled == place:
            yield number


def _unreadable(path: Path, error: Exception) -> ConfigError:
    return refused(
        path, f"it cannot be read ({(str(error) or type(error).__name__).splitlines()[0]})"
    )
