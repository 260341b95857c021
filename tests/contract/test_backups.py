"""Backups of real databases of both kinds: made beside a writer, verified, put back to the last
digit."""

import os
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from engine.adapters.backups.restore import JOURNAL
from engine.adapters.backups.shelf import verify
from engine.adapters.store.paper_book import SqlPaperBook
from engine.adapters.store.postgres_copies import PostgresCopies
from engine.adapters.store.sqlite_copies import SqliteCopies
from engine.adapters.store.store import SqlStore
from engine.errors import BackupError
from engine.ports import DatabaseCopies
from tests.contract.store_samples import listener, trade
from tests.fakes.clock import FakeClock
from tests.support.backup_room import (
    PRECISE,
    BackupRoom,
    all_rows,
    open_backup_room,
    tree,
    write_files,
)
from tooling.programs import find_postgres


@pytest.fixture(autouse=True)
def _postgres_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the server's own version come first."""
    binaries = find_postgres()
    if binaries is not None:
        monkeypatch.setenv("PATH", f"{binaries}{os.pathsep}{os.environ['PATH']}")


def opened(url: str, folder: Path, clock: FakeClock) -> Iterator[BackupRoom]:
    room = open_backup_room(url, folder, clock)
    yield room
    room.store.close()


@pytest.fixture
def room(store_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[BackupRoom]:
    yield from opened(store_url, tmp_path, clock)


@pytest.fixture
def on_file(tmp_path: Path, clock: FakeClock) -> Iterator[BackupRoom]:
    yield from opened(f"sqlite:///{tmp_path / 'data' / 'state.db'}", tmp_path, clock)


@pytest.fixture
def on_server(postgres_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[BackupRoom]:
    yield from opened(postgres_url, tmp_path, clock)


def test_everything_comes_back_to_the_last_digit(
    room: BackupRoom, store_url: str, tmp_path: Path
) -> None:
    room.store.acquire_lease("engine", "a running one", timedelta(seconds=10))
    before = all_rows(room.store)
    file = room.make()
    manifest = verify(file, room.copies, tmp_path / "check")
    assert {name: len(rows) for name, rows in before.items() if name != "alembic_version"} == {
        name: count for name, count in manifest.facts.counts.items() if name != "leases"
    }
    assert (manifest.facts.sealed, manifest.facts.audit_problem) == (1, "")
    with room.store.transaction() as tx:
        tx.trades.add(trade(id="later"))

    room.clock.advance(11)  # the lease runs out
    into, is_file = tmp_path / "restored", room.copies.kind == "sqlite"
    done = room.restore(file, into, is_forced=not is_file)
    assert (done.aside, done.differing) == (None, ())
    again = SqlStore.open(
        f"sqlite:///{into / 'state.db'}" if is_file else store_url, now=room.clock.now
    )
    assert all_rows(again) == before
    lease = again.acquire_lease("another", "", timedelta(seconds=10))
    assert lease.term == 2, "nobody holds it, and the terms go on"
    balances = SqlPaperBook(again.database).balances("paper")
    assert balances is not None
    assert balances["BTC"].free == PRECISE
    again.close()
    files = {name for name in tree(into) if not name.startswith("state.db")}
    assert files == {
        "KILL", "restored.json", "backtests/b1/trades.parquet", "brokers/mine.yaml",
        "strategies/mine.py", "strategies/rules/dip.yaml", "studies/s1.log",
    }  # fmt: skip
    assert (into / "backtests/b1/trades.parquet").read_text() == "PAR1 trades"


def test_a_copy_is_of_one_moment_and_delays_no_writer(room: BackupRoom, tmp_path: Path) -> None:
    """The writer holds its transaction open all the while."""
    with room.store.transaction() as tx:
        tx.trades.add(trade(id="not yet"))
        manifest = verify(room.make(), room.copies, tmp_path / "check")
        tx.trades.add(trade(id="nor this"))
    assert manifest.facts.counts["trades"] == 1
    with room.store.reading() as reading:
        assert reading.trades.count() == 3


def test_an_audit_trail_that_was_edited_is_backed_up_and_said(
    room: BackupRoom, tmp_path: Path
) -> None:
    with room.store.database.writing() as session:
        session.change(text("UPDATE audit_entries SET actor = 'nobody' WHERE seq = 1"))
    manifest = verify(room.make(), room.copies, tmp_path / "check")
    assert "broken at the entry 'bots.create'" in manifest.facts.audit_problem


def test_another_kind_of_database_is_refused(room: BackupRoom, tmp_path: Path) -> None:
    other: DatabaseCopies = (
        PostgresCopies(room.store.database._url)
        if room.copies.kind == "sqlite"
        else SqliteCopies(tmp_path / "x.db")
    )
    with pytest.raises(BackupError, match=f"is of a {room.copies.kind} database: set QUART"):
        verify(room.make(), other, tmp_path / "check")


# --- what is in it


def test_candles_are_taken_when_they_are_asked_for(on_file: BackupRoom) -> None:
    for is_asked in (False, True):
        with zipfile.ZipFile(on_file.make(with_candles=is_asked)) as archive:
            assert ("data/candles/BTC-USDT.1m.csv" in archive.namelist()) == is_asked


def test_no_key_is_in_a_backup(on_file: BackupRoom) -> None:
    with zipfile.ZipFile(on_file.make(with_candles=True)) as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
    assert b"canary" not in content
    assert b"bots.create" in content, "what is looked for would be found"


def test_sealed_keys_of_signals_are_counted_too(on_file: BackupRoom) -> None:
    with on_file.store.transaction() as tx:
        tx.listeners.add(listener())
    backup = on_file.shelf.make(with_candles=False)
    assert backup.manifest is not None
    assert backup.manifest.facts.sealed > 1


# --- where something is already


def test_what_was_there_is_moved_aside_and_the_keys_stay(on_file: BackupRoom) -> None:
    file, data = on_file.make(), on_file.sources.data
    write_files(data, {"studies/new.log": "newer"})
    write_files(on_file.sources.strategies, {"mine.py": "changed"})
    on_file.store.close()
    with pytest.raises(BackupError, match=r"is not empty \(state\.db.*--force"):
        on_file.restore_here(file)
    done = on_file.restore_here(file, is_forced=True)
    assert done.aside is not None
    aside = tree(done.aside)
    assert {"state.db", "studies/new.log", "brokers/mine.yaml"} <= aside.keys()
    assert (data / "secret.key").read_text() == "canary-key"
    assert (data / "candles/BTC-USDT.1m.csv").exists()
    assert not (data / "studies/new.log").exists()
    assert done.differing == ("mine.py",)
    assert (on_file.sources.strategies / "mine.py").read_text() == "changed"
    assert (data / "strategies-restored" / "mine.py").read_text() == "own"
    assert not (data / JOURNAL).exists()


def test_a_database_that_is_damaged_is_replaced_with_all_its_files(
    on_file: BackupRoom, tmp_path: Path
) -> None:
    file, into = on_file.make(), tmp_path / "restored"
    write_files(into, {"state.db": "no database", "state.db-wal": "of it"})
    done = on_file.restore(file, into, is_forced=True)
    assert done.aside is not None
    assert tree(done.aside) == {"state.db": b"no database", "state.db-wal": b"of it"}
    assert not (into / "state.db-wal").exists(), "it would be played into the restored one"


def test_candles_that_are_there_are_not_replaced_unasked(
    on_file: BackupRoom, tmp_path: Path
) -> None:
    file, into = on_file.make(with_candles=True), tmp_path / "restored"
    write_files(into, {"candles/ETH-USDT.1m.csv": "time,open"})
    with pytest.raises(BackupError, match=r"not empty \(candles\)"):
        on_file.restore(file, into)
    done = on_file.restore(file, into, is_forced=True)
    assert done.aside is not None
    assert list(tree(done.aside)) == ["candles/ETH-USDT.1m.csv"]


def test_the_old_database_of_a_server_becomes_a_schema_of_its_own(
    on_server: BackupRoom, tmp_path: Path
) -> None:
    file = on_server.make()
    with pytest.raises(BackupError, match=r"not empty \(database\)"):
        on_server.restore(file, tmp_path / "other")
    with on_server.store.transaction() as tx:
        tx.trades.add(trade(id="later"))
    on_server.restore(file, tmp_path / "other", is_forced=True)
    with on_server.store.database.reading() as session:
        [[aside]] = session.rows(
            text("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'before_restore_%'")
        )
        [[kept]] = session.rows(text(f'SELECT count(*) FROM "{aside}".trades'))  # noqa: S608
        [[restored]] = session.rows(text("SELECT count(*) FROM trades"))
    assert (kept, restored) == (2, 1)


def test_without_postgresqls_programs_it_is_said_what_to_install(
    on_server: BackupRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BackupError, match=r"'pg_dump', which is not on .* postgresql-client"):
        on_server.make()
    assert list(on_server.shelf.folder.iterdir()) == []


def test_a_stopping_engine_ends_a_dump(on_server: BackupRoom) -> None:
    on_server.shelf.close()
    with pytest.raises(BackupError, match="engine stops"):
        on_server.make()
    assert list(on_server.shelf.folder.iterdir()) == []


def test_a_password_is_in_no_command_and_no_error(on_server: BackupRoom, tmp_path: Path) -> None:
    url = on_server.store.database._url.set(password="canary-password", database="nowhere")
    copies = PostgresCopies(url)
    assert "canary" not in copies._address
    with pytest.raises(BackupError) as told:
        copies._run("pg_dump", f"--dbname={copies._address}")
    assert "nowhere" in told.value.message
    assert "canary" not in told.value.message
