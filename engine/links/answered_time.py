"""A venue's time, by the dates of its answers."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from engine.domain.money import ensure_utc

HALF = timedelta(seconds=0.5)
JUMP = timedelta(seconds=1)


class AnsweredTime:
    """What the ``Date`` of answers told, carried on by a clock that nobody can set; ``now`` is our
    time, which counts before the first. A date is cut to whole seconds: half of one is added, and
    only what is off by more than ``jump`` is a correction."""

    def __init__(
        self,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        jump: timedelta = JUMP,
    ) -> None:
        self._monotonic = monotonic
        self._jump = jump
        self._told, self._heard_s = now(), monotonic()
        self.is_told = False
        """Whether any answer had a date."""

    def hear(self, headers: Mapping[str, str]) -> None:
        """Take up an answer's headers, by their names in small letters."""
        try:
            told = ensure_utc(parsedate_to_datetime(headers.get("date", ""))) + HALF
        except ValueError:
            return
        self.is_told = True
        if abs(told - self.now()) > self._jump:
            self._told, self._heard_s = told, self._monotonic()

    def now(self) -> datetime:
        """The venue's time as far as it is known; a correction of ours does not move it."""
        return self._told + timedelta(seconds=self._monotonic() - self._heard_s)
