"""Days, weeks and quarters of a day as a person's clock has them, whatever that clock does."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

QUARTER_H = 6


class PeriodKind(StrEnum):
    """How long a period is: a quarter of a day may have five hours or seven when clocks change."""

    QUARTER = "6h"
    DAY = "daily"
    WEEK = "weekly"


@dataclass(frozen=True, slots=True)
class Period:
    """From ``start`` to ``end``, aware UTC; ``name`` is its end on that clock, as in
    2026-11-26T06."""

    kind: PeriodKind
    start: datetime
    end: datetime
    name: str
    words: str


def midnight_of(day: date, zone: ZoneInfo) -> datetime:
    """When a day begins there, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def last_period(kind: PeriodKind, now: datetime, zone: ZoneInfo) -> Period:
    """The newest period that has ended by ``now``."""
    local = now.astimezone(zone)
    if kind is PeriodKind.DAY:
        day = local.date() - timedelta(days=1)
        return _from_midnight(kind, day, 1, zone, f"{day:%a} {day}")
    if kind is PeriodKind.WEEK:
        monday = local.date() - timedelta(days=local.weekday() + 7)
        return _from_midnight(kind, monday, 7, zone, f"week of {monday}")
    hour = local.hour // QUARTER_H * QUARTER_H
    end, begin = local.date(), local.date() if hour else local.date() - timedelta(days=1)
    from_h = (hour - QUARTER_H) % 24
    start_at = datetime.combine(begin, time(from_h), zone).astimezone(UTC)
    end_at = datetime.combine(end, time(hour), zone).astimezone(UTC)
    words = f"{begin} {from_h:02}-{hour or 24:02}h"
    return Period(kind, start_at, end_at, f"{end}T{hour:02}", words)


def _from_midnight(kind: PeriodKind, first: date, days: int, zone: ZoneInfo, words: str) -> Period:
    after = first + timedelta(days=days)
    return Period(kind, midnight_of(first, zone), midnight_of(after, zone), str(after), words)
