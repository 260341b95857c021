"""The calls about backups."""

from engine.contracts.backups import BackupList, BackupRequest
from panel.connection import Connection

BACKUPS = "/api/v1/backups"


class BackupCalls(Connection):
    """Every one raises EngineOff or EngineRefused."""

    def backups(self) -> BackupList:
        """The backups, the newest first, and the schedule."""
        return self._get(BackupList, BACKUPS)

    def make_backup(self, *, with_candles: bool) -> BackupList:
        """Begin one; it is in the list once it is made and verified."""
        return self._post(BackupList, BACKUPS, BackupRequest(with_candles=with_candles))
