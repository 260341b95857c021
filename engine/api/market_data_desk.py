"""Candles and hours as the API shows them; everything from memory."""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from engine.contracts.market_data import FeedView, LiveFacts
from engine.domain.bots import ACTIVE_STATES, Bot
from engine.services.books import Books
from engine.services.candle_feed import CandleFeed
from engine.services.feed_status import Feed
from engine.services.sleep import SleepKeeper


class MarketDataServices(Protocol):
    """What is known of the candles that bots decide on."""

    def feeds(self) -> Sequence[FeedView]:
        """Every feed in use, those in trouble first."""
        ...


class MarketDataDesk:
    """Implements ``MarketDataServices``."""

    def __init__(self, books: Books, feed: CandleFeed, sleep: SleepKeeper) -> None:
        self._books = books
        self._feed = feed
        self._sleep = sleep

    def live_facts(self, bot: Bot) -> LiveFacts:
        """What a bot's view tells of its sleep and its candles."""
        if bot.state not in ACTIVE_STATES:
            return LiveFacts()
        config = bot.config
        rest = self._sleep.rest(bot)
        feed = self._feed.find(config.market, config.symbol, config.timeframe)
        return LiveFacts(
            sleeps_until=rest.until if rest else None,
            sleeps_why=rest.why if rest else "",
            sleeps_local=rest.local_words.strip(" ()") if rest else "",
            is_market_open=self._sleep.is_market_open(bot),
            newest_candle_at=feed.newest if feed else None,
            source_words=feed.words if feed else "",
            data_error=feed.error if feed and feed.candles is None else "",
        )

    def feeds(self) -> Sequence[FeedView]:
        """From memory."""
        users: Counter[tuple[str, str, str]] = Counter()
        some: dict[tuple[str, str, str], Bot] = {}
        for bot in list(self._books.bots.values()):
            if bot.state in ACTIVE_STATES:
                key = (bot.config.market, bot.config.symbol, bot.config.timeframe)
                users[key] += 1
                some[key] = bot
        rows = [
            self._view(feed, users[key], some.get(key))
            for feed in self._feed.rows()
            for key in [(feed.market_id, feed.symbol, feed.timeframe)]
        ]
        return sorted(rows, key=lambda row: (row.newest is not None and not row.words,
                                             row.market, row.symbol, row.timeframe))  # fmt: skip

    def _view(self, feed: Feed, bots: int, bot: Bot | None) -> FeedView:
        now = self._sleep.now(bot) if bot is not None else self._books.clock.now()
        newest = feed.newest
        words = " ".join(part for part in (feed.words, feed.late, *feed.notes) if part)
        return FeedView(
            market=feed.market_id,
            symbol=feed.symbol,
            timeframe=feed.timeframe,
            source=feed.source,
            newest=newest,
            age_s=(now - newest).total_seconds() if newest else None,
            is_late=bool(feed.late),
            is_market_open=bot is None or self._sleep.is_market_open(bot),
            bots=bots,
            requests=feed.requests,
            errors=feed.errors,
            revisions=feed.revisions,
            error=feed.error,
            failing_since=feed.failing_since,
            other_since=feed.other_since,
            words=words,
        )
