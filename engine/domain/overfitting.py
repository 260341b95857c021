"""How much of a result is luck, when the best of many tries was kept.

SR below is a Sharpe ratio a period (not scaled to a year), kurtosis is 3 for a normal distribution.
"""

import math
from dataclasses import dataclass
from itertools import combinations, islice
from statistics import NormalDist

import numpy as np

from engine.domain.candles import FloatArray, IntArray

BLOCKS = 16
_NORMAL = NormalDist()
_EULER = 0.5772156649015329
_CELLS_A_CHUNK = 2_000_000
_SMALLEST = 1e-12


def probabilistic_sharpe(
    sharpe: float, count: int, *, skew: float = 0.0, kurtosis: float = 3.0, benchmark: float = 0.0
) -> float | None:
    """The chance, in [0, 1], that the true SR is above ``benchmark``.

    ``count`` returns gave ``sharpe``, ``skew`` and ``kurtosis``. None for fewer than two, or where
    the moments contradict each other. Bailey and Lopez de Prado (2012), The Sharpe Ratio Efficient
    Frontier, J. of Risk 15(2), eq. 11.
    """
    variance = 1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2
    if count < 2 or variance <= 0:
        return None
    return _NORMAL.cdf((sharpe - benchmark) * math.sqrt((count - 1) / variance))


def expected_max_sharpe(trials: int, deviation: float) -> float:
    """The SR that the best of ``trials`` worthless strategies shows, on average.

    ``deviation`` is the standard deviation of SR over the trials; 0 for a single trial. Bailey and
    Lopez de Prado (2014), The Deflated Sharpe Ratio, J. of Portfolio Management 40(5), eq. 7.
    Raises ValueError for fewer than one trial.
    """
    if trials < 1:
        raise ValueError(f"the number of trials must be at least 1, not {trials}")
    if trials == 1:
        return 0.0
    usual = _NORMAL.inv_cdf(1 - 1 / trials)
    rare = _NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return deviation * ((1 - _EULER) * usual + _EULER * rare)


def deflated_sharpe(
    sharpe: float,
    count: int,
    *,
    trials: int,
    deviation: float,
    skew: float = 0.0,
    kurtosis: float = 3.0,
) -> float | None:
    """The chance that the true SR is above 0 although it is the best of ``trials``.

    Arguments as above. The same paper, eq. 9: the probabilistic Sharpe ratio against the expected
    maximum.
    """
    luck = expected_max_sharpe(trials, deviation)
    return probabilistic_sharpe(sharpe, count, skew=skew, kurtosis=kurtosis, benchmark=luck)


def minimum_backtest_years(trials: int, sharpe_a_year: float = 1.0) -> float:
    """The years of history below which the best of ``trials`` worthless strategies is expected to
    show ``sharpe_a_year`` (above 0) or more.

    Bailey, Borwein, Lopez de Prado and Zhu (2014), Pseudo-Mathematics and Financial Charlatanism,
    Notices of the AMS 61(5), theorem 2. Raises ValueError.
    """
    if sharpe_a_year <= 0:
        raise ValueError("the Sharpe ratio to be shown must be above 0")
    return (expected_max_sharpe(trials, 1.0) / sharpe_a_year) ** 2


@dataclass(frozen=True, slots=True)
class Overfitting:
    """What combinatorially symmetric cross-validation found; arrays have one value a split.

    ``probability`` (PBO) is the share of splits in which the strategy that was best in sample fell
    to the lower half out of sample. ``logits`` are those of its relative rank there. ``in_sample``
    and ``out_of_sample`` are its SR; ``slope`` and ``intercept`` fit the second to the first (a
    slope below 0: the better it looked, the worse it did). ``loss_probability`` is the share of
    splits in which it lost out of sample.
    """

    probability: float
    logits: FloatArray
    chosen: IntArray
    in_sample: FloatArray
    out_of_sample: FloatArray
    slope: float
    intercept: float
    loss_probability: float


def overfitting_probability(returns: FloatArray, *, blocks: int = BLOCKS) -> Overfitting:
    """PBO by CSCV of a matrix of returns: one row a period (T), one column a strategy (N).

    The rows are cut into ``blocks`` parts (even; the oldest rows that do not fill one are left
    out); every half of the parts is once the sample in which the best SR is chosen. Bailey,
    Borwein, Lopez de Prado and Zhu (2017), The Probability of Backtest Overfitting, J. of
    Computational Finance 20(4). Raises ValueError for fewer than two strategies, two rows a part,
    or returns that are no numbers.
    """
    parts_of = _Blocks.cut(returns, blocks)
    splits = combinations(range(blocks), blocks // 2)
    rows = max(1, _CELLS_A_CHUNK // returns.shape[1])
    parts = []
    while chunk := list(islice(splits, rows)):
        is_in = np.zeros((len(chunk), blocks))
        np.put_along_axis(is_in, np.array(chunk), 1.0, axis=1)
        parts.append(_judged(parts_of.sharpes(is_in), parts_of.sharpes(1 - is_in)))
    logits, chosen, best_in, best_out = (np.concatenate(part) for part in zip(*parts, strict=True))
    slope, intercept = _line(best_in, best_out)
    return Overfitting(
        probability=float(np.mean(logits <= 0)),
        logits=logits,
        chosen=chosen,
        in_sample=best_in,
        out_of_sample=best_out,
        slope=slope,
        intercept=intercept,
        loss_probability=float(np.mean(best_out < 0)),
    )


@dataclass(frozen=True, slots=True)
class _Blocks:
    """Sums of returns and of their squares by block (S x N), of returns less their mean: squares of
    small numbers then keep their digits."""

    sums: FloatArray
    squares: FloatArray
    means: FloatArray
    rows: int

    @classmethod
    def cut(cls, returns: FloatArray, blocks: int) -> "_Blocks":
        """Raises ValueError as ``overfitting_probability`` says."""
        if returns.ndim != 2 or returns.shape[1] < 2:
            raise ValueError("overfitting is measured over two strategies or more")
        if blocks < 2 or blocks % 2:
            raise ValueError(f"the number of blocks must be even, not {blocks}")
        if len(returns) < 2 * blocks:
            raise ValueError(
                f"{blocks} blocks need {2 * blocks} returns or more, not {len(returns)}"
            )
        if not np.isfinite(returns).all():
            raise ValueError("every return must be a number")
        rows = len(returns) // blocks
        kept = returns[len(returns) - rows * blocks :]
        means = kept.mean(axis=0)
        cube = (kept - means).reshape(blocks, rows, -1)
        return cls(cube.sum(axis=1), (cube**2).sum(axis=1), means, rows)

    def sharpes(self, is_in: FloatArray) -> FloatArray:
        """SR of every strategy (columns) in the blocks of every split (rows of 0 and 1); 0 for a
        strategy whose returns do not vary."""
        count = self.rows * len(self.sums) // 2
        mean = is_in @ self.sums / count
        variance = (is_in @ self.squares / count - mean**2) * count / (count - 1)
        spread = np.sqrt(np.maximum(variance, 0.0))
        return np.divide(
            mean + self.means, spread, out=np.zeros_like(mean), where=spread > _SMALLEST
        )


def _judged(
    inside: FloatArray, outside: FloatArray
) -> tuple[FloatArray, IntArray, FloatArray, FloatArray]:
    """Logit of the chosen one's rank out of sample, which it was, and both of its SR."""
    split = np.arange(len(inside))
    chosen = np.argmax(inside, axis=1)
    best = outside[split, chosen]
    below = np.sum(outside < best[:, None], axis=1)
    same = np.sum(outside == best[:, None], axis=1)
    rank = below + (same + 1) / 2  # of equal ones the middle
    relative = rank / (outside.shape[1] + 1)
    return np.log(relative / (1 - relative)), chosen, inside[split, chosen], best


def _line(across: FloatArray, up: FloatArray) -> tuple[float, float]:
    """Slope and intercept by least squares; a level line where ``across`` does not vary."""
    away = across - across.mean()
    spread = float(away @ away)
    slope = float(away @ up) / spread if spread > _SMALLEST else 0.0
    return slope, float(up.mean()) - slope * float(across.mean())
