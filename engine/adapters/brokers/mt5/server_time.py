"""The broker's time: MetaTrader tells every time as if its server's wall clock were UTC."""

import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Lock
from zoneinfo import ZoneInfo

from engine.errors import ConfigError
from engine.ports import Clock

log = logging.getLogger("quarterdeck.mt5")

AUTO = "auto"
NEW_YORK_CLOSE = "New York close"
GRID = timedelta(minutes=30)
MOST_OFF = timedelta(minutes=5)
"""A tick is seconds old when it is heard of, and our clock may be off by some more."""
EARLIEST, LATEST = timedelta(hours=-12), timedelta(hours=14)

_NEW_YORK = ZoneInfo("America/New_York")
_TO_MIDNIGHT = timedelta(hours=7)  # the day ends at 17:00 in New York
_FIXED = re.compile(r"UTC([+-])(\d{1,2})(?::([0-5]\d))?")

LocalToUtc = Callable[[datetime], datetime]


class ServerTime:
    """Turns the server's time into UTC and back; used from many threads.

    ``zone`` is how the server's clock goes: 'New York close' (midnight is 17:00 in New York, as at
    most forex brokers: UTC+2, in the American summer UTC+3), 'UTC+2', a name such as
    'Europe/Athens', or 'auto': New York close for as long as prices that move agree with it,
    otherwise the whole half hours that they are away from our clock.
    """

    def __init__(self, zone: str, clock: Clock) -> None:
        self._clock = clock
        self._is_auto = zone == AUTO
        self._to_utc = _zone(NEW_YORK_CLOSE if self._is_auto else zone)
        self._newest: dict[str, int] = {}
        self._lock = Lock()
        self.measured: timedelta | None = None
        """The offset that moving prices showed last; None before any moved."""
        self.lag: timedelta | None = None
        """How much later than the tick's own time it was heard of, by our clock; negative when our
        clock is behind."""

    def hear(self, symbol: str, tick_ms: int) -> None:
        """A tick's time. Only one that is newer than the one before it shows what time it is: the
        last price of a closed market is of no use."""
        with self._lock:
            before = self._newest.get(symbol)
            self._newest[symbol] = max(tick_ms, before or 0)
            if before is None or tick_ms <= before:
                return
        ahead = _moment(tick_ms) - self._clock.now()
        offset = round(ahead / GRID) * GRID
        if not EARLIEST <= offset <= LATEST or abs(ahead - offset) > MOST_OFF:
            return
        self.lag = offset - ahead
        if offset != self.measured:
            self.measured = offset
            log.info("the server's clock is %s ahead of UTC", offset)
            if self._is_auto:
                self._to_utc = self._judged(offset)

    @property
    def offset(self) -> timedelta:
        """How far the server's clock is ahead of UTC now."""
        now = self._clock.now()  # once: a clock that goes on between two looks makes no whole hours
        return self.to_server(now) - now

    @property
    def agrees(self) -> bool:
        """Whether prices that moved did not contradict the zone."""
        return self.measured is None or self.measured == self.offset

    def to_utc(self, server_ms: int) -> datetime:
        """The moment of a time that the server told."""
        return self._to_utc(_moment(server_ms))

    def to_server(self, moment: datetime) -> datetime:
        """A moment by the server's clock, which is written as if it were UTC."""
        guess = moment
        for _ in range(2):  # the second time with the offset of that time of the year
            guess = moment + (guess - self._to_utc(guess))
        return guess

    def to_server_s(self, moment: datetime) -> int:
        """The same in seconds, as the package takes it."""
        return int(self.to_server(moment).timestamp())

    def _judged(self, offset: timedelta) -> LocalToUtc:
        close = _zone(NEW_YORK_CLOSE)
        now = self._clock.now()
        return close if close(now + offset) == now else _ahead_by(offset)


def check_zone(zone: str) -> str:
    """The zone itself. Raises ConfigError for one that nobody knows."""
    if zone != AUTO:
        _zone(zone)
    return zone


def _zone(zone: str) -> LocalToUtc:
    if zone == NEW_YORK_CLOSE:
        return lambda local: _of_zone(local - _TO_MIDNIGHT, _NEW_YORK)
    fixed = _FIXED.fullmatch(zone)
    if fixed is not None:
        sign, hours, minutes = fixed.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
        return _ahead_by(-offset if sign == "-" else offset)
    try:
        named = ZoneInfo(zone)
    except (ValueError, OSError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise _unknown(zone) from error
    except KeyError as error:
        raise _unknown(zone) from error
    return lambda local: _of_zone(local, named)


def _unknown(zone: str) -> ConfigError:
    return ConfigError(
        f"'{zone}' is no time zone: 'auto', 'New York close', one such as 'UTC+2' or "
        "'Europe/Athens'.",
        field="server_zone",
    )


def _of_zone(local: datetime, zone: ZoneInfo) -> datetime:
    return local.replace(tzinfo=zone).astimezone(UTC)


def _ahead_by(offset: timedelta) -> LocalToUtc:
    return lambda local: local - offset


def _moment(epoch_ms: int) -> datetime:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC)
