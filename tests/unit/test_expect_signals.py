"""A signal that does not come is missed once for each gap; and that they come again is said."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from engine.domain.bots import Bot, BotState
from engine.domain.records import Level
from tests.fakes.clock import START
from tests.fakes.memory_store import MemoryStore
from tests.support.inbox_room import InboxRoom, inbox_room

EVERY_S = 60


@pytest.fixture
def room() -> Iterator[InboxRoom]:
    """A room over memory."""
    with inbox_room(MemoryStore()) as room:
        yield room


@pytest.fixture
def bot(room: InboxRoom) -> Bot:
    """A running bot that expects a signal every minute."""
    return room.listen(expect_every_s=EVERY_S)


def look(room: InboxRoom, after_s: float = 0) -> list[tuple[str, str]]:
    """Let time pass and look; kinds and levels of all events of signals so far."""
    room.clock.advance(after_s)
    room.runner.run(room.expectations.check())
    return told(room)


def told(room: InboxRoom) -> list[tuple[str, str]]:
    """The events of signals, the oldest first."""
    with room.store.reading() as tx:
        return [(one.kind, one.level) for one in tx.events.select() if one.kind.startswith("sign")]


MISSING, BACK = ("signal.missing", Level.WARNING), ("signal.back", Level.INFO)


def test_a_gap_is_told_once_and_its_end_once(room: InboxRoom, bot: Bot) -> None:
    assert look(room) == []
    assert look(room, EVERY_S - 1) == []
    assert look(room, 1) == [MISSING]
    assert look(room, 500) == [MISSING]
    room.listeners.heard(bot.id, room.clock.now())
    assert look(room, 5) == [MISSING, BACK]
    assert look(room, EVERY_S - 6) == [MISSING, BACK]
    assert look(room, 6) == [MISSING, BACK, MISSING], "another gap"


def test_the_event_says_what_is_missing_of_whom(room: InboxRoom, bot: Bot) -> None:
    look(room)
    room.listeners.heard(bot.id, room.clock.now())
    look(room, EVERY_S)
    with room.store.reading() as tx:
        [event] = tx.events.select(kind="signal.missing")
    assert event.bot_id == bot.id
    assert "every 60 s, the last came at 2026-03-02 12:00:00 UTC" in event.message
    listener = room.listeners.find_listener(bot.id)
    assert listener is not None
    assert listener.missed_since == START + timedelta(seconds=EVERY_S)
    assert listener.last_signal_at == START


def test_signals_that_come_are_not_missed(room: InboxRoom, bot: Bot) -> None:
    for _ in range(5):
        room.listeners.heard(bot.id, room.clock.now())
        assert look(room, EVERY_S - 1) == []
    with room.store.reading() as tx:
        [kept] = tx.listeners.select()
    assert kept.last_signal_at == room.clock.now() - timedelta(seconds=EVERY_S - 1)


@pytest.mark.parametrize("state", [one for one in BotState if one is not BotState.RUNNING])
def test_a_bot_that_does_not_run_or_sleeps_misses_nothing(
    room: InboxRoom, bot: Bot, state: BotState
) -> None:
    look(room)
    with room.books.writing() as writing:
        writing.save_bot(bot.id, state=state)
    assert look(room, 10 * EVERY_S) == []
    with room.books.writing() as writing:
        writing.save_bot(bot.id, state=BotState.RUNNING)
    assert look(room) == [], "its time counts from now"
    assert look(room, EVERY_S) == [MISSING]
    with room.books.writing() as writing:
        writing.save_bot(bot.id, state=state)
    assert look(room, 1) == [MISSING], "nothing came back, nobody waits"
    listener = room.listeners.find_listener(bot.id)
    assert listener is not None
    assert listener.missed_since is None


def test_a_gap_is_not_told_again_after_a_restart(room: InboxRoom, bot: Bot) -> None:
    look(room)
    look(room, EVERY_S)
    room.start()
    assert look(room) == [MISSING]
    assert look(room, 10 * EVERY_S) == [MISSING]
    room.listeners.heard(bot.id, room.clock.now())
    assert look(room) == [MISSING, BACK]


def test_what_came_while_the_engine_was_off_cannot_be_missed(room: InboxRoom, bot: Bot) -> None:
    look(room)
    room.clock.advance(10 * EVERY_S)
    room.start()
    assert look(room) == []


def test_who_expects_nothing_misses_nothing(room: InboxRoom) -> None:
    room.listen("b0000002")
    look(room)
    assert look(room, 100 * EVERY_S) == []


def test_what_was_turned_away_is_told_once_a_minute(room: InboxRoom, bot: Bot) -> None:
    limited = ("signal.limited", Level.WARNING)
    for _ in range(3):
        room.listeners.turn_away(bot.id)
    assert look(room) == [limited]
    room.listeners.turn_away(bot.id)
    assert look(room, 5) == [limited]
    room.listeners.heard(bot.id, room.clock.now())
    assert look(room, 55) == [limited, limited]
    with room.store.reading() as tx:
        told = [one.message.split()[0] for one in tx.events.select(kind="signal.limited")]
    assert told == ["3", "1"]


def test_that_no_address_can_be_made_is_said_once(room: InboxRoom, bot: Bot) -> None:
    room.vault.is_locked = True
    assert look(room) == [("signal.no_address", Level.ERROR)]
    assert look(room, 5) == [("signal.no_address", Level.ERROR)]
    room.vault.is_locked = False
    look(room, 5)
    assert room.listeners.find_listener(bot.id) is not None
