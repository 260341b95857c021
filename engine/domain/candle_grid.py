"""Which candles there must be by now, given a market's hours, and what is wrong with those given.

Candles of a market that never closes begin on multiples of their length since the epoch. Those of
a market with hours do so too, or begin with the session: 09:30, 10:30 and so on; both are known by
their looks. Days are told apart by the session they hold, for every vendor has its own midnight.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from engine.domain.candles import Candles, IntArray
from engine.domain.money import from_epoch_ms, to_epoch_ms
from engine.domain.sessions import Session, Timetable
from engine.domain.timeframes import timeframe_s

DAY_MS = 86_400_000
QUIET_MS = 15 * 60_000
"""For so long nothing may have traded within a session; more is a gap."""

EDGE_MS = 60 * 60_000
"""And for so long after its opening or before its end: not every vendor keeps the exact hours."""

BREAK_MS = 90 * 60_000
"""And for so long about the turn of a day, when metals and indices pause for an hour."""

NONE: IntArray = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Look:
    """What was found: a ``fault`` forbids every decision; only the candles from ``usable_from``
    on are without a gap; ``notes`` say what a person should know of the others."""

    fault: str = ""
    usable_from: int = 0
    notes: tuple[str, ...] = ()


def look_at(candles: Candles, timetable: Timetable, now: datetime, *, may_be_sparse: bool) -> Look:
    """Whether these candles, as of ``now``, are in order, finished, on their grid, fresh and whole.

    ``may_be_sparse``: a candle in which nothing traded may be missing.
    """
    if not len(candles):
        return Look("The market gave no candles.")
    now_ms, length_ms = to_epoch_ms(now), timeframe_s(candles.timeframe) * 1000
    if (np.diff(candles.time) <= 0).any():
        return Look("The market's candles are not in order.")
    if int(candles.time[-1]) + length_ms > now_ms:
        return Look(f"The newest {candles.timeframe} candle is not finished yet.")
    is_by_session = begins_with_session(candles, timetable)
    if is_by_session is None:
        return Look(f"The market's candles do not begin on whole {candles.timeframe}.")
    if _holds_sessions(timetable, length_ms):
        return _look_at_days(candles, timetable, now)
    expected = expected_opens(timetable, length_ms, int(candles.time[0]), now_ms - length_ms,
                              is_by_session=is_by_session)  # fmt: skip
    missing = np.setdiff1d(expected, candles.time, assume_unique=True)
    newest = int(candles.time[-1])
    patience = max(QUIET_MS // length_ms, 1) if may_be_sparse else 1
    late = missing[missing > newest]
    if len(late) > patience and not (may_be_sparse and _is_break(late, timetable, length_ms)):
        return _stale(candles, now)
    if not may_be_sparse:
        return Look("The market's candles have a gap.") if (missing < newest).any() else Look()
    return _look_at_gaps(candles, timetable, expected, missing[missing < newest])


def _stale(candles: Candles, now: datetime) -> Look:
    age_s = (now - candles.last_close_time).total_seconds()
    return Look(f"The newest {candles.timeframe} candle is {age_s:.0f} s old.")


def _look_at_gaps(
    candles: Candles, timetable: Timetable, expected: IntArray, missing: IntArray
) -> Look:
    """Where nothing may have traded in a candle: how long that may last, and what is a gap."""
    if not len(missing):
        return Look()
    length_ms = timeframe_s(candles.timeframe) * 1000
    # Runs of candles that follow one another; a night parts them.
    runs = np.split(missing, np.flatnonzero(np.diff(missing) > length_ms) + 1)
    gaps = [
        run for run in runs
        if not (_is_quiet(run, expected, length_ms) or _is_break(run, timetable, length_ms))
    ]  # fmt: skip
    quiet = len(missing) - sum(map(len, gaps))
    notes = []
    usable_from = 0
    if gaps:
        gap = gaps[-1]
        usable_from = int(np.searchsorted(candles.time, gap[-1]))
        minutes = len(gap) * length_ms // 60_000
        notes.append(
            f"Candles before {from_epoch_ms(int(gap[-1]) + length_ms):%Y-%m-%d %H:%M} UTC are left"
            f" out: {minutes} minutes of a session are missing there."
        )
    if quiet:
        notes.append(f"{quiet} candles in which nothing traded are not there.")
    return Look(usable_from=usable_from, notes=tuple(notes))


def _is_quiet(run: IntArray, expected: IntArray, length_ms: int) -> bool:
    """Whether so few candles may be missing there."""
    lasted_ms = len(run) * length_ms
    first, last = np.searchsorted(expected, run[[0, -1]])
    begins = first == 0 or expected[first - 1] + length_ms < run[0]
    ends = last + 1 == len(expected) or run[-1] + length_ms < expected[last + 1]
    return lasted_ms <= QUIET_MS or (lasted_ms <= EDGE_MS and bool(begins or ends))


def _is_break(run: IntArray, timetable: Timetable, length_ms: int) -> bool:
    """Whether candles that follow one another are missing for a pause at the turn of a day."""
    start_ms, end_ms = int(run[0]), int(run[-1]) + length_ms
    is_short = end_ms - start_ms <= BREAK_MS
    begin = from_epoch_ms(start_ms - QUIET_MS)  # the last prices may come a moment after it
    return is_short and timetable.has_turn(begin, from_epoch_ms(end_ms))


def _look_at_days(candles: Candles, timetable: Timetable, now: datetime) -> Look:
    """A candle a session; the newest is expected a day after its session has ended."""
    first, newest = from_epoch_ms(int(candles.time[0])), candles.last_close_time
    over = [one for one in timetable.between(first, now)
            if one.closes + timedelta(milliseconds=DAY_MS) <= now]  # fmt: skip
    missing = _not_held(over, candles)
    if any(one.opens >= newest for one in missing):
        return _stale(candles, now)
    if not missing:
        return Look()
    gap = missing[-1]
    return Look(
        usable_from=int(np.searchsorted(candles.time, to_epoch_ms(gap.opens))),
        notes=(f"Days before {gap.opens:%Y-%m-%d} are left out: that day is missing.",),
    )


def _not_held(sessions: Sequence[Session], candles: Candles) -> list[Session]:
    """Sessions that lie in no candle."""
    length_ms = timeframe_s(candles.timeframe) * 1000
    opens = np.array([to_epoch_ms(one.opens) for one in sessions], dtype=np.int64)
    places = np.searchsorted(candles.time, opens, side="right") - 1
    held = (places >= 0) & (candles.time[places] + length_ms > opens)
    return [one for one, is_held in zip(sessions, held.tolist(), strict=True) if not is_held]


def begins_with_session(candles: Candles, timetable: Timetable) -> bool | None:
    """Whether candles are counted from each session's opening; None for those on no grid."""
    length_ms = timeframe_s(candles.timeframe) * 1000
    if not (candles.time % length_ms).any():
        return False
    if timetable.is_always_open:
        return None
    if _holds_sessions(timetable, length_ms):
        return True
    opens = np.array([to_epoch_ms(one.opens) for one in timetable.sessions], dtype=np.int64)
    places = np.searchsorted(opens, candles.time, side="right") - 1
    if (places < 0).any() or ((candles.time - opens[places]) % length_ms).any():
        return None
    return True


def expected_opens(
    timetable: Timetable, length_ms: int, start_ms: int, end_ms: int, *, is_by_session: bool
) -> IntArray:
    """When the candles that open in [start, end] open (epoch ms), if something trades in each."""
    if timetable.is_always_open:
        first = -(-start_ms // length_ms) * length_ms
        return np.arange(first, end_ms + 1, length_ms, dtype=np.int64)
    sessions = timetable.between(from_epoch_ms(start_ms), from_epoch_ms(end_ms + length_ms))
    slots = [_slots_of(one, length_ms, is_by_session=is_by_session) for one in sessions]
    opens = np.unique(np.concatenate(slots)) if slots else NONE
    return opens[(opens >= start_ms) & (opens <= end_ms)]


def _slots_of(session: Session, length_ms: int, *, is_by_session: bool) -> IntArray:
    """Days only where the session holds all of them; shorter candles where any of it is traded."""
    opens, closes = to_epoch_ms(session.opens), to_epoch_ms(session.closes)
    if is_by_session:
        return np.arange(opens, closes, length_ms, dtype=np.int64)
    if length_ms >= DAY_MS:
        first = -(-opens // length_ms) * length_ms
        return np.arange(first, closes - length_ms + 1, length_ms, dtype=np.int64)
    return np.arange(opens // length_ms * length_ms, closes, length_ms, dtype=np.int64)


def next_close(candles: Candles, timetable: Timetable) -> datetime | None:
    """When the candle after the newest one closes; None when its session is not known."""
    length_ms, newest = timeframe_s(candles.timeframe) * 1000, int(candles.time[-1])
    if timetable.is_always_open:
        return from_epoch_ms(newest + 2 * length_ms)
    after = from_epoch_ms(newest + length_ms)
    if _holds_sessions(timetable, length_ms):
        opens = after if timetable.session_at(after) else timetable.next_open(after)
        if opens is None:
            return None
        days = (to_epoch_ms(opens) - newest) // length_ms
        return from_epoch_ms(newest + (days + 1) * length_ms)
    is_by_session = bool(begins_with_session(candles, timetable))
    last = timetable.next_open(after) or after
    end_ms = to_epoch_ms(last) + length_ms
    following = expected_opens(timetable, length_ms, newest + 1, end_ms,
                               is_by_session=is_by_session)  # fmt: skip
    return from_epoch_ms(int(following[0]) + length_ms) if len(following) else None


def start_for(timetable: Timetable, length_ms: int, count: int, now: datetime) -> datetime:
    """Since when candles must be asked for to get ``count`` closed ones by ``now``."""
    if timetable.is_always_open:
        return now - timedelta(milliseconds=(count + 1) * length_ms)
    left, start = count + 1, now
    for session in reversed(timetable.between(now - timedelta(days=3650), now)):
        span_ms = to_epoch_ms(min(session.closes, now)) - to_epoch_ms(session.opens)
        left -= -(-span_ms // length_ms)
        start = session.opens
        if left <= 0:
            break
    return start - timedelta(milliseconds=length_ms)


def _holds_sessions(timetable: Timetable, length_ms: int) -> bool:
    """Whether a candle holds whole sessions: days of a market that closes every day."""
    if timetable.is_always_open or length_ms < DAY_MS or not timetable.sessions:
        return False
    newest = timetable.sessions[-1]
    return newest.closes - newest.opens < timedelta(milliseconds=DAY_MS)
