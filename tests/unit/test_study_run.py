"""Studies from candles to summary: the same whoever computes, cut off or not, pruned or not."""

from pathlib import Path
from typing import Any

import pytest

from engine.adapters.compute.process_pool import ProcessPool
from engine.domain.search_space import Range
from engine.domain.studies import StudySummary
from engine.domain.study_kinds import Method, Pruner
from engine.domain.trials import TrialOutcome
from engine.errors import ConfigError, StrategyError
from engine.ports.search import SearchPlan
from engine.services.study_run import study_trials
from engine.services.study_search import Cancelled
from tests.support.tuning import FileHost, Workbench, study_request

GRID = {"fast": Range(low=3, high=12, step=3), "slow": Range(low=10, high=40, step=15)}


def all_trials(bench: Workbench, study_id: str, folds: int = 1, **changes: Any) -> list[Any]:
    request = study_request(**changes)
    space = bench.planner.preview(request).space
    plan = SearchPlan(space.dimensions, request.method, request.pruner, request.seed)
    return list(study_trials(bench.searches, study_id, plan, folds))


def test_the_same_seed_gives_the_same_whatever_computes(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    alone = bench.run(study_request(), "alone")
    pooled = bench.run(study_request(), "pooled", ProcessPool(2))
    assert pooled == alone
    assert all_trials(bench, "pooled") == all_trials(bench, "alone")
    assert bench.run(study_request(seed=2), "other").best_value != alone.best_value
    assert alone.best_value == pytest.approx(alone.inside["sharpe"])
    assert alone.outside["trades"] == alone.folds[0].outside["trades"]
    assert alone.luck.pbo is not None
    assert alone.monte_carlo is not None
    assert alone.monte_carlo.paths == 200


@pytest.mark.parametrize("pruner", list(Pruner))
def test_a_study_that_is_cut_off_goes_on_where_it_was(tmp_path: Path, pruner: Pruner) -> None:
    bench = Workbench(tmp_path)
    request = study_request(trials=48, pruner=pruner)
    whole = bench.run(request, "whole")
    bench.progress.clear()
    with pytest.raises(Cancelled):
        bench.run(request, "cut", stop_after=2)
    before = all_trials(bench, "cut", trials=48, pruner=pruner)
    assert 0 < len(before) < 48
    assert bench.run(request, "cut") == whole
    after = all_trials(bench, "cut", trials=48, pruner=pruner)
    assert after[: len(before)] == before
    assert sum(whole.counts.values()) == len(after)
    is_pruned = whole.counts.get(TrialOutcome.PRUNED, 0) > 0
    assert is_pruned == (pruner is not Pruner.NONE)


def test_a_grid_in_every_fold_of_a_walk_forward(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    walk = {"folds": 3, "mode": "anchored", "train_tests": 2}
    request = study_request(method=Method.GRID, ranges=GRID, walk_forward=walk)
    summary = bench.run(request, "walk")
    assert summary.grid_size == 12
    assert [one.fold for one in summary.folds] == [1, 2, 3]
    assert sum(summary.counts.values()) == 36
    assert summary.counts[TrialOutcome.REFUSED] == 3  # fast 12 against slow 10, in each fold
    tests = sum(one.test_bars for one in summary.folds)
    assert summary.folds[0].train_bars < summary.folds[2].train_bars
    growth = 1.0
    for one in summary.folds:
        growth *= 1 + (one.outside["total_return"] or 0)
    assert summary.outside["total_return"] == pytest.approx(growth - 1)
    assert summary.outside["days"] == pytest.approx(tests / 24, abs=0.1)
    assert set(summary.stability) == {"fast", "slow"}
    assert summary.monte_carlo is not None
    once = (summary.folds[0].inside["trades"] or 0) + summary.outside["trades"]
    assert summary.monte_carlo.trades == once, "later trainings hold the earlier tests' trades"
    first, last = bench.progress[0], bench.progress[-1]
    assert (first.stage, last.stage) == ("inspecting", "monte carlo")
    assert last.trials == 33


def test_the_best_is_chosen_in_sample_only(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    request = study_request(method=Method.GRID, ranges=GRID)
    summary = bench.run(request, "grid")
    rows = all_trials(bench, "grid", method=Method.GRID, ranges=GRID)
    scored = [one for one in rows if one.value is not None]
    assert summary.best == max(scored, key=lambda one: one.value).values
    assert all(one.outside["total_return"] is not None for one in scored)


def test_exits_are_tuned_too_and_a_baseline_is_judged_beside(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    request = study_request(
        ranges={"exits.stop_loss": Range(low=0.01, high=0.05), "slow": Range(low=20, high=40)},
        baseline={"fast": 10, "slow": 30}, trials=10,
    )  # fmt: skip
    summary = bench.run(request)
    assert 0.01 <= float(summary.exits["stop_loss"]) <= 0.05
    assert set(summary.params) == {"slow"}
    assert summary.baseline["trades"] >= 0
    assert summary.baseline != summary.outside


def test_too_few_trades_everywhere_is_a_result_that_says_so(tmp_path: Path) -> None:
    summary = Workbench(tmp_path).run(study_request(min_trades=10_000, trials=6))
    assert summary.best == {}
    assert "No trial can win" in summary.note
    assert "fewer than 10000" in summary.note
    assert isinstance(summary, StudySummary)


def test_what_a_strategy_refuses_entirely_is_an_error(tmp_path: Path) -> None:
    ranges = {"fast": Range(low=80, high=90), "slow": Range(low=10, high=40)}
    with pytest.raises(ConfigError, match="refuses"):
        Workbench(tmp_path).run(study_request(ranges=ranges, trials=4))


BROKEN = '''
"""Breaks where it is steep."""
import numpy as np
from pydantic import Field
from engine.domain.candles import Candles
from engine.domain.strategy import Signals, Strategy


class Broken(Strategy):
    """Divides by nothing for odd numbers."""

    title = "Broken"
    summary = "Broken."
    number: int = Field(default=2, ge=2, le=9)

    @property
    def warmup(self) -> int:
        return 1

    def signals(self, candles: Candles) -> Signals:
        if self.number % 2 or WORST:
            1 / 0
        beat = np.arange(len(candles)) % (3 * self.number)
        none = np.zeros(len(candles), dtype=np.bool_)
        return Signals(beat == 0, beat == self.number, none, none)


WORST = False
'''


def broken_bench(folder: Path, source: str) -> Workbench:
    """A workbench whose only strategy is this one."""
    from engine.adapters.strategies.loader import load

    (folder / "broken.py").write_text(source)
    host = FileHost(folder, {"broken": load(folder / "broken.py")})
    return Workbench(folder, host)


def broken_request(**changes: Any) -> Any:
    backtest = study_request().backtest.model_copy(update={"strategy": "broken"})
    return study_request(backtest=backtest, ranges={}, method=Method.GRID, **changes)


def test_a_trial_in_which_the_strategy_fails_is_counted_and_hurts_no_other(tmp_path: Path) -> None:
    summary = broken_bench(tmp_path, BROKEN).run(broken_request())
    assert summary.counts == {TrialOutcome.FAILED: 4, TrialOutcome.SCORED: 4}
    assert int(summary.best["number"]) % 2 == 0


def test_a_strategy_that_always_fails_ends_the_study_with_its_words(tmp_path: Path) -> None:
    source = BROKEN.replace("WORST = False", "WORST = True")
    with pytest.raises(StrategyError, match=r"strategy 'broken': ZeroDivisionError"):
        broken_bench(tmp_path, source).run(broken_request())


def test_a_request_is_checked_before_anything_runs(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    with pytest.raises(ConfigError, match=r"900 candles are too few") as caught:
        bench.planner.preview(study_request(walk_forward={"folds": 90}))
    assert caught.value.field == "walk_forward"
    wide = {"fast": Range(step=1), "slow": Range(step=1)}
    with pytest.raises(ConfigError, match="combinations") as caught:
        bench.planner.preview(study_request(method=Method.GRID, ranges=wide))
    assert caught.value.field == "method"
    found = bench.planner.preview(study_request(method=Method.GRID, ranges=GRID))
    assert (found.bars, found.trials, found.symbol) == (900, 12, "TEST/USD")
