"""The compiled loop of the backtester, in float64: one pass over the bars of one or more symbols.

The order of things within a bar is that of a replay in the engine (``services/run_cycle.py``):

1. what is held is judged by the bar's prices (``domain/exits.py``): gaps through a level fill at
   the open, a bar that touches both levels takes the stop, a trailing stop hangs from the best
   price before the bar;
2. what an earlier order still lacks, for want of volume, fills at the next bar's open;
3. the closed candle is decided, and what follows fills at the next bar's open. Exits of all
   symbols come first, so that their cash is there for the entries.

``domain/exact_backtest.py`` books the same bars in Decimal; a property test holds the two against
each other, and a parity test that one against the engine.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from engine.domain.backtests import EXIT_REASONS
from engine.domain.candles import FloatArray, IntArray

FlagArray = NDArray[np.uint8]

WANT_LONG, WANT_SHORT, EXIT_LONG, EXIT_SHORT = 1, 2, 4, 8
"""Bits of a bar's flags: what the candle that closes with it makes of a position."""

SIGNAL, STOP_LOSS, TAKE_PROFIT, TRAILING_STOP, TIME_LIMIT, ROI = range(len(EXIT_REASONS))
NO_EXIT = -1

REFUSALS = ("no cash left", "below the minimum")
NO_CASH, MINIMUM = range(len(REFUSALS))

# Parameters of the loop, by their place in one float64 array.
(
    CASH, AMOUNT, SLOTS, MAX_ENTRIES, REINVEST, FEE, BUY_FACTOR, SELL_FACTOR, TICK, STEP,
    MIN_QUANTITY, MIN_NOTIONAL, VOLUME_CAP, STOP, TARGET, TRAIL, TIME_LIMIT_MS, LAG_MS,
) = range(18)  # fmt: skip
PARAMETER_COUNT = 18

# Columns of the trades that come out.
INT_COLUMNS = (
    "symbol", "side", "entry_index", "exit_index", "entry_ms", "exit_ms", "entry_count", "reason",
)  # fmt: skip
FLOAT_COLUMNS = ("entry_price", "exit_price", "quantity", "entry_value", "fees", "pnl")

# The state of a symbol: what is held, and what of its orders is not filled yet. An entry that waits
# for the exit before it has a side and the moment of its decision.
(
    SIDE, QUANTITY, ENTRY_QUANTITY, ENTRY_VALUE, EXIT_VALUE, FEES, BEST, STOP_PRICE, TARGET_PRICE,
    OPENED_MS, ENTRY_INDEX, ENTRIES, EXITING, ENTRY_SIDE, ENTRY_LEFT, ENTRY_FUNDS, IS_NEW,
    WAITING_SIDE, DECIDED_MS, LAST_CLOSE, QUIET_ABOVE, QUIET_BELOW, QUIET_UNTIL,
) = range(23)  # fmt: skip
STATE_COUNT = 23

BOUND, FEES_PAID, REALISED = range(3)  # of the account: entered value and fees of what is open
GRID, ROUNDING = 1e-9, 1e-15
"""How near to a step counts as on it, in steps and relative: the error of a few operations."""


class Bars(NamedTuple):
    """The bars of all symbols, one symbol after the other: those of symbol ``k`` are from
    ``first[k]`` to ``first[k + 1]``. ``flags`` and ``size`` are what the candle that closes with a
    bar says; ``size`` is empty for 1 throughout."""

    first: IntArray
    time: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    flags: FlagArray
    size: FloatArray


class Book(NamedTuple):
    """The parameters, by the places above, and what is written down: the account, a row of
    ``ints`` and ``floats`` for each closed trade, refused entries by their reason."""

    p: FloatArray
    roi_ms: IntArray
    roi_profit: FloatArray
    account: FloatArray
    ints: IntArray
    floats: FloatArray
    refused: IntArray


@njit(cache=True)
def _ceil_to(value: float, step: float) -> float:
    if step <= 0.0:
        return value
    return _on_grid(math.ceil(value / step * (1.0 - ROUNDING) - GRID), step)


@njit(cache=True)
def _floor_to(value: float, step: float) -> float:
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
def _level(side: float, price: float, fraction: float, tick: float) -> float:
    """``fraction`` in the position's favour (negative: against it), rounded as ``exits`` does."""
    if side > 0.0:
        return _ceil_to(price * (1.0 + fraction), tick)
    return _floor_to(price * (1.0 - fraction), tick)


@njit(cache=True)
def _fill_price(is_buy: bool, price: float, p: FloatArray) -> float:
    if is_buy:
        return _ceil_to(price * p[BUY_FACTOR], p[TICK])
    return float(max(_floor_to(price * p[SELL_FACTOR], p[TICK]), p[TICK]))


@njit(cache=True)
def _stop(s: FloatArray, p: FloatArray) -> tuple[float, int]:
    """The nearer of the fixed and the trailing stop, NaN without either."""
    stop, reason = s[STOP_PRICE], STOP_LOSS
    if p[TRAIL] > 0.0:
        trailing = _level(s[SIDE], s[BEST], -p[TRAIL], p[TICK])
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
            roi = _level(s[SIDE], s[ENTRY_VALUE] / s[ENTRY_QUANTITY], roi_profit[k], p[TICK])
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
def _capped(quantity: float, volume: float, p: FloatArray) -> float:
    if p[VOLUME_CAP] <= 0.0 or volume <= 0.0:
        return quantity
    return min(quantity, _floor_to(volume * p[VOLUME_CAP], p[STEP]))


@njit(cache=True)
def _reduce(s: FloatArray, price: float, volume: float, book: Book) -> bool:
    """Sell (or buy back) what the volume allows; True when nothing is left."""
    p, account = book.p, book.account
    quantity = _capped(s[QUANTITY], volume, p)
    if quantity <= 0.0:
        return False
    value = quantity * _fill_price(s[SIDE] < 0.0, price, p)
    s[EXIT_VALUE] += value
    s[FEES] += value * p[FEE]
    account[FEES_PAID] += value * p[FEE]
    s[QUANTITY] -= quantity
    return bool(s[QUANTITY] <= p[STEP] * 0.5)


@njit(cache=True)
def _close_row(s: FloatArray, k: int, i: int, bars: Bars, book: Book, closed: int) -> int:
    """Write the trade that a closed position was, in the order of the columns; the new count."""
    side, account = s[SIDE], book.account
    pnl = side * (s[EXIT_VALUE] - s[ENTRY_VALUE]) - s[FEES]
    row = book.ints[closed]
    row[0], row[1], row[2], row[3] = k, int(side), int(s[ENTRY_INDEX]), i - bars.first[k]
    row[4], row[5], row[6] = int(s[OPENED_MS]), bars.time[i], int(s[ENTRIES])
    row[7] = int(s[EXITING]) - 1
    amounts = book.floats[closed]
    amounts[0] = s[ENTRY_VALUE] / s[ENTRY_QUANTITY]
    amounts[1] = s[EXIT_VALUE] / s[ENTRY_QUANTITY]
    amounts[2], amounts[3] = s[ENTRY_QUANTITY], s[ENTRY_VALUE]
    amounts[4], amounts[5] = s[FEES], pnl
    account[BOUND] -= s[ENTRY_VALUE]
    account[FEES_PAID] -= s[FEES]
    account[REALISED] += pnl
    s[SIDE], s[EXITING] = 0.0, 0.0
    return closed + 1


@njit(cache=True)
def _enter(s: FloatArray, i: int, bars: Bars, book: Book) -> None:
    """Buy (or sell short) at the open of bar ``i`` what its volume and the order's funds allow."""
    side, p, account = s[ENTRY_SIDE], book.p, book.account
    price = _fill_price(side > 0.0, bars.open[i], p)
    left = possible = s[ENTRY_LEFT]
    if side > 0.0:  # its funds were reckoned at an earlier price
        possible = min(left, _floor_to(s[ENTRY_FUNDS] / (price * (1.0 + p[FEE])), p[STEP]))
    quantity = min(_capped(left, bars.volume[i], p), possible)
    if quantity > 0.0:
        if s[SIDE] == 0.0:
            s[: STOP_PRICE + 1] = 0.0
            s[SIDE], s[BEST], s[ENTRIES] = side, price, 0.0
            s[OPENED_MS] = bars.time[i]
            s[ENTRY_INDEX] = i - bars.first[np.searchsorted(bars.first, i, "right") - 1]
        value = quantity * price
        fee = value * p[FEE]
        s[QUANTITY] += quantity
        s[ENTRY_QUANTITY] += quantity
        s[ENTRY_VALUE] += value
        s[FEES] += fee
        s[ENTRIES] += s[IS_NEW]
        s[IS_NEW] = 0.0
        s[ENTRY_LEFT] -= quantity
        s[ENTRY_FUNDS] -= value + fee
        account[BOUND] += value
        account[FEES_PAID] += fee
        average = s[ENTRY_VALUE] / s[ENTRY_QUANTITY]
        s[STOP_PRICE] = _level(side, average, -p[STOP], p[TICK]) if p[STOP] > 0.0 else np.nan
        s[TARGET_PRICE] = _level(side, average, p[TARGET], p[TICK]) if p[TARGET] > 0.0 else np.nan
        _set_quiet(s, bars.time[i], book)
    is_spent = possible < left and quantity == possible
    if is_spent or s[ENTRY_LEFT] <= p[STEP] * 0.5:
        s[ENTRY_SIDE] = 0.0


@njit(cache=True)
def _stake(size: float, book: Book) -> float:
    """What the next entry may spend, ``domain.sizing.stake`` in float64; negative: no cash."""
    p, account = book.p, book.account
    own = p[AMOUNT] if p[AMOUNT] > 0.0 else p[CASH] / p[SLOTS]
    if p[REINVEST] > 0.0:
        own += account[REALISED] / p[SLOTS]
    stake = max(own, 0.0) * size
    free = p[CASH] + account[REALISED] - account[FEES_PAID] - account[BOUND]
    if stake <= free * (1.0 + GRID) + GRID:
        return float(stake)
    return -1.0 if p[AMOUNT] > 0.0 else float(max(free, 0.0))


@njit(cache=True)
def _order_entry(s: FloatArray, side: float, part: float, next_open: float, book: Book) -> bool:
    """Make an entry of a part of the stake the symbol's working order; False: it is refused."""
    p, stake = book.p, _stake(part, book)
    price = _fill_price(side > 0.0, next_open, p)
    unit = price * (1.0 + p[FEE]) if side > 0.0 else price
    quantity = _floor_to(max(stake, 0.0) / unit, p[STEP])
    if stake < 0.0:
        book.refused[NO_CASH] += 1
        return False
    if quantity <= 0.0 or quantity < p[MIN_QUANTITY] or quantity * price < p[MIN_NOTIONAL]:
        book.refused[MINIMUM] += 1
        return False
    s[ENTRY_SIDE], s[ENTRY_LEFT], s[ENTRY_FUNDS], s[IS_NEW] = side, quantity, stake, 1.0
    return True


@njit(cache=True)
def _inside(s: FloatArray, k: int, i: int, bars: Bars, book: Book, closed: int) -> int:
    """Step 1 for a symbol: the levels of what it holds, by the prices of bar ``i``."""
    reason, price = find_exit(
        s, bars.open[i], bars.high[i], bars.low[i], bars.time[i], book.p, book.roi_ms,
        book.roi_profit,
    )  # fmt: skip
    if reason == NO_EXIT:
        s[BEST] = max(s[BEST], bars.high[i]) if s[SIDE] > 0.0 else min(s[BEST], bars.low[i])
        _set_quiet(s, bars.time[i], book)
        return closed
    s[ENTRY_SIDE] = s[WAITING_SIDE] = 0.0  # entries are taken back, of a reversal under way too
    if s[EXITING] > 0.0:
        return closed
    s[EXITING] = reason + 1.0
    if not _reduce(s, price, bars.volume[i], book):
        return closed
    return _close_row(s, k, i, bars, book, closed)


@njit(cache=True)
def _set_quiet(s: FloatArray, now_ms: int, book: Book) -> None:
    """Between which prices, and until when, nothing happens to a position: bars in there need no
    look at its levels. A trailing stop moves with every better price."""
    p, side = book.p, s[SIDE]
    stop, _ = _stop(s, p)
    target, _ = _target(s, now_ms, p, book.roi_ms, book.roi_profit)
    best, worst = (np.inf if np.isnan(target) else target * side), -np.inf
    if not np.isnan(stop):
        worst = stop * side
    if p[TRAIL] > 0.0:
        best = min(best, s[BEST] * side)
    s[QUIET_BELOW], s[QUIET_ABOVE] = (best, worst) if side > 0.0 else (-worst, -best)
    s[QUIET_UNTIL] = s[OPENED_MS] + p[TIME_LIMIT_MS] if p[TIME_LIMIT_MS] > 0.0 else np.inf
    for age_ms in book.roi_ms:
        if s[OPENED_MS] + age_ms > now_ms:
            s[QUIET_UNTIL] = min(s[QUIET_UNTIL], s[OPENED_MS] + age_ms)


@njit(cache=True)
def _leave(s: FloatArray, k: int, i: int, bars: Bars, book: Book, closed: int) -> int:
    """Step 2, then the exit that bar ``i``'s candle decides, both at the open of the next."""
    price, volume = bars.open[i + 1], bars.volume[i + 1]
    if s[EXITING] > 0.0:
        if not _reduce(s, price, volume, book):
            return closed
        closed = _close_row(s, k, i + 1, bars, book, closed)
        side, s[WAITING_SIDE] = s[WAITING_SIDE], 0.0
        is_fresh = bars.time[i] - s[DECIDED_MS] <= book.p[LAG_MS]
        if side != 0.0 and is_fresh and _order_entry(s, side, 1.0, bars.open[i + 1], book):
            _enter(s, i + 1, bars, book)
    elif s[ENTRY_SIDE] != 0.0:
        _enter(s, i + 1, bars, book)
    flags = bars.flags[i]
    if s[SIDE] == 0.0 or not flags & (EXIT_LONG if s[SIDE] > 0.0 else EXIT_SHORT):
        return closed
    opposite = WANT_SHORT if s[SIDE] > 0.0 else WANT_LONG
    if flags & opposite and s[ENTRY_SIDE] == 0.0:
        s[WAITING_SIDE] = -s[SIDE]
    s[EXITING], s[ENTRY_SIDE], s[DECIDED_MS] = SIGNAL + 1.0, 0.0, bars.time[i]
    bars.flags[i] = 0  # an exit is all that this candle decides, but for the reversal
    if _reduce(s, price, volume, book):
        closed = _close_row(s, k, i + 1, bars, book, closed)
    return closed


@njit(cache=True)
def _join(s: FloatArray, i: int, bars: Bars, book: Book) -> None:
    """The entry that bar ``i``'s candle decided, at the next open."""
    if s[EXITING] > 0.0 or s[ENTRY_SIDE] != 0.0:
        return
    side, part = s[WAITING_SIDE], 1.0  # of a reversal, whose exit is done
    s[WAITING_SIDE] = 0.0
    flags = bars.flags[i]
    if side == 0.0 and flags & (WANT_LONG | WANT_SHORT):
        side = 1.0 if flags & WANT_LONG else -1.0
        part = bars.size[i] if len(bars.size) else 1.0
    if side == 0.0:
        return
    if s[SIDE] != 0.0 and (s[SIDE] != side or s[ENTRIES] >= book.p[MAX_ENTRIES]):
        return
    if _order_entry(s, side, part, bars.open[i + 1], book):
        _enter(s, i + 1, bars, book)


@njit(cache=True, inline="always")
def _is_due(states: FloatArray, k: int, flags: int, max_entries: float) -> bool:
    """Whether a closed bar may change anything: most do not, and a call costs more than a bar."""
    if states[k, EXITING] != 0.0 or states[k, ENTRY_SIDE] != 0.0 or states[k, WAITING_SIDE] != 0.0:
        return True
    side = states[k, SIDE]
    if side == 0.0:
        return flags & (WANT_LONG | WANT_SHORT) != 0
    if flags & (EXIT_LONG if side > 0.0 else EXIT_SHORT):
        return True
    wanted = flags & (WANT_LONG if side > 0.0 else WANT_SHORT)
    return wanted != 0 and bool(states[k, ENTRIES] < max_entries)


@njit(cache=True)
def run_bars(
    timeline: IntArray, bars: Bars, book: Book, equity: FloatArray
) -> tuple[int, FloatArray]:
    """Simulate every bar; how many trades were closed, and the state of each symbol at the end.

    ``timeline`` has every bar's open (epoch ms) once, ``equity`` a value for each, which is
    filled, as are ``book.ints``, ``book.floats`` and ``book.refused``. ``bars.flags`` is used up.
    """
    # The arrays that every bar needs, by names of their own: reaching into a tuple costs more
    # than all the rest of a quiet bar.
    time, high, low, close, flags = bars.time, bars.high, bars.low, bars.close, bars.flags
    places, ends, account = bars.first[:-1].copy(), bars.first[1:], book.account
    count, closed, cash, most = len(places), 0, book.p[CASH], book.p[MAX_ENTRIES]
    states = np.zeros((count, STATE_COUNT))
    for t in range(len(timeline)):
        now, worth = timeline[t], 0.0
        for k in range(count):
            i = places[k]
            if i < ends[k] and time[i] == now:
                states[k, LAST_CLOSE] = close[i]
                places[k] = i + 1
                is_watched = states[k, EXITING] == 0.0 or states[k, WAITING_SIDE] != 0.0
                if (states[k, SIDE] != 0.0 and is_watched) and not (
                    low[i] > states[k, QUIET_ABOVE]
                    and high[i] < states[k, QUIET_BELOW]
                    and now < states[k, QUIET_UNTIL]
                ):
                    closed = _inside(states[k], k, i, bars, book, closed)
            if states[k, SIDE] != 0.0:
                left = states[k, QUANTITY] * states[k, LAST_CLOSE] + states[k, EXIT_VALUE]
                worth += states[k, SIDE] * (left - states[k, ENTRY_VALUE])
        equity[t] = cash + account[REALISED] - account[FEES_PAID] + worth
        for k in range(count):
            i = places[k] - 1
            if i + 1 < ends[k] and i >= 0 and time[i] == now and _is_due(states, k, flags[i], most):
                closed = _leave(states[k], k, i, bars, book, closed)
        for k in range(count):
            i = places[k] - 1
            if i + 1 < ends[k] and i >= 0 and time[i] == now and _is_due(states, k, flags[i], most):
                _join(states[k], i, bars, book)
    return closed, states
