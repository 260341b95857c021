"""The watcher's messages: each at most once, whatever breaks, and none lost."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path
from typing import Any

import pytest

from engine.adapters.watchers.state_file import JsonWatcherFile
from engine.domain.alerts import AlertKind, Channel, ChannelKind, QuietHours
from engine.domain.watch_outbox import Glimpse, WatcherState
from engine.domain.watching import Beat, LastWord, Told, WatchRules
from engine.errors import ConfigError, DataError, StoreError
from engine.services.probe_watch import WatcherProbes
from engine.services.tell_down import DownTeller
from engine.services.watch_engine import EngineWatcher
from engine.services.watcher_notes import WatcherNotes
from tests.fakes.clock import START, FakeClock
from tests.fakes.notifier import FakeProvider

DEAD = Beat(is_answer=False, reason="nothing listens on port 8710")
WELL = Beat(is_answer=True)
HELD = LastWord(term=1, is_held=True)


def channel(key: str = "c1", **changes: Any) -> Channel:
    """One that tells when the engine is down."""
    given: dict[str, Any] = {
        "id": key, "name": key, "kind": ChannelKind.TELEGRAM, "kinds": (AlertKind.ENGINE_DOWN,),
        "sealed": {"token": "v1:sealed"}, "created_at": START, "updated_at": START,
    }  # fmt: skip
    return Channel(**(given | changes))


@dataclass
class Room:
    """A watcher whose engine, database and provider are as a test sets them."""

    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    provider: FakeProvider = field(default_factory=FakeProvider)
    beat: Beat = WELL
    last: LastWord = HELD
    channels: Sequence[Channel] = (channel(),)
    stored: dict[str, str] = field(default_factory=dict)
    is_database_gone: bool = False
    trouble: str = ""

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Another watcher on the same file, as after the death of the one before."""
        self.file = JsonWatcherFile(self.folder / "watcher.json")
        self.notes = WatcherNotes(self.file, self.clock)
        self.notes.load()
        self.watcher = EngineWatcher(self.notes, self, self, self.clock, WatchRules())
        self.watcher.begin()
        self.teller = DownTeller(self.notes, self.open, self.clock, chance=lambda: 1.0)

    def ask(self, timeout_s: float) -> Beat:
        """See Heartbeats."""
        assert timeout_s == 5
        return self.beat

    def read(self) -> Glimpse:
        """See Records."""
        if self.is_database_gone:
            raise StoreError("The database is gone.")
        return Glimpse(self.last, self.channels, self.stored)

    def open(self, one: Channel) -> Any:
        """A notifier, unless there is ``trouble``."""
        if self.trouble:
            raise ConfigError(self.trouble)
        return self.provider.open(one)

    def pass_time(self, seconds: float) -> list[Told]:
        """Rounds of five seconds; what is due is sent in between, on this thread."""
        told = []
        for _ in range(int(seconds / 5)):
            self.clock.advance(5)
            told.append(self.watcher.round())
            self.send()
        return [one for one in told if one is not None]

    def send(self) -> None:
        """What ``begin_due`` does, without its threads."""
        for one in {one.channel_id for one in self.notes.state.deliveries}:
            self.teller.work(one)

    def die(self) -> None:
        """The engine's death."""
        self.beat = DEAD

    @property
    def states(self) -> list[str]:
        """Of the messages, in their order."""
        return [str(one.state) for one in self.notes.state.deliveries]


@pytest.fixture
def room(tmp_path: Path) -> Room:
    room = Room(tmp_path)
    room.pass_time(5)
    return room


def test_a_death_and_a_return_are_told_once_each(room: Room) -> None:
    room.die()
    assert room.pass_time(65) == [Told.DOWN]
    room.start()
    assert room.pass_time(600) == []
    room.beat = WELL
    assert room.pass_time(65) == [Told.BACK]
    titles = [one.message.title for one in room.provider.arrivals]
    assert titles == ["Engine down", "Engine back"]
    assert room.states == ["sent", "sent"]


def test_an_engine_that_answers_503_is_down_whatever_the_database_says(room: Room) -> None:
    room.beat, room.last = Beat(is_answer=True, reason="it is not well: old"), LastWord()
    assert room.pass_time(65) == [Told.DOWN]
    assert "it is not well: old" in room.provider.texts()[0]


def test_the_copy_serves_when_the_database_is_gone(room: Room) -> None:
    room.die()
    room.is_database_gone = True
    room.start()
    assert room.pass_time(65) == [Told.DOWN]
    assert "its database cannot be read" in room.provider.texts()[0]


def test_only_channels_that_are_on_and_chosen_are_told(room: Room) -> None:
    room.channels = (
        channel("on"), channel("off", is_enabled=False), channel("other", kinds=()),
    )  # fmt: skip
    room.die()
    room.pass_time(65)
    assert [one.channel_id for one in room.provider.arrivals] == ["on"]


def test_what_the_panel_has_changed_is_in_force(room: Room) -> None:
    room.stored = {"watcher_patience_s": "600", "alert_zone": "Europe/Berlin", "other": "1"}
    room.die()
    assert room.pass_time(300) == []
    assert room.pass_time(320) == [Told.DOWN]
    assert "Europe/Berlin" in room.provider.texts()[0]
    room.stored = {"watcher_patience_s": "many"}
    room.pass_time(5)
    assert room.watcher.rules == WatchRules()


def test_quiet_hours_let_errors_through_and_hold_the_return(room: Room) -> None:
    quiet = QuietHours(start=time(11), end=time(14))
    deaf = quiet.model_copy(update={"lets_errors": False})
    room.channels = (channel("loud", quiet=quiet), channel("silent", quiet=deaf))
    room.die()
    room.pass_time(65)
    assert [one.channel_id for one in room.provider.arrivals] == ["loud"]
    room.beat = WELL
    room.pass_time(65)
    assert len(room.provider.arrivals) == 1
    assert sorted(room.states) == ["dropped", "sent", "waiting", "waiting"]  # down was not told
    room.clock.advance(7_200)
    room.send()
    told = [(one.channel_id, one.message.title) for one in room.provider.arrivals[1:]]
    assert sorted(told) == [("loud", "Engine back"), ("silent", "Engine back")]


@pytest.mark.parametrize("was_taken", [True, False])
def test_a_death_of_the_watcher_while_it_sends_loses_and_repeats_nothing(
    room: Room, was_taken: bool
) -> None:
    class Killed(BaseException):
        """kill -9."""

    def kill() -> None:
        raise Killed

    if was_taken:
        room.provider.after_send = kill
    else:
        room.provider.before_send = kill
    room.die()
    with pytest.raises(Killed):
        room.pass_time(65)
    room.provider.before_send = room.provider.after_send = None
    room.start()
    assert room.states == ["sending"]
    room.pass_time(25)
    assert room.states == ["sending"]  # it may still be on its way
    room.pass_time(95)
    assert room.states == ["sent"]
    assert len(room.provider.arrivals) == 1


def test_what_nobody_can_look_up_is_not_sent_again(room: Room) -> None:
    room.provider.can_find = False
    room.provider.script.append("unsure-after")
    room.die()
    room.pass_time(600)
    assert (room.states, len(room.provider.arrivals)) == (["uncertain"], 1)


@pytest.mark.parametrize("step", ["unsure-before", "unsure-after", "broken"])
def test_a_message_without_an_answer_is_looked_up(room: Room, step: str) -> None:
    room.provider.script.append(step)
    room.die()
    room.pass_time(300)
    assert (room.states, len(room.provider.arrivals)) == (["sent"], 1)


def test_a_look_up_that_is_broken_keeps_nothing_back(room: Room) -> None:
    room.provider.script.append("unsure-after")
    room.provider.finds.extend(["broken"] * 500)
    room.die()
    room.pass_time(120)
    assert room.states == ["sending"]
    room.beat = WELL
    room.pass_time(65)
    assert room.states == ["sending", "sent"]


def test_a_busy_provider_is_tried_again_and_a_refusal_is_final(room: Room) -> None:
    room.provider.script.extend(["busy", "busy", "ok"])
    room.die()
    room.pass_time(120)
    assert room.states == ["sent"]
    room.beat = WELL
    room.provider.script.append("refused")
    room.pass_time(120)
    assert room.states == ["sent", "failed"]
    assert "correct it" in room.notes.state.deliveries[-1].error


def test_a_channel_that_cannot_be_opened_is_tried_until_it_is_old_news(room: Room) -> None:
    room.trouble = "The key is gone: put it back."
    room.die()
    room.pass_time(70)
    assert room.states == ["waiting"]
    assert room.notes.state.deliveries[0].error == room.trouble
    room.beat = WELL
    room.pass_time(65)
    assert room.states == ["dropped", "waiting"]
    room.trouble = ""
    room.pass_time(60)
    assert room.provider.texts() and "it was down for" in room.provider.texts()[0]


def test_a_failure_goes_on_to_the_next_channel(room: Room) -> None:
    room.channels = (channel("first", escalate_to="second"), channel("second", kinds=()))
    room.provider.script.append("refused")
    room.die()
    room.pass_time(60)
    room.teller.begin_due()
    room.pass_time(10)
    room.teller.begin_due()
    room.teller.finish(30)
    assert [one.channel_id for one in room.provider.arrivals] == ["second"]
    assert room.states == ["failed", "sent"]


def test_a_full_disk_keeps_no_alarm_back(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: Any, **_options: Any) -> None:
        raise DataError("The disk is full.")

    monkeypatch.setattr(room.file, "write", full)
    room.die()
    room.pass_time(600)
    assert len(room.provider.arrivals) == 1
    monkeypatch.undo()
    room.pass_time(5)
    kept = room.file.read()
    assert kept is not None and [one.state for one in kept.deliveries] == ["sent"]


def test_a_damaged_file_is_begun_anew_and_said(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    (room.folder / "watcher.json").write_text("{", "utf-8")
    with caplog.at_level(logging.ERROR):
        room.start()
    assert "is damaged" in caplog.text
    room.die()
    assert room.pass_time(65) == [Told.DOWN]


def test_the_file_is_its_owners_and_holds_secrets_as_they_are_sealed(room: Room) -> None:
    file = room.folder / "watcher.json"
    assert file.stat().st_mode & 0o777 == 0o600
    kept = json.loads(file.read_text("utf-8"))
    assert kept["channels"][0]["sealed"] == {"token": "v1:sealed"}
    assert WatcherState.model_validate(kept).channels == (channel(),)


def test_the_engine_shows_its_watcher(room: Room) -> None:
    def look() -> list[tuple[str, str]]:
        [probe] = WatcherProbes(room.clock, room.file.read)(False)
        return [(str(check.grade), check.detail) for check in probe.look()]

    assert look() == [("ok", "last seen 0 s ago; it tells 'c1'")]
    room.provider.script.append("refused")
    room.die()
    room.pass_time(65)
    assert look()[1] == (
        "failed", "the last message through 'c1' failed: The number is wrong: correct it."
    )  # fmt: skip
    room.is_database_gone = True
    room.pass_time(5)
    assert look()[1] == ("warning", "The database is gone.")
    room.is_database_gone = False
    room.pass_time(5)
    assert "The database is gone." not in [detail for _, detail in look()]
    room.channels = ()
    room.start()
    assert look()[0] == ("warning", "last seen 0 s ago; it tells nobody")
    room.clock.advance(120)
    assert look() == [("warning", "last seen 2 min ago")]
    (room.folder / "watcher.json").unlink()
    assert look() == [("warning", "none runs")]
