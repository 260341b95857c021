"""When a channel is silent, and until when: over midnight, and over both turns of the clock."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.alerts import QuietHours
from engine.domain.quiet_hours import is_quiet, may_go_at
from engine.domain.records import Level

NIGHT = QuietHours(start=time(22), end=time(7), zone="Europe/Berlin")


def utc(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "goes"),
    [
        ("2026-03-02 20:59:59", "2026-03-02 20:59:59"),
        ("2026-03-02 21:00", "2026-03-03 06:00"),
        ("2026-03-03 05:59:59.5", "2026-03-03 06:00"),
        ("2026-03-03 06:00", "2026-03-03 06:00"),
        ("2026-03-28 22:00", "2026-03-29 05:00"),  # summer begins in this night
        ("2026-10-24 21:00", "2026-10-25 06:00"),  # and ends in this one
    ],
)
def test_over_midnight(at: str, goes: str) -> None:
    assert may_go_at(NIGHT, Level.INFO, utc(at)) == utc(goes)


@pytest.mark.parametrize(
    ("at", "goes"),
    [
        ("2026-03-29 00:30", "2026-03-29 01:00"),  # 02:30 is not shown: 02:00 becomes 03:00
        ("2026-10-24 23:30", "2026-10-25 00:30"),  # shown twice: from the first time on ...
        ("2026-10-25 00:45", "2026-10-25 00:45"),
        ("2026-10-25 01:10", "2026-10-25 01:30"),  # ... and what is shown again is quiet again
    ],
)
def test_an_end_within_the_turn_of_the_clock(at: str, goes: str) -> None:
    quiet = QuietHours(start=time(1), end=time(2, 30), zone="Europe/Berlin")
    assert may_go_at(quiet, Level.INFO, utc(at)) == utc(goes)


def test_errors_go_at_once_where_they_are_let() -> None:
    at = utc("2026-03-02 23:00")
    assert may_go_at(NIGHT, Level.ERROR, at) == at
    assert may_go_at(NIGHT, Level.WARNING, at) > at
    strict = NIGHT.model_copy(update={"lets_errors": False})
    assert may_go_at(strict, Level.ERROR, at) > at
    assert may_go_at(None, Level.INFO, at) == at


def test_the_same_start_and_end_is_no_quiet_at_all() -> None:
    never = QuietHours(start=time(7), end=time(7))
    assert may_go_at(never, Level.INFO, utc("2026-03-02 07:00")) == utc("2026-03-02 07:00")


TIMES = st.times().map(lambda one: one.replace(second=0, microsecond=0))
ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata",
     "Pacific/Apia", "Africa/Casablanca"]
)  # fmt: skip
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(  # noqa: DTZ001
    lambda one: one.replace(tzinfo=UTC)
)
TURNS = st.builds(
    lambda turn, minutes: turn + timedelta(minutes=minutes),
    st.sampled_from([utc("2026-03-29 01:00"), utc("2026-10-25 01:00"), utc("2026-03-08 07:00"),
                     utc("2026-11-01 06:00"), utc("2026-04-04 15:00"), utc("2026-10-03 15:30")]),
    st.integers(-1_500, 120),
)  # fmt: skip


@given(TIMES, TIMES, ZONES, st.one_of(MOMENTS, TURNS))
def test_it_goes_at_the_first_moment_that_is_not_quiet(
    start: time, end: time, zone: str, at: datetime
) -> None:
    quiet = QuietHours(start=start, end=end, zone=zone)
    goes = may_go_at(quiet, Level.INFO, at)
    assert goes >= at
    assert not is_quiet(quiet, goes)
    between = at
    while between < goes:
        assert is_quiet(quiet, between)
        between += timedelta(minutes=13)
    assert goes == at or is_quiet(quiet, goes - timedelta(seconds=1))
