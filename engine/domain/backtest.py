"""The backtester: signals as arrays, then one compiled loop over the bars."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.domain.backtests import BacktestResult, BacktestTerms
from engine.domain.candles import Candles
from engine.domain.strategy import Signals


@dataclass(frozen=True, slots=True)
class Leg:
    """One symbol of a backtest: its candles, what its strategy says about them, and, optionally,
    finer candles of the same span for what happens inside a bar."""

    symbol: str
    candles: Candles
    signals: Signals
    fine: Candles | None = None


def backtest(legs: Sequence[Leg], terms: BacktestTerms) -> BacktestResult:
    """Simulate ``legs`` on one cash account. Raises ValueError for candles without a bar."""
    raise NotImplementedError
