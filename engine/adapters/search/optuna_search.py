"""Searches by Optuna."""

import hashlib
import json
import logging
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.pruners import BasePruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, GridSampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from engine.adapters.search.journal import BatchedJournal, open_journal
from engine.domain.search_space import Dimension
from engine.domain.study_kinds import Method, Pruner
from engine.domain.trials import TrialOutcome
from engine.ports.search import Asked, Search, SearchPlan, Told

STARTUP_TRIALS = 20
BATCH, ROW, OUTCOME = "batch", "row", "outcome"
IMPORTANCE_TREES = 32
FEWEST_FOR_IMPORTANCE = 16


class OptunaSearches:
    """``ports.Searches``: one journal a study in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._open: dict[str, tuple[JournalStorage, BatchedJournal, int]] = {}
        logging.getLogger("optuna").setLevel(logging.WARNING)

    @contextmanager
    def open(self, study_id: str, name: str, plan: SearchPlan) -> Iterator[Search]:
        """Raises StoreError."""
        with self._storage(study_id) as (storage, journal):
            study = optuna.create_study(
                storage=storage, study_name=name, direction="maximize", load_if_exists=True,
                pruner=_pruner(plan.pruner), sampler=RandomSampler(plan.seed),
            )  # fmt: skip
            yield OptunaSearch(study, plan, journal)

    @contextmanager
    def _storage(self, study_id: str) -> Iterator[tuple[JournalStorage, BatchedJournal]]:
        """A study's journal, which is opened once for all who use it at a time."""
        with self._lock:
            known = self._open.get(study_id)
            storage, journal, users = known or (*open_journal(self._path(study_id)), 0)
            self._open[study_id] = storage, journal, users + 1
        try:
            yield storage, journal
            journal.flush()
        finally:
            with self._lock:
                storage, journal, users = self._open.pop(study_id)
                if users > 1:
                    self._open[study_id] = storage, journal, users - 1

    def delete(self, study_id: str) -> None:
        """Remove the journal."""
        self._path(study_id).unlink(missing_ok=True)

    def _path(self, study_id: str) -> Path:
        return self._folder / f"{study_id}.journal"


class OptunaSearch:
    """``ports.Search`` over one Optuna study.

    Each trial is asked of a sampler that is seeded with the plan's seed and the trial's number, and
    a batch is told before the next one is asked: what is asked depends on the record alone.
    """

    def __init__(self, study: optuna.Study, plan: SearchPlan, journal: BatchedJournal) -> None:
        self._study = study
        self._journal = journal
        self._plan = plan
        self._distributions = {one.name: _distribution(one) for one in plan.dimensions}
        self._live: dict[int, Trial] = {}
        self._told: dict[int, Told] = {}
        self._grid = _grid_sampler(plan) if plan.method is Method.GRID else None

    def batch(self, size: int) -> Sequence[Asked]:
        """What an interrupted batch waits for, or new trials."""
        trials = self._study.get_trials(deepcopy=False)
        first, count = self._study.user_attrs.get(BATCH, (0, 0))
        is_begun = len(trials) < first + count or any(
            trial.state is TrialState.RUNNING for trial in trials[first:]
        )
        if not is_begun:
            first, count = len(trials), self._room(size, len(trials))
            if count:
                self._study.set_user_attr(BATCH, [first, count])
        begun = [one for one in trials[first:] if one.state is TrialState.RUNNING]
        batch = [
            *(self._taken_up(one) for one in begun),
            *(self._ask(number) for number in range(len(trials), first + count)),
        ]
        self._journal.flush()
        return batch

    def _room(self, size: int, asked: int) -> int:
        if self._grid is None:
            return size
        total = math.prod(len(one.values()) for one in self._plan.dimensions)
        return min(size, total - asked)

    def _ask(self, number: int) -> Asked:
        self._study.sampler = self._sampler(number)
        trial = self._study.ask(self._distributions)
        self._live[trial.number] = trial
        return Asked(trial.number, dict(trial.params))

    def _taken_up(self, trial: FrozenTrial) -> Asked:
        """A trial of an interrupted batch. Where the process died while it wrote this one down, the
        same values are drawn again."""
        if len(trial.params) == len(self._distributions):
            return Asked(trial.number, dict(trial.params))
        sampler = self._study.sampler = self._sampler(trial.number)
        live = self._trial(trial.number)
        for name, distribution in self._distributions.items():
            if name in trial.params and not distribution.single():
                sampler.sample_independent(self._study, trial, name, distribution)  # in its order
            _suggest(live, name, distribution)
        return Asked(trial.number, dict(live.params))

    def _sampler(self, number: int) -> BaseSampler:
        words = f"{self._plan.seed}:{number}".encode()
        seed = int.from_bytes(hashlib.blake2b(words, digest_size=4).digest(), "little")
        if self._grid is not None:
            return self._grid
        if self._plan.method is Method.RANDOM:
            return RandomSampler(seed)
        return TPESampler(seed=seed, n_startup_trials=STARTUP_TRIALS, constant_liar=True,
                          multivariate=False)  # fmt: skip

    def report(self, number: int, step: int, value: float) -> bool:
        """Whether to go on."""
        trial = self._trial(number)
        if step not in self._frozen(number).intermediate_values:
            trial.report(value, step)
        return not trial.should_prune()

    def tell(self, number: int, outcome: TrialOutcome, value: float | None, row: Any) -> None:
        """Optuna learns from what was pruned or refused too: as from a bad value."""
        trial = self._trial(number)
        trial.set_user_attr(ROW, json.dumps({OUTCOME: outcome.value} | row))
        self._study.sampler = RandomSampler(self._plan.seed)  # a grid's would stop a loop
        is_scored = outcome is TrialOutcome.SCORED
        self._study.tell(
            number,
            value if is_scored else None,
            state=TrialState.COMPLETE if is_scored else TrialState.PRUNED,
        )
        self._live.pop(number, None)

    def told(self) -> Sequence[Told]:
        """In the order of numbers; all of them are on the disk then."""
        self._journal.flush()
        for one in self._study.get_trials(deepcopy=False):
            if one.state.is_finished() and one.number not in self._told:
                self._told[one.number] = _told(one)
        return [self._told[number] for number in sorted(self._told)]

    def importance(self) -> Mapping[str, float]:
        """fANOVA over a small seeded forest: Hutter, Hoos, Leyton-Brown 2014."""
        scored = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        values = {one.value for one in scored}
        if len(scored) < FEWEST_FOR_IMPORTANCE or len(values) < 2 or len(self._distributions) < 2:
            return {}
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        return dict(optuna.importance.get_param_importances(self._study, evaluator=evaluator))

    def _trial(self, number: int) -> Trial:
        """A trial that can be told; one of an interrupted batch is taken up again."""
        if number not in self._live:
            self._live[number] = Trial(self._study, self._frozen(number)._trial_id)
        return self._live[number]

    def _frozen(self, number: int) -> FrozenTrial:
        return self._study.get_trials(deepcopy=False)[number]


def _suggest(trial: Trial, name: str, distribution: BaseDistribution) -> None:
    """What ``Study.ask`` does with each distribution."""
    if isinstance(distribution, IntDistribution):
        trial.suggest_int(name, distribution.low, distribution.high, step=distribution.step)
    elif isinstance(distribution, FloatDistribution):
        trial.suggest_float(name, distribution.low, distribution.high, step=distribution.step)
    elif isinstance(distribution, CategoricalDistribution):
        trial.suggest_categorical(name, distribution.choices)


def _grid_sampler(plan: SearchPlan) -> GridSampler:
    """All combinations in an order shuffled by the seed, so that a part of them is a fair part."""
    return GridSampler({one.name: list(one.values()) for one in plan.dimensions}, seed=plan.seed)


def _told(trial: FrozenTrial) -> Told:
    row = json.loads(trial.user_attrs[ROW])
    outcome = TrialOutcome(row.pop(OUTCOME))
    value = trial.value if trial.state is TrialState.COMPLETE else None
    return Told(trial.number, dict(trial.params), outcome, value, row)


def _distribution(one: Dimension) -> BaseDistribution:
    if one.kind == "choice":
        return CategoricalDistribution(one.choices)
    if one.kind == "integer":
        return IntDistribution(int(one.low), int(one.high), step=int(one.step or 1))
    return FloatDistribution(one.low, one.high, step=one.step)


def _pruner(pruner: Pruner) -> BasePruner:
    if pruner is Pruner.MEDIAN:
        return MedianPruner(n_startup_trials=8)
    if pruner is Pruner.HALVING:
        return SuccessiveHalvingPruner(min_resource=1, reduction_factor=2)
    return NopPruner()
