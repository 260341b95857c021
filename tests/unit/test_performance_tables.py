"""Months, windows, groups, distributions, marks and thinned curves."""

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.money import to_epoch_ms
from engine.domain.performance import analyse, history_of
from engine.domain.performance.facts import Facts
from engine.domain.performance.marking import profit_at_marks, profit_of_bots
from engine.domain.performance.tables import (
    curve_of,
    distribution_of,
    groups_of,
    months_of,
    rolling_of,
)
from engine.domain.performance.thinning import kept_rows
from tests.support.performance import (
    DAY,
    HOUR,
    MONDAY,
    backtest_result,
    bought_and_held,
    history,
    trades_of,
)

VALUES = st.lists(st.floats(-1e6, 1e6), max_size=300).map(lambda one: np.array(one, float))


@settings(max_examples=80, deadline=None)
@given(VALUES, st.integers(4, 60))
def test_a_thinned_curve_keeps_its_ends_and_extremes(values: np.ndarray, most: int) -> None:
    rows = kept_rows(values, most)
    assert len(rows) <= max(most, 0) and (np.diff(rows) > 0).all()
    if len(values):
        assert (rows[0], rows[-1]) == (0, len(values) - 1)
        kept = values[rows]
        assert (kept.min(), kept.max()) == (values.min(), values.max())


def test_a_curve_is_not_thinned_to_nothing() -> None:
    with pytest.raises(ValueError, match="four points"):
        kept_rows(np.arange(10.0), 3)
    curve = curve_of(Facts(bought_and_held("SPY.1d")), 200)
    assert len(curve.time) == len(curve.equity) == len(curve.underwater) <= 200
    assert curve.market is not None
    assert curve.market[-1] == pytest.approx(curve.equity[-1])
    assert -1 <= min(curve.underwater) <= max(curve.underwater) == 0
    deepest = Facts(bought_and_held("SPY.1d")).max_drawdown
    assert min(curve.underwater) == pytest.approx(-deepest)  # the lowest point is never left out


def test_months_and_years_are_those_of_the_last_closes() -> None:
    one = bought_and_held("SPY.1d")
    years = months_of(Facts(one))
    opens = [datetime.fromtimestamp((ms - DAY) / 1000, UTC) for ms in one.at.tolist()]
    ends: dict[tuple[int, int], float] = {}
    for moment, worth in zip(opens, one.equity.tolist(), strict=True):
        ends[moment.year, moment.month] = worth
    before = one.starting_cash
    for (year, month), worth in ends.items():
        row = next(row for row in years if row.year == year)
        assert row.months[month - 1] == pytest.approx(worth / before - 1), (year, month)
        before = worth
    growth = np.prod([1 + row.total for row in years])
    assert growth == pytest.approx(one.equity[-1] / one.starting_cash)
    assert months_of(Facts(history(()))) == ()


def test_a_month_in_which_everything_is_lost() -> None:
    rows = months_of(Facts(history([900.0] * 31 + [0.0] * 40)))
    assert rows[0].months[:3] == (pytest.approx(-0.1), pytest.approx(-1.0), 0.0)
    assert rows[0].total == pytest.approx(-1.0)


def test_windows_are_those_of_a_plain_loop() -> None:
    facts = Facts(bought_and_held("BTC-USD.1d"))
    rolling = rolling_of(facts, 20, most=10_000)
    returns = facts.daily.returns
    assert len(rolling.time) == len(returns) - 19
    for at in (0, 7, len(rolling.time) - 1):
        window = returns[at : at + 20]
        spread = window.std(ddof=1)
        assert rolling.total_return[at] == pytest.approx(np.prod(1 + window) - 1)
        assert rolling.volatility[at] == pytest.approx(spread * np.sqrt(365))
        assert rolling.sharpe[at] == pytest.approx(window.mean() / spread * np.sqrt(365))
    assert rolling_of(Facts(history((1, 2, 3))), 4).time == ()
    assert set(rolling_of(Facts(history([1000.0] * 9)), 4).sharpe) == {None}
    with pytest.raises(ValueError, match="two days"):
        rolling_of(facts, 1)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-900, 5000), max_size=80))
def test_every_trade_is_in_one_bin_that_mixes_no_wins_with_losses(pnl: list[float]) -> None:
    trades = trades_of(pnl)
    bins = distribution_of(trades)
    assert sum(one.count for one in bins) == len(pnl)
    assert len(bins) <= 41
    for one, after in pairwise(bins):
        assert one.high == pytest.approx(after.low)
    if len(bins) > 1:
        assert all(one.low >= 0 or one.high <= 1e-12 for one in bins)


def test_groups_add_up_and_come_in_their_order() -> None:
    history_ = history_of(backtest_result(trades=200))
    trades = history_.trades
    for by in ("side", "symbol", "exit_reason", "weekday", "month", "entry_hour"):
        rows = groups_of(trades, by)
        assert sum(row.trades for row in rows) == 200, by
        assert sum(row.pnl for row in rows) == pytest.approx(trades.pnl.sum())
        assert sum(row.fees for row in rows) == pytest.approx(100)
    months = [row.key for row in groups_of(trades, "month")]
    assert months == sorted(months)
    assert next(row.key for row in groups_of(trades, "weekday")) == "Monday"
    profits = [row.pnl for row in groups_of(trades, "exit_reason")]
    assert profits == sorted(profits, reverse=True)
    assert groups_of(trades_of(()), "month") == ()
    with pytest.raises(ValueError, match="cannot be grouped by 'luck', only by exit_reason, side"):
        groups_of(trades_of(()), "luck")


def test_a_group_worked_out_by_hand() -> None:
    start = to_epoch_ms(datetime(2024, 2, 29, 23, 30, tzinfo=UTC))
    trades = trades_of((30, -10), start=start, held=HOUR, apart=DAY, fee=1.5)
    rows = groups_of(trades, "month")
    assert [(row.key, row.trades) for row in rows] == [("2024-03", 2)]  # by the exit
    one = rows[0]
    assert (one.wins, one.win_rate, one.pnl, one.expectancy) == (1, 0.5, 20, 10)
    assert (one.best, one.worst, one.fees, one.profit_factor) == (30, -10, 3, 3)
    assert (one.mean_duration_s, one.mean_return) == (3600, pytest.approx(0.01))
    assert [row.key for row in groups_of(trades, "entry_hour")] == ["23:00"]
    assert [row.key for row in groups_of(trades, "weekday")] == ["Friday", "Saturday"]


def test_an_analysis_is_json_whatever_it_is_of() -> None:
    for one in (history(()), history((1000,)), history_of(backtest_result(trades=0, bars=3)),
                history_of(backtest_result())):  # fmt: skip
        text = analyse(one, quote="USDT", rolling_days=5).model_dump_json()
        assert "NaN" not in text and "Infinity" not in text


# --- marks


def ms(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def test_marks_of_all_bots_are_true_at_their_moments_alone() -> None:
    exits, pnl = ms(5, 15, 25), np.array([1.0, 2.0, 4.0])
    at, profit = profit_at_marks(exits, pnl, ms(20, 10), np.array([0.5, -0.5]))
    assert list(at) == [5, 10, 20, 25]  # 15 lies between marks, which do not know it
    assert list(profit) == [1, 0.5, 3.5, 7]
    at, profit = profit_at_marks(exits, pnl, ms(), np.empty(0))
    assert (list(at), list(profit)) == ([5, 15, 25], [1, 3, 7])


def test_a_bot_that_closed_has_nothing_open() -> None:
    exits, pnl, bots = ms(30, 40), np.array([10.0, -3.0]), ms(0, 1)
    marks = ms(10, 20, 20, 30, 50), np.array([4.0, 9.0, 1.0, 0.0, 2.0]), ms(0, 0, 1, 0, 1)
    at, profit = profit_of_bots(exits, pnl, bots, *marks)
    assert list(at) == [10, 20, 30, 40, 50]
    # 0: 4, then 9 with the other's 1; its trade takes the 9 away and books 10; the other closes
    assert list(profit) == [4, 10, 11, 7, 9]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 3), st.integers(-9, 9)), max_size=20),
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 3), st.integers(-9, 9)), min_size=1,
             max_size=30),
)  # fmt: skip
def test_profit_of_bots_is_what_a_plain_loop_finds(
    closes: list[tuple[int, int, int]], marks: list[tuple[int, int, int]]
) -> None:
    closes.sort()
    found_at, found = profit_of_bots(
        ms(*(time for time, _, _ in closes)),
        np.array([amount for _, _, amount in closes], float),
        ms(*(bot for _, bot, _ in closes)),
        ms(*(time for time, _, _ in marks)),
        np.array([amount for _, _, amount in marks], float),
        ms(*(bot for _, bot, _ in marks)),
    )
    moments = sorted({time for time, _, _ in closes + marks})
    assert list(found_at) == moments
    for moment, profit in zip(moments, found, strict=True):
        booked = sum(amount for time, _, amount in closes if time <= moment)
        opened = 0
        for bot in range(4):
            last = [(time, 0, 0) for time, own, _ in closes if own == bot and time <= moment]
            last += [(time, 1, at) for at, (time, own, _) in enumerate(marks)
                     if own == bot and time <= moment]  # fmt: skip
            newest = max(last, default=(0, 0, 0))
            opened += marks[newest[2]][2] if newest[1] else 0
        assert profit == pytest.approx(booked + opened)


def test_the_start_is_monday() -> None:
    assert datetime.fromtimestamp(MONDAY / 1000, UTC).strftime("%A") == "Monday"
