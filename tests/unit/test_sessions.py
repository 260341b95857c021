"""Hours of markets: open, next open, next close, across clock changes and holidays."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.forex_week import forex_timetable
from engine.domain.instruments import InstrumentKind
from engine.domain.sessions import ALWAYS_OPEN, BY_CURRENCY, Session, Timetable, calendar_of
from tests.fakes.calendars import FakeCalendars
from tests.fakes.market import BTC

SINCE, UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 12, 31, tzinfo=UTC)
WEEK = forex_timetable(SINCE, UNTIL)
NEW_YORK = FakeCalendars().timetable("XNYS", SINCE, UNTIL)
LONDON = FakeCalendars().timetable("XLON", SINCE, UNTIL)


def at(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


MOMENTS = st.datetimes(
    SINCE.replace(tzinfo=None), UNTIL.replace(tzinfo=None) - timedelta(days=10),
    timezones=st.just(UTC),
)  # fmt: skip


@pytest.mark.parametrize("timetable", [WEEK, NEW_YORK, LONDON], ids=lambda one: one.code)
@given(moment=MOMENTS)
def test_next_open_and_next_close_agree_with_is_open(
    timetable: Timetable, moment: datetime
) -> None:
    opens, closes = timetable.next_open(moment), timetable.next_close(moment)
    assert opens is not None
    assert closes is not None
    instant = timedelta(microseconds=1)
    assert opens > moment
    assert timetable.is_open(opens)
    assert not timetable.is_open(opens - instant)
    assert closes > moment
    assert timetable.is_open(closes - instant)
    assert not timetable.is_open(closes)
    if timetable.is_open(moment):
        assert closes < opens
        session = timetable.session_at(moment)
        assert session is not None
        assert session.opens <= moment < session.closes == closes
    else:
        assert opens < closes
        assert timetable.session_at(moment) is None


@given(moment=MOMENTS, hours=st.integers(1, 400))
def test_between_gives_the_sessions_that_touch_a_stretch(moment: datetime, hours: int) -> None:
    end = moment + timedelta(hours=hours)
    wanted = [one for one in NEW_YORK.sessions if one.opens < end and one.closes > moment]
    assert list(NEW_YORK.between(moment, end)) == wanted


@pytest.mark.parametrize(
    ("moment", "opens"),
    [
        ("2026-03-07 12:00", "2026-03-08 21:00"),  # New York changes on the 8th: an hour earlier
        ("2026-03-01 12:00", "2026-03-01 22:00"),
        ("2026-10-31 12:00", "2026-11-01 22:00"),  # and back on 1 November
        ("2026-10-24 12:00", "2026-10-25 21:00"),  # Europe's change moves nothing here
        ("2028-02-26 12:00", "2028-02-27 22:00"),
    ],
)
def test_the_week_of_currencies_begins_at_five_in_new_york(moment: str, opens: str) -> None:
    assert not WEEK.is_open(at(moment))
    assert WEEK.why_closed(at(moment)) == "forex is closed (weekend)"
    assert WEEK.next_open(at(moment)) == at(opens)


def test_currencies_rest_on_christmas_and_new_year_only() -> None:
    assert WEEK.is_open(at("2026-12-24 12:00"))
    assert not WEEK.is_open(at("2026-12-25 12:00"))
    assert WEEK.why_closed(at("2026-12-25 12:00")) == "forex is closed (Christmas Day)"
    assert WEEK.next_open(at("2026-12-25 12:00")) == at("2026-12-27 22:00")
    assert not WEEK.is_open(at("2027-01-01 12:00"))
    assert WEEK.is_open(at("2028-02-29 12:00")), "a leap day is a Tuesday like any other"


def test_european_clocks_move_londons_hours_and_not_new_yorks() -> None:
    assert LONDON.next_open(at("2026-03-28 12:00")) == at("2026-03-30 07:00")
    assert LONDON.next_open(at("2026-03-21 12:00")) == at("2026-03-23 08:00")
    assert NEW_YORK.next_open(at("2026-03-28 12:00")) == at("2026-03-30 13:30")


@pytest.mark.parametrize(
    ("moment", "why"),
    [
        ("2026-11-26 15:00", "Thanksgiving"),
        ("2026-11-27 18:30", "closes early"),
        ("2026-11-27 23:30", "closes early"),
        ("2026-11-28 15:00", "weekend"),
        ("2026-11-20 22:00", "weekend"),  # Friday after the close
        ("2026-11-24 22:00", "outside its hours"),
        ("2026-11-24 12:00", "outside its hours"),
        ("2026-12-25 15:00", "Christmas"),
    ],
)
def test_why_a_market_is_closed(moment: str, why: str) -> None:
    assert not NEW_YORK.is_open(at(moment))
    assert NEW_YORK.why_closed(at(moment)) == f"XNYS is closed ({why})"


def test_what_never_closes_and_what_is_not_known() -> None:
    assert ALWAYS_OPEN.is_open(at("2026-11-26 03:00"))
    assert ALWAYS_OPEN.next_open(at("2026-11-26 03:00")) is None
    assert ALWAYS_OPEN.next_close(at("2026-11-26 03:00")) is None
    day = Session(at("2026-11-24 14:30"), at("2026-11-24 21:00"))
    short = Timetable("XNYS", sessions=(day,), known_until=at("2026-11-25 00:00"))
    assert not short.is_open(at("2026-11-24 22:00"))
    assert short.is_open(at("2026-11-25 03:00")), "nobody knows: the venue decides"
    assert short.next_open(at("2026-11-24 22:00")) is None


def test_an_instrument_has_the_hours_of_its_kind_unless_it_names_others() -> None:
    def hours(kind: InstrumentKind, calendar: str = "") -> str:
        return calendar_of(BTC.model_copy(update={"kind": kind, "calendar": calendar}))

    assert hours(InstrumentKind.CRYPTO) == "24/7"
    assert hours(InstrumentKind.FOREX) == "forex"
    assert hours(InstrumentKind.STOCK) == "XNYS"
    assert hours(InstrumentKind.STOCK, "XBOM") == "XBOM"


@pytest.mark.parametrize(
    ("currency", "code"), [("USD", "XNYS"), ("XXX", "XNYS"), *BY_CURRENCY.items()]
)
def test_a_share_that_names_no_exchange_has_the_hours_of_its_currency(
    currency: str, code: str
) -> None:
    share = BTC.model_copy(update={"kind": InstrumentKind.STOCK, "quote": currency})
    assert calendar_of(share) == code
    pair = share.model_copy(update={"kind": InstrumentKind.FOREX})
    assert calendar_of(pair) == "forex"
