"""Acts on the signals of the inbox: at once, in order for each bot, an exit never behind a model.

Each signal is a task. A bot's signals take turns; while a model is asked about an entry its turn is
free, so an exit that comes meanwhile is made at once, and the entry then finds that it came later.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from typing import Protocol, TypeVar
from weakref import WeakValueDictionary

from engine.domain.advice import Counsel, CounselVerdict, Situation
from engine.domain.bots import Bot
from engine.domain.candles import Candles
from engine.domain.signal_rules import ends_position
from engine.domain.signals import Signal
from engine.errors import DataError, LeaseLost, NotFound, StoreError
from engine.ports import Advisor, Venues
from engine.services.books import Books
from engine.services.candle_feed import CandleFeed
from engine.services.conclude_signal import ENTRIES, SignalConcluder
from engine.services.lanes import Lanes
from engine.services.places import run_where_it_is
from engine.services.signal_case import Advised, Ask, Wait

log = logging.getLogger("quarterdeck.signals")

LANE = "signals"
T = TypeVar("T")
Step = Wait | Ask | None

RETRY_S = 0.25
LONGEST_RETRY_S = 5.0
QUICK_TRIES = 20
MOST_TRIES = 30
"""How often an entry, or the close of a part, is tried that waits for a price or for what is under
way: for about half a minute. An exit of all is tried until it is too old."""

FAULT = "Nothing done: the engine failed to decide it; its log says why."


class SituationMaker(Protocol):
    """What gathers all that a model is told: ``services.situations``."""

    async def gather(
        self, bot: Bot, candles: Candles, values: Mapping[str, float | None], decision_id: str
    ) -> Situation:
        """Raises DataError, NotFound."""
        ...


class Counsellor:
    """Asks an advisor about the entries of signals."""

    def __init__(
        self, advisor: Advisor, situations: SituationMaker, feed: CandleFeed, venues: Venues
    ) -> None:
        self._advisor = advisor
        self._situations = situations
        self._feed = feed
        self._venues = venues

    async def review(self, ask: Ask) -> Counsel:
        """What the advisor makes of an entry; a veto where it cannot be asked."""
        config, ai = ask.bot.config, ask.bot.config.ai
        if ai is None:
            raise ValueError(f"bot {ask.bot.id} asks no model")
        try:
            market = self._venues.market(config.market, ask.bot.id)
            candles = await self._feed.candles(
                market, config.symbol, config.timeframe, ai.candle_count
            )
            situation = await self._situations.gather(ask.bot, candles, {}, ask.decision_id)
        except (DataError, NotFound) as error:
            return _veto(f"the model could not be asked: {error.message}")
        return await self._advisor.review(situation, ask.proposal)


class SignalActor:
    """Begins, recovers and ends the tasks; used on the event loop."""

    def __init__(
        self,
        books: Books,
        concluder: SignalConcluder,
        lanes: Lanes,
        counsellor: Counsellor | None = None,
        *,
        retry_s: float = RETRY_S,
    ) -> None:
        self._books = books
        self._concluder = concluder
        self._lanes = lanes
        self._counsellor = counsellor
        self._retry_s = retry_s
        self._is_ending = False
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._entry_turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def begin(self, signal_id: str) -> None:
        """Act on a signal that was committed, unless that is being done, or all of it ends."""
        if signal_id not in self._tasks and not self._is_ending:
            self._tasks[signal_id] = task = asyncio.create_task(self._act(signal_id))
            task.add_done_callback(lambda _task: self._tasks.pop(signal_id, None))

    async def recover(self, begin: Callable[[Signal], None]) -> None:
        """Give ``begin`` what a stop or a crash left undecided, oldest first. What is too old by
        now expires; exits are still made within a day."""
        for signal in await self._lanes.run(LANE, self._concluder.rows.undecided):
            begin(signal)

    async def settled(self) -> None:
        """Wait until nothing is being acted on."""
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    async def finish(self, timeout_s: float) -> None:
        """Let what runs end; what does not, or is begun later, is left to ``recover``."""
        self._is_ending = True
        tasks = list(self._tasks.values())
        if not tasks:
            return
        _, left = await asyncio.wait(tasks, timeout=timeout_s)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    # --- one signal ----------------------------------------------------------------------------

    async def _act(self, signal_id: str) -> None:
        try:
            # One thread reads them all, so they come back in the order in which they came.
            signal = await self._stored(
                lambda: self._lanes.run(LANE, self._concluder.rows.find, signal_id)
            )
            if signal is None:
                log.error("signal %s is not in the inbox", signal_id)
                return
            await self._take_turns(signal)
        except LeaseLost:
            log.warning("signal %s is left to the engine that took over", signal_id)
        except Exception:  # a fault of ours: nothing of the others, and the inbox says so
            log.exception("signal %s could not be decided", signal_id)
            await self._stored(
                lambda: self._lanes.run(LANE, self._concluder.give_up, signal_id, FAULT)
            )

    async def _take_turns(self, signal: Signal) -> None:
        """Entries of a bot one after the other, with all that they wait for; what closes does not
        wait for them."""
        is_entry = signal.order is not None and signal.order.action in ENTRIES
        if not is_entry and await self._decided(signal) is None:
            return
        async with _turn(self._entry_turns, signal.bot_id or ""):
            ask = await self._decided(signal)  # those before it may have changed everything
            if ask is not None:
                counsel = await self._review(ask)
                await self._decided(signal, Advised(ask, counsel))

    async def _review(self, ask: Ask) -> Counsel:
        if self._counsellor is None:
            return _veto("no model is connected: set one up on the Settings page")
        return await self._counsellor.review(ask)

    async def _decided(self, signal: Signal, advised: Advised | None = None) -> Ask | None:
        """Decide it, waiting for what has to happen first; what is left to ask."""
        turn = _turn(self._turns, signal.bot_id or "")

        async def attempt(is_last: bool) -> Step:
            return await self._stored(lambda: self._on_lane(signal, advised, is_last=is_last))

        async def attempt_in_turn(is_last: bool) -> Step:
            async with turn:
                return await attempt(is_last)

        if signal.order is not None and not ends_position(signal.order):
            return await self._until_decided(attempt_in_turn, MOST_TRIES)
        async with turn:  # what comes after an exit is about what that leaves
            return await self._until_decided(attempt, None)

    async def _until_decided(
        self, attempt: Callable[[bool], Awaitable[Step]], most: int | None
    ) -> Ask | None:
        for number in count(1):
            step = await attempt(number == most)
            if not isinstance(step, Wait):
                return step
            growth = 2.0 ** min(max(number - QUICK_TRIES, 0), 10)
            await asyncio.sleep(min(self._retry_s * growth, LONGEST_RETRY_S))
        raise AssertionError("count() does not end")

    async def _on_lane(self, signal: Signal, advised: Advised | None, *, is_last: bool) -> Step:
        bot = self._books.bots.get(signal.bot_id or "")
        decide = self._concluder.decide
        if bot is None:  # it says so in the inbox
            return await self._lanes.run(LANE, decide, signal.id)
        step: Step = await run_where_it_is(
            self._books, self._lanes, bot, decide, signal.id, advised, is_last=is_last
        )
        return step

    async def _stored(self, call: Callable[[], Awaitable[T]]) -> T:
        """What ``call`` gives, however long the database refuses."""
        while True:
            try:
                return await call()
            except LeaseLost:
                raise
            except StoreError as error:
                log.warning("a signal waits for the database: %s", error.message)
                await asyncio.sleep(self._retry_s)


def _turn(turns: WeakValueDictionary[str, asyncio.Lock], bot_id: str) -> asyncio.Lock:
    """The bot's lock, for as long as somebody holds or awaits it."""
    lock = turns.get(bot_id)
    if lock is None:
        turns[bot_id] = lock = asyncio.Lock()
    return lock


def _veto(reason: str) -> Counsel:
    return Counsel(verdict=CounselVerdict.VETO, reason=reason)
