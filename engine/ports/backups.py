"""Backups of the whole state, and the database's part in them."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from engine.domain.backups import Backup, DatabaseFacts, DatabaseKind, Keeping


class DatabaseCopies(Protocol):
    """Copies of one database: taken while it is written to, looked at, put back."""

    kind: DatabaseKind
    member: str
    """The copy's name within a backup."""

    def take(self, target: Path, go_on: Callable[[], None] = ...) -> DatabaseFacts:
        """Write a copy of one moment to ``target``, delaying no writer. Raises BackupError, and
        what ``go_on`` raises, which is asked now and then."""
        ...

    def examine(self, copy: Path, promised: DatabaseFacts) -> None:
        """Is the copy whole, of a version that this program knows, and what was ``promised``?

        Raises BackupError saying what is wrong with it.
        """
        ...

    def files(self) -> Sequence[Path]:
        """Where the database lies, when it is in files; those that may be there."""
        ...

    def holder(self, now: datetime) -> str:
        """Who holds the database at the moment; empty when nobody does. Raises BackupError."""
        ...

    def is_empty(self) -> bool:
        """Whether there is nothing that a restored copy would replace. Raises BackupError."""
        ...

    def prepare(self, copy: Path) -> None:
        """Make a copy ready to be put back: nobody holds it any more. Raises BackupError."""
        ...

    def put(self, copy: Path, aside: str) -> None:
        """Make the copy the database, all or nothing; what there was is kept under the name
        ``aside``. Nothing to do where the database is a file, which is moved. Raises BackupError.
        """
        ...


class BackupShelf(Protocol):
    """The folder of backups."""

    folder: Path

    def make(self, *, with_candles: bool) -> Backup:
        """Make one, verify it, and only then give it its name. Raises BackupError, and then
        nothing is left."""
        ...

    def list(self) -> Sequence[Backup]:
        """The newest first; damaged ones say so. Raises BackupError when it cannot be read."""
        ...

    def rotate(self, keeping: Keeping) -> Sequence[str]:
        """Remove those that need not be kept; their names. Raises BackupError."""
        ...

    def close(self) -> None:
        """Give up what is being made."""
        ...
