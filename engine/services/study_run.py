"""A study from its candles to its summary: inspect, search every fold, judge the winners.

The same for the engine, which runs it in a thread, and for ``tune`` on the command line.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.domain import monte_carlo as mc
from engine.domain.judgement import Judgement, judge, luck_of, one_after_another, what_else
from engine.domain.money import from_epoch_ms
from engine.domain.performance import History, measure
from engine.domain.performance.thinning import kept_rows
from engine.domain.studies import (
    Judged,
    Luck,
    StudyProgress,
    StudySummary,
    TrialRow,
)
from engine.domain.trials import Bench, Inspection, TrialOutcome, TrialTask, inspect
from engine.domain.walk_forward import Fold, efficiency, stability
from engine.errors import ConfigError, StrategyError
from engine.ports.compute import Compute, Crew, Outcome, never
from engine.ports.search import Searches, SearchPlan, Told
from engine.services.study_search import Cancelled, FoldSearch, best_of, trial_row
from engine.services.study_setting import StudySetting

CURVE_POINTS = 500
MONTE_CARLO_STAGE, JUDGING_STAGE, INSPECTING_STAGE = "monte carlo", "judging", "inspecting"

OnProgress = Callable[[StudyProgress], None]


def search_name(fold: int) -> str:
    """Under which name a fold's search is kept."""
    return f"fold {fold}"


@dataclass(frozen=True)
class StudyRun:
    """Carries out one study; ``study_id`` names its record, which is gone on with when there is
    one."""

    study_id: str
    setting: StudySetting
    compute: Compute
    searches: Searches
    on_progress: OnProgress
    is_cancelled: Callable[[], bool] = never

    def run(self) -> StudySummary:
        """Raises Cancelled, StrategyError for a strategy that looks ahead or fails in every trial,
        ConfigError, DataError, StoreError."""
        self.on_progress(StudyProgress(stage=INSPECTING_STAGE))
        with self.compute.crew(self.setting.bench) as crew:
            found = self._inspect(crew)
            folds = self.setting.folds(found.warmup)
            told = self._search(crew, folds, found.history)
            return self._judge(crew, folds, found.history, told)

    @property
    def plan(self) -> SearchPlan:
        """How parameters are searched."""
        request = self.setting.request
        return SearchPlan(
            self.setting.space.dimensions, request.method, request.pruner, request.seed
        )

    def _inspect(self, crew: Crew) -> Inspection:
        space = self.setting.space
        combinations = [space.split({})[0], *(space.split(one)[0] for one in space.corners())]
        found: Inspection = self._ask(crew, inspect, [combinations])[0]
        if found.refusal:
            raise StrategyError(found.refusal, field="backtest.strategy")
        return found

    def _ask(self, crew: Crew, function: Callable[[Bench, Any], Any], items: Sequence[Any]) -> Any:
        """The values of items that must all succeed."""
        outcomes: dict[int, Outcome[Any]] = {}
        is_whole = crew.run(
            function, items, on_result=outcomes.__setitem__, is_cancelled=self.is_cancelled
        )
        if not is_whole:
            raise Cancelled
        strategy_id = self.setting.request.backtest.strategy
        for outcome in outcomes.values():
            if outcome.error is not None:
                raise StrategyError(
                    f"strategy '{strategy_id}': {outcome.error}", field="backtest.strategy"
                )
        return [outcomes[index].value for index in range(len(items))]

    # --- searching ------------------------------------------------------------------------------

    def _search(self, crew: Crew, folds: Sequence[Fold], lead: int) -> list[Sequence[Told]]:
        setting = self.setting
        planned = setting.space.grid_size if setting.request.method == "grid" else (
            setting.request.trials
        )  # fmt: skip
        all_told: list[Sequence[Told]] = []
        for number, fold in enumerate(folds, start=1):
            done = sum(map(_counted, all_told))

            def on_told(told: Sequence[Told], number: int = number, done: int = done) -> None:
                best = best_of(told)
                self.on_progress(
                    StudyProgress(
                        stage="searching", fold=number, folds=len(folds),
                        trials=done + _counted(told), planned=planned * len(folds),
                        best_value=best.value if best else None,
                        best_values=dict(best.values) if best else {},
                    )
                )  # fmt: skip

            with self.searches.open(self.study_id, search_name(number), self.plan) as search:
                one = FoldSearch(
                    setting.request, setting.space, fold, lead, crew, search, self.is_cancelled
                )
                all_told.append(one.run(on_told))
        return all_told

    # --- judging --------------------------------------------------------------------------------

    def _judge(
        self, crew: Crew, folds: Sequence[Fold], lead: int, told: Sequence[Sequence[Told]]
    ) -> StudySummary:
        setting, request = self.setting, self.setting.request
        counts = Counter(one.outcome for part in told for one in part)
        summary = StudySummary(
            counts=dict(counts), warnings=setting.warnings,
            grid_size=setting.space.grid_size if request.method == "grid" else 0,
        )  # fmt: skip
        winners = [best_of(part) for part in told]
        chosen = [(fold, one) for fold, one in zip(folds, winners, strict=True) if one]
        if len(chosen) < len(folds):
            return self._without_winner(summary, winners, told)
        self.on_progress(self._late(JUDGING_STAGE, told, winners[-1]))
        tasks = [
            TrialTask(*setting.space.split(one.values), fold.train, fold.test, lead)
            for fold, one in chosen
        ]
        if request.baseline is not None:
            tasks += [
                TrialTask(request.baseline, {}, fold.train, fold.test, lead) for fold in folds
            ]
        judged: list[Judgement] = self._ask(crew, judge, tasks)
        judgements, baseline = judged[: len(folds)], judged[len(folds) :]
        for judgement in judgements:
            if judgement.refusal:
                raise StrategyError(judgement.refusal, field="backtest.strategy")
        outside = one_after_another([one.outside for one in judgements])
        inside = judgements[-1].inside
        best = chosen[-1][1]
        params, exits = setting.space.split(best.values)
        self.on_progress(self._late(MONTE_CARLO_STAGE, told, best))
        rows = kept_rows(outside.equity, CURVE_POINTS)
        return summary.model_copy(
            update={
                "best": dict(best.values), "best_value": best.value, "params": params,
                "exits": exits,
                "folds": tuple(
                    self._judged(number, fold, one, part)
                    for number, ((fold, one), part) in enumerate(zip(chosen, told, strict=True), 1)
                ),
                "inside": measure(inside).model_dump(mode="json"),
                "outside": measure(outside).model_dump(mode="json"),
                "baseline": measure(
                    one_after_another([one.outside for one in baseline])
                ).model_dump(mode="json") if baseline else {},
                "curve_ms": tuple(outside.at[rows].tolist()),
                "curve": tuple(outside.equity[rows].tolist()),
                "efficiency": efficiency(
                    [_gain(one.inside) for one in judgements],
                    [_gain(one.outside) for one in judgements], folds,
                ),
                "stability": stability(setting.space.dimensions, [one.values for _, one in chosen])
                if len(folds) > 1 else {},
                "importance": self._importance(len(folds)),
                "luck": _luck(inside, told[-1]),
                # The first training and all tests: later trainings hold tests that came before.
                "monte_carlo": self._monte_carlo(
                    crew, one_after_another([judgements[0].inside, outside])
                ),
            }
        )  # fmt: skip

    def _judged(self, number: int, fold: Fold, best: Told, told: Sequence[Told]) -> Judged:
        row, time = trial_row(number, best), self.setting.candles.time
        return Judged(
            fold=number, number=best.number, values=row.values, value=best.value or 0.0,
            train_bars=fold.train.length, test_bars=fold.test.length,
            train_from=from_epoch_ms(int(time[fold.train.start])),
            train_to=from_epoch_ms(int(time[fold.train.stop - 1])),
            test_from=from_epoch_ms(int(time[fold.test.start])),
            test_to=from_epoch_ms(int(time[fold.test.stop - 1])),
            trials=sum(one.value is not None for one in told),
            inside=row.inside, outside=row.outside,
        )  # fmt: skip

    def _without_winner(
        self,
        summary: StudySummary,
        winners: Sequence[Told | None],
        told: Sequence[Sequence[Told]],
    ) -> StudySummary:
        """No trial of a fold could win: said why. Raises StrategyError when all of them failed,
        ConfigError when the strategy refused them all."""
        part = told[winners.index(None)]
        notes = Counter(str(one.row.get("note", "")) for one in part)
        usual = notes.most_common(1)[0][0] if notes else "nothing was tried"
        outcomes = {one.outcome for one in part}
        if outcomes == {TrialOutcome.FAILED}:
            raise StrategyError(
                f"strategy '{self.setting.request.backtest.strategy}' failed in every trial:"
                f" {usual}",
                field="backtest.strategy",
            )
        if outcomes == {TrialOutcome.REFUSED}:
            raise ConfigError(f"The strategy refuses everything that was tried: {usual}.",
                              field="ranges")  # fmt: skip
        fold = f" of fold {winners.index(None) + 1}" if len(told) > 1 else ""
        return summary.model_copy(
            update={"note": f"No trial{fold} can win. Most often: {usual}. Use more candles, wider"
                            " ranges, or a lower number of least trades."}
        )  # fmt: skip

    def _late(self, stage: str, told: Sequence[Sequence[Told]], best: Told | None) -> StudyProgress:
        count = sum(map(_counted, told))
        return StudyProgress(
            stage=stage, fold=len(told), folds=len(told), trials=count, planned=count,
            best_value=best.value if best else None, best_values=dict(best.values) if best else {},
        )  # fmt: skip

    def _importance(self, fold: int) -> Mapping[str, float]:
        with self.searches.open(self.study_id, search_name(fold), self.plan) as search:
            return search.importance()

    def _monte_carlo(self, crew: Crew, history: History) -> mc.MonteCarlo | None:
        """What else could have come of the winners' trades, in and out of sample."""
        returns = mc.trade_returns(history)
        if not len(returns):
            return None
        request = self.setting.request
        plan = mc.Plan(returns, paths=request.paths, seed=request.seed,
                       starting_cash=history.starting_cash)  # fmt: skip
        return mc.combine(plan, self._ask(crew, what_else, mc.chunks(plan)))


def study_trials(searches: Searches, study_id: str, plan: SearchPlan, folds: int) -> list[TrialRow]:
    """All trials of a study so far, fold by fold."""
    rows = []
    for fold in range(1, folds + 1):
        with searches.open(study_id, search_name(fold), plan) as search:
            rows += [trial_row(fold, one) for one in search.told()]
    return rows


def _counted(told: Sequence[Told]) -> int:
    return sum(one.outcome is not TrialOutcome.REFUSED for one in told)


def _gain(history: History) -> float:
    return history.final_equity / history.starting_cash - 1


def _luck(inside: History, told: Sequence[Told]) -> Luck:
    scored = [one for one in told if one.value is not None]
    sharpes = [one.row["inside"]["sharpe"] for one in scored]
    return luck_of(
        inside,
        [one for one in sharpes if one is not None],
        np.array([one.row["slices"] for one in scored]),
    )
