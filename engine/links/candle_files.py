"""Candle files: CSV or Parquet with timestamp, open, high, low, close and volume."""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from engine.domain.candle_checks import FIRST_MS, LAST_MS
from engine.domain.candle_sets import STEM, CandleSet, instrument_of, kind_of
from engine.domain.candles import Candles, IntArray
from engine.domain.instruments import Instrument
from engine.domain.timeframes import SECONDS
from engine.errors import NotFound
from engine.links.candle_columns import Columns, read_columns, refused

FILES_KEPT = 8
SUFFIXES = (".parquet", ".csv")
NOTE = b"quarterdeck.candles"
"""The key of a Parquet file's metadata under which it says what it is: a ``CandleSet`` as JSON."""


@dataclass(frozen=True, slots=True)
class CandleFile:
    """A file's candles and what is traded in them."""

    path: Path
    instrument: Instrument
    candles: Candles


def read_candles(name: str | Path, folder: Path | None = None) -> tuple[Instrument, Candles]:
    """The candles of a file, by its path or, with a library's ``folder``, by its id there.

    A file given by its path may have any name: what a name does not tell is told by the candles.
    Raises NotFound when there is neither, ConfigError for a file that cannot be used.
    """
    path = Path(name).expanduser()
    if folder is not None and not path.is_file():
        found = find_file(folder, str(name))
        if found is None:
            raise NotFound(f"There is no candle file '{name}', nor candles of that name.",
                           field="market")  # fmt: skip
        path = found
    file = _parsed(path, _stamp_of(path), may_be_unnamed=True)
    return file.instrument, file.candles


def find_file(folder: Path, set_id: str) -> Path | None:
    """The file of a candle set in ``folder``, never one outside; ``NAME~csv`` is a CSV."""
    if not folder.is_dir():
        return None
    paths = (path for path in folder.iterdir() if path.suffix in SUFFIXES and path.is_file())
    return next((path for path in paths if id_of(path) == set_id), None)


def id_of(path: Path) -> str:
    """What a file is called: its name without the ending, which only a CSV keeps, as ``~csv``."""
    return f"{path.stem}~csv" if path.suffix == ".csv" else path.stem


def read_candle_file(path: Path) -> CandleFile:
    """Read and check a file named SYMBOL.TIMEFRAME.csv (or .parquet), as in ETH-BTC.5m.csv.

    ``timestamp`` is each candle's open: ISO 8601 (UTC unless it says otherwise) or an epoch in
    seconds or milliseconds. Every digit is kept. A file that has not changed is read once for all
    its replays. Raises ConfigError saying what is wrong, and in which line.
    """
    return _parsed(path, _stamp_of(path))


def _stamp_of(path: Path) -> tuple[int, int] | None:
    """What changes when a file does; None without a file."""
    status = path.stat() if path.is_file() else None
    return status and (status.st_mtime_ns, status.st_size)


def note_of(path: Path) -> CandleSet | None:
    """What a Parquet file of the library says it is; None for any other. Raises ConfigError."""
    import pyarrow as pa
    from pyarrow import parquet

    if path.suffix != ".parquet":
        return None
    try:
        metadata = parquet.read_schema(path).metadata or {}
        return CandleSet.model_validate_json(metadata[NOTE]) if NOTE in metadata else None
    except (OSError, ValueError, pa.ArrowException) as error:
        raise refused(path, f"it cannot be read ({str(error).splitlines()[0]})") from error


@lru_cache(maxsize=FILES_KEPT)
def _parsed(
    path: Path, _stamp: tuple[int, int] | None, *, may_be_unnamed: bool = False
) -> CandleFile:
    stem = STEM.match(path.stem) or (STEM.match(_plain_name(path)) if may_be_unnamed else None)
    if stem is None:
        raise refused(path, "its name is not like ETH-BTC.5m.csv")
    columns = read_columns(path)
    if len(columns.time) < 2:
        raise refused(path, "it has fewer than two candles")
    _check(path, columns)
    note = note_of(path)
    named = note.timeframe if note else stem["timeframe"]
    timeframe = _timeframe(path, named, columns.time)
    candles = Candles(timeframe, columns.time, *columns.numbers.values())
    symbol = note.symbol if note else stem["symbol"]
    kind = note.kind if note else kind_of(symbol)
    return CandleFile(path, instrument_of(symbol, kind, candles), candles)


def _plain_name(path: Path) -> str:
    """The letters and digits of a file's name, to call by what has no symbol."""
    return "".join(re.findall("[A-Za-z0-9]", path.stem)) or "CANDLES"


def _check(path: Path, columns: Columns) -> None:
    """Raise ConfigError for the first thing that cannot be true of candles."""
    time = columns.time
    opened, high, low, close, volume = columns.numbers.values()
    top, bottom = np.maximum(opened, close), np.minimum(opened, close)
    steps = np.diff(time, prepend=time[0] - 1)
    problems = (
        ((time < FIRST_MS) | (time > LAST_MS), "the timestamp is not between 1970 and 2100"),
        (steps == 0, "the timestamp is that of the row before"),
        (steps < 0, "the timestamp is earlier than that of the row before"),
        (np.minimum(low, bottom) <= 0, "a price is not above zero"),
        (high < low, "the high is below the low"),
        (high < top, "the high is below the open or the close"),
        (low > bottom, "the low is above the open or the close"),
        (volume < 0, "the volume is negative"),
    )
    for is_wrong, problem in problems:
        rows = np.flatnonzero(is_wrong)
        if len(rows):
            raise refused(path, problem, int(rows[0]))


def _timeframe(path: Path, named: str | None, time: IntArray) -> str:
    """From the file's name, or else the smallest distance between two candles."""
    by_seconds = {seconds: name for name, seconds in SECONDS.items()}
    smallest_s = int(np.diff(time).min()) / 1000
    name = named or by_seconds.get(round(smallest_s))
    if name not in SECONDS:
        raise refused(path, f"its candles of {named or f'{smallest_s:g} s'} are of no known length")
    if smallest_s < SECONDS[name]:
        raise refused(path, f"its candles are {smallest_s:g} s apart, which is less than {name}")
    return name
