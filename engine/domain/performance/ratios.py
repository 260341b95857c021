"""Figures of returns: pure functions of an array of fractions, each with the source of its formula.

A figure that is not defined (nothing to divide by, too few values) is None: never NaN, never
infinite, and no warning. Risk-free rate and minimal acceptable return are 0.
"""

import math

import numpy as np

from engine.domain.candles import BoolArray, FloatArray

TAIL = 0.05
_SMALLEST = 1e-12
"""Deviations under this are rounding: the values are all the same."""


def divided(above: float, below: float) -> float | None:
    """``above / below``; None without a ``below``, or where the result is no number."""
    if abs(below) < _SMALLEST:
        return None
    ratio = above / below
    return ratio if math.isfinite(ratio) else None


def mean(values: FloatArray) -> float | None:
    """Arithmetic mean; None of nothing."""
    return float(np.mean(values)) if len(values) else None


def deviation(values: FloatArray) -> float | None:
    """Sample standard deviation (n - 1); None of fewer than two."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def volatility(returns: FloatArray, periods: float) -> float | None:
    """Standard deviation of returns, scaled to a year by the root of its periods."""
    spread = deviation(returns)
    return None if spread is None else spread * math.sqrt(periods)


def sharpe(returns: FloatArray, periods: float) -> float | None:
    """Mean over standard deviation, a year. Sharpe (1994), The Sharpe Ratio, J. of Portfolio
    Management 21(1)."""
    spread = deviation(returns)
    if spread is None:
        return None
    ratio = divided(float(np.mean(returns)), spread)
    return None if ratio is None else ratio * math.sqrt(periods)


def sortino(returns: FloatArray, periods: float) -> float | None:
    """Mean over downside deviation (root of the mean squared loss over all periods), a year.
    Sortino and Price (1994), J. of Investing 3(3)."""
    if len(returns) < 2:
        return None
    downside = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)))
    ratio = divided(float(np.mean(returns)), downside)
    return None if ratio is None else ratio * math.sqrt(periods)


def omega(returns: FloatArray) -> float | None:
    """Sum of gains over sum of losses. Keating and Shadwick (2002), threshold 0."""
    gains = float(np.sum(returns[returns > 0]))
    return divided(gains, -float(np.sum(returns[returns < 0])))


def tail_ratio(returns: FloatArray) -> float | None:
    """The 95th percentile over the 5th, both without their sign."""
    if not len(returns):
        return None
    low, high = np.percentile(returns, (100 * TAIL, 100 - 100 * TAIL))
    return divided(abs(float(high)), abs(float(low)))


def value_at_risk(returns: FloatArray) -> float | None:
    """The return that 5 % of periods fall below (historical); a loss is negative."""
    return float(np.percentile(returns, 100 * TAIL)) if len(returns) else None


def expected_shortfall(returns: FloatArray) -> float | None:
    """Mean of the worst 5 % of periods, at least of one. Rockafellar and Uryasev (2000)."""
    if not len(returns):
        return None
    worst = int((len(returns) - 1) * TAIL)
    return float(np.mean(np.partition(returns, worst)[: worst + 1]))


def skewness(returns: FloatArray) -> float | None:
    """Third standardised moment (population); 0 of a symmetrical distribution."""
    return _standardised(returns, 3)


def excess_kurtosis(returns: FloatArray) -> float | None:
    """Fourth standardised moment less 3 (population); 0 of a normal distribution."""
    moment = _standardised(returns, 4)
    return None if moment is None else moment - 3


def _standardised(values: FloatArray, power: int) -> float | None:
    if len(values) < 2:
        return None
    away = values - np.mean(values)
    spread = math.sqrt(float(np.mean(away**2)))
    return float(np.mean((away / spread) ** power)) if spread > _SMALLEST else None


def ulcer_index(depths: FloatArray) -> float:
    """Root of the mean squared drawdown, as a fraction. Martin and McCann (1989)."""
    return math.sqrt(float(np.mean(depths**2))) if len(depths) else 0.0


def longest_run(mask: BoolArray) -> int:
    """How many true values follow one another at most."""
    edges = np.diff(np.concatenate(([False], mask, [False])).astype(np.int8))
    lengths = np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)
    return int(lengths.max()) if len(lengths) else 0
