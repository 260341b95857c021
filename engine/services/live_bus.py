"""The live stream within the engine: what was committed, and prices, to whoever listens.

A listener that is slow never slows anything else: of prices it gets the newest of each symbol, of
all else a bounded number waits for it, and it is told how many it has lost.
"""

import asyncio
import secrets
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pydantic import BaseModel

from engine.domain.bots import Bot
from engine.domain.instruments import Quote
from engine.domain.live import BotChange, LiveFilter, LiveKind, LiveMessage, PriceTick
from engine.domain.records import Level
from engine.services.books import Writing

MOST_SUBSCRIBERS = 32
MOST_WAITING = 1_000
REMEMBERED = 5_000
"""So many messages can be asked for again after a broken connection."""


@dataclass(frozen=True)
class Batch:
    """What waited for a subscriber, in order; ``lost`` came before and is gone."""

    lost: int
    messages: Sequence[LiveMessage]


class Subscription:
    """One listener's queue. Made by ``LiveBus.subscribe``; ``take`` is for the event loop that it
    was made on, ``offer`` for any thread that holds the bus's lock."""

    def __init__(self, chosen: LiveFilter, lock: threading.Lock) -> None:
        self.number = 0
        self.missed: Sequence[LiveMessage] | None = ()
        self.is_closed = False
        self._chosen = chosen
        self._lock = lock
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._waiting: deque[LiveMessage] = deque()
        self._prices: dict[tuple[str, str, str], LiveMessage] = {}
        self._lost = 0
        self._is_woken = False

    def offer(self, message: LiveMessage) -> None:
        """Queue what it wants to know."""
        if not self._chosen.wants(message):
            return
        if message.kind is LiveKind.PRICE:
            self._prices[message.market, message.bot_id, message.symbol] = message
        else:
            if len(self._waiting) >= MOST_WAITING:
                self._waiting.popleft()
                self._lost += 1
            self._waiting.append(message)
        self._wake()

    def close(self) -> None:
        """Nothing comes any more."""
        self.is_closed = True
        self._wake()

    async def take(self, patience_s: float) -> Batch:
        """What waits; an empty batch when nothing came in time, or it is closed."""
        try:
            await asyncio.wait_for(self._ready.wait(), patience_s)
        except TimeoutError:
            return Batch(0, ())
        with self._lock:
            batch = Batch(self._lost, (*self._waiting, *self._prices.values()))
            self._waiting.clear()
            self._prices.clear()
            self._lost, self._is_woken = 0, False
            self._ready.clear()
        return batch

    def _wake(self) -> None:
        if not self._is_woken:
            self._is_woken = True
            with suppress(RuntimeError):  # its loop is closed, and so is its connection
                self._loop.call_soon_threadsafe(self._ready.set)


class LiveBus:
    """``on_commit`` and ``on_price`` take from any thread, and neither waits nor fails."""

    def __init__(self) -> None:
        self.id = secrets.token_hex(4)  # numbers of another run of the engine mean nothing here
        self._lock = threading.Lock()
        self._number = 0
        self._remembered: deque[LiveMessage] = deque(maxlen=REMEMBERED)
        self._subscriptions: set[Subscription] = set()
        self._bots: dict[str, BotChange] = {}
        self._is_closed = False

    def begin(self, bots: Iterable[Bot]) -> None:
        """What is known already and so is no change."""
        self._bots = {bot.id: BotChange.of(bot) for bot in bots}

    # --- what comes in --------------------------------------------------------------------------

    def on_commit(self, writing: Writing) -> None:
        """Tell what a transaction has changed; called once it is committed, in the order of
        commits."""
        with self._lock:
            for bot_id, bot in writing.bots.items():
                self._put_bot(bot_id, bot)
            for decision in writing.decisions:
                self._put(LiveKind.DECISION, decision, decision.bot_id)
            for order in writing.orders.values():
                self._put(LiveKind.ORDER, order, order.bot_id, order.symbol)
            for fill in writing.fills:
                self._put(LiveKind.FILL, fill, fill.bot_id, fill.symbol)
            for position in writing.positions.values():
                self._put(LiveKind.POSITION, position, position.bot_id, position.symbol)
            for event in writing.written_events:
                if event.level is not Level.DEBUG:
                    self._put(LiveKind.EVENT, event, event.bot_id or "")

    def on_price(self, market_id: str, quote: Quote, bot_id: str) -> None:
        """Tell a price; ``bot_id`` where the bot has a market of its own."""
        if not self._subscriptions:
            return
        tick = PriceTick(
            market=market_id, symbol=quote.symbol, bid=quote.bid, ask=quote.ask, last=quote.last,
            time=quote.time,
        )  # fmt: skip
        message = LiveMessage(
            LiveKind.PRICE, tick, bot_id=bot_id, market=market_id, symbol=quote.symbol
        )
        with self._lock:
            self._offer(message)

    def _put_bot(self, bot_id: str, bot: Bot | None) -> None:
        before = self._bots.get(bot_id)
        if bot is None:
            if before is not None:
                del self._bots[bot_id]
                self._put(LiveKind.BOT, before.model_copy(update={"is_deleted": True}), bot_id)
            return
        change = BotChange.of(bot)
        if change != before:  # most writes only say up to when it has decided
            self._bots[bot_id] = change
            self._put(LiveKind.BOT, change, bot_id, bot.symbol)

    def _put(self, kind: LiveKind, data: BaseModel, bot_id: str, symbol: str = "") -> None:
        self._number += 1
        message = LiveMessage(kind, data, self._number, bot_id, symbol=symbol)
        self._remembered.append(message)
        self._offer(message)

    def _offer(self, message: LiveMessage) -> None:
        if not self._is_closed:
            for subscription in self._subscriptions:
                subscription.offer(message)

    # --- who listens ----------------------------------------------------------------------------

    def subscribe(self, chosen: LiveFilter, after: int | None = None) -> Subscription | None:
        """On the event loop. None when there are too many already, or the engine stops.

        ``after`` is the number of the last message that was seen. ``missed`` are then those that
        came since, or None when they are not remembered any more; ``number`` is the newest.
        """
        with self._lock:
            if self._is_closed or len(self._subscriptions) >= MOST_SUBSCRIBERS:
                return None
            subscription = Subscription(chosen, self._lock)
            subscription.number = self._number
            if after is not None:
                subscription.missed = self._since(after, chosen)
            self._subscriptions.add(subscription)
            return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """It has gone."""
        with self._lock:
            self._subscriptions.discard(subscription)

    def close(self) -> None:
        """End every stream: the engine stops."""
        with self._lock:
            self._is_closed = True
            for subscription in self._subscriptions:
                subscription.close()

    @property
    def subscriber_count(self) -> int:
        """How many listen."""
        return len(self._subscriptions)

    def _since(self, after: int, chosen: LiveFilter) -> Sequence[LiveMessage] | None:
        oldest = self._number - len(self._remembered)
        if not oldest <= after <= self._number:
            return None
        return [one for one in self._remembered if one.number > after and chosen.wants(one)]
