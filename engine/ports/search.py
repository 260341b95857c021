"""Which parameters to try next, and a durable record of what was tried."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from engine.domain.search_space import Dimension, Value
from engine.domain.study_kinds import Method, Pruner
from engine.domain.trials import TrialOutcome


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """What is searched and how. Two searches with one plan ask for the same, whatever happened in
    between and however many workers answered."""

    dimensions: tuple[Dimension, ...]
    method: Method
    pruner: Pruner
    seed: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A trial that waits for its result. ``values`` has one for every dimension."""

    number: int
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Told:
    """A trial that has its result; ``row`` is what was kept of it, as JSON values."""

    number: int
    values: Mapping[str, Value]
    outcome: TrialOutcome
    value: float | None
    row: Mapping[str, Any] = field(default_factory=dict)


class Search(Protocol):
    """One search, written down as it goes: what was asked and told is never lost or repeated."""

    def batch(self, size: int) -> Sequence[Asked]:
        """The trials to carry out now: what an interrupted batch still waits for, or else ``size``
        new ones (fewer when a grid ends, none when it has ended)."""
        ...

    def report(self, number: int, step: int, value: float) -> bool:
        """A first look at a trial after part ``step``; whether to go on with it."""
        ...

    def tell(self, number: int, outcome: TrialOutcome, value: float | None, row: Any) -> None:
        """A trial's result; told in the order of numbers."""
        ...

    def told(self) -> Sequence[Told]:
        """All results so far, in the order of numbers."""
        ...

    def importance(self) -> Mapping[str, float]:
        """How much each parameter mattered to the value, in sum 1; empty where it cannot be
        said."""
        ...


class Searches(Protocol):
    """Where searches are kept, many under one id (those of a walk-forward's folds)."""

    def open(self, study_id: str, name: str, plan: SearchPlan) -> AbstractContextManager[Search]:
        """Begin a search, or go on with the one kept under this name. Raises StoreError when its
        record cannot be read or written."""
        ...

    def delete(self, study_id: str) -> None:
        """Forget all searches of a study, if there are any."""
        ...
