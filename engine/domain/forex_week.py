"""The week of foreign exchange: Sunday 17:00 to Friday 17:00 in New York, daylight saving included.

Between banks is traded on most holidays; 25 December and 1 January, New York time, are the days on
which nobody gives prices. Metals, indices and oil, which brokers of currencies offer beside them,
pause at the turn of the day.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from engine.domain.sessions import FOREX, Session, Timetable

NEW_YORK = "America/New_York"
TURN = time(17)
"""When a day of trading ends and the next begins."""

HOLIDAYS = {(12, 25): "Christmas Day", (1, 1): "New Year's Day"}
MONDAY, FRIDAY = 0, 4


def forex_timetable(since: datetime, until: datetime) -> Timetable:
    """The sessions of which some part lies in [since, until), a day of trading each, joined where
    one follows the other."""
    zone = ZoneInfo(NEW_YORK)
    day = since.astimezone(zone).date() - timedelta(days=1)
    end = until.astimezone(zone).date() + timedelta(days=1)
    sessions: list[Session] = []
    turns: list[datetime] = []
    holidays: dict[date, str] = {}
    while day <= end:
        name = HOLIDAYS.get((day.month, day.day))
        if name is not None and MONDAY <= day.weekday() <= FRIDAY:
            holidays[day] = name
        elif MONDAY <= day.weekday() <= FRIDAY:
            opens, closes = _at(day - timedelta(days=1), zone), _at(day, zone)
            if sessions and sessions[-1].closes == opens:
                turns.append(opens)
                opens = sessions.pop().opens
            sessions.append(Session(opens, closes))
        day += timedelta(days=1)
    kept = tuple(one for one in sessions if one.closes > since and one.opens < until)
    return Timetable(FOREX, NEW_YORK, kept, holidays, until, turns=tuple(turns))


def _at(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, TURN, zone).astimezone(UTC)
