"""The tables of studies and of bots' re-tuning. A study's trials are in its journal file."""

from datetime import datetime
from typing import Any

from engine.adapters.store.columns import Row, json, moment, text


class StudyRow(Row, table=True):
    """A study: what was asked, what it is doing, what it found."""

    __tablename__ = "studies"

    id: str = text(primary_key=True)
    name: str = text()
    strategy: str = text(index=True)
    symbol: str = text()
    state: str = text(index=True)
    request: dict[str, Any] = json()
    progress: dict[str, Any] = json()
    summary: dict[str, Any] = json()
    error: str = text()
    error_field: str = text()
    source_sha256: str = text()
    retune_of: str = text()
    created_at: datetime = moment(index=True)
    started_at: datetime | None = moment(default=None)
    finished_at: datetime | None = moment(default=None)


class RetuneRow(Row, table=True):
    """How a bot is tuned again, and where that stands."""

    __tablename__ = "retunes"

    bot_id: str = text(primary_key=True, foreign_key="bots.id", ondelete="CASCADE")
    settings: dict[str, Any] = json()
    next_at: datetime | None = moment(default=None)
    study_id: str = text()
    wins: dict[str, Any] = json()
    outcome: str = text()
    updated_at: datetime = moment()
