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

import numpy as np
from numba import njit

from engine.domain.bar_levels import as_decimal, fill_price, find_exit, floor_to, level, set_quiet
from engine.domain.bar_state import (
    AMOUNT,
    BEST,
    BOUND,
    CASH,
    DECIDED_MS,
    ENTRIES,
    ENTRY_FUNDS,
    ENTRY_INDEX,
    ENTRY_LEFT,
    ENTRY_QUANTITY,
    ENTRY_SIDE,
    ENTRY_VALUE,
    EXIT_LONG,
    EXIT_SHORT,
    EXIT_VALUE,
    EXITING,
    FEE,
    FEES,
    FEES_PAID,
    GRID,
    IS_NEW,
    LAG_MS,
    LAST_CLOSE,
    MAX_ENTRIES,
    MIN_NOTIONAL,
    MIN_QUANTITY,
    MINIMUM,
    NO_CASH,
    NO_EXIT,
    OPENED_MS,
    QUANTITY,
    QUIET_ABOVE,
    QUIET_BELOW,
    QUIET_UNTIL,
    REALISED,
    REINVEST,
    SIDE,
    SIGNAL,
    SLOTS,
    STATE_COUNT,
    STEP,
    STOP,
    STOP_PRICE,
    TARGET,
    TARGET_PRICE,
    TICK,
    VOLUME_CAP,
    WAITING_SIDE,
    WANT_LONG,
    WANT_SHORT,
    Bars,
    Book,
)  # fmt: skip
from engine.domain.candles import FloatArray, IntArray


@njit(cache=True)
def _capped(quantity: float, volume: float, p: FloatArray) -> float:
    if p[VOLUME_CAP] <= 0.0 or volume <= 0.0:
        return quantity
    return min(quantity, floor_to(volume * p[VOLUME_CAP], p[STEP]))


@njit(cache=True)
def _reduce(s: FloatArray, price: float, volume: float, p: FloatArray, account: FloatArray) -> bool:
    """Sell (or buy back) what the volume allows; True when nothing is left."""
    quantity = _capped(s[QUANTITY], volume, p)
    if quantity <= 0.0:
        return False
    value = quantity * fill_price(s[SIDE] < 0.0, price, p)
    s[EXIT_VALUE] += value
    s[FEES] += value * p[FEE]
    account[FEES_PAID] += value * p[FEE]
    s[QUANTITY] -= quantity
    return bool(s[QUANTITY] <= p[STEP] * 0.5)


@njit(cache=True)
def _close_row(
    s: FloatArray, k: int, index: int, ms: int, row: IntArray, amounts: FloatArray,
    account: FloatArray,
) -> None:  # fmt: skip
    """Write the trade that a closed position was, in the order of the columns."""
    side = s[SIDE]
    pnl = side * (s[EXIT_VALUE] - s[ENTRY_VALUE]) - s[FEES]
    row[0], row[1], row[2], row[3] = k, int(side), int(s[ENTRY_INDEX]), index
    row[4], row[5], row[6] = int(s[OPENED_MS]), ms, int(s[ENTRIES])
    row[7] = int(s[EXITING]) - 1
    amounts[0] = as_decimal(s[ENTRY_VALUE] / s[ENTRY_QUANTITY])
    amounts[1] = as_decimal(s[EXIT_VALUE] / s[ENTRY_QUANTITY])
    amounts[2], amounts[3] = s[ENTRY_QUANTITY], s[ENTRY_VALUE]
    amounts[4], amounts[5] = s[FEES], pnl
    account[BOUND] -= s[ENTRY_VALUE]
    account[FEES_PAID] -= s[FEES]
    account[REALISED] += pnl
    s[SIDE], s[EXITING] = 0.0, 0.0


@njit(cache=True)
def _enter(
    s: FloatArray, index: int, ms: int, price: float, volume: float, p: FloatArray,
    account: FloatArray, roi_ms: IntArray, roi_profit: FloatArray,
) -> None:  # fmt: skip
    """Buy (or sell short) at the open of a bar what its volume and the order's funds allow."""
    side = s[ENTRY_SIDE]
    price = fill_price(side > 0.0, price, p)
    left = possible = s[ENTRY_LEFT]
    if side > 0.0:  # its funds were reckoned at an earlier price
        possible = min(left, floor_to(s[ENTRY_FUNDS] / (price * (1.0 + p[FEE])), p[STEP]))
    quantity = min(_capped(left, volume, p), possible)
    if quantity > 0.0:
        if s[SIDE] == 0.0:
            for place in range(STOP_PRICE):
                s[place] = 0.0
            s[SIDE], s[BEST], s[ENTRIES] = side, price, 0.0
            s[OPENED_MS], s[ENTRY_INDEX] = ms, index
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
        s[STOP_PRICE] = level(side, average, -p[STOP], p[TICK]) if p[STOP] > 0.0 else np.nan
        s[TARGET_PRICE] = level(side, average, p[TARGET], p[TICK]) if p[TARGET] > 0.0 else np.nan
        set_quiet(s, ms, p, roi_ms, roi_profit)
    is_spent = possible < left and quantity == possible
    if is_spent or s[ENTRY_LEFT] <= p[STEP] * 0.5:
        s[ENTRY_SIDE] = 0.0


@njit(cache=True)
def _stake(size: float, p: FloatArray, account: FloatArray) -> float:
    """What the next entry may spend, ``domain.sizing.stake`` in float64; negative: no cash."""
    own = p[AMOUNT] if p[AMOUNT] > 0.0 else p[CASH] / p[SLOTS]
    if p[REINVEST] > 0.0:
        own += account[REALISED] / p[SLOTS]
    stake = max(own, 0.0) * size
    free = p[CASH] + account[REALISED] - account[FEES_PAID] - account[BOUND]
    if stake <= free * (1.0 + GRID) + GRID:
        return float(stake)
    return -1.0 if p[AMOUNT] > 0.0 else float(max(free, 0.0))


@njit(cache=True)
def _order_entry(
    s: FloatArray, side: float, part: float, next_open: float, p: FloatArray, account: FloatArray,
    refused: IntArray,
) -> bool:  # fmt: skip
    """Make an entry of a part of the stake the symbol's working order; False: it is refused."""
    stake = _stake(part, p, account)
    price = fill_price(side > 0.0, next_open, p)
    unit = price * (1.0 + p[FEE]) if side > 0.0 else price
    quantity = floor_to(max(stake, 0.0) / unit, p[STEP])
    if stake < 0.0:
        refused[NO_CASH] += 1
        return False
    if quantity <= 0.0 or quantity < p[MIN_QUANTITY] or quantity * price < p[MIN_NOTIONAL]:
        refused[MINIMUM] += 1
        return False
    s[ENTRY_SIDE], s[ENTRY_LEFT], s[ENTRY_FUNDS], s[IS_NEW] = side, quantity, stake, 1.0
    return True


@njit(cache=True)
def _inside(s: FloatArray, k: int, i: int, bars: Bars, book: Book, closed: int) -> int:
    """Step 1 for a symbol: the levels of what it holds, by the prices of bar ``i``."""
    high, low, now, p = bars.high[i], bars.low[i], bars.time[i], book.p
    reason, price = find_exit(
        s, bars.open[i], high, low, now, p, book.roi_ms, book.roi_profit
    )  # fmt: skip
    if reason == NO_EXIT:
        s[BEST] = max(s[BEST], high) if s[SIDE] > 0.0 else min(s[BEST], low)
        set_quiet(s, now, p, book.roi_ms, book.roi_profit)
        return closed
    s[ENTRY_SIDE] = s[WAITING_SIDE] = 0.0  # entries are taken back, of a reversal under way too
    if s[EXITING] > 0.0:
        return closed
    s[EXITING] = reason + 1.0
    if not _reduce(s, price, bars.volume[i], p, book.account):
        return closed
    row = i - bars.first[k]
    _close_row(s, k, row, now, book.ints[closed], book.floats[closed], book.account)
    return closed + 1


@njit(cache=True)
def _leave(s: FloatArray, k: int, i: int, bars: Bars, book: Book, closed: int) -> int:
    """Step 2, then the exit that bar ``i``'s candle decides, both at the open of the next."""
    p, account, flags = book.p, book.account, bars.flags[i]
    price, volume, following = bars.open[i + 1], bars.volume[i + 1], bars.time[i + 1]
    row, is_ordered = i + 1 - bars.first[k], s[ENTRY_SIDE] != 0.0
    if s[EXITING] > 0.0:
        if not _reduce(s, price, volume, p, account):
            return closed
        _close_row(s, k, row, following, book.ints[closed], book.floats[closed], account)
        closed += 1
        side, s[WAITING_SIDE] = s[WAITING_SIDE], 0.0
        is_fresh = bars.time[i] - s[DECIDED_MS] <= p[LAG_MS]
        is_ordered = False
        if side != 0.0 and is_fresh:
            is_ordered = _order_entry(s, side, 1.0, price, p, account, book.refused)
    if is_ordered:
        _enter(s, row, following, price, volume, p, account, book.roi_ms, book.roi_profit)
    if s[SIDE] == 0.0 or not flags & (EXIT_LONG if s[SIDE] > 0.0 else EXIT_SHORT):
        return closed
    opposite = WANT_SHORT if s[SIDE] > 0.0 else WANT_LONG
    if flags & opposite and s[ENTRY_SIDE] == 0.0:
        s[WAITING_SIDE] = -s[SIDE]
    s[EXITING], s[ENTRY_SIDE], s[DECIDED_MS] = SIGNAL + 1.0, 0.0, bars.time[i]
    bars.flags[i] = 0  # an exit is all that this candle decides, but for the reversal
    if _reduce(s, price, volume, p, account):
        _close_row(s, k, row, following, book.ints[closed], book.floats[closed], account)
        closed += 1
    return closed


@njit(cache=True)
def _join(s: FloatArray, k: int, i: int, bars: Bars, book: Book) -> None:
    """The entry that bar ``i``'s candle decided, at the next open."""
    if s[EXITING] > 0.0 or s[ENTRY_SIDE] != 0.0:
        return
    side, part = s[WAITING_SIDE], 1.0  # of a reversal, whose exit is done
    s[WAITING_SIDE] = 0.0
    flags, p, account = bars.flags[i], book.p, book.account
    if side == 0.0 and flags & (WANT_LONG | WANT_SHORT):
        side = 1.0 if flags & WANT_LONG else -1.0
        part = bars.size[i] if len(bars.size) else 1.0
    if side == 0.0 or (s[SIDE] != 0.0 and (s[SIDE] != side or s[ENTRIES] >= p[MAX_ENTRIES])):
        return
    price = bars.open[i + 1]
    if _order_entry(s, side, part, price, p, account, book.refused):
        row, following, volume = i + 1 - bars.first[k], bars.time[i + 1], bars.volume[i + 1]
        _enter(s, row, following, price, volume, p, account, book.roi_ms, book.roi_profit)


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
def _skip_quiet(s: FloatArray, i: int, bars: Bars, equity: FloatArray, book: Book) -> int:
    """Value the bars from ``i`` on in which nothing can happen to the only symbol; the first one
    that needs a look. Nine bars of ten are such, and here one costs a few comparisons."""
    if s[EXITING] != 0.0 or s[ENTRY_SIDE] != 0.0 or s[WAITING_SIDE] != 0.0:
        return i
    time, high, low, close, flags = bars.time, bars.high, bars.low, bars.close, bars.flags
    side, above, below, until = s[SIDE], s[QUIET_ABOVE], s[QUIET_BELOW], s[QUIET_UNTIL]
    constant = book.p[CASH] + book.account[REALISED] - book.account[FEES_PAID]
    slope = side * s[QUANTITY]
    mask = WANT_LONG | WANT_SHORT
    if side == 0.0:
        above, below, until, slope = -np.inf, np.inf, np.inf, 0.0
    else:
        constant += side * (s[EXIT_VALUE] - s[ENTRY_VALUE])
        mask = EXIT_LONG if side > 0.0 else EXIT_SHORT
        if s[ENTRIES] < book.p[MAX_ENTRIES]:
            mask |= WANT_LONG if side > 0.0 else WANT_SHORT
    while i < len(time) and not flags[i] & mask:
        if low[i] <= above or high[i] >= below or time[i] >= until:
            break
        equity[i] = constant + slope * close[i]
        i += 1
    if i > 0:
        s[LAST_CLOSE] = close[i - 1]
    return i


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
    t = 0
    while t < len(timeline):
        if count == 1:
            t = places[0] = _skip_quiet(states[0], t, bars, equity, book)
            if t == len(timeline):
                break
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
                _join(states[k], k, i, bars, book)
        t += 1
    return closed, states
