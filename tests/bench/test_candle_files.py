"""How long a million one-minute candles take: reading CSV and Parquet, finding gaps, merging.

Times are shown; what is asserted is a ratio within one run, so that a slow machine is no failure.
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from engine.adapters.candles.parquet_library import ParquetLibrary
from engine.domain.candle_checks import span_of
from engine.domain.candle_sets import CandleSet
from engine.domain.candles import Candles
from engine.domain.instruments import InstrumentKind
from engine.links import candle_columns
from engine.links.candle_files import read_candle_file

COUNT = 1_000_000
LEAST_RATIO = 3


def million() -> Candles:
    """A walk in cents."""
    chance = np.random.default_rng(7)
    close = np.round(7000 + np.cumsum(chance.normal(0, 0.5, COUNT)), 2)
    opened = np.concatenate([[close[0]], close[:-1]])
    high, low = np.maximum(opened, close) + 0.5, np.minimum(opened, close) - 0.5
    time_ms = 1_514_764_800_000 + np.arange(COUNT, dtype=np.int64) * 60_000
    volume = np.round(chance.random(COUNT), 8)
    return Candles("1m", time_ms, opened, np.round(high, 2), np.round(low, 2), close, volume)


def took(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def test_a_million_candles(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    candles = million()
    path = tmp_path / "BTC-USD.1m.csv"
    stamps = np.datetime_as_string(candles.time.astype("datetime64[ms]").astype("datetime64[s]"))
    columns = (candles.open, candles.high, candles.low, candles.close, candles.volume)
    with path.open("w", encoding="utf-8") as file:
        file.write("timestamp,open,high,low,close,volume\n")
        rows = zip(stamps, *(column.tolist() for column in columns), strict=True)
        file.writelines(f"{row[0]}Z,{','.join(map(repr, row[1:]))}\n" for row in rows)
    library = ParquetLibrary(tmp_path / "candles")
    about = CandleSet(symbol="BTC/USD", timeframe="1m")
    seconds = {
        "read CSV": took(lambda: read_candle_file(path)),
        "write Parquet": took(lambda: library.merge(about, candles)),
        "read Parquet": took(lambda: library.read(about.id)),
        "list": took(library.list),
        "gaps of a market that never closes": took(lambda: span_of(candles, about.kind)),
        "gaps of one that does": took(lambda: span_of(candles, InstrumentKind.STOCK)),
    }
    lines = [f"{name}: {value:.3f} s" for name, value in seconds.items()]
    record_property("figures", "\n".join(lines))
    slow_s = took(lambda: candle_columns._cell_by_cell(path))
    assert slow_s > LEAST_RATIO * seconds["read CSV"], f"cell by cell: {slow_s:.3f} s"
