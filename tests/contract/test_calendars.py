"""The contract of ``Calendars``, over exchange_calendars and over the fake."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import exchange_calendars
import pytest

from engine.adapters.calendars.exchanges import UNRECORDED, ExchangeCalendars
from engine.domain.sessions import BY_CURRENCY, Timetable
from engine.errors import NotFound
from engine.ports import Calendars
from tests.fakes.calendars import FakeCalendars

SINCE, UNTIL = datetime(2026, 10, 1, tzinfo=UTC), datetime(2027, 1, 9, tzinfo=UTC)


@pytest.fixture(scope="module", params=[ExchangeCalendars, FakeCalendars])
def calendars(request: pytest.FixtureRequest) -> Calendars:
    """Each implementation."""
    made: Calendars = request.param()
    return made


def test_the_hours_of_shares_by_their_currency_are_known() -> None:
    assert set(BY_CURRENCY.values()) <= set(exchange_calendars.get_calendar_names())


def on(timetable: Timetable, day: date) -> list[tuple[str, str]]:
    """The sessions that open on a local day, in local time."""
    zone = ZoneInfo(timetable.zone)
    local = [(one.opens.astimezone(zone), one.closes.astimezone(zone)) for one in
             timetable.sessions]  # fmt: skip
    return [(f"{a:%H:%M}", f"{b:%H:%M}") for a, b in local if a.date() == day]


@pytest.mark.parametrize("code", ["XNYS", "XBOM", "XLON", "forex"])
def test_sessions_are_in_order_and_apart(calendars: Calendars, code: str) -> None:
    timetable = calendars.timetable(code, SINCE, UNTIL)
    assert timetable.code == code
    assert timetable.sessions
    for one, following in zip(timetable.sessions, timetable.sessions[1:], strict=False):
        assert one.opens < one.closes <= following.opens
    assert timetable.sessions[0].closes > SINCE
    assert timetable.sessions[-1].opens < UNTIL
    assert {one.opens.utcoffset() for one in timetable.sessions} == {timedelta(0)}


def test_new_york_keeps_thanksgiving_and_closes_early_the_day_after(calendars: Calendars) -> None:
    new_york = calendars.timetable("XNYS", SINCE, UNTIL)
    assert on(new_york, date(2026, 11, 25)) == [("09:30", "16:00")]
    assert on(new_york, date(2026, 11, 26)) == []
    assert on(new_york, date(2026, 11, 27)) == [("09:30", "13:00")]
    assert on(new_york, date(2026, 12, 25)) == []
    half = new_york.session_at(datetime(2026, 11, 27, 17, tzinfo=UTC))
    assert half is not None
    assert half.note == "closes early"
    noon = datetime(2026, 11, 26, 17, tzinfo=UTC)
    assert new_york.why_closed(noon) == "XNYS is closed (Thanksgiving)"
    assert new_york.next_open(noon) == datetime(2026, 11, 27, 14, 30, tzinfo=UTC)


def test_an_hour_of_new_york_is_another_one_in_utc_after_the_clocks_change(
    calendars: Calendars,
) -> None:
    new_york = calendars.timetable("XNYS", SINCE, UNTIL)
    [before, after] = [one.opens for one in new_york.sessions if one.opens.date() in
                       (date(2026, 10, 30), date(2026, 11, 2))]  # fmt: skip
    assert (before.hour, after.hour) == (13, 14)


def test_mumbai_has_hours_of_its_own(calendars: Calendars) -> None:
    mumbai = calendars.timetable("XBOM", datetime(2026, 1, 20, tzinfo=UTC), SINCE)
    assert on(mumbai, date(2026, 1, 23)) == [("09:15", "15:30")]
    assert on(mumbai, date(2026, 1, 26)) == [], "Republic Day"
    republic_day = datetime(2026, 1, 26, 6, tzinfo=UTC)
    assert mumbai.why_closed(republic_day) == "XBOM is closed (holiday)"


def test_currencies_and_crypto(calendars: Calendars) -> None:
    week = calendars.timetable("forex", SINCE, UNTIL)
    assert week.is_open(datetime(2026, 11, 26, 12, tzinfo=UTC)), "Thanksgiving is traded through"
    assert not week.is_open(datetime(2026, 11, 28, 12, tzinfo=UTC))
    assert calendars.timetable("24/7", SINCE, UNTIL).is_always_open


def test_a_calendar_that_nobody_knows(calendars: Calendars) -> None:
    with pytest.raises(NotFound, match="no hours of 'XFOO'") as refused:
        calendars.timetable("XFOO", SINCE, UNTIL)
    assert refused.value.field == "calendar"


def test_beyond_what_is_recorded_weekdays_have_the_usual_hours_and_a_note() -> None:
    """The library knows the holidays of Mumbai a year at a time."""
    far = datetime(2040, 1, 1, tzinfo=UTC)
    mumbai = ExchangeCalendars().timetable("XBOM", datetime(2026, 1, 1, tzinfo=UTC), far)
    last = mumbai.sessions[-1]
    assert last.note == UNRECORDED
    assert on(mumbai, last.opens.date()) == [("09:15", "15:30")]
    assert far - last.opens < timedelta(days=4)


def test_a_midday_break_is_no_session() -> None:
    tokyo = ExchangeCalendars().timetable("XTKS", SINCE, UNTIL)
    assert on(tokyo, date(2026, 11, 25)) == [("09:00", "11:30"), ("12:30", "15:30")]
    noon = datetime(2026, 11, 25, 3, tzinfo=UTC)
    assert not tokyo.is_open(noon)
    assert tokyo.why_closed(noon) == "XTKS is closed (midday break)"
