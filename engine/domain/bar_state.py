"""What the backtester's compiled loop is given, keeps and gives back: arrays, and names for their
places. Compiled code knows no objects, so a position is a row of numbers here."""

from typing import NamedTuple

import numpy as np
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

DIGITS = 14
"""Of a level or an average that is on no tick: one or two fewer than a float64 has."""


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
