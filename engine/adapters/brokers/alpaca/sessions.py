"""The days that stocks trade on, from Alpaca's calendar: its bars hold what trades before and after
hours too, which is in no session."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from threading import Lock
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from engine.adapters.brokers.alpaca import reading as read
from engine.adapters.brokers.alpaca.reading import priced
from engine.domain.candles import BoolArray, IntArray
from engine.domain.money import from_epoch_ms, to_epoch_ms

NEW_YORK = ZoneInfo("America/New_York")
AHEAD = timedelta(days=14)
"""So far ahead days are asked for, so that one question lasts a while."""

Span = tuple[int, int]
"""When a session opens and closes, epoch ms."""


class SessionDays:
    """Asks for days that are not known yet, and keeps them."""

    def __init__(self, ask: Callable[..., Any]) -> None:
        self._ask = ask
        self._spans: list[Span] = []
        self._known: tuple[date, date] | None = None
        self._lock = Lock()

    def trades_in(self, opens: IntArray, length_ms: int) -> BoolArray:
        """For candles that open at these times (epoch ms, rising): whether some of each lies in a
        session. Raises DataError."""
        if not len(opens):
            return np.zeros(0, dtype=np.bool_)
        spans = np.array(self._between(int(opens[0]), int(opens[-1])), dtype=np.int64)
        starts, ends = spans.reshape(-1, 2).T
        places = np.searchsorted(starts, opens + length_ms, side="left") - 1
        return np.asarray((places >= 0) & (ends[places] > opens) if len(starts) else places >= 0)

    def _between(self, first_ms: int, last_ms: int) -> list[Span]:
        """The known spans, which are all of those in that time. Raises DataError."""
        first, last = (from_epoch_ms(ms).astimezone(NEW_YORK).date() for ms in (first_ms, last_ms))
        with self._lock:
            known = self._known
            if known is None or first < known[0] or last > known[1]:
                since = first if known is None else min(first, known[0])
                until = (last if known is None else max(last, known[1])) + AHEAD
                answer = self._ask("/calendar", start=f"{since}", end=f"{until}")
                self._spans = priced(_spans, answer)
                self._known = (since, until)
            return self._spans


def _spans(answer: Any) -> list[Span]:
    """Dates with hours of New York's as times. Raises Unreadable."""
    found = [
        tuple(_moment_ms(read.words(day, "date"), read.words(day, name)) for name in
              ("open", "close"))
        for day in read.rows(answer)
    ]  # fmt: skip
    spans = [(opens, closes) for opens, closes in found if opens < closes]
    if len(spans) < len(found) or spans != sorted(spans):
        raise read.Unreadable("a calendar whose days contradict one another")
    return spans


def _moment_ms(day: str, clock: str) -> int:
    try:
        moment = datetime.strptime(f"{day} {clock}", "%Y-%m-%d %H:%M").replace(tzinfo=NEW_YORK)
    except ValueError as error:
        raise read.Unreadable(f"'{day} {clock}' is no time") from error
    return to_epoch_ms(moment)
