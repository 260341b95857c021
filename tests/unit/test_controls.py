"""Controls of every scope: who is stopped by which, kept over restarts, failures and releases."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.controls import from_text, in_force, normal_key, strongest, to_text
from engine.domain.records import KillLevel, KillSwitch, Level, ScopeKind
from engine.errors import ConfigError, StoreError
from engine.services.controls import SETTING, Controls
from engine.services.latch_file import LatchFile
from tests.unit.conftest import Room
from tests.unit.samples import config

NONE, PAUSE, REDUCE = KillLevel.NONE, KillLevel.PAUSE_ENTRIES, KillLevel.REDUCE_ONLY
CANCEL, CLOSE = KillLevel.CANCEL_ORDERS, KillLevel.CLOSE_ALL
ALL, ACCOUNT = ScopeKind.EVERYTHING, ScopeKind.ACCOUNT
BOT, SYMBOL = ScopeKind.BOT, ScopeKind.SYMBOL
MINE: dict[str, Any] = {"account_id": "paper:simulated", "bot_id": "b0000001", "symbol": "BTC/USDT"}

switches = st.builds(
    KillSwitch,
    scope=st.sampled_from([ACCOUNT, BOT, SYMBOL]),
    key=st.sampled_from(["A", "B"]),
    level=st.sampled_from(KillLevel),
) | st.builds(KillSwitch, level=st.sampled_from(KillLevel))


def fresh(room: Room, wake: Callable[[], None] = lambda: None) -> Controls:
    """The controls as an engine finds them at its start."""
    controls = Controls(room.books, room.folder / "KILL", wake)
    controls.load()
    return controls


def held(controls: Controls) -> dict[tuple[ScopeKind, str], KillLevel]:
    """What is in force, by scope."""
    return {(one.scope, one.key): one.level for one in controls.switches}


# --- the rules


@given(st.lists(switches, max_size=8), st.sampled_from("AB"), st.sampled_from("AB"))
def test_the_strongest_that_matches_is_in_force(
    rows: list[KillSwitch], account: str, bot: str
) -> None:
    found = in_force(strongest(rows), account_id=account, bot_id=bot, symbol="A")
    matching = [
        one for one in rows
        if one.scope is ALL or one.key == {ACCOUNT: account, BOT: bot, SYMBOL: "A"}[one.scope]
    ]  # fmt: skip
    assert found.level.strength == max((one.level.strength for one in matching), default=0)


@given(st.lists(switches, max_size=8))
def test_what_is_kept_is_read_back(rows: list[KillSwitch]) -> None:
    assert strongest(from_text(to_text(strongest(rows).values()))) == strongest(rows)


def test_the_one_switch_of_earlier_versions_is_read() -> None:
    old = '{"level": "close_all", "actor": "anna", "since": "2026-01-05T12:00:00Z"}'
    [switch] = from_text(old)
    assert (switch.scope, switch.key, switch.level, switch.actor) == (ALL, "", CLOSE, "anna")


BROKEN = ["", "{", "[]", "7", "{}", '{"controls": {}}', '{"controls": [7]}', '{"controls": [{}]}',
          '{"level": "gently"}', '{"level": "none", "scope": "bot"}', "[" * 100_000,
          '{"controls": [{"level": "close_all", "scope": "everything", "key": "x"}]}']  # fmt: skip


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_what_cannot_be_read_pauses_everything(room: Room, text: str) -> None:
    with pytest.raises(ValueError):
        from_text(text)
    (room.folder / "KILL").write_text(text)
    assert held(fresh(room)) == {(ALL, ""): PAUSE}


def test_a_setting_that_cannot_be_read_pauses_everything(room: Room) -> None:
    with room.books.writing() as writing:
        writing.tx.put_setting(SETTING, "not json")
    assert held(fresh(room)) == {(ALL, ""): PAUSE}


def test_a_key_fits_its_scope() -> None:
    assert normal_key(SYMBOL, " btc/usdt ") == "BTC/USDT"
    for scope, key in ((ALL, "x"), (BOT, " "), (ACCOUNT, ""), (SYMBOL, "")):
        with pytest.raises(ValueError, match="control on"):
            normal_key(scope, key)


@pytest.mark.parametrize(
    ("scope", "key", "words"),
    [
        (ALL, "", "the kill switch is on: reduce only (news)"),
        (ACCOUNT, "paper:simulated",
         "the control 'reduce only' is on for the account paper:simulated (news)"),
        (BOT, "b0000001", "the control 'reduce only' is on for the bot demo (news)"),
        (SYMBOL, "btc/usdt", "the control 'reduce only' is on for BTC/USDT (news)"),
    ],
)  # fmt: skip
def test_an_objection_names_the_control(room: Room, scope: ScopeKind, key: str, words: str) -> None:
    room.controls.set(REDUCE, "test", scope, key, "news")
    assert room.controls.objection(**MINE) == words
    elsewhere = MINE | {"account_id": "paper:ccxt:kraken", "bot_id": "b2", "symbol": "ETH/USDT"}
    assert (room.controls.objection(**elsewhere) is None) is (scope is not ALL)


@pytest.mark.parametrize("level", KillLevel)
def test_a_pause_stops_bots_and_reduce_only_stops_people_too(room: Room, level: KillLevel) -> None:
    room.controls.set(level, "test", SYMBOL, "BTC/USDT")
    assert (room.controls.objection(**MINE) is None) is (level is NONE)
    by_hand = room.controls.objection(**MINE, is_manual=True)
    assert (by_hand is None) is (level in (NONE, PAUSE))


# --- setting and releasing


def test_each_control_is_released_by_itself(room: Room) -> None:
    room.controls.set(CLOSE, "anna")
    room.controls.set(PAUSE, "anna", BOT, "b0000001")
    room.controls.set(CANCEL, "anna", SYMBOL, "btc/usdt", "a rumour")
    assert room.controls.level_for(**MINE) is CLOSE
    room.controls.set(NONE, "ben")
    assert room.controls.level_for(**MINE) is CANCEL
    assert held(fresh(room)) == {(BOT, "b0000001"): PAUSE, (SYMBOL, "BTC/USDT"): CANCEL}
    room.controls.set(NONE, "ben", SYMBOL, "BTC/USDT")
    room.controls.set(NONE, "ben", BOT, "b0000001")
    assert held(room.controls) == held(fresh(room)) == {}
    assert not (room.folder / "KILL").exists()
    told = [(event.kind, event.message) for event in room.events()]
    assert ("control", "The control 'cancel orders' was set on BTC/USDT (a rumour).") in told
    assert ("control", "The control on the bot demo was released.") in told
    with room.store.reading() as tx:
        audit = [(one.actor, one.subject, one.detail["level"]) for one in tx.audit.select()]
    assert audit[0] == ("anna", "close_all", "close_all")
    assert audit[-1] == ("ben", "bot:b0000001", "none")


@pytest.mark.parametrize(("scope", "key"), [(ALL, "BTC"), (BOT, ""), (SYMBOL, "  ")])
def test_a_control_on_nothing_is_refused(room: Room, scope: ScopeKind, key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        room.controls.set(CLOSE, "test", scope, key)
    assert refused.value.field == "key"
    assert not room.controls.switches


def test_in_force_and_woken_before_anything_is_written(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[KillLevel] = []
    controls = fresh(room, lambda: seen.append(controls.level_for(**MINE)))

    def down() -> None:
        seen.append(controls.level_for(**MINE))
        raise StoreError("The database is locked.")

    monkeypatch.setattr(room.store, "transaction", down)
    controls.set(CLOSE, "test", ACCOUNT, "paper:simulated")
    assert seen == [CLOSE, CLOSE]


# --- failures


def test_with_the_database_down_it_latches_and_is_written_once_it_is_back(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down() -> None:
        raise StoreError("The database is locked.")

    with monkeypatch.context() as patch:
        patch.setattr(room.store, "transaction", down)
        room.controls.set(CANCEL, "test", BOT, "b0000001")
        with pytest.raises(StoreError):
            room.controls.take_latch()
        with pytest.raises(StoreError):
            room.controls.set(NONE, "test", BOT, "b0000001")
        assert held(room.controls) == {(BOT, "b0000001"): CANCEL}, "a release that failed"
    assert held(fresh(room)) == {(BOT, "b0000001"): CANCEL}, "by the file alone"
    room.controls.take_latch()
    room.controls.take_latch()
    (room.folder / "KILL").unlink()
    assert held(fresh(room)) == {(BOT, "b0000001"): CANCEL}, "by the database alone"
    assert [event.kind for event in room.events()] == ["control"], "told once"


def test_a_file_that_cannot_be_changed_keeps_the_control_on(room: Room) -> None:
    file = room.folder / "KILL"
    file.mkdir()  # reads as unreadable, and cannot be replaced
    room.controls.set(CLOSE, "test")
    with pytest.raises(StoreError, match="stays on"):
        room.controls.set(NONE, "test")
    assert room.controls.level is CLOSE
    file.rmdir()
    room.controls.set(NONE, "test")
    assert held(room.controls) == held(fresh(room)) == {}


def test_neither_database_nor_file_is_in_force_and_said(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down() -> None:
        raise StoreError("The database is locked.")

    (room.folder / "KILL").mkdir()
    monkeypatch.setattr(room.store, "transaction", down)
    with pytest.raises(StoreError, match="locked"):
        room.controls.set(CLOSE, "test")
    assert room.controls.level is CLOSE


def test_the_stronger_of_file_and_database_counts_by_scope(room: Room) -> None:
    room.controls.set(PAUSE, "test", SYMBOL, "BTC/USDT")
    room.controls.set(CLOSE, "test", BOT, "b0000001")
    LatchFile(room.folder / "KILL").write(
        [KillSwitch(scope=SYMBOL, key="BTC/USDT", level=CANCEL),
         KillSwitch(scope=BOT, key="b0000001", level=PAUSE)]
    )  # fmt: skip
    assert held(fresh(room)) == {(SYMBOL, "BTC/USDT"): CANCEL, (BOT, "b0000001"): CLOSE}


def test_a_latch_by_name_is_looked_up_when_it_is_honoured(room: Room) -> None:
    woken: list[str] = []
    controls = fresh(room, lambda: woken.append("now"))
    LatchFile(room.folder / "KILL").write([KillSwitch(scope=BOT, key="DEMO", level=CLOSE)])
    controls.take_latch()
    controls.take_latch()
    assert held(controls) == {(BOT, "b0000001"): CLOSE}
    assert woken == ["now"]
    controls.set(NONE, "test", BOT, "b0000001")
    assert not (room.folder / "KILL").exists()
    assert held(fresh(room)) == {}


def test_a_latch_of_a_bot_that_is_not_there_stays_and_stops_nobody(room: Room) -> None:
    LatchFile(room.folder / "KILL").write([KillSwitch(scope=BOT, key="gone", level=CLOSE)])
    controls = fresh(room)
    assert held(controls) == {(BOT, "gone"): CLOSE}
    assert controls.objection(**MINE) is None
    room.add_bot(id="b0000002", bot_config=config(name="gone"))
    controls.take_latch()
    assert controls.level_for(**{**MINE, "bot_id": "b0000002"}) is CLOSE


def test_what_was_latched_past_the_engine_survives_its_next_write(room: Room) -> None:
    file = LatchFile(room.folder / "KILL")
    file.write([KillSwitch(scope=SYMBOL, key="ETH/USDT", level=CLOSE)])
    room.controls.set(PAUSE, "test")
    assert {(one.scope, one.level) for one in file.read()} == {(ALL, PAUSE), (SYMBOL, CLOSE)}


def test_two_at_once_are_both_kept(room: Room) -> None:
    symbols = [f"S{number}/USDT" for number in range(12)]
    start = threading.Barrier(len(symbols))

    def pull(symbol: str) -> None:
        start.wait()
        room.controls.set(CLOSE, "test", SYMBOL, symbol)
        if symbol.startswith(("S1", "S2")):
            room.controls.set(NONE, "test", SYMBOL, symbol)

    threads = [threading.Thread(target=pull, args=(symbol,)) for symbol in symbols]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = {(SYMBOL, one): CLOSE for one in symbols if not one.startswith(("S1", "S2"))}
    assert held(room.controls) == left
    with room.store.reading() as tx:
        stored = strongest(from_text(tx.find_setting(SETTING) or ""))
    assert {scope: one.level for scope, one in stored.items()} == left
    assert held(fresh(room)) == left


# --- the breaker's door


def test_the_breaker_never_loosens_and_waits_for_no_database(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down() -> None:
        raise StoreError("The database is locked.")

    room.controls.set(CLOSE, "anna", BOT, "b0000001")
    with monkeypatch.context() as patch:
        patch.setattr(room.store, "transaction", down)
        room.controls.trip(PAUSE, BOT, "b0000001", "a storm")
        room.controls.trip(REDUCE, ACCOUNT, "paper:simulated", "a storm")
    assert held(room.controls) == {(BOT, "b0000001"): CLOSE, (ACCOUNT, "paper:simulated"): REDUCE}
    room.controls.take_latch()
    event = room.events()[-1]
    assert (event.level, event.kind) == (Level.ERROR, "control")
    assert "a storm" in event.message
    (room.folder / "KILL").unlink()
    [switch] = [one for one in fresh(room).switches if one.scope is ACCOUNT]
    assert (switch.actor, switch.reason) == ("breaker", "a storm")


def test_the_file_is_one_json_document_and_nothing_is_left_beside_it(room: Room) -> None:
    room.controls.set(CLOSE, "anna", reason="enough")
    room.controls.set(PAUSE, "ben", SYMBOL, "ETH/USDT")
    rows = json.loads((room.folder / "KILL").read_text())["controls"]
    assert [(one["scope"], one["level"], one["reason"]) for one in rows] == [
        ("everything", "close_all", "enough"), ("symbol", "pause_entries", ""),
    ]  # fmt: skip
    beside = [path for path in Path(room.folder).glob("KILL*") if path.name != "KILL"]
    assert not beside


def test_a_latch_written_past_the_api_stops_the_very_next_order(room: Room) -> None:
    """Nobody waits for the next look at the file."""
    switch = KillSwitch(level=KillLevel.PAUSE_ENTRIES, actor="cli")
    (room.folder / "KILL").write_text(to_text([switch]), "utf-8")
    room.enter()
    assert room.broker.sent == []
    assert room.controls.level is KillLevel.PAUSE_ENTRIES
