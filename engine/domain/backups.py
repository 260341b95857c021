"""Backups: what one says about itself, which are kept, and when the next is due."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.money import UtcDatetime

FORMAT = 1
"""Of the file; a reader refuses a higher one."""

NAME = re.compile(r"^quarterdeck-(\d{8}T\d{6})Z(?:-\d+)?\.zip$")
STAMP = "%Y%m%dT%H%M%S"
SETTLING = timedelta(minutes=2)
"""After a start; so long even an overdue backup waits."""

RECENT = timedelta(days=2)
"""Before the newest; so long every backup is kept."""

NOTE_NAME = "restored.json"
"""In the data folder, from a restore to the engine's next start."""

DatabaseKind = Literal["sqlite", "postgresql"]


class Member(BaseModel):
    """One file within a backup; ``size`` in bytes, unpacked."""

    model_config = ConfigDict(frozen=True)

    name: str
    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class DatabaseFacts(BaseModel):
    """What a database, or a copy of one, holds at one moment.

    ``counts`` are rows by table, ``audit_digest`` is the end of the audit's chain, which was
    followed from its beginning, and ``audit_problem`` says where it breaks; ``sealed`` counts
    values that only the engine's key opens.
    """

    model_config = ConfigDict(frozen=True)

    revision: str
    counts: dict[str, int]
    audit_digest: str
    audit_problem: str = ""
    sealed: int = Field(ge=0)


class Manifest(BaseModel):
    """What a backup says about itself, in its ``manifest.json``."""

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    version: str
    created_at: UtcDatetime
    database: DatabaseKind
    facts: DatabaseFacts
    has_candles: bool
    members: tuple[Member, ...]


class Backup(BaseModel):
    """A backup in its folder. ``size`` in bytes, packed; ``problem`` says why it is of no use, and
    then there is no manifest. One with its whole name was verified before it was given it."""

    model_config = ConfigDict(frozen=True)

    name: str
    created_at: UtcDatetime
    size: int = Field(ge=0)
    manifest: Manifest | None = None
    problem: str = ""


class RestoreNote(BaseModel):
    """What a restore leaves for the engine's next start to write down: ``actor`` put the backup
    ``name``, made at ``created_at``, back."""

    model_config = ConfigDict(frozen=True)

    name: str
    created_at: UtcDatetime
    restored_at: UtcDatetime
    actor: str


class BackupState(BaseModel):
    """What the schedule remembers over restarts; ``failure`` is why the last try failed, empty
    after one that went well."""

    model_config = ConfigDict(frozen=True)

    done_at: UtcDatetime | None = None
    name: str = ""
    tried_at: UtcDatetime | None = None
    failure: str = ""


@dataclass(frozen=True)
class Keeping:
    """How many are kept: the newest of so many days, weeks (ISO) and months that have one."""

    daily: int
    weekly: int
    monthly: int


def backup_name(at: datetime, number: int = 1) -> str:
    """The file's name; ``number`` tells apart two of the same second."""
    again = "" if number == 1 else f"-{number}"
    return f"quarterdeck-{at.astimezone(UTC):{STAMP}}Z{again}.zip"


def moment_of(name: str) -> datetime | None:
    """When the backup of this name was made; None for a name that is none of a backup's."""
    found = NAME.match(name)
    if found is None:
        return None
    try:
        return datetime.strptime(found[1], STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def kept(moments: Iterable[datetime], keeping: Keeping) -> set[datetime]:
    """Which of the backups of these moments stay. Those of the last two days always do: the one
    that somebody made before an upgrade is not replaced by that of the same evening."""
    newest_first = sorted({one.astimezone(UTC) for one in moments}, reverse=True)
    stay = {at for at in newest_first if newest_first[0] - at < RECENT}
    rules: tuple[tuple[int, Callable[[datetime], object]], ...] = (
        (keeping.daily, lambda at: at.date()),
        (keeping.weekly, lambda at: at.isocalendar()[:2]),
        (keeping.monthly, lambda at: (at.year, at.month)),
    )
    for count, period_of in rules:
        newest: dict[object, datetime] = {}
        for at in newest_first:
            newest.setdefault(period_of(at), at)
        stay |= set(list(newest.values())[:count])
    return stay


def due_at(
    state: BackupState, every: timedelta | None, started_at: datetime, retry: timedelta
) -> datetime | None:
    """When the next one is to be made; None when the schedule is off.

    One that was missed while the engine was off is made up soon after its start; after a failure
    the next try waits for ``retry``, or for the interval where that is shorter.
    """
    if every is None:
        return None
    earliest = started_at + SETTLING
    if state.failure and state.tried_at is not None:
        return max(earliest, state.tried_at + min(retry, every))
    return earliest if state.done_at is None else max(earliest, state.done_at + every)
