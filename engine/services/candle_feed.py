"""Candles and prices for many bots by few requests.

Questions about one symbol and timeframe share one feed, however many candles each wants. A feed
asks when the next candle has closed, and then only for what is new, with a few candles that are
known already: when one of those has changed, all are asked for anew. When its own market does not
answer, other sources of the same instrument are asked in turn, and it is said whose candles these
are.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from engine.domain.bots import Bot
from engine.domain.candle_grid import look_at, next_close
from engine.domain.candle_merge import merge_candles
from engine.domain.candles import Candles
from engine.domain.instruments import Quote
from engine.domain.records import Level
from engine.domain.sessions import ALWAYS_OPEN, Timetable
from engine.domain.timeframes import floor_time, timeframe_delta, timeframe_s
from engine.errors import DataError, NotFound, QuarterdeckError
from engine.ports import MarketData, SparseMarket
from engine.services.fallback_candles import FallbackCandles
from engine.services.feed_status import Fed, Feed
from engine.services.lanes import Lanes, market_lane
from engine.services.market_hours import MarketHours

log = logging.getLogger("quarterdeck.feed")

FeedKey = tuple[str, str, str]
Tell = Callable[[Level, str, str], None]

OVERLAP = 3
"""Known candles that are asked for again with the new ones."""

WAITS_S = (0.5, 1.0, 2.0)
LONG_WAITS_S = (*WAITS_S, 4.0, 8.0)
"""Waits for a candle that has closed and is not published yet; long ones for a minute or more."""

LATE_REST = timedelta(seconds=5)
FAILED_REST = timedelta(seconds=1)
"""Within this of an answer that was late, or an error, nobody else asks again."""

CLOCKS_APART = timedelta(seconds=2)
SECOND_TRY_S = 1.0
FALLBACK_LANE = "fallback"
KEPT = timedelta(days=1)
"""A feed that nobody asked for this long is dropped."""


def say_nothing(_level: Level, _kind: str, _message: str) -> None:
    """What a feed without listeners tells."""


class CandleFeed:
    """Closed candles, cached until the next one closes; used on the event loop.

    ``tell`` records a change of source; it may block.
    """

    def __init__(
        self,
        lanes: Lanes,
        hours: MarketHours | None = None,
        fallbacks: FallbackCandles | None = None,
        tell: Tell = say_nothing,
    ) -> None:
        self._lanes = lanes
        self._hours = hours
        self._fallbacks = fallbacks
        self._tell = tell
        self._feeds: dict[FeedKey, Feed] = {}
        self.requests = 0

    async def candles(self, market: MarketData, symbol: str, timeframe: str, limit: int) -> Candles:
        """The newest ``limit`` closed candles, checked. Raises DataError, NotFound."""
        return (await self.ask(market, symbol, timeframe, limit)).candles

    async def ask(self, market: MarketData, symbol: str, timeframe: str, limit: int) -> Fed:
        """The same, and whose candles they are. Raises DataError, NotFound."""
        key = (market.market_id, symbol, timeframe)
        feed = self._feeds.setdefault(key, Feed(*key, source=market.market_id))
        async with feed.lock:
            await _wait_for_close(feed, market)
            now = feed.asked_at = market.now()
            if _must_ask(feed, now, limit):
                feed.limit = max(limit, feed.limit)
                await self._refresh(feed, market)
            if feed.candles is None:
                raise DataError(feed.error)
            return Fed(
                candles=feed.candles[slice(-limit, None)],
                source=feed.source,
                words=feed.words,
                is_own=feed.other_since is None,
                late=feed.late,
            )

    def find(self, market_id: str, symbol: str, timeframe: str) -> Feed | None:
        """The feed of a symbol, once somebody asked for it."""
        return self._feeds.get((market_id, symbol, timeframe))

    def rows(self) -> Sequence[Feed]:
        """Every feed in use; from any thread."""
        return list(self._feeds.values())

    def drop_unused(self, now: datetime) -> None:
        """Forget feeds that nobody has asked for a day."""
        for key, feed in list(self._feeds.items()):
            if feed.asked_at is not None and now - feed.asked_at > KEPT and not feed.lock.locked():
                del self._feeds[key]

    # --- asking -------------------------------------------------------------------------------

    async def _refresh(self, feed: Feed, market: MarketData) -> None:
        """Wait, within a deadline, for the candle that has just closed. What is there then is
        taken. Raises DataError, NotFound."""
        for wait_s in (*(LONG_WAITS_S if timeframe_s(feed.timeframe) >= 60 else WAITS_S), None):
            await self._renew(feed, market)
            if feed.due_at is None or market.now() < feed.due_at:
                feed.late = ""
                return
            if feed.other_since is not None:
                break  # one round of all sources takes long enough
            if wait_s is not None:
                await asyncio.sleep(wait_s)
        feed.retry_at = market.now() + LATE_REST
        if is_sparse(market, self._hours_of(feed)):
            return  # nothing may have traded
        closed = floor_time(market.now(), timeframe_s(feed.timeframe))
        feed.late = f"The {feed.timeframe} candle that closed at {closed:%H:%M:%S} UTC is late."

    async def _renew(self, feed: Feed, market: MarketData) -> None:
        try:
            await self._ask_own(feed, market)
        except DataError as error:
            feed.fail(error.message, market.now())
            feed.retry_at = market.now() + FAILED_REST
            if not await self._ask_others(feed, market, error):
                feed.candles = None
                raise
        except NotFound as error:
            feed.fail(error.message, market.now())
            raise
        else:
            if feed.other_since is not None:
                await self._say_source(feed, f"Candles of {feed.symbol} come from"
                                       f" {feed.market_id} again.", Level.INFO)  # fmt: skip
            feed.settle()

    async def _ask_own(self, feed: Feed, market: MarketData) -> None:
        lane = market_lane(feed.market_id)
        is_first = feed.other_since is None and not feed.error and self._fallbacks is not None
        try:
            await self._lanes.run(lane, self._fetch, feed, market)
        except DataError as error:
            if not is_first or timeframe_s(feed.timeframe) < 60:
                raise
            # Once more before other sources are asked: a single answer may get lost.
            feed.fail(error.message, market.now())
            await asyncio.sleep(SECOND_TRY_S)
            await self._lanes.run(lane, self._fetch, feed, market)

    async def _ask_others(self, feed: Feed, market: MarketData, why: DataError) -> bool:
        """Whether another source has given candles."""
        if self._fallbacks is None:
            return False
        timetable = self._hours_of(feed)
        others = await self._lanes.run(
            FALLBACK_LANE, self._fallbacks.of, market, feed.symbol, feed.timeframe
        )
        for other in others:
            try:
                candles = await self._lanes.run(
                    f"{FALLBACK_LANE}:{other.source_id}", other.fetch, feed.limit, timetable,
                    market.now(),
                )  # fmt: skip
                feed.requests += 1
                self._take(feed, candles, timetable, market.now(), may_be_sparse=True)
            except QuarterdeckError as error:
                log.warning("%s has no candles of %s: %s", other.title, feed.symbol, error)
                continue
            if feed.source != other.title:
                since = feed.other_since or market.now()
                feed.source, feed.other_since, feed.own_error = other.title, since, why.message
                await self._say_source(feed, feed.words, Level.WARNING)
            feed.own_error = why.message
            return True
        return False

    async def _say_source(self, feed: Feed, words: str, level: Level) -> None:
        lane = market_lane(feed.market_id)
        await self._lanes.run(lane, self._tell, level, "feed.source", words)

    def timetable(self, market_id: str, symbol: str) -> Timetable:
        """A symbol's hours; before they were learned it counts as always open."""
        return self._hours.find(market_id, symbol) if self._hours else ALWAYS_OPEN

    def _hours_of(self, feed: Feed) -> Timetable:
        return self.timetable(feed.market_id, feed.symbol)

    # --- on the market's lane -------------------------------------------------------------------

    def _fetch(self, feed: Feed, market: MarketData) -> None:
        """Take up what is new, or everything. Raises DataError, NotFound."""
        timetable = self._hours.learn(market, feed.symbol) if self._hours else ALWAYS_OPEN
        candles = self._topped_up(feed, market) if feed.other_since is None else None
        if candles is None:
            self._count(feed)
            candles = market.candles(feed.symbol, feed.timeframe, limit=feed.limit)
        may_be_sparse = is_sparse(market, timetable)
        self._take(feed, candles, timetable, market.now(), may_be_sparse=may_be_sparse)

    def _topped_up(self, feed: Feed, market: MarketData) -> Candles | None:
        """The known candles with the new ones; None when they do not fit together."""
        known = feed.candles
        if known is None or len(known) < min(feed.limit, OVERLAP):
            return None
        behind = (market.now() - known.last_close_time) // timeframe_delta(feed.timeframe)
        wanted = behind + OVERLAP
        if behind < 0 or wanted >= feed.limit or len(known) < feed.limit - behind:
            return None
        self._count(feed)
        new = market.candles(feed.symbol, feed.timeframe, limit=wanted)
        if not len(new) or new.time[0] > known.time[-1]:
            return None
        both, report = merge_candles(known, new)
        if report.conflicts:
            feed.revisions += report.conflicts
            at = ", ".join(f"{one:%H:%M:%S}" for one in report.conflict_times)
            log.warning("%s has changed past %s candles of %s (%s UTC); all are asked for anew",
                        feed.market_id, feed.timeframe, feed.symbol, at)  # fmt: skip
            return None
        return both[slice(-feed.limit, None)]

    def _count(self, feed: Feed) -> None:
        self.requests += 1
        feed.requests += 1

    def _take(
        self,
        feed: Feed,
        candles: Candles,
        timetable: Timetable,
        now: datetime,
        *,
        may_be_sparse: bool,
    ) -> None:
        look = look_at(candles, timetable, now, may_be_sparse=may_be_sparse)
        if look.fault:
            raise DataError(look.fault)
        feed.candles = candles[slice(look.usable_from, None)]
        feed.notes = look.notes
        feed.due_at = next_close(feed.candles, timetable)
        feed.retry_at = None


def is_sparse(market: MarketData, timetable: Timetable) -> bool:
    """Whether candles in which nothing traded may be missing: as the market says; where there are
    hours, vendors leave them out as a rule."""
    if isinstance(market, SparseMarket):
        return market.has_empty_bars_left_out
    return not timetable.is_always_open


async def _wait_for_close(feed: Feed, market: MarketData) -> None:
    """A check comes by the machine's clock; when that is ahead of the venue's, the candle that it
    came for closes in a moment, and the next check may be a quarter of an hour away."""
    if feed.due_at is None:
        return
    left = feed.due_at - market.now()
    if timedelta(0) < left <= min(CLOCKS_APART, timeframe_delta(feed.timeframe) / 10):
        await asyncio.sleep(left.total_seconds())


def _must_ask(feed: Feed, now: datetime, limit: int) -> bool:
    """Whether there is anything newer, or longer, to be had; or time went back behind what is
    known."""
    if feed.retry_at is not None and abs(feed.retry_at - now) <= LATE_REST and now < feed.retry_at:
        return feed.candles is not None and limit > feed.limit
    if feed.candles is None or limit > feed.limit or now < feed.candles.last_close_time:
        return True
    return feed.due_at is not None and now >= feed.due_at


def check_candles(candles: Candles, market: MarketData) -> None:
    """No decision is taken on missing, stale, unfinished or unordered candles; a file that is
    replayed may have the holes of its market's hours. Raises DataError saying which it is."""
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


class PriceBoard:
    """The last price seen of every symbol that somebody watches."""

    def __init__(self) -> None:
        self._quotes: dict[tuple[str, str], Quote] = {}
        self._listeners: list[Callable[[str, Quote, str], None]] = []

    def listen(self, listener: Callable[[str, Quote, str], None]) -> None:
        """Call ``listener`` with every market, quote and bot that ``put`` is given; it must be
        quick and not raise."""
        self._listeners.append(listener)

    def put(self, market_id: str, quote: Quote, bot_id: str = "") -> None:
        """Remember a quote; ``bot_id`` where each bot has a market of its own, as on replays."""
        self._quotes[(market_id + bot_id, quote.symbol)] = quote
        for listener in self._listeners:
            listener(market_id, quote, bot_id)

    def last(self, market_id: str, symbol: str) -> Quote | None:
        """The last quote of a symbol, or None before the first; never a replay's."""
        return self._quotes.get((market_id, symbol))

    def find(self, bot: Bot) -> Quote | None:
        """The last quote of a bot's symbol, or None before the first."""
        market_id, symbol = bot.market, bot.symbol
        return self._quotes.get((market_id + bot.id, symbol)) or self._quotes.get(
            (market_id, symbol)
        )
