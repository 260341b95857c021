"""The position watcher: exits on live prices, whatever a bot's check interval.

Prices are asked for once a second; a market that tells them by itself is listened to as well, so
that a level is seen when it is touched. A level that rests at the venue is left to the venue for a
few seconds: two orders for one position would be in each other's way.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from engine.domain.bots import Bot, BotState
from engine.domain.exits import PriceBar, better_price, find_exit, live_bar
from engine.domain.instruments import Quote
from engine.domain.orders import Order, Side
from engine.domain.positions import Position
from engine.domain.records import Level
from engine.errors import DataError, NotFound, QuarterdeckError
from engine.ports import MarketData, StreamingMarket, Venues
from engine.services.books import Books
from engine.services.candle_feed import CandleFeed, PriceBoard
from engine.services.lanes import Lanes, account_lane, market_lane
from engine.services.order_desk import OrderDesk
from engine.services.places import is_here
from engine.services.quote_desk import QuoteDesk
from engine.services.sleep import SleepKeeper

log = logging.getLogger("quarterdeck.watch")

UNWATCHED = frozenset({BotState.STOPPED})
"""Only a bot that was stopped leaves its position alone; a faulted one keeps its stops. What rests
at a venue for a stopped bot is followed all the same."""

GRACE_S = 5.0
"""How long a level that rests at the venue and was touched is left to the venue."""

STALE = timedelta(minutes=1)
"""A live price from this long before an entry is not one that came late."""

Look = tuple[str, str]
"""A market's id and a symbol of it."""


class PositionWatcher:
    """Looks at the price of every watched symbol once a second and closes what must be closed."""

    def __init__(
        self,
        books: Books,
        desk: OrderDesk,
        venues: Venues,
        prices: PriceBoard,
        lanes: Lanes,
        sleep: SleepKeeper | None = None,
        feed: CandleFeed | None = None,
    ) -> None:
        self._books = books
        self._desk = desk
        self._venues = venues
        self._prices = prices
        self._lanes = lanes
        self._sleep = sleep
        self._quotes = QuoteDesk(lanes, prices, feed)
        self._looking: dict[str, asyncio.Task[None]] = {}
        self._feeds: dict[Look, tuple[MarketData, Callable[[], None]]] = {}
        self._told: dict[Look, Quote] = {}
        self._reacting: dict[Look, asyncio.Task[None]] = {}
        self._acting: dict[tuple[str, Look, str], asyncio.Task[None]] = {}
        self._touched_s: dict[str, float] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._troubles: dict[str, str] = {}

    async def watch(self) -> None:
        """Begin one look at each market whose time goes by itself.

        A market that is still busy with its last look is passed over: it delays nobody else.
        """
        looks: dict[str, dict[str, list[Bot]]] = defaultdict(lambda: defaultdict(list))
        for bot in list(self._books.bots.values()):
            if self._is_looked_after(bot) and not self._venues.is_stepped(bot.market):
                looks[bot.market][bot.symbol].append(bot)
        for look in [(market, symbol) for market, symbol in self._feeds
                     if symbol not in looks.get(market, {})]:  # fmt: skip
            end = self._lanes.run(market_lane(look[0]), self._feeds.pop(look)[1])
            self._ending.add(task := asyncio.create_task(end))
            task.add_done_callback(self._ending.discard)
        for market_id, bots in looks.items():
            if market_id not in self._looking:
                self._looking[market_id] = asyncio.create_task(self._look(market_id, bots))

    def _is_looked_after(self, bot: Bot) -> bool:
        """Whether a bot's price is asked for: not while its market is closed, nor asleep with
        nothing at stake. Orders that work are followed at any time."""
        is_in_position = bot.id in self._books.positions
        if bot.state in UNWATCHED:
            return is_in_position
        if self._books.working.get(bot.id):
            return True
        return self._is_open(bot) and (is_in_position or bot.state is not BotState.SLEEPING)

    def _is_open(self, bot: Bot) -> bool:
        return self._sleep is None or self._sleep.is_market_open(bot)

    async def _look(self, market_id: str, bots: dict[str, list[Bot]]) -> None:
        """One symbol's trouble leaves the others of its market alone."""
        lane = market_lane(market_id)
        try:
            # There, too, for a market is slow to build when its vendor's library is loaded.
            market = await self._lanes.run(lane, self._venues.market, market_id)
            for symbol in bots:
                await self._begin_listening((market_id, symbol), market)
            async for quote in self._quotes.ask(market, list(bots)):
                self._watch_bots((market_id, quote.symbol), bots[quote.symbol], market, quote)
            self._troubles.pop(market_id, None)
        except QuarterdeckError as error:
            if self._troubles.get(market_id) != error.message:  # said once, not every second
                self._troubles[market_id] = error.message
                log.warning("%s cannot be watched: %s", market_id, error.message)
        except Exception:
            log.exception("%s could not be watched", market_id)
        finally:
            del self._looking[market_id]

    async def _begin_listening(self, look: Look, market: MarketData) -> None:
        lane = market_lane(look[0])
        if look in self._feeds and self._feeds[look][0] is not market:  # it was reopened
            await self._lanes.run(lane, self._feeds.pop(look)[1])
        if look in self._feeds or not isinstance(market, StreamingMarket):
            return
        listen = partial(self._listen, look, market, asyncio.get_running_loop())
        try:
            self._feeds[look] = market, await self._lanes.run(lane, listen)
        except (DataError, NotFound) as error:
            log.warning("%s on %s could not be listened to: %s", look[1], look[0], error)

    # --- prices that are told -------------------------------------------------------------------

    def _listen(
        self, look: Look, market: StreamingMarket, loop: asyncio.AbstractEventLoop
    ) -> Callable[[], None]:
        """On the market's lane: its listing may have to be asked for first."""

        def on_quote(quote: Quote) -> None:
            loop.call_soon_threadsafe(self._hear, look, market, quote)

        return market.watch(look[1], on_quote)

    def _hear(self, look: Look, market: MarketData, quote: Quote) -> None:
        """Keep the newest price; while one is being judged, those in between are passed over."""
        self._told[look] = quote
        if look not in self._reacting:
            self._reacting[look] = asyncio.create_task(self._react(look, market))

    async def _react(self, look: Look, market: MarketData) -> None:
        try:
            while (quote := self._told.pop(look, None)) is not None:
                self._prices.put(market.market_id, quote)
                self._judge(look, market, quote)
        except Exception:
            log.exception("%s on %s could not be judged", look[1], look[0])
        finally:
            del self._reacting[look]

    def _judge(self, look: Look, market: MarketData, quote: Quote) -> None:
        by_account: dict[str, list[str]] = defaultdict(list)
        for position in list(self._books.positions.values()):
            bot = self._books.bots.get(position.bot_id)
            if bot is None or bot.state in UNWATCHED or not self._is_open(bot):
                continue
            if (bot.market, bot.symbol) == look:
                by_account[bot.account_id].append(bot.id)
        self._act("judge", look, by_account, self._judge_account, market, quote)

    def _judge_account(
        self, bot_ids: list[str], market: MarketData, bar: PriceBar, until: datetime
    ) -> None:
        for bot_id in self._those_here(bot_ids, market):
            try:
                self.watch_bar(bot_id, market, bar, until, has_seen_price=False)
            except QuarterdeckError as error:
                self._books.show_reason(bot_id, error.message, "watch.error", Level.ERROR)

    def _those_here(self, bot_ids: Sequence[str], market: MarketData) -> Iterator[str]:
        """Bots that were not deleted, and have not moved to another market, while this waited."""
        for bot_id in bot_ids:
            bot = self._books.bots.get(bot_id)
            if bot is not None and is_here(bot, market):
                yield bot_id

    # --- prices that are asked for --------------------------------------------------------------

    def _watch_bots(self, look: Look, bots: list[Bot], market: MarketData, quote: Quote) -> None:
        by_account: dict[str, list[str]] = defaultdict(list)
        for bot in bots:
            is_watched = bot.state not in UNWATCHED and bot.id in self._books.positions
            is_watched = is_watched and self._is_open(bot)
            if is_watched or self._books.working.get(bot.id):
                by_account[bot.account_id].append(bot.id)
        self._act("watch", look, by_account, self._watch_account, market, quote)

    def _act(
        self,
        what: str,
        look: Look,
        by_account: Mapping[str, list[str]],
        call: Callable[[list[str], MarketData, PriceBar, datetime], None],
        market: MarketData,
        quote: Quote,
    ) -> None:
        """Act on each account's own lane; one that hangs on the last price is passed over."""
        bar = live_bar(quote.last, quote.time)
        for account_id, bot_ids in by_account.items():
            key = (what, look, account_id)
            if key in self._acting:
                continue
            work = self._lanes.run(account_lane(account_id), call, bot_ids, market, bar, quote.time)
            self._acting[key] = task = asyncio.ensure_future(work)
            task.add_done_callback(partial(self._acted, key))

    def _acted(self, key: tuple[str, Look, str], task: "asyncio.Future[None]") -> None:
        del self._acting[key]
        if not task.cancelled() and task.exception() is not None:
            log.error("%s could not be acted on", key, exc_info=task.exception())

    def _watch_account(
        self, bot_ids: list[str], market: MarketData, bar: PriceBar, until: datetime
    ) -> None:
        for bot_id in self._those_here(bot_ids, market):
            try:
                self._desk.advance(bot_id, market)
                bot = self._books.get_bot(bot_id)
                if bot.state not in UNWATCHED and self._is_open(bot):
                    self.watch_bar(bot_id, market, bar, until, has_seen_price=False)
            except QuarterdeckError as error:
                self._books.show_reason(bot_id, error.message, "watch.error", Level.ERROR)
            except Exception:
                log.exception("bot %s could not be watched", bot_id)  # the others still are

    def watch_bar(
        self,
        bot_id: str,
        market: MarketData,
        bar: PriceBar,
        until: datetime,
        *,
        has_seen_price: bool,
    ) -> None:
        """Judge one bar (or live price) of a bot's open position, and close it where a level is
        reached. ``has_seen_price`` fills at the level itself, for bars seen after the fact."""
        position = self._books.positions.get(bot_id)
        if position is None or _is_past(position, bar, until, has_seen_price):
            return
        bot = self._books.get_bot(bot_id)
        trigger = find_exit(position, bot.config, market.instrument(position.symbol), bar)
        if trigger is not None and self._is_left_to_venue(position, bar):
            return
        if trigger is not None:
            seen_price = trigger.price if has_seen_price else None
            self._desk.close_position(bot_id, market, trigger.reason, seen_price=seen_price)
            return
        self._touched_s.pop(bot_id, None)
        if bot.config.trailing_stop is None:
            return
        best = better_price(position, bar)
        if best != position.best_price:
            with self._books.writing() as writing:
                writing.put_position(
                    position.model_copy(update={"best_price": best, "watched_until": until})
                )

    def _is_left_to_venue(self, position: Position, bar: PriceBar) -> bool:
        """Whether a resting order of the position is touched, and its time is not over yet."""
        resting = [
            order for order in self._books.working_orders(position.bot_id) if order.is_resting
        ]  # fmt: skip
        is_touched = any(_is_reached(order, bar) for order in resting)
        if not is_touched:
            return False
        now = self._books.clock.monotonic()
        return now - self._touched_s.setdefault(position.bot_id, now) < GRACE_S


def _is_past(position: Position, bar: PriceBar, until: datetime, has_seen_price: bool) -> bool:
    """Whether a price is older than the position, or was judged before. A live price counts for
    now whatever its time, but for one from just before the entry: clocks are corrected."""
    if has_seen_price:
        return bar.time < position.opened_at or until <= position.watched_until
    return timedelta(0) < position.opened_at - bar.time < STALE


def _is_reached(order: Order, bar: PriceBar) -> bool:
    """Whether a resting order's trigger, or its limit, lies within what was traded."""
    level = order.stop_price or order.price
    if level is None:
        return False
    # Below the market rest a sale's stop and a purchase's limit.
    is_below = (order.side is Side.SELL) == (order.stop_price is not None)
    return bar.low <= level if is_below else bar.high >= level
