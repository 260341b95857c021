"""Backups as the panel and the commands see them."""

from pydantic import ConfigDict, Field

from engine.contracts.base import Contract
from engine.domain.money import UtcDatetime


class BackupView(Contract):
    """A backup in the folder; ``size`` in bytes. It was verified before it got its name, unless
    ``problem`` says what has happened to it since. ``sealed``: secrets in it that only the key of
    the engine opens."""

    name: str
    created_at: UtcDatetime
    size: int
    version: str = ""
    schema_revision: str = ""
    rows: int = 0
    files: int = 0
    sealed: int = 0
    has_candles: bool = False
    problem: str = ""


class BackupList(Contract):
    """The backups, the newest first, and the schedule. ``due_at`` None: none by itself.
    ``failure``: why the last try failed; empty when it went well."""

    folder: str
    backups: tuple[BackupView, ...]
    is_running: bool
    done_at: UtcDatetime | None = None
    tried_at: UtcDatetime | None = None
    due_at: UtcDatetime | None = None
    failure: str = ""


class BackupRequest(Contract):
    """What a backup is to have in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    with_candles: bool = Field(default=False, description="the candle library too")
