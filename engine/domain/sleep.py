"""When a bot sleeps: outside its own hours, and outside those of its market. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from engine.domain.bots import ActiveHours, BotConfig, Overnight
from engine.domain.sessions import Timetable

OUTSIDE = "outside its own hours"
FLAT = "flat before the close"
FURTHEST = 16
"""So many times own hours and sessions may miss each other; then they never meet."""

DAYS_AHEAD = 8


@dataclass(frozen=True, slots=True)
class Rest:
    """A bot's sleep. ``until`` is None when nobody knows; ``zone`` is its market's local time."""

    until: datetime | None
    why: str
    zone: str = "UTC"

    @property
    def words(self) -> str:
        """``Sleeps until Fri 2026-11-27 14:30 UTC (09:30 in New York): XNYS is closed (...)."""
        if self.until is None:
            return f"Sleeps until further notice: {self.why}."
        at = self.until.astimezone(UTC)
        return f"Sleeps until {at:%a %Y-%m-%d %H:%M} UTC{self.local_words}: {self.why}."

    @property
    def local_words(self) -> str:
        """The market's local time of the end, in brackets; empty where that is UTC."""
        if self.until is None or self.zone == "UTC":
            return ""
        local = self.until.astimezone(ZoneInfo(self.zone))
        return f" ({local:%a %H:%M} in {self.zone.rpartition('/')[2].replace('_', ' ')})"


def find_rest(config: BotConfig, timetable: Timetable, now: datetime) -> Rest | None:
    """The sleep that a bot should be in at ``now``, or None: it is awake.

    With ``overnight = close`` it begins ``close_before_min`` early, so that the position is closed
    while the market is still open: before the real close of a half-day.
    """
    why = _why_asleep(config, timetable, now)
    if why is None:
        return None
    is_by_market = config.follow_market and not timetable.is_always_open
    own_zone = config.active_hours.zone if config.active_hours else "UTC"
    return Rest(
        _wakes_at(config, timetable, now), why, timetable.zone if is_by_market else own_zone
    )


def _wakes_at(config: BotConfig, timetable: Timetable, now: datetime) -> datetime | None:
    """The first moment at which nothing speaks for sleep."""
    moment = now
    for _ in range(FURTHEST):
        chance = _next_chance(config, timetable, moment)
        if chance is None or _why_asleep(config, timetable, chance) is None:
            return chance
        moment = chance
    return None


def _why_asleep(config: BotConfig, timetable: Timetable, moment: datetime) -> str | None:
    hours = config.active_hours
    early = timedelta(minutes=config.close_before_min)
    is_flat = config.overnight is Overnight.CLOSE
    if config.follow_market:
        if not timetable.is_open(moment):
            return timetable.why_closed(moment)
        session = timetable.session_at(moment)
        if is_flat and session is not None and moment >= session.closes - early:
            note = f", {session.note}" if session.note else ""
            return f"{FLAT} of {timetable.code} at {session.closes:%H:%M} UTC{note}"
    if hours is not None:
        window = window_at(hours, moment)
        if window is None:
            return OUTSIDE
        is_last = window_at(hours, window[1]) is None  # else one day's hours follow the other's
        if is_flat and is_last and moment >= window[1] - early:
            return f"{FLAT} of its own hours at {window[1]:%H:%M} UTC"
    return None


def _next_chance(config: BotConfig, timetable: Timetable, moment: datetime) -> datetime | None:
    """The next moment at which the market or the bot's own hours begin."""
    chances = []
    if config.follow_market and (opens := timetable.next_open(moment)) is not None:
        chances.append(opens)
    if config.active_hours is not None:
        starts = [start for start, _ in windows(config.active_hours, moment) if start > moment]
        chances += starts[:1]
    return min(chances, default=None)


def is_awake_by_hours(hours: ActiveHours | None, moment: datetime) -> bool:
    """Whether ``moment`` lies in a bot's own hours; they may go over midnight."""
    return hours is None or window_at(hours, moment) is not None


def window_at(hours: ActiveHours, moment: datetime) -> tuple[datetime, datetime] | None:
    """The stretch of own hours in which ``moment`` lies."""
    return next(
        ((start, end) for start, end in windows(hours, moment) if start <= moment < end), None
    )


def windows(hours: ActiveHours, moment: datetime) -> list[tuple[datetime, datetime]]:
    """The own hours of the days around ``moment``, as [start, end) in UTC. Hours belong to the day
    on which they begin; the same start and end are a whole day."""
    zone = ZoneInfo(hours.zone)
    today = moment.astimezone(zone).date()
    days = (today + timedelta(days=ahead) for ahead in range(-1, DAYS_AHEAD))
    return [_window(hours, day, zone) for day in days if hours.has_day(day.weekday())]


def _window(hours: ActiveHours, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    ends = day if hours.start < hours.end else day + timedelta(days=1)
    return (
        datetime.combine(day, hours.start, zone).astimezone(UTC),
        datetime.combine(ends, hours.end, zone).astimezone(UTC),
    )
