"""Puts a backup back: verified first, then moved into place by a journal that can be undone.

What there was is never deleted: it is moved to a folder ``before-restore-...``.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ValidationError

from engine.adapters.backups.archive import read_manifest, unpack
from engine.adapters.backups.durable import cannot_write, sync_folder, write_whole
from engine.adapters.backups.parts import CANDLES, DATA, FOLDERS, LATCH, STRATEGIES
from engine.adapters.backups.shelf import refuse_other_kind
from engine.domain.backups import NOTE_NAME, STAMP, Manifest, RestoreNote
from engine.errors import BackupError
from engine.ports import DatabaseCopies

JOURNAL = ".restore.json"
RESTORING = ".restoring-"
DIFFERING = "strategies-restored"
ADVICE = "give it room, or restore into another folder with --into"


@dataclass(frozen=True)
class Place:
    """Where a backup is put."""

    data: Path
    strategies: Path
    copies: DatabaseCopies


@dataclass(frozen=True)
class Restored:
    """What was done. ``aside`` is where what there was is now; None when there was nothing.
    ``differing`` are strategies that the folder has with another content: they were left as they
    are, and those of the backup are beside."""

    manifest: Manifest
    aside: Path | None
    added: tuple[str, ...]
    differing: tuple[str, ...]


class Journal(BaseModel):
    """The moves of a restore that has begun, and the files that it adds."""

    moves: list[tuple[Path, Path]]
    added: list[Path]


@dataclass
class _Plan:
    """What is to be done, in this order."""

    moves: list[tuple[Path, Path]] = field(default_factory=list)
    copies: list[tuple[Path, Path]] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)


def restore(
    file: Path, place: Place, now: datetime, *, actor: str = "cli", is_forced: bool = False
) -> Restored:
    """Put a backup back. Nobody else may use the folder meanwhile: its caller has its lock. The
    engine's next start writes down that ``actor`` did it.

    Raises BackupError when an engine holds the database, when there is something and it is not
    forced, and when the backup is of no use; then everything is as it was.
    """
    try:
        undo_unfinished(place.data)
        _refuse_held(place, now)
        present = list(_present(place, with_candles=read_manifest(file).has_candles))
        if present and not is_forced:
            raise BackupError(
                f"{place.data} is not empty ({', '.join(path.name for path in present)}): restore"
                " into another folder with --into, or add --force, which moves what is there"
                " aside."
            )
        place.data.mkdir(parents=True, exist_ok=True)
        workshop = Path(tempfile.mkdtemp(prefix=RESTORING, dir=place.data))
        try:
            return _restore(file, place, workshop, now, actor)
        finally:
            shutil.rmtree(workshop, ignore_errors=True)
    except OSError as error:
        raise cannot_write(place.data, error, ADVICE) from error


def _restore(file: Path, place: Place, workshop: Path, now: datetime, actor: str) -> Restored:
    manifest = unpack(file, lambda name: workshop / name)
    refuse_other_kind(file, manifest, place.copies)
    copy = workshop / place.copies.member
    place.copies.examine(copy, manifest.facts)
    place.copies.prepare(copy)
    name = f"before-restore-{now.astimezone(UTC):{STAMP}}Z"
    plan = _plan(manifest, place, workshop, name)
    note = RestoreNote(name=file.name, created_at=manifest.created_at, restored_at=now, actor=actor)
    (workshop / NOTE_NAME).write_text(note.model_dump_json(), "utf-8")
    plan.copies.append((workshop / NOTE_NAME, place.data / NOTE_NAME))
    journal = place.data / JOURNAL
    begun = Journal(moves=plan.moves, added=[target for _, target in plan.copies])
    write_whole(journal, begun.model_dump_json().encode())
    try:
        _carry_out(plan)
        place.copies.put(copy, name.replace("-", "_").lower())
    except BaseException:
        undo_unfinished(place.data)
        raise
    journal.unlink()  # from here on it is done
    sync_folder(place.data)
    aside = place.data / name
    return Restored(
        manifest, aside if aside.exists() else None, tuple(plan.added), tuple(plan.differing)
    )


def undo_unfinished(data: Path) -> bool:
    """Take back a restore that was interrupted; whether there was one. Raises BackupError."""
    path = data / JOURNAL
    if not path.exists():
        return False
    try:
        journal = Journal.model_validate_json(path.read_bytes())
        for target in journal.added:
            target.unlink(missing_ok=True)
        for source, target in reversed(journal.moves):
            if target.exists() and not source.exists() and source.parent.exists():
                target.rename(source)
        path.unlink()
        sync_folder(data)
    except (OSError, ValidationError) as error:
        raise BackupError(
            f"A restore was interrupted and cannot be taken back ({error}): what there was is in"
            f" {data}/before-restore-...; move it back by hand, then delete {path}."
        ) from error
    for left in data.glob(f"{RESTORING}*"):
        shutil.rmtree(left, ignore_errors=True)
    return True


def _refuse_held(place: Place, now: datetime) -> None:
    """A file in the folder is guarded by the folder's lock; to open it would change the files
    beside it."""
    files = place.copies.files()
    if files and files[0].parent.resolve() == place.data.resolve():
        return
    holder = place.copies.holder(now)
    if holder:
        raise BackupError(
            f"An engine ({holder}) holds the database. Stop it, or wait some seconds if it was"
            " killed, then restore again."
        )


def _present(place: Place, *, with_candles: bool) -> Iterator[Path]:
    """What a restore replaces, of what is there."""
    if not place.copies.is_empty():
        yield from [path for path in place.copies.files() if path.exists()] or [Path("database")]
    for name in (*FOLDERS, *((CANDLES,) if with_candles else ())):
        path = place.data / name
        if path.is_dir() and any(path.iterdir()):
            yield path


def _plan(manifest: Manifest, place: Place, workshop: Path, aside: str) -> _Plan:
    plan = _Plan()
    for path in _present(place, with_candles=manifest.has_candles):
        if path.exists():  # a database on a server is set aside there
            plan.moves.append((path, path.parent / aside / path.name))
    for name in (*FOLDERS, CANDLES, LATCH):
        source, target = workshop / DATA / name, place.data / name
        # The kill switch stays on when it is on.
        if source.exists() and not (name == LATCH and target.exists()):
            plan.moves.append((source, target))
    files = place.copies.files()
    if files:
        plan.moves.append((_beside(workshop / place.copies.member, files[0], workshop), files[0]))
    for source in sorted((workshop / STRATEGIES).rglob("*")):
        if source.is_file():
            _plan_strategy(plan, source, source.relative_to(workshop / STRATEGIES), place)
    return plan


def _plan_strategy(plan: _Plan, source: Path, name: Path, place: Place) -> None:
    target = place.strategies / name
    if not target.exists():
        plan.added.append(name.as_posix())
        plan.copies.append((source, target))
    elif _digest(source) != _digest(target):
        plan.differing.append(name.as_posix())
        beside = place.data / DIFFERING / name
        beside.unlink(missing_ok=True)
        plan.copies.append((source, beside))


def _beside(copy: Path, target: Path, workshop: Path) -> Path:
    """The copy on the disk of ``target``, which may be another one than the folder's."""
    if target.parent.resolve() == workshop.parent.resolve():
        return copy
    target.parent.mkdir(parents=True, exist_ok=True)
    moved = target.parent / f"{workshop.name}-{target.name}"
    shutil.copy(copy, moved)
    return moved


def _carry_out(plan: _Plan) -> None:
    touched: set[Path] = set()
    for source, target in plan.copies:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    for source, target in plan.moves:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            target.rmdir()  # an empty one, else it would have been moved aside
        source.rename(target)
        touched |= {source.parent, target.parent}
    for folder in touched:
        sync_folder(folder)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
