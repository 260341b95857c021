"""A backtest's trades as the API answers them."""

from typing import Literal

import pytest

from engine.api.backtest_views import chosen_rows
from engine.contracts.backtests import BacktestTradeFilter
from engine.domain.backtest import Leg, backtest
from engine.domain.backtests import BacktestTerms
from engine.domain.performance import history_of, measure
from tests.support.plans import candles_of, signals_of


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_won_and_lost_are_the_trades_that_the_metrics_count(
    outcome: Literal["won", "lost"],
) -> None:
    """One won, one that came to nothing, one lost."""
    bars = [(price,) * 4 for price in (100.0, 100.0, 110.0, 110.0, 110.0, 110.0, 99.0)]
    plan = signals_of("0L 1l 2L 3l 4L 5l", len(bars))
    result = backtest([Leg("ABC/USDT", candles_of(bars), plan)], BacktestTerms())
    metrics = measure(history_of(result))
    assert (metrics.wins, metrics.draws, metrics.losses) == (1, 1, 1)
    [row] = chosen_rows(result, BacktestTradeFilter(outcome=outcome))
    assert (result.trades.pnl[row] > 0) == (outcome == "won")
