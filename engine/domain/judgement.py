"""The winner looked at in full, and how much of it is luck."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from engine.domain.candles import FloatArray
from engine.domain.look_ahead import find_look_ahead
from engine.domain.monte_carlo import Chunk, Partial, monte_carlo_chunk
from engine.domain.overfitting import (
    BLOCKS,
    deflated_sharpe,
    minimum_backtest_years,
    overfitting_probability,
)
from engine.domain.performance import History, history_of, ratios
from engine.domain.performance.history import MS_A_DAY, ClosedTrades, Labels
from engine.domain.performance.sampling import DAYS_OF_CALENDAR, periods_of
from engine.domain.studies import Luck
from engine.domain.trials import Bench, TrialTask

FEWEST_FOR_PBO = 2
LIKELY = 0.95
MS_A_YEAR = DAYS_OF_CALENDAR * MS_A_DAY


class Judgement(NamedTuple):
    """A set of parameters in and out of sample; ``refusal`` when they make the strategy look
    ahead."""

    inside: History
    outside: History
    refusal: str


def judge(bench: Bench, task: TrialTask) -> Judgement:
    """Simulate once more and keep everything. ``task.test`` must be there. Raises Unfit, and
    whatever the strategy's own code does."""
    if task.test is None:
        raise ValueError("there is nothing to judge by")
    strategy, terms = bench.strategy(task.params), bench.terms_with(task.exits)
    found = find_look_ahead(strategy, bench.candles)
    return Judgement(
        history_of(bench.simulate(strategy, terms, task.train, task.lead)),
        history_of(bench.simulate(strategy, terms, task.test, task.lead)),
        found.sentence if found else "",
    )


def what_else(_bench: Bench, chunk: Chunk) -> Partial:
    """A part of a Monte Carlo, as a task of the bench's workers."""
    return monte_carlo_chunk(chunk)


def one_after_another(histories: Sequence[History]) -> History:
    """Histories that each began with the same cash, as one account's that went through them all:
    what it trades grows and shrinks with it. Raises ValueError for none."""
    if not histories:
        raise ValueError("there is no history")
    factor, scaled = 1.0, []
    for one in histories:
        scaled.append(_scaled(one, factor))
        factor *= one.final_equity / one.starting_cash
    last = scaled[-1]
    markets = [one.market for one in scaled if one.market is not None]
    return replace(
        last,
        start_ms=scaled[0].start_ms,
        starting_cash=scaled[0].starting_cash,
        at=np.concatenate([one.at for one in scaled]),
        equity=np.concatenate([one.equity for one in scaled]),
        trades=_joined([one.trades for one in scaled]),
        market=np.concatenate(markets) if len(markets) == len(scaled) else None,
    )


def _scaled(history: History, factor: float) -> History:
    trades = history.trades
    return replace(
        history,
        equity=history.equity * factor,
        trades=replace(
            trades,
            entry_value=trades.entry_value * factor,
            fees=trades.fees * factor,
            pnl=trades.pnl * factor,
        ),
        open_value=tuple(value * factor for value in history.open_value),
        open_pnl=history.open_pnl * factor,
    )


def _joined(parts: Sequence[ClosedTrades]) -> ClosedTrades:
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("is_long", "entry_ms", "exit_ms", "entry_value", "fees", "pnl")
    }
    labels = {
        name: Labels(np.concatenate([part.labels[name].codes for part in parts]), label.names)
        for name, label in parts[0].labels.items()
    }
    return ClosedTrades(**columns, labels=labels)


def luck_of(winner: History, sharpes: Sequence[float], slices: FloatArray) -> Luck:
    """How much of the winner's in-sample ``winner`` is luck.

    ``sharpes`` are the Sharpe ratios (a year) of all trials that had one, the winner's among them;
    ``slices`` their returns, one row a trial. Shape: (trials, slices).
    """
    trials = len(slices)
    deflated = _deflated(winner, sharpes, trials)
    too_short = _too_short(winner, trials)
    pbo = loss = None
    if trials >= FEWEST_FOR_PBO and slices.shape[1] >= 2 * BLOCKS:
        found = overfitting_probability(slices.T)
        pbo, loss = found.probability, found.loss_probability
    return Luck(
        trials=trials, deflated_sharpe=deflated, pbo=pbo, loss_probability=loss,
        verdict=(*_verdict(trials, deflated, pbo), *too_short),
    )  # fmt: skip


def _too_short(winner: History, trials: int) -> list[str]:
    """Whether so many trials needed more history for a Sharpe ratio like the winner's."""
    periods = periods_of(winner)
    ratio = ratios.sharpe(periods.returns, periods.a_year)
    if ratio is None or ratio <= 0 or trials < 1:
        return []
    years, needed = winner.span_ms / MS_A_YEAR, minimum_backtest_years(trials, ratio)
    if years >= needed:
        return []
    return [
        f"{years:.2g} years in sample are few: on less than {needed:.2g} the best of {trials}"
        " worthless trials is expected to look as good."
    ]


def _deflated(winner: History, sharpes: Sequence[float], trials: int) -> float | None:
    periods = periods_of(winner)
    each = ratios.sharpe(periods.returns, 1.0)
    skew, kurtosis = ratios.skewness(periods.returns), ratios.excess_kurtosis(periods.returns)
    if each is None or skew is None or kurtosis is None or trials < 1:
        return None
    known = np.array([one for one in sharpes if math.isfinite(one)]) / math.sqrt(periods.a_year)
    deviation = float(np.std(known, ddof=1)) if len(known) > 1 else 0.0
    return deflated_sharpe(
        each, len(periods.returns), trials=trials, deviation=deviation, skew=skew,
        kurtosis=kurtosis + 3,
    )  # fmt: skip


def _verdict(trials: int, deflated: float | None, pbo: float | None) -> list[str]:
    words = []
    if pbo is None:
        words.append(
            f"PBO unknown: it needs at least {FEWEST_FOR_PBO} trials with a score, in sample over"
            f" {2 * BLOCKS} candles or more."
        )
    elif pbo > 0.5:
        words.append(f"PBO {pbo:.2f}: more likely than not the best of these trials is luck.")
    elif pbo > 0.2:
        words.append(f"PBO {pbo:.2f}: a fair chance that the best of these trials is luck.")
    else:
        words.append(f"PBO {pbo:.2f}: what was best on one part was good on the others too.")
    if deflated is None:
        words.append("Deflated Sharpe ratio unknown: the best trial's returns are all the same.")
    elif deflated >= LIKELY:
        words.append(
            f"Deflated Sharpe ratio {deflated:.2f}: after {trials} trials the best one's is still"
            " significant."
        )
    else:
        words.append(
            f"Deflated Sharpe ratio {deflated:.2f}: the best of {trials} worthless trials could"
            f" well look like this; {LIKELY:.2f} or more would be significant."
        )
    return words
