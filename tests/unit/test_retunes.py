"""Tuning a bot again: on its schedule, only for the better, only while it is flat."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.adapters.search.optuna_search import OptunaSearches
from engine.adapters.strategies.loader import load_source
from engine.domain.retunes import RetuneSettings, contest, first_due, next_due
from engine.domain.studies import StudyState, StudySummary
from engine.domain.study_kinds import ObjectiveKey
from engine.errors import ConfigError, Conflict
from engine.services.backtest_candles import CandleReader
from engine.services.backtest_plans import BacktestPlanner
from engine.services.bots import BotService
from engine.services.lanes import Lanes
from engine.services.retunes import Retuner, _traded
from engine.services.studies import StudyService
from engine.services.study_runner import StudyRunner
from engine.services.study_setting import StudyPlanner
from tests.fakes.backtests import FakeCandleFiles
from tests.fakes.studies import GatedCompute
from tests.support.client import eventually
from tests.support.tuning import FileHost
from tests.unit.conftest import Room

SETTINGS = RetuneSettings(
    is_on=True, every_days=7, hour=3, lookback_bars=400, trials=6, min_trades=1, margin=0.1
)


class Shed:
    """The re-tuning services around the room's one bot."""

    def __init__(self, room: Room, folder: Path) -> None:
        self.room, host = room, FileHost()
        planner = BacktestPlanner(CandleReader(FakeCandleFiles(), room.venues), host)
        study_planner = StudyPlanner(planner, host, load_source)
        searches = OptunaSearches(folder / "studies")
        self.runner = StudyRunner(room.books, study_planner, GatedCompute(), searches)
        self.studies = StudyService(room.books, study_planner, self.runner, searches, host)
        self.bots = BotService(room.books, room.venues, host, lambda: None)
        self.retuner = Retuner(
            room.books, self.studies, self.bots, host, room.venues, Lanes()
        )  # fmt: skip

    def look(self) -> list[Any]:
        """What the job does, but for the lanes."""
        return self.retuner._look()

    def wins(self, params: dict[str, Any]) -> None:
        """As if these had won."""
        of = _traded(self.room.bot.config)
        with self.room.books.writing() as writing:
            wins = {"params": params, "exits": {"stop_loss": 0.031}, "of": of}
            self.retuner._change(writing, self.room.bot.id, wins=wins, outcome="Won.")


@pytest.fixture
def shed(room: Room, tmp_path: Path) -> Shed:
    return Shed(room, tmp_path)


def kinds(room: Room) -> list[str]:
    return [event.kind for event in room.events()]


def test_a_bot_is_off_until_a_person_wants_it(shed: Shed) -> None:
    assert shed.retuner.get(shed.room.bot.id).settings.is_on is False
    assert shed.look() == []
    put = shed.retuner.put(shed.room.bot.id, SETTINGS, "ann")
    assert put.next_at is not None
    assert (put.next_at.hour, put.next_at > shed.room.clock.now()) == (3, True)
    with shed.room.store.reading() as tx:
        assert [(one.actor, one.action) for one in tx.audit.select()] == [("ann", "retune.set")]


def test_what_cannot_be_searched_is_refused(shed: Shed) -> None:
    wrong = RetuneSettings.model_validate({"is_on": True, "ranges": {"nothing": {}}})
    with pytest.raises(ConfigError, match="not a parameter"):
        shed.retuner.put(shed.room.bot.id, wrong, "ann")


def test_when_it_is_due_a_study_on_the_bots_own_market_is_started_and_judged(shed: Shed) -> None:
    bot = shed.room.bot
    shed.retuner.put(bot.id, SETTINGS, "ann")
    shed.look()
    assert "retune.started" not in kinds(shed.room)
    shed.room.clock.advance(2 * 86_400)
    shed.look()
    retune = shed.retuner.get(bot.id)
    study = shed.studies.get(retune.study_id)
    assert study.retune_of == bot.id
    assert study.request.baseline == bot.config.params
    assert study.request.backtest.terms.cash == bot.config.starting_capital
    assert retune.next_at is not None
    assert retune.next_at - shed.room.clock.now() > timedelta(days=5)
    eventually(lambda: shed.studies.get(study.id), lambda one: not one.is_active)
    assert shed.studies.get(study.id).state is StudyState.DONE
    shed.look()
    judged = shed.retuner.get(bot.id)
    assert judged.study_id == ""
    assert "out of sample" in judged.outcome or "No trial" in judged.outcome
    [event] = [one for one in shed.room.events() if one.kind in ("retune.kept", "retune.won")]
    assert {"challenger", "present", "study"} <= set(event.data)
    shed.runner.close()


def test_a_winner_waits_until_the_bot_is_flat(shed: Shed) -> None:
    room = shed.room
    room.enter()
    before = room.bot.config
    shed.wins({**before.params, "period": 21})
    assert shed.retuner.apply(room.bot.id) is False
    assert room.bot.config == before
    with pytest.raises(Conflict, match="holds a position"):
        shed.bots.tune(room.bot.id, {"period": 21}, {}, "x")
    room.close()
    room.advance()
    assert room.bot.id not in room.books.positions
    assert shed.retuner.apply(room.bot.id) is True
    assert room.bot.config.params["period"] == 21
    assert str(room.bot.config.stop_loss) == "0.031"
    assert room.bot.config.name == before.name
    retune = shed.retuner.get(room.bot.id)
    assert (retune.wins, retune.outcome) == ({}, "Won. Applied.")
    assert {"bot.tuned", "retune.applied"} <= set(kinds(room))
    with room.store.reading() as tx:
        tuned = [one for one in tx.audit.select() if one.action == "bot.tune"]
        assert [(one.actor, one.detail["params"]["period"]) for one in tuned] == [("re-tuning", 21)]
        assert tx.configurations.select(bot_id=room.bot.id)[-1].params["period"] == 21


def test_a_study_that_fails_leaves_the_bot_as_it_is(shed: Shed) -> None:
    bot = shed.room.bot
    shed.retuner.put(bot.id, SETTINGS, "ann")
    shed.room.clock.advance(2 * 86_400)
    shed.look()
    study = shed.studies.get(shed.retuner.get(bot.id).study_id)
    shed.runner.cancel(study.id)
    eventually(lambda: shed.studies.get(study.id), lambda one: not one.is_active)
    shed.look()
    found = shed.retuner.get(bot.id)
    assert found.study_id == ""
    if shed.studies.get(study.id).state is StudyState.CANCELLED:
        assert "cancelled" in found.outcome
    assert shed.room.bot.config == bot.config
    shed.runner.close()


def begun(shed: Shed) -> str:
    """A re-tuning whose study has just been started; the study's id."""
    shed.retuner.put(shed.room.bot.id, SETTINGS, "ann")
    shed.room.clock.advance(2 * 86_400)
    shed.look()
    return shed.retuner.get(shed.room.bot.id).study_id


def test_what_was_turned_off_meanwhile_is_not_applied(shed: Shed) -> None:
    study_id = begun(shed)
    off = shed.retuner.put(shed.room.bot.id, RetuneSettings(), "ann")
    assert (off.study_id, off.next_at) == ("", None)
    eventually(lambda: shed.studies.get(study_id), lambda one: not one.is_active)
    shed.look()
    found = shed.retuner.get(shed.room.bot.id)
    assert (found.settings.is_on, found.wins, found.outcome) == (False, {}, "")
    shed.runner.close()


def test_settings_that_change_while_the_job_looks_are_not_overwritten(
    shed: Shed, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot, create = shed.room.bot, shed.studies.create

    def create_while_a_person_turns_it_off(*words: Any, **more: Any) -> Any:
        study = create(*words, **more)
        shed.retuner.put(bot.id, RetuneSettings(), "ann")
        return study

    monkeypatch.setattr(shed.studies, "create", create_while_a_person_turns_it_off)
    assert begun(shed) == ""
    found = shed.retuner.get(bot.id)
    assert (found.settings.is_on, found.next_at) == (False, None)
    [study], _ = shed.studies.list(limit=9)
    eventually(lambda: shed.studies.get(study.id), lambda one: not one.is_active)
    shed.runner.close()


@pytest.mark.parametrize("own", [{"params": {"period": 9}}, {"stop_loss": Decimal("0.07")}])
def test_a_winner_is_of_the_bot_as_it_was(shed: Shed, own: dict[str, Any]) -> None:
    room, config = shed.room, shed.room.bot.config
    shed.wins({**config.params, "period": 21})
    changed = config.model_copy(update=own)
    with room.books.writing() as writing:
        writing.save_bot(room.bot.id, config=changed)
    assert shed.retuner.apply(room.bot.id) is False
    assert room.bot.config == changed, "a person's own choice stays"
    found = shed.retuner.get(room.bot.id)
    assert found.wins == {}
    assert "The bot was changed meanwhile" in found.outcome


def test_a_study_of_a_bot_that_was_changed_meanwhile_decides_nothing(shed: Shed) -> None:
    room, study_id = shed.room, begun(shed)
    eventually(lambda: shed.studies.get(study_id), lambda one: not one.is_active)
    own = room.bot.config.model_copy(update={"timeframe": "15m"})
    with room.books.writing() as writing:
        writing.save_bot(room.bot.id, config=own)
    shed.look()
    found = shed.retuner.get(room.bot.id)
    assert (found.study_id, found.wins) == ("", {})
    assert "The bot was changed meanwhile" in found.outcome
    shed.runner.close()


def test_parameters_that_never_lost_are_not_replaced_for_want_of_a_number() -> None:
    settings = SETTINGS.model_copy(update={"objective": ObjectiveKey.PROFIT_FACTOR})
    metrics = {"profit_factor": 0.4, "trades": 12, "total_return": -0.1, "max_drawdown": 0.2}
    present = {"profit_factor": None, "trades": 5, "total_return": 0.3, "max_drawdown": 0.0}
    found = contest(settings, summary(None, None, outside=metrics, baseline=present), {})
    assert not found.is_won
    assert "they gained" in found.words


def summary(challenger: float | None, present: float | None, **changes: Any) -> StudySummary:
    def metrics(sharpe: float | None) -> dict[str, Any]:
        total = 0.0 if sharpe is None else 0.1
        return {"sharpe": sharpe, "trades": 12, "total_return": total, "max_drawdown": 0.05}

    fields: dict[str, Any] = {
        "outside": metrics(challenger), "baseline": metrics(present), "params": {"period": 7},
    }  # fmt: skip
    return StudySummary(**(fields | changes))


@pytest.mark.parametrize(
    ("challenger", "present", "is_won", "words"),
    [
        (1.5, 1.2, True, "Better parameters were found: sharpe ratio out of sample 1.5"),
        (1.25, 1.2, False, "do not win by the margin of 0.1"),
        (1.0, 1.2, False, "are kept"),
        (0.5, None, True, "of the present ones undefined"),
        (None, -1.0, False, "out of sample undefined"),
        (-0.5, -1.0, True, "Better"),
    ],
)
def test_a_challenger_must_win_by_the_margin(
    challenger: float | None, present: float | None, is_won: bool, words: str
) -> None:
    found = contest(SETTINGS, summary(challenger, present), {"period": 14})
    assert found.is_won is is_won
    assert words in found.words


def test_the_same_parameters_and_no_winner_change_nothing() -> None:
    same = contest(SETTINGS, summary(2.0, 1.0), {"period": 7})
    assert not same.is_won
    assert "same ones won again" in same.words
    none = contest(SETTINGS, StudySummary(note="No trial can win."), {"period": 7})
    assert none.words == "The parameters are kept. No trial can win."


def test_the_schedule_keeps_to_its_hour() -> None:
    now = datetime(2026, 3, 10, 15, 30, tzinfo=UTC)
    assert first_due(SETTINGS, now) == datetime(2026, 3, 11, 3, tzinfo=UTC)
    assert next_due(SETTINGS, now) == datetime(2026, 3, 17, 3, tzinfo=UTC)
    early = now.replace(hour=1)
    assert first_due(SETTINGS, early) == datetime(2026, 3, 10, 3, tzinfo=UTC)
