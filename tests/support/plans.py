"""Candles and signals written out by hand: ``0L 3l`` enters long on candle 0, leaves on 3."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np

from engine.domain.backtests import BacktestTerms
from engine.domain.candles import Candles
from engine.domain.strategy import Signals

BEGIN_MS = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
MINUTE_MS = 60_000
LETTERS = "LlSs"  # in the order of the fields of Signals


def candles_of(bars: Sequence[tuple[float, ...]], volume: float = 0.0) -> Candles:
    """One-minute candles of (open, high, low, close)."""
    table = np.array(bars, dtype=np.float64).reshape(-1, 4)
    time = BEGIN_MS + MINUTE_MS * np.arange(len(table), dtype=np.int64)
    opened, high, low, close = (np.ascontiguousarray(column) for column in table.T)
    return Candles("1m", time, opened, high, low, close, np.full(len(table), volume))


def signals_of(plan: str, count: int) -> Signals:
    """What a plan such as ``0L 3l 5S`` says about ``count`` candles."""
    arrays = {letter: np.zeros(count, dtype=np.bool_) for letter in LETTERS}
    for word in plan.split():
        arrays[word[-1]][int(word[:-1])] = True
    return Signals(*(arrays[letter] for letter in LETTERS))  # type: ignore[arg-type]


def terms_of(**fields: Any) -> BacktestTerms:
    """Terms on a cent's tick and a fine step, which an exact backtest needs."""
    known = {"price_tick": Decimal("0.01"), "quantity_step": Decimal("1e-8")}
    return BacktestTerms(**(known | fields))
