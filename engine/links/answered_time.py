"""A venue's time, by the dates of its answers."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from engine.domain.money import ensure_utc

SECOND = timedelta(seconds=1)


class AnsweredTime:
    """What the ``Date`` of answers told, carried on by a clock that nobody can set; ``now`` is our
    time, which counts before the first. A date is cut to whole seconds: what is not within its
    second is wrong, and begins it from then on. So it is never ahead for long, for by a time that
    is ahead candles would be over before their end."""

    def __init__(self, now: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._told, self._heard_s = now(), monotonic()
        self.is_told = False
        """Whether any answer had a date."""

    def hear(self, headers: Mapping[str, str]) -> None:
        """Take up an answer's headers, by their names in small letters."""
        try:
            told = ensure_utc(parsedate_to_datetime(headers.get("date", "")))
        except ValueError:
            return
        self.is_told = True
        if not told <= self.now() <= told + SECOND:
            self._told, self._heard_s = told, self._monotonic()

    def now(self) -> datetime:
        """The venue's time as far as it is known; a correction of ours does not move it."""
        return self._told + timedelta(seconds=self._monotonic() - self._heard_s)
