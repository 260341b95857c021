"""What became of a signal, written to its row of the inbox, the bot's events and the audit."""

from collections.abc import Sequence

from engine.domain.records import Level
from engine.domain.signal_rules import ends_side
from engine.domain.signal_trace import wish_of
from engine.domain.signals import Signal, SignalKind, SignalSource, SignalState
from engine.errors import Conflict
from engine.services.books import Books, Writing

EVENT_LEVELS = {
    SignalState.ACTED: Level.INFO,
    SignalState.HELD: Level.INFO,
    SignalState.REFUSED: Level.WARNING,
    SignalState.EXPIRED: Level.WARNING,
}
DECIDED = (SignalState.ACTED, SignalState.HELD)


class SignalRows:
    """Reads and settles rows of the inbox."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def find(self, signal_id: str) -> Signal | None:
        """The signal as it stands."""
        with self._books.store.reading() as tx:
            return tx.signals.find(signal_id)

    def undecided(self) -> Sequence[Signal]:
        """Signals about which nothing was decided, oldest first."""
        with self._books.store.reading() as tx:
            return tx.signals.select(state=SignalState.RECEIVED, kind=SignalKind.ORDER)

    def find_later_exit(self, signal: Signal) -> Signal | None:
        """A signal of the same bot that came later, closes something, and was decided before."""
        with self._books.store.reading() as tx:
            later = tx.signals.select(
                bot_id=signal.bot_id, state=DECIDED, since=signal.received_at,
                kind=SignalKind.ORDER,
            )  # fmt: skip
        side = signal.order.side if signal.order is not None else None
        return next(
            (one for one in later if one.received_at > signal.received_at
             and one.order is not None and ends_side(one.order, side)),
            None,
        )  # fmt: skip

    def note_exit(
        self, writing: Writing, signal: Signal, decision_id: str, order_ids: Sequence[str]
    ) -> None:
        """The exit of a reversal is made; its entry is decided afterwards. Raises Conflict
        when it was decided before."""
        row = self._undecided_row(writing, signal)
        changes = {
            "outcome": "Exit ordered; the entry is not decided yet.", "decision_id": decision_id,
            "order_ids": tuple(order_ids),
        }  # fmt: skip
        writing.tx.signals.save(row.model_copy(update=changes))

    def settle(
        self,
        writing: Writing,
        signal: Signal,
        state: SignalState,
        outcome: str,
        *,
        decision_id: str = "",
        order_ids: Sequence[str] = (),
    ) -> None:
        """Write what became of a signal, once. Raises Conflict when it was decided before."""
        row = self._undecided_row(writing, signal)
        writing.tx.signals.save(
            row.model_copy(
                update={
                    "state": state, "outcome": outcome, "acted_at": self._books.clock.now(),
                    "decision_id": decision_id, "order_ids": (*row.order_ids, *order_ids),
                }
            )
        )  # fmt: skip
        wish = wish_of(signal.order) if signal.order is not None else "not understood"
        bot_id = signal.bot_id if signal.bot_id in self._books.bots else None
        kind = f"signal.{state.value}"
        writing.event(EVENT_LEVELS[state], kind, f"Signal ({wish}): {outcome}", bot_id,
                      signal_id=signal.id)  # fmt: skip
        if signal.source is SignalSource.PANEL:
            writing.audit("panel", kind, bot_id or "", signal_id=signal.id, outcome=outcome)

    def _undecided_row(self, writing: Writing, signal: Signal) -> Signal:
        """The row as it is now: copies of a signal are counted meanwhile."""
        row = writing.tx.signals.get(signal.id)
        if row.state is not SignalState.RECEIVED:
            raise Conflict("This signal was decided before.")
        return row
