"""The platform's time, and how it and we write moments."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from engine.adapters.brokers.rest.signatures import TimeFormat
from engine.domain.money import from_epoch_ms, to_epoch_ms, utc_text
from engine.ports import Clock

LAST_MS = 4_102_444_800_000  # the end of the year 2099
JUMP_S = 1.0  # more than a clock is slowed or hurried within an hour


def written(moment: datetime, form: TimeFormat) -> str:
    """A moment as the platform wants it; seconds are rounded down."""
    epoch_ms = to_epoch_ms(moment)
    if form is TimeFormat.MS:
        return str(epoch_ms)
    if form is TimeFormat.S:
        return str(epoch_ms // 1000)
    return utc_text(from_epoch_ms(epoch_ms))


def read_time(told: Any, form: TimeFormat) -> datetime:
    """The moment that was written. Raises ValueError for anything else."""
    if form is TimeFormat.ISO:
        moment = datetime.fromisoformat(str(told))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    if isinstance(told, bool) or not isinstance(told, str | int | Decimal):
        raise ValueError("no number")
    try:
        number = Decimal(told) * (1000 if form is TimeFormat.S else 1)
    except InvalidOperation as error:
        raise ValueError("no number") from error
    if not number.is_finite() or not 0 <= number <= LAST_MS:
        raise ValueError("no time between 1970 and 2100: is it in seconds, milliseconds or ISO?")
    return from_epoch_ms(int(number))


class VenueTime:
    """The platform's time as it was last told, carried on by a clock that nobody can set."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told: datetime | None = None
        self._is_doubted = False
        self._heard_at = clock.now()
        self._heard_at_s = clock.monotonic()

    @property
    def is_known(self) -> bool:
        """Whether it was told, and our own time was not set since (or the machine asleep)."""
        if self._told is None or self._is_doubted:
            return False
        passed = (self._clock.now() - self._heard_at).total_seconds()
        return abs(passed - (self._clock.monotonic() - self._heard_at_s)) <= JUMP_S

    def hear(self, told: datetime, *, age_s: float = 0.0) -> None:
        """It was this ``age_s`` ago."""
        self._told, self._heard_at = told + timedelta(seconds=age_s), self._clock.now()
        self._heard_at_s = self._clock.monotonic()
        self._is_doubted = False

    def doubt(self) -> None:
        """Ask again before the next request; until then what was told is still the best guess."""
        self._is_doubted = True

    def now(self) -> datetime:
        """The platform's time as far as it is known, or else ours."""
        if self._told is None:
            return self._clock.now()
        return self._told + timedelta(seconds=self._clock.monotonic() - self._heard_at_s)
