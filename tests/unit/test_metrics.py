"""Every metric by hand, in its corners, and what must hold of any history."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.performance import BY_KEY, METRICS, History, Metrics, history_of, measure, score
from engine.domain.performance.facts import Facts
from engine.domain.performance.history import ClosedTrades
from engine.domain.performance.words import shown
from tests.support.performance import (
    DAY,
    HOUR,
    MINUTE,
    MONDAY,
    backtest_result,
    history,
    trades_of,
)

MONEY = st.floats(-500, 500, allow_nan=False).map(lambda value: round(value, 2))
WORTH = st.floats(1, 1e6)


def check(metrics: Metrics) -> None:
    """What holds of every result: it is JSON, and all that can be empty says when."""
    for key, value in json.loads(metrics.model_dump_json()).items():
        if value is None:
            assert BY_KEY[key].empty, f"{key} is empty and does not say why"
        if isinstance(value, float):
            assert math.isfinite(value), key
        assert shown(BY_KEY[key], getattr(metrics, key), "USDT")


def test_the_catalogue_has_each_field_once_in_its_order() -> None:
    assert [metric.key for metric in METRICS] == list(Metrics.model_fields)
    for metric in METRICS:
        assert metric.title and metric.formula and metric.group, metric.key


def test_a_result_worked_out_by_hand() -> None:
    trades = trades_of(
        (100, -50, 0, 30, -20), is_long=(True, True, True, False, False), held=2 * HOUR, fee=1.0
    )
    one = measure(history((1100, 1050, 1050, 1080, 1060), trades=trades))
    assert (one.trades, one.wins, one.draws, one.losses) == (5, 2, 1, 2)
    assert (one.net_profit, one.total_return) == (60, pytest.approx(0.06))
    assert (one.gross_profit, one.gross_loss) == (130, 70)
    assert one.profit_factor == pytest.approx(130 / 70)
    assert (one.average_win, one.average_loss) == (65, -35)
    assert one.payoff_ratio == pytest.approx(65 / 35)
    assert one.expectancy == pytest.approx(12)
    assert one.expectancy_fraction == pytest.approx(0.012)
    assert one.kelly == pytest.approx(0.4 - 0.6 / (65 / 35))
    assert one.sqn == pytest.approx(math.sqrt(5) * 12 / np.std([100, -50, 0, 30, -20], ddof=1))
    assert (one.best_trade, one.worst_trade) == (100, -50)
    assert (one.best_trade_fraction, one.worst_trade_fraction) == (0.1, -0.05)
    assert (one.average_duration_s, one.longest_duration_s) == (7200, 7200)
    assert (one.longest_win_streak, one.longest_loss_streak) == (1, 1)
    assert (one.fees, one.fees_share) == (5, pytest.approx(5 / (101 + 1 + 31)))
    assert one.time_in_market == pytest.approx(5 * 2 / (5 * 24))
    assert one.exposure == pytest.approx(5 * 2 * 1000 / (5 * 24 * 1068))
    assert one.trades_per_day == 1
    assert (one.long_trades, one.long_pnl, one.long_win_rate) == (3, 50, pytest.approx(1 / 3))
    assert (one.short_trades, one.short_pnl, one.short_win_rate) == (2, 10, 0.5)
    assert one.top_share == pytest.approx(100 / 60)
    assert one.max_drawdown == pytest.approx(50 / 1100)
    assert one.max_drawdown_amount == 50
    assert one.max_drawdown_recovery is None
    assert one.cagr is None  # five days are not a year
    check(one)


def test_drawdowns_have_their_dates_and_start_at_the_starting_cash() -> None:
    one = measure(history((900, 950, 1000, 1200, 600, 900, 1300, 1250)))
    assert one.max_drawdown == 0.5
    assert one.max_drawdown_amount == 600
    days = [moment.day for moment in (one.max_drawdown_start, one.max_drawdown_trough,
                                      one.max_drawdown_recovery) if moment]  # fmt: skip
    assert days == [5, 6, 8]  # each is the close of its bar: the midnight after it
    assert one.max_drawdown_duration_s == 3 * 86_400
    assert one.longest_drawdown_s == 3 * 86_400
    first = Facts(history((900, 1000))).drawdowns.deepest(5)
    assert [(fall.depth, fall.start.day) for fall in first] == [(pytest.approx(0.1), 1)]


def test_no_trade_no_bar_and_a_flat_account_are_results() -> None:
    for one in (
        history(()),
        history((1000,)),
        history((1000,) * 40),
        history((1000,) * 40, bar=MINUTE),
        history((1000,) * 3, bar=0),
    ):
        metrics = measure(one)
        check(metrics)
        assert (metrics.trades, metrics.max_drawdown, metrics.net_profit) == (0, 0, 0)
        assert metrics.sharpe is metrics.win_rate is metrics.profit_factor is None


@pytest.mark.parametrize("pnl", [(10.0,), (-10.0,), (0.0,), (5.0, 7.0), (-5.0, -7.0), (0.0, 0.0)])
def test_one_trade_all_wins_and_all_losses_are_defined_or_empty(pnl: tuple[float, ...]) -> None:
    one = measure(history(1000 + np.cumsum(pnl), trades=trades_of(pnl)))
    check(one)
    has_loss = min(pnl) < 0
    assert (one.profit_factor is None) is not has_loss
    assert one.profit_factor in (None, 0.0)
    assert one.win_rate == sum(value > 0 for value in pnl) / len(pnl)


@pytest.mark.parametrize("end", [0.0, -250.0])
def test_an_account_that_loses_everything_or_more(end: float) -> None:
    worth = [1000 - 30 * day for day in range(20)] + [end] * 20
    one = measure(history(worth, trades=trades_of((end - 1000,))))
    check(one)
    assert one.max_drawdown == 1.0
    assert one.max_drawdown_amount == 1000 - end
    assert one.cagr == -1.0
    assert one.total_return == (end - 1000) / 1000
    assert one.worst_day == -1.0


def test_a_position_at_the_end_counts_as_in_the_market() -> None:
    one = history((1000, 1010), open_since_ms=(MONDAY + DAY,), open_value=(500.0,), open_pnl=10.0)
    metrics = measure(one)
    assert metrics.time_in_market == 0.5
    assert metrics.exposure == pytest.approx(500 / 1005 / 2)
    assert metrics.open_pnl == 10


def test_overlapping_positions_are_in_the_market_once() -> None:
    trades = trades_of((1, 1, 1), held=12 * HOUR, apart=6 * HOUR)
    assert measure(history((1000, 1003), trades=trades)).time_in_market == 0.5


def test_a_year_that_overflows_has_no_growth() -> None:
    assert measure(history([1e60] * 8)).cagr is None
    assert measure(history([1100] * 365)).cagr == pytest.approx(0.1)


def test_a_live_account_without_cash_has_no_returns() -> None:
    one = measure(history((10.0, 20.0), cash=0.0, bar=0))
    check(one)
    assert one.total_return is one.cagr is None
    assert one.net_profit == 20


def test_a_backtest_is_measured_at_the_closes_of_its_bars() -> None:
    result = backtest_result(bars=100, trades=20)
    one = measure(history_of(result))
    assert one.start and one.end
    assert (one.end - one.start).total_seconds() == 100 * 86_400
    assert one.final_equity == result.equity[-1]
    assert one.market_change == pytest.approx(result.close[-1] / result.close[0] - 1)
    assert score(history_of(result), "sharpe") == one.sharpe
    with pytest.raises(KeyError):
        score(history_of(result), "luck")


def is_same(one: float | None, other: float | None) -> bool:
    """Equal but for rounding; neither there counts as equal."""
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)


def account(pnl: list[float], worth: list[float], gap: int) -> History:
    trades = trades_of(pnl, held=gap * MINUTE, apart=7 * HOUR)
    return history(worth, cash=1000.0, bar=HOUR, trades=trades)


@settings(max_examples=60, deadline=None)
@given(st.lists(MONEY, max_size=30), st.lists(WORTH, max_size=60), st.integers(0, 5_000))
def test_what_holds_of_any_history(pnl: list[float], worth: list[float], gap: int) -> None:
    one = measure(account(pnl, worth, gap))
    check(one)
    assert 0 <= one.max_drawdown <= 1
    assert 0 <= one.ulcer_index <= one.max_drawdown + 1e-12
    assert one.wins + one.draws + one.losses == one.trades == one.long_trades + one.short_trades
    assert one.gross_profit - one.gross_loss == pytest.approx(sum(pnl), abs=1e-6)
    assert one.time_in_market is None or 0 <= one.time_in_market <= 1
    assert one.expected_shortfall is None or one.value_at_risk is not None
    if one.expected_shortfall is not None and one.value_at_risk is not None:
        assert one.expected_shortfall <= one.value_at_risk + 1e-12
    assert one.longest_win_streak <= one.wins
    assert one.probabilistic_sharpe is None or 0 <= one.probabilistic_sharpe <= 1


@settings(max_examples=30, deadline=None)
@given(st.lists(MONEY, min_size=1, max_size=30))
def test_the_order_of_trades_changes_no_sum(pnl: list[float]) -> None:
    other = sorted(pnl)
    keys = ("profit_factor", "win_rate", "expectancy", "sqn", "kelly", "best_trade", "gross_loss")
    first, second = (measure(account(one, [1000.0], 5)) for one in (pnl, other))
    for key in keys:
        assert is_same(getattr(first, key), getattr(second, key)), key


@settings(max_examples=30, deadline=None)
@given(st.lists(WORTH, min_size=8, max_size=60), st.floats(0.01, 1000))
def test_the_unit_of_money_changes_no_ratio(worth: list[float], factor: float) -> None:
    first = measure(history(worth, cash=500.0))
    second = measure(history([factor * one for one in worth], cash=500.0 * factor))
    for key in ("total_return", "sharpe", "sortino", "max_drawdown", "ulcer_index", "calmar"):
        assert is_same(getattr(first, key), getattr(second, key)), key


def test_trades_as_columns_can_be_taken_apart() -> None:
    trades = trades_of((1, -1, 2), value=0.0)
    assert list(trades.returns) == [0, 0, 0]  # what was given to a bot cost nothing
    kept = trades[trades.pnl > 0]
    assert isinstance(kept, ClosedTrades)
    assert (list(kept.pnl), len(kept.labels["exit_reason"].codes)) == ([1, 2], 2)
