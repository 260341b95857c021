"""Candles for tests: a seeded random walk with wicks, flat ones, and the shared real ones."""

import csv
from datetime import datetime
from pathlib import Path

import numpy as np

from engine.domain.candles import Candles, FloatArray
from engine.domain.timeframes import timeframe_s

MARKET = Path(__file__).resolve().parents[3] / "shared" / "market"


def random_candles(
    count: int, seed: int, *, price: float = 100.0, volatility: float = 0.01, timeframe: str = "1m"
) -> Candles:
    """A random walk of ``volatility`` a candle, with calm and wild stretches."""
    random = np.random.default_rng(seed)
    swings = volatility * (1 + 0.9 * np.sin(np.arange(count) / 37))
    close = price * np.exp(np.cumsum(random.normal(0, 1, count) * swings))
    opened = np.r_[price, close[:-1]] if count else close
    wick = 1 + np.abs(random.normal(0, 0.5, (2, count))) * swings
    return Candles(
        timeframe,
        _times(count, timeframe),
        opened,
        np.maximum(opened, close) * wick[0],
        np.minimum(opened, close) / wick[1],
        close,
        random.uniform(1, 100, count),
    )


def flat_candles(count: int, price: float = 100.0, timeframe: str = "1m") -> Candles:
    """A price that never moves."""
    flat = np.full(count, price)
    return Candles(timeframe, _times(count, timeframe), flat, flat, flat, flat, np.ones(count))


def candle_files() -> list[Path]:
    """The shared real candles; none where the folder is absent."""
    return sorted(MARKET.glob("*.csv"))


def read_candles(path: Path, most: int = 3000) -> Candles:
    """The first candles of a shared file."""
    with path.open(newline="") as file:
        rows = [row for row, _ in zip(csv.DictReader(file), range(most), strict=False)]
    times = [round(datetime.fromisoformat(row["timestamp"]).timestamp() * 1000) for row in rows]

    def column(name: str) -> FloatArray:
        return np.array([float(row[name]) for row in rows])

    return Candles(
        path.stem.rpartition(".")[2],
        np.array(times, dtype=np.int64),
        column("open"),
        column("high"),
        column("low"),
        column("close"),
        column("volume"),
    )


def _times(count: int, timeframe: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.arange(count, dtype=np.int64) * timeframe_s(timeframe) * 1000
