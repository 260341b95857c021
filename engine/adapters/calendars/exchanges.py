"""The hours of exchanges, from exchange_calendars; currencies and crypto need no library."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from engine.domain.forex_week import forex_timetable
from engine.domain.sessions import ALWAYS, ALWAYS_OPEN, FOREX, SATURDAY, Session, Timetable
from engine.errors import NotFound

CLOSES_EARLY = "closes early"
OPENS_LATE = "opens late"
UNRECORDED = "holidays of that time are not recorded yet"
LATEST_SESSIONS = 5
DAY = timedelta(days=1)


class ExchangeCalendars:
    """Implements ``Calendars``. pandas is loaded when the hours of a stock are first asked for.

    Some exchanges announce their holidays a year at a time. Beyond what is recorded every weekday
    has the usual hours, with a note that says so.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def timetable(self, code: str, since: datetime, until: datetime) -> Timetable:
        """Raises NotFound."""
        if code == ALWAYS:
            return ALWAYS_OPEN
        if code == FOREX:
            return forex_timetable(since, until)
        with self._lock, _quiet():
            calendar = _open(code, since, until)
            sessions = _sessions(calendar)
            holidays = _holidays(calendar)
        zone = str(calendar.tz)
        recorded = calendar.last_session.date()
        sessions += _usual(sessions, ZoneInfo(zone), recorded, until)
        kept = tuple(one for one in sessions if one.closes > since and one.opens < until)
        return Timetable(code, zone, kept, holidays, until)


@contextmanager
def _quiet() -> Iterator[None]:
    """The library is older than the pandas it runs on, which deprecates half of what it calls."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _open(code: str, since: datetime, until: datetime) -> Any:
    import exchange_calendars as library
    import pandas as pd

    if code not in library.get_calendar_names():
        raise NotFound(
            f"There are no hours of '{code}': name an exchange as XNYS, forex or 24/7.",
            field="calendar",
        )
    factory = library.calendar_utils._default_calendar_factories[library.resolve_alias(code)]
    first, last = pd.Timestamp(since.date() - DAY), pd.Timestamp(until.date() + DAY)
    least, most = factory.bound_min(), factory.bound_max()
    first = first if least is None else max(first, least)
    last = last if most is None else min(last, most)
    return factory(start=first, end=last)


def _sessions(calendar: Any) -> list[Session]:
    early = {day.date() for day in calendar.early_closes}
    late = {day.date() for day in calendar.late_opens}
    found = []
    for day, row in calendar.schedule.iterrows():
        note = CLOSES_EARLY if day.date() in early else OPENS_LATE if day.date() in late else ""
        opens, closes = _utc(row["open"]), _utc(row["close"])
        if row.isna()["break_start"]:
            found.append(Session(opens, closes, note))
        else:
            found.append(Session(opens, _utc(row["break_start"]), "midday break"))
            found.append(Session(_utc(row["break_end"]), closes, note))
    return found


def _utc(stamp: Any) -> datetime:
    moment: datetime = stamp.to_pydatetime()
    return moment.astimezone(UTC)


def _holidays(calendar: Any) -> dict[date, str]:
    """Weekdays without a session, by name where the library has one."""
    import pandas as pd

    first, last = calendar.first_session, calendar.last_session
    names: dict[date, str] = {}
    if calendar.regular_holidays is not None:
        named = calendar.regular_holidays.holidays(first, last, return_name=True)
        names = {day.date(): str(name) for day, name in named.items()}
    with_session = {day.date() for day in calendar.sessions}
    return {
        day.date(): names.get(day.date(), "holiday")
        for day in pd.date_range(first, last)
        if day.date() not in with_session and day.weekday() < SATURDAY
    }


def _usual(
    sessions: list[Session], zone: ZoneInfo, recorded: date, until: datetime
) -> list[Session]:
    """The hours of the last day without a peculiarity, on every weekday after ``recorded``."""
    regular = [one for one in sessions[-2 * LATEST_SESSIONS :] if one.note in ("", "midday break")]
    if not regular:
        return []
    last = regular[-1].closes.astimezone(zone).date()
    pattern = [
        (one.opens.astimezone(zone).time(), one.closes.astimezone(zone).time())
        for one in regular if one.closes.astimezone(zone).date() == last
    ]  # fmt: skip
    found = []
    day = recorded + DAY
    while day <= until.astimezone(zone).date():
        if day.weekday() < SATURDAY:
            found += [
                Session(
                    datetime.combine(day, opens, zone).astimezone(UTC),
                    datetime.combine(day, closes, zone).astimezone(UTC),
                    UNRECORDED,
                )
                for opens, closes in pattern
            ]
        day += DAY
    return found
