"""Quiet hours: whether a channel is silent at a moment, and until when."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from engine.domain.alerts import QuietHours
from engine.domain.records import Level

SECOND = timedelta(seconds=1)


def is_quiet(quiet: QuietHours, at: datetime) -> bool:
    """Whether clocks in the zone show a time from ``start`` up to ``end``, over midnight when that
    is earlier; never when both are the same."""
    shown = at.astimezone(ZoneInfo(quiet.zone)).time()
    if quiet.start <= quiet.end:
        return quiet.start <= shown < quiet.end
    return shown >= quiet.start or shown < quiet.end


def may_go_at(quiet: QuietHours | None, level: Level, at: datetime) -> datetime:
    """The first moment from ``at`` on at which a message of this level may go; aware UTC.

    Where the clock is turned forward over the end, that is the moment in which it is turned; where
    it is turned back over it, an hour that is shown twice is quiet twice.
    """
    at = at.astimezone(UTC)
    if quiet is None or (quiet.lets_errors and level is Level.ERROR) or not is_quiet(quiet, at):
        return at
    zone = ZoneInfo(quiet.zone)
    today = at.astimezone(zone).date()
    ends = sorted(
        datetime.combine(today + timedelta(days=days), quiet.end, zone).replace(fold=fold)
        .astimezone(UTC) for days in range(3) for fold in (0, 1)
    )  # fmt: skip
    end = next(one for one in ends if one > at and not is_quiet(quiet, one))
    return _first_loud(quiet, at, end)


def _first_loud(quiet: QuietHours, silent: datetime, loud: datetime) -> datetime:
    """The whole second in which the quiet ends that lasts at ``silent`` and is over at ``loud``:
    before that, where the clock was turned over the end."""
    if is_quiet(quiet, loud - SECOND):
        return loud
    while loud - silent > SECOND:
        middle = silent + (loud - silent) / 2
        if is_quiet(quiet, middle):
            silent = middle
        else:
            loud = middle
    return loud.replace(microsecond=0)
