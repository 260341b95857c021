"""Prices for everybody who watches a symbol: one question a symbol and second, one request for
all of them where the market can."""

import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta

from engine.domain.instruments import Quote
from engine.domain.money import exact
from engine.errors import DataError, NotFound, QuarterdeckError
from engine.ports import BulkMarket, MarketData
from engine.services.candle_feed import CandleFeed, PriceBoard
from engine.services.lanes import Lanes, market_lane

log = logging.getLogger("quarterdeck.watch")

PATIENCE_S = 30.0
"""How long a market may give no price before the last minute of another source is one."""

OLDEST = timedelta(minutes=3)
"""Another source's minute that closed longer ago is no price of now."""

MINUTE = "1m"
MINUTES = 30
"""Candles that are asked for, of which the newest is the price."""


class QuoteDesk:
    """Used on the event loop. ``feed`` gives the price of another source while the market is
    silent; without it there is none."""

    def __init__(self, lanes: Lanes, prices: PriceBoard, feed: CandleFeed | None = None) -> None:
        self._lanes = lanes
        self._prices = prices
        self._feed = feed
        self._silent_since_s: dict[tuple[str, str], float] = {}
        self.requests = 0

    async def ask(self, market: MarketData, symbols: Sequence[str]) -> AsyncIterator[Quote]:
        """The prices there are, each as soon as it is told; they are on the board by then."""
        lane = market_lane(market.market_id)
        if len(symbols) > 1 and isinstance(market, BulkMarket):
            for quote in (await self._lanes.run(lane, self._all, market, symbols)).values():
                yield self._told(market, quote)
            missing = [one for one in symbols if self._is_silent(market, one)]
        else:
            missing = []
            for symbol in symbols:
                found = await self._lanes.run(lane, self._one, market, symbol)
                if found is None:
                    missing.append(symbol)
                else:
                    yield self._told(market, found)
        for symbol in missing:
            other = await self._other_price(market, symbol)
            if other is not None:
                self._prices.put(market.market_id, other)
                yield other

    def _told(self, market: MarketData, quote: Quote) -> Quote:
        self._silent_since_s.pop((market.market_id, quote.symbol), None)
        self._prices.put(market.market_id, quote)
        return quote

    def _is_silent(self, market: MarketData, symbol: str) -> bool:
        return (market.market_id, symbol) in self._silent_since_s

    # --- on the market's lane -------------------------------------------------------------------

    def _all(self, market: BulkMarket, symbols: Sequence[str]) -> Mapping[str, Quote]:
        self.requests += 1
        found: Mapping[str, Quote] = {}
        try:
            found = market.quotes(symbols)
        except DataError as error:
            log.warning("no prices on %s: %s", market.market_id, error)
        for symbol in symbols:
            if symbol not in found:
                self._note_silence(market, symbol)
        return found

    def _one(self, market: MarketData, symbol: str) -> Quote | None:
        self.requests += 1
        try:
            return market.quote(symbol)
        except (DataError, NotFound) as error:
            log.warning("no price of %s: %s", symbol, error)
            self._note_silence(market, symbol)
            return None

    def _note_silence(self, market: MarketData, symbol: str) -> None:
        self._silent_since_s.setdefault((market.market_id, symbol), time.monotonic())

    # --- another source -------------------------------------------------------------------------

    async def _other_price(self, market: MarketData, symbol: str) -> Quote | None:
        """The close of the newest minute that another source has, once the market has been silent
        for a while; at most one question a minute."""
        silent_s = time.monotonic() - self._silent_since_s[(market.market_id, symbol)]
        if self._feed is None or silent_s < PATIENCE_S:
            return None
        try:
            fed = await self._feed.ask(market, symbol, MINUTE, MINUTES)
        except QuarterdeckError as error:
            log.warning("no other price of %s: %s", symbol, error)
            return None
        if fed.is_own or not len(fed.candles):
            return None  # the market gives candles: its silence is a moment's
        close = exact(float(fed.candles.close[-1]))
        at = fed.candles.last_close_time
        if market.now() - at > OLDEST:
            return None
        return Quote(symbol=symbol, bid=close, ask=close, last=close, time=at)
