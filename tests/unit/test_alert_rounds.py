"""Rounds on the event loop: at once, a lane for each channel, and an end that waits for nobody."""

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest

from engine.domain.alerts import DeliveryState
from engine.errors import StoreError
from engine.services.alert_rounds import AlertRounds
from engine.services.lanes import Lanes
from tests.fakes.memory_store import MemoryStore
from tests.support.alert_room import MAIL, PHONE, AlertRoom, channel

S = DeliveryState
PATIENCE_S = 90.0


class Rounds:
    """A room with its rounds, on an event loop."""

    def __init__(self) -> None:
        self.room = AlertRoom(MemoryStore())
        self.room.add(channel(MAIL), channel(PHONE))
        self.lanes = Lanes()
        self.runner = asyncio.Runner()
        self.build()

    def build(self) -> None:
        """The rounds, over the room as it is."""
        room, loop = self.room, self.runner.get_loop()
        self.rounds = AlertRounds(
            room.router, room.escalator, room.outbox, room.sender, self.lanes, loop
        )
        room.books.listen(self.rounds.nudge)

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so."""

        def look() -> None:
            while not is_so():
                time.sleep(0.002)

        await asyncio.wait_for(asyncio.to_thread(look), PATIENCE_S)

    async def until_sent(self, count: int) -> None:
        """Wait until so many messages are sent, and written down."""
        await self.until(lambda: self.room.states().count(S.SENT) == count)


@pytest.fixture
def live() -> Iterator[Rounds]:
    """Rounds that end with the test, and what hangs with them."""
    live = Rounds()
    yield live
    live.room.provider.released.set()
    live.lanes.close()
    live.runner.close()


def test_an_alert_is_told_as_soon_as_it_is_written(live: Rounds) -> None:
    async def act() -> None:
        await asyncio.to_thread(live.room.tell)  # from any thread
        await live.until_sent(2)

    live.runner.run(act())
    assert len(live.room.provider.arrivals) == 2


def test_a_provider_that_hangs_delays_no_other_and_not_the_end(live: Rounds) -> None:
    provider = live.room.provider
    provider.hanging.add(PHONE)

    async def act() -> None:
        live.room.tell("one")
        await live.until(provider.is_hanging.is_set)
        live.room.tell("two")
        await live.until_sent(2)
        await live.rounds.begin_due()
        live.rounds.halt()
        await live.rounds.finish(0.01)

    live.runner.run(act())
    assert live.room.states(channel_id=MAIL) == [S.SENT, S.SENT]
    assert live.room.states(channel_id=PHONE) == [S.SENDING, S.WAITING]


def test_after_the_last_word_no_message_begins(live: Rounds) -> None:
    live.rounds.halt()

    async def act() -> None:
        live.room.tell()
        await live.rounds.begin_due()
        await live.rounds.finish(PATIENCE_S)

    live.runner.run(act())
    assert live.room.states() == [S.WAITING, S.WAITING]
    live.runner.close()
    live.room.tell()  # the loop is closed: it is told at the next start
    assert not live.room.provider.arrivals


def test_a_full_disk_is_logged_and_the_next_round_goes_on(
    live: Rounds, caplog: pytest.LogCaptureFixture
) -> None:
    store = live.room.store
    assert isinstance(store, MemoryStore)

    def full() -> None:
        raise StoreError("The disk is full.")

    async def act() -> None:
        live.rounds.halt()
        live.room.tell()
        await live.rounds.begin_due()
        await live.rounds.finish(PATIENCE_S)
        live.room.restart()
        live.build()
        store.before_commit = full
        await live.rounds.begin_due()
        await live.rounds.finish(PATIENCE_S)
        store.before_commit = None
        assert "channel ch-phone is tried again: The disk is full." in caplog.text
        await live.rounds.begin_due()
        await live.until_sent(2)

    live.runner.run(act())
    assert len(live.room.provider.arrivals) == 2
