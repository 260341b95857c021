"""What follows from an intent: the verdicts of advisor and risk gate, the decision, its orders."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from engine.domain.advice import ADVISED, Counsel, CounselVerdict
from engine.domain.bots import WORKING_STATES, Bot
from engine.domain.candles import Candles
from engine.domain.cycle import choose_action, entry_of
from engine.domain.decisions import Action, Decision, Intent, TraceStep, Verdict
from engine.domain.instruments import Instrument
from engine.domain.money import exact
from engine.domain.orders import Order
from engine.domain.positions import Position, PositionSide
from engine.domain.records import Level
from engine.domain.risk import CASH_RULE, Proposal, judge
from engine.domain.routes import RoutePlan
from engine.domain.sizing import stake
from engine.domain.trace import decision_of, first_steps, planned_step, route_step
from engine.domain.waiting import WAITS, Waiting, decides, exit_of, waiting_entry
from engine.errors import Conflict
from engine.ports import MarketData
from engine.services.books import Books, Writing
from engine.services.controls import Controls
from engine.services.order_desk import OrderDesk, client_id
from engine.services.places import is_here

EXIT_LEG = "x"


class Concluder:
    """Writes decisions with their orders in one transaction; on the account's lane."""

    def __init__(
        self,
        books: Books,
        desk: OrderDesk,
        controls: Controls,
        free_cash: Callable[[str, str], Decimal | None] = lambda _account_id, _asset: None,
        *,
        enters_on_fallback: bool = False,
    ) -> None:
        self._books = books
        self._desk = desk
        self._controls = controls
        self._free_cash = free_cash
        self._enters_on_fallback = enters_on_fallback

    def conclude(
        self,
        bot_id: str,
        market: MarketData,
        candles: Candles,
        intent: Intent,
        params: Mapping[str, Any] | None = None,
        route: RoutePlan | None = None,
        other_source: str = "",
        counsel: Counsel | None = None,
        decided_at: datetime | None = None,
    ) -> Waiting | None:
        """Write the decision with its orders in one transaction, then let the desk send them.

        ``params`` are those it was taken with; a bot that was tuned meanwhile decides anew.
        ``market`` is where the bot trades, ``route`` why an entry goes there, ``other_source``
        whose the candles are when they are not the market's own, ``counsel`` what an advisor made
        of the entry; ``decided_at``, when it was asked, stands in for the present.

        A bot with a model opens nothing without a counsel: then what has to be asked is the
        answer, with nothing written but the exit of a reversal.
        """
        bot = self._books.bots.get(bot_id)
        if bot is None or bot.state not in WORKING_STATES or not is_here(bot, market):
            return None
        if params is not None and params != bot.config.params:
            return None
        if bot.decided_until is not None and candles.last_close_time <= bot.decided_until:
            return None
        position = self._books.positions.get(bot_id)
        intent = limited(intent, counsel)
        action, steps = self._judge(
            bot, market, candles, intent, position, route, other_source, counsel
        )
        waiting = None
        side = entry_of(action, position.side if position else None)
        if bot.config.ai is not None and counsel is None and side is not None:
            waiting = waiting_entry(bot, candles, intent, position, side, other_source)
            if action is not Action.REVERSE:
                return waiting
            action, steps = Action.EXIT, [*steps, WAITS]
        if action in (Action.EXIT, Action.REVERSE):
            self._desk.cancel_entries(bot_id, market)
            position = self._books.positions.get(bot_id)
        moment = decided_at or market.now()
        decision = decision_of(bot, moment, candles, intent, action, steps)
        instrument = market.instrument(bot.symbol)  # not within the transaction
        try:
            with self._books.writing() as writing:
                self.write(writing, bot, instrument, decision, intent, position, route, counsel)
                writing.mark_decided(bot_id, candles.last_close_time)
        except Conflict:
            # This candle was decided before, under other settings: never twice.
            with self._books.writing() as writing:
                writing.mark_decided(bot_id, candles.last_close_time)
        self._desk.advance(bot_id, market)
        return waiting

    def conclude_exit(
        self,
        bot_id: str,
        market: MarketData,
        candles: Candles,
        intent: Intent,
        params: Mapping[str, Any],
        other_source: str = "",
    ) -> bool:
        """Conclude the exit that an intent wants, without the entry that may come with it; False
        when it wants none."""
        bot, position = self._books.bots.get(bot_id), self._books.positions.get(bot_id)
        if bot is None or position is None or self._desk.is_closing(bot_id):
            return False
        action = choose_action(intent, bot.config.direction, position.side)
        if action not in (Action.EXIT, Action.REVERSE):
            return False
        alone = exit_of(intent, position.side)
        self.conclude(bot_id, market, candles, alone, params, None, other_source)
        return True

    def write(
        self,
        writing: Writing,
        bot: Bot,
        instrument: Instrument,
        decision: Decision,
        intent: Intent,
        position: Position | None,
        route: RoutePlan | None,
        counsel: Counsel | None,
        after: Order | None = None,
    ) -> None:
        """The decision and the orders that follow from it; its entry goes ``after`` an exit that
        is under way already."""
        exit_order = after
        moment, decided_at = decision.candle_time, decision.decided_at
        held = position.side if position else None
        steps = list(decision.trace)
        if position is not None and decision.action in (Action.EXIT, Action.REVERSE):
            exit_order = self._desk.plan_exit(
                writing, position, "signal",
                order_id=client_id(bot.id, moment, EXIT_LEG), decided_at=decided_at,
            )  # fmt: skip
            steps.append(planned_step(exit_order))
        side = entry_of(decision.action, held)
        if side is not None:
            entry = self._desk.plan_entry(
                writing, bot, side, size=intent.size, candle_time=moment,
                decided_at=decided_at, after=exit_order, instrument=instrument, route=route,
                last=(route.best.price if route else None) or exact(decision.price),
                level_stop=counsel.stop_price if counsel else None,
                level_target=counsel.target_price if counsel else None,
                reason=ADVISED if counsel and counsel.has_levels else "signal",
            )  # fmt: skip
            steps.append(planned_step(entry))
        writing.add_decision(decision.model_copy(update={"trace": tuple(steps)}))
        self.show_missing_funds(writing, bot, steps)
        if decision.action is not Action.HOLD:
            words = decision.action.value.replace("_", " ")
            writing.event(Level.INFO, "decision", f"Decided to {words}: {decision.reason}", bot.id)

    def show_missing_funds(self, writing: Writing, bot: Bot, steps: Sequence[TraceStep]) -> None:
        """Other vetoes are what a person has set; this one the user must hear of."""
        for step in steps:
            if step.verdict is Verdict.VETO and step.values.get("rule") == CASH_RULE:
                message = f"The entry was held back: {step.detail}."
                writing.save_bot(bot.id, reason=message)
                writing.event(Level.WARNING, "order.insufficient_funds", message, bot.id)

    def _judge(
        self,
        bot: Bot,
        market: MarketData,
        candles: Candles,
        intent: Intent,
        position: Position | None,
        route: RoutePlan | None,
        other_source: str,
        counsel: Counsel | None,
    ) -> tuple[Action, list[TraceStep]]:
        """The action, and what every step had to say about it."""
        config = bot.config
        held = position.side if position else None
        action = choose_action(intent, config.direction, held)
        if self._desk.is_closing(bot.id):
            action = Action.HOLD
        is_of_model = counsel is not None and decides(bot)
        steps = first_steps(candles, intent, action, other_source, is_of_model=is_of_model)
        side = entry_of(action, held)
        if route is not None:
            steps.append(route_step(route))
        if counsel is not None:
            steps.append(counsel.step)
        if side is not None:
            amount = stake(bot, intent.size)
            steps.append(self.risk(bot, market, side, amount, position, other_source))
            if any(step.verdict is Verdict.VETO for step in steps):
                action = Action.EXIT if action is Action.REVERSE else Action.HOLD
        return action, steps

    def risk(
        self,
        bot: Bot,
        market: MarketData,
        side: PositionSide,
        amount: Decimal,
        position: Position | None,
        other_source: str = "",
    ) -> TraceStep:
        """The risk gate's verdict on an entry of ``amount`` quote."""
        instrument = market.instrument(bot.symbol)
        return judge(
            Proposal(
                bot=bot,
                instrument=instrument,
                side=side,
                amount=amount,
                position=position,
                has_working_entry=self._desk.has_entry(bot.id),
                control=self._controls.objection(
                    account_id=bot.account_id, bot_id=bot.id, symbol=bot.symbol
                ),
                account=self._books.account_objection(bot.account_id),
                candles=None if self._enters_on_fallback else other_source or None,
                free_cash=self._free_cash(bot.account_id, instrument.quote),
            )
        )


def limited(intent: Intent, counsel: Counsel | None) -> Intent:
    """The intent made smaller as an advisor wants it; never larger."""
    if counsel is None or counsel.verdict is CounselVerdict.VETO:
        return intent
    return intent.model_copy(update={"size": intent.size * counsel.size})
