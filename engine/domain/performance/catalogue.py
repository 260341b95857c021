"""The catalogue of metrics: docs, the panel's tables, CSV and HTML reports are made from it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np

from engine.domain.candles import BoolArray, FloatArray
from engine.domain.money import from_epoch_ms
from engine.domain.overfitting import probabilistic_sharpe
from engine.domain.performance import ratios
from engine.domain.performance.facts import Facts
from engine.domain.performance.history import History
from engine.domain.performance.metrics import Metrics

Value = float | int | datetime | None
FEWEST_PERIODS = 5


class Unit(StrEnum):
    """What a value counts, which decides how it is written."""

    FRACTION = "fraction"
    MONEY = "money"
    RATIO = "ratio"
    COUNT = "count"
    SECONDS = "seconds"
    DAYS = "days"
    TIME = "time"


class Better(StrEnum):
    """Which way is good; neither for what only describes."""

    HIGH = "high"
    LOW = "low"
    NEITHER = ""


@dataclass(frozen=True, slots=True)
class Metric:
    """One row: ``of`` computes the field ``key`` of ``Metrics``.

    ``empty`` says when it has no value; a metric without that sentence always has one. ``even`` is
    the value that is neither a gain nor a loss, for those that are one or the other.
    """

    key: str
    title: str
    unit: Unit
    better: Better
    group: str
    formula: str
    of: Callable[[Facts], Value]
    source: str = ""
    empty: str = ""
    even: float | None = None


F, M, R, C, S, T = (
    Unit.FRACTION, Unit.MONEY, Unit.RATIO, Unit.COUNT, Unit.SECONDS, Unit.TIME,
)  # fmt: skip
HIGH, LOW, FLAT = Better.HIGH, Better.LOW, Better.NEITHER

NO_TRADE = "there is no trade"
NO_WIN = "no trade won"
NO_LOSS = "no trade lost"
FEW = "there are fewer than 5 periods, or all are the same"
NO_PERIOD_LOST = "no period lost, or there are fewer than 5"
SHORT_SPAN = "it is shorter than 7 days"
NO_FALL = "the worth never fell"
NO_CASH = "the starting cash is not above 0"
NO_BARS = "there is no bar"


def _mean(pick: Callable[[Facts], FloatArray]) -> Callable[[Facts], float | None]:
    return lambda facts: ratios.mean(pick(facts))


def _extreme(
    find: Callable[[FloatArray], np.float64], pick: Callable[[Facts], FloatArray]
) -> Callable[[Facts], float | None]:
    def extreme(facts: Facts) -> float | None:
        values = pick(facts)
        return float(find(values)) if len(values) else None

    return extreme


def _count(pick: Callable[[Facts], BoolArray]) -> Callable[[Facts], int]:
    return lambda facts: int(np.sum(pick(facts)))


def _pnl(facts: Facts) -> FloatArray:
    return facts.trades.pnl


def _trade_returns(facts: Facts) -> FloatArray:
    return facts.trade_returns


def _durations(facts: Facts) -> FloatArray:
    return facts.durations_s


def _moment(epoch_ms: int) -> datetime:
    return from_epoch_ms(epoch_ms)


def _end(facts: Facts) -> datetime | None:
    at = facts.history.at
    return _moment(int(at[-1])) if len(at) else None


def _excess(facts: Facts) -> float | None:
    market, total = facts.market_change, facts.total_return
    return None if market is None or total is None else total - market


def _per_risk(risk: Callable[[Facts], float]) -> Callable[[Facts], float | None]:
    def ratio(facts: Facts) -> float | None:
        return None if facts.cagr is None else ratios.divided(facts.cagr, risk(facts))

    return ratio


def _ratio(of: Callable[[FloatArray, float], float | None]) -> Callable[[Facts], float | None]:
    """A ratio of returns, where there are enough: two days alone can have a Sharpe ratio of 500."""

    def ratio(facts: Facts) -> float | None:
        is_enough = len(facts.returns) >= FEWEST_PERIODS
        return of(facts.returns, facts.periods.a_year) if is_enough else None

    return ratio


def _psr(facts: Facts) -> float | None:
    if len(facts.returns) < FEWEST_PERIODS:
        return None
    skew, kurtosis = ratios.skewness(facts.returns), ratios.excess_kurtosis(facts.returns)
    each = ratios.sharpe(facts.returns, 1.0)
    if each is None or skew is None or kurtosis is None:
        return None
    return probabilistic_sharpe(each, len(facts.returns), skew=skew, kurtosis=kurtosis + 3)


def _sqn(facts: Facts) -> float | None:
    spread = ratios.deviation(facts.trades.pnl)
    if spread is None:
        return None
    ratio = ratios.divided(float(np.mean(facts.trades.pnl)), spread)
    return None if ratio is None else ratio * float(np.sqrt(len(facts.trades)))


def _kelly(facts: Facts) -> float | None:
    if facts.payoff is None or facts.win_rate is None or facts.payoff == 0:
        return None
    return facts.win_rate - (1 - facts.win_rate) / facts.payoff


def _fees_share(facts: Facts) -> float | None:
    before = facts.trades.pnl + facts.trades.fees
    return ratios.divided(float(np.sum(facts.trades.fees)), float(np.sum(before[before > 0])))


def _side(facts: Facts, *, is_long: bool) -> FloatArray:
    return facts.trades[facts.trades.is_long == is_long].pnl


def _side_wins(facts: Facts, *, is_long: bool) -> float | None:
    pnl = _side(facts, is_long=is_long)
    return ratios.divided(float(np.sum(pnl > 0)), len(pnl))


RESULT = (
    Metric("start", "Start", T, FLAT, "Result", "opening of the first bar",
           lambda f: _moment(f.history.start_ms) if len(f.history.at) else None, empty=NO_BARS),
    Metric("end", "End", T, FLAT, "Result", "close of the last bar", _end, empty=NO_BARS),
    Metric("days", "Days", Unit.DAYS, FLAT, "Result", "calendar days from start to end",
           lambda f: f.days),
    Metric("starting_cash", "Starting cash", M, FLAT, "Result", "worth before the first bar",
           lambda f: f.history.starting_cash),
    Metric("final_equity", "Final equity", M, HIGH, "Result",
           "worth at the last close, open positions included", lambda f: f.history.final_equity),
    Metric("net_profit", "Net profit", M, HIGH, "Result", "final equity - starting cash",
           lambda f: f.net_profit, even=0.0),
    Metric("open_pnl", "Of it still open", M, HIGH, "Result",
           "profit of positions that are held at the end", lambda f: f.history.open_pnl, even=0.0),
    Metric("total_return", "Total return", F, HIGH, "Result", "net profit / starting cash",
           lambda f: f.total_return, empty=NO_CASH, even=0.0),
    Metric("cagr", "CAGR", F, HIGH, "Result", "(final / starting) ^ (365 / days) - 1",
           lambda f: f.cagr, source="compound annual growth rate over calendar time",
           empty=f"{SHORT_SPAN}, or {NO_CASH}", even=0.0),
    Metric("market_change", "Market change", F, FLAT, "Result",
           "last close / first close - 1: buy and hold without costs", lambda f: f.market_change,
           empty="several symbols were traded, or the price was not kept"),
    Metric("excess_return", "Against the market", F, HIGH, "Result",
           "total return - market change", _excess, empty="the market change is not known",
           even=0.0),
)  # fmt: skip

RATIOS = (
    Metric("sharpe", "Sharpe ratio", R, HIGH, "Ratios",
           "mean(r) / sd(r) x sqrt(periods a year), sd with n - 1",
           _ratio(ratios.sharpe), even=0.0,
           source="Sharpe 1994, J. Portfolio Management 21(1)", empty=FEW),
    Metric("sortino", "Sortino ratio", R, HIGH, "Ratios",
           "mean(r) / sqrt(mean(min(r, 0)^2)) x sqrt(periods a year)",
           _ratio(ratios.sortino), even=0.0,
           source="Sortino and Price 1994, J. Investing 3(3)", empty=NO_PERIOD_LOST),
    Metric("calmar", "Calmar ratio", R, HIGH, "Ratios", "CAGR / max drawdown",
           _per_risk(lambda f: f.max_drawdown), source="Young 1991, Futures 20(1)",
           empty=f"{NO_FALL}, or {SHORT_SPAN}, or {NO_CASH}", even=0.0),
    Metric("omega", "Omega ratio", R, HIGH, "Ratios", "sum(r > 0) / -sum(r < 0)",
           _ratio(lambda returns, _: ratios.omega(returns)), even=1.0,
           source="Keating and Shadwick 2002, threshold 0", empty=NO_PERIOD_LOST),
    Metric("martin", "Martin ratio", R, HIGH, "Ratios", "CAGR / Ulcer index",
           _per_risk(lambda f: ratios.ulcer_index(f.depths)),
           source="Martin and McCann 1989, The Investor's Guide to Fidelity Funds",
           empty=f"{NO_FALL}, or {SHORT_SPAN}, or {NO_CASH}", even=0.0),
    Metric("probabilistic_sharpe", "Probabilistic Sharpe", F, HIGH, "Ratios",
           "Phi(SR sqrt(n - 1) / sqrt(1 - skew SR + (kurtosis - 1) / 4 SR^2)), SR a period: the "
           "chance that the true Sharpe ratio is above 0", _psr,
           source="Bailey and Lopez de Prado 2012, J. Risk 15(2)", empty=FEW),
)  # fmt: skip

RISK = (
    Metric("volatility", "Volatility", F, LOW, "Risk", "sd(r) x sqrt(periods a year)",
           lambda f: ratios.volatility(f.returns, f.periods.a_year),
           empty="there are fewer than two periods"),
    Metric("max_drawdown", "Max drawdown", F, LOW, "Risk",
           "greatest 1 - worth / highest worth before, at every bar", lambda f: f.max_drawdown),
    Metric("max_drawdown_amount", "Max drawdown, amount", M, LOW, "Risk",
           "greatest highest worth before - worth",
           lambda f: float(np.max(f.drawdowns.amount, initial=0.0))),
    Metric("max_drawdown_duration_s", "Max drawdown, duration", S, LOW, "Risk",
           "of the deepest: from its peak until that is reached again, or so far",
           lambda f: f.deepest.duration_s if f.deepest else 0.0),
    Metric("max_drawdown_start", "Max drawdown, peak", T, FLAT, "Risk",
           "when the worth was highest before the deepest drawdown",
           lambda f: f.deepest.start if f.deepest else None, empty=NO_FALL),
    Metric("max_drawdown_trough", "Max drawdown, lowest", T, FLAT, "Risk",
           "when it was deepest", lambda f: f.deepest.trough if f.deepest else None,
           empty=NO_FALL),
    Metric("max_drawdown_recovery", "Max drawdown, recovered", T, FLAT, "Risk",
           "when the peak was reached again",
           lambda f: f.deepest.recovery if f.deepest else None,
           empty=f"{NO_FALL}, or it has not recovered"),
    Metric("longest_drawdown_s", "Longest drawdown", S, LOW, "Risk",
           "greatest duration of any drawdown",
           lambda f: float(np.max(f.drawdowns.duration_s, initial=0.0))),
    Metric("ulcer_index", "Ulcer index", F, LOW, "Risk", "sqrt(mean(drawdown^2)) over all bars",
           lambda f: ratios.ulcer_index(f.depths), source="Martin and McCann 1989"),
    Metric("value_at_risk", "Value at risk 95 %", F, HIGH, "Risk",
           "5th percentile of r (historical); a loss is negative",
           lambda f: ratios.value_at_risk(f.returns), empty=NO_BARS),
    Metric("expected_shortfall", "Expected shortfall 95 %", F, HIGH, "Risk",
           "mean of the worst 5 % of r (CVaR)", lambda f: ratios.expected_shortfall(f.returns),
           source="Rockafellar and Uryasev 2000, J. Risk 2(3)", empty=NO_BARS),
    Metric("tail_ratio", "Tail ratio", R, HIGH, "Risk", "|95th percentile of r| / |5th|",
           _ratio(lambda returns, _: ratios.tail_ratio(returns)),
           empty="the 5th percentile is 0, or there are fewer than 5 periods"),
    Metric("skew", "Skew", R, HIGH, "Risk", "mean(((r - mean) / sd)^3), sd of the population",
           _ratio(lambda returns, _: ratios.skewness(returns)), empty=FEW),
    Metric("kurtosis", "Excess kurtosis", R, LOW, "Risk",
           "mean(((r - mean) / sd)^4) - 3, sd of the population",
           _ratio(lambda returns, _: ratios.excess_kurtosis(returns)), empty=FEW),
    Metric("best_day", "Best day", F, HIGH, "Risk", "greatest daily return",
           _extreme(np.max, lambda f: f.daily.returns), empty=NO_BARS),
    Metric("worst_day", "Worst day", F, HIGH, "Risk", "least daily return",
           _extreme(np.min, lambda f: f.daily.returns), empty=NO_BARS),
)  # fmt: skip

TRADES = (
    Metric("trades", "Trades", C, FLAT, "Trades", "closed trades", lambda f: len(f.trades)),
    Metric("wins", "Wins", C, FLAT, "Trades", "trades with P&L above 0, after fees",
           _count(lambda f: f.is_win)),
    Metric("draws", "Draws", C, FLAT, "Trades", "trades with P&L of 0",
           lambda f: int(np.sum(f.trades.pnl == 0))),
    Metric("losses", "Losses", C, FLAT, "Trades", "trades with P&L below 0",
           _count(lambda f: f.is_loss)),
    Metric("win_rate", "Win rate", F, HIGH, "Trades", "wins / trades", lambda f: f.win_rate,
           empty=NO_TRADE),
    Metric("profit_factor", "Profit factor", R, HIGH, "Trades", "gross profit / gross loss",
           lambda f: ratios.divided(f.gross_profit, f.gross_loss), empty=NO_LOSS, even=1.0),
    Metric("payoff_ratio", "Payoff ratio", R, HIGH, "Trades", "average win / average loss",
           lambda f: f.payoff, empty=f"{NO_WIN}, or {NO_LOSS}"),
    Metric("expectancy", "Expectancy", M, HIGH, "Trades", "mean P&L of a trade", _mean(_pnl),
           empty=NO_TRADE, even=0.0),
    Metric("expectancy_fraction", "Expectancy, %", F, HIGH, "Trades",
           "mean of P&L / entry value", _mean(_trade_returns), empty=NO_TRADE, even=0.0),
    Metric("sqn", "SQN", R, HIGH, "Trades", "sqrt(n) x mean(P&L) / sd(P&L)", _sqn,
           source="Tharp 2008, Definitive Guide to Position Sizing",
           empty="there are fewer than two trades, or all are the same", even=0.0),
    Metric("kelly", "Kelly fraction", F, HIGH, "Trades",
           "win rate - (1 - win rate) / payoff ratio", _kelly,
           source="Kelly 1956, Bell System Technical Journal 35(4)",
           empty=f"{NO_WIN}, or {NO_LOSS}", even=0.0),
    Metric("gross_profit", "Gross profit", M, HIGH, "Trades", "sum of the wins",
           lambda f: f.gross_profit),
    Metric("gross_loss", "Gross loss", M, LOW, "Trades", "sum of the losses, without sign",
           lambda f: f.gross_loss),
    Metric("average_win", "Average win", M, HIGH, "Trades", "mean P&L of the wins",
           _mean(lambda f: f.trades.pnl[f.is_win]), empty=NO_WIN),
    Metric("average_loss", "Average loss", M, HIGH, "Trades", "mean P&L of the losses",
           _mean(lambda f: f.trades.pnl[f.is_loss]), empty=NO_LOSS),
    Metric("best_trade", "Best trade", M, HIGH, "Trades", "greatest P&L", _extreme(np.max, _pnl),
           empty=NO_TRADE),
    Metric("worst_trade", "Worst trade", M, HIGH, "Trades", "least P&L", _extreme(np.min, _pnl),
           empty=NO_TRADE),
    Metric("best_trade_fraction", "Best trade, %", F, HIGH, "Trades",
           "greatest P&L / entry value", _extreme(np.max, _trade_returns), empty=NO_TRADE),
    Metric("worst_trade_fraction", "Worst trade, %", F, HIGH, "Trades",
           "least P&L / entry value", _extreme(np.min, _trade_returns), empty=NO_TRADE),
    Metric("longest_win_streak", "Longest streak of wins", C, HIGH, "Trades",
           "wins in the order of their close that no other trade parts",
           lambda f: ratios.longest_run(f.is_win)),
    Metric("longest_loss_streak", "Longest streak of losses", C, LOW, "Trades",
           "losses in the order of their close that no other trade parts",
           lambda f: ratios.longest_run(f.is_loss)),
    Metric("average_duration_s", "Average duration", S, FLAT, "Trades",
           "mean of exit time - entry time", _mean(_durations), empty=NO_TRADE),
    Metric("median_duration_s", "Median duration", S, FLAT, "Trades",
           "median of exit time - entry time", _extreme(np.median, _durations), empty=NO_TRADE),
    Metric("longest_duration_s", "Longest duration", S, FLAT, "Trades",
           "greatest exit time - entry time", _extreme(np.max, _durations), empty=NO_TRADE),
    Metric("average_win_duration_s", "Average duration of wins", S, FLAT, "Trades",
           "mean over the wins", _mean(lambda f: f.durations_s[f.is_win]), empty=NO_WIN),
    Metric("average_loss_duration_s", "Average duration of losses", S, FLAT, "Trades",
           "mean over the losses", _mean(lambda f: f.durations_s[f.is_loss]), empty=NO_LOSS),
    Metric("trades_per_day", "Trades a day", R, FLAT, "Trades", "trades / calendar days",
           lambda f: ratios.divided(len(f.trades), f.days), empty=NO_BARS),
    Metric("time_in_market", "Time in the market", F, FLAT, "Trades",
           "time with a position / time, overlapping positions once", lambda f: f.time_in_market,
           empty=NO_BARS),
    Metric("exposure", "Exposure", F, FLAT, "Trades",
           "sum of entry value x time held / (mean worth x time)", lambda f: f.exposure,
           empty="there is no bar, or the mean worth is not above 0"),
    Metric("fees", "Fees", M, LOW, "Trades", "sum over closed trades",
           lambda f: float(np.sum(f.trades.fees))),
    Metric("fees_share", "Fees of gross profit", F, LOW, "Trades",
           "fees / sum of what trades won before fees", _fees_share,
           empty="no trade won before fees"),
    Metric("top_share", "Share of the best 5 %", F, LOW, "Trades",
           "P&L of the best 5 % of trades (at least one) / P&L of all", lambda f: f.top_share,
           empty="the closed trades made no profit together"),
)  # fmt: skip

SIDES = (
    Metric("long_trades", "Long trades", C, FLAT, "Long and short", "closed long trades",
           lambda f: len(_side(f, is_long=True))),
    Metric("short_trades", "Short trades", C, FLAT, "Long and short", "closed short trades",
           lambda f: len(_side(f, is_long=False))),
    Metric("long_pnl", "Long P&L", M, HIGH, "Long and short", "sum over long trades",
           lambda f: float(np.sum(_side(f, is_long=True))), even=0.0),
    Metric("short_pnl", "Short P&L", M, HIGH, "Long and short", "sum over short trades",
           lambda f: float(np.sum(_side(f, is_long=False))), even=0.0),
    Metric("long_win_rate", "Long win rate", F, HIGH, "Long and short", "long wins / long trades",
           lambda f: _side_wins(f, is_long=True), empty="there is no long trade"),
    Metric("short_win_rate", "Short win rate", F, HIGH, "Long and short",
           "short wins / short trades", lambda f: _side_wins(f, is_long=False),
           empty="there is no short trade"),
)  # fmt: skip

METRICS: tuple[Metric, ...] = (*RESULT, *RATIOS, *RISK, *TRADES, *SIDES)
"""Every metric, in the order in which it is shown; one for each field of ``Metrics``."""

BY_KEY = {metric.key: metric for metric in METRICS}


def measure(history: History) -> Metrics:
    """All metrics of a history."""
    return measured(Facts(history))


def measured(facts: Facts) -> Metrics:
    """All metrics, of facts that are shared with other tables."""
    return Metrics.model_validate({metric.key: metric.of(facts) for metric in METRICS})


def score(history: History, key: str) -> Value:
    """One metric alone, without the work of the others: what a tuner asks a thousand times.

    Raises KeyError for a key that is not in the catalogue.
    """
    return BY_KEY[key].of(Facts(history))
