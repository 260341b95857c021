"""Settings of the backups that the engine makes by itself."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings

from engine.domain.backups import Keeping


def _empty_is_none(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


class BackupSettings(BaseSettings):
    """A part of ``engine.settings.Settings``."""

    backup_every_h: int = Field(
        default=24, ge=0, le=720, title="Backup every", description="hours; 0: none by itself"
    )
    backup_keep_daily: int = Field(
        default=7, ge=1, le=366, title="Backups kept: days",
        description="the newest of each of so many days that have one",
    )  # fmt: skip
    backup_keep_weekly: int = Field(
        default=4, ge=0, le=520, title="Backups kept: weeks", description="the same, of weeks"
    )
    backup_keep_monthly: int = Field(
        default=12, ge=0, le=240, title="Backups kept: months", description="the same, of months"
    )
    backup_candles: bool = Field(
        default=False, title="Back up candles too",
        description="they are large, and can be downloaded again",
    )  # fmt: skip
    backup_folder: Annotated[Path | None, BeforeValidator(_empty_is_none)] = Field(
        default=None,
        description="the folder of backups, best on another disk; empty: backups in the data "
        "folder",
    )

    @property
    def backup_keeping(self) -> Keeping:
        """How many are kept."""
        return Keeping(self.backup_keep_daily, self.backup_keep_weekly, self.backup_keep_monthly)
