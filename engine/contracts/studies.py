"""Studies: what is asked, what is previewed, what was tried and found; re-tuning of bots."""

from decimal import Decimal
from typing import Literal

from pydantic import ConfigDict, Field

from engine.contracts.base import Contract
from engine.domain.bots import BotName
from engine.domain.money import ZERO, UtcDatetime
from engine.domain.objectives import OBJECTIVES
from engine.domain.retunes import Retune, RetuneSettings
from engine.domain.search_space import EXITS, MOST_GRID, Range, Value
from engine.domain.studies import (
    ACTIVE_STUDIES,
    RESUMABLE,
    Judged,
    Luck,
    Study,
    StudyProgress,
    StudyRequest,
    StudyState,
    StudySummary,
    TrialRow,
)
from engine.domain.study_kinds import Method, ObjectiveKey, Pruner
from engine.domain.trials import TrialOutcome
from engine.domain.walk_forward import WalkForward

# With the words of the domain that the panel speaks too: it imports nothing else of the engine.
__all__ = [
    "ACTIVE_STUDIES", "EXITS", "MOST_GRID", "OBJECTIVES", "RESUMABLE", "Judged", "Luck", "Method",
    "ObjectiveKey", "Pruner", "Range", "Retune", "RetuneSettings", "Study", "StudyBotRequest",
    "StudyBrief", "StudyFilter", "StudyPage", "StudyPreviewView", "StudyProgress", "StudyRequest",
    "StudyState", "StudySummary", "TrialFilter", "TrialOutcome", "TrialPage", "TrialRow", "Value",
    "WalkForward", "WindowView",
]  # fmt: skip


class WindowView(Contract):
    """A fold's windows, in candles."""

    train_bars: int
    test_bars: int


class StudyPreviewView(Contract):
    """What a study would do. ``bars`` is None for a market, which is asked when it runs; ``trials``
    are those of all folds together."""

    symbol: str
    quote: str
    bars: int | None
    searched: dict[str, int] = Field(description="parameters, with how many values a grid has")
    grid_size: int
    trials: int
    folds: tuple[WindowView, ...]
    warnings: tuple[str, ...] = ()


class StudyFilter(Contract):
    """Which studies; an empty field does not narrow. ``search`` is a part of the name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    strategy: str | None = Field(default=None, max_length=64)
    state: StudyState | None = None
    search: str = Field(default="", max_length=200)
    limit: int = Field(default=50, ge=1, le=500)
    offset: int = Field(default=0, ge=0, le=10_000_000)


class StudyBrief(Contract):
    """A study as a list shows it. ``inside`` and ``outside`` are the objective's value of the
    winner, in and out of sample."""

    id: str
    name: str
    state: StudyState
    strategy: str
    symbol: str
    objective: ObjectiveKey
    method: Method
    progress: StudyProgress
    inside: float | None
    outside: float | None
    pbo: float | None
    error: str
    created_at: UtcDatetime
    finished_at: UtcDatetime | None


class StudyPage(Contract):
    """Studies, newest first; ``count`` is how many match."""

    items: tuple[StudyBrief, ...]
    count: int


class TrialFilter(Contract):
    """Which trials of a study, in which order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fold: int | None = Field(default=None, ge=1, le=1000)
    outcome: TrialOutcome | None = None
    order: Literal["number", "best"] = "number"
    limit: int = Field(default=1000, ge=1, le=5000)
    offset: int = Field(default=0, ge=0, le=10_000_000)


class TrialPage(Contract):
    """A page of trials; ``count`` is how many match."""

    items: tuple[TrialRow, ...]
    count: int


class StudyBotRequest(Contract):
    """A paper bot with the best parameters. An empty ``market`` is where the candles came from; a
    file is replayed at ``speed`` times real time (0: as fast as it goes)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: BotName
    market: str = Field(default="", max_length=500)
    speed: Decimal = Field(default=ZERO, ge=0, le=1_000_000)
