"""The metrics against empyrical and scipy, on the same returns of real markets."""

import math

import empyrical
import numpy as np
import pytest
from scipy import stats

from engine.domain.candles import FloatArray
from engine.domain.performance import History, measure, ratios
from engine.domain.performance.drawdowns import depths
from engine.domain.performance.facts import Facts
from engine.domain.performance.sampling import closes_on_saturdays, daily_periods, periods_of
from tests.support.performance import DAY, HOUR, MINUTE, bought_and_held, closes, history, trades_of

MARKETS = {"SPY.1d": 252, "IBM.1d": 252, "BTC-USD.1d": 365, "GBP-USD.1d": 252}


def bar_returns(one: History) -> FloatArray:
    """Returns from close to close: drawdowns are those of every bar."""
    worth = np.concatenate(([one.starting_cash], one.equity))
    return np.asarray(worth[1:] / worth[:-1] - 1)


@pytest.mark.parametrize(("name", "a_year"), MARKETS.items())
def test_ratios_are_those_of_empyrical(name: str, a_year: int) -> None:
    one = bought_and_held(name)
    periods, metrics = periods_of(one), measure(one)
    returns = periods.returns
    assert periods.a_year == a_year
    same = {
        "sharpe": empyrical.sharpe_ratio(returns, annualization=a_year),
        "sortino": empyrical.sortino_ratio(returns, annualization=a_year),
        "volatility": empyrical.annual_volatility(returns, annualization=a_year),
        "omega": empyrical.omega_ratio(returns, annualization=a_year),
        "tail_ratio": empyrical.tail_ratio(returns),
        "value_at_risk": empyrical.value_at_risk(returns, 0.05),
        "expected_shortfall": empyrical.conditional_value_at_risk(returns, 0.05),
        "max_drawdown": -empyrical.max_drawdown(bar_returns(one)),
        "total_return": empyrical.cum_returns_final(returns),
        "skew": stats.skew(returns),
        "kurtosis": stats.kurtosis(returns),
    }
    for key, expected in same.items():
        assert getattr(metrics, key) == pytest.approx(expected, rel=1e-9), key


@pytest.mark.parametrize("name", MARKETS)
def test_growth_and_calmar_are_those_of_empyrical_for_the_same_years(name: str) -> None:
    one = bought_and_held(name)
    metrics, returns = measure(one), periods_of(one).returns
    a_year = len(returns) / (metrics.days / 365)  # empyrical counts years by periods
    assert metrics.cagr == pytest.approx(empyrical.annual_return(returns, annualization=a_year))
    fall = empyrical.max_drawdown(bar_returns(one))
    assert metrics.calmar == pytest.approx(metrics.cagr / -fall, rel=1e-9)
    if len(returns) == len(one.equity):  # no Sunday was joined with a Monday
        calmar = empyrical.calmar_ratio(returns, annualization=a_year)
        assert metrics.calmar == pytest.approx(calmar, rel=1e-9)


def test_sqn_is_the_t_statistic_of_the_trades() -> None:
    pnl = np.random.default_rng(2).normal(1, 10, 200)
    metrics = measure(history((1200,), trades=trades_of(list(pnl))))
    assert metrics.sqn == pytest.approx(stats.ttest_1samp(pnl, 0).statistic)


def test_ulcer_and_drawdowns_are_those_of_a_plain_loop() -> None:
    worth = bought_and_held("SPY.1d").equity[:500]
    peak, squares, falls = 0.0, 0.0, []
    for value in worth:
        peak = max(peak, value)
        falls.append(1 - value / peak)
        squares += falls[-1] ** 2
    assert depths(worth) == pytest.approx(falls)
    assert ratios.ulcer_index(depths(worth)) == pytest.approx(math.sqrt(squares / len(worth)))


# --- how returns are sampled


def test_hours_become_days_and_give_the_ratio_of_days() -> None:
    """A curve of hours has the Sharpe ratio of its days, whatever it did within them."""
    days = 10_000 * np.exp(np.cumsum(np.random.default_rng(4).normal(0, 0.01, 60)))
    noise = np.random.default_rng(5).normal(1, 0.05, (60, 24))
    hours = days[:, None] * noise
    hours[:, -1] = days
    fine, coarse = history(hours.ravel(), bar=HOUR), history(days, bar=DAY)
    assert measure(fine).sharpe == pytest.approx(measure(coarse).sharpe)
    assert measure(fine).max_drawdown > measure(coarse).max_drawdown  # that is of every bar


def test_less_than_thirty_days_are_sampled_by_bars() -> None:
    minutes = history([1000.0 + minute % 7 for minute in range(2 * 1440)], bar=MINUTE)
    assert (periods_of(minutes).a_year, periods_of(minutes).is_daily) == (365 * 1440, False)
    assert len(periods_of(minutes).returns) == 2 * 1440
    assert periods_of(history([float(day) for day in range(1, 30)])).a_year == 365
    assert periods_of(history([1000.0 + hour for hour in range(30 * 24)], bar=HOUR)).is_daily


def test_returns_compound_to_the_total_return() -> None:
    times, prices = closes("SPY.1d")
    one = History(int(times[0]), 777.0, times + DAY, 3 * prices, history(()).trades, bar_ms=DAY)
    assert np.prod(1 + periods_of(one).returns) - 1 == pytest.approx(measure(one).total_return)


def test_a_market_that_rests_on_saturdays_has_252_days_and_its_sunday_is_monday() -> None:
    week = np.arange(28, dtype=np.int64) + 4  # from a Monday, days since the epoch
    assert not closes_on_saturdays(week)
    forex = week[week % 7 != 2]
    assert closes_on_saturdays(forex)
    assert not closes_on_saturdays(week[:3])  # no Saturday was due
    at = (forex + 1) * DAY
    one = History(int(at[0]) - DAY, 1.0, at, np.linspace(1, 2, len(at)), history(()).trades,
                  bar_ms=DAY)  # fmt: skip
    periods = daily_periods(one)
    assert periods.a_year == 252
    assert len(periods.returns) == 21  # 4 x Monday to Friday, and the last Sunday


def test_points_at_any_time_are_worth_what_the_last_one_said() -> None:
    at = np.array([0, DAY // 2, 3 * DAY + 5], dtype=np.int64)
    one = History(0, 100.0, at, np.array([100.0, 110.0, 121.0]), history(()).trades)
    periods = daily_periods(one)
    assert list(periods.returns) == pytest.approx([0.1, 0, 0, 0.1])
    assert periods.a_year == 365
    assert Facts(one).periods.is_daily
