"""Candles as Kite gives them, and as Quarterdeck counts them.

Kite's candles begin when the market does, at 9:15 in India: those of 15 minutes and less begin on
whole multiples in UTC too. Its longer ones do not, so half hours and hours are joined from 15
minutes; the first of a day is shorter. A day's candle is that of the date, in UTC: the market's
hours lie within it, and it counts as closed at its end.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np

from engine.adapters.brokers.zerodha import reading as read
from engine.domain.candles import Candles, empty_candles, resample
from engine.domain.money import ensure_utc, from_epoch_ms, to_epoch_ms
from engine.domain.timeframes import timeframe_s

DAY_MS = 86_400_000
IST_MS = 19_800_000
MOST_PAGES = 40
MOST_EMPTY = 2
"""Pages without a candle, one after another, until a share's history is taken to be over."""
DAYS_OPEN, HOURS_OPEN = 5 / 7, 6.25 / 24
"""How much of all time the market is open."""
LONGEST_BREAK_DAYS = 6


class Interval(NamedTuple):
    """One of Kite's intervals: its name, Quarterdeck's, and the days that one request may span."""

    kite: str
    timeframe: str
    most_days: int


QUARTER = Interval("15minute", "15m", 200)
INTERVALS = {
    "1m": Interval("minute", "1m", 60),
    "3m": Interval("3minute", "3m", 100),
    "5m": Interval("5minute", "5m", 100),
    "15m": QUARTER,
    "30m": QUARTER,
    "1h": QUARTER,
    "1d": Interval("day", "1d", 2000),
}
Ask = Callable[[Interval, datetime, datetime], Any]


def newest(ask: Ask, timeframe: str, limit: int, end: datetime) -> Candles:
    """The newest ``limit`` candles closed by ``end``, however many requests that takes. Raises
    whatever ``ask`` raises, and Unreadable."""
    length_ms = timeframe_s(timeframe) * 1000
    end_ms = to_epoch_ms(end) // length_ms * length_ms
    open_share = DAYS_OPEN if timeframe == "1d" else DAYS_OPEN * HOURS_OPEN
    return _joined(ask, timeframe, end_ms, int(limit * length_ms / open_share), limit)


def since(ask: Ask, timeframe: str, start: datetime, end: datetime) -> Candles:
    """The candles that opened at or after ``start`` and closed by ``end``."""
    length_ms = timeframe_s(timeframe) * 1000
    start_ms = -(-to_epoch_ms(start) // length_ms) * length_ms
    end_ms = to_epoch_ms(end) // length_ms * length_ms
    if start_ms >= end_ms:
        return empty_candles(timeframe)
    found = _joined(ask, timeframe, end_ms, end_ms - start_ms, 0)
    return found[int(np.searchsorted(found.time, start_ms)) :]


def _joined(ask: Ask, timeframe: str, end_ms: int, span_ms: int, limit: int) -> Candles:
    """Pages from ``end_ms`` back, until ``span_ms`` are read and ``limit`` candles found."""
    interval = INTERVALS[timeframe]
    pieces: list[Candles] = []
    count = empty = 0
    for start_ms, until_ms in _pages(interval, end_ms, span_ms):
        if until_ms <= end_ms - span_ms and (count >= limit or empty >= MOST_EMPTY):
            break
        page = _page(ask, interval, start_ms, until_ms)
        # Pages begin at whole days, so no longer candle is cut in two.
        piece = resample(page, timeframe, has_ended=True) if len(page) else page
        pieces.insert(0, piece)
        count, empty = count + len(piece), 0 if len(piece) else empty + 1
    pieces = [piece for piece in pieces if len(piece)]
    if not pieces:
        return empty_candles(timeframe)
    columns = (
        np.concatenate([getattr(piece, name) for piece in pieces])
        for name in ("time", "open", "high", "low", "close", "volume")
    )
    found = Candles(timeframe, *columns)
    return found[-limit:] if limit else found


def _pages(interval: Interval, end_ms: int, span_ms: int) -> Iterator[tuple[int, int]]:
    """Spans of time, newest first; all but the newest are whole days, and longer than the market
    is ever closed."""
    days = (end_ms - 1) // DAY_MS - (end_ms - span_ms) // DAY_MS + 1
    for _ in range(MOST_PAGES):
        days = min(days, interval.most_days - 1)
        start_ms = ((end_ms - 1) // DAY_MS - (days - 1)) * DAY_MS
        yield start_ms, end_ms
        end_ms, days = start_ms, max(days, LONGEST_BREAK_DAYS)


def _page(ask: Ask, interval: Interval, start_ms: int, end_ms: int) -> Candles:
    """The candles of one request that open and close within a span. Raises Unreadable."""
    length_ms = timeframe_s(interval.timeframe) * 1000
    ahead_ms = IST_MS if interval.timeframe == "1d" else 0  # India's midnight is ahead of UTC's
    first, last = from_epoch_ms(start_ms - ahead_ms), from_epoch_ms(end_ms - ahead_ms - 1000)
    answer = ask(interval, first, last)
    lines = read.row(answer).get("candles")
    if not isinstance(lines, list):
        raise read.Unreadable("no list of candles")
    table = np.array([_numbers(line) for line in lines], dtype=np.float64).reshape(-1, 6)
    time = table[:, 0].astype(np.int64) + ahead_ms
    is_sound = np.isfinite(table).all() and (table[:, 1:5] > 0).all() and (np.diff(time) > 0).all()
    if not is_sound or (time % length_ms).any() or (table[:, 5] < 0).any():
        raise read.Unreadable("candles without prices, or out of order")
    is_in = (time >= start_ms) & (time + length_ms <= end_ms)
    return Candles(interval.timeframe, time[is_in], *np.ascontiguousarray(table[is_in, 1:].T))


def _numbers(line: Any) -> list[float]:
    """Time, open, high, low, close and volume of a line: ``["2015-12-28T09:15:00+0530", ...]``."""
    if not isinstance(line, list) or len(line) < 6:
        raise read.Unreadable("a candle that is no list of six")
    try:
        opened = ensure_utc(datetime.fromisoformat(line[0]))
        return [float(to_epoch_ms(opened)), *(float(number) for number in line[1:6])]
    except (TypeError, ValueError, OverflowError) as error:
        raise read.Unreadable("a candle that cannot be read") from error


def in_india(moment: datetime) -> str:
    """A moment as Kite wants it."""
    return moment.astimezone(read.IST).strftime("%Y-%m-%d %H:%M:%S")


def finest(after: datetime, now: datetime) -> str:
    """The finest timeframe of which one request reaches back to ``after``."""
    for timeframe, interval in INTERVALS.items():
        if now - after <= timedelta(days=interval.most_days - 2):
            return timeframe
    return "1d"
