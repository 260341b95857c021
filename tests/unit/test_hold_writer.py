"""Many HOLDs, one transaction; one that cannot be written keeps no other from it."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest

from engine.domain.bots import BotState
from engine.domain.decisions import Decision
from engine.errors import StoreError
from engine.ports import Transaction
from engine.services.hold_writer import HoldWriter
from engine.services.lanes import Lanes
from tests.contract.store_samples import decision
from tests.fakes.clock import START
from tests.unit.conftest import Room
from tests.unit.samples import config

BOTS = 30
UNTIL = START + timedelta(minutes=1)


@pytest.fixture
def lanes() -> Iterator[Lanes]:
    """Worker threads, given back."""
    lanes = Lanes()
    yield lanes
    lanes.close()


@pytest.fixture
def crowd(room: Room) -> list[str]:
    """Thirty running bots beside the room's own."""
    return [room.add_bot(id=f"c{n:07}", bot_config=config(name=f"bot {n}")).id for n in range(BOTS)]


def hold_of(bot_id: str) -> Decision:
    """A HOLD of a bot on the first candle."""
    return decision(0, id=f"{bot_id}-0", bot_id=bot_id)


def write_all(writer: HoldWriter, bot_ids: list[str]) -> list[BaseException | None]:
    """What each write raised."""

    async def scenario() -> list[BaseException | None]:
        writes = (writer.write(hold_of(bot_id), UNTIL) for bot_id in bot_ids)
        return await asyncio.gather(*writes, return_exceptions=True)

    return asyncio.run(scenario())


def held(room: Room) -> list[str]:
    """The bots that have a decision."""
    with room.store.reading() as tx:
        return sorted(one.bot_id for one in tx.decisions.select())


def test_thirty_holds_are_one_transaction(
    room: Room, crowd: list[str], lanes: Lanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[None] = []
    transaction = room.store.transaction

    def counted() -> AbstractContextManager[Transaction]:
        begun.append(None)
        return transaction()

    monkeypatch.setattr(room.store, "transaction", counted)
    assert write_all(HoldWriter(room.books, lanes), crowd) == [None] * BOTS
    assert len(begun) == 1
    assert held(room) == crowd
    assert {room.books.bots[bot_id].decided_until for bot_id in crowd} == {UNTIL}


def test_a_candle_that_was_decided_before_is_not_decided_again(
    room: Room, crowd: list[str], lanes: Lanes
) -> None:
    with room.books.writing() as writing:
        writing.tx.decisions.add(hold_of(crowd[3]).model_copy(update={"reason": "the first time"}))
    assert write_all(HoldWriter(room.books, lanes), crowd) == [None] * BOTS
    assert held(room) == crowd
    with room.store.reading() as tx:
        assert tx.decisions.get(f"{crowd[3]}-0").reason == "the first time"
    assert room.books.bots[crowd[3]].decided_until == UNTIL


def test_nothing_is_written_for_a_bot_that_was_stopped_or_deleted_meanwhile(
    room: Room, crowd: list[str], lanes: Lanes
) -> None:
    with room.books.writing() as writing:
        writing.save_bot(crowd[0], state=BotState.STOPPED)
        writing.delete_bot(crowd[1])
    assert write_all(HoldWriter(room.books, lanes), crowd) == [None] * BOTS
    assert held(room) == crowd[2:]


def test_a_failure_is_handed_to_all_who_wait_and_the_next_write_works(
    room: Room, crowd: list[str], lanes: Lanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = HoldWriter(room.books, lanes)

    def locked() -> AbstractContextManager[Transaction]:
        raise StoreError("The database is locked.")

    with monkeypatch.context() as patch:
        patch.setattr(room.store, "transaction", locked)
        failures = write_all(writer, crowd)
    assert all(isinstance(failure, StoreError) for failure in failures)
    assert held(room) == []
    assert write_all(writer, crowd) == [None] * BOTS
    assert held(room) == crowd
