"""Connections and transactions, the same on SQLite and on PostgreSQL.

One writer at a time: within the process by a lock, between processes by BEGIN IMMEDIATE or an
advisory lock. So a writer sees all that was committed before it, and never fails half-way because
somebody else was faster. Readers have connections of their own, cannot write, see one consistent
snapshot and block nobody.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, CursorResult, Engine, Executable, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from engine.adapters.store.failures import BUSY, NOTHING_WRITTEN, translated
from engine.domain.gauges import Spread
from engine.errors import ConfigError, StoreError

READERS = 8
MORE_READERS = 24
WAL_SIZE_LIMIT = 64 * 1024 * 1024
ADVISORY_LOCK = 0x517264  # any number, the same in every version
POSTGRES = "postgresql"
LOST_COMMIT = "The database went away while it committed: what was written may or may not be there."

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class Session:
    """An open transaction. An error in it is final: it can no longer be committed, on both
    databases alike, even by code that swallowed the error."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.is_postgres = connection.dialect.name == POSTGRES
        self._has_failed = False

    def rows(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> Sequence[Sequence[Any]]:
        """Everything a query gives."""
        with self._translating():
            return self.connection.execute(statement, parameters).all()

    def change(self, statement: Executable, parameters: Parameters | None = None) -> int:
        """Execute; how many rows it touched."""
        with self._translating():
            result: CursorResult[Any] = self.connection.execute(statement, parameters)
            return result.rowcount

    def commit(self) -> None:
        """Make it durable. Raises StoreError, and then nothing was written, unless a server was
        lost on the way: its last word is unknown."""
        if self._has_failed:
            raise StoreError("A step of this transaction had failed." + NOTHING_WRITTEN)
        try:
            self.connection.commit()
        except SQLAlchemyError as error:
            if isinstance(error, DBAPIError) and error.connection_invalidated:
                raise StoreError(LOST_COMMIT) from error
            raise translated(error) from error

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            self._has_failed = True
            raise translated(error) from error


class Database:
    """One database. Thread-safe. ``fence`` is called at the start of every write and may raise."""

    def __init__(self, url: str, busy_timeout_s: float) -> None:
        self._busy_timeout_s = busy_timeout_s
        self._url = parse_url(url)
        self.shown_url = self._url.render_as_string(hide_password=True)
        make = _postgres if self._url.get_backend_name() == POSTGRES else _sqlite
        self._writer = make(self._url, busy_timeout_s, is_reader=False)
        self._reader = make(self._url, busy_timeout_s, is_reader=True)
        self._lock = threading.Lock()
        self._writing_thread: int | None = None
        self.commits = Spread()
        self.fence: Callable[[Session], None] | None = None

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A snapshot. Raises StoreError."""
        with self._session(self._reader) as session:
            yield session

    @contextmanager
    def writing(self, *, is_fenced: bool = True) -> Iterator[Session]:
        """Commits at the end of the block, rolls back when it raises.

        Raises StoreError when the database refuses or is busy for too long, what ``fence`` raises,
        and RuntimeError inside another write of the same thread, which would wait for itself.
        """
        if self._writing_thread == threading.get_ident():
            raise RuntimeError("a write inside another write of the same thread")
        if not self._lock.acquire(timeout=self._busy_timeout_s):
            raise StoreError(BUSY + NOTHING_WRITTEN)
        try:
            self._writing_thread = threading.get_ident()
            with self._session(self._writer) as session:
                if is_fenced and self.fence is not None:
                    self.fence(session)
                yield session
                begun_s = time.perf_counter()
                session.commit()
                self.commits.add(time.perf_counter() - begun_s)
        finally:
            self._writing_thread = None
            self._lock.release()

    @contextmanager
    def _session(self, engine: Engine) -> Iterator[Session]:
        """A begun transaction; leaving it without a commit rolls it back."""
        try:
            connection = engine.connect()
        except SQLAlchemyError as error:
            raise translated(error) from error
        with connection:
            try:
                connection.begin()
            except SQLAlchemyError as error:
                raise translated(error) from error
            yield Session(connection)

    def make_folder(self) -> None:
        """Make the folder of a SQLite file. Raises ConfigError."""
        if self._url.get_backend_name() == POSTGRES or self._url.database is None:
            return
        folder = Path(self._url.database).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"The data folder '{folder}' cannot be made: {error.strerror}.", field="data"
            ) from error

    def size_bytes(self) -> int | None:
        """Size of the SQLite file with its log; None for a server's."""
        if self._url.get_backend_name() == POSTGRES or self._url.database is None:
            return None
        file = Path(self._url.database)
        files = (file, file.with_name(f"{file.name}-wal"))
        return sum(one.stat().st_size for one in files if one.exists())

    def close(self) -> None:
        """Close all connections."""
        self._reader.dispose()
        self._writer.dispose()


def parse_url(url: str) -> URL:
    """The database's address. Raises ConfigError for what is neither SQLite nor PostgreSQL."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(
            "The database URL cannot be read; it looks like sqlite:///PATH or"
            " postgresql://USER:PASSWORD@HOST/NAME.",
            field="database_url",
        ) from error
    backend = parsed.drivername.partition("+")[0]
    if backend in (POSTGRES, "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if backend == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed.set(drivername="sqlite+pysqlite")
    raise ConfigError(
        f"The database '{parsed.render_as_string(hide_password=True)}' is neither a SQLite file"
        " nor a PostgreSQL database.",
        field="database_url",
    )


def _sqlite(url: URL, busy_timeout_s: float, *, is_reader: bool) -> Engine:
    engine = create_engine(
        url,
        pool_size=READERS if is_reader else 1,
        max_overflow=MORE_READERS if is_reader else 0,
        pool_timeout=busy_timeout_s,
        # Without isolation_level the sqlite3 module begins no transactions of its own.
        connect_args={
            "timeout": busy_timeout_s,
            "isolation_level": None,
            "check_same_thread": False,
        },
    )
    begin = "BEGIN" if is_reader else "BEGIN IMMEDIATE"

    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.create_function("lower", 1, _lower, deterministic=True)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_SIZE_LIMIT}")
        connection.execute(f"PRAGMA query_only = {'ON' if is_reader else 'OFF'}")

    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", start)
    return engine


def _lower(value: str | None) -> str | None:
    """SQLite's own ``lower`` knows ASCII only."""
    return None if value is None else value.lower()


def _postgres(url: URL, busy_timeout_s: float, *, is_reader: bool) -> Engine:
    engine = create_engine(
        url,
        pool_size=READERS if is_reader else 1,
        max_overflow=MORE_READERS if is_reader else 0,
        pool_timeout=busy_timeout_s,
        pool_pre_ping=True,  # a restart of the server costs no transaction
        isolation_level="REPEATABLE READ" if is_reader else "READ COMMITTED",
        connect_args={
            "connect_timeout": max(2, round(busy_timeout_s)),
            "tcp_user_timeout": 10_000,  # a cut network is an error, not a wait of many minutes
            "options": f"-c lock_timeout={round(busy_timeout_s * 1000)}"
            f" -c default_transaction_read_only={'on' if is_reader else 'off'}",
        },
    )

    def start(connection: Connection) -> None:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")

    if not is_reader:
        event.listen(engine, "begin", start)
    return engine
