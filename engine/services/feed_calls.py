"""Questions to the feed from the API's threads: charts draw the candles that bots live on."""

import asyncio
from concurrent.futures import TimeoutError as Overdue

from engine.domain.candles import Candles
from engine.errors import DataError
from engine.ports import MarketData
from engine.services.candle_feed import CandleFeed

PATIENCE_S = 6.0
"""A person waits no longer: the feed itself may wait for a candle that is late."""


class FeedCalls:
    """Blocking; must not be used on the event loop."""

    def __init__(self, feed: CandleFeed, loop: asyncio.AbstractEventLoop) -> None:
        self._feed = feed
        self._loop = loop

    def ask(self, market: MarketData, symbol: str, timeframe: str, limit: int) -> Candles:
        """The newest ``limit`` closed candles, checked. Raises DataError, NotFound."""
        asked = self._feed.candles(market, symbol, timeframe, limit)
        waiting = asyncio.run_coroutine_threadsafe(asked, self._loop)
        try:
            return waiting.result(PATIENCE_S)
        except Overdue as error:
            raise DataError(f"{market.market_id} takes long to answer.") from error
