"""Checks of bots whose market is pushed: at once when a bar has come, from whatever thread."""

import asyncio
from collections.abc import Callable, Sequence

from engine.domain.bots import WORKING_STATES
from engine.services.books import Books
from engine.services.candle_feed import CandleFeed


class BarChecks:
    """Begins one check of each bot that a new bar concerns."""

    def __init__(
        self,
        books: Books,
        feed: CandleFeed,
        check_now: Callable[[str], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._books = books
        self._feed = feed
        self._check_now = check_now
        self._loop = loop

    def tell(self, markets: Sequence[str], symbol: str) -> None:
        """A bar of a symbol was kept; from any thread, also while the engine stops."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._begin, frozenset(markets), symbol)

    def _begin(self, markets: frozenset[str], symbol: str) -> None:
        for feed in self._feed.rows():
            if feed.market_id in markets and feed.symbol == symbol:
                feed.retry_at = None  # what it rests for has come
        for bot in list(self._books.bots.values()):
            config = bot.config
            is_concerned = config.market in markets and config.symbol == symbol
            if is_concerned and bot.state in WORKING_STATES:
                self._check_now(bot.id)
