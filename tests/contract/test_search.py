"""Searches: what is asked depends on the record alone; a record survives being cut off."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.adapters.search.optuna_search import OptunaSearches
from engine.domain.search_space import Dimension, Value
from engine.domain.study_kinds import Method, Pruner
from engine.domain.trials import TrialOutcome
from engine.errors import StoreError
from engine.ports.search import Asked, Search, SearchPlan, Told

SPACE = (
    Dimension("fast", "Fast", "integer", 2, 40),
    Dimension("limit", "Limit", "number", 0.0, 1.0),
    Dimension("mode", "Mode", "choice", choices=("a", "b")),
)


def plan(
    method: Method = Method.TPE, pruner: Pruner = Pruner.NONE, seed: int = 1, cuts: int = 0
) -> SearchPlan:
    dimensions = SPACE if not cuts else (
        Dimension("fast", "Fast", "integer", 1, cuts, 1), Dimension("slow", "Slow", "integer", 1, 3)
    )  # fmt: skip
    return SearchPlan(dimensions, method, pruner, seed)


def worth(values: dict[str, Value]) -> float:
    return -abs(float(values["fast"]) - 20) - float(values.get("limit", 0))


def answer(search: Search, asked: Asked) -> None:
    values = dict(asked.values)
    if values.get("mode") == "b":
        search.tell(asked.number, TrialOutcome.REFUSED, None, {"note": "no b"})
    else:
        search.tell(asked.number, TrialOutcome.SCORED, worth(values), {"trades": 3})


def go_on(
    folder: Path, how: SearchPlan, batches: int, size: int = 6, name: str = "all"
) -> list[Told]:
    with OptunaSearches(folder).open("s1", name, how) as search:
        for _ in range(batches):
            for asked in search.batch(size):
                answer(search, asked)
        return list(search.told())


@pytest.mark.parametrize("method", [Method.TPE, Method.RANDOM])
def test_the_same_seed_asks_for_the_same(tmp_path: Path, method: Method) -> None:
    first = go_on(tmp_path / "a", plan(method), 5)
    assert first == go_on(tmp_path / "b", plan(method), 5)
    assert first != go_on(tmp_path / "c", plan(method, seed=2), 5)
    assert {one.outcome for one in first} == {TrialOutcome.SCORED, TrialOutcome.REFUSED}
    assert [one.number for one in first] == list(range(30))
    assert first[0].row in ({"trades": 3}, {"note": "no b"})


def test_tpe_learns_from_what_is_refused(tmp_path: Path) -> None:
    told = go_on(tmp_path, plan(), 10)
    assert sum(one.values["mode"] == "b" for one in told[30:]) < 8


def killed_before_asking(path: Path) -> None:
    """Nothing was lost."""


def killed_while_asking(path: Path) -> None:
    """The last three lines of the journal were never written, the last one only half."""
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-3]) + lines[-3][:10])


@pytest.mark.parametrize("method", [Method.TPE, Method.GRID])
@pytest.mark.parametrize("cut", [killed_before_asking, killed_while_asking])
def test_an_interrupted_search_ends_as_one_that_ran_through(
    tmp_path: Path, method: Method, cut: Callable[[Path], None]
) -> None:
    how = plan(method, cuts=12 if method is Method.GRID else 0)
    whole = go_on(tmp_path / "whole", how, 5)
    folder = tmp_path / "cut"
    go_on(folder, how, 3)
    with OptunaSearches(folder).open("s1", "all", how) as search:
        asked = search.batch(6)
        if cut is killed_before_asking:  # in the middle of telling, then
            for one in asked[:2]:
                answer(search, one)
    journal = folder / "s1.journal"
    journal.with_name("s1.journal.lock").touch()
    cut(journal)
    assert go_on(folder, how, 2) == whole


def test_a_grid_asks_for_each_combination_once_and_ends(tmp_path: Path) -> None:
    told = go_on(tmp_path, plan(Method.GRID, cuts=5), 4)
    assert len(told) == 15
    assert len({tuple(one.values.items()) for one in told}) == 15
    with OptunaSearches(tmp_path).open("s1", "all", plan(Method.GRID, cuts=5)) as search:
        assert search.batch(6) == []


@pytest.mark.parametrize("pruner", [Pruner.MEDIAN, Pruner.HALVING])
def test_pruners_give_up_the_worse(tmp_path: Path, pruner: Pruner) -> None:
    kept = {True: 0, False: 0}
    with OptunaSearches(tmp_path).open("s1", "all", plan(pruner=pruner)) as search:
        for _ in range(4):
            batch = search.batch(6)
            going = {one.number: search.report(one.number, 1, worth(dict(one.values)))
                     for one in batch}  # fmt: skip
            assert all(search.report(n, 1, 0.0) == goes for n, goes in going.items() if goes)
            for one in batch:
                goes = going[one.number]
                kept[goes] += 1
                search.tell(one.number, TrialOutcome.SCORED if goes else TrialOutcome.PRUNED,
                            worth(dict(one.values)) if goes else None, {})  # fmt: skip
    assert min(kept.values()) > 2


def test_several_searches_of_a_study_are_kept_apart_and_go_together(tmp_path: Path) -> None:
    first = go_on(tmp_path, plan(), 1, name="fold 1")
    assert go_on(tmp_path, plan(seed=9), 1, name="fold 2") != first
    assert go_on(tmp_path, plan(), 0, name="fold 1") == first
    OptunaSearches(tmp_path).delete("s1")
    assert go_on(tmp_path, plan(), 0, name="fold 1") == []
    OptunaSearches(tmp_path).delete("nothing of this name")


def test_importance_names_what_mattered(tmp_path: Path) -> None:
    go_on(tmp_path, plan(Method.RANDOM), 8)
    with OptunaSearches(tmp_path).open("s1", "all", plan(Method.RANDOM)) as search:
        found = search.importance()
    assert max(found, key=lambda name: found[name]) == "fast"
    assert sum(found.values()) == pytest.approx(1)


def test_a_damaged_record_is_one_sentence(tmp_path: Path) -> None:
    go_on(tmp_path, plan(), 1)
    journal = tmp_path / "s1.journal"
    journal.write_bytes(b"nonsense\n" + journal.read_bytes())
    with (
        pytest.raises(StoreError, match=r"s1\.journal is damaged"),
        OptunaSearches(tmp_path).open("s1", "all", plan()),
    ):
        pass
