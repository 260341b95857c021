"""How two series are compared by a rule: each comparison a row of a table.

A comparison is never true where a value that it needs is unknown.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from engine.domain.candles import BoolArray, FloatArray
from engine.domain.indicators import above, below, crosses_above, crosses_below

MOST_STEPS = 100.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """One row. ``needs`` names what a condition must give beside its left side: ``right``,
    ``upper`` or ``count``; ``holds`` takes the left series and those, in that order. ``words`` and
    ``denial`` say that it does and that it does not hold, ``look_back`` how many candles before the
    newest one it looks at, of the count.
    """

    id: str
    title: str
    words: str
    denial: str
    needs: tuple[str, ...]
    holds: Callable[..., BoolArray]
    look_back: Callable[[int], int] = lambda _count: 0


def _between(values: FloatArray, low: FloatArray, high: FloatArray) -> BoolArray:
    is_known = ~np.isnan(values) & ~np.isnan(low) & ~np.isnan(high)
    return is_known & ~below(values, low) & ~above(values, high)


def _rising(values: FloatArray, count: int) -> BoolArray:
    return _in_a_row(above(values[1:], values[:-1]), count, len(values))


def _falling(values: FloatArray, count: int) -> BoolArray:
    return _in_a_row(below(values[1:], values[:-1]), count, len(values))


def _in_a_row(steps: BoolArray, count: int, length: int) -> BoolArray:
    """Where the newest ``count`` steps are all true; ``steps`` begins at the second candle."""
    result = np.zeros(length, dtype=np.bool_)
    if length > count:
        sums = np.cumsum(np.r_[0, steps])
        result[count:] = sums[count:] - sums[:-count] == count
    return result


_ROWS = (
    Comparison("above", "is above", ">", "is not >", ("right",), above),
    Comparison("below", "is below", "<", "is not <", ("right",), below),
    Comparison(
        "crosses_above", "crosses above", "crosses above", "does not cross above", ("right",),
        crosses_above, lambda _count: 1,
    ),
    Comparison(
        "crosses_below", "crosses below", "crosses below", "does not cross below", ("right",),
        crosses_below, lambda _count: 1,
    ),
    Comparison(
        "between", "is between", "is between", "is not between", ("right", "upper"), _between
    ),
    Comparison(
        "rising", "has risen for", "has risen for", "has not risen for", ("count",), _rising,
        lambda count: count,
    ),
    Comparison(
        "falling", "has fallen for", "has fallen for", "has not fallen for", ("count",), _falling,
        lambda count: count,
    ),
)  # fmt: skip

COMPARISONS: Mapping[str, Comparison] = {row.id: row for row in _ROWS}
"""Every comparison by its id, in the order of the form."""
