"""What was committed stays, what was not leaves nothing, whatever else happens meanwhile."""

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from engine.adapters.store.database import ADVISORY_LOCK
from engine.adapters.store.store import SqlStore
from engine.errors import StoreError
from tests.contract.store_samples import event

ROOT = Path(__file__).resolve().parents[2]

# Commits two rows at a time and says so, for ever.
WRITER = """
import sys
from engine.adapters.store.store import SqlStore
from tests.contract.store_samples import event
store, number = SqlStore.open(sys.argv[1]), int(sys.argv[2])
while True:
    with store.transaction() as tx:
        tx.events.add(event(number))
        tx.put_setting("newest", str(number))
    print(number, flush=True)
    number += 1
"""


@contextmanager
def locked_by_another_program(store_url: str) -> Iterator[None]:
    """Somebody else holds the database's write lock."""
    if store_url.startswith("sqlite"):
        other = sqlite3.connect(store_url.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.close()
    else:
        with psycopg.connect(store_url.replace("+psycopg", "")) as connection:
            connection.execute(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")
            yield


@pytest.fixture
def hasty(store: SqlStore, store_url: str) -> Iterator[SqlStore]:
    """A store that waits for others only for a moment."""
    opened = SqlStore.open(store_url, busy_timeout_s=0.2)
    yield opened
    opened.close()


def write(store: SqlStore, number: int) -> None:
    with store.transaction() as tx:
        tx.events.add(event(number))


def ids(store: SqlStore) -> list[str]:
    with store.reading() as tx:
        return [one.id for one in tx.events.select()]


def test_what_was_committed_before_a_kill_is_there(store: SqlStore, store_url: str) -> None:
    said = 0
    for _kill in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, store_url, str(said)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert child.stdout is not None
        for _line in range(25):
            child.stdout.readline()
        child.kill()
        rest = child.stdout.read().split()
        child.wait()
        child.stdout.close()
        said += 25 + len([line for line in rest if line.isdigit()])
        with store.reading() as tx:
            kept = tx.events.count()
            assert said <= kept <= said + 1
            assert tx.find_setting("newest") == str(kept - 1)
            assert [one.id for one in tx.events.select()] == [f"e{n}" for n in range(kept)]
        said = kept
    if store_url.startswith("sqlite"):
        with store.database.reading() as session:
            assert session.rows(text("PRAGMA integrity_check")) == [("ok",)]


def test_a_locked_database_is_an_error_that_loses_nothing(hasty: SqlStore, store_url: str) -> None:
    write(hasty, 1)
    with locked_by_another_program(store_url):
        with pytest.raises(StoreError, match="busy with another program"):
            write(hasty, 2)
        assert ids(hasty) == ["e1"]
    write(hasty, 3)
    assert ids(hasty) == ["e1", "e3"]


def test_a_lock_that_is_given_back_in_time_is_waited_for(store: SqlStore, store_url: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        with locked_by_another_program(store_url):
            waiting = pool.submit(write, store, 1)
            time.sleep(0.2)
            assert not waiting.done()
        waiting.result(timeout=60)
    assert ids(store) == ["e1"]


def test_a_hanging_writer_delays_others_no_longer_than_the_timeout(hasty: SqlStore) -> None:
    inside, leave = threading.Event(), threading.Event()

    def hang() -> None:
        with hasty.transaction() as tx:
            tx.events.add(event(1))
            inside.set()
            leave.wait(60)

    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(hang)
        assert inside.wait(60)
        with pytest.raises(StoreError, match="busy"):
            write(hasty, 2)
        leave.set()
        hanging.result(timeout=60)
    assert ids(hasty) == ["e1"]


def test_a_write_inside_a_write_is_a_mistake_in_the_program(store: SqlStore) -> None:
    with pytest.raises(RuntimeError, match="inside another write"), store.transaction():
        write(store, 1)
    write(store, 2)
    assert ids(store) == ["e2"]


def test_readers_see_one_snapshot_and_wait_for_nobody(store: SqlStore) -> None:
    write(store, 1)
    with store.reading() as before:
        assert before.events.count() == 1
        with store.transaction() as tx:
            tx.events.add(event(2))
            assert tx.events.count() == 2
            assert ids(store) == ["e1"]
        assert ids(store) == ["e1", "e2"]
        assert before.events.count() == 1


def test_a_reader_cannot_write(store: SqlStore) -> None:
    with pytest.raises(StoreError), store.reading() as tx:
        tx.events.add(event(1))
    with pytest.raises(StoreError), store.reading() as tx:
        tx.events.prune(event(1).time)
    assert ids(store) == []


def test_writers_of_all_threads_and_programs_come_one_after_another(
    store: SqlStore, store_url: str
) -> None:
    other = SqlStore.open(store_url, busy_timeout_s=30)

    def count(writer: SqlStore) -> None:
        for _step in range(15):
            with writer.transaction() as tx:
                tx.put_setting("count", str(int(tx.find_setting("count") or 0) + 1))

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(count, (store, other)[number % 2]) for number in range(8)]:
            done.result(timeout=60)
    other.close()
    with store.reading() as tx:
        assert tx.find_setting("count") == "120"


def test_many_threads_read_while_one_writes(store: SqlStore) -> None:
    """Every snapshot has both rows of a transaction or neither."""

    def look() -> None:
        for _look in range(20):
            with store.reading() as tx:
                newest, kept = tx.find_setting("newest"), tx.events.count()
                assert int(newest or 0) == kept

    with ThreadPoolExecutor(8) as pool:
        looking = [pool.submit(look) for _reader in range(8)]
        for number in range(1, 40):
            with store.transaction() as tx:
                tx.events.add(event(number))
                tx.put_setting("newest", str(number))
        for done in looking:
            done.result(timeout=60)


def test_a_full_disk_loses_nothing_and_is_survived(tmp_path: Path) -> None:
    store = SqlStore.open(f"sqlite:///{tmp_path / 'state.db'}")
    write(store, 1)
    with store.database.writing() as session:
        pages = session.rows(text("PRAGMA page_count"))[0][0]
        session.rows(text(f"PRAGMA max_page_count = {pages}"))
    with pytest.raises(StoreError, match="disk is full"), store.transaction() as tx:
        tx.put_setting("first", "step")
        for number in range(2, 1000):
            tx.events.add(event(number, message="x" * 5000))
    with store.reading() as tx:
        assert tx.find_setting("first") is None
    with store.database.writing() as session:
        session.rows(text("PRAGMA max_page_count = 1000000"))
    write(store, 3)
    assert ids(store) == ["e1", "e3"]
    store.close()


def test_a_lost_connection_loses_nothing_and_is_made_again(postgres_url: str) -> None:
    store = SqlStore.open(postgres_url)
    write(store, 1)
    assert ids(store) == ["e1"]
    with pytest.raises(StoreError, match="does not answer"), store.transaction() as tx:
        tx.events.add(event(2))
        _hang_up(postgres_url)
        tx.events.add(event(3))
    assert ids(store) == ["e1"]
    _hang_up(postgres_url)
    write(store, 4)
    assert ids(store) == ["e1", "e4"]
    store.close()


def _hang_up(postgres_url: str) -> None:
    """End every other connection to the database, as a restart of the server does."""
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_sqlite_is_set_to_survive_a_power_loss(tmp_path: Path) -> None:
    store = SqlStore.open(f"sqlite:///{tmp_path / 'state.db'}")
    with store.database.writing() as session:
        kept = {name: session.rows(text(f"PRAGMA {name}"))[0][0]
                for name in ("journal_mode", "synchronous", "foreign_keys")}  # fmt: skip
    store.close()
    assert kept == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
