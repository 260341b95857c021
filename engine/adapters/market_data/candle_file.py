"""Candle files: CSV or Parquet with timestamp, open, high, low, close and volume."""

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.domain.candles import Candles, FloatArray, IntArray
from engine.domain.instruments import Instrument, InstrumentKind
from engine.domain.timeframes import SECONDS
from engine.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")
PRICES = COLUMNS[1:5]
MOST_DIGITS = 10
FILES_KEPT = 8
FIRST_MS, LAST_MS = 0, 4_102_444_800_000  # 1970 to 2100
FIAT = frozenset({"USD", "EUR", "GBP", "JPY", "CHF", "AUD", "CAD", "NZD"})
MIN_NOTIONAL = {"BTC": Decimal("0.0001"), "ETH": Decimal("0.001")}
FILE_NAME = re.compile(
    r"^(?P<symbol>[A-Za-z0-9.^]+?(-[A-Za-z0-9]+)?)(\.(?P<timeframe>\d+[smhd]))?$"
)


@dataclass(frozen=True, slots=True)
class CandleFile:
    """A file's candles and what is traded in them."""

    path: Path
    instrument: Instrument
    candles: Candles


def read_candle_file(path: Path) -> CandleFile:
    """Read and check a file named SYMBOL.TIMEFRAME.csv (or .parquet), as in ETH-BTC.5m.csv.

    ``timestamp`` is each candle's open: ISO 8601 (UTC unless it says otherwise) or an epoch in
    seconds or milliseconds. A file that has not changed is read once for all its replays. Raises
    ConfigError saying what is wrong, and in which row.
    """
    status = path.stat() if path.is_file() else None
    return _parsed(path, status and (status.st_mtime_ns, status.st_size))


@lru_cache(maxsize=FILES_KEPT)
def _parsed(path: Path, _stamp: tuple[int, int] | None) -> CandleFile:
    stem = FILE_NAME.match(path.stem)
    if stem is None:
        raise _refused(path, "its name is not like ETH-BTC.5m.csv")
    table = _read(path)
    names = {str(column).strip().lower(): column for column in table.columns}
    missing = [column for column in COLUMNS if column not in names]
    if missing:
        raise _refused(path, f"it has no column {', '.join(missing)}")
    if len(table) < 2:
        raise _refused(path, "it has fewer than two candles")
    time = _times(path, table[names["timestamp"]])
    texts = {column: table[names[column]] for column in COLUMNS[1:]}
    numbers = {column: _numbers(path, column, texts[column]) for column in texts}
    _check(path, time, numbers)
    timeframe = _timeframe(path, stem["timeframe"], time)
    digits = max(_digits(numbers[column]) for column in PRICES)
    candles = Candles(timeframe, time, *(numbers[column] for column in COLUMNS[1:]))
    return CandleFile(path, _instrument(stem["symbol"], digits), candles)


def _read(path: Path) -> "pd.DataFrame":
    import pandas as pd

    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        # As text: only Python's own float() is sure to keep every digit.
        return pd.read_csv(path, skipinitialspace=True, dtype=str)
    except FileNotFoundError:
        raise _refused(path, "there is no such file") from None
    except (OSError, ValueError, UnicodeError) as error:
        raise _refused(path, f"it cannot be read ({str(error).splitlines()[0]})") from error


def _times(path: Path, column: Any) -> IntArray:
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column) or _is_number(column.iloc[0]):
        numbers = _numbers(path, "timestamp", column)
        is_seconds = float(np.abs(numbers).max()) < 1e11
        return np.rint(numbers * 1000 if is_seconds else numbers).astype(np.int64)
    moments = pd.to_datetime(column, utc=True, errors="coerce", format="ISO8601")
    unread = np.flatnonzero(moments.isna())
    if len(unread):
        row = int(unread[0])
        raise _refused(path, f"the timestamp '{column.iloc[row]}' is not a time", row)
    return np.asarray(moments.dt.as_unit("ms").astype("int64"), dtype=np.int64)


def _numbers(path: Path, name: str, column: Any) -> FloatArray:
    values = column.to_list()
    try:
        numbers = np.array([float(value) for value in values], dtype=np.float64)
    except (TypeError, ValueError):
        row = next(row for row, value in enumerate(values) if not _is_number(value))
        raise _refused(path, f"{name} is '{values[row]}', which is no number", row) from None
    unread = np.flatnonzero(~np.isfinite(numbers))
    if len(unread):
        row = int(unread[0])
        raise _refused(path, f"{name} is '{values[row]}', which is no number", row)
    return numbers


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _check(path: Path, time: IntArray, numbers: dict[str, FloatArray]) -> None:
    """Raise ConfigError for the first thing that cannot be true of candles."""
    top = np.maximum(numbers["open"], numbers["close"])
    bottom = np.minimum(numbers["open"], numbers["close"])
    steps = np.diff(time, prepend=time[0] - 1)
    problems = (
        ((time < FIRST_MS) | (time > LAST_MS), "the timestamp is not between 1970 and 2100"),
        (steps == 0, "the timestamp is that of the row before"),
        (steps < 0, "the timestamp is earlier than that of the row before"),
        (np.minimum(numbers["low"], bottom) <= 0, "a price is not above zero"),
        (numbers["high"] < numbers["low"], "the high is below the low"),
        (numbers["high"] < top, "the high is below the open or the close"),
        (numbers["low"] > bottom, "the low is above the open or the close"),
        (numbers["volume"] < 0, "the volume is negative"),
    )
    for is_wrong, problem in problems:
        rows = np.flatnonzero(is_wrong)
        if len(rows):
            raise _refused(path, problem, int(rows[0]))


def _timeframe(path: Path, named: str | None, time: IntArray) -> str:
    """From the file's name, or else the smallest distance between two candles."""
    by_seconds = {seconds: name for name, seconds in SECONDS.items()}
    smallest_s = int(np.diff(time).min()) / 1000
    name = named or by_seconds.get(round(smallest_s))
    if name not in SECONDS:
        raise _refused(
            path, f"its candles of {named or f'{smallest_s:g} s'} are of no known length"
        )
    if smallest_s < SECONDS[name]:
        raise _refused(path, f"its candles are {smallest_s:g} s apart, which is less than {name}")
    return name


def _digits(prices: FloatArray) -> int:
    """The fewest decimals that write all prices exactly, at most ``MOST_DIGITS``."""
    for digits in range(MOST_DIGITS):
        if bool((np.round(prices, digits) == prices).all()):
            return digits
    return MOST_DIGITS


def _instrument(name: str, digits: int) -> Instrument:
    base, _, quote = name.upper().partition("-")
    is_stock = not quote
    quote = quote or "USD"
    kind = InstrumentKind.CRYPTO
    if is_stock:
        kind = InstrumentKind.STOCK
    elif base in FIAT and quote in FIAT:
        kind = InstrumentKind.FOREX
    return Instrument(
        symbol=base if is_stock else f"{base}/{quote}",
        name=f"{name} from a file",
        kind=kind,
        base=base,
        quote=quote,
        price_tick=Decimal(1).scaleb(-digits),
        quantity_step=Decimal("0.0001") if is_stock else Decimal("1e-8"),
        min_notional=MIN_NOTIONAL.get(quote, Decimal(5)),
        can_short=True,
    )


def _refused(path: Path, problem: str, row: int | None = None) -> ConfigError:
    """``row`` counts from zero after the header; the message counts the file's lines."""
    where = "" if row is None else f" in line {row + 2}"
    return ConfigError(f"The candle file {path} cannot be used: {problem}{where}.", field="market")
