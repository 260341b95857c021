"""One engine owns a database; whoever owned it before writes no more."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from engine.adapters.store.paper_book import SqlPaperBook
from engine.adapters.store.store import SqlStore
from engine.domain.records import PaperBalance
from engine.errors import Conflict, LeaseLost
from tests.contract.store_samples import event
from tests.fakes.clock import START, FakeClock

ROOT = Path(__file__).resolve().parents[2]
TTL = timedelta(seconds=10)
RACER = """
import sys, time
from datetime import timedelta
from engine.adapters.store.store import SqlStore
from engine.errors import Conflict
store = SqlStore.open(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
try:
    store.acquire_lease(sys.argv[2], "pid " + sys.argv[2], timedelta(seconds=60))
    print("won", flush=True)
except Conflict as error:
    print(error, flush=True)
"""


@pytest.fixture
def rival(store: SqlStore, store_url: str, clock: FakeClock) -> Iterator[SqlStore]:
    """A second engine on the same database."""
    opened = SqlStore.open(store_url, now=clock.now)
    yield opened
    opened.close()


def write(store: SqlStore, number: int) -> None:
    with store.transaction() as tx:
        tx.events.add(event(number))


def test_a_held_lease_is_refused_and_says_who_holds_it(store: SqlStore, rival: SqlStore) -> None:
    lease = store.acquire_lease("one", "pid 7, since 12:00", TTL)
    assert (lease.owner, lease.term, lease.expires_at) == ("one", 1, START + TTL)
    with pytest.raises(Conflict, match=r"pid 7, since 12:00.* until 12:00:10 UTC"):
        rival.acquire_lease("two", "pid 8", TTL)
    write(store, 1)


def test_a_lease_that_ran_out_is_taken_and_its_owner_fenced_off(
    store: SqlStore, rival: SqlStore, clock: FakeClock
) -> None:
    lease = store.acquire_lease("one", "pid 7", TTL)
    clock.advance(10)
    assert rival.acquire_lease("two", "pid 8", TTL).term == 2
    with pytest.raises(LeaseLost, match="pid 8"):
        write(store, 1)
    with pytest.raises(LeaseLost, match="pid 8"):
        store.renew_lease(lease, TTL)
    with pytest.raises(LeaseLost):
        SqlPaperBook(store.database).commit("paper", {"BTC": PaperBalance(asset="BTC")})
    write(rival, 2)
    with store.reading() as tx:
        assert [one.id for one in tx.events.select()] == ["e2"]


def test_an_owner_takes_its_own_lease_at_once_and_a_former_life_is_fenced_off(
    store: SqlStore, rival: SqlStore
) -> None:
    store.acquire_lease("one", "pid 7", TTL)
    lease = rival.acquire_lease("one", "pid 8", TTL)
    assert (lease.owner, lease.term) == ("one", 2)
    with pytest.raises(LeaseLost):
        write(store, 1)
    write(rival, 2)


def test_renewing_moves_the_end_and_keeps_the_term(
    store: SqlStore, rival: SqlStore, clock: FakeClock
) -> None:
    lease = store.acquire_lease("one", "pid 7", TTL)
    clock.advance(9)
    renewed = store.renew_lease(lease, TTL)
    assert (renewed.term, renewed.expires_at) == (1, START + timedelta(seconds=19))
    clock.advance(9)
    with pytest.raises(Conflict):
        rival.acquire_lease("two", "pid 8", TTL)
    write(store, 1)


def test_a_slow_owner_that_nobody_succeeded_goes_on(store: SqlStore, clock: FakeClock) -> None:
    lease = store.acquire_lease("one", "pid 7", TTL)
    clock.advance(3600)
    write(store, 1)
    assert store.renew_lease(lease, TTL).expires_at == clock.current + TTL


def test_the_same_owner_may_take_it_again(store: SqlStore, rival: SqlStore) -> None:
    store.acquire_lease("one", "pid 7", TTL)
    assert rival.acquire_lease("one", "pid 8", TTL).term == 2
    with pytest.raises(LeaseLost):
        write(store, 1)


def test_a_released_lease_is_free_and_its_owner_writes_no_more(
    store: SqlStore, rival: SqlStore
) -> None:
    store.release_lease(store.acquire_lease("one", "pid 7", TTL))
    with pytest.raises(LeaseLost, match="given up"):
        write(store, 1)
    lease = rival.acquire_lease("two", "pid 8", TTL)
    assert lease.term == 2
    store.release_lease(lease.model_copy(update={"owner": "one", "term": 1}))
    write(rival, 2)


def test_without_a_lease_nothing_is_fenced(store: SqlStore, rival: SqlStore) -> None:
    rival.acquire_lease("two", "pid 8", TTL)
    write(store, 1)
    with store.reading() as tx:
        assert tx.events.count() == 1


def test_of_racing_processes_exactly_one_wins(store_url: str) -> None:
    racers = [
        subprocess.Popen([sys.executable, "-c", RACER, store_url, str(number)],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for number in range(2)
    ]  # fmt: skip
    try:
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        answers = [racer.communicate(timeout=60)[0].strip() for racer in racers]
    finally:
        for racer in racers:
            racer.kill()
            racer.wait()
    assert answers.count("won") == 1
    assert sum("holds this database" in answer for answer in answers) == 1
