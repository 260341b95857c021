"""One cycle of a bot: closed candles -> strategy -> risk gate -> order desk, with a trace."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from engine.domain.bots import WORKING_STATES, Bot, BotState, Desired
from engine.domain.cycle import choose_action, entry_of
from engine.domain.decisions import Action, Intent
from engine.domain.exits import price_bar
from engine.domain.instruments import Quote
from engine.domain.money import exact, from_epoch_ms
from engine.domain.records import Level
from engine.domain.routes import RoutePlan
from engine.domain.timeframes import timeframe_delta
from engine.domain.trace import decision_of, first_steps
from engine.errors import ConfigError, DataError, NotFound, StrategyError
from engine.ports import MarketData, SteppedMarket, StrategyHost, Venues, has_steps
from engine.services.books import Books
from engine.services.candle_feed import CandleFeed, PriceBoard, check_candles
from engine.services.conclude import Concluder
from engine.services.consult import Consultant
from engine.services.feed_status import Fed
from engine.services.hold_writer import HoldWriter
from engine.services.lanes import STRATEGY_LANE, Lanes, account_lane
from engine.services.order_desk import OrderDesk
from engine.services.route_entries import EntryRouter
from engine.services.watch_positions import PositionWatcher

MOST_STRATEGY_ERRORS = 3
REPLAY_SLICE_S = 0.2
LONGEST_NAP_S = 0.5
MINUTE = timedelta(minutes=1)
"""A shorter candle that is late is not worth a word: the next one is there already."""

TIME_WENT_BACK = 5
"""Candles by which the newest one is older than what was decided: no more than that is a venue
that is late, or a clock that was set right."""

STRATEGY_FAILURES = (StrategyError, ConfigError)
"""Parameters that no longer fit a strategy that was changed fail like the strategy itself."""

REPLAY_ENDED = "The replay has ended."


class CycleRunner:
    """Decides each closed candle of a bot once, and hands what follows to the order desk."""

    def __init__(
        self,
        books: Books,
        concluder: Concluder,
        desk: OrderDesk,
        watcher: PositionWatcher,
        venues: Venues,
        host: StrategyHost,
        feed: CandleFeed,
        prices: PriceBoard,
        lanes: Lanes,
        router: EntryRouter | None = None,
        consultant: Consultant | None = None,
        *,
        may_decide: Callable[[Bot], bool] = lambda _bot: True,
    ) -> None:
        self._books = books
        self._concluder = concluder
        self._desk = desk
        self._watcher = watcher
        self._venues = venues
        self._host = host
        self._feed = feed
        self._prices = prices
        self._lanes = lanes
        self._router = router
        self._consultant = consultant
        self._may_decide = may_decide
        self._holds = HoldWriter(books, lanes)
        self._is_halted = False

    def halt(self) -> None:
        """Begin no cycle any more; a replay stops after the step it is at."""
        self._is_halted = True

    async def run(self, bot_id: str) -> None:
        """Run one cycle. What goes wrong is shown on the bot and retried at the next."""
        bot = self._find_working(bot_id)
        if bot is None:
            return
        lane = account_lane(bot.account_id)
        try:
            if self._venues.is_stepped(bot.config.market):
                await self._replay(bot)
            elif self._may_decide(bot):
                await self._look(bot, self._venues.market(bot.config.market, bot.id))
        except (DataError, NotFound) as error:
            await self._lanes.run(lane, self._books.show_reason, bot.id, error.message,
                                  "cycle.no_data", Level.WARNING)  # fmt: skip
        except STRATEGY_FAILURES as error:
            await self._lanes.run(lane, self._count_strategy_error, bot.id, error.message)

    async def _look(self, bot: Bot, market: MarketData) -> None:
        """A cycle on a market whose time goes by itself."""
        config = bot.config
        history = await self._lanes.run(
            STRATEGY_LANE, self._host.history, config.strategy, config.params
        )
        shown = config.ai.candle_count if config.ai is not None else 0
        fed = await self._feed.ask(market, config.symbol, config.timeframe, max(history, shown))
        candles = fed.candles
        if bot.decided_until is not None and candles.last_close_time <= bot.decided_until:
            await self._tell_why_nothing_is_decided(bot, fed)
            return
        seen = candles[slice(-history, None)]  # a model may be shown more
        intent = await self._lanes.run(
            STRATEGY_LANE, self._host.decide, config.strategy, config.params, seen
        )
        if config.ai is not None:
            await self._consult(bot, fed, intent)
            return
        if not intent.wants_something:
            steps = first_steps(candles, intent, Action.HOLD, fed.words)
            decision = decision_of(bot, market.now(), candles, intent, Action.HOLD, steps)
            await self._holds.write(decision, candles.last_close_time)
            return
        route = await self._route(bot, intent)
        bot = self._books.bots.get(bot.id, bot)  # it may have gone to another account
        if bot.place is not None:
            market = self._venues.market(bot.market, bot.id)
        lane = account_lane(bot.account_id)
        await self._lanes.run(
            lane,
            self._concluder.conclude,
            bot.id,
            market,
            candles,
            intent,
            config.params,
            route,
            fed.words,
        )

    async def _consult(self, bot: Bot, fed: Fed, intent: Intent) -> None:
        if self._consultant is None:
            raise ValueError(f"bot {bot.id} has a model, and nobody was wired to ask it")
        await self._consultant.look(bot, fed, intent)

    async def _route(self, bot: Bot, intent: Intent) -> RoutePlan | None:
        """Have a flat bot that has a choice of accounts go to the best for the entry it wants; why
        it went there."""
        side = entry_of(choose_action(intent, bot.config.direction, None), None)
        if self._router is None or side is None:
            return None
        return await self._router.settle(bot, side, intent.size)

    async def _tell_why_nothing_is_decided(self, bot: Bot, fed: Fed) -> None:
        """A candle that should be there is not, or time went back: no candle is decided twice."""
        until, newest = bot.decided_until, fed.candles.last_close_time
        length = timeframe_delta(fed.candles.timeframe)
        if until is not None and until - newest >= TIME_WENT_BACK * length:
            reason = f"The market's time went back; nothing is decided before {until:%H:%M:%S} UTC."
            kind = "cycle.clock"
        elif fed.late and length >= MINUTE:
            reason, kind = fed.late, "cycle.late"
        else:
            return
        await self._lanes.run(account_lane(bot.account_id), self._books.show_reason, bot.id,
                              reason, kind, Level.WARNING)  # fmt: skip

    # --- replays --------------------------------------------------------------------------------

    async def _replay(self, bot: Bot) -> None:
        """Step through a replay in slices, so that a stop or a pause is seen in between."""
        lane = account_lane(bot.account_id)
        while True:
            pause_s = await self._lanes.run(lane, self._replay_slice, bot.id)
            if pause_s is None:
                return
            # Waited for here: an interval longer than a candle would drop behind the set speed.
            next_at = time.monotonic() + pause_s
            while (  # noqa: ASYNC110 - a command or a stop, too, ends the wait
                self._find_working(bot.id) and (left_s := next_at - time.monotonic()) > 0
            ):
                await asyncio.sleep(min(left_s, LONGEST_NAP_S))

    def _find_working(self, bot_id: str) -> Bot | None:
        """The bot, while it is one whose candles are decided."""
        bot = self._books.bots.get(bot_id)
        is_working = bot is not None and bot.state in WORKING_STATES and not self._is_halted
        return bot if is_working else None

    def _replay_slice(self, bot_id: str) -> float | None:
        """Take the steps of one slice. Wall seconds until the next; None when nothing is left."""
        ends_at = time.monotonic() + REPLAY_SLICE_S
        while (bot := self._find_working(bot_id)) is not None:
            # Asked for each time: a bot that was stopped and started has a new instance.
            market = self._venues.market(bot.config.market, bot_id)
            if not has_steps(market):
                raise TypeError(f"{market.market_id} is not a replay")
            moment = market.next_step(bot.config.timeframe, bot.decided_until)
            if moment is None:
                self._end_replay(bot_id)
                return None
            try:
                self._replay_step(bot, market, moment)
            except STRATEGY_FAILURES as error:
                self._count_strategy_error(bot_id, error.message)
                return None
            pause_s = market.pause_s(bot.config.timeframe)
            if pause_s > 0 or time.monotonic() >= ends_at:
                return pause_s
        return None

    def _replay_step(self, bot: Bot, market: SteppedMarket, moment: datetime) -> None:
        """One candle: first the market's own bars inside it, for the levels, then the decision."""
        config = bot.config
        market.seek(moment)
        opened = moment - timeframe_delta(config.timeframe)
        for bar in market.bars_since(config.symbol, opened).bars():
            until = from_epoch_ms(bar.close_ms)
            market.seek(until)
            # Judged by what was held during the bar, before anything is traded at its close.
            self._watcher.watch_bar(bot.id, market, price_bar(bar), until, has_seen_price=True)
            self._desk.advance(bot.id, market)
        market.seek(moment)
        history = self._host.history(config.strategy, config.params)
        candles = market.candles(config.symbol, config.timeframe, limit=history)
        check_candles(candles, market)
        intent = self._host.decide(config.strategy, config.params, candles)
        close = exact(float(candles.close[-1]))
        seen = Quote(symbol=config.symbol, bid=close, ask=close, last=close, time=moment)
        self._prices.put(config.market, seen, bot.id)
        self._concluder.conclude(bot.id, market, candles, intent)

    def _end_replay(self, bot_id: str) -> None:
        with self._books.writing() as writing:
            writing.save_bot(bot_id, desired=Desired.STOPPED, close_on_stop=False,
                             reason=REPLAY_ENDED)  # fmt: skip
            writing.event(Level.INFO, "replay.ended", REPLAY_ENDED, bot_id)

    def _count_strategy_error(self, bot_id: str, message: str) -> None:
        """Show a strategy's failure; the third in a row faults its bot and nobody else."""
        with self._books.writing() as writing:
            errors = writing.bot(bot_id).strategy_errors + 1
            is_fault = errors >= MOST_STRATEGY_ERRORS
            reason = f"Strategy error {errors} of {MOST_STRATEGY_ERRORS}: {message}"
            if is_fault:
                writing.save_bot(bot_id, strategy_errors=errors, reason=reason,
                                 state=BotState.FAULTED)  # fmt: skip
            else:
                writing.save_bot(bot_id, strategy_errors=errors, reason=reason)
            kind = "bot.faulted" if is_fault else "strategy.error"
            writing.event(Level.ERROR, kind, reason, bot_id)
