"""The few figures that a search looks at, of very many results over the same bars.

They are those of ``performance.metrics`` to the last digit, by the same rules; what depends on the
bars alone (which bars end a period, how many make a year) is worked out once.
"""

from typing import NamedTuple

import numba
import numpy as np

from engine.domain.backtests import BacktestResult
from engine.domain.candles import FloatArray
from engine.domain.performance import ratios
from engine.domain.performance.facts import FEWEST_ANNUAL_DAYS
from engine.domain.performance.history import MS_A_DAY, history_of
from engine.domain.performance.sampling import DAYS_OF_CALENDAR, periods_of, simple_returns

NAN = float("nan")


class Scores(NamedTuple):
    """Figures of one result; NaN where one is not defined. Fractions, ratios a year."""

    total_return: float
    cagr: float
    sharpe: float
    sortino: float
    calmar: float
    profit_factor: float
    max_drawdown: float
    win_rate: float
    trades: float


NO_SCORES = Scores(*(NAN for _ in Scores._fields))


class Ruler:
    """Measures results over the bars of ``example``; other bars need a ruler of their own."""

    def __init__(self, example: BacktestResult) -> None:
        history = history_of(example)
        periods = periods_of(history)
        self._rows = np.searchsorted(history.at, periods.at)
        self._is_every_bar = len(self._rows) == len(history.at)
        self._a_year = periods.a_year
        self._days = history.span_ms / MS_A_DAY

    def returns(self, result: BacktestResult) -> FloatArray:
        """Returns of even periods, as fractions."""
        equity = result.equity if self._is_every_bar else result.equity[self._rows]
        return simple_returns(result.starting_cash, equity)

    def scores(self, result: BacktestResult) -> Scores:
        """The figures of ``result``."""
        returns = self.returns(result)
        total = float(result.equity[-1]) / result.starting_cash - 1
        cagr, deepest = self._cagr(total), max_drawdown(result.starting_cash, result.equity)
        pnl = result.trades.pnl
        won, lost = float(pnl[pnl > 0].sum()), -float(pnl[pnl < 0].sum())
        return Scores(
            total_return=total,
            cagr=_nan(cagr),
            sharpe=_nan(ratios.sharpe(returns, self._a_year)),
            sortino=_nan(ratios.sortino(returns, self._a_year)),
            calmar=_nan(None if cagr is None else ratios.divided(cagr, deepest)),
            profit_factor=_nan(ratios.divided(won, lost)),
            max_drawdown=deepest,
            win_rate=_nan(ratios.divided(float(np.count_nonzero(pnl > 0)), len(pnl))),
            trades=float(len(pnl)),
        )

    def _cagr(self, total: float) -> float | None:
        if self._days < FEWEST_ANNUAL_DAYS:
            return None
        try:
            return float(max(0.0, 1 + total) ** (DAYS_OF_CALENDAR / self._days)) - 1
        except OverflowError:
            return None


def _nan(value: float | None) -> float:
    return NAN if value is None else value


@numba.njit(cache=True)
def max_drawdown(cash: float, equity: FloatArray) -> float:
    """The greatest fall under the highest worth so far, as a fraction of it, in [0, 1]."""
    peak, deepest, floor = cash, 0.0, cash
    for worth in equity:
        if worth > peak:
            peak = worth
            floor = peak * (1.0 - deepest)  # only below it is there anything to work out
        elif worth < floor:
            deepest = min(1.0, 1.0 - worth / peak) if peak > 0 else 0.0
            floor = peak * (1.0 - deepest)
    return deepest
