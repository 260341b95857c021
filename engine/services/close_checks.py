"""Checks of bots whose candles close between the multiples of their interval.

A bot's job runs on multiples of its check interval since the epoch, where most candles close. Hours
of a share that are counted from its opening (09:30, or 09:15 in Mumbai) do not: without this they
would be decided a part of an hour late.
"""

from collections.abc import Callable
from datetime import datetime

from engine.domain.bots import WORKING_STATES, Bot
from engine.domain.timeframes import timeframe_s
from engine.services.books import Books
from engine.services.candle_feed import CandleFeed
from engine.services.sleep import SleepKeeper


class CloseChecks:
    """Begins one check for each such close; used on the event loop."""

    def __init__(
        self,
        books: Books,
        feed: CandleFeed,
        sleep: SleepKeeper,
        check_now: Callable[[str], None],
    ) -> None:
        self._books = books
        self._feed = feed
        self._sleep = sleep
        self._check_now = check_now
        self._begun: dict[str, datetime] = {}

    async def begin_due(self) -> None:
        """Begin what has come due since the last time."""
        for bot in list(self._books.bots.values()):
            due_at = self._due(bot)
            if due_at is not None and self._begun.get(bot.id) != due_at:
                self._begun[bot.id] = due_at
                self._check_now(bot.id)
        for bot_id in self._begun.keys() - self._books.bots.keys():
            del self._begun[bot_id]

    def _due(self, bot: Bot) -> datetime | None:
        """The close that a bot's job will not meet, once it has come. A bot that wants to look less
        often than a candle closes is left to its interval."""
        config = bot.config
        if bot.state not in WORKING_STATES or config.interval_s > timeframe_s(config.timeframe):
            return None
        feed = self._feed.find(config.market, config.symbol, config.timeframe)
        if feed is None or feed.due_at is None:
            return None
        is_met = not int(feed.due_at.timestamp()) % config.interval_s
        return None if is_met or feed.due_at > self._sleep.now(bot) else feed.due_at
