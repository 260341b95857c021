"""The strategy host: one contract for the real one and the fake; files that come and break."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.adapters.strategies.host import StrategyHost
from engine.domain.decisions import Intent
from engine.errors import ConfigError, NotFound, StrategyError
from engine.ports import StrategyHost as StrategyHostPort
from tests.fakes.candles import flat_candles, random_candles
from tests.fakes.strategy_files import BROKEN, write_strategy
from tests.fakes.strategy_host import FakeStrategyHost
from tests.support.strategy_hosts import CANDLES, copy_strategies, strategy_host, until


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A strategies folder: those of the project, and what tests drop in."""
    folder = tmp_path_factory.mktemp("strategies")
    copy_strategies(folder)
    return folder


@pytest.fixture(scope="module")
def host(folder: Path) -> Iterator[StrategyHost]:
    """One real host for the file."""
    with strategy_host(folder) as host:
        yield host


@pytest.fixture(params=["real", "fake"])
def any_host(request: pytest.FixtureRequest) -> StrategyHostPort:
    """Each implementation of the port."""
    if request.param == "fake":
        return FakeStrategyHost()
    real: StrategyHost = request.getfixturevalue("host")
    return real


# --- the contract -------------------------------------------------------------------------------


def test_lists_the_strategies_sorted_without_the_template(any_host: StrategyHostPort) -> None:
    ids = [info.id for info in any_host.list()]
    assert ids == sorted(ids)
    assert {"rsi", "ma_cross", "macd", "bollinger", "enhanced"} <= set(ids)
    assert not any(strategy_id.startswith("_") for strategy_id in ids)


def test_describes_a_strategy(any_host: StrategyHostPort) -> None:
    info = any_host.get("rsi")
    assert (info.id, info.title, info.warmup, info.history) == ("rsi", "RSI", 15, 600)
    assert info.error is None
    assert "What it does" in info.doc
    period = info.parameters["properties"]["period"]
    assert (period["default"], period["minimum"], period["maximum"]) == (14, 2, 200)
    assert (period["title"], period["unit"]) == ("Period", "candles")


def test_fills_in_defaults_and_reads_text(any_host: StrategyHostPort) -> None:
    assert any_host.validate("rsi", {"period": "21"}) == {
        "period": 21,
        "oversold": 30.0,
        "overbought": 70.0,
    }


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"period": 1}, "params.period"),
        ({"period": True}, "params.period"),
        ({"oversold": float("nan")}, "params.oversold"),
        ({"oversold": 90}, "params"),
        ({"__class__": 1}, "params.__class__"),
    ],
)
def test_wrong_parameters_name_the_field(
    any_host: StrategyHostPort, params: dict[str, object], field: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        any_host.validate("rsi", params)
    assert caught.value.field == field
    with pytest.raises(ConfigError):
        any_host.decide("rsi", params, CANDLES)


@pytest.mark.parametrize("strategy_id", ["nowhere", "", "../rsi", "rsi.py", "_template", "rsi\n"])
def test_unknown_strategies_are_not_found(any_host: StrategyHostPort, strategy_id: str) -> None:
    with pytest.raises(NotFound):
        any_host.get(strategy_id)
    with pytest.raises(NotFound):
        any_host.validate(strategy_id, {})
    with pytest.raises(NotFound):
        any_host.history(strategy_id, {})
    with pytest.raises(NotFound):
        any_host.decide(strategy_id, {}, CANDLES)


def test_every_strategy_decides_alike_in_any_host(host: StrategyHost) -> None:
    fake, candles = FakeStrategyHost(), random_candles(400, 11)
    for info in fake.list():
        assert host.decide(info.id, {}, candles) == fake.decide(info.id, {}, candles)
        assert host.plots(info.id, {}, candles) == fake.plots(info.id, {}, candles)
        assert host.history(info.id, {}) == fake.history(info.id, {}) >= info.warmup


def test_plots_have_the_candles_length_and_none_while_warming_up(
    any_host: StrategyHostPort,
) -> None:
    (plot,) = any_host.plots("rsi", {"period": 5, "oversold": 20}, random_candles(60, 1))
    assert (plot.name, plot.is_overlay, plot.levels) == ("RSI", False, (20.0, 70.0))
    assert len(plot.values) == 60
    assert [value is None for value in plot.values] == [True] * 5 + [False] * 55


def test_too_few_candles_are_a_hold_with_a_reason(any_host: StrategyHostPort) -> None:
    for count in (0, 14):
        intent = any_host.decide("rsi", {}, flat_candles(count))
        assert intent == Intent(reason=f"warming up: {count} of 15 candles", confidence=0)


# --- files that come, change and break ----------------------------------------------------------


def test_a_dropped_in_file_appears_changes_and_goes(host: StrategyHost, folder: Path) -> None:
    path = write_strategy(folder, "dropped", reason="'first'")
    assert host.decide("dropped", {}, CANDLES).reason == "first"
    assert until(lambda: "dropped" in [info.id for info in host.list()], within_s=60)
    # The same length, within the same second: only the nanoseconds of the file's time differ.
    write_strategy(folder, "dropped", reason="'again'")
    assert host.decide("dropped", {}, CANDLES).reason == "again"
    assert host.history("dropped", {}) == 500
    path.unlink()
    with pytest.raises(NotFound):
        host.decide("dropped", {}, CANDLES)
    assert until(lambda: "dropped" not in [info.id for info in host.list()], within_s=60)


def test_broken_files_are_listed_with_their_error_and_break_no_other(tmp_path: Path) -> None:
    for name, (text, _error) in BROKEN.items():
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "_private.py").write_text("1 / 0")
    write_strategy(tmp_path, "good")
    with strategy_host(tmp_path) as host:
        assert host.decide("good", {}, CANDLES).enter_long
        shown = {name: error for name, (_text, error) in BROKEN.items()} | {"good": None}
        errors: dict[str, str | None] = {}

        def is_settled() -> bool:
            errors.update({info.id: info.error for info in host.list()})
            return errors == shown

        until(is_settled, within_s=60)
        assert errors == shown
        with pytest.raises(StrategyError, match=r"strategy 'syntax': line 1: SyntaxError"):
            host.get("syntax")
        with pytest.raises(StrategyError, match=r"strategy 'no_class': a file must define"):
            host.validate("no_class", {})
        write_strategy(tmp_path, "syntax")
        assert host.get("syntax").error is None
