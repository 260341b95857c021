"""A folder of backups in memory, and the desk over it."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from engine.api.backup_desk import BackupDesk
from engine.domain.backups import (
    Backup,
    DatabaseFacts,
    Keeping,
    Manifest,
    backup_name,
    kept,
)
from engine.errors import BackupError
from engine.services.back_up import BackupRunner
from engine.services.books import Books
from tests.fakes.candle_desk import NowClock
from tests.fakes.memory_store import MemoryStore


def facts_of(**changes: object) -> DatabaseFacts:
    """What a small database holds."""
    facts = DatabaseFacts(
        revision="0011", counts={"bots": 2, "fills": 40}, audit_digest="ab", sealed=1
    )
    return facts.model_copy(update=changes)


class MemoryShelf:
    """Implements ``BackupShelf``; ``backups`` is read and set freely. ``trouble`` is raised by the
    next ``make``, and ``facts`` are those of the ones it makes."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.folder = Path("/backups")
        self.backups: list[Backup] = []
        self.trouble = ""
        self.facts = facts_of()
        self.is_closed = False
        self._now = now

    def make(self, *, with_candles: bool) -> Backup:
        """At the clock's time."""
        if self.trouble:
            raise BackupError(self.trouble)
        at = self._now()
        manifest = Manifest(
            version="0.1.0", created_at=at, database="sqlite", facts=self.facts,
            has_candles=with_candles, members=(),
        )  # fmt: skip
        backup = Backup(name=backup_name(at), created_at=at, size=4_200_000, manifest=manifest)
        self.backups.append(backup)
        return backup

    def list(self) -> Sequence[Backup]:
        """The newest first."""
        return sorted(self.backups, key=lambda one: one.created_at, reverse=True)

    def rotate(self, keeping: Keeping) -> Sequence[str]:
        """By the domain's rule."""
        stay = kept([one.created_at for one in self.backups], keeping)
        gone = [one.name for one in self.backups if one.created_at not in stay]
        self.backups = [one for one in self.backups if one.created_at in stay]
        return gone

    def close(self) -> None:
        """Noted."""
        self.is_closed = True


class FakeBackups:
    """The real service over a folder in memory. A call is done at once, unless ``is_slow``: then
    it waits in ``waiting``."""

    def __init__(self, now: Callable[[], datetime], every_h: int = 24) -> None:
        self.shelf = MemoryShelf(now)
        self.books = Books(MemoryStore(now), NowClock(now))
        self.is_slow = False
        self.waiting: list[Callable[[], None]] = []
        self.runner = self.new_runner(every_h)
        self.desk = BackupDesk(self.runner)

    def new_runner(self, every_h: int = 24) -> BackupRunner:
        """As a start of the engine makes one over the same books."""
        every = timedelta(hours=every_h) if every_h else None
        runner = BackupRunner(self.books, self.shelf, self._spawn, every, Keeping(7, 4, 12))
        runner.load()
        return runner

    def _spawn(self, lane: str, call: Callable[[], None]) -> None:
        if self.is_slow:
            self.waiting.append(call)
        else:
            call()
