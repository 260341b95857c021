"""Backups: the folder they are in, the schedule, and how one is put back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from engine import __version__
from engine.adapters.backups.archive import read_manifest
from engine.adapters.backups.parts import Sources
from engine.adapters.backups.restore import Place, Restored, restore, undo_unfinished
from engine.adapters.backups.shelf import BackupFolder, verify
from engine.adapters.store.database import POSTGRES, parse_url
from engine.adapters.store.postgres_copies import PostgresCopies
from engine.adapters.store.sqlite_copies import SqliteCopies
from engine.domain.backups import NOTE_NAME, Manifest
from engine.errors import BackupError
from engine.locks import FolderLock
from engine.ports import DatabaseCopies
from engine.services.back_up import BackupRunner, Spawn
from engine.services.books import Books
from engine.settings import Settings

__all__ = [
    "Restored", "build_backups", "build_shelf", "put_back", "undo_unfinished", "verified",
]  # fmt: skip


def build_backups(settings: Settings, books: Books, spawn: Spawn) -> BackupRunner:
    """The schedule of an engine."""
    every = timedelta(hours=settings.backup_every_h) if settings.backup_every_h else None
    return BackupRunner(
        books, build_shelf(settings), spawn, every, settings.backup_keeping,
        with_candles=settings.backup_candles, note=settings.data / NOTE_NAME,
    )  # fmt: skip


def build_shelf(settings: Settings) -> BackupFolder:
    """The folder of backups. Raises ConfigError for a wrong address of the database."""
    return BackupFolder(
        settings.backups, Sources(settings.data, settings.strategies),
        _copies(settings.store_url), __version__, _now,
    )  # fmt: skip


def verified(settings: Settings, file: Path) -> Manifest:
    """Check a backup of either kind of database. Raises BackupError saying what is wrong."""
    copies = _copies_for(read_manifest(file), settings, settings.data)
    try:
        with TemporaryDirectory(prefix="quarterdeck-verify-") as workshop:
            return verify(file, copies, Path(workshop))
    except OSError as error:
        raise BackupError(
            f"The backup cannot be unpacked to be checked ({error.strerror}): make room in the"
            " system's folder for temporary files, or name another one with TMPDIR."
        ) from error


def put_back(
    settings: Settings, file: Path, into: Path | None, *, actor: str, is_forced: bool
) -> Restored:
    """Restore a backup, under the lock of the folder. Raises BackupError, and ConfigError when an
    engine runs there."""
    data = settings.data if into is None else into.expanduser().resolve()
    strategies = settings.strategies if into is None else data / "strategies"
    manifest = read_manifest(file)
    copies = _copies(settings.store_url) if into is None else _copies_for(manifest, settings, data)
    lock = FolderLock(data)
    lock.acquire()
    try:
        place = Place(data, strategies, copies)
        return restore(file, place, _now(), actor=actor, is_forced=is_forced)
    finally:
        lock.release()


def _copies(url: str) -> DatabaseCopies:
    parsed = parse_url(url)
    if parsed.get_backend_name() == POSTGRES:
        return PostgresCopies(parsed)
    return SqliteCopies(Path(str(parsed.database)))


def _copies_for(manifest: Manifest, settings: Settings, data: Path) -> DatabaseCopies:
    """Of the backup's own kind: a file in ``data``, or the server that the settings name."""
    if manifest.database == "sqlite":
        return SqliteCopies(data / SqliteCopies.member)
    return PostgresCopies(parse_url(settings.database_url or "postgresql://"))


def _now() -> datetime:
    return datetime.now(UTC)
