"""Backups for the API."""

from dataclasses import dataclass
from typing import Protocol

from engine.contracts.backups import BackupList, BackupRequest, BackupView
from engine.domain.backups import Backup
from engine.services.back_up import BackupRunner


class BackupServices(Protocol):
    """What the API asks about backups."""

    def page(self) -> BackupList:
        """The backups there are and the schedule. Raises BackupError."""
        ...

    def begin(self, request: BackupRequest, actor: str) -> BackupList:
        """Begin one. Raises Conflict while another is being made."""
        ...


@dataclass(frozen=True)
class BackupDesk:
    """Implements ``BackupServices``."""

    runner: BackupRunner

    def page(self) -> BackupList:
        """From the folder itself: what the command line has made is there too."""
        runner, state = self.runner, self.runner.state
        return BackupList(
            folder=runner.folder,
            backups=tuple(view_of(one) for one in runner.list()),
            is_running=runner.is_running,
            done_at=state.done_at,
            tried_at=state.tried_at,
            due_at=runner.due_at,
            failure=state.failure,
        )

    def begin(self, request: BackupRequest, actor: str) -> BackupList:
        """In the background."""
        self.runner.begin(actor, with_candles=request.with_candles)
        return self.page()


def view_of(backup: Backup) -> BackupView:
    """As it is shown."""
    view = BackupView(
        name=backup.name, created_at=backup.created_at, size=backup.size, problem=backup.problem
    )
    manifest = backup.manifest
    if manifest is None:
        return view
    return view.model_copy(
        update={
            "version": manifest.version,
            "schema_revision": manifest.facts.revision,
            "rows": sum(manifest.facts.counts.values()),
            "files": len(manifest.members),
            "sealed": manifest.facts.sealed,
            "has_candles": manifest.has_candles,
        }
    )
