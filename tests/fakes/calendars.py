"""The hours of markets by simple rules, without a library."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from engine.domain.forex_week import forex_timetable
from engine.domain.sessions import ALWAYS, ALWAYS_OPEN, FOREX, SATURDAY, Session, Timetable
from engine.errors import NotFound

HOURS = {
    "XNYS": ("America/New_York", time(9, 30), time(16)),
    "XBOM": ("Asia/Kolkata", time(9, 15), time(15, 30)),
    "XLON": ("Europe/London", time(8), time(16, 30)),
}
HOLIDAYS = {
    "XNYS": {
        date(2026, 11, 26): "Thanksgiving",
        date(2026, 12, 25): "Christmas",
        date(2027, 1, 1): "New Year's Day",
    },
    "XBOM": {date(2026, 1, 26): "holiday", date(2026, 12, 25): "holiday"},
    "XLON": {date(2026, 12, 25): "Christmas", date(2026, 12, 28): "Boxing Day"},
}
EARLY = {
    "XNYS": {date(2026, 11, 27): time(13), date(2026, 12, 24): time(13)},
    "XLON": {date(2026, 12, 24): time(12, 30), date(2026, 12, 31): time(12, 30)},
}


class FakeCalendars:
    """Implements ``Calendars`` for three exchanges, right for the end of 2026. ``asked`` lists the
    codes it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def timetable(self, code: str, since: datetime, until: datetime) -> Timetable:
        """Raises NotFound."""
        self.asked.append(code)
        if code == ALWAYS:
            return ALWAYS_OPEN
        if code == FOREX:
            return forex_timetable(since, until)
        if code not in HOURS:
            raise NotFound(f"There are no hours of '{code}'.", field="calendar")
        zone_name, opens, closes = HOURS[code]
        zone = ZoneInfo(zone_name)
        sessions = []
        day = since.astimezone(zone).date()
        while day <= until.astimezone(zone).date():
            if day.weekday() < SATURDAY and day not in HOLIDAYS[code]:
                early = EARLY.get(code, {}).get(day)
                start, end = (
                    datetime.combine(day, at, zone).astimezone(UTC)
                    for at in (opens, early or closes)
                )
                if end > since and start < until:
                    sessions.append(Session(start, end, "closes early" if early else ""))
            day += timedelta(days=1)
        return Timetable(code, zone_name, tuple(sessions), HOLIDAYS[code], until)
