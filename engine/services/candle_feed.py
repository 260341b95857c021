"""Candles and prices for many bots by few requests: the same question is asked once."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np

from engine.domain.bots import Bot
from engine.domain.candles import Candles
from engine.domain.instruments import Quote
from engine.domain.timeframes import floor_time, timeframe_delta, timeframe_s
from engine.errors import DataError
from engine.ports import MarketData
from engine.services.lanes import Lanes, market_lane

FeedKey = tuple[str, str, str]


@dataclass
class _Cached:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    candles: Candles | None = None
    limit: int = 0


class CandleFeed:
    """Closed candles, cached until the next one closes; used on the event loop."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._cache: dict[FeedKey, _Cached] = {}
        self.requests = 0

    async def candles(self, market: MarketData, symbol: str, timeframe: str, limit: int) -> Candles:
        """The newest ``limit`` closed candles, checked. Raises DataError, NotFound."""
        key = (market.market_id, symbol, timeframe)
        cached = self._cache.setdefault(key, _Cached())
        async with cached.lock:
            known = cached.candles
            if known is None or limit > cached.limit or is_due(known, market):
                most = max(limit, cached.limit)
                self.requests += 1
                lane = market_lane(market.market_id)
                known = await self._lanes.run(lane, _fetch, market, symbol, timeframe, most)
                cached.candles, cached.limit = known, most
        return known[slice(-limit, None)]

    def forget(self, market_id: str) -> None:
        """Drop what is cached of a market."""
        for key in [key for key in self._cache if key[0] == market_id]:
            del self._cache[key]


def _fetch(market: MarketData, symbol: str, timeframe: str, limit: int) -> Candles:
    candles = market.candles(symbol, timeframe, limit=limit)
    check_candles(candles, market)
    check_grid(candles)
    return candles


def is_due(candles: Candles, market: MarketData) -> bool:
    """Whether a newer candle has closed by now, or the market's time went back behind these."""
    if not len(candles):
        return True
    now, newest = market.now(), candles.last_close_time
    return now < newest or now >= newest + timeframe_delta(candles.timeframe)


def check_candles(candles: Candles, market: MarketData) -> None:
    """No decision is taken on missing, stale, unfinished or unordered candles.

    Raises DataError saying which it is.
    """
    if not len(candles):
        raise DataError("The market gave no candles.")
    now, length_s = market.now(), timeframe_s(candles.timeframe)
    newest = candles.last_close_time
    if newest > now:
        raise DataError(f"The newest {candles.timeframe} candle is not finished yet.")
    expected = floor_time(now, length_s) - timedelta(seconds=length_s)
    if newest < expected:
        late_s = (now - newest).total_seconds()
        raise DataError(f"The newest {candles.timeframe} candle is {late_s:.0f} s old.")
    if (candles.time[1:] <= candles.time[:-1]).any():
        raise DataError("The market's candles are not in order.")


def check_grid(candles: Candles) -> None:
    """What a venue gives must be whole: each candle begins where the one before it ended, on a
    multiple of its length. A file that is replayed may have the holes of its market's hours.

    Raises DataError saying which it is.
    """
    length_ms = timeframe_s(candles.timeframe) * 1000
    if (candles.time % length_ms).any():
        raise DataError(f"The market's candles do not begin on whole {candles.timeframe}.")
    if (np.diff(candles.time) != length_ms).any():
        raise DataError("The market's candles have a gap.")


class PriceBoard:
    """The last price seen of every symbol that somebody watches."""

    def __init__(self) -> None:
        self._quotes: dict[tuple[str, str], Quote] = {}

    def put(self, market_id: str, quote: Quote, bot_id: str = "") -> None:
        """Remember a quote; ``bot_id`` where each bot has a market of its own, as on replays."""
        self._quotes[(market_id + bot_id, quote.symbol)] = quote

    def find(self, bot: Bot) -> Quote | None:
        """The last quote of a bot's symbol, or None before the first."""
        market_id, symbol = bot.market, bot.symbol
        return self._quotes.get((market_id + bot.id, symbol)) or self._quotes.get(
            (market_id, symbol)
        )
