"""Tuning a bot again on a schedule: what is asked for, and when it is due."""

from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.money import UtcDatetime
from engine.domain.objectives import OBJECTIVES
from engine.domain.scores import Scores
from engine.domain.search_space import Range, Value
from engine.domain.studies import MOST_TRIALS, StudySummary, scores_of
from engine.domain.study_kinds import Method, ObjectiveKey


class RetuneSettings(BaseModel):
    """How a bot is tuned again. Off until a person wants it.

    The challenger must beat the present parameters out of sample by ``margin``, in the objective's
    own unit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    is_on: bool = Field(default=False, title="Tune this bot again by itself")
    every_days: int = Field(default=7, ge=1, le=365, title="Every (days)")
    hour: int = Field(default=3, ge=0, le=23, title="At (hour, UTC)")
    lookback_bars: int = Field(default=2_000, ge=200, le=200_000, title="Candles looked back on")
    objective: ObjectiveKey = Field(default=ObjectiveKey.SHARPE, title="Objective")
    method: Method = Field(default=Method.TPE, title="Method")
    trials: int = Field(default=60, ge=1, le=MOST_TRIALS, title="Trials")
    seed: int = Field(default=1, ge=0, lt=2**31, title="Seed")
    holdout: float = Field(default=0.3, ge=0.05, le=0.8, title="Held out")
    min_trades: int = Field(default=10, ge=1, le=100_000, title="Least trades")
    margin: float = Field(default=0.1, ge=0, le=1_000, title="Margin")
    ranges: dict[str, Range] = Field(default_factory=dict, max_length=30)


class Retune(BaseModel):
    """A bot's re-tuning as stored. ``study_id`` is the study under way; ``wins`` waits to be
    applied until the bot is flat; ``outcome`` says what became of the last study."""

    model_config = ConfigDict(frozen=True)

    bot_id: str
    settings: RetuneSettings = RetuneSettings()
    next_at: UtcDatetime | None = None
    study_id: str = ""
    wins: dict[str, Any] = Field(default_factory=dict, description="params and exits")
    outcome: str = ""
    updated_at: UtcDatetime


def next_due(settings: RetuneSettings, after: datetime) -> datetime:
    """The first time at the wanted hour that is ``every_days`` or more after ``after``, counted by
    its day."""
    day = after.replace(hour=settings.hour, minute=0, second=0, microsecond=0)
    return day + timedelta(days=settings.every_days)


def first_due(settings: RetuneSettings, now: datetime) -> datetime:
    """The next time that it is the wanted hour."""
    today = now.replace(hour=settings.hour, minute=0, second=0, microsecond=0)
    return today if today > now else today + timedelta(days=1)


class Contest(BaseModel):
    """Challenger against present, out of sample, in the objective's unit; None: undefined."""

    model_config = ConfigDict(frozen=True)

    is_won: bool
    challenger: float | None
    present: float | None
    words: str


def contest(settings: RetuneSettings, summary: StudySummary, present: dict[str, Any]) -> Contest:
    """Whether a study's winner replaces ``present`` (parameters by name), and why."""
    objective = OBJECTIVES[settings.objective]
    if not summary.outside:
        return Contest(is_won=False, challenger=None, present=None,
                       words=f"The parameters are kept. {summary.note}")  # fmt: skip
    challenger, _why = objective.value(_scores(summary.outside), 1)
    baseline, _why = objective.value(_scores(summary.baseline), 1)
    title = objective.title.lower()
    numbers = f"{title} out of sample {_shown(challenger)}, of the present ones {_shown(baseline)}"
    if _is_same(summary.params, summary.exits, present):
        words = f"The parameters are kept: the same ones won again ({numbers})."
        return Contest(is_won=False, challenger=challenger, present=baseline, words=words)
    if baseline is None and (summary.baseline.get("total_return") or 0) > 0:
        # Nothing was lost, so that there is nothing to divide by: no number beats that.
        words = f"The parameters are kept: they gained, and too evenly to compare ({numbers})."
        return Contest(is_won=False, challenger=challenger, present=None, words=words)
    floor = (baseline or 0.0) + settings.margin  # parameters that do nothing are worth nothing
    is_won = challenger is not None and challenger > floor
    words = (
        f"Better parameters were found: {numbers}, which is more than the margin of"
        f" {settings.margin:g} apart."
        if is_won
        else f"The parameters are kept: {numbers}; the new ones do not win by the margin of"
        f" {settings.margin:g}."
    )
    return Contest(is_won=is_won, challenger=challenger, present=baseline, words=words)


def _scores(metrics: dict[str, Any]) -> Scores:
    return scores_of({name: metrics.get(name) for name in Scores._fields})


def _is_same(params: dict[str, Any], exits: dict[str, Value], present: dict[str, Any]) -> bool:
    return not exits and all(present.get(name) == value for name, value in params.items())


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4g}"
