"""Candles made by hand for tests of the candle library."""

from collections.abc import Sequence

import numpy as np

from engine.domain.candles import Candles
from engine.domain.timeframes import timeframe_s

MONDAY_MS = 1_772_409_600_000  # 2026-03-02


def candles_of(
    prices: Sequence[float], timeframe: str = "1h", start_ms: int = MONDAY_MS
) -> Candles:
    """One candle a price, flat but for a high and a low around it."""
    time = start_ms + np.arange(len(prices), dtype=np.int64) * timeframe_s(timeframe) * 1000
    price = np.asarray(prices, dtype=np.float64)
    return Candles(
        timeframe, time, price, price * 1.25, price * 0.75, price, np.full(len(price), 5.0)
    )


def without(candles: Candles, *rows: int) -> Candles:
    """The same with holes."""
    kept = np.delete(np.arange(len(candles)), rows)
    numbers = (candles.open, candles.high, candles.low, candles.close, candles.volume)
    return Candles(candles.timeframe, candles.time[kept], *(one[kept] for one in numbers))
