"""Backups: which there are, and one now. Restoring is for the command line: no engine may run."""

from fastapi import Response

from engine.api.routing import Actor, Services, new_router
from engine.api.wire import answer
from engine.contracts.backups import BackupList, BackupRequest

router = new_router("backups")


@router.get("/backups", response_model=BackupList, summary="Backups and their schedule")
def list_backups(services: Services) -> Response:
    """The newest first; one that is damaged says so."""
    return answer(services.backups.page())


@router.post("/backups", response_model=BackupList, status_code=202, summary="Make a backup")
def make_backup(request: BackupRequest, services: Services, actor: Actor) -> Response:
    """In the background; 409 while another is being made."""
    return answer(services.backups.begin(request, actor), 202)
