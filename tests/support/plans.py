"""Candles and signals written out by hand: ``0L 3l`` enters long on candle 0, leaves on 3."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from engine.domain.candles import Candles
from engine.domain.strategy import Signals

BEGIN_MS = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
MINUTE_MS = 60_000
LETTERS = {"L": "enter_long", "l": "exit_long", "S": "enter_short", "s": "exit_short"}


def candles_of(bars: Sequence[tuple[float, ...]], volume: float = 0.0) -> Candles:
    """One-minute candles of (open, high, low, close)."""
    table = np.array(bars, dtype=np.float64).reshape(-1, 4)
    time = BEGIN_MS + MINUTE_MS * np.arange(len(table), dtype=np.int64)
    prices = (np.ascontiguousarray(column) for column in table.T)
    return Candles("1m", time, *prices, np.full(len(table), volume))


def signals_of(plan: str, count: int) -> Signals:
    """What a plan such as ``0L 3l 5S`` says about ``count`` candles."""
    arrays = {name: np.zeros(count, dtype=np.bool_) for name in LETTERS.values()}
    for word in plan.split():
        arrays[LETTERS[word[-1]]][int(word[:-1])] = True
    return Signals(**arrays)
