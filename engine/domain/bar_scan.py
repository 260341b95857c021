"""Compiled searches for the next bar on which anything may happen to a position."""

from numba import njit

from engine.domain.bar_state import FlagArray
from engine.domain.candles import FloatArray, IntArray

MARGIN = 1e-9
"""Relative: a level this near counts as reached, for whoever then looks at the bar exactly."""


@njit(cache=True)
def next_look(
    start: int,
    time: IntArray,
    high: FloatArray,
    low: FloatArray,
    flags: FlagArray,
    mask: int,
    above: float,
    below: float,
    until_ms: float,
) -> int:
    """The first bar from ``start`` on with a flag of ``mask``, a price that is not strictly
    between ``above`` and ``below``, or a time from ``until_ms`` on; their number without one."""
    for place in range(start, len(time)):
        is_quiet = low[place] > above and high[place] < below and time[place] < until_ms
        if flags[place] & mask or not is_quiet:
            return place
    return len(time)


@njit(cache=True)
def next_trailing_look(
    start: int,
    time: IntArray,
    high: FloatArray,
    low: FloatArray,
    flags: FlagArray,
    mask: int,
    above: float,
    below: float,
    until_ms: float,
    best: float,
    trail: float,
    tick: float,
) -> tuple[int, float]:
    """The same with a stop that trails the best price by the fraction ``trail``, negative for a
    short; and the best price before the bar that was found."""
    for place in range(start, len(time)):
        stop = best * (1.0 - trail) * (1.0 + MARGIN) + tick
        if trail < 0.0:
            stop = best * (1.0 - trail) * (1.0 - MARGIN) - tick
        is_quiet = low[place] > above and high[place] < below and time[place] < until_ms
        is_near = low[place] <= stop if trail > 0.0 else high[place] >= stop
        if flags[place] & mask or is_near or not is_quiet:
            return place, best
        best = max(best, high[place]) if trail > 0.0 else min(best, low[place])
    return len(time), best
