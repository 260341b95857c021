"""What follows from one signal: called on the lane of the bot's account, again while it waits."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from engine.domain.advice import Counsel, CounselVerdict, EntryProposal
from engine.domain.bots import Bot, BotState
from engine.domain.exits import fixed_levels
from engine.domain.ledger import entry_side
from engine.domain.money import exact, floor_to
from engine.domain.orders import Order, Purpose
from engine.domain.positions import PositionSide
from engine.domain.signal_rules import (
    Meaning,
    entry_size,
    entry_too_old,
    exit_too_old,
    is_symbol_of,
    levels_of,
    meaning_of,
)
from engine.domain.signal_trace import size_step, wish_of
from engine.domain.signals import Signal, SignalAction, SignalState
from engine.domain.sizing import STAKE_DIGITS
from engine.errors import Conflict, DataError, NotFound
from engine.ports import Venues
from engine.services.books import Books
from engine.services.candle_feed import PriceBoard
from engine.services.conclude import Concluder
from engine.services.order_desk import OrderDesk
from engine.services.order_outcomes import PART
from engine.services.settle_signals import SignalRows
from engine.services.signal_case import Advised, Ask, Case, Entry, NotYet, Settled, Wait
from engine.services.write_signal import SignalWriter

FRESH_S = 5.0
"""A price that was seen within this is good enough to size an entry by."""

ENTRIES = (SignalAction.OPEN, SignalAction.ADD)


class SignalConcluder:
    """Decides signals, each once."""

    def __init__(
        self,
        books: Books,
        desk: OrderDesk,
        concluder: Concluder,
        venues: Venues,
        prices: PriceBoard,
    ) -> None:
        self._books = books
        self._desk = desk
        self._concluder = concluder
        self._venues = venues
        self._prices = prices
        self.rows = SignalRows(books)
        self._writer = SignalWriter(books, desk, concluder, prices, self.rows)

    def decide(
        self, signal_id: str, advised: Advised | None = None, *, is_last: bool = False
    ) -> Wait | Ask | None:
        """Decide a signal; None when it is settled.

        ``advised`` is what an advisor made of its entry. ``is_last``: what it waits for is taken
        to have failed. Raises StoreError, and then nothing was decided.
        """
        signal = self.rows.find(signal_id)
        if signal is None or signal.state is not SignalState.RECEIVED:
            return None
        try:
            return self._decide(signal, advised, is_last=is_last)
        except Settled as end:
            self._writer.settle(signal, end.state, end.outcome)
        except (NotYet, DataError, NotFound) as reason:
            if not is_last:
                return Wait(str(reason))
            self._writer.settle(signal, SignalState.HELD, f"Nothing done: {reason}.")
        except Conflict:
            self._writer.settle_known(signal)
        return None

    def give_up(self, signal_id: str, reason: str) -> None:
        """Settle a signal that a fault of our own kept from being decided."""
        signal = self.rows.find(signal_id)
        if signal is not None and signal.state is SignalState.RECEIVED:
            self._writer.settle(signal, SignalState.HELD, reason)

    def _decide(self, signal: Signal, advised: Advised | None, *, is_last: bool) -> Ask | None:
        case = self._cleared(self._weighed(self._case(signal)), is_last=is_last)
        case = self._still_young(replace(case, wanted=case.meaning))
        entry: Entry | None = None
        if (side := case.meaning.entry) is not None:
            entry = self._ready_entry(case, side, advised, is_last=is_last)
            case = self._judged(case, side, entry, advised)
        asked = self._question(case, entry, advised)
        if asked is None:
            self._writer.write(case, entry)
        elif case.meaning.is_exit:
            self._writer.write_exit(case, "the model is asked about it")
        return asked

    # --- what is asked for -------------------------------------------------------------------

    def _case(self, signal: Signal) -> Case:
        """Raises Settled for what is not for this bot to do."""
        bot = self._books.bots.get(signal.bot_id or "")
        if bot is None:
            raise Settled(SignalState.REFUSED, "Its bot is gone.")
        order = signal.order
        if order is None:
            raise Settled(SignalState.REFUSED, "What it asks for was not understood.")
        if bot.config.signals is None:
            words = "The bot does not listen to signals: turn them on in its settings."
            raise Settled(SignalState.REFUSED, words)
        if self._venues.is_stepped(bot.market):
            raise Settled(SignalState.REFUSED, "A replay takes no signals: its time is another.")
        if bot.state is BotState.STOPPED:
            raise Settled(SignalState.HELD, "Nothing done: the bot is stopped; start it first.")
        self._check_age(signal, order.action, bot.config.signals.max_lag_s)
        market = self._venues.market(bot.market, bot.id)
        instrument = market.instrument(bot.symbol)
        if not is_symbol_of(order.symbol, bot, instrument):
            words = f"It is about {order.symbol} and the bot trades {bot.symbol}."
            raise Settled(SignalState.REFUSED, words)
        if signal.order_ids:  # its own exit has changed what its sender expected
            order = order.model_copy(update={"expected": None})
        return Case(signal, order, bot, market, instrument)

    def _weighed(self, case: Case) -> Case:
        """The case with what the signal means for what the bot holds now."""
        position = self._books.positions.get(case.bot.id)
        entries = {one.side for one in self._books.working_orders(case.bot.id)
                   if one.purpose is Purpose.ENTRY}  # fmt: skip
        working = next((side for side in PositionSide if entry_side(side) in entries), None)
        meaning = meaning_of(case.order, position, case.bot.config.direction, working)
        return replace(case, position=position, meaning=meaning)

    def _cleared(self, case: Case, *, is_last: bool) -> Case:
        """The case once nothing is in the way: no entry that is to be taken back, no exit under
        way. Raises NotYet."""
        if case.meaning.cancels:
            self._desk.cancel_entries(case.bot.id, case.market)
            case = replace(self._weighed(case), has_cancelled=True)
            if case.meaning.cancels and not is_last:
                raise NotYet("an entry is not out of the market yet")
        exits = self._exits(case)
        if not exits or not (case.meaning.is_exit or case.meaning.entry):
            return case
        if case.meaning.is_exit and case.meaning.is_whole:
            return self._after_exits(case, exits)
        raise NotYet("an exit is still under way")

    def _after_exits(self, case: Case, exits: Sequence[Order]) -> Case:
        """The case of an exit of the whole position while others work: one of all of it is enough,
        those of a part are taken back. Raises NotYet for an entry that still may follow."""
        position = case.position
        whole = [
            one for one in exits
            if one.reason != PART
            and (position is None or one.left is None or one.left >= position.quantity)
        ]  # fmt: skip
        if not whole:
            for order in exits:
                self._desk.cancel(order, case.market)
            if self._exits(case):
                raise NotYet("an exit of a part is not out of the market yet")
            return replace(self._weighed(case), has_cancelled=case.has_cancelled)
        config, now = case.bot.config.signals, self._books.clock.now()
        is_old = config is None or entry_too_old(case.signal, now, config.max_lag_s)
        if case.meaning.entry is not None and not is_old:
            raise NotYet("an exit is still under way")
        return replace(case, meaning=Meaning("an exit of the position is under way already"))

    def _exits(self, case: Case) -> Sequence[Order]:
        working = self._books.working_orders(case.bot.id)
        return [one for one in working if one.purpose is Purpose.EXIT]

    def _check_age(self, signal: Signal, action: SignalAction, max_lag_s: int) -> None:
        """Before anything that may have to be waited for. Raises Settled."""
        now = self._books.clock.now()
        if action in ENTRIES:
            old = entry_too_old(signal, now, max_lag_s)
        else:
            old = exit_too_old(signal, now)
        if old:
            raise Settled(SignalState.EXPIRED, f"Nothing done: {old}.")

    def _still_young(self, case: Case) -> Case:
        """The case, without an entry that comes too late. Raises Settled where that was all."""
        config = case.bot.config.signals
        if config is None or case.meaning.entry is None:
            return case
        old = entry_too_old(case.signal, self._books.clock.now(), config.max_lag_s)
        if old and not case.meaning.is_exit and not case.is_second:
            raise Settled(SignalState.EXPIRED, f"Nothing done: {old}.")
        if old:
            return case.without_entry("age", old)
        later = self.rows.find_later_exit(case.signal)
        if later is None or later.order is None:
            return case
        words = f"a later signal ({wish_of(later.order)}) was decided before it"
        return case.without_entry("order of signals", words)

    def _ready_entry(
        self, case: Case, side: PositionSide, advised: Advised | None, *, is_last: bool
    ) -> Entry:
        """What the entry would be. An exit before it does not wait for what the entry waits for.
        Raises NotYet, DataError, NotFound."""
        try:
            self._check_ready(case, is_last=is_last)
            return self._entry(case, side, advised)
        except (NotYet, DataError, NotFound) as reason:
            if case.meaning.is_exit:
                self._writer.write_exit(case, f"it waits: {reason}")
            raise

    def _check_ready(self, case: Case, *, is_last: bool) -> None:
        """A start takes a moment in which nothing is refused for good. Raises NotYet."""
        if is_last:
            return  # the risk gate says why not
        if case.bot.state is BotState.STARTING:
            raise NotYet("the bot is starting")
        if case.bot.account_id in self._books.unchecked:
            raise NotYet("the account has not been reconciled yet")

    # --- the entry -----------------------------------------------------------------------------

    def _entry(self, case: Case, side: PositionSide, advised: Advised | None) -> Entry:
        """What the entry would be: never more than the signal, the bot and the advisor allow.
        Raises DataError, NotFound."""
        price = self._price(case.bot, case)
        size = entry_size(case.order, case.bot, case.position, price)
        levels = levels_of(case.order, side, price, case.instrument)
        is_advised = False
        if advised is not None:
            counsel = advised.counsel
            is_advised = counsel.has_levels
            amount = floor_to(size.amount * exact(counsel.size), STAKE_DIGITS)
            size = replace(size, amount=amount)
            stop, target = counsel.stop_price, counsel.target_price
            levels = replace(levels, stop=stop or levels.stop, target=target or levels.target)
        return Entry(size, levels, price, is_advised)

    def _price(self, bot: Bot, case: Case) -> Decimal:
        """The last price, from those that are watched anyway while fresh. Raises DataError."""
        seen = self._prices.find(bot)
        if seen is not None:
            age = case.market.now() - seen.time
            if abs(age.total_seconds()) <= FRESH_S:
                return seen.last
        return case.market.quote(bot.symbol).last

    def _judged(
        self, case: Case, side: PositionSide, entry: Entry, advised: Advised | None
    ) -> Case:
        """The case with the verdicts on its entry: size and levels, advisor, risk gate."""
        quote = case.instrument.quote
        case = case.with_steps(size_step(entry.size, entry.levels, entry.price, quote))
        if advised is not None:
            case = case.with_steps(_checked(advised, case.bot, side, entry.price).step)
        if case.meaning.entry is None:
            return case
        amount = entry.size.amount
        risk = self._concluder.risk(case.bot, case.market, side, amount, case.position)
        return case.with_steps(risk)

    def _question(self, case: Case, entry: Entry | None, advised: Advised | None) -> Ask | None:
        """What an advisor is to be asked, where the bot has one and it was not asked yet. After an
        exit of the same signal the entry becomes a decision of its own."""
        side = case.meaning.entry
        if entry is None or side is None or case.bot.config.ai is None or advised is not None:
            return None
        stop, target = fixed_levels(case.bot.config, side, entry.price, case.instrument)
        proposal = EntryProposal(
            side=side, amount=entry.size.amount, price=entry.price,
            stop_price=entry.levels.stop or stop, target_price=entry.levels.target or target,
            reason=f"{case.signal.source.value} asks to {wish_of(case.order)}",
        )  # fmt: skip
        suffix = "-e" if case.meaning.is_exit else ""
        return Ask(case.bot, proposal, f"{case.decision_id}{suffix}")


def _checked(advised: Advised, bot: Bot, side: PositionSide, price: Decimal) -> Counsel:
    """The counsel, with a veto of our own where what it judged has changed meanwhile."""
    counsel, objection = advised.counsel, ""
    if bot.config != advised.ask.bot.config or side is not advised.ask.proposal.side:
        objection = "the bot was changed while the model was asked"
    for name, level, is_above in (
        ("stop", counsel.stop_price, side is PositionSide.SHORT),
        ("target", counsel.target_price, side is PositionSide.LONG),
    ):
        if level is not None and (level <= price if is_above else level >= price):
            objection = f"the price passed the model's {name} while it was asked"
    if not objection or counsel.verdict is CounselVerdict.VETO:
        return counsel
    return counsel.model_copy(update={"verdict": CounselVerdict.VETO, "reason": objection})
