"""The supervisor: makes what bots do follow what the user wants, at a start as every second."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from engine.domain.bots import ACTIVE_STATES, Bot, BotState, Desired
from engine.domain.records import KillLevel, Level
from engine.domain.sleep import Rest
from engine.errors import QuarterdeckError
from engine.ports import MarketData, Venues, has_steps
from engine.services.books import Books
from engine.services.controls import Controls
from engine.services.lanes import Lanes, account_lane
from engine.services.order_desk import OrderDesk
from engine.services.places import run_where_it_is
from engine.services.pulse import Pulse
from engine.services.sleep import SleepKeeper

log = logging.getLogger("quarterdeck.supervise")

TAKES_BACK = frozenset({KillLevel.CANCEL_ORDERS, KillLevel.CLOSE_ALL})
"""Levels that undo something instead of only forbidding it."""

WANTED_STATE = {Desired.RUNNING: BotState.RUNNING, Desired.PAUSED: BotState.PAUSED}


class BotJobs(Protocol):
    """The scheduler's table of bots: one job each."""

    def add(self, bot: Bot) -> None:
        """Schedule a bot's checks, aligned to candle closes."""
        ...

    def remove(self, bot_id: str) -> None:
        """Take a bot's job out, if it has one."""
        ...


class Supervisor:
    """Reconciles desired with actual state. A restart is the same path as a start."""

    def __init__(
        self,
        books: Books,
        desk: OrderDesk,
        controls: Controls,
        venues: Venues,
        lanes: Lanes,
        pulse: Pulse,
        jobs: BotJobs,
        check_now: Callable[[str], None],
        sleep: SleepKeeper,
        reconcile_account: Callable[[str, MarketData], object] = lambda _account_id, _market: None,
    ) -> None:
        self._books = books
        self._desk = desk
        self._controls = controls
        self._venues = venues
        self._lanes = lanes
        self._pulse = pulse
        self._jobs = jobs
        self._check_now = check_now
        self._sleep = sleep
        self._reconcile_account = reconcile_account
        self.live: set[str] = set()
        self._moving: dict[str, asyncio.Task[None]] = {}
        self._killing: dict[str, asyncio.Task[None]] = {}

    async def reconcile(self) -> None:
        """Begin whatever each bot needs to get where it should be; never waits for a venue."""
        for bot_id in self.live - set(self._books.bots):
            self._forget(bot_id)
        for bot in list(self._books.bots.values()):
            step = self._next_step(bot)
            if step is not None and bot.id not in self._moving:
                task = asyncio.create_task(self._move(bot, step))
                self._moving[bot.id] = task

    def _next_step(self, bot: Bot) -> Callable[[Bot], Awaitable[None]] | None:
        is_live = bot.id in self.live
        if bot.state is BotState.FAULTED:
            return self._leave if is_live else None
        if bot.desired is Desired.STOPPED:
            return self._stop if is_live or bot.state is not BotState.STOPPED else None
        if not is_live:
            return self._start
        if bot.state is not self._wanted_state(bot):
            return self._follow
        if self._sleep.has_to_close(bot) and not self._desk.is_closing(bot.id):
            return self._flatten
        is_unexplained = bot.state is BotState.SLEEPING and not bot.reason
        return self._explain if is_unexplained else None

    async def _move(self, bot: Bot, step: Callable[[Bot], Awaitable[None]]) -> None:
        try:
            await step(bot)
        except QuarterdeckError as error:
            # Shown on the bot and tried again at the next second.
            log.warning("bot %s: %s", bot.id, error)
            await self._show(bot, error.message, "bot.blocked")
        except Exception:
            log.exception("bot %s could not be moved", bot.id)
        finally:
            self._moving.pop(bot.id, None)

    async def _show(self, bot: Bot, message: str, kind: str) -> None:
        try:
            await self._on_lane(bot, self._books.show_reason, bot.id, message, kind, Level.ERROR)
        except QuarterdeckError as error:
            log.warning("bot %s: the reason could not be kept: %s", bot.id, error)

    async def _on_lane(self, bot: Bot, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await run_where_it_is(self._books, self._lanes, bot, call, *args, **kwargs)

    async def finish(self, timeout_s: float) -> None:
        """Wait for the steps that are under way; those that take too long are cancelled."""
        tasks = [*self._moving.values(), *self._killing.values()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=timeout_s)
            for task in late:
                task.cancel()

    # --- steps ----------------------------------------------------------------------------------

    async def _start(self, bot: Bot) -> None:
        await self._on_lane(bot, self._recover, bot)
        current = self._books.bots.get(bot.id)
        if current is None or current.desired is Desired.STOPPED:
            return
        await self._on_lane(bot, self._enter, current)
        self.live.add(bot.id)
        self._jobs.add(current)
        self._check_now(bot.id)

    def _recover(self, bot: Bot) -> None:
        """Settle what was under way when the engine last stopped, at the market's own time."""
        bot = self._books.bots.get(bot.id, bot)
        market = self._venues.market(bot.market, bot.id)
        orders = self._books.working_orders(bot.id)
        if has_steps(market):
            moments = [order.decided_at for order in orders]
            if bot.decided_until is not None:
                moments.append(bot.decided_until)
            if moments:
                market.seek(max(moments))
        market.instrument(bot.symbol)
        self._sleep.learn(bot, market)
        self._reconcile_account(bot.account_id, market)  # before anything of it may enter
        self._desk.advance(bot.id, market)

    def _enter(self, bot: Bot) -> None:
        self._set_state(bot, started_at=self._books.clock.now())

    async def _follow(self, bot: Bot) -> None:
        """Fall asleep, wake up, or do what a person wants; who wakes decides at once on the candle
        that closed last."""
        await self._on_lane(bot, self._set_state, bot)
        if bot.state is BotState.SLEEPING:
            self._check_now(bot.id)

    def _set_state(self, bot: Bot, **changes: Any) -> None:
        rest = self._rest(bot)
        state = self._wanted_state(bot)
        words = rest.words if rest is not None else ""
        with self._books.writing() as writing:
            before = writing.bot(bot.id).state
            writing.save_bot(bot.id, state=state, reason=words, **changes)
            is_awake = (before, state) == (BotState.SLEEPING, BotState.RUNNING)
            verb = "awake again" if is_awake else state.value
            message = f"The bot is {verb}: {bot.symbol} on {bot.market}. {words}".strip()
            writing.event(Level.INFO, f"bot.{state.value}", message, bot.id, before=before.value)

    async def _explain(self, bot: Bot) -> None:
        """A fill ends what was said on a bot; why it sleeps is true all the same."""
        await self._on_lane(bot, self._say_rest, bot)

    def _say_rest(self, bot: Bot) -> None:
        if (rest := self._rest(bot)) is not None:
            with self._books.writing() as writing:
                writing.save_bot(bot.id, reason=rest.words)

    async def _flatten(self, bot: Bot) -> None:
        await self._on_lane(bot, self._close_for_rest, bot)

    def _close_for_rest(self, bot: Bot) -> None:
        """Hold nothing overnight: while the market is still open, once the bot sleeps."""
        market = self._market_at(bot)
        self._desk.close_position(bot.id, market, "session_end")
        self._desk.advance(bot.id, market)

    async def _stop(self, bot: Bot) -> None:
        self._jobs.remove(bot.id)
        self.live.discard(bot.id)  # so that a start in between is a whole start
        await self._on_lane(bot, self._wind_down, bot.id)
        is_own_lane = self._venues.is_stepped(bot.market)
        if is_own_lane and self._books.bots[bot.id].state is BotState.STOPPED:
            self._lanes.retire(account_lane(bot.account_id))

    def _wind_down(self, bot_id: str) -> None:
        """Cancel what is working, close the position when asked to, and then be stopped."""
        bot = self._books.get_bot(bot_id)
        if bot.state is not BotState.STOPPING:
            with self._books.writing() as writing:
                bot = writing.save_bot(bot_id, state=BotState.STOPPING)
        if self._books.working_orders(bot_id) or bot_id in self._books.positions:
            market = self._market_at(bot)
            self._desk.cancel_entries(bot_id, market)
            if bot.close_on_stop:
                self._desk.close_position(bot_id, market, "bot_stopped")
            self._desk.advance(bot_id, market)
        working = self._books.working_orders(bot_id)
        is_kept = bot_id in self._books.positions and not bot.close_on_stop
        is_guarded = bool(working) and is_kept and all(order.is_resting for order in working)
        if (working and not is_guarded) or (bot_id in self._books.positions and not is_kept):
            return
        with self._books.writing() as writing:
            reason = bot.reason
            if is_kept:
                how = "its stop rests at the venue" if is_guarded else "no longer watched"
                reason = f"{reason} Its position is kept and {how}.".strip()
            writing.save_bot(bot_id, state=BotState.STOPPED, reason=reason, close_on_stop=False)
            writing.event(Level.INFO, "bot.stopped", f"The bot is stopped. {reason}".strip(),
                          bot_id)  # fmt: skip
        self._forget(bot_id)

    def _market_at(self, bot: Bot) -> MarketData:
        """The bot's market; a replay stands at the last decided candle."""
        market = self._venues.market(bot.market, bot.id)
        if has_steps(market) and bot.decided_until is not None:
            market.seek(bot.decided_until)
        return market

    async def _leave(self, bot: Bot) -> None:
        """A faulted bot is checked no more; its position stays watched."""
        self._jobs.remove(bot.id)
        self.live.discard(bot.id)

    def _forget(self, bot_id: str) -> None:
        self._jobs.remove(bot_id)
        self.live.discard(bot_id)
        self._venues.forget(bot_id)
        self._pulse.forget(bot_id)

    def _rest(self, bot: Bot) -> Rest | None:
        return self._sleep.rest(bot) if bot.desired is Desired.RUNNING else None

    def _wanted_state(self, bot: Bot) -> BotState:
        return BotState.SLEEPING if self._rest(bot) is not None else WANTED_STATE[bot.desired]

    # --- controls -------------------------------------------------------------------------------

    async def enforce_kill(self) -> None:
        """Begin to carry out the controls on every bot with something to cancel or close.

        Never waits for a venue: one that hangs holds up its own account only. Called as soon as a
        control is set, and again every second until nothing is left.
        """
        if not self._controls.switches:
            return
        for bot in list(self._books.bots.values()):
            if bot.id not in self._killing and self._has_to_go(bot):
                self._killing[bot.id] = asyncio.create_task(self._kill_one(bot))

    def _has_to_go(self, bot: Bot) -> bool:
        """Whether a control takes away orders or the position that the bot has."""
        level = self._level_of(bot)
        if level is KillLevel.CLOSE_ALL and bot.id in self._books.positions:
            return True
        return level in TAKES_BACK and bool(self._books.working.get(bot.id))

    def _level_of(self, bot: Bot) -> KillLevel:
        return self._controls.level_for(account_id=bot.account_id, bot_id=bot.id, symbol=bot.symbol)

    async def _kill_one(self, bot: Bot) -> None:
        """What goes wrong with one bot keeps no other from being stopped."""
        try:
            done = KillLevel.NONE
            # Again at once when somebody pulls harder meanwhile.
            while (level := self._level_of(bot)) in TAKES_BACK and level.strength > done.strength:
                await self._on_lane(bot, self._kill, bot, level)
                done = level
        except QuarterdeckError as error:
            await self._show(bot, error.message, "kill.blocked")
        except Exception:
            log.exception("a control could not be carried out on bot %s", bot.id)
        finally:
            self._killing.pop(bot.id, None)

    def _kill(self, bot: Bot, level: KillLevel) -> None:
        bot = self._books.bots.get(bot.id, bot)
        market = self._market_at(bot)
        is_closing = self._desk.is_closing(bot.id)
        if level is KillLevel.CLOSE_ALL:
            self._desk.close_position(bot.id, market, "kill_switch")  # takes entries back itself
        else:
            self._desk.cancel_entries(bot.id, market)
        begins = self._desk.is_closing(bot.id) and not is_closing
        if not begins:  # of a stopped bot, too, that nobody else watches
            self._desk.advance(bot.id, market)


def is_active(bot: Bot) -> bool:
    """Whether the bot does anything at all."""
    return bot.state in ACTIVE_STATES or bot.desired is not Desired.STOPPED
