"""Channels and rates: highest and lowest, Donchian, supertrend, rate of change, stochastic.

The conventions are those of ``indicators.py``: float64 in and out, of one length, NaN while warming
up, value ``i`` from inputs up to ``i`` only.
"""

from typing import NamedTuple

import numpy as np

from engine.domain.candles import BoolArray, Candles, FloatArray, IntArray
from engine.domain.indicators import TIE, atr, sma
from engine.domain.sharing import shared
from engine.domain.strategy import HISTORY_FACTOR
from engine.domain.ta_lib import talib
from engine.domain.timeframes import timeframe_s

SUPERTREND_BLOCK = 500
"""A supertrend is begun anew this many candles apart; see ``supertrend``."""


class Channel(NamedTuple):
    """A price channel and its middle, in price."""

    upper: FloatArray
    middle: FloatArray
    lower: FloatArray


class Supertrend(NamedTuple):
    """The line, in price, under the price while the trend is up and over it while it is down; the
    direction is 1.0 or -1.0, NaN while warming up."""

    line: FloatArray
    direction: FloatArray


class Stochastic(NamedTuple):
    """%K and its average %D, 0 to 100."""

    k: FloatArray
    d: FloatArray


@shared
def previous(values: FloatArray, count: int = 1) -> FloatArray:
    """The value ``count`` candles before; NaN for the first ``count``. ``count`` >= 0."""
    moved = np.full(len(values), np.nan)
    moved[count:] = values[: max(0, len(values) - count)]
    return moved


@shared
def highest(values: FloatArray, period: int) -> FloatArray:
    """The highest of the newest ``period`` values, this one too. First at index ``period - 1``.

    ``period`` >= 1.
    """
    return talib.MAX(values, timeperiod=period) if _has_window(values, period) else values.copy()


@shared
def lowest(values: FloatArray, period: int) -> FloatArray:
    """The lowest of the newest ``period`` values, this one too. First at index ``period - 1``.

    ``period`` >= 1.
    """
    return talib.MIN(values, timeperiod=period) if _has_window(values, period) else values.copy()


@shared
def donchian(candles: Candles, period: int = 20) -> Channel:
    """Highest high and lowest low of the newest ``period`` candles, this one too, in price.

    First value at index ``period - 1``; a breakout is a close beyond the ``previous`` channel.
    Source: R. D. Donchian, Trend-Following Methods in Commodity Price Analysis (1957).
    """
    upper, lower = highest(candles.high, period), lowest(candles.low, period)
    return Channel(upper, lower + (upper - lower) / 2, lower)


@shared
def roc(values: FloatArray, period: int = 10) -> FloatArray:
    """Rate of change over ``period`` candles, in percent. First value at index ``period``.

    ``period`` >= 1. NaN where the older value is 0.
    """
    if not len(values):
        return np.empty(0)
    before = previous(values, period)
    change = np.full(len(values), np.nan)
    np.divide(values - before, before, out=change, where=before != 0)
    change *= 100.0
    return change


@shared
def deviation_score(close: FloatArray, middle: FloatArray, deviation: FloatArray) -> FloatArray:
    """How many standard deviations a price is from its average (z-score).

    0 where the price did not move, NaN while warming up.
    """
    score = np.where(np.isnan(deviation), np.nan, 0.0)
    is_moving = deviation > TIE * np.abs(middle)
    np.divide(close - middle, deviation, out=score, where=is_moving)
    return score


@shared
def stochastic(candles: Candles, period: int = 14, smoothing: int = 1, signal: int = 3
               ) -> Stochastic:  # fmt: skip
    """Where the close lies between the lowest low (0) and the highest high (100) of ``period``.

    ``smoothing`` averages %K (1: the fast, 3: the slow stochastic), ``signal`` makes %D of it.
    A range of nothing gives 50. First %K at index ``period + smoothing - 2``, first %D
    ``signal - 1`` later. Source: G. C. Lane, Lane's Stochastics (1984).
    """
    channel = donchian(candles, period)
    span = channel.upper - channel.lower
    raw = np.where(np.isnan(span), np.nan, 50.0)
    np.divide(100.0 * (candles.close - channel.lower), span, out=raw, where=span > 0)
    k = sma(raw, smoothing)
    return Stochastic(k, sma(k, signal))


@shared
def supertrend(candles: Candles, period: int = 10, factor: float = 3.0) -> Supertrend:
    """A trailing stop ``factor`` average true ranges from the candle's middle, which only follows.

    The upper band falls and the lower one rises until a close is beyond them; a close above the
    upper band begins an up trend, one below the lower band a down trend. A candle that closes
    beyond both, after a gap with a long wick, changes nothing. First value at index ``period``.

    The textbook's recursion never forgets where it began, so that a live bot, which sees only the
    newest candles, could disagree with a backtest. Here each block of SUPERTREND_BLOCK candles
    (counted from the epoch, so by anybody alike) is computed from the beginning of the block
    before it: value ``i`` depends on two blocks and the warm-up at most. The two differ only where
    no close was beyond a band for that long.

    Source: O. Seban, Tout le monde mérite d'être riche (2008); the average true range is Wilder's.
    """
    count = len(candles)
    line, direction = np.full(count, np.nan), np.full(count, np.nan)
    reach = factor * atr(candles, period)
    warm = int(np.argmin(np.isnan(reach))) if count else 0
    if not count or np.isnan(reach[warm]):
        return Supertrend(line, direction)
    index, is_own = _table(candles, warm)
    middle = (candles.high + candles.low) / 2
    # A close counts as beyond a band when it is so by more than rounding.
    least, most, upper, lower = (
        np.take(values, index)
        for values in (
            candles.close * (1 - TIE), candles.close * (1 + TIE), middle + reach, middle - reach
        )
    )  # fmt: skip
    _follow(least, most, upper, lower)
    is_up = _last_side(least > upper, most < lower, (candles.close >= middle)[index[0]])
    own = index[is_own]
    line[own] = np.where(is_up, lower, upper)[is_own]
    direction[own] = np.where(is_up[is_own], 1.0, -1.0)
    return Supertrend(line, direction)


def supertrend_history(period: int) -> int:
    """How many candles a supertrend and its change on the newest one depend on at most."""
    return 3 * SUPERTREND_BLOCK + HISTORY_FACTOR * (period + 1)


def _table(candles: Candles, warm: int) -> tuple[IntArray, BoolArray]:
    """The candles from ``warm`` on as a table with a column a block: the block before, from the
    top, then the block itself. Each cell names a candle, and whether it is of the column's block;
    short columns repeat the newest candle.
    """
    count = len(candles)
    block = candles.time[warm:] // (timeframe_s(candles.timeframe) * 1000 * SUPERTREND_BLOCK)
    starts = warm + np.flatnonzero(np.r_[True, block[1:] != block[:-1]])
    ends = np.r_[starts[1:], count]
    begins = np.r_[starts[:1], starts[:-1]]
    index = begins + np.arange(int((ends - begins).max()), dtype=np.int64)[:, None]
    is_own = (index >= starts) & (index < ends)
    return np.minimum(index, count - 1, out=index), is_own


def _follow(least: FloatArray, most: FloatArray, upper: FloatArray, lower: FloatArray) -> None:
    """Let the bands, row after row and in place, only come nearer until a close is beyond them."""
    is_held = np.empty(least.shape[1], np.bool_)
    for step in range(1, len(least)):
        before = step - 1
        np.less_equal(least[before], upper[before], out=is_held)
        np.minimum(upper[step], upper[before], out=upper[step], where=is_held)
        np.greater_equal(most[before], lower[before], out=is_held)
        np.maximum(lower[step], lower[before], out=lower[step], where=is_held)


def _last_side(is_above: BoolArray, is_below: BoolArray, at_first: BoolArray) -> BoolArray:
    """Per column, whether the newest row that was on one side alone was above; ``at_first`` before
    any."""
    is_told = is_above ^ is_below
    is_up = np.empty(is_told.shape, np.bool_)
    now = at_first
    for step in range(len(is_told)):
        np.copyto(now, is_above[step], where=is_told[step])
        is_up[step] = now
    return is_up


def _has_window(values: FloatArray, period: int) -> bool:
    """Whether TA-Lib has something to do: it takes no period of one and no array of NaN."""
    return period > 1 and len(values) > 0 and not bool(np.isnan(values).all())
