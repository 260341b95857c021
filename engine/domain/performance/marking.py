"""Profit over time from closed trades and from what open positions were worth at moments (marks).

All times are epoch milliseconds; trades come in the order of closing. Both functions answer
(moments rising, profit then), closed trades and open positions together.
"""

import numpy as np

from engine.domain.candles import FloatArray, IntArray


def profit_at_marks(
    exit_ms: IntArray, pnl: FloatArray, mark_ms: IntArray, amount: FloatArray
) -> tuple[IntArray, FloatArray]:
    """From marks of many bots' sum, which tell of no single close.

    The profit is known at the marks alone, and at the closes before the first and after the last,
    where nothing counts as open.
    """
    if not len(mark_ms):
        return exit_ms, np.cumsum(pnl)
    outside = (exit_ms < mark_ms.min()) | (exit_ms > mark_ms.max())
    at = np.concatenate((mark_ms, exit_ms[outside]))
    opened = np.concatenate((amount, np.zeros(int(outside.sum()))))
    return _profit(exit_ms, pnl, at, opened)


def profit_of_bots(
    exit_ms: IntArray,
    pnl: FloatArray,
    exit_bot: IntArray,
    mark_ms: IntArray,
    amount: FloatArray,
    mark_bot: IntArray,
) -> tuple[IntArray, FloatArray]:
    """From marks of each bot (codes). What a bot has open stays worth what its last mark says until
    its next one, or until it closes a trade, which leaves it nothing open."""
    at = np.concatenate((mark_ms, exit_ms))
    bots = np.concatenate((mark_bot, exit_bot))
    after = np.concatenate((amount, np.zeros(len(exit_ms))))
    # A mark at the moment of a close tells of after it.
    is_mark = np.arange(len(at)) < len(mark_ms)
    order = np.lexsort((is_mark, at, bots))
    before = np.concatenate(([0.0], after[order][:-1]))
    before[np.flatnonzero(np.diff(bots[order], prepend=-1))] = 0.0
    change = np.empty(len(at))
    change[order] = after[order] - before
    order = np.argsort(at, kind="stable")
    return _profit(exit_ms, pnl, at[order], np.cumsum(change[order]))


def _profit(
    exit_ms: IntArray, pnl: FloatArray, at: IntArray, opened: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Of several values at one moment the last is true."""
    order = np.argsort(at, kind="stable")
    at, opened = at[order], opened[order]
    last = np.flatnonzero(np.diff(at, append=np.iinfo(np.int64).max))
    closed = np.concatenate(([0.0], np.cumsum(pnl)))
    return at[last], closed[np.searchsorted(exit_ms, at[last], side="right")] + opened[last]
