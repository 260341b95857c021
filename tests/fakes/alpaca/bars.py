"""Bars: a price goes round its asset's by the number of the bar; stocks have them on days of the
market, from 4 in the morning to 8 in the evening."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.alpaca.records import NEW_YORK, Asset, Refused, Sessions
from tests.fakes.alpaca.views import stamp

BEFORE, AFTER = timedelta(hours=5, minutes=30), timedelta(hours=4)
"""Stocks trade before and after hours too."""

UNITS = {"Min": 60, "Hour": 3600, "Day": 86_400}


def bars_of(asset: Asset, query: Mapping[str, str], sessions: Sessions, now: datetime) -> Any:
    """One page, in either order, with the token of the next."""
    unit = next((name for name in UNITS if query["timeframe"].endswith(name)), None)
    if unit is None:
        raise Refused(400, None, "invalid timeframe")
    length = timedelta(seconds=int(query["timeframe"].removesuffix(unit)) * UNITS[unit])
    start, end = (datetime.fromisoformat(query[name]) for name in ("start", "end"))
    opens = [one for one in _opens(asset, sessions, start, end, length) if one <= now]
    if query.get("sort", "asc") == "desc":
        opens.reverse()
    begin, limit = int(query.get("page_token", 0)), int(query["limit"])
    if not 1 <= limit <= 10_000:
        raise Refused(400, None, "limit must be between 1 and 10000")
    page = opens[begin : begin + limit]
    more = begin + limit < len(opens)
    return {
        "bars": {asset.symbol: [_bar(asset, one, length) for one in page]} if page else {},
        "next_page_token": str(begin + limit) if more else None,
    }


def _opens(
    asset: Asset, sessions: Sessions, start: datetime, end: datetime, length: timedelta
) -> Iterator[datetime]:
    seconds = int(length.total_seconds())
    if seconds == UNITS["Day"]:
        yield from _days(asset, sessions, start, end)
        return
    for begins, ends in _stretches(asset, sessions, start, end):
        first = -(-int(max(begins, start).timestamp()) // seconds) * seconds
        last = min(ends.timestamp() - 1, end.timestamp())
        for epoch in range(first, int(last) + 1, seconds):
            yield datetime.fromtimestamp(epoch, UTC)


def _stretches(
    asset: Asset, sessions: Sessions, start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """When it trades: crypto always, stocks on days of the market, longer than the session."""
    if asset.is_crypto or sessions.never_closes:
        yield start, end + timedelta(seconds=1)
        return
    day = start.astimezone(NEW_YORK).date()
    while day <= end.astimezone(NEW_YORK).date():
        session = sessions.on(day)
        if session is not None:
            yield session[0] - BEFORE, session[1] + AFTER
        day += timedelta(days=1)


def _days(asset: Asset, sessions: Sessions, start: datetime, end: datetime) -> Iterator[datetime]:
    zone = UTC if asset.is_crypto else NEW_YORK
    day = start.astimezone(zone).date()
    while (opened := datetime(day.year, day.month, day.day, tzinfo=zone)) <= end:
        if opened >= start and (asset.is_crypto or sessions.on(day)):
            yield opened.astimezone(UTC)
        day += timedelta(days=1)


def _bar(asset: Asset, opened: datetime, length: timedelta) -> dict[str, Any]:
    price = float(asset.price) + int(opened.timestamp() / length.total_seconds()) % 7
    return {"t": stamp(opened), "o": price, "h": price + 1, "l": price - 1, "c": price + 0.5,
            "v": 100, "n": 7, "vw": price}  # fmt: skip
