"""Gaps: what is missing is told from nights, weekends, holidays and the change of the clocks."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from engine.domain.candle_gaps import Gaps, find_gaps
from engine.domain.candles import IntArray

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NEW_YORK = ZoneInfo("America/New_York")


def times(moments: list[datetime]) -> IntArray:
    return np.array([int(one.timestamp() * 1000) for one in moments], dtype=np.int64)


def sessions(
    first: datetime, days: int, *, closed: frozenset[str] | set[str] = frozenset()
) -> list[datetime]:
    """Hourly candles of a stock exchange: 10:00 to 16:00 in New York, Monday to Friday."""
    found = []
    for day in (first.date() + timedelta(days=number) for number in range(days)):
        if day.weekday() < 5 and day.isoformat() not in closed:
            found += [datetime.combine(day, time(hour), NEW_YORK) for hour in range(10, 16)]
    return found


def spans(gaps: Gaps) -> list[tuple[str, int, bool]]:
    return [(f"{one.since:%m-%d %H}", one.missing, one.is_closed_day) for one in gaps.rows(99)]


def test_a_market_that_never_closes_misses_every_candle_that_is_not_there() -> None:
    time_ms = np.array([0, 1, 4, 5, 9], dtype=np.int64) * HOUR_MS
    gaps = find_gaps(time_ms, HOUR_MS, closes=False)
    assert list(gaps.since // HOUR_MS) == [2, 6]
    assert list(gaps.until // HOUR_MS) == [4, 9]
    assert list(gaps.missing) == [2, 3]


def test_candles_that_are_complete_or_too_few_have_no_gap() -> None:
    for count in (0, 1, 50):
        assert len(find_gaps(np.arange(count) * HOUR_MS, HOUR_MS, closes=False)) == 0
        assert len(find_gaps(np.arange(count) * HOUR_MS, HOUR_MS, closes=True)) == 0


def test_nights_weekends_and_the_change_of_the_clocks_are_no_gaps() -> None:
    moments = sessions(datetime(2025, 9, 1, tzinfo=UTC), 250)  # over both changes
    assert len(find_gaps(times(moments), HOUR_MS, closes=True)) == 0
    assert len(find_gaps(times(moments), HOUR_MS, closes=False)) > 100


def test_a_hole_in_a_session_and_a_holiday_are_told_apart() -> None:
    moments = sessions(datetime(2025, 1, 6, tzinfo=UTC), 60, closed={"2025-02-17"})
    lost = [datetime(2025, 1, 29, hour, tzinfo=UTC) for hour in (17, 18)]
    kept = [one for one in moments if one.astimezone(UTC) not in lost]
    gaps = find_gaps(times(kept), HOUR_MS, closes=True)
    assert spans(gaps) == [("01-29 17", 2, False), ("02-17 15", 6, True)]


def test_a_whole_week_that_is_missing_is_no_weekend() -> None:
    moments = sessions(datetime(2025, 1, 6, tzinfo=UTC), 90)
    out = (datetime(2025, 2, 10, tzinfo=UTC), datetime(2025, 2, 15, tzinfo=UTC))
    gaps = find_gaps(times([one for one in moments if not out[0] < one < out[1]]), HOUR_MS,
                     closes=True)  # fmt: skip
    assert int(gaps.missing.sum()) == 5 * 6


def test_days_of_a_market_with_weekends() -> None:
    days = [datetime(2001, 6, 4, tzinfo=UTC) + timedelta(days=number) for number in range(200)]
    closed = {"2001-07-04", "2001-09-11", "2001-09-12", "2001-09-13", "2001-09-14"}
    kept = [one for one in days if one.weekday() < 5 and f"{one:%Y-%m-%d}" not in closed]
    gaps = find_gaps(times(kept), DAY_MS, closes=True)
    assert spans(gaps) == [("07-04 00", 1, True), ("09-11 00", 4, False)]


def test_a_few_days_are_judged_by_the_hours_of_the_day() -> None:
    moments = sessions(datetime(2025, 1, 6, tzinfo=UTC), 5)
    assert len(find_gaps(times(moments), HOUR_MS, closes=True)) == 0
    lost = datetime(2025, 1, 8, 17, tzinfo=UTC)
    gaps = find_gaps(times([one for one in moments if one.astimezone(UTC) != lost]), HOUR_MS,
                     closes=True)  # fmt: skip
    assert spans(gaps) == [("01-08 17", 1, False)]


@pytest.mark.parametrize("seconds", [1, 15])
def test_candles_below_a_minute_are_judged_by_the_minute(seconds: int) -> None:
    start = int(datetime(2025, 1, 6, 15, tzinfo=UTC).timestamp() * 1000)
    day = start + np.arange(0, 3_600_000, seconds * 1000, dtype=np.int64)
    days = np.concatenate([day + number * DAY_MS for number in range(4)])
    lost = (days >= start + DAY_MS + 600_000) & (days < start + DAY_MS + 720_000)
    gaps = find_gaps(days[~lost], seconds * 1000, closes=True)
    assert list(gaps.missing) == [120 // seconds]


def test_the_longest_are_kept_before_closed_days() -> None:
    moments = sessions(datetime(2025, 1, 6, tzinfo=UTC), 60, closed={"2025-02-17"})
    lost = datetime(2025, 1, 29, 17, tzinfo=UTC)
    gaps = find_gaps(times([one for one in moments if one.astimezone(UTC) != lost]), HOUR_MS,
                     closes=True)  # fmt: skip
    assert [one.missing for one in gaps.rows(1)] == [1]
    assert [one.missing for one in gaps.rows(9, closed_days=False)] == [1]
