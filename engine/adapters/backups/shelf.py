"""``ports.BackupShelf``: backups in a folder, each written beside its name and verified first."""

import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from engine.adapters.backups.archive import create, read_manifest, unpack, write_archive
from engine.adapters.backups.durable import cannot_write, sync_folder
from engine.adapters.backups.parts import Sources
from engine.domain.backups import Backup, Keeping, Manifest, backup_name, kept, moment_of
from engine.errors import BackupError
from engine.ports import DatabaseCopies

MAKING = ".making-"
STALE_S = 3_600
ADVICE = "set QUARTERDECK_BACKUP_FOLDER to a folder on another disk"


class BackupFolder:
    """One folder. ``open_new`` makes the file that is written."""

    def __init__(
        self,
        folder: Path,
        sources: Sources,
        copies: DatabaseCopies,
        version: str,
        now: Callable[[], datetime],
        open_new: Callable[[Path], BinaryIO] = create,
    ) -> None:
        self.folder = folder
        self._sources = sources
        self._copies = copies
        self._version = version
        self._now = now
        self._open_new = open_new
        self._is_closed = threading.Event()

    def make(self, *, with_candles: bool, target: Path | None = None) -> Backup:
        """As ``ports.BackupShelf`` says; into the file ``target`` when one is given."""
        if target is not None and target.exists():
            raise BackupError(f"{target} is there already; give another name.")
        folder = self.folder if target is None else target.parent
        try:
            with _workshop(folder) as workshop:
                part, manifest = self._write(workshop, with_candles)
                verify(part, self._copies, workshop / "check", self._go_on)
                path = target or self._free_name(manifest.created_at)
                part.rename(path)
                sync_folder(folder)
                return _described(path, manifest.created_at)
        except OSError as error:
            raise cannot_write(folder, error, ADVICE) from error

    def _write(self, workshop: Path, with_candles: bool) -> tuple[Path, Manifest]:
        """The database first: whatever its rows speak of is in the files that are read later."""
        at, copy, part = self._now(), workshop / self._copies.member, workshop / "backup.zip"
        facts = self._copies.take(copy, self._go_on)

        def sources() -> Iterator[tuple[str, Path]]:
            yield self._copies.member, copy
            yield from self._sources.files(with_candles=with_candles)

        with self._open_new(part) as file:
            manifest = write_archive(
                file,
                sources(),
                lambda members: Manifest(
                    version=self._version, created_at=at, database=self._copies.kind, facts=facts,
                    has_candles=with_candles, members=members,
                ),
                self._go_on,
            )  # fmt: skip
        copy.unlink()  # room for the one that is verified
        return part, manifest

    def list(self) -> Sequence[Backup]:
        """As ``ports.BackupShelf`` says."""
        try:
            names = [path.name for path in self.folder.iterdir()] if self.folder.exists() else []
            found = [(at, name) for name in names if (at := moment_of(name)) is not None]
            return [_described(self.folder / name, at) for at, name in sorted(found, reverse=True)]
        except OSError as error:
            raise BackupError(
                f"The folder of backups {self.folder} cannot be read: {error.strerror}."
            ) from error

    def rotate(self, keeping: Keeping) -> Sequence[str]:
        """As ``ports.BackupShelf`` says. A damaged one is left to its owner, and stands for no
        day."""
        whole = [one for one in self.list() if not one.problem]
        moments = {one.name: moment_of(one.name) for one in whole}
        stay = kept([at for at in moments.values() if at is not None], keeping)
        gone = [name for name, at in moments.items() if at not in stay]
        try:
            for name in gone:
                (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(self.folder, error, ADVICE) from error
        return gone

    def close(self) -> None:
        """What is being made is given up at its next megabyte."""
        self._is_closed.set()

    def _go_on(self) -> None:
        if self._is_closed.is_set():
            raise BackupError("The backup was given up because the engine stops.")

    def _free_name(self, at: datetime) -> Path:
        number = 1
        while (path := self.folder / backup_name(at, number)).exists():
            number += 1
        return path


def verify(
    path: Path,
    copies: DatabaseCopies,
    workshop: Path,
    go_on: Callable[[], None] = lambda: None,
) -> Manifest:
    """Check all that a backup says about itself; its database is unpacked to ``workshop``.

    Raises BackupError saying what is wrong with it, and OSError.
    """
    copy = workshop / copies.member
    manifest = unpack(path, lambda name: copy if name == copies.member else None, go_on)
    refuse_other_kind(path, manifest, copies)
    copies.examine(copy, manifest.facts)
    return manifest


def refuse_other_kind(path: Path, manifest: Manifest, copies: DatabaseCopies) -> None:
    """Raises BackupError for one of another kind of database, or of none."""
    if manifest.database != copies.kind:
        raise BackupError(
            f"{path.name} is of a {manifest.database} database: set QUARTERDECK_DATABASE_URL to"
            " one of that kind."
        )
    if copies.member not in {member.name for member in manifest.members}:
        raise BackupError(f"{path.name} has no database in it.")


def _described(path: Path, at: datetime) -> Backup:
    size = path.stat().st_size
    try:
        manifest = read_manifest(path)
    except BackupError as error:
        return Backup(name=path.name, created_at=at, size=size, problem=error.message)
    return Backup(name=path.name, created_at=manifest.created_at, size=size, manifest=manifest)


@contextmanager
def _workshop(folder: Path) -> Iterator[Path]:
    """A folder on the same disk, for the length of the block. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    workshop = Path(tempfile.mkdtemp(prefix=MAKING, dir=folder))
    try:
        yield workshop
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what a process left that was killed; not what another one is just making."""
    for workshop in folder.glob(f"{MAKING}*"):
        with contextlib.suppress(FileNotFoundError):
            newest = max(path.stat().st_mtime for path in (workshop, *workshop.rglob("*")))
            if time.time() - newest > STALE_S:
                shutil.rmtree(workshop, ignore_errors=True)
