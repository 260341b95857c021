"""Gaps in candles: which of the candles that should be there are not.

A market that never closes should have a candle in every period. One that closes is known by its own
habit: a period counts as missing when it was traded in more than half of the weeks around it (four
before, four after). That takes nights and weekends for what they are, whatever the time zone, and
follows the change of the clocks. No calendar of holidays is needed: a whole day without a candle in
such a market is told apart as a closed day and not counted as missing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from engine.domain.candles import BoolArray, IntArray
from engine.domain.money import UtcDatetime, from_epoch_ms

WEEKS_AROUND = 4
FEWEST_WEEKS = 3
FINEST_MS = 60_000
"""Habits are told by the minute; shorter candles of a market that closes are looked at so."""

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
MONDAY_MS = 4 * DAY_MS
"""1970-01-05, the first Monday: weeks are counted from it, so that weekends are not cut."""


class Gap(BaseModel):
    """Candles that are missing: those that would open in [since, until)."""

    model_config = ConfigDict(frozen=True)

    since: UtcDatetime
    until: UtcDatetime
    missing: int
    is_closed_day: bool = Field(
        default=False, description="a whole day of a market that closes: a holiday, most likely"
    )


@dataclass(frozen=True, slots=True)
class Gaps:
    """Gaps as columns of one length, oldest first. Times in epoch milliseconds, UTC."""

    since: IntArray
    until: IntArray
    missing: IntArray
    is_closed_day: BoolArray

    def __len__(self) -> int:
        return len(self.since)

    def rows(self, most: int, *, closed_days: bool = True) -> Iterator[Gap]:
        """The longest ``most`` of them, oldest first; gaps before closed days."""
        order = np.lexsort((-self.missing, self.is_closed_day))
        if not closed_days:
            order = order[~self.is_closed_day[order]]
        for row in np.sort(order[:most]):
            yield Gap(
                since=from_epoch_ms(int(self.since[row])),
                until=from_epoch_ms(int(self.until[row])),
                missing=int(self.missing[row]),
                is_closed_day=bool(self.is_closed_day[row]),
            )


def find_gaps(time: IntArray, length_ms: int, *, closes: bool) -> Gaps:
    """The gaps between candles that open at ``time`` (epoch ms, increasing) and last ``length_ms``.

    ``closes`` is whether the market has nights or weekends.
    """
    if len(time) < 2:
        return _gaps([], [], [], [])
    if not closes:
        return _between(time, length_ms)
    return _by_habit(time, max(length_ms, FINEST_MS), length_ms)


def _between(time: IntArray, length_ms: int) -> Gaps:
    missing = np.diff(time) // length_ms - 1
    at = np.flatnonzero(missing > 0)
    since = time[at] + length_ms
    return Gaps(since, time[at + 1], missing[at], np.zeros(len(at), dtype=np.bool_))


def _by_habit(time: IntArray, slot_ms: int, length_ms: int) -> Gaps:
    """Of a market that closes, by what is usual at that time of the week, or of the day while there
    are too few weeks to tell."""
    first_week = (int(time[0]) - MONDAY_MS) // WEEK_MS
    weeks = (int(time[-1]) - MONDAY_MS) // WEEK_MS - first_week + 1
    start_ms = MONDAY_MS + first_week * WEEK_MS
    period_ms = WEEK_MS if weeks >= FEWEST_WEEKS else DAY_MS
    slots, periods = period_ms // slot_ms, weeks * (WEEK_MS // period_ms)
    places = (time - start_ms) // slot_ms
    seen = np.zeros(periods * slots, dtype=np.bool_)
    seen[places] = True
    expected = _is_usual(seen.reshape(periods, slots), is_by_day=period_ms == DAY_MS).ravel()
    absent = expected & ~seen
    absent[: places[0]] = absent[places[-1] :] = False
    if slot_ms == DAY_MS:
        closed = _single_days(absent, expected)
        since, until, missing = _runs(absent, expected)
    else:
        is_day_off = _days_off(absent, expected, DAY_MS // slot_ms)
        since, until, missing = _runs(absent, expected, is_day_off)
        closed = is_day_off
    at = np.asarray(since, dtype=np.int64)
    marks = closed[at] if len(at) else np.zeros(0, dtype=np.bool_)
    return _gaps(
        start_ms + at * slot_ms,
        start_ms + np.asarray(until, dtype=np.int64) * slot_ms,
        np.asarray(missing, dtype=np.int64) * (slot_ms // length_ms),
        marks,
    )


def _is_usual(grid: BoolArray, *, is_by_day: bool) -> BoolArray:
    """Whether each slot (column) was traded in more than half of the periods (rows) around its own.

    By the day, days without a candle do not speak: they are closed.
    """
    speaks = grid.any(axis=1) if is_by_day else np.ones(len(grid), dtype=np.bool_)
    around = len(grid) if is_by_day else WEEKS_AROUND
    seen = np.vstack([np.zeros((1, grid.shape[1]), np.int32), np.cumsum(grid, 0, dtype=np.int32)])
    count = np.concatenate([[0], np.cumsum(speaks)])
    rows = np.arange(len(grid))
    low, high = np.maximum(rows - around, 0), np.minimum(rows + around + 1, len(grid))
    others = seen[high] - seen[low] - grid
    voices = (count[high] - count[low] - speaks)[:, None]
    usual = 2 * others > voices
    usual[~speaks] = False
    return np.asarray(usual, dtype=np.bool_)


def _days_off(absent: BoolArray, expected: BoolArray, slots_a_day: int) -> BoolArray:
    """The slots of days of which no expected candle is there."""
    days_absent = absent.reshape(-1, slots_a_day)
    days_expected = expected.reshape(-1, slots_a_day)
    off = days_expected.any(axis=1) & (days_absent.sum(axis=1) == days_expected.sum(axis=1))
    return np.repeat(off, slots_a_day)


def _single_days(absent: BoolArray, expected: BoolArray) -> BoolArray:
    """Of daily candles: missing days that stand alone, or two in a row, as holidays do."""
    since, until, _ = _runs(absent, expected)
    marks = np.zeros(len(absent), dtype=np.bool_)
    for start, end in zip(since, until, strict=True):
        if int(absent[start:end].sum()) <= 2:
            marks[start:end] = True
    return marks


def _runs(
    absent: BoolArray, expected: BoolArray, group: BoolArray | None = None
) -> tuple[list[int], list[int], list[int]]:
    """Runs of absent slots; what nobody expects between two of them (a night) does not part them,
    another value of ``group`` does. Starts, ends (one past the last) and counts."""
    at = np.flatnonzero(expected)  # only these count
    gone = absent[at]
    if not gone.any():
        return [], [], []
    kind = np.where(gone, 1 if group is None else 1 + group[at], 0)
    edges = np.flatnonzero(np.diff(kind)) + 1
    starts = np.concatenate([[0], edges])
    ends = np.concatenate([edges, [len(at)]])
    chosen = kind[starts] > 0
    starts, ends = starts[chosen], ends[chosen]
    return list(at[starts]), list(at[ends - 1] + 1), list(ends - starts)


def _gaps(since: object, until: object, missing: object, closed: object) -> Gaps:
    return Gaps(
        np.asarray(since, dtype=np.int64),
        np.asarray(until, dtype=np.int64),
        np.asarray(missing, dtype=np.int64),
        np.asarray(closed, dtype=np.bool_),
    )
