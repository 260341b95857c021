"""Backups by themselves: made when they are due, rotated, their failures told once."""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from engine.domain.backups import Backup, BackupState, Keeping, RestoreNote, due_at
from engine.domain.records import Level
from engine.errors import BackupError, Conflict, StoreError
from engine.ports import BackupShelf
from engine.services.books import Books

log = logging.getLogger("quarterdeck.backups")

LANE = "backups"
STATE = "backup.state"
RETRY = timedelta(hours=1)
SCHEDULE = "the schedule"

Spawn = Callable[[str, Callable[[], None]], None]


class BackupRunner:
    """One backup at a time, on a lane of its own: trading waits for none of it.

    ``every`` None: only when somebody asks. ``spawn`` runs a call on a lane. ``note`` is where a
    restore leaves word.
    """

    def __init__(
        self,
        books: Books,
        shelf: BackupShelf,
        spawn: Spawn,
        every: timedelta | None,
        keeping: Keeping,
        *,
        with_candles: bool = False,
        note: Path | None = None,
    ) -> None:
        self._books = books
        self._shelf = shelf
        self._spawn = spawn
        self.every = every
        self._keeping = keeping
        self._with_candles = with_candles
        self._note = note
        self._started_at = books.clock.now()
        self._state = BackupState()
        self._busy = threading.Lock()

    def load(self) -> None:
        """Take up what an earlier run of the engine has left."""
        with self._books.store.reading() as tx:
            stored = tx.find_setting(STATE)
        if stored is not None:
            kept, now = BackupState.model_validate_json(stored), self._books.clock.now()
            # One made while the clock was ahead must not keep the next from being made until then.
            times = {"done_at": kept.done_at, "tried_at": kept.tried_at}
            past = {name: min(at, now) for name, at in times.items() if at is not None}
            self._state = kept.model_copy(update=past)
        if self._note is not None and self._note.exists():
            self._tell_restored(self._note)

    @property
    def state(self) -> BackupState:
        """How the last one went."""
        return self._state

    @property
    def is_running(self) -> bool:
        """Whether one is being made."""
        return self._busy.locked()

    @property
    def due_at(self) -> datetime | None:
        """When the next one is made by itself; None: never."""
        return due_at(self._state, self.every, self._started_at, RETRY)

    @property
    def folder(self) -> str:
        """Where they are."""
        return str(self._shelf.folder)

    def list(self) -> Sequence[Backup]:
        """The newest first. Raises BackupError."""
        return self._shelf.list()

    async def begin_due(self) -> None:
        """Begin one when it is due; the scheduler's job."""
        due = self.due_at
        if due is None or due > self._books.clock.now() or not self._busy.acquire(blocking=False):
            return
        self._begin(SCHEDULE, self._with_candles)

    def begin(self, actor: str, *, with_candles: bool) -> None:
        """Begin one now. Raises Conflict while another is being made."""
        if not self._busy.acquire(blocking=False):
            raise Conflict("A backup is being made already; it shows in the list when it is done.")
        self._begin(actor, with_candles)

    def close(self) -> None:
        """Give up what is being made: the engine stops."""
        self._shelf.close()

    def _tell_restored(self, path: Path) -> None:
        """Who has put which backup back belongs into the trail of what was put back."""
        note = RestoreNote.model_validate_json(path.read_bytes())
        with self._books.writing() as writing:
            writing.event(
                Level.WARNING, "backup.restored",
                f"{note.name} was restored: all is as it was at"
                f" {note.created_at:%Y-%m-%d %H:%M:%S} UTC.",
                actor=note.actor,
            )  # fmt: skip
            writing.audit(
                note.actor, "backup.restore", note.name, restored_at=note.restored_at.isoformat()
            )
        path.unlink()

    def _begin(self, actor: str, with_candles: bool) -> None:
        try:
            self._spawn(LANE, lambda: self._make(actor, with_candles))
        except BaseException:
            self._busy.release()
            raise

    def _make(self, actor: str, with_candles: bool) -> None:
        """Make one, and tell what came of it; on the lane, where nobody waits."""
        try:
            self._keep(*self._outcome(actor, with_candles))
        except StoreError as error:
            log.error("the backup could not be written down: %s", error)
        finally:
            self._busy.release()

    def _outcome(self, actor: str, with_candles: bool) -> tuple[BackupState, Level, str, str]:
        """The state after it, and what is told: nothing where the message is empty."""
        try:
            backup = self._shelf.make(with_candles=with_candles)
        except BackupError as error:
            return self._failed(error.message, actor)
        except Exception:
            log.exception("a backup failed")
            return self._failed("An error of Quarterdeck's own; the engine's log has it.", actor)
        now = self._books.clock.now()
        done = BackupState(done_at=now, name=backup.name, tried_at=now)
        words = f"Backed up and verified: {backup.name}, {backup.size:,} bytes."
        level = Level.INFO
        problem = backup.manifest.facts.audit_problem if backup.manifest is not None else ""
        if problem:
            level, words = Level.WARNING, f"{words} {problem}"
        try:
            gone = self._shelf.rotate(self._keeping)
        except BackupError as error:
            level, words = Level.WARNING, f"{words} Old ones were not removed: {error.message}"
        else:
            words += f" Removed: {', '.join(gone)}." if gone else ""
        return done, level, actor, words

    def _failed(self, reason: str, actor: str) -> tuple[BackupState, Level, str, str]:
        """The outcome of a failure, which is told once for as long as it stays the same."""
        message = "" if self._state.failure == reason else f"The backup failed: {reason}"
        changes = {"tried_at": self._books.clock.now(), "failure": reason}
        return self._state.model_copy(update=changes), Level.ERROR, actor, message

    def _keep(self, state: BackupState, level: Level, actor: str, message: str) -> None:
        """In memory first: a full disk that takes no backup takes no row either."""
        self._state = state
        kind = "backup.failed" if state.failure else "backup.done"
        with self._books.writing() as writing:
            writing.tx.put_setting(STATE, state.model_dump_json())
            if message:
                writing.event(level, kind, message, name=state.name, actor=actor)
            if actor != SCHEDULE:
                writing.audit(actor, kind, state.name or "engine", failure=state.failure)
