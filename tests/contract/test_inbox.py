"""The inbox over every store: what is kept once, found again, counted and pruned."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.domain.signals import Signal, SignalKind, SignalState
from engine.errors import StoreError
from engine.ports import Store
from engine.services.inbox import Inbox, Kept
from engine.services.lanes import Lanes
from tests.contract.store_samples import signal as sample
from tests.fakes.clock import START


@pytest.fixture
def lanes() -> Iterator[Lanes]:
    """Worker threads, given back."""
    lanes = Lanes()
    yield lanes
    lanes.close()


def new(number: int, **changes: Any) -> Signal:
    """A signal that has just come."""
    fields = {"id": f"s{number}", "digest": f"d{number}", "state": SignalState.RECEIVED,
              "received_at": START + timedelta(seconds=number)}  # fmt: skip
    return sample(**(fields | changes))


def keep(store: Store, lanes: Lanes, *signals: Signal, **how: Any) -> list[Kept]:
    """Give them at once."""

    async def scenario() -> list[Kept]:
        inbox = Inbox(store, lanes, lambda _signal: None)
        return await asyncio.gather(*(inbox.keep(one, **how) for one in signals))

    return asyncio.run(scenario())


def test_what_comes_at_once_is_kept_once_and_counted(any_store: Store, lanes: Lanes) -> None:
    signals = [new(number, digest=f"d{number % 5}") for number in range(20)]
    kept = keep(any_store, lanes, *signals)
    assert [one.signal_id for one in kept] == [f"s{number % 5}" for number in range(20)]
    keep(any_store, lanes, new(99, digest="d3"))
    with any_store.reading() as tx:
        found = tx.signals.select()
    first = [one.model_copy(update={"copies": 3 + (one.id == "s3")}) for one in signals[:5]]
    assert found == first


def test_copies_are_found_in_a_crowd_of_many_senders(any_store: Store, lanes: Lanes) -> None:
    crowd = [new(number, sender=f"sender {number % 70}") for number in range(140)]
    assert not any(one.is_copy for one in keep(any_store, lanes, *crowd))
    again = [new(200 + number, sender=one.sender, digest=one.digest)
             for number, one in enumerate(crowd)]  # fmt: skip
    kept = keep(any_store, lanes, *reversed(again), new(999, sender="another"))
    assert [one.signal_id for one in kept] == [*(one.id for one in reversed(crowd)), "s999"]
    assert [one.is_copy for one in kept] == [True] * len(crowd) + [False]


def test_a_window_is_that_of_the_store_too(any_store: Store, lanes: Lanes) -> None:
    keep(any_store, lanes, new(0, digest="same"), same_within_s=60)
    outcomes = [
        keep(any_store, lanes, new(at_s, digest="same"), same_within_s=60)[0].is_copy
        for at_s in (60, 61, 121, 122)
    ]
    assert outcomes == [True, False, True, False]


def test_a_refused_commit_keeps_nothing(
    any_store: Store, lanes: Lanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("engine.services.inbox._count_copies", _fail)
        with pytest.raises(StoreError):
            keep(any_store, lanes, new(1), new(2))
    with any_store.reading() as tx:
        assert tx.signals.count() == 0


def _fail(*_: object) -> None:
    raise StoreError("The disk is full.")


def test_prices_are_pruned_apart(any_store: Store, lanes: Lanes) -> None:
    keep(any_store, lanes, new(1, kind=SignalKind.PRICES), new(2), new(100))
    with any_store.transaction() as tx:
        assert tx.signals.prune(START + timedelta(seconds=50), kind=SignalKind.PRICES) == 1
        assert tx.signals.prune(START + timedelta(seconds=50)) == 1
    with any_store.reading() as tx:
        assert [one.id for one in tx.signals.select()] == ["s100"]


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(max_size=100), min_size=20, max_size=20))
def test_any_text_can_be_kept(any_store: Store, lanes: Lanes, texts: list[str]) -> None:
    """Else one body could have the signals of others refused that are written with it."""
    with any_store.transaction() as tx:
        tx.signals.prune(START + timedelta(days=1))
    keep(any_store, lanes, *(new(number, body=text, outcome=text, content_type=text)
                             for number, text in enumerate(texts)))  # fmt: skip
    with any_store.reading() as tx:
        assert tx.signals.count() == len(texts)
