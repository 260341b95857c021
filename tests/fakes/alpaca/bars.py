"""Bars: a price goes round its asset's by the number of the minute; stocks have them in session
only, some of them not at all."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.alpaca.records import NEW_YORK, Asset, Refused, Sessions
from tests.fakes.alpaca.views import stamp

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
    opened = datetime.fromtimestamp(-(-start.timestamp() // seconds) * seconds, UTC)
    while opened <= end:
        session = sessions.on(opened.astimezone(NEW_YORK).date())
        if asset.is_crypto or (session and session[0] - length < opened < session[1]):
            yield opened
        opened += length


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
