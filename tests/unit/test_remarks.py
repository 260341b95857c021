"""Strengths and weaknesses: every rule from both of its sides."""

from typing import Any

import pytest

from engine.domain.performance import Metrics, history_of, measure
from engine.domain.performance.remarks import RULES, Case, Tone, remarks_on
from engine.domain.performance.tables import GroupRow
from tests.support.performance import backtest_result, history

PLAIN = measure(history([1000.0] * 100)).model_copy(
    update={
        "trades": 100, "wins": 50, "losses": 50, "win_rate": 0.5, "long_trades": 100,
        "profit_factor": 1.2, "fees_share": 0.1, "top_share": 0.4, "time_in_market": 0.6,
        "probabilistic_sharpe": 0.92, "sharpe": 0.5, "sortino": 0.7, "calmar": 0.4, "cagr": 0.05,
        "net_profit": 50.0, "total_return": 0.05, "max_drawdown": 0.12, "skew": 0.0,
        "kurtosis": 0.0, "longest_loss_streak": 4, "average_win_duration_s": 3600.0,
        "average_loss_duration_s": 3600.0, "worst_day": -0.02,
        "max_drawdown_recovery": history_of(backtest_result()).start_ms,
    }
)  # fmt: skip
"""A result about which there is nothing to say."""


def row(key: str, pnl: float, trades: int = 20, t_value: float | None = None) -> GroupRow:
    return GroupRow(key=key, trades=trades, wins=trades // 2, win_rate=0.5, pnl=pnl,
                    expectancy=pnl / trades, t_value=t_value, mean_return=0.0, profit_factor=1.0,
                    best=1.0, worst=-1.0, fees=0.0, mean_duration_s=1.0)  # fmt: skip


def case(quote: str = "USDT", **changes: Any) -> Case:
    groups = {name: changes.pop(name) for name in ("weekdays", "exits") if name in changes}
    return Case(PLAIN.model_copy(update=changes), quote, **groups)


FRIDAY = (row("Monday", 90.0), row("Friday", -40.0, t_value=-2.5))
BOTH = {"long_trades": 60, "short_trades": 40, "long_pnl": 80.0, "short_pnl": -30.0}

SIDES: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    # rule, where it holds, where it does not, what it says
    ("no_trades", {"trades": 0}, {"trades": 1}, "No trade was closed"),
    ("few_trades", {"trades": 12}, {"trades": 30}, "Only 12 trades: too few"),
    ("few_trades", {"trades": 1}, {"trades": 0}, "Only 1 trade: too few"),
    ("short", {"days": 12.5}, {"days": 30.0}, "It lasted only 12 d 12 h: figures"),
    ("luck", {"probabilistic_sharpe": 0.8}, {"probabilistic_sharpe": 0.8, "net_profit": -1.0},
     "is 80.00 %: luck"),
    ("sure", {"probabilistic_sharpe": 0.97}, {"probabilistic_sharpe": None}, "above zero is 97.00"),
    ("ruined", {"final_equity": 0.0}, {"final_equity": 0.01}, "Everything was lost."),
    ("loses", {"net_profit": -80.5, "total_return": -0.08}, {"net_profit": 0.0},
     "It lost 80.50 USDT, −8.00 % of"),
    ("beats_market", {"excess_return": 0.02, "market_change": 0.03}, {"excess_return": 0.0},
     "Beats buy and hold by 2.00 %: 5.00 % against 3.00 %."),
    ("trails_market", {"excess_return": -0.05, "market_change": 0.1}, {"excess_return": None},
     "done better by 5.00 %: 10.00 % against 5.00 %."),
    ("profit_factor", {"profit_factor": 1.8}, {"profit_factor": 1.8, "trades": 29},
     "1.80 times the losses, over 100 trades"),
    ("thin_edge", {"profit_factor": 1.05}, {"profit_factor": 1.0}, "only 1.05 times"),
    ("concentrated", {"top_share": 1.4}, {"top_share": 0.8}, "the best 5 % made 140.00 % of it"),
    ("fees", {"fees_share": 0.63, "fees": 12.0}, {"fees_share": 0.3},
     "Fees ate 63.00 % of what trades won (12.00 USDT)"),
    ("deep", {"max_drawdown": 0.45}, {"max_drawdown": 0.3}, "It fell 45.00 % under its peak"),
    ("quiet", {"max_drawdown": 0.04, "calmar": 1.5}, {"max_drawdown": 0.04, "calmar": 1.0},
     "never more than 4.00 % under its peak, for 5.00 % a year"),
    ("not_recovered", {"max_drawdown_recovery": None, "max_drawdown_duration_s": 864_000.0},
     {"max_drawdown_recovery": None, "max_drawdown": 0.1}, "fall of 12.00 %, which lasts for 10 d"),
    ("sharpe", {"sharpe": 1.4}, {"sharpe": 1.4, "days": 20.0}, "Sharpe ratio 1.40"),
    ("fat_tail", {"skew": -1.5, "kurtosis": 6.0}, {"skew": -1.5}, "its worst day was −2.00 %"),
    ("weekday", {"weekdays": FRIDAY}, {"weekdays": (FRIDAY[0], row("Friday", -40.0, t_value=-1))},
     "Loses on Fridays: 40.00 USDT over 20 trades"),
    ("one_side", BOTH, {**BOTH, "short_trades": 9},
     "Only long trades earn: they made 80.00 USDT, short trades lost 30.00 USDT."),
    ("one_side", {**BOTH, "long_pnl": -5.0, "short_pnl": 6.0}, {**BOTH, "short_pnl": 1.0},
     "Only short trades earn"),
    ("streak", {"longest_loss_streak": 11}, {"longest_loss_streak": 9}, "It lost 11 times in a"),
    ("stops", {"exits": (row("stop_loss", -1.0, 60),)}, {"exits": (row("signal", 1.0, 60),)},
     "60.00 % of its trades were stopped out"),
    ("cut_late", {"average_loss_duration_s": 9000.0}, {"average_loss_duration_s": None},
     "held longer than winners: 2 h 30 min against 1 h"),
    ("rarely_in", {"time_in_market": 0.1}, {"time_in_market": 0.1, "net_profit": -1.0},
     "the market only 10.00 % of the time"),
]  # fmt: skip


def found(one: Case) -> dict[str, str]:
    return {remark.id: remark.text for remark in remarks_on(one)}


def test_nothing_is_said_where_nothing_stands_out() -> None:
    assert found(case()) == {}


@pytest.mark.parametrize(("rule", "holds", "fails", "words"), SIDES)
def test_a_rule_from_both_sides(
    rule: str, holds: dict[str, Any], fails: dict[str, Any], words: str
) -> None:
    assert words in found(case(**holds))[rule]
    assert rule not in found(case(**fails))


def test_no_rule_goes_untested() -> None:
    assert {rule.id for rule in RULES} == {rule for rule, *_ in SIDES}


def test_cautions_come_first_then_what_decides() -> None:
    remarks = remarks_on(case(trades=12, max_drawdown=0.5, time_in_market=0.1, net_profit=-1.0))
    order = [(one.tone is not Tone.CAUTION, -one.severity) for one in remarks]
    assert order == sorted(order)
    assert remarks[0].id == "few_trades"


def test_every_rule_takes_a_result_without_anything() -> None:
    """Nothing is divided by nothing, and no sentence lacks its numbers."""
    assert set(found(Case(measure(history(()))))) == {"no_trades"}
    some = measure(history_of(backtest_result(trades=40)))
    assert all("{" not in text for text in found(Case(some)).values())
    assert isinstance(some, Metrics)
