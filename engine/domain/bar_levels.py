"""Rounding, fill prices and levels in compiled float64: ``domain/exits.py`` and ``matching.py`` for
the backtester's loop."""

import math

import numpy as np
from numba import njit

from engine.domain.bar_state import (
    BEST,
    BUY_FACTOR,
    DIGITS,
    ENTRY_QUANTITY,
    ENTRY_VALUE,
    GRID,
    NO_EXIT,
    OPENED_MS,
    QUIET_ABOVE,
    QUIET_BELOW,
    QUIET_UNTIL,
    ROI,
    ROUNDING,
    SELL_FACTOR,
    SIDE,
    STOP_LOSS,
    STOP_PRICE,
    TAKE_PROFIT,
    TARGET_PRICE,
    TICK,
    TIME_LIMIT,
    TIME_LIMIT_MS,
    TRAIL,
    TRAILING_STOP,
)  # fmt: skip
from engine.domain.candles import FloatArray, IntArray


@njit(cache=True)
def ceil_to(value: float, step: float) -> float:
    if step <= 0.0:
        return value
    return _on_grid(math.ceil(value / step * (1.0 - ROUNDING) - GRID), step)


@njit(cache=True)
def floor_to(value: float, step: float) -> float:
    if step <= 0.0:
        return value
    return _on_grid(math.floor(value / step * (1.0 + ROUNDING) + GRID), step)


@njit(cache=True)
def _on_grid(count: float, step: float) -> float:
    """``count`` steps, as the very float that its decimal reads as: 115 / 100, not 115 * 0.01."""
    inverse = np.rint(1.0 / step)
    if abs(inverse * step - 1.0) < GRID:
        return float(count / inverse)
    return count * step


@njit(cache=True)
def as_decimal(price: float) -> float:
    """``price`` without the error of a few operations: 110 for 100 * 1.1, which is a little more in
    float64, so that a bar whose high is 110 touches it."""
    scale = 10.0 ** (DIGITS - 1 - math.floor(math.log10(price))) if price > 0.0 else 0.0
    return float(np.rint(price * scale) / scale) if 1.0 <= scale < np.inf else price


@njit(cache=True)
def level(side: float, price: float, fraction: float, tick: float) -> float:
    """``fraction`` in the position's favour (negative: against it), rounded as ``exits`` does."""
    exact = price * (1.0 + fraction * side)
    if tick <= 0.0:
        return as_decimal(exact)
    return ceil_to(exact, tick) if side > 0.0 else floor_to(exact, tick)


@njit(cache=True)
def fill_price(is_buy: bool, price: float, p: FloatArray) -> float:
    if is_buy:
        return ceil_to(price * p[BUY_FACTOR], p[TICK])
    return float(max(floor_to(price * p[SELL_FACTOR], p[TICK]), p[TICK]))


@njit(cache=True)
def _stop(s: FloatArray, p: FloatArray) -> tuple[float, int]:
    """The nearer of the fixed and the trailing stop, NaN without either."""
    stop, reason = s[STOP_PRICE], STOP_LOSS
    if p[TRAIL] > 0.0:
        trailing = level(s[SIDE], s[BEST], -p[TRAIL], p[TICK])
        if np.isnan(stop) or (trailing - stop) * s[SIDE] > 0.0:
            stop, reason = trailing, TRAILING_STOP
    return stop, reason


@njit(cache=True)
def _target(
    s: FloatArray, now_ms: int, p: FloatArray, roi_ms: IntArray, roi_profit: FloatArray
) -> tuple[float, int]:
    """The nearer of the fixed target and the ROI step in force, NaN without either."""
    target, reason = s[TARGET_PRICE], TAKE_PROFIT
    for k in range(len(roi_ms) - 1, -1, -1):
        if roi_ms[k] <= now_ms - s[OPENED_MS]:
            roi = level(s[SIDE], s[ENTRY_VALUE] / s[ENTRY_QUANTITY], roi_profit[k], p[TICK])
            if np.isnan(target) or (target - roi) * s[SIDE] > 0.0:
                target, reason = roi, ROI
            break
    return target, reason


@njit(cache=True)
def find_exit(
    s: FloatArray,
    opened: float,
    high: float,
    low: float,
    open_ms: int,
    p: FloatArray,
    roi_ms: IntArray,
    roi_profit: FloatArray,
) -> tuple[int, float]:
    """``domain.exits.find_exit`` in float64: the reason, or NO_EXIT, and the level's price."""
    side = s[SIDE]
    stop, stop_reason = _stop(s, p)
    target, target_reason = _target(s, open_ms, p, roi_ms, roi_profit)
    # A comparison with NaN is false: a level that is not set is never reached.
    if (opened - stop) * side <= 0.0:
        return stop_reason, opened
    if (opened - target) * side >= 0.0:
        return target_reason, opened
    if p[TIME_LIMIT_MS] > 0.0 and open_ms - s[OPENED_MS] >= p[TIME_LIMIT_MS]:
        return TIME_LIMIT, opened
    worst, best = (low, high) if side > 0.0 else (high, low)
    if (worst - stop) * side <= 0.0:
        return stop_reason, stop
    if (best - target) * side >= 0.0:
        return target_reason, target
    return NO_EXIT, 0.0


@njit(cache=True)
def set_quiet(
    s: FloatArray, now_ms: int, p: FloatArray, roi_ms: IntArray, roi_profit: FloatArray
) -> None:
    """Between which prices, and until when, nothing happens to a position: bars in there need no
    look at its levels. A trailing stop moves with every better price."""
    side = s[SIDE]
    stop, _ = _stop(s, p)
    target, _ = _target(s, now_ms, p, roi_ms, roi_profit)
    best, worst = (np.inf if np.isnan(target) else target * side), -np.inf
    if not np.isnan(stop):
        worst = stop * side
    if p[TRAIL] > 0.0:
        best = min(best, s[BEST] * side)
    s[QUIET_BELOW], s[QUIET_ABOVE] = (best, worst) if side > 0.0 else (-worst, -best)
    s[QUIET_UNTIL] = s[OPENED_MS] + p[TIME_LIMIT_MS] if p[TIME_LIMIT_MS] > 0.0 else np.inf
    for k in range(len(roi_ms)):
        if s[OPENED_MS] + roi_ms[k] > now_ms:
            s[QUIET_UNTIL] = min(s[QUIET_UNTIL], s[OPENED_MS] + roi_ms[k])
