"""Signals acted on once more, because a person wants it."""

import secrets
from collections.abc import Callable

from engine.domain.signals import Signal, SignalKind, SignalSource, SignalState
from engine.errors import ConfigError, Conflict, SignalRefused
from engine.services.books import Books, new_id
from engine.services.listeners import require_listening
from engine.services.receive_signal import read_for

SETTLED = {
    SignalState.ACTED: "It was acted on already: replaying it does the same once more.",
    SignalState.REFUSED: "It was refused: replaying it acts on what was not allowed.",
}
"""What speaks against a replay, until a person insists."""


class SignalReplays:
    """A replay is a signal of its own, as if it came now. ``begin`` acts on it; it is called on
    whatever thread asks."""

    def __init__(self, books: Books, begin: Callable[[str], object]) -> None:
        self._books = books
        self._begin = begin

    def replay(self, signal_id: str, actor: str, *, is_forced: bool) -> Signal:
        """The new signal, durable and begun.

        Raises NotFound, Conflict (acted on already and not ``is_forced``, or nothing to replay),
        ConfigError for a body that cannot be read, StoreError.
        """
        with self._books.store.reading() as tx:
            original = tx.signals.get(signal_id)
        objection, is_final = replay_objection(original, self._books)
        if objection is not None and (is_final or not is_forced):
            raise Conflict(objection, field=None if is_final else "force")
        bot = self._books.get_bot(original.bot_id or "")
        try:
            order = read_for(bot, original.body, original.content_type).order
        except SignalRefused as error:
            raise ConfigError(error.message) from error
        replay = Signal(
            id=new_id(), source=SignalSource.PANEL, sender=original.sender,
            digest=secrets.token_hex(32), bot_id=bot.id,
            received_at=self._books.clock.now(), content_type=original.content_type,
            body=original.body, order=order, replay_of=original.id,
        )  # fmt: skip
        with self._books.writing() as writing:
            writing.tx.signals.add(replay)
            writing.audit(actor, "signal.replay", bot.id, signal=original.id, replay=replay.id)
        self._begin(replay.id)
        return replay


def replay_objection(signal: Signal, books: Books) -> tuple[str | None, bool]:
    """What speaks against a replay (None: nothing), and whether it cannot be had at all."""
    if signal.kind is not SignalKind.ORDER:
        return "Only signals that ask for something to be done are replayed.", True
    bot = books.bots.get(signal.bot_id or "")
    if bot is None:
        return "Its bot is gone.", True
    try:
        require_listening(bot)
    except Conflict as error:
        return error.message, True
    if signal.state is SignalState.RECEIVED:
        return "Nothing is decided about it yet; wait a moment.", True
    return SETTLED.get(signal.state), False
