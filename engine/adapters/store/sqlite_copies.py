"""``ports.DatabaseCopies`` of a SQLite file, by SQLite's own online backup."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from engine.adapters.store.copy_checks import FREE_LEASE, lease_holder, refuse_newer, refuse_other
from engine.adapters.store.copy_facts import read_facts
from engine.adapters.store.database import Session
from engine.domain.backups import DatabaseFacts, DatabaseKind
from engine.errors import BackupError, StoreError

BUSY_S = 10.0
DAMAGED = "The database in the backup is damaged"


class SqliteCopies:
    """Copies of one file."""

    kind: DatabaseKind = "sqlite"
    member = "state.db"

    def __init__(self, path: Path) -> None:
        self._path = path

    def take(self, target: Path, go_on: Callable[[], None] = lambda: None) -> DatabaseFacts:
        """In one step: a snapshot that, in WAL mode, a writer neither waits for nor disturbs.
        (In several steps it would begin again at every write.)"""
        if not self._path.exists():
            raise BackupError(
                f"There is no database at {self._path} yet: start the engine once, or set"
                " QUARTERDECK_DATA to the folder that has one."
            )
        try:
            with (
                closing(_connect(self._path)) as source,
                closing(sqlite3.connect(target)) as copy,
            ):
                copy.execute("PRAGMA synchronous = OFF")  # it is made durable as a whole
                source.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")  # one file
            go_on()
            with _reading(target) as session:
                return read_facts(session)
        except (sqlite3.Error, StoreError) as error:
            raise BackupError(
                f"The database {self._path} cannot be copied to {target.parent.parent}"
                f" ({str(error).rstrip('.')}): is there room on that disk?"
            ) from error

    def examine(self, copy: Path, promised: DatabaseFacts) -> None:
        """As ``ports.DatabaseCopies`` says."""
        try:
            with _reading(copy) as session:
                refuse_newer(promised.revision)
                said = [str(row[0]) for row in session.rows(text("PRAGMA integrity_check(3)"))]
                found = read_facts(session)
        except StoreError as error:
            raise BackupError(f"{DAMAGED}: {error}") from error
        if said != ["ok"]:
            raise BackupError(f"{DAMAGED}: {said[0]}.")
        refuse_other(found, promised)

    def files(self) -> Sequence[Path]:
        """The file, and the two beside it that hold what was committed last."""
        return [self._path.with_name(self._path.name + end) for end in ("", "-wal", "-shm")]

    def holder(self, now: datetime) -> str:
        """Empty for a file that cannot be read: to replace it may be why somebody restores, and
        the lock of the folder keeps its engine away."""
        if not self._path.exists():
            return ""
        try:
            with _reading(self._path) as session:
                return lease_holder(session, now)
        except StoreError:
            return ""

    def is_empty(self) -> bool:
        """As ``ports.DatabaseCopies`` says."""
        return not any(path.exists() for path in self.files())

    def prepare(self, copy: Path) -> None:
        """As ``ports.DatabaseCopies`` says."""
        try:
            with closing(sqlite3.connect(copy)) as connection:
                connection.execute(FREE_LEASE)
                connection.commit()
        except sqlite3.Error as error:
            raise BackupError(f"{DAMAGED}: {error}.") from error

    def put(self, copy: Path, aside: str) -> None:
        """The file is moved with the others."""


def _connect(path: Path) -> sqlite3.Connection:
    """An existing file, for reading. Not ``mode=ro``: the WAL's index may have to be made."""
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=BUSY_S)
    connection.execute("PRAGMA query_only = ON")
    return connection


@contextmanager
def _reading(path: Path) -> Iterator[Session]:
    """One snapshot of a file. Raises StoreError."""
    engine = create_engine("sqlite+pysqlite://", creator=lambda: _connect(path), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            yield Session(connection)
    except (sqlite3.Error, SQLAlchemyError) as error:
        raise StoreError(f"{getattr(error, 'orig', None) or error}.") from error
    finally:
        engine.dispose()
