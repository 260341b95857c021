"""Past candles, the same for the same moment: made of minutes of the market's hours."""

import hashlib
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.fakes.kite.records import IST, Share, plain

if TYPE_CHECKING:
    from tests.fakes.kite.kite import Kite

OPENS, CLOSES = timedelta(hours=9, minutes=15), timedelta(hours=15, minutes=30)
DAY = timedelta(days=1)


class Interval(NamedTuple):
    """An interval and the days that one request may span."""

    length: timedelta
    most_days: int


INTERVALS = {
    "minute": Interval(timedelta(minutes=1), 60),
    "3minute": Interval(timedelta(minutes=3), 100),
    "5minute": Interval(timedelta(minutes=5), 100),
    "10minute": Interval(timedelta(minutes=10), 100),
    "15minute": Interval(timedelta(minutes=15), 200),
    "30minute": Interval(timedelta(minutes=30), 200),
    "60minute": Interval(timedelta(minutes=60), 400),
    "day": Interval(DAY, 2000),
}


def candles(share: Share, interval: str, start: datetime, end: datetime, kite: "Kite") -> list[Any]:
    """Those that begin in [start, end], the unfinished one of now among them. ``missing_candles``
    are dates that had no trading, and minutes ('2026-03-02 09:20') of which none is told."""
    length = INTERVALS[interval].length
    found: list[Any] = []
    day = start.astimezone(IST).replace(hour=0, minute=0, second=0, microsecond=0)
    while day <= end:
        if day.weekday() < 5 and f"{day:%Y-%m-%d}" not in kite.missing_candles:
            found += _of_day(share, day, length, kite)
        day += DAY
    return [line for opened, line in found if start <= opened <= end]


def _of_day(share: Share, day: datetime, length: timedelta, kite: "Kite") -> list[Any]:
    if length == DAY:
        opened = [day] if day + OPENS <= kite.now() else []
    else:
        count = -((OPENS - CLOSES) // length)
        opened = [day + OPENS + place * length for place in range(count)]
    return [
        (moment, _line(share, moment))
        for moment in opened
        if moment <= kite.now() and f"{moment:%Y-%m-%d %H:%M}" not in kite.missing_candles
    ]


def _line(share: Share, moment: datetime) -> list[Any]:
    dice = hashlib.sha256(f"{share.symbol}{moment.isoformat()}".encode()).digest()
    opened, close = (share.price + share.tick * (dice[place] % 21 - 10) for place in (0, 1))
    high = max(opened, close) + share.tick * (dice[2] % 5)
    low = min(opened, close) - share.tick * (dice[3] % 5)
    prices: list[Decimal] = [opened, high, low, close]
    return [moment.strftime("%Y-%m-%dT%H:%M:%S%z"), *map(plain, prices), 100 + dice[4]]
