"""A study as it is asked for, what it is doing, and what it found."""

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.domain.backtest_runs import BacktestRequest, labels_of
from engine.domain.money import UtcDatetime
from engine.domain.monte_carlo import MonteCarlo
from engine.domain.scores import Scores
from engine.domain.search_space import Range, Value
from engine.domain.study_kinds import Method, ObjectiveKey, Pruner
from engine.domain.trials import TrialOutcome
from engine.domain.walk_forward import WalkForward

MOST_TRIALS = 5_000


class StudyState(StrEnum):
    """What a study is doing, or how it ended. An interrupted or cancelled one can go on."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


ACTIVE_STUDIES = frozenset({StudyState.QUEUED, StudyState.RUNNING})
RESUMABLE = frozenset({StudyState.FAILED, StudyState.CANCELLED, StudyState.INTERRUPTED})


class StudyRequest(BaseModel):
    """Everything a person sets on a study.

    ``backtest`` says on which candles and terms; its parameters are those that stay as they are.
    ``ranges`` are searched (none: all parameters with bounds). With ``walk_forward`` parameters are
    chosen anew in every fold, otherwise once, before the newest ``holdout`` of the candles.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default="", max_length=80)
    backtest: BacktestRequest
    ranges: dict[str, Range] = Field(default_factory=dict, max_length=30)
    objective: ObjectiveKey = Field(default=ObjectiveKey.SHARPE, title="Objective")
    method: Method = Field(default=Method.TPE, title="Method")
    trials: int = Field(
        default=100,
        ge=1,
        le=MOST_TRIALS,
        title="Trials",
        description="of each fold; a grid tries all of its combinations",
    )
    seed: int = Field(default=1, ge=0, lt=2**31, title="Seed")
    pruner: Pruner = Field(default=Pruner.NONE, title="Give up early")
    holdout: float = Field(
        default=0.3,
        ge=0.05,
        le=0.8,
        title="Held out",
        description="fraction of the candles, the newest, to judge by",
    )
    walk_forward: WalkForward | None = Field(default=None, title="Walk-forward")
    min_trades: int = Field(
        default=10,
        ge=1,
        le=100_000,
        title="Least trades",
        description="in sample; fewer cannot win",
    )
    paths: int = Field(default=2_000, ge=100, le=100_000, title="Monte Carlo paths")
    baseline: dict[str, Any] | None = Field(
        default=None, title="Compared with",
        description="parameters that are judged out of sample beside the winner's, with the exit"
        " rules of the terms",
    )  # fmt: skip

    @model_validator(mode="after")
    def _one_symbol(self) -> Self:
        if len(labels_of(self.backtest.source)) > 1:
            raise ValueError("a study is on one symbol; choose one file or symbol")
        return self

    @property
    def fixed(self) -> dict[str, Any]:
        """The parameters that are given and not searched."""
        given = self.backtest.params
        return {name: value for name, value in given.items() if name not in self.ranges}


class StudyProgress(BaseModel):
    """How far a study is. ``stage`` in words; counts are over all folds."""

    model_config = ConfigDict(frozen=True)

    stage: str = "waiting"
    fold: int = 0
    folds: int = 0
    trials: int = 0
    planned: int = 0
    best_value: float | None = None
    best_values: dict[str, Value] = Field(default_factory=dict)

    @property
    def share(self) -> float:
        """0 to 1."""
        return min(1.0, self.trials / self.planned) if self.planned else 0.0


Figures = dict[str, float | None]
"""Figures of ``Scores`` by name; None where one is not defined."""


class TrialRow(BaseModel):
    """A trial, in sample beside out of sample."""

    model_config = ConfigDict(frozen=True)

    fold: int
    number: int
    values: dict[str, Value]
    outcome: TrialOutcome
    value: float | None
    note: str = ""
    inside: Figures = Field(default_factory=dict)
    outside: Figures = Field(default_factory=dict)


class Judged(BaseModel):
    """The winner of a fold. Times bound its bars by their open; ``trials`` had a score."""

    model_config = ConfigDict(frozen=True)

    fold: int
    number: int
    values: dict[str, Value]
    value: float
    train_bars: int
    test_bars: int
    train_from: UtcDatetime
    train_to: UtcDatetime
    test_from: UtcDatetime
    test_to: UtcDatetime
    trials: int
    inside: Figures
    outside: Figures


class Luck(BaseModel):
    """How much of the winner is luck. ``deflated_sharpe`` is the chance that its true Sharpe ratio
    is above 0 although it is the best of ``trials``; ``pbo`` the probability of backtest
    overfitting. None where they cannot be computed; ``verdict`` is for a person."""

    model_config = ConfigDict(frozen=True)

    trials: int
    deflated_sharpe: float | None = None
    pbo: float | None = None
    loss_probability: float | None = None
    verdict: tuple[str, ...] = ()


class StudySummary(BaseModel):
    """What a study found. ``best`` are the newest fold's values; ``params`` and ``exits`` are what
    a bot would be given. ``inside`` and ``outside`` are metrics by name, out of sample over all
    folds' tests one after the other; ``baseline`` those of the request's baseline out of sample;
    ``curve_ms`` and ``curve`` the same as a thinned curve."""

    model_config = ConfigDict(frozen=True)

    best: dict[str, Value] = Field(default_factory=dict)
    best_value: float | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    exits: dict[str, Value] = Field(default_factory=dict)
    folds: tuple[Judged, ...] = ()
    inside: dict[str, Any] = Field(default_factory=dict)
    outside: dict[str, Any] = Field(default_factory=dict)
    curve_ms: tuple[int, ...] = ()
    curve: tuple[float, ...] = ()
    baseline: dict[str, Any] = Field(default_factory=dict)
    efficiency: float | None = None
    stability: dict[str, float] = Field(default_factory=dict)
    importance: dict[str, float] = Field(default_factory=dict)
    luck: Luck = Luck(trials=0)
    monte_carlo: MonteCarlo | None = None
    counts: dict[TrialOutcome, int] = Field(default_factory=dict)
    grid_size: int = 0
    warnings: tuple[str, ...] = ()
    note: str = ""


class Study(BaseModel):
    """A study as stored; its trials are in its journal."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    state: StudyState = StudyState.QUEUED
    request: StudyRequest
    symbol: str = ""
    progress: StudyProgress = StudyProgress()
    summary: StudySummary = StudySummary()
    error: str = ""
    error_field: str = ""
    source_sha256: str = Field(default="", description="of the strategy and the candles")
    retune_of: str = Field(default="", description="the bot that this study is to tune again")
    created_at: UtcDatetime
    started_at: UtcDatetime | None = None
    finished_at: UtcDatetime | None = None

    @property
    def is_active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ACTIVE_STUDIES


def figures(scores: Scores) -> Figures:
    """As JSON values."""
    return {name: value if math.isfinite(value) else None
            for name, value in zip(Scores._fields, scores, strict=True)}  # fmt: skip


def scores_of(found: Mapping[str, float | None]) -> Scores:
    """The other way round."""
    return Scores(**{name: math.nan if value is None else value for name, value in found.items()})
