"""Technical indicators: thin, typed wrappers over TA-Lib.

Arrays go in and come out as float64 of one length, oldest value first. Values of the warm-up are
NaN, inputs shorter than the warm-up give all NaN, and an empty input gives an empty output. Value
``i`` depends on inputs up to ``i`` only.

Three quirks of TA-Lib are put right here. Where it takes numbers below 1e-14 for zero, prices are
first multiplied by a power of two (exact in floating point) so that coins worth a billionth of a
bitcoin work like any other. Its running sum of squares loses digits when prices are large against
their movement, so Bollinger bands are computed around the first price. And it calls a price that
never moved an RSI of 0, the most oversold there is; here that is 50.

Channels, rates of change and the like are in ``channels.py``. ``sharing.py`` lets many strategies
over the same candles share what is computed here.
"""

from typing import NamedTuple

import numpy as np

from engine.domain.candles import BoolArray, Candles, FloatArray
from engine.domain.sharing import shared
from engine.domain.ta_lib import talib

TIE = 1e-11
"""Relative difference below which two averages are equal: the error of long running sums."""
BLOCK = 8192
"""Values compared at a time: intermediate results then stay in the processor's cache."""
WORKING_EXPONENT = 20  # prices are brought to about 2**20 where TA-Lib's 1e-14 would matter


class Macd(NamedTuple):
    """MACD line, its signal line, and their difference."""

    line: FloatArray
    signal: FloatArray
    histogram: FloatArray


class Bands(NamedTuple):
    """Bollinger bands, in price."""

    upper: FloatArray
    middle: FloatArray
    lower: FloatArray


class Directional(NamedTuple):
    """Wilder's directional movement: strength of the trend, and of its two sides, 0 to 100."""

    adx: FloatArray
    plus: FloatArray
    minus: FloatArray


@shared
def sma(values: FloatArray, period: int) -> FloatArray:
    """Simple moving average. First value at index ``period - 1``. ``period`` >= 1."""
    if not _has_values(values):
        return _undefined(values)
    return talib.SMA(_doubles(values), timeperiod=period) if period > 1 else _doubles(values).copy()


@shared
def ema(values: FloatArray, period: int) -> FloatArray:
    """Exponential moving average, smoothing 2 / (period + 1), seeded with the first simple average.

    First value at index ``period - 1``. ``period`` >= 1.
    """
    if not _has_values(values):
        return _undefined(values)
    return talib.EMA(_doubles(values), timeperiod=period) if period > 1 else _doubles(values).copy()


@shared
def rsi(close: FloatArray, period: int = 14) -> FloatArray:
    """Relative strength index, 0 to 100, with Wilder's smoothing 1 / period.

    First value at index ``period``. ``period`` >= 2. A price that has not moved for a whole period
    and has left no trace in the averages gives 50, not TA-Lib's 0.
    Source: J. W. Wilder, New Concepts in Technical Trading Systems (1978), section VI.
    """
    if not _has_values(close):
        return _undefined(close)
    index = talib.RSI(_doubles(close) * _scale(close), timeperiod=period)
    suspects = np.flatnonzero(index == 0.0)
    if len(suspects):
        last_move = _last_change(close)
        index[suspects[suspects - last_move[suspects] >= period]] = 50.0
    return index


@shared
def macd(close: FloatArray, fast: int = 12, slow: int = 26, signal: int = 9) -> Macd:
    """Moving average convergence divergence, in price.

    First value of all three at index ``slow + signal - 2``. 2 <= ``fast`` < ``slow``.
    Source: G. Appel, The Moving Average Convergence-Divergence Method (1979).
    """
    if not _has_values(close):
        return Macd(_undefined(close), _undefined(close), _undefined(close))
    return Macd(*talib.MACD(_doubles(close), fastperiod=fast, slowperiod=slow, signalperiod=signal))


@shared
def bollinger(close: FloatArray, period: int = 20, width: float = 2.0) -> Bands:
    """Simple average and ``width`` population standard deviations either side, in price.

    First value at index ``period - 1``. ``period`` >= 2.
    Source: J. Bollinger, Bollinger on Bollinger Bands (2001), chapter 7.
    """
    if not _has_values(close):
        return Bands(_undefined(close), _undefined(close), _undefined(close))
    origin, scale = _first(close), _scale(close)
    bands = talib.BBANDS(
        (_doubles(close) - origin) * scale, timeperiod=period, nbdevup=width, nbdevdn=width
    )
    for band in bands:
        np.divide(band, scale, out=band)
        np.add(band, origin, out=band)
    return Bands(*bands)


@shared
def atr(candles: Candles, period: int = 14) -> FloatArray:
    """Average true range with Wilder's smoothing, in price. First value at index ``period``.

    Source: J. W. Wilder, New Concepts in Technical Trading Systems (1978), section III.
    """
    if not len(candles):
        return _undefined(candles.close)
    return talib.ATR(candles.high, candles.low, candles.close, timeperiod=period)


@shared
def atr_percent(candles: Candles, period: int = 14) -> FloatArray:
    """Average true range in percent of the close. First value at index ``period``."""
    close = candles.close
    percent = np.full(len(close), np.nan)
    np.divide(100.0 * atr(candles, period), close, out=percent, where=close > 0)
    return percent


@shared
def directional(candles: Candles, period: int = 14) -> Directional:
    """ADX with +DI and -DI. ADX from index ``2 * period - 1``, the others from ``period``.

    Source: J. W. Wilder, New Concepts in Technical Trading Systems (1978), section IV.
    """
    if not len(candles):
        none = _undefined(candles.close)
        return Directional(none, none, none)
    scale = _scale(candles.close)
    bars = candles.high * scale, candles.low * scale, candles.close * scale
    return Directional(
        talib.ADX(*bars, timeperiod=period),
        talib.PLUS_DI(*bars, timeperiod=period),
        talib.MINUS_DI(*bars, timeperiod=period),
    )


def above(left: FloatArray, right: FloatArray | float) -> BoolArray:
    """Where ``left`` exceeds ``right`` by more than rounding; never where either is NaN."""
    over = np.empty(len(left), dtype=np.bool_)
    _compare(left, right, over=over)
    return over


def below(left: FloatArray, right: FloatArray | float) -> BoolArray:
    """Where ``left`` is under ``right`` by more than rounding; never where either is NaN."""
    under = np.empty(len(left), dtype=np.bool_)
    _compare(left, right, under=under)
    return under


def crosses_above(left: FloatArray, right: FloatArray | float) -> BoolArray:
    """Where ``left`` is above ``right`` and was not on the candle before.

    Both must have values on both candles: the first value after a warm-up is no crossing.
    """
    return _begins(above(left, right), left, right)


def crosses_below(left: FloatArray, right: FloatArray | float) -> BoolArray:
    """Where ``left`` is below ``right`` and was not on the candle before; see above."""
    return _begins(below(left, right), left, right)


def crossings(left: FloatArray, right: FloatArray | float) -> tuple[BoolArray, BoolArray]:
    """``crosses_above`` and ``crosses_below``, for little more than the cost of one."""
    over, under = np.empty((2, len(left)), dtype=np.bool_)
    _compare(left, right, over=over, under=under)
    return _begins(over, left, right), _begins(under, left, right)


def begins(condition: BoolArray) -> BoolArray:
    """Where a condition holds and did not on the candle before; never on the first candle."""
    start = np.zeros(len(condition), dtype=np.bool_)
    start[1:] = condition[1:] & ~condition[:-1]
    return start


def _begins(condition: BoolArray, left: FloatArray, right: FloatArray | float) -> BoolArray:
    start = begins(condition)
    # Few candles begin anything: only there it matters whether the one before was known.
    found = np.flatnonzero(start)
    is_unknown = np.isnan(left[found - 1]) | np.isnan(_part(right, found - 1))
    start[found[is_unknown]] = False
    return start


def _compare(
    left: FloatArray,
    right: FloatArray | float,
    *,
    over: BoolArray | None = None,
    under: BoolArray | None = None,
) -> None:
    """Fill in where ``left - right`` is more than TIE * max(|left|, |right|), and where it is less
    than minus that, a block at a time."""
    count = len(left)
    scratch = np.empty((3, min(count, BLOCK)))
    for start in range(0, count, BLOCK):
        window = slice(start, start + BLOCK)
        gap, size, other = scratch[:, : min(BLOCK, count - start)]
        ours, theirs = left[window], _part(right, window)
        np.subtract(ours, theirs, out=gap)
        np.abs(ours, out=size)
        np.abs(theirs, out=other)
        np.maximum(size, other, out=size)
        np.multiply(size, TIE, out=size)
        if over is not None:
            np.greater(gap, size, out=over[window])
        if under is not None:
            np.less(gap, np.negative(size, out=size), out=under[window])


def _part(values: FloatArray | float, where: "slice | np.ndarray[tuple[int], np.dtype[np.intp]]"
          ) -> FloatArray | float:  # fmt: skip
    return values[where] if isinstance(values, np.ndarray) else values


def _doubles(values: FloatArray) -> FloatArray:
    return np.ascontiguousarray(values, dtype=np.float64)


def _has_values(values: FloatArray) -> bool:
    if not len(values):
        return False
    return not bool(np.isnan(values[-1])) or not bool(np.isnan(values).all())


def _undefined(values: FloatArray) -> FloatArray:
    return np.full(len(values), np.nan)


def _first(values: FloatArray) -> float:
    return float(values[int(np.argmin(np.isnan(values)))])


def _scale(values: FloatArray) -> float:
    """The power of two that brings the first value to about 2**WORKING_EXPONENT."""
    _mantissa, exponent = np.frexp(_first(values))
    return float(np.ldexp(1.0, WORKING_EXPONENT - int(exponent)))


def _last_change(values: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Index of the newest value that differs from the one before it; 0 before any."""
    moves = np.zeros(len(values), dtype=np.intp)
    changed = np.flatnonzero(values[1:] != values[:-1]) + 1
    moves[changed] = changed
    return np.maximum.accumulate(moves)
