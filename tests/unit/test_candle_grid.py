"""Which candles must be there: sessions, half-days, holidays, quiet minutes and gaps."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from engine.domain.candle_grid import look_at, next_close, start_for
from engine.domain.candles import Candles
from engine.domain.money import from_epoch_ms, to_epoch_ms
from engine.domain.sessions import ALWAYS_OPEN, Timetable
from engine.domain.timeframes import timeframe_delta, timeframe_s
from tests.fakes.calendars import FakeCalendars
from tests.unit.test_sessions import at

SINCE, UNTIL = datetime(2026, 6, 1, tzinfo=UTC), datetime(2027, 6, 1, tzinfo=UTC)
NEW_YORK = FakeCalendars().timetable("XNYS", SINCE, UNTIL)
MUMBAI = FakeCalendars().timetable("XBOM", SINCE, UNTIL)
FOREX = FakeCalendars().timetable("forex", SINCE, UNTIL)


def candles_at(opens: Sequence[datetime], timeframe: str) -> Candles:
    """Candles that open then; their prices are of no interest here."""
    time = np.array([to_epoch_ms(one) for one in opens], dtype=np.int64)
    ones = np.ones(len(time))
    return Candles(timeframe, time, ones, ones, ones, ones, ones)


def traded(
    timetable: Timetable, timeframe: str, since: datetime, now: datetime, *, by_session: bool = True
) -> Candles:
    """Every candle that closed by ``now``, from each session's opening or from whole hours on."""
    length = timeframe_delta(timeframe)
    found = []
    for session in timetable.between(since, now):
        opens = session.opens
        if not by_session:
            seconds = timeframe_s(timeframe)
            opens = datetime.fromtimestamp(opens.timestamp() // seconds * seconds, UTC)
        while opens < session.closes:
            if opens >= since and opens + length <= now:
                found.append(opens)
            opens += length
    return candles_at(found, timeframe)


def without(candles: Candles, start: datetime, end: datetime) -> Candles:
    """Those that do not open in [start, end)."""
    kept = (candles.time < to_epoch_ms(start)) | (candles.time >= to_epoch_ms(end))
    left = [from_epoch_ms(ms) for ms in candles.time[kept].tolist()]
    return candles_at(left, candles.timeframe)


MOMENTS = {
    "in the middle of a session": "2026-11-25 17:07",
    "over night": "2026-11-25 03:00",
    "on Thanksgiving": "2026-11-26 18:00",
    "after a half-day": "2026-11-27 20:00",
    "on the weekend after it": "2026-11-29 12:00",
    "a minute after the opening": "2026-11-30 14:31",
    "on Christmas": "2026-12-25 15:00",
}


@pytest.mark.parametrize("by_session", [True, False], ids=["from the opening", "from whole hours"])
@pytest.mark.parametrize("timeframe", ["1m", "15m", "1h", "4h"])
@pytest.mark.parametrize("when", MOMENTS)
def test_night_weekend_holiday_and_half_day_are_no_gap(
    when: str, timeframe: str, by_session: bool
) -> None:
    now = at(MOMENTS[when])
    candles = traded(NEW_YORK, timeframe, now - timedelta(days=9), now, by_session=by_session)
    look = look_at(candles, NEW_YORK, now, may_be_sparse=False)
    assert (look.fault, look.usable_from, look.notes) == ("", 0, ())


def test_candles_of_mumbai_begin_at_a_quarter_past() -> None:
    now = at("2026-11-25 08:01")
    candles = traded(MUMBAI, "1h", now - timedelta(days=5), now)
    assert datetime.fromtimestamp(candles.time[0] / 1000, UTC).minute == 45  # 09:15 there
    assert look_at(candles, MUMBAI, now, may_be_sparse=False).fault == ""
    due = next_close(candles, MUMBAI)
    assert due == at("2026-11-25 08:45")


def test_a_gap_within_a_session_leaves_what_is_before_it_out() -> None:
    now = at("2026-11-25 19:00")
    candles = traded(NEW_YORK, "5m", now - timedelta(days=2), now)
    holed = without(candles, at("2026-11-25 16:00"), at("2026-11-25 16:45"))
    look = look_at(holed, NEW_YORK, now, may_be_sparse=True)
    assert look.fault == ""
    usable = holed[slice(look.usable_from, None)]
    assert int(usable.time[0]) == to_epoch_ms(at("2026-11-25 16:45"))
    assert look.notes == ("Candles before 2026-11-25 16:45 UTC are left out: 45 minutes of a"
                          " session are missing there.",)  # fmt: skip
    assert look_at(holed, NEW_YORK, now, may_be_sparse=False).fault == (
        "The market's candles have a gap."
    )


def test_a_quiet_quarter_of_an_hour_is_told_and_tolerated() -> None:
    now = at("2026-11-25 19:00")
    candles = traded(NEW_YORK, "1m", at("2026-11-25 14:30"), now)
    quiet = without(candles, at("2026-11-25 16:00"), at("2026-11-25 16:15"))
    look = look_at(quiet, NEW_YORK, now, may_be_sparse=True)
    assert (look.fault, look.usable_from) == ("", 0)
    assert look.notes == ("15 candles in which nothing traded are not there.",)
    silent = without(candles, at("2026-11-25 18:50"), now)
    assert look_at(silent, NEW_YORK, now, may_be_sparse=True).fault == ""
    dead = without(candles, at("2026-11-25 18:40"), now)
    assert look_at(dead, NEW_YORK, now, may_be_sparse=True).fault == (
        "The newest 1m candle is 1200 s old."
    )


def test_an_hour_without_a_candle_is_a_gap_but_not_at_the_edge_of_a_session() -> None:
    now = at("2026-11-25 20:31")
    hours = traded(NEW_YORK, "1h", at("2026-11-23 14:30"), now)
    for missing, usable_from in (("2026-11-24 17:30", 10), ("2026-11-24 14:30", 0),
                                 ("2026-11-24 20:30", 0)):  # fmt: skip
        moment = at(missing)
        holed = without(hours, moment, moment + timedelta(minutes=1))
        look = look_at(holed, NEW_YORK, now, may_be_sparse=True)
        assert (look.fault, look.usable_from, len(look.notes)) == ("", usable_from, 1), missing


@pytest.mark.parametrize(("timeframe", "pause_min"), [("1h", 60), ("15m", 60), ("5m", 70)])
def test_the_hour_for_which_metals_pause_every_day_is_no_gap(
    timeframe: str, pause_min: int
) -> None:
    """Gold at most brokers of currencies: not from 17:00 to 18:00 in New York."""
    now = at("2026-11-25 17:00")
    candles = traded(FOREX, timeframe, at("2026-11-16 00:00"), now, by_session=False)
    pause = timedelta(minutes=pause_min)
    for turn in FOREX.turns:
        candles = without(candles, turn, turn + pause)
    look = look_at(candles, FOREX, now, may_be_sparse=True)
    assert (look.fault, look.usable_from) == ("", 0)
    assert look_at(candles, FOREX, now, may_be_sparse=False).fault.endswith("have a gap.")
    later = pause + timedelta(hours=2)
    turn = at("2026-11-24 22:00")
    longer = without(candles, turn, turn + later)
    assert look_at(longer, FOREX, now, may_be_sparse=True).usable_from > 0, "too long for a pause"
    noon = at("2026-11-24 12:00")
    other = without(candles, noon, noon + pause)
    assert look_at(other, FOREX, now, may_be_sparse=True).usable_from > 0, "no turn of a day"


def test_while_metals_pause_their_newest_candle_is_not_stale() -> None:
    turn = at("2026-11-24 22:00")
    candles = traded(FOREX, "1m", at("2026-11-24 12:00"), turn, by_session=False)
    for late_min, is_stale in ((50, False), (120, True)):
        now = turn + timedelta(minutes=late_min)
        look = look_at(candles, FOREX, now, may_be_sparse=True)
        assert bool(look.fault) is is_stale


def test_a_broker_that_opens_an_hour_late_on_sunday_keeps_its_history() -> None:
    now = at("2026-12-01 09:00")
    candles = traded(FOREX, "5m", at("2026-11-25 09:00"), now, by_session=False)
    late = without(candles, at("2026-11-29 22:00"), at("2026-11-29 23:00"))
    assert look_at(late, FOREX, now, may_be_sparse=True).usable_from == 0
    later = without(candles, at("2026-11-29 22:00"), at("2026-11-29 23:05"))
    assert look_at(later, FOREX, now, may_be_sparse=True).usable_from > 0


def test_without_its_hours_the_same_candles_would_be_a_fault() -> None:
    """What a stock's candles looked like before anybody knew of sessions."""
    now = at("2026-11-25 17:00")
    candles = traded(NEW_YORK, "1h", now - timedelta(days=3), now, by_session=False)
    assert "gap" in look_at(candles, ALWAYS_OPEN, now, may_be_sparse=False).fault
    assert look_at(candles, NEW_YORK, now, may_be_sparse=False).fault == ""


def test_candles_before_the_opening_are_taken_where_a_vendor_gives_them() -> None:
    now = at("2026-11-25 17:00")
    hours = [at("2026-11-25 09:00") + timedelta(hours=hour) for hour in range(8)]
    assert look_at(candles_at(hours, "1h"), NEW_YORK, now, may_be_sparse=True).fault == ""


@pytest.mark.parametrize(
    ("opens", "words"),
    [
        ([], "gave no candles"),
        (["2026-11-25 15:30", "2026-11-25 15:30"], "not in order"),
        (["2026-11-25 16:00", "2026-11-25 15:00"], "not in order"),
        (["2026-11-25 16:30"], "not finished yet"),
        (["2026-11-25 14:37", "2026-11-25 15:37"], "do not begin on whole 1h"),
        (["2026-11-24 18:30"], "s old"),
    ],
)
def test_what_no_decision_is_taken_on(opens: list[str], words: str) -> None:
    candles = candles_at([at(one) for one in opens], "1h")
    assert words in look_at(candles, NEW_YORK, at("2026-11-25 17:00"), may_be_sparse=True).fault


MIDNIGHTS = {"UTC": timedelta(0), "New York": timedelta(hours=5)}


@pytest.mark.parametrize("midnight", MIDNIGHTS)
def test_days_are_the_sessions_they_hold(midnight: str) -> None:
    days = [at(f"2026-11-{day} 00:00") + MIDNIGHTS[midnight] for day in (20, 23, 24, 25, 27, 30)]
    candles, now = candles_at(days, "1d"), at("2026-12-01 16:00")
    assert look_at(candles, NEW_YORK, now, may_be_sparse=False).fault == ""
    assert next_close(candles, NEW_YORK) == at("2026-12-02 00:00") + MIDNIGHTS[midnight]
    holed = look_at(candles_at([*days[:2], *days[3:]], "1d"), NEW_YORK, now, may_be_sparse=False)
    assert (holed.usable_from, len(holed.notes)) == (2, 1)
    stale = look_at(candles_at(days[:-2], "1d"), NEW_YORK, now, may_be_sparse=False)
    assert "s old" in stale.fault


def test_a_week_of_currencies_has_no_gap_at_its_end() -> None:
    now = at("2026-11-30 09:00")
    for timeframe in ("15m", "1h", "4h"):
        candles = traded(FOREX, timeframe, now - timedelta(days=9), now, by_session=False)
        assert look_at(candles, FOREX, now, may_be_sparse=False).fault == "", timeframe
    days = candles_at([at(f"2026-11-{day} 00:00") for day in (23, 24, 25, 26)], "1d")
    for weekend in ("2026-11-28 12:00", "2026-11-29 12:00"):
        assert look_at(days, FOREX, at(weekend), may_be_sparse=False).fault == ""
    assert "s old" in look_at(days, FOREX, at("2026-12-03 12:00"), may_be_sparse=False).fault


@pytest.mark.parametrize(
    ("newest", "due"),
    [
        ("2026-11-25 15:30", "2026-11-25 17:30"),  # the next hour of the session
        ("2026-11-25 20:30", "2026-11-27 15:30"),  # the last one; Thanksgiving is next
        ("2026-11-27 17:30", "2026-11-30 15:30"),  # cut by the half-day; then the weekend
    ],
)
def test_nothing_is_asked_for_before_there_can_be_a_candle(newest: str, due: str) -> None:
    assert next_close(candles_at([at(newest)], "1h"), NEW_YORK) == at(due)


def test_how_far_back_to_ask_for_so_many_candles() -> None:
    now = at("2026-11-30 15:00")
    since = start_for(NEW_YORK, 3_600_000, 10, now)
    assert len(traded(NEW_YORK, "1h", since, now)) >= 10
    assert since > now - timedelta(days=8)
    assert start_for(ALWAYS_OPEN, 60_000, 10, now) == now - timedelta(minutes=11)
