"""Bots with a model: what is asked, when, and what is carried on with once there is an answer.

A cycle never waits for a model. It concludes the exits, begins a question, and ends; the answer is
carried on with on its own. So an exit of the next candle, a stop, a pause and the kill switch all
come first, and what they change is looked at again before anything is opened.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import timedelta

from engine.domain.advice import AdvicePurpose, Counsel, CounselVerdict
from engine.domain.bots import Bot
from engine.domain.cycle import choose_action, entry_of
from engine.domain.decisions import Action, Intent
from engine.domain.money import from_epoch_ms
from engine.domain.positions import PositionSide
from engine.domain.records import Level
from engine.domain.sizing import stake
from engine.domain.trace import decision_of, first_steps
from engine.domain.waiting import Waiting, decides, waiting_entry
from engine.errors import DataError, LeaseLost, NotFound, StoreError
from engine.ports import MarketData, Venues
from engine.ports.ai import Advisor
from engine.services.books import Books
from engine.services.conclude import Concluder
from engine.services.feed_status import Fed
from engine.services.hold_writer import HoldWriter
from engine.services.lanes import Lanes, account_lane
from engine.services.route_entries import EntryRouter
from engine.services.situations import Situations, propose
from engine.services.waiting_entries import Spoken, WaitingEntries

log = logging.getLogger("quarterdeck.advice")

READ_LANE = "advice"


@dataclass(frozen=True)
class Links:
    """What a consultant hands on to: the next check of a bot, and the end of an engine that may
    not go on."""

    check_now: Callable[[str], None] = lambda _bot_id: None
    give_up: Callable[[str], None] = lambda _reason: None


class Consultant:
    """Decides the candles of bots with ``config.ai``; at most one question of a bot is under way.
    Used on the event loop."""

    def __init__(
        self,
        books: Books,
        concluder: Concluder,
        waiting: WaitingEntries,
        advisor: Advisor,
        situations: Situations,
        venues: Venues,
        lanes: Lanes,
        router: EntryRouter | None = None,
        links: Links | None = None,
    ) -> None:
        self._books = books
        self._concluder = concluder
        self._waiting = waiting
        self._advisor = advisor
        self._situations = situations
        self._venues = venues
        self._lanes = lanes
        self._router = router
        self._links = links or Links()
        self._holds = HoldWriter(books, lanes)
        self._thinking: dict[str, asyncio.Task[None]] = {}

    def is_thinking(self, bot_id: str) -> bool:
        """Whether a question of the bot is under way."""
        return bot_id in self._thinking

    async def look(self, bot: Bot, fed: Fed, intent: Intent) -> None:
        """Decide the newest candle: exits at once, entries once a model has spoken. Raises
        DataError, NotFound."""
        bot = self._books.bots.get(bot.id, bot)
        market = self._market(bot)
        if self.is_thinking(bot.id) or decides(bot):
            if intent.wants_something and await self._exit(bot, market, fed, intent):
                return
            if not self.is_thinking(bot.id):
                await self._look_for_decider(bot, market, fed, intent)
            return  # the candle waits for the answer to the one before it
        if not intent.wants_something:
            await self._hold(bot, market, fed, intent)
            return
        waiting = await self._lanes.run(
            account_lane(bot.account_id), self._concluder.conclude, bot.id, market, fed.candles,
            intent, bot.config.params, None, fed.words,
        )  # fmt: skip
        if waiting is not None:
            self._begin(bot.id, self._review(waiting))

    async def finish(self, timeout_s: float) -> None:
        """Wait for the questions under way; those that take too long are given up."""
        if self._thinking:
            _, late = await asyncio.wait(list(self._thinking.values()), timeout=timeout_s)
            for task in late:
                task.cancel()

    # --- what needs no model ----------------------------------------------------------------------

    async def _exit(self, bot: Bot, market: MarketData, fed: Fed, intent: Intent) -> bool:
        return await self._lanes.run(
            account_lane(bot.account_id), self._concluder.conclude_exit, bot.id, market,
            fed.candles, intent, bot.config.params, fed.words,
        )  # fmt: skip

    async def _hold(
        self,
        bot: Bot,
        market: MarketData,
        fed: Fed,
        intent: Intent,
        counsel: Counsel | None = None,
    ) -> None:
        steps = first_steps(
            fed.candles, intent, Action.HOLD, fed.words, is_of_model=counsel is not None
        )
        if counsel is not None:
            steps.append(counsel.step)
        decision = decision_of(bot, market.now(), fed.candles, intent, Action.HOLD, steps)
        await self._holds.write(decision, fed.candles.last_close_time)

    async def _look_for_decider(
        self, bot: Bot, market: MarketData, fed: Fed, intent: Intent
    ) -> None:
        """Ask, unless it is too early or nothing could follow; the strategy's entries are no
        matter."""
        position = self._books.positions.get(bot.id)
        waiting = waiting_entry(bot, fed.candles, intent, position, None, fed.words)
        objection = await self._lanes.run(
            account_lane(bot.account_id), self._waiting.objection, bot.id, market, fed.words
        ) or await self._lanes.run(READ_LANE, self._too_early, waiting)
        if objection:
            words = f"the model is not asked: {objection}"
            await self._hold(bot, market, fed, _of_nothing(intent, words))
        elif not self.is_thinking(bot.id):
            self._begin(bot.id, self._decide(waiting, fed))

    def _too_early(self, waiting: Waiting) -> str:
        """Why a decider is not asked about this candle; by the table of advice, so that a restart
        does not ask again. A candle that was asked about already is not too early."""
        ai = waiting.bot.config.ai
        if ai is None or not ai.ask_every_s:
            return ""
        with self._books.store.reading() as tx:
            rows = tx.advice.select(
                bot_id=waiting.bot.id, purpose=AdvicePurpose.DECIDE, is_descending=True, limit=1
            )
        if not rows or rows[0].decision_id == waiting.decision_id:
            return ""
        next_at = rows[0].candle_time + timedelta(seconds=ai.ask_every_s)
        opened = from_epoch_ms(int(waiting.candles.time[-1]))
        return "" if opened >= next_at else f"at most every {ai.ask_every_s} s"

    # --- questions --------------------------------------------------------------------------------

    def _begin(self, bot_id: str, work: Coroutine[None, None, None]) -> None:
        self._thinking[bot_id] = asyncio.create_task(self._think(bot_id, work))

    async def _think(self, bot_id: str, work: Coroutine[None, None, None]) -> None:
        """Carry a question through; what goes wrong is shown on the bot, and the candle is decided
        at its next check."""
        is_done = False
        try:
            await work
            is_done = True
        except (DataError, NotFound) as error:
            await self._show(bot_id, error.message)
        except LeaseLost as error:
            self._links.give_up(error.message)
        except StoreError as error:
            log.error("not decided, tried again at the next check: %s", error,
                      extra={"bot_id": bot_id})  # fmt: skip
        except Exception:
            log.exception("what a model said could not be followed", extra={"bot_id": bot_id})
        finally:
            del self._thinking[bot_id]
        if is_done:
            self._links.check_now(bot_id)  # a candle may have closed meanwhile

    async def _show(self, bot_id: str, message: str) -> None:
        bot = self._books.bots.get(bot_id)
        if bot is not None:
            await self._lanes.run(account_lane(bot.account_id), self._books.show_reason, bot_id,
                                  message, "cycle.no_data", Level.WARNING)  # fmt: skip

    async def _review(self, waiting: Waiting) -> None:
        bot, intent = self._books.bots.get(waiting.bot.id, waiting.bot), waiting.intent
        if waiting.side is None:
            raise ValueError(f"no entry of bot {bot.id} waits")
        situation = await self._situations.gather(
            waiting.bot, waiting.candles, intent.values, waiting.decision_id
        )
        if waiting.is_reversal:  # its exit is under way
            situation = replace(situation, position=None)
        amount = stake(bot, intent.size)
        proposal = propose(waiting.bot, situation, waiting.side, amount, intent.reason)
        counsel = await self._advisor.review(situation, proposal)
        await self._go_on(waiting, Spoken(intent, counsel, situation.now, situation.last_price))

    async def _decide(self, waiting: Waiting, fed: Fed) -> None:
        values = waiting.intent.values
        situation = await self._situations.gather(
            waiting.bot, waiting.candles, values, waiting.decision_id
        )
        choice = await self._advisor.decide(situation)
        intent = choice.intent.model_copy(update={"values": values})
        if intent.wants_something:
            await self._go_on(
                waiting, Spoken(intent, choice.counsel, situation.now, situation.last_price)
            )
        else:
            bot = self._books.bots.get(waiting.bot.id, waiting.bot)
            await self._hold(bot, self._market(bot), fed, intent, choice.counsel)

    async def _go_on(self, waiting: Waiting, spoken: Spoken) -> None:
        """Conclude on the lane of the account that the entry goes to."""
        bot = self._books.bots.get(waiting.bot.id)
        if bot is None:
            return
        side = waiting.side or _side_when_flat(bot, spoken.intent)
        route = None
        is_refused = spoken.counsel.verdict is CounselVerdict.VETO
        if self._router is not None and side is not None and not is_refused:
            route = await self._router.settle(bot, side, spoken.intent.size * spoken.counsel.size)
            bot = self._books.bots.get(bot.id, bot)  # it may have gone to another account
        await self._lanes.run(
            account_lane(bot.account_id), self._waiting.resume, waiting, self._market(bot),
            spoken, route,
        )  # fmt: skip

    def _market(self, bot: Bot) -> MarketData:
        return self._venues.market(bot.market, bot.id)


def _side_when_flat(bot: Bot, intent: Intent) -> PositionSide | None:
    """The entry that a flat bot would choose an account for."""
    return entry_of(choose_action(intent, bot.config.direction, None), None)


def _of_nothing(intent: Intent, reason: str) -> Intent:
    """The strategy's numbers without its wishes."""
    return Intent(reason=reason, values=intent.values)
