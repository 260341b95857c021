"""Strengths and weaknesses in words: a table of rules over the figures.

A rule is a condition and a sentence with the numbers in it. It says what the figures show, not what
to do about them, and nothing where they show nothing.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from engine.domain.performance.catalogue import METRICS
from engine.domain.performance.metrics import Metrics
from engine.domain.performance.tables import GroupRow
from engine.domain.performance.words import money, percent, shown, span
from engine.domain.timeframes import SECONDS

FEWEST_TRADES = 30
FEWEST_IN_A_GROUP = 10
SHORT_DAYS = 30.0
SIGNIFICANT = 2.0
"""A mean this many standard errors away from 0 is not put down to chance."""


class Tone(StrEnum):
    """What a remark is."""

    STRENGTH = "strength"
    WEAKNESS = "weakness"
    CAUTION = "caution"


class Remark(BaseModel):
    """One sentence about a result. ``severity`` is 1 (by the way) to 3 (decides)."""

    model_config = ConfigDict(frozen=True)

    id: str
    tone: Tone
    severity: int
    text: str


@dataclass(frozen=True, slots=True)
class Case:
    """What rules look at; ``weekdays`` and ``exits`` are groups of closed trades."""

    metrics: Metrics
    quote: str = ""
    weekdays: tuple[GroupRow, ...] = ()
    exits: tuple[GroupRow, ...] = ()


Words = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Rule:
    """``holds`` decides; ``sentence`` is filled with the metrics as they are shown, by key, and
    with what ``words`` adds."""

    id: str
    tone: Tone
    severity: int
    holds: Callable[[Case], bool]
    sentence: str
    words: Callable[[Case], Words] = lambda case: {}


def above(key: str, limit: float, *, trades: int = 0) -> Callable[[Case], bool]:
    """Holds where a metric is known and above ``limit``, with that many trades or more."""

    def holds(case: Case) -> bool:
        value = getattr(case.metrics, key)
        return case.metrics.trades >= trades and value is not None and value > limit

    return holds


def below(key: str, limit: float, *, trades: int = 0) -> Callable[[Case], bool]:
    """Holds where a metric is known and below ``limit``, with that many trades or more."""

    def holds(case: Case) -> bool:
        value = getattr(case.metrics, key)
        return case.metrics.trades >= trades and value is not None and value < limit

    return holds


def _worst_weekday(case: Case) -> GroupRow | None:
    """The weekday that loses most, where chance does not explain it and the others together win."""
    days = [
        day
        for day in case.weekdays
        if day.trades >= FEWEST_IN_A_GROUP and (day.t_value or 0) < -SIGNIFICANT
    ]
    worst = min(days, key=lambda day: day.pnl, default=None)
    if worst is None:
        return None
    others = sum(day.pnl for day in case.weekdays if day is not worst)
    return worst if others > 0 else None


def _weekday_words(case: Case) -> Words:
    day = _worst_weekday(case)
    if day is None:
        return {}
    return {"weekday": day.key, "lost": money(-day.pnl, case.quote), "count": f"{day.trades:,}"}


def _loses_one_side(case: Case) -> bool:
    one = case.metrics
    is_both = min(one.long_trades, one.short_trades) >= FEWEST_IN_A_GROUP
    return is_both and min(one.long_pnl, one.short_pnl) < 0 < max(one.long_pnl, one.short_pnl)


def _side_words(case: Case) -> Words:
    one = case.metrics
    is_short = one.short_pnl < one.long_pnl
    lost, made = sorted((one.long_pnl, one.short_pnl))
    return {
        "losing": "short" if is_short else "long",
        "winning": "long" if is_short else "short",
        "lost": money(-lost, case.quote),
        "made": money(made, case.quote),
    }


def _stop_share(case: Case) -> float:
    """Stops as a fraction of all trades."""
    stops = sum(row.trades for row in case.exits if row.key == "stop_loss")
    return stops / case.metrics.trades if case.metrics.trades else 0.0


def _long_streak(case: Case) -> bool:
    """Whether losses in a row go well beyond what chance gives: the longest run among n trades of
    which a fraction q lose is about log(n) / log(1 / q). Schilling (1990), The Longest Run of
    Heads, College Mathematics J. 21(3)."""
    one = case.metrics
    if one.longest_loss_streak < 6 or one.losses == one.trades:
        return False
    usual = math.log(one.trades) / math.log(one.trades / one.losses)
    return one.longest_loss_streak > usual + 3


def _cut_late(case: Case) -> bool:
    one = case.metrics
    if one.average_win_duration_s is None or one.average_loss_duration_s is None:
        return False
    is_many = one.trades >= FEWEST_TRADES
    return is_many and one.average_loss_duration_s > 2 * one.average_win_duration_s


def _is_quiet(case: Case) -> bool:
    one = case.metrics
    return one.net_profit > 0 and one.max_drawdown < 0.1 and (one.calmar or 0) > 1


def _beats_market(case: Case) -> bool:
    return case.metrics.trades > 0 and (case.metrics.excess_return or 0) > 0


def _trails_market(case: Case) -> bool:
    return case.metrics.trades > 0 and (case.metrics.excess_return or 0) < 0


def _trades(count: int) -> str:
    return "1 trade" if count == 1 else f"{count:,} trades"


def _market_words(case: Case) -> Words:
    excess = case.metrics.excess_return or 0.0
    return {"apart": percent(abs(excess))}


S, W, C = Tone.STRENGTH, Tone.WEAKNESS, Tone.CAUTION

RULES = (
    # --- can it be believed at all
    Rule("no_trades", C, 3, lambda case: case.metrics.trades == 0,
         "No trade was closed: there is nothing to judge yet."),
    Rule("few_trades", C, 3, lambda case: 0 < case.metrics.trades < FEWEST_TRADES,
         "Only {count}: too few to tell skill from luck.",
         lambda case: {"count": _trades(case.metrics.trades)}),
    Rule("short", C, 2, lambda case: 0 < case.metrics.days < SHORT_DAYS,
         "It lasted only {length}: figures that are scaled to a year mean little.",
         lambda case: {"length": span(case.metrics.days * SECONDS["1d"])}),
    Rule("luck", C, 2,
         lambda case: below("probabilistic_sharpe", 0.9, trades=FEWEST_TRADES)(case)
         and case.metrics.net_profit > 0,
         "The chance that the true Sharpe ratio is above zero is {probabilistic_sharpe}: luck is"
         " not ruled out."),
    Rule("sure", S, 2, above("probabilistic_sharpe", 0.95, trades=FEWEST_TRADES),
         "The chance that the true Sharpe ratio is above zero is {probabilistic_sharpe}."),
    # --- profit
    Rule("ruined", W, 3, below("final_equity", 1e-9), "Everything was lost."),
    Rule("loses", W, 3,
         lambda case: case.metrics.trades > 0 and case.metrics.net_profit < 0,
         "It lost {loss}, {total_return} of the starting cash.",
         lambda case: {"loss": money(-case.metrics.net_profit, case.quote)}),
    Rule("beats_market", S, 2, _beats_market,
         "Beats buy and hold by {apart}: {total_return} against {market_change}.", _market_words),
    Rule("trails_market", W, 2, _trails_market,
         "Buy and hold would have done better by {apart}: {market_change} against {total_return}.",
         _market_words),
    Rule("profit_factor", S, 2, above("profit_factor", 1.5, trades=FEWEST_TRADES),
         "Wins are {profit_factor} times the losses, over {trades} trades."),
    Rule("thin_edge", W, 2,
         lambda case: above("profit_factor", 1.0, trades=FEWEST_TRADES)(case)
         and below("profit_factor", 1.1)(case),
         "The edge is thin: wins are only {profit_factor} times the losses."),
    Rule("concentrated", W, 2, above("top_share", 0.8, trades=20),
         "Profit rests on few trades: the best 5 % made {top_share} of it."),
    Rule("fees", W, 2, above("fees_share", 0.3, trades=10),
         "Fees ate {fees_share} of what trades won ({fees})."),
    # --- risk
    Rule("deep", W, 3, above("max_drawdown", 0.3),
         "It fell {max_drawdown} under its peak: few would have held on."),
    Rule("quiet", S, 2, _is_quiet,
         "Quiet: never more than {max_drawdown} under its peak, for {cagr} a year."),
    Rule("not_recovered", W, 2,
         lambda case: case.metrics.max_drawdown > 0.1
         and case.metrics.max_drawdown_recovery is None,
         "It has not recovered from its deepest fall of {max_drawdown}, which lasts for"
         " {max_drawdown_duration_s}."),
    Rule("sharpe", S, 2,
         lambda case: above("sharpe", 1.0, trades=FEWEST_TRADES)(case)
         and case.metrics.days >= SHORT_DAYS,
         "Good return for its risk: Sharpe ratio {sharpe}, Sortino ratio {sortino}."),
    Rule("fat_tail", W, 1,
         lambda case: below("skew", -1.0)(case) and above("kurtosis", 3.0)(case),
         "Rare large losses: skew {skew}, excess kurtosis {kurtosis}; its worst day was"
         " {worst_day}."),
    # --- habits
    Rule("weekday", W, 1, lambda case: _worst_weekday(case) is not None,
         "Loses on {weekday}s: {lost} over {count} trades, while the other days win.",
         _weekday_words),
    Rule("one_side", W, 2, _loses_one_side,
         "Only {winning} trades earn: they made {made}, {losing} trades lost {lost}.",
         _side_words),
    Rule("streak", W, 1, _long_streak,
         "It lost {longest_loss_streak} times in a row, more than chance explains."),
    Rule("stops", W, 1,
         lambda case: case.metrics.trades >= FEWEST_TRADES and _stop_share(case) > 0.5,
         "{stop_share} of its trades were stopped out: the stop may be too near.",
         lambda case: {"stop_share": percent(_stop_share(case))}),
    Rule("cut_late", W, 1, _cut_late,
         "Losers are held longer than winners: {average_loss_duration_s} against"
         " {average_win_duration_s}."),
    Rule("rarely_in", S, 1,
         lambda case: below("time_in_market", 0.3, trades=FEWEST_TRADES)(case)
         and case.metrics.net_profit > 0,
         "It needs the market only {time_in_market} of the time."),
)  # fmt: skip


def remarks_on(case: Case) -> tuple[Remark, ...]:
    """What the rules find: cautions first, then the most severe, in the order of the table."""
    found = [rule for rule in RULES if rule.holds(case)]
    figures = {one.key: shown(one, getattr(case.metrics, one.key), case.quote) for one in METRICS}
    remarks = [
        Remark(
            id=rule.id,
            tone=rule.tone,
            severity=rule.severity,
            text=rule.sentence.format_map({**figures, **rule.words(case)}),
        )
        for rule in found
    ]
    return tuple(sorted(remarks, key=lambda one: (one.tone is not Tone.CAUTION, -one.severity)))
