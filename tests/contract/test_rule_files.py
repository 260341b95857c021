"""Rule files: kept whole, found by the strategy host, never in the way of a strategy of code."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.adapters.strategies.host import StrategyHost
from engine.adapters.strategies.rule_files import RuleFiles
from engine.domain.rules import RuleSet
from engine.errors import ConfigError, Conflict, NotFound, StoreError, StrategyError
from engine.ports import RuleBook
from tests.fakes.candles import random_candles
from tests.fakes.rules import MemoryRuleBook
from tests.fakes.strategy_files import write_strategy
from tests.support.strategy_hosts import CANDLES, strategy_host, until


def rules(level: float | str = 1.5, **more: Any) -> RuleSet:
    """Long above a level, out below it."""
    sides = {"left": {"source": "close"}, "right": {"source": "number", "params": {"value": level}}}
    return RuleSet.model_validate({
        "title": "Above", "long_entry": {"conditions": [{**sides, "test": "above"}]},
        "long_exit": {"conditions": [{**sides, "test": "below"}]}, **more,
    })  # fmt: skip


PARAMETER = {"name": "level", "default": 1.5, "least": 0, "most": 9}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("strategies")


@pytest.fixture(scope="module")
def host(folder: Path) -> Iterator[StrategyHost]:
    """One real host for the file."""
    with strategy_host(folder, workers=1, deadline_s=10) as host:
        yield host


@pytest.fixture(params=["files", "memory"])
def book(request: pytest.FixtureRequest, tmp_path: Path) -> RuleBook:
    """Each implementation of the port."""
    return MemoryRuleBook() if request.param == "memory" else RuleFiles(tmp_path)


# --- the contract ---------------------------------------------------------------------------------


def test_what_is_kept_is_read_again_listed_and_deleted(book: RuleBook) -> None:
    assert list(book.ids()) == []
    found = rules("level", parameters=[PARAMETER], description="é\n*x*")
    book.write("mine", found, is_new=True)
    book.write("also", rules(), is_new=True)
    assert list(book.ids()) == ["also", "mine"]
    assert book.read("mine") == found
    book.write("mine", rules(7), is_new=False)
    assert book.read("mine") == rules(7)
    book.delete("mine")
    assert list(book.ids()) == ["also"]
    for missing in ("mine", "../also", "", "also.rules.json"):
        with pytest.raises(NotFound):
            book.read(missing)
        with pytest.raises(NotFound):
            book.delete(missing)


def test_a_new_name_must_be_free(book: RuleBook) -> None:
    book.write("mine", rules(), is_new=True)
    with pytest.raises(Conflict) as caught:
        book.write("mine", rules(3), is_new=True)
    assert caught.value.field == "id"
    assert book.read("mine") == rules()


@pytest.mark.parametrize("name", ["", "1st", "_hidden", "a-b", "../up", "a.py", "ü"])
def test_a_name_that_cannot_be_is_refused(book: RuleBook, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        book.write(name, rules(), is_new=False)
    assert caught.value.field == "id"
    assert list(book.ids()) == []


# --- files ----------------------------------------------------------------------------------------


def test_no_file_of_code_is_shadowed_whatever_the_letters_size(tmp_path: Path) -> None:
    write_strategy(tmp_path, "code")
    book = RuleFiles(tmp_path)
    for name in ("code", "Code"):
        for is_new in (True, False):
            with pytest.raises(Conflict, match=r"code\.py is a strategy already"):
                book.write(name, rules(), is_new=is_new)
    book.write("mine", rules(), is_new=True)
    with pytest.raises(Conflict, match="rules named 'mine' already"):
        book.write("MINE", rules(), is_new=False)
    with pytest.raises(ConfigError):
        book.write("a" * 65, rules(), is_new=True)


def test_a_write_that_fails_leaves_the_old_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = RuleFiles(tmp_path)
    book.write("mine", rules(), is_new=True)

    def fail(_self: Path, _target: Path) -> Path:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(StoreError, match=r"could not be written .*: disk full"):
        book.write("mine", rules(9), is_new=False)
    assert book.read("mine") == rules()
    assert [path.name for path in tmp_path.iterdir()] == ["mine.rules.json"]


def test_a_broken_file_is_listed_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "bad.rules.json").write_text('{"title": "x"}')
    (tmp_path / "_draft.rules.json").write_text("{")
    book = RuleFiles(tmp_path)
    assert list(book.ids()) == ["bad"]
    with pytest.raises(StrategyError, match="add at least one condition"):
        book.read("bad")


# --- as strategies of the host --------------------------------------------------------------------


def test_rules_are_strategies_like_any_other(host: StrategyHost, folder: Path) -> None:
    RuleFiles(folder).write("mine", rules("level", parameters=[PARAMETER]), is_new=True)
    write_strategy(folder, "code")
    assert until(lambda: [info.id for info in host.list()] == ["code", "mine"], within_s=60)
    info = host.get("mine")
    assert (info.title, info.warmup, info.history, info.error) == ("Above", 1, 500, None)
    assert info.summary == "Enter long when close > level. Exit long when close < level."
    assert info.path.endswith("mine.rules.json")
    assert info.parameters["properties"]["level"]["maximum"] == 9
    assert host.validate("mine", {"level": "2.5"}) == {"level": 2.5}
    with pytest.raises(ConfigError, match="level: must be at most 9"):
        host.validate("mine", {"level": 10})
    assert host.history("mine", {}) == 500
    assert host.decide("mine", {}, CANDLES).enter_long  # its closes are 2
    told = host.decide("mine", {"level": 3.0}, CANDLES)
    assert (told.enter_long, told.exit_long) == (False, True)
    assert told.reason == "exit long: close 2 < level 3"
    RuleFiles(folder).write("mine", rules(5), is_new=False)
    assert not host.decide("mine", {}, CANDLES).enter_long


def test_lines_of_rules_are_drawn(host: StrategyHost, folder: Path) -> None:
    cross = {"left": {"source": "close"}, "test": "crosses_above",
             "right": {"source": "sma", "params": {"period": 5}}}  # fmt: skip
    found = RuleSet.model_validate({"title": "Cross", "long_entry": {"conditions": [cross]}})
    RuleFiles(folder).write("cross", found, is_new=True)
    (plot,) = host.plots("cross", {}, random_candles(30, 1))
    assert (plot.name, plot.is_overlay, len(plot.values)) == ("SMA 5", True, 30)


def test_two_files_of_one_name_are_an_error_until_one_is_gone(
    host: StrategyHost, folder: Path
) -> None:
    (folder / "twice.rules.json").write_text(rules().model_dump_json())
    code = write_strategy(folder, "twice")
    with pytest.raises(StrategyError, match=r"twice\.py and twice\.rules\.json are both there"):
        host.decide("twice", {}, CANDLES)
    assert until(lambda: any(one.id == "twice" and one.error for one in host.list()), within_s=60)
    code.unlink()
    assert host.decide("twice", {}, CANDLES).enter_long
    assert until(
        lambda: any(one.id == "twice" and not one.error for one in host.list()), within_s=60
    )


def test_a_broken_rule_file_is_shown_with_its_error(host: StrategyHost, folder: Path) -> None:
    (folder / "bad.rules.json").write_text('{"title": "x", "long_entry": {"conditions": [1]}}')
    with pytest.raises(StrategyError, match=r"strategy 'bad': long_entry\.conditions\.0"):
        host.get("bad")
