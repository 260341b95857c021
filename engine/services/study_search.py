"""One search of a study: batches are asked, carried out by the crew, and told in their order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.domain.search_space import SearchSpace
from engine.domain.studies import Figures, StudyRequest, TrialRow, figures
from engine.domain.study_kinds import Method, Pruner
from engine.domain.trials import TrialOutcome, TrialResult, TrialTask, try_many
from engine.domain.walk_forward import Fold, Window
from engine.ports.compute import Crew, Outcome
from engine.ports.search import Asked, Search, Told

BATCH = {Method.TPE: 16, Method.RANDOM: 48, Method.GRID: 48}
"""Trials that are asked before the first of them is told: fixed, so that how many workers there
are changes nothing. TPE learns between batches; the others have nothing to learn."""

GROUP = 4
"""Trials that a worker takes at a time, computing what they share once."""

RUNGS = (0.25, 0.5)
"""Parts of the training after which a pruner looks at the trials."""

MOST_ASKED = 5
"""So many times the wanted trials are asked at the most, where the strategy refuses many."""


class Cancelled(Exception):
    """The study is to stop; what was told is kept."""


@dataclass(frozen=True)
class FoldSearch:
    """What a fold's trials have in common."""

    request: StudyRequest
    space: SearchSpace
    fold: Fold
    lead: int
    crew: Crew
    search: Search
    is_cancelled: Callable[[], bool]

    def run(self, on_told: Callable[[Sequence[Told]], None]) -> Sequence[Told]:
        """Go on until there are enough trials; all of them. ``on_told`` hears of every batch.
        Raises Cancelled."""
        while True:
            told = self.search.told()
            on_told(told)
            counted = sum(one.outcome is not TrialOutcome.REFUSED for one in told)
            wanted = self._wanted
            if counted >= wanted or len(told) >= wanted * MOST_ASKED:
                return told
            batch = self.search.batch(min(BATCH[self.request.method], wanted - counted))
            if not batch:
                return told
            self._carry_out(batch)

    @property
    def _wanted(self) -> int:
        if self.request.method is Method.GRID:
            return self.space.grid_size
        return self.request.trials

    def _carry_out(self, batch: Sequence[Asked]) -> None:
        going, ends = list(batch), _Ends()
        if self.request.pruner is not Pruner.NONE:
            for step, part in enumerate(RUNGS, start=1):
                going = self._rung(going, step, part, ends)
        tasks = [self.task(one, self.fold.train, self.fold.test) for one in going]
        for one, result in zip(going, self._tried(tasks), strict=True):
            ends.results[one.number] = result
        for one in batch:  # in their order, whichever came first
            result = ends.results[one.number]
            self.search.tell(one.number, result.outcome, result.value, row_of(result))

    def _rung(self, going: list[Asked], step: int, part: float, ends: "_Ends") -> list[Asked]:
        """Try those still going on the first ``part`` of the training; those that stay."""
        train = self.fold.train
        window = Window(train.start, train.start + max(1, int(train.length * part)))
        tasks = [self.task(one, window, None) for one in going]
        staying = []
        for one, result in zip(going, self._tried(tasks), strict=True):
            if result.outcome in (TrialOutcome.REFUSED, TrialOutcome.FAILED):
                ends.results[one.number] = result
            elif result.value is not None and not self.search.report(
                one.number, step, result.value
            ):
                note = f"given up after {part:.0%} of the training, at {result.value:.4g}"
                ends.results[one.number] = result._replace(
                    outcome=TrialOutcome.PRUNED, value=None, note=note
                )
            else:
                staying.append(one)
        return staying

    def task(self, one: Asked, train: Window, test: Window | None) -> TrialTask:
        """A trial's work."""
        params, exits = self.space.split(one.values)
        return TrialTask(params, exits, train, test, self.lead)

    def _tried(self, tasks: Sequence[TrialTask]) -> list[TrialResult]:
        """Results in the order of tasks. What kills a worker is tried alone, and then is its own
        failure."""
        groups = [range(first, min(first + GROUP, len(tasks)))
                  for first in range(0, len(tasks), GROUP)]  # fmt: skip
        found = self._run([[tasks[index] for index in group] for group in groups])
        results: dict[int, TrialResult] = {}
        alone: list[int] = []
        for group, outcome in zip(groups, found, strict=True):
            if outcome.value is None:
                alone += group
            else:
                results |= dict(zip(group, outcome.value, strict=True))
        for index, outcome in zip(alone, self._run([[tasks[i]] for i in alone]), strict=True):
            failed = TrialResult(TrialOutcome.FAILED, note=outcome.error or "")
            results[index] = outcome.value[0] if outcome.value else failed
        return [results[index] for index in range(len(tasks))]

    def _run(self, items: Sequence[Sequence[TrialTask]]) -> list[Outcome[list[TrialResult]]]:
        outcomes: dict[int, Outcome[list[TrialResult]]] = {}
        is_whole = self.crew.run(
            try_many, items, on_result=outcomes.__setitem__, is_cancelled=self.is_cancelled
        )
        if not is_whole:
            raise Cancelled
        return [outcomes[index] for index in range(len(items))]


@dataclass
class _Ends:
    results: dict[int, TrialResult] = field(default_factory=dict)


def row_of(result: TrialResult) -> dict[str, Any]:
    """What is kept of a trial, as JSON values."""
    return {
        "note": result.note,
        "inside": figures(result.inside),
        "outside": figures(result.outside),
        "slices": [float(f"{one:.6g}") for one in result.slices],
    }


def trial_row(fold: int, told: Told) -> TrialRow:
    """A trial as people see it."""
    inside: Figures = told.row.get("inside", {})
    outside: Figures = told.row.get("outside", {})
    return TrialRow(
        fold=fold, number=told.number, values=dict(told.values), outcome=told.outcome,
        value=told.value, note=str(told.row.get("note", "")), inside=inside, outside=outside,
    )  # fmt: skip


def best_of(told: Sequence[Told]) -> Told | None:
    """The highest value; of equal ones the first that was tried."""
    scored = [one for one in told if one.value is not None]
    return max(scored, key=lambda one: (one.value, -one.number), default=None)
