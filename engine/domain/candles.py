"""Candles as arrays: what strategies, charts and the backtester read."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from engine.domain.money import from_epoch_ms
from engine.domain.timeframes import timeframe_s

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Bar:
    """One closed candle. Times in epoch milliseconds, UTC."""

    open_ms: int
    close_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True, slots=True)
class Candles:
    """Closed candles of one symbol, oldest first.

    ``time`` is each candle's open in epoch milliseconds UTC, strictly increasing; all arrays have
    the same length. Prices and volume are float64 without NaN.
    """

    timeframe: str
    time: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray

    def __len__(self) -> int:
        return len(self.time)

    def __getitem__(self, window: slice) -> "Candles":
        """The candles of a slice; no data is copied."""
        return Candles(
            self.timeframe,
            self.time[window],
            self.open[window],
            self.high[window],
            self.low[window],
            self.close[window],
            self.volume[window],
        )

    def bar(self, index: int) -> Bar:
        """The candle at ``index`` (negative counts from the end). Raises IndexError."""
        opened = int(self.time[index])
        return Bar(
            opened,
            opened + timeframe_s(self.timeframe) * 1000,
            float(self.open[index]),
            float(self.high[index]),
            float(self.low[index]),
            float(self.close[index]),
            float(self.volume[index]),
        )

    def bars(self) -> Iterator[Bar]:
        """Each candle in turn."""
        return (self.bar(index) for index in range(len(self)))

    @property
    def last_close_time(self) -> datetime:
        """When the newest candle closed. Raises IndexError when there is none."""
        return from_epoch_ms(self.bar(-1).close_ms)


def empty_candles(timeframe: str) -> Candles:
    """No candles at all, of the right types."""
    none = np.empty(0, dtype=np.float64)
    return Candles(timeframe, np.empty(0, dtype=np.int64), none, none, none, none, none)


def resample(candles: Candles, timeframe: str, *, has_ended: bool = False) -> Candles:
    """Join candles into longer ones aligned to the epoch.

    An incomplete last group is dropped unless its time ``has_ended``; a group with gaps in the
    middle is kept: it is what the venue's own longer candle would show. Raises ValueError when
    ``timeframe`` is not a multiple.
    """
    fine_ms, coarse_ms = timeframe_s(candles.timeframe) * 1000, timeframe_s(timeframe) * 1000
    if coarse_ms % fine_ms:
        raise ValueError(f"{timeframe} is not a multiple of {candles.timeframe}")
    if coarse_ms == fine_ms or not len(candles):
        return Candles(timeframe, candles.time, candles.open, candles.high, candles.low,
                       candles.close, candles.volume)  # fmt: skip
    groups = candles.time // coarse_ms
    starts = np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]])
    ends = np.r_[starts[1:], len(candles)] - 1
    joined = Candles(
        timeframe,
        groups[starts] * coarse_ms,
        candles.open[starts],
        np.maximum.reduceat(candles.high, starts),
        np.minimum.reduceat(candles.low, starts),
        candles.close[ends],
        np.add.reduceat(candles.volume, starts),
    )
    is_complete = int(candles.time[-1]) + fine_ms == int(joined.time[-1]) + coarse_ms
    return joined if is_complete or has_ended else joined[slice(None, -1)]
