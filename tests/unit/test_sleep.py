"""When a bot sleeps, until when, and why."""

from datetime import datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.domain.bots import ActiveHours, BotConfig, Overnight, Weekday
from engine.domain.sessions import ALWAYS_OPEN
from engine.domain.sleep import find_rest, is_awake_by_hours, window_at
from tests.unit.samples import config
from tests.unit.test_sessions import MOMENTS, NEW_YORK, WEEK, at

OFFICE = ActiveHours(
    start=time(9), end=time(17), zone="Europe/Berlin",
    weekdays=(Weekday.MON, Weekday.TUE, Weekday.WED, Weekday.THU, Weekday.FRI),
)  # fmt: skip
CLOSING = {"overnight": Overnight.CLOSE, "close_before_min": 10}


def stock(**changes: Any) -> BotConfig:
    """A bot on a stock in New York."""
    return config(symbol="AAPL", **changes)


@pytest.mark.parametrize(
    ("moment", "until", "why"),
    [
        ("2026-11-25 22:00", "2026-11-27 14:30", "XNYS is closed (outside its hours)"),
        ("2026-11-26 15:00", "2026-11-27 14:30", "XNYS is closed (Thanksgiving)"),
        ("2026-11-27 18:00", "2026-11-30 14:30", "XNYS is closed (closes early)"),
        ("2026-11-28 15:00", "2026-11-30 14:30", "XNYS is closed (weekend)"),
        ("2026-03-07 15:00", "2026-03-09 13:30", "XNYS is closed (weekend)"),  # clocks change
    ],
)
def test_a_bot_sleeps_while_its_market_is_closed(moment: str, until: str, why: str) -> None:
    rest = find_rest(stock(), NEW_YORK, at(moment))
    assert rest is not None
    assert (rest.until, rest.why) == (at(until), why)


def test_it_says_when_it_wakes_here_and_there() -> None:
    rest = find_rest(stock(), NEW_YORK, at("2026-11-26 15:00"))
    assert rest is not None
    assert rest.words == (
        "Sleeps until Fri 2026-11-27 14:30 UTC (Fri 09:30 in New York): XNYS is closed"
        " (Thanksgiving)."
    )


def test_awake_within_hours_or_when_told_not_to_follow_the_market() -> None:
    assert find_rest(stock(), NEW_YORK, at("2026-11-27 17:59")) is None
    assert find_rest(stock(follow_market=False), NEW_YORK, at("2026-11-26 15:00")) is None
    assert find_rest(config(), ALWAYS_OPEN, at("2026-11-28 15:00")) is None
    assert find_rest(config(), WEEK, at("2026-11-26 15:00")) is None


def test_own_hours_and_the_markets_must_both_be_there() -> None:
    """Nine to five in Berlin meets New York from 15:30 to 17:00."""
    bot = stock(active_hours=OFFICE)
    assert find_rest(bot, NEW_YORK, at("2026-11-25 15:00")) is None
    evening = find_rest(bot, NEW_YORK, at("2026-11-25 16:30"))
    assert evening is not None
    assert (evening.until, evening.why) == (at("2026-11-27 14:30"), "outside its own hours")
    morning = find_rest(bot, NEW_YORK, at("2026-11-25 09:00"))
    assert morning is not None
    assert (morning.until, morning.why) == (at("2026-11-25 14:30"),
                                            "XNYS is closed (outside its hours)")  # fmt: skip


def test_hours_that_never_meet_have_no_end() -> None:
    night = ActiveHours(start=time(2), end=time(4), zone="America/New_York")
    rest = find_rest(stock(active_hours=night), NEW_YORK, at("2026-11-25 15:00"))
    assert rest is not None
    assert rest.until is None
    assert rest.words == "Sleeps until further notice: outside its own hours."


@pytest.mark.parametrize(
    ("moment", "why"),
    [
        ("2026-11-25 20:49", None),
        ("2026-11-25 20:50", "flat before the close of XNYS at 21:00 UTC"),
        ("2026-11-27 17:49", None),
        ("2026-11-27 17:50", "flat before the close of XNYS at 18:00 UTC, closes early"),
    ],
)
def test_what_holds_nothing_over_night_ends_before_the_real_close(
    moment: str, why: str | None
) -> None:
    rest = find_rest(stock(**CLOSING), NEW_YORK, at(moment))
    assert (rest.why if rest else None) == why
    if rest is not None:
        assert rest.until == NEW_YORK.next_open(at(moment))


def test_own_hours_end_early_too_but_not_where_days_follow_without_a_pause() -> None:
    office = config(active_hours=OFFICE, **CLOSING)
    assert find_rest(office, ALWAYS_OPEN, at("2026-11-25 15:49")) is None
    rest = find_rest(office, ALWAYS_OPEN, at("2026-11-25 15:50"))
    assert rest is not None
    assert rest.why == "flat before the close of its own hours at 16:00 UTC"
    assert rest.until == at("2026-11-26 08:00")
    weekdays = OFFICE.model_copy(update={"start": time(0), "end": time(0), "zone": "UTC"})
    whole = config(active_hours=weekdays, **CLOSING)
    assert find_rest(whole, ALWAYS_OPEN, at("2026-11-25 23:55")) is None
    assert find_rest(whole, ALWAYS_OPEN, at("2026-11-27 23:55")) is not None, "Friday is the last"


@pytest.mark.parametrize(
    ("local", "opens", "closes"),
    [
        ("2026-03-28", "2026-03-28 21:00", "2026-03-29 04:00"),  # the night of 23 hours
        ("2026-10-24", "2026-10-24 20:00", "2026-10-25 05:00"),  # that of 25
        ("2026-11-25", "2026-11-25 21:00", "2026-11-26 05:00"),
    ],
)
def test_hours_in_a_zone_follow_its_clocks(local: str, opens: str, closes: str) -> None:
    night = ActiveHours(start=time(22), end=time(6), zone="Europe/Berlin")
    assert window_at(night, at(f"{local} 23:00")) == (at(opens), at(closes))


@given(moment=MOMENTS, start=st.times(), end=st.times(), days=st.sets(st.sampled_from(Weekday)))
def test_who_wakes_is_awake(moment: datetime, start: time, end: time, days: set[Weekday]) -> None:
    hours = ActiveHours(
        start=start.replace(microsecond=0, tzinfo=None),
        end=end.replace(microsecond=0, tzinfo=None), zone="Europe/Berlin", weekdays=tuple(days),
    )  # fmt: skip
    bot = config(active_hours=hours)
    rest = find_rest(bot, ALWAYS_OPEN, moment)
    assert (rest is None) == is_awake_by_hours(hours, moment)
    if rest is not None:
        assert rest.until is not None
        assert moment < rest.until <= moment + timedelta(days=8)
        assert find_rest(bot, ALWAYS_OPEN, rest.until) is None
        assert find_rest(bot, ALWAYS_OPEN, rest.until - timedelta(microseconds=1)) is not None


def test_settings_of_sleep_are_checked_and_old_ones_stay_valid() -> None:
    old = {"start": "08:00:00", "end": "20:30:00"}
    hours = ActiveHours.model_validate(old)
    assert (hours.zone, hours.weekdays) == ("UTC", ())
    kept = config().model_dump(mode="json")
    for name in ("follow_market", "wake_lead_min", "overnight", "close_before_min"):
        del kept[name]
    assert BotConfig.model_validate(kept) == config()
    with pytest.raises(ValidationError, match="no time zone"):
        ActiveHours.model_validate({**old, "zone": "Mars/Olympus"})
    mixed = ActiveHours.model_validate({**old, "weekdays": ["fri", "mon", "fri"]})
    assert mixed.weekdays == (Weekday.MON, Weekday.FRI)
