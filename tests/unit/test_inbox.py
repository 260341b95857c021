"""The inbox: written together, kept once, never lost, begun once."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest

from engine.domain.signals import Signal, SignalKind, SignalState
from engine.errors import StoreError
from engine.ports import Transaction
from engine.services import inbox as service
from engine.services.inbox import Inbox, Kept
from engine.services.lanes import Lanes
from tests.contract.store_samples import signal as sample
from tests.fakes.clock import START
from tests.fakes.memory_store import MemoryStore


def new(number: int, **changes: Any) -> Signal:
    """A signal that has just come."""
    fields = {"id": f"s{number}", "digest": f"d{number}", "state": SignalState.RECEIVED,
              "received_at": START + timedelta(seconds=number)}  # fmt: skip
    return sample(**(fields | changes))


class Desk:
    """An inbox over memory; ``begun`` is what was to be acted on."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.lanes = Lanes()
        self.begun: list[str] = []
        self.inbox = Inbox(self.store, self.lanes, lambda one: self.begun.append(one.id))
        self.runner = asyncio.Runner()

    def keep(self, *signals: Signal, **how: Any) -> list[Kept | BaseException]:
        """Give them at once."""

        async def scenario() -> list[Kept | BaseException]:
            keeping = (self.inbox.keep(one, **how) for one in signals)
            return await asyncio.gather(*keeping, return_exceptions=True)

        return self.runner.run(scenario())

    @property
    def rows(self) -> dict[str, Signal]:
        """What is in the store."""
        with self.store.reading() as tx:
            return {one.id: one for one in tx.signals.select()}


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A desk, its threads given back."""
    desk = Desk()
    with desk.runner:
        yield desk
    desk.lanes.close()


@pytest.fixture
def transactions(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One for each transaction that was begun."""
    begun: list[None] = []
    transaction = desk.store.transaction

    def counted() -> AbstractContextManager[Transaction]:
        begun.append(None)
        return transaction()

    monkeypatch.setattr(desk.store, "transaction", counted)
    return begun


def test_what_comes_together_is_written_together(desk: Desk, transactions: list[None]) -> None:
    signals = [new(number) for number in range(200)]
    kept = desk.keep(*signals)
    assert kept == [Kept(one.id, False, SignalState.RECEIVED, one.outcome) for one in signals]
    assert list(desk.rows.values()) == signals
    assert desk.begun == [one.id for one in signals], "in the order in which they came"
    assert len(transactions) == 1


def test_a_large_crowd_is_written_in_groups(
    desk: Desk, transactions: list[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_AT_ONCE", 40)
    desk.keep(*(new(number) for number in range(100)))
    assert (len(desk.rows), len(transactions)) == (100, 3)


def test_four_deliveries_at_once_are_one_signal(desk: Desk) -> None:
    kept = desk.keep(*(new(number, digest="same") for number in range(4)))
    assert [one.is_copy for one in kept if isinstance(one, Kept)] == [False, True, True, True]
    assert {one.signal_id for one in kept if isinstance(one, Kept)} == {"s0"}
    assert [one.copies for one in desk.rows.values()] == [3]
    assert desk.begun == ["s0"]


def test_a_copy_that_comes_later_is_counted_and_told_what_became_of_the_first(desk: Desk) -> None:
    first = new(1, digest="same", state=SignalState.ACTED, outcome="It was bought.", copies=2)
    desk.keep(first)
    [kept] = desk.keep(new(2, digest="same"))
    assert kept == Kept("s1", True, SignalState.ACTED, "It was bought.")
    assert desk.rows == {"s1": first.model_copy(update={"copies": 3})}
    assert desk.begun == [], "it was acted on already"


def test_another_senders_equal_signal_is_no_copy(desk: Desk) -> None:
    desk.keep(new(1, digest="same", sender="one"), new(2, digest="same", sender="two"))
    assert set(desk.rows) == {"s1", "s2"}


@pytest.mark.parametrize(
    ("later_s", "within_s", "is_copy"),
    [(60, 60, True), (61, 60, False), (86_400, None, True), (0, 0, False)],
)
def test_a_window_says_how_long_an_equal_one_is_a_copy(
    desk: Desk, later_s: int, within_s: int | None, is_copy: bool
) -> None:
    desk.keep(new(1, digest="same"))
    late = new(2, digest="same", received_at=START + timedelta(seconds=1 + later_s))
    [kept] = desk.keep(late, same_within_s=within_s)
    assert isinstance(kept, Kept)
    assert kept.is_copy == is_copy


def test_a_window_counts_from_the_newest(desk: Desk) -> None:
    desk.keep(new(1, digest="same"))
    desk.keep(new(100, digest="same"), same_within_s=60)
    [kept] = desk.keep(new(150, digest="same"), same_within_s=60)
    assert kept == Kept("s100", True, SignalState.RECEIVED, desk.rows["s100"].outcome)


def test_one_under_another_digest_is_found_too(desk: Desk) -> None:
    desk.keep(new(1, digest="whole"))
    late = new(2, digest="refused", state=SignalState.REFUSED)
    [kept] = desk.keep(late, same_within_s=60, copy_of="whole")
    assert kept == Kept("s1", True, SignalState.RECEIVED, desk.rows["s1"].outcome)
    [kept] = desk.keep(late, same_within_s=60, copy_of="never seen")
    assert kept == Kept("s2", False, SignalState.REFUSED, late.outcome)


def test_only_what_asks_for_something_is_begun(desk: Desk) -> None:
    desk.keep(
        new(1, state=SignalState.REFUSED), new(2, kind=SignalKind.PRICES, state=SignalState.ACTED),
        new(3, kind=SignalKind.EXECUTION), new(4),
    )  # fmt: skip
    assert desk.begun == ["s4"]


def test_when_the_commit_fails_nothing_of_the_group_is_kept(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> AbstractContextManager[Transaction]:
        raise StoreError("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(desk.store, "transaction", refuse)
        kept = desk.keep(new(1), new(2))
    assert [str(one) for one in kept] == ["The disk is full."] * 2
    assert all(isinstance(one, StoreError) for one in kept)
    assert (desk.rows, desk.begun) == ({}, [])
    desk.keep(new(1))
    assert desk.begun == ["s1"], "the next one is taken again"


def test_more_than_can_be_written_are_turned_away(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_WAITING", 3)
    kept = desk.keep(*(new(number) for number in range(5)))
    assert [isinstance(one, StoreError) for one in kept] == [False, False, False, True, True]
    assert set(desk.rows) == {"s0", "s1", "s2"}


def test_a_fault_of_who_acts_keeps_nobody_from_being_answered(desk: Desk) -> None:
    def fail(_signal: Signal) -> None:
        raise RuntimeError("a fault of ours")

    faulty = Inbox(desk.store, desk.lanes, fail)
    desk.runner.get_loop().set_exception_handler(lambda _loop, _context: None)

    async def scenario(number: int) -> list[Kept]:
        keeping = (faulty.keep(new(number + more)) for more in range(3))
        return await asyncio.gather(*keeping)

    for number in (0, 10):
        assert len(desk.runner.run(scenario(number))) == 3
    assert len(desk.rows) == 6


def test_nor_those_who_come_while_the_others_are_written(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_signal: Signal) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(service, "MOST_AT_ONCE", 1)  # the second is a group of its own
    faulty = Inbox(desk.store, desk.lanes, fail)
    desk.runner.get_loop().set_exception_handler(lambda _loop, _context: None)

    async def scenario() -> list[Kept]:
        return await asyncio.wait_for(
            asyncio.gather(*(faulty.keep(new(number)) for number in range(2))), 30
        )

    assert len(desk.runner.run(scenario())) == 2


def test_a_sender_that_gives_up_harms_nobody(desk: Desk) -> None:
    async def scenario() -> Kept:
        gone = asyncio.create_task(desk.inbox.keep(new(1)))
        stays = asyncio.create_task(desk.inbox.keep(new(2)))
        await asyncio.sleep(0)
        gone.cancel()
        return await stays

    assert desk.runner.run(scenario()).signal_id == "s2"
    assert set(desk.rows) == {"s1", "s2"}
    assert desk.begun == ["s1", "s2"], "it was kept: it is acted on"
