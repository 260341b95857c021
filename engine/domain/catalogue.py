"""What rules can be made of: prices and indicators, each a row of a table.

A new indicator is a new row: the rule builder's form, its checks, its sentences, the warm-up and
the evaluation all follow from it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from engine.domain.candles import Candles, FloatArray
from engine.domain.channels import (
    deviation_score,
    donchian,
    highest,
    lowest,
    roc,
    stochastic,
    supertrend,
    supertrend_history,
)
from engine.domain.indicators import atr, atr_percent, bollinger, directional, ema, macd, rsi, sma
from engine.domain.strategy import HISTORY_FACTOR

Numbers = tuple[float, ...]
Series = tuple[FloatArray, ...]
NUMBER = "number"
MOST_PERIOD = 1000


@dataclass(frozen=True, slots=True)
class Slot:
    """A number that a source takes, with its bounds."""

    name: str
    title: str
    default: float
    least: float
    most: float
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """One row: where the values of an operand come from.

    ``compute`` takes candles and the slots' numbers in their order, and gives an array for each of
    ``outputs``. ``warmup`` tells, of the numbers, how many candles the first value needs, and
    ``memory`` how many a value depends on at most. ``objection`` says what is wrong with numbers
    that are within their bounds one by one, or nothing.
    """

    id: str
    title: str
    short: str
    compute: Callable[..., Series]
    slots: tuple[Slot, ...] = ()
    outputs: tuple[str, ...] = ("value",)
    warmup: Callable[..., int] = lambda *_numbers: 1
    memory: Callable[..., int] = lambda *_numbers: 1
    objection: Callable[..., str] = lambda *_numbers: ""
    is_overlay: bool = True
    help: str = ""


def _period(default: int, least: int = 2, most: int = MOST_PERIOD) -> Slot:
    return Slot("period", "Period", default, least, most, is_whole=True)


def _length(name: str, title: str, default: int, least: int, most: int) -> Slot:
    return Slot(name, title, default, least, most, is_whole=True)


def _price(name: str) -> Source:
    return Source(name, name.capitalize(), name, lambda candles: (getattr(candles, name),),
                  is_overlay=name != "volume")  # fmt: skip


def _plain(count: int) -> int:
    """The warm-up and the memory of what looks at ``count`` candles."""
    return count


def _forgetting(count: int) -> int:
    """The memory of a recursive indicator whose warm-up is ``count``."""
    return HISTORY_FACTOR * count


def _macd_order(fast: int, slow: int, _signal: int) -> str:
    return "" if fast < slow else "the fast average must be shorter than the slow one"


def _score(candles: Candles, period: int) -> Series:
    upper, middle, _ = bollinger(candles.close, period, 1.0)
    return (deviation_score(candles.close, middle, upper - middle),)


BANDS = ("upper", "middle", "lower")

_ROWS = (
    *(_price(name) for name in ("close", "open", "high", "low", "volume")),
    Source(
        NUMBER, "Number", "", lambda candles, value: (np.full(len(candles), value),),
        (Slot("value", "Number", 0.0, -1e12, 1e12),),
    ),
    Source(
        "sma", "SMA, simple average", "SMA", lambda c, period: (sma(c.close, period),),
        (_period(50, 1),), warmup=_plain, memory=_plain,
    ),
    Source(
        "ema", "EMA, exponential average", "EMA", lambda c, period: (ema(c.close, period),),
        (_period(20, 1),), warmup=_plain, memory=_forgetting,
    ),
    Source(
        "rsi", "RSI, relative strength", "RSI", lambda c, period: (rsi(c.close, period),),
        (_period(14),), warmup=lambda period: period + 1,
        memory=lambda period: _forgetting(period + 1), is_overlay=False, help="0 to 100",
    ),
    Source(
        "macd", "MACD", "MACD", lambda c, *lengths: macd(c.close, *lengths),
        (_length("fast", "Fast average", 12, 2, 400), _length("slow", "Slow average", 26, 3, 500),
         _length("signal", "Signal line", 9, 2, 200)),
        outputs=("line", "signal", "histogram"),
        warmup=lambda _fast, slow, signal: slow + signal - 1,
        memory=lambda _fast, slow, signal: _forgetting(slow + signal - 1),
        objection=_macd_order, is_overlay=False,
    ),
    Source(
        "bollinger", "Bollinger bands", "Bollinger",
        lambda c, period, width: bollinger(c.close, period, width),
        (_period(20), Slot("width", "Standard deviations", 2.0, 0.1, 10.0)), outputs=BANDS,
        warmup=lambda period, _width: period, memory=lambda period, _width: period,
    ),
    Source(
        "score", "Score, distance from the average", "Score", _score, (_period(20),),
        warmup=_plain, memory=_plain, is_overlay=False, help="in standard deviations",
    ),
    Source(
        "atr", "ATR, average true range", "ATR", lambda c, period: (atr(c, period),),
        (_period(14),), warmup=lambda period: period + 1,
        memory=lambda period: _forgetting(period + 1), is_overlay=False, help="in price",
    ),
    Source(
        "atr_percent", "Volatility, ATR in percent", "Volatility %",
        lambda c, period: (atr_percent(c, period),), (_period(14),),
        warmup=lambda period: period + 1, memory=lambda period: _forgetting(period + 1),
        is_overlay=False, help="in percent of the close",
    ),
    Source(
        "adx", "ADX, directional movement", "ADX", directional, (_period(14, 2, 500),),
        outputs=("adx", "plus", "minus"), warmup=lambda period: 2 * period,
        memory=lambda period: _forgetting(2 * period), is_overlay=False, help="0 to 100",
    ),
    Source(
        "donchian", "Donchian channel", "Donchian", donchian, (_period(20),), outputs=BANDS,
        warmup=_plain, memory=_plain,
        help="with the present candle: for a breakout compare with the channel 1 candle ago",
    ),
    Source(
        "supertrend", "Supertrend", "Supertrend", supertrend,
        (_period(10, 2, 200), Slot("factor", "Factor", 3.0, 0.5, 20.0)),
        outputs=("line", "direction"), warmup=lambda period, _factor: period + 1,
        memory=lambda period, _factor: supertrend_history(period),
        help="its direction is 1 while the trend is up, -1 while it is down",
    ),
    Source(
        "roc", "ROC, rate of change", "ROC", lambda c, period: (roc(c.close, period),),
        (_period(10, 1),), warmup=lambda period: period + 1, memory=lambda period: period + 1,
        is_overlay=False, help="in percent",
    ),
    Source(
        "stochastic", "Stochastic", "Stochastic", stochastic,
        (_period(14), _length("smoothing", "Smoothing of %K", 3, 1, 100),
         _length("signal", "Average %D", 3, 1, 100)),
        outputs=("k", "d"), warmup=lambda *lengths: sum(lengths) - 2,
        memory=lambda *lengths: sum(lengths) - 2, is_overlay=False, help="0 to 100",
    ),
    Source(
        "volume_average", "Average volume", "Average volume",
        lambda c, period: (sma(c.volume, period),), (_period(20, 1),), warmup=_plain,
        memory=_plain, is_overlay=False,
    ),
    Source(
        "highest", "Highest high", "Highest", lambda c, period: (highest(c.high, period),),
        (_period(20, 1),), warmup=_plain, memory=_plain,
        help="with the present candle: for a breakout compare with the one 1 candle ago",
    ),
    Source(
        "lowest", "Lowest low", "Lowest", lambda c, period: (lowest(c.low, period),),
        (_period(20, 1),), warmup=_plain, memory=_plain,
        help="with the present candle: for a breakout compare with the one 1 candle ago",
    ),
)  # fmt: skip

SOURCES: Mapping[str, Source] = {row.id: row for row in _ROWS}
"""Every source by its id, in the order of the form."""
