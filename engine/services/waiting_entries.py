"""What follows once a model has spoken: on the account's lane, on what has become of the bot."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from engine.domain.advice import Counsel, CounselVerdict
from engine.domain.bots import WORKING_STATES, Bot
from engine.domain.cycle import MAY_LONG, MAY_SHORT, choose_action, entry_of
from engine.domain.decisions import Action, Decision, Intent, TraceStep, Verdict
from engine.domain.exits import fixed_levels
from engine.domain.money import from_epoch_ms
from engine.domain.orders import Order
from engine.domain.positions import Position, PositionSide
from engine.domain.routes import RoutePlan
from engine.domain.sizing import stake
from engine.domain.trace import decision_of, first_steps
from engine.domain.waiting import Waiting, decides, held_back, what_changed, what_was_passed
from engine.errors import Conflict
from engine.ports import MarketData
from engine.services.books import Books
from engine.services.conclude import EXIT_LEG, Concluder, limited
from engine.services.order_desk import OrderDesk, client_id, entry_lag
from engine.services.places import is_here

OWN_MOMENT = timedelta(microseconds=1)
"""By which the entry of a reversal is later than its exit: decisions are unique by their time."""

SUPERSEDED = "a newer candle was decided while the model was asked"
NOT_CLOSED = "the exit before it was not filled"
MAY = {PositionSide.LONG: MAY_LONG, PositionSide.SHORT: MAY_SHORT}
ENTERS = {PositionSide.LONG: Action.ENTER_LONG, PositionSide.SHORT: Action.ENTER_SHORT}


@dataclass(frozen=True)
class Spoken:
    """What a model said: the intent that it limits (an advisor) or is (a decider). ``price`` is
    the one it was told, at ``asked_at``."""

    intent: Intent
    counsel: Counsel
    asked_at: datetime
    price: Decimal


class WaitingEntries:
    """Concludes what waited for a model. An exit that a model wants is always carried out; an
    entry only while everything is as it was when the model was asked."""

    def __init__(self, books: Books, concluder: Concluder, desk: OrderDesk) -> None:
        self._books = books
        self._concluder = concluder
        self._desk = desk

    def resume(
        self,
        waiting: Waiting,
        market: MarketData,
        spoken: Spoken,
        route: RoutePlan | None = None,
    ) -> None:
        """Write the decision with its orders. A bot that was stopped or moved meanwhile decides
        nothing; one that was changed decides its candle anew. Raises DataError, NotFound."""
        bot = self._books.bots.get(waiting.bot.id)
        if bot is None or bot.state not in WORKING_STATES or not is_here(bot, market):
            return
        if waiting.is_reversal:
            self._enter_after_exit(bot, waiting, market, spoken)
            return
        if bot.config != waiting.bot.config:
            return
        closed = waiting.candles.last_close_time
        if bot.decided_until is not None and bot.decided_until > closed:
            self._write_superseded(bot, waiting, spoken)
            return
        position = self._books.positions.get(bot.id)
        side = _opens(bot, spoken.intent, position)
        counsel = spoken.counsel
        if side is not None:
            counsel = self._checked(bot, waiting, market, spoken, side, position)
        self._concluder.conclude(
            bot.id, market, waiting.candles, spoken.intent, bot.config.params, route,
            waiting.other_source, counsel, None if side is None else spoken.asked_at,
        )  # fmt: skip

    def objection(self, bot_id: str, market: MarketData, other_source: str = "") -> str:
        """Why nothing can follow from a decider's answer now; empty: something can. What is held
        may always be closed."""
        bot = self._books.get_bot(bot_id)
        if self._desk.is_closing(bot_id):
            return "an exit is under way"
        if bot_id in self._books.positions:
            return ""
        sides = [side for side, may in MAY.items() if bot.config.direction in may]
        steps = [
            self._concluder.risk(bot, market, side, stake(bot), None, other_source)
            for side in sides
        ]
        return "" if any(one.verdict is Verdict.PASS for one in steps) else steps[0].detail

    def _checked(
        self,
        bot: Bot,
        waiting: Waiting,
        market: MarketData,
        spoken: Spoken,
        side: PositionSide,
        position: Position | None,
    ) -> Counsel:
        """The counsel, or a veto where something has changed that it knows nothing of."""
        counsel = spoken.counsel
        if counsel.verdict is CounselVerdict.VETO:
            return counsel
        age = market.now() - spoken.asked_at
        why = what_changed(waiting, bot, position, age, entry_lag(bot))
        if not why:
            own_stop, _ = fixed_levels(
                bot.config, side, spoken.price, market.instrument(bot.symbol)
            )
            why = what_was_passed(counsel, own_stop, side, market.quote(bot.symbol).last)
        return held_back(counsel, why) if why else counsel

    def _write_superseded(self, bot: Bot, waiting: Waiting, spoken: Spoken) -> None:
        """Say in the trace why nothing came of an older candle's answer."""
        steps = first_steps(
            waiting.candles, spoken.intent, Action.HOLD, waiting.other_source,
            is_of_model=decides(bot),
        )  # fmt: skip
        steps.append(held_back(spoken.counsel, SUPERSEDED).step)
        decision = decision_of(
            bot, spoken.asked_at, waiting.candles, spoken.intent, Action.HOLD, steps
        )
        try:
            with self._books.writing() as writing:
                writing.tx.decisions.add(decision)
        except Conflict:
            return  # the candle itself was decided meanwhile, by an exit

    # --- the entry of a reversal ------------------------------------------------------------------

    def _enter_after_exit(
        self, bot: Bot, waiting: Waiting, market: MarketData, spoken: Spoken
    ) -> None:
        if waiting.side is None:
            raise ValueError(f"the reversal of bot {bot.id} has no side")
        position = self._books.positions.get(bot.id)
        working_exit = self._exit_of(waiting)
        counsel = self._checked(bot, waiting, market, spoken, waiting.side, position)
        if bot.decided_until is not None and bot.decided_until > waiting.candles.last_close_time:
            counsel = held_back(counsel, SUPERSEDED)
        elif position is not None and position.side is not waiting.side and working_exit is None:
            counsel = held_back(counsel, NOT_CLOSED)
        intent = limited(spoken.intent, counsel)
        steps = [
            *first_steps(waiting.candles, intent, ENTERS[waiting.side], waiting.other_source),
            counsel.step,
            self._concluder.risk(
                bot, market, waiting.side, stake(bot, intent.size), position, waiting.other_source
            ),
        ]
        decision = _entry_decision(bot, waiting, intent, steps, spoken.asked_at)
        instrument = market.instrument(bot.symbol)  # not within the transaction
        try:
            with self._books.writing() as writing:
                self._concluder.write(
                    writing, bot, instrument, decision, intent, position, None, counsel,
                    after=working_exit,
                )  # fmt: skip
        except Conflict:
            return  # it was decided before
        self._desk.advance(bot.id, market)

    def _exit_of(self, waiting: Waiting) -> Order | None:
        """The reversal's own exit while it works; one that took its place is not waited for."""
        opened = from_epoch_ms(int(waiting.candles.time[-1]))
        own_id = client_id(waiting.bot.id, opened, EXIT_LEG)
        return self._books.working.get(waiting.bot.id, {}).get(own_id)


def _opens(bot: Bot, intent: Intent, position: Position | None) -> PositionSide | None:
    """The side that an intent opens or adds to."""
    held = position.side if position else None
    return entry_of(choose_action(intent, bot.config.direction, held), held)


def _entry_decision(
    bot: Bot,
    waiting: Waiting,
    intent: Intent,
    steps: list[TraceStep],
    asked_at: datetime,
) -> Decision:
    """The decision that follows the exit's: with an id and a time of its own."""
    is_vetoed = any(step.verdict is Verdict.VETO for step in steps)
    action = Action.HOLD if is_vetoed or waiting.side is None else ENTERS[waiting.side]
    decision = decision_of(bot, asked_at, waiting.candles, intent, action, steps)
    return decision.model_copy(
        update={"id": waiting.decision_id, "candle_time": decision.candle_time + OWN_MOMENT}
    )
