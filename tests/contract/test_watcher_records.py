"""What a watcher reads of the engine's database: one contract for a file and for a server."""

import socket
from collections.abc import Iterator
from datetime import time, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from engine.adapters.store.glimpse import PostgresRecords, SqliteRecords
from engine.adapters.store.store import SqlStore
from engine.domain.alerts import AlertKind, Channel, ChannelKind, QuietHours
from engine.domain.records import Level
from engine.domain.watch_outbox import Glimpse
from engine.domain.watching import LastWord
from engine.errors import StoreError
from engine.ports.watchers import Records
from engine.services.books import Books
from engine.services.tell_start import STARTED, STOPPED
from tests.fakes.clock import START, FakeClock
from tests.support.postgres import GUARDED

PASSWORD = "pass word/1"
TTL = timedelta(seconds=10)


def channel(**changes: Any) -> Channel:
    given: dict[str, Any] = {
        "id": "c1", "name": "c1", "kind": ChannelKind.TELEGRAM, "settings": {"chat": "-1"},
        "kinds": (AlertKind.ENGINE_DOWN,), "sealed": {"token": "v1:sealed"}, "bots": ("b1",),
        "quiet": QuietHours(start=time(22), end=time(6), zone="Europe/Berlin"),
        "created_at": START, "updated_at": START,
    }  # fmt: skip
    return Channel(**(given | changes))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def records(url: str) -> Records:
    if url.startswith("sqlite"):
        return SqliteRecords(Path(url.removeprefix("sqlite:///")))
    return PostgresRecords(url)


def test_the_records_are_what_the_real_store_wrote(url: str, records: Records) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        records.read()  # there are no tables
    store = SqlStore.open(url)
    books = Books(store, FakeClock())
    assert records.read() == Glimpse(LastWord(), [], {})
    lease = store.acquire_lease("me", "process 1", TTL)
    rich, off = channel(), channel(id="c2", name="c2", is_enabled=False, quiet=None, bots=())
    with books.writing() as writing:
        writing.tx.channels.add(rich, off)
        writing.tx.put_setting("setting.watcher_patience_s", "30")
        writing.tx.put_setting("other", "1")
        writing.event(Level.INFO, STARTED, "The engine has started.")
    held = Glimpse(LastWord(term=1, is_held=True), [rich, off], {"watcher_patience_s": "30"})
    assert records.read() == held
    with books.writing() as writing:
        writing.event(Level.ERROR, STOPPED, "It gave up.", exit_code=1)
    store.release_lease(lease)
    assert records.read().last == LastWord(term=1, has_given_up=True)
    store.acquire_lease("me", "process 2", TTL)
    with books.writing() as writing:
        writing.event(Level.INFO, STOPPED, "It stopped.", exit_code=0)
    store.close()
    assert records.read().last == LastWord(term=2, is_held=True)


def test_it_waits_for_no_writer_and_changes_nothing(url: str, records: Records) -> None:
    store = SqlStore.open(url)
    with store.transaction() as tx:
        tx.channels.add(channel())
        assert records.read().channels == []
    assert records.read().channels == [channel()]
    store.close()


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        SqliteRecords(tmp_path / "state.db").read()
    assert not list(tmp_path.iterdir())


# --- a server


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        for one in statements:
            connection.execute(one.encode())


@pytest.fixture
def guarded_url(postgres_url: str) -> Iterator[str]:
    """By which somebody comes in who has a password and no rights."""
    SqlStore.open(postgres_url).close()
    execute(postgres_url, f"CREATE ROLE {GUARDED} LOGIN PASSWORD '{PASSWORD}'")
    guarded = make_url(postgres_url).set(username=GUARDED, password=PASSWORD)
    yield guarded.render_as_string(hide_password=False)
    execute(postgres_url, f"DROP OWNED BY {GUARDED}", f"DROP ROLE {GUARDED}")


def refused(url: str) -> str:
    """What is said of it, without any password."""
    with pytest.raises(StoreError) as raised:
        PostgresRecords(url).read()
    assert PASSWORD not in raised.value.message
    assert "pass%20word" not in raised.value.message
    assert "QUARTERDECK_DATABASE_URL" in raised.value.message
    return raised.value.message


def test_who_may_only_read_can_and_who_may_not_is_told(guarded_url: str, postgres_url: str) -> None:
    assert "permission denied for table leases" in refused(guarded_url)
    execute(postgres_url, f"GRANT SELECT ON leases, events, channels, settings TO {GUARDED}")
    assert PostgresRecords(guarded_url).read() == Glimpse(LastWord(), [], {})


def test_a_wrong_password_is_told_and_not_shown(guarded_url: str, postgres_url: str) -> None:
    execute(postgres_url, f"ALTER ROLE {GUARDED} PASSWORD 'another'")
    assert "password authentication failed" in refused(guarded_url)


def test_a_database_or_a_server_that_is_gone_is_told(postgres_url: str) -> None:
    url = make_url(postgres_url).set(password=PASSWORD)
    nowhere = url.set(database="nowhere").render_as_string(hide_password=False)
    assert "does not exist" in refused(nowhere)
    with socket.socket() as bound:  # nobody listens
        bound.bind(("127.0.0.1", 0))
        closed = url.set(port=bound.getsockname()[1]).render_as_string(hide_password=False)
        assert "refused" in refused(closed)


def test_a_server_that_hangs_is_given_up(postgres_url: str) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        hanging = make_url(postgres_url).set(port=port).render_as_string(hide_password=False)
        assert "timeout" in refused(hanging)
