"""Writes what was decided about a signal: decision, orders and row of the inbox in one commit.

A signal is decided once: its row says so in the same commit as its orders, and the orders' ids are
made of its own, so that a second try finds them.
"""

from collections.abc import Sequence
from decimal import Decimal

from engine.domain.advice import ADVISED
from engine.domain.decisions import Decision, TraceStep, Verdict
from engine.domain.money import ZERO
from engine.domain.orders import Order
from engine.domain.positions import Position, PositionSide
from engine.domain.signal_rules import (
    MICROSECOND,
    Meaning,
    decision_key,
    decision_moment,
    exit_quantity,
    order_stem,
)
from engine.domain.signal_trace import (
    entry_follows,
    expected_step,
    outcome_of,
    part_step,
    reduction_of,
    signal_step,
    wish_of,
)
from engine.domain.signals import Signal, SignalState
from engine.domain.sizing import stake
from engine.domain.trace import planned_step
from engine.errors import Conflict
from engine.ports import Prefix
from engine.services.books import Books, Writing
from engine.services.candle_feed import PriceBoard
from engine.services.conclude import Concluder
from engine.services.order_desk import OrderDesk
from engine.services.order_outcomes import PART
from engine.services.settle_signals import SignalRows
from engine.services.signal_case import Case, Entry

PLANNED = "signal"


class SignalWriter:
    """The last step of a signal."""

    def __init__(
        self,
        books: Books,
        desk: OrderDesk,
        concluder: Concluder,
        prices: PriceBoard,
        rows: SignalRows,
    ) -> None:
        self._books = books
        self._desk = desk
        self._concluder = concluder
        self._prices = prices
        self._rows = rows

    def write(self, case: Case, entry: Entry | None) -> None:
        """Commit, then let the desk send the orders. Raises Conflict for a signal that was decided
        before."""
        steps = self._first_steps(case)
        orders: list[Order] = []
        with self._books.writing() as writing:
            if case.position is not None and case.meaning.is_exit:
                orders.append(self._plan_exit(writing, case, case.position, steps))
            steps += case.steps
            if case.meaning.entry is not None and entry is not None:
                orders.append(self._plan_entry(writing, case, case.meaning.entry, entry, orders))
            steps += [planned_step(order) for order in orders]
            decision = self._decide(writing, case, case.meaning, entry, steps)
            ids = [order.client_id for order in orders]
            self._settle_case(writing, case, entry, steps, decision.id, ids)
        self._desk.advance(case.bot.id, case.market)

    def write_exit(self, case: Case, why: str) -> None:
        """The same for the exit of a reversal alone; its entry follows in a decision of its own.
        Raises Conflict."""
        if case.position is None:
            return
        steps = self._first_steps(case)
        with self._books.writing() as writing:
            order = self._plan_exit(writing, case, case.position, steps)
            steps += [entry_follows(why), planned_step(order)]
            meaning = case.meaning.without_entry("")
            decision = self._decide(writing, case, meaning, None, steps)
            self._rows.note_exit(writing, case.signal, decision.id, [order.client_id])
        self._desk.advance(case.bot.id, case.market)

    def _first_steps(self, case: Case) -> list[TraceStep]:
        expected = expected_step(case.order, case.position)
        asked = signal_step(case.signal, case.order, case.wanted)
        return [asked] if expected is None else [asked, expected]

    def _settle_case(
        self,
        writing: Writing,
        case: Case,
        entry: Entry | None,
        steps: Sequence[TraceStep],
        decision_id: str,
        order_ids: Sequence[str],
    ) -> None:
        has_acted = bool(order_ids) or case.has_cancelled or case.is_second
        is_entered = case.meaning.entry is not None
        notes = (
            reduction_of(entry.size, case.instrument.quote) if entry and is_entered else "",
            "the entry under way was taken back" if case.has_cancelled else "",
        )
        state = SignalState.ACTED if has_acted else SignalState.HELD
        if not has_acted and entry is not None and entry.levels.objection:
            state = SignalState.REFUSED
        outcome = outcome_of(case.meaning, steps, notes, is_second=case.is_second)
        self._rows.settle(
            writing, case.signal, state, outcome, decision_id=decision_id, order_ids=order_ids
        )

    def _plan_exit(
        self, writing: Writing, case: Case, position: Position, steps: list[TraceStep]
    ) -> Order:
        quantity, reason = position.quantity, PLANNED
        if not case.meaning.is_whole:
            seen = self._prices.find(case.bot)
            price = seen.last if seen is not None else position.average_price
            quantity = exit_quantity(case.order, position, price, case.instrument)
            reason = PLANNED if quantity == position.quantity else PART
        steps.append(part_step(quantity, position))
        return self._desk.plan_exit(
            writing, position, reason,
            order_id=f"{order_stem(case.bot.id, case.signal.id)}x",
            decided_at=case.market.now(), quantity=quantity,
        )  # fmt: skip

    def _plan_entry(
        self,
        writing: Writing,
        case: Case,
        side: PositionSide,
        entry: Entry,
        before: Sequence[Order],
    ) -> Order:
        exit_order = before[0] if before else None
        moment, most = case.market.now(), stake(case.bot)
        # After an exit it may spend a share of the stake which that leaves.
        share = float(entry.size.amount / most) if most > ZERO else 1.0
        return self._desk.plan_entry(
            writing, case.bot, side, size=min(share, 1.0), candle_time=moment, decided_at=moment,
            after=exit_order, instrument=case.instrument, last=entry.price,
            order_id=f"{order_stem(case.bot.id, case.signal.id)}e",
            amount=None if exit_order is not None else entry.size.amount,
            level_stop=entry.levels.stop, level_target=entry.levels.target,
            reason=ADVISED if entry.is_advised else "signal",
        )  # fmt: skip

    def _decide(
        self,
        writing: Writing,
        case: Case,
        meaning: Meaning,
        entry: Entry | None,
        steps: Sequence[TraceStep],
    ) -> Decision:
        """Write a decision of a moment that no candle, and no other signal, has."""
        moment = decision_moment(case.signal.received_at)
        while writing.tx.decisions.count(
            bot_id=case.bot.id, since=moment, until=moment + MICROSECOND
        ):
            moment += MICROSECOND
        asked = f"{case.signal.source.value} asks to {wish_of(case.order)}"
        vetoes = (step.detail for step in steps if step.verdict is Verdict.VETO)
        decision = Decision(
            id=case.decision_id,
            bot_id=case.bot.id,
            candle_time=moment,
            decided_at=case.market.now(),
            action=meaning.action,
            reason=next(vetoes, meaning.reason or asked),
            price=float(self._shown_price(case, entry)),
            confidence=1.0,
            trace=tuple(steps),
        )
        writing.tx.decisions.add(decision)
        self._concluder.show_missing_funds(writing, case.bot, steps)
        return decision

    def _shown_price(self, case: Case, entry: Entry | None) -> Decimal:
        """What the decision shows; nothing depends on it."""
        if entry is not None:
            return entry.price
        seen = self._prices.find(case.bot)
        return (seen.last if seen is not None else case.order.price) or ZERO

    # --- without a decision --------------------------------------------------------------------

    def settle(self, signal: Signal, state: SignalState, outcome: str) -> None:
        """The end of a signal without (another) decision."""
        if signal.order_ids:  # the exit of a reversal was made before
            state, outcome = SignalState.ACTED, f"Exit ordered; no entry. {outcome}"
        self._settle(signal, state, outcome, signal.decision_id, ())

    def settle_known(self, signal: Signal) -> None:
        """Orders or a decision of it are in the books already: the row only has to say so."""
        bot_id = signal.bot_id or ""
        with self._books.store.reading() as tx:
            orders = tx.orders.select(client_id=Prefix(order_stem(bot_id, signal.id)))
            known = tx.decisions.find(decision_key(bot_id, signal.id))
        ids = [one.client_id for one in orders if one.client_id not in signal.order_ids]
        state = SignalState.ACTED if orders else SignalState.HELD
        words = "It was decided before: its orders are in the books." if orders else "Nothing done."
        self._settle(signal, state, words, known.id if known is not None else "", ids)

    def _settle(
        self,
        signal: Signal,
        state: SignalState,
        outcome: str,
        decision_id: str,
        order_ids: Sequence[str],
    ) -> None:
        try:
            with self._books.writing() as writing:
                self._rows.settle(
                    writing, signal, state, outcome, decision_id=decision_id, order_ids=order_ids
                )
        except Conflict:
            return  # somebody settled it meanwhile
