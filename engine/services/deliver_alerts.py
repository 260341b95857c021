"""Sends what is in the outbox, each message at most once, whatever breaks in between.

Each channel is worked at by one thread at a time: a provider that hangs delays its own messages and
nothing else. ADR 0022 says what is promised.
"""

import random
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from engine.domain.alerts import Channel, Delivery
from engine.errors import ChannelBusy, ChannelRefused, ChannelUnsure, QuarterdeckError, StoreError
from engine.ports import Notifier
from engine.services.books import Books
from engine.services.look_up_deliveries import LookUps
from engine.services.outbox import Outbox
from engine.services.outgoing import message_of
from engine.services.send_by_hand import HandSender
from engine.services.sent_outcomes import Lost, Outcome, Unusable, outcome_of
from engine.services.settle_deliveries import Settler

MOST_AT_A_TIME = 20
"""Messages of a channel in one go."""


class Rates(Protocol):
    """How often may be sent: ``services.send_rates``."""

    def take(self, channel: Channel, channels: Sequence[Channel]) -> bool:
        """Count a message, unless it would be one too many."""
        ...


class AlertSender:
    """Works at channels; blocking, at most one thread a channel, ``test`` beside them.

    ``open_notifier`` raises ConfigError for a channel that cannot be used as it is set up;
    ``chance`` gives numbers from 0 to 1 that spread retries.
    """

    def __init__(
        self,
        books: Books,
        outbox: Outbox,
        open_notifier: Callable[[Channel], Notifier],
        rates: Rates,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._books = books
        self._outbox = outbox
        self._open = open_notifier
        self._rates = rates
        self._settler = Settler(books, outbox, chance)
        self._look_ups = LookUps(books.clock, outbox, self._settler.write, open_notifier, chance)
        self._by_hand = HandSender(books, outbox)
        self._lock = threading.Lock()
        self._in_flight: set[str] = set()
        self._unwritten: dict[str, tuple[Channel, Delivery, Outcome]] = {}
        self._is_halted = False

    def halt(self) -> None:
        """Begin no message any more."""
        self._is_halted = True

    def unwritten_channels(self) -> set[str]:
        """Those of whose messages it could not be written what became of them."""
        with self._lock:
            return {channel.id for channel, _, _ in self._unwritten.values()}

    def work(self, channel_id: str) -> None:
        """Write down what could not be, look up what is in doubt, send what is due and allowed.
        Raises StoreError, LeaseLost; then it is to be called again."""
        self._write_kept(channel_id)
        channel = self._outbox.find_channel(channel_id)
        with self._lock:
            in_flight = frozenset(self._in_flight)
        for delivery in self._outbox.doubtful(channel_id, in_flight):
            self._look_ups.look_up(channel, delivery)
        for _ in range(MOST_AT_A_TIME):
            if channel is None or not self._may_send(channel):
                return
            taken = self._outbox.take(channel_id)
            if taken is None:
                return
            self._begin(taken)
            self._settle(channel, taken, self._outcome_of(channel, taken))

    def test(self, channel: Channel, actor: str) -> Delivery:
        """Send a test message at once, on the caller's thread; what the provider answered is in the
        delivery, which is kept. Raises StoreError."""
        delivery = self._by_hand.test_message(channel)
        self._begin(delivery)
        self._by_hand.add_test(delivery, actor)
        outcome = self._outcome_of(channel, delivery)
        if isinstance(outcome, ChannelBusy):  # a person waits: it is not tried again
            outcome = ChannelRefused(outcome.message, answer=outcome.answer)
        elif isinstance(outcome, ChannelUnsure):
            outcome = Lost(outcome.message, answer=outcome.answer)
        return self._settle(channel, delivery, outcome)

    def send_again(self, delivery_id: str, actor: str) -> Delivery:
        """Have a message that failed, was dropped or is uncertain sent once more, as one of its
        own. Raises NotFound; Conflict when it is none of these, is being sent again already, or
        its channel is gone or disabled."""
        return self._by_hand.send_again(delivery_id, actor)

    # --- parts ----------------------------------------------------------------------------------

    def _may_send(self, channel: Channel) -> bool:
        if self._is_halted or self._settler.is_paused(channel.id):
            return False
        if not self._outbox.has_due(channel.id):
            return False
        with self._books.store.reading() as tx:
            channels = tx.channels.select()
        return self._rates.take(channel, channels)

    def _begin(self, delivery: Delivery) -> None:
        with self._lock:
            self._in_flight.add(delivery.id)

    def _outcome_of(self, channel: Channel, delivery: Delivery) -> Outcome:
        """Send it, unless it cannot be."""
        try:
            is_first = delivery.attempts == 1
            others = frozenset() if is_first else self._outbox.others(delivery)
            notifier = self._open(channel)
        except StoreError as error:
            return ChannelBusy(error.message)  # of the engine's, not of the channel's
        except QuarterdeckError as error:
            return Unusable(error.message)
        return outcome_of(notifier, message_of(delivery, others))

    def _settle(self, channel: Channel, delivery: Delivery, outcome: Outcome) -> Delivery:
        """Write down what became of it. What cannot be written now is kept, and goes first."""
        try:
            settled = self._settler.write(channel, delivery, outcome)
        except Exception:
            with self._lock:
                self._unwritten[delivery.id] = (channel, delivery, outcome)
            raise
        with self._lock:
            self._unwritten.pop(delivery.id, None)
            self._in_flight.discard(delivery.id)
        return settled

    def _write_kept(self, channel_id: str) -> None:
        with self._lock:
            kept = [one for one in self._unwritten.values() if one[0].id == channel_id]
        for channel, delivery, outcome in kept:
            self._settle(channel, delivery, outcome)
