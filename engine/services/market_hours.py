"""The hours of each symbol that is traded, looked up once and kept in memory."""

import threading
from datetime import datetime, timedelta

from engine.domain.sessions import ALWAYS_OPEN, Timetable, calendar_of
from engine.ports import Calendars, MarketData

PAST = timedelta(days=1100)
AHEAD = timedelta(days=370)
REFRESH = timedelta(days=30)
"""A timetable is made anew this long after it was made: holidays are announced late."""


class MarketHours:
    """Thread-safe. ``learn`` may take a second and is for the lanes; ``find`` reads memory."""

    def __init__(self, calendars: Calendars) -> None:
        self._calendars = calendars
        self._codes: dict[tuple[str, str], str] = {}
        self._timetables: dict[str, tuple[datetime, Timetable]] = {}
        self._lock = threading.Lock()

    def learn(self, market: MarketData, symbol: str) -> Timetable:
        """The hours of a symbol. Raises NotFound for an unknown symbol or calendar, DataError
        when the market does not answer."""
        key = (market.market_id, symbol)
        code = self._codes.get(key)
        if code is None:
            code = calendar_of(market.instrument(symbol))
        timetable = self._timetable(code, market.now())
        self._codes[key] = code
        return timetable

    def find(self, market_id: str, symbol: str) -> Timetable:
        """What was learned of a symbol; before that it counts as always open."""
        code = self._codes.get((market_id, symbol))
        known = self._timetables.get(code) if code is not None else None
        return known[1] if known is not None else ALWAYS_OPEN

    def _timetable(self, code: str, now: datetime) -> Timetable:
        with self._lock:
            known = self._timetables.get(code)
            if known is None or abs(now - known[0]) >= REFRESH:
                known = (now, self._calendars.timetable(code, now - PAST, now + AHEAD))
                self._timetables[code] = known
            return known[1]
