"""Sends what is in the outbox, each message at most once, whatever breaks in between.

Each channel is worked at by one thread at a time, its lane: a provider that hangs delays its own
messages and nothing else. ADR 0022 says what is promised.
"""

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Protocol

from engine.domain.alert_texts import cut
from engine.domain.alerts import Channel, Delivery, DeliveryState
from engine.domain.delivery_rules import (
    GIVEN_UP_AFTER,
    LOOK_UPS,
    LOOKED_UP_EVERY,
    TROUBLE_AFTER,
    is_given_up,
    retry_after_s,
)
from engine.errors import (
    ChannelBusy,
    ChannelError,
    ChannelRefused,
    ChannelUnsure,
    QuarterdeckError,
)
from engine.ports import Notifier, Receipt
from engine.services.books import Books
from engine.services.channel_troubles import ChannelTroubles
from engine.services.outbox import Outbox
from engine.services.outgoing import message_of
from engine.services.send_by_hand import HandSender
from engine.services.sms_cost import paid

log = logging.getLogger("quarterdeck.alerts")

MOST_AT_A_TIME = 20
"""Messages of a channel in one go: then it is looked again what is most urgent."""
MOST_ANSWER = 500
UNSURE_IN_A_ROW = 3
"""So many messages without an answer, one after the other, are trouble of the channel."""

S = DeliveryState
Outcome = Receipt | ChannelError


class Rates(Protocol):
    """How often may be sent: ``services.send_rates``."""

    def take(self, channel: Channel, channels: Sequence[Channel]) -> bool:
        """Count a message, unless it would be one too many."""
        ...


class AlertSender:
    """Works at channels; blocking, at most one thread a channel, ``test`` beside them.

    ``open_notifier`` raises ConfigError, NotFound for a channel that cannot be used as it is set
    up; ``chance`` gives numbers from 0 to 1 that spread retries.
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
        self._chance = chance
        self._troubles = ChannelTroubles(books)
        self._by_hand = HandSender(books, outbox)
        self._lock = threading.Lock()
        self._in_flight: set[str] = set()
        self._unwritten: dict[str, tuple[Channel, Delivery, Outcome]] = {}
        self._paused_until_s: dict[str, float] = {}
        self._look_ups: Counter[str] = Counter()
        self._unsure: Counter[str] = Counter()
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
        Raises StoreError, LeaseLost."""
        self._write_kept(channel_id)
        channel = self._outbox.find_channel(channel_id)
        for delivery in self._outbox.doubtful(channel_id, self._in_flight):
            self._look_up(channel, delivery)
        for _ in range(MOST_AT_A_TIME):
            if channel is None or not self._may_send(channel):
                return
            taken = self._outbox.take(channel_id)
            if taken is None:
                return
            self._begin(taken)
            self._settle(channel, taken, self._outcome_of(channel, taken))

    def test(self, channel: Channel, actor: str) -> Delivery:
        """Send a test message at once, on the caller's thread; what the provider answered is kept
        in the delivery. Raises StoreError; whatever the provider does is in the answer."""
        delivery = self._by_hand.test_message(channel)
        self._begin(delivery)
        self._by_hand.add_test(delivery, actor)
        outcome = self._outcome_of(channel, delivery)
        if isinstance(outcome, ChannelBusy):
            outcome = ChannelRefused(outcome.message, answer=outcome.answer)  # a person is waiting
        return self._settle(channel, delivery, outcome)

    def send_again(self, delivery_id: str, actor: str) -> Delivery:
        """Have a message that failed, or is uncertain, sent once more: as one of its own. Raises
        NotFound, Conflict when it is none of these or is being sent again already."""
        return self._by_hand.send_again(delivery_id, actor)

    # --- sending --------------------------------------------------------------------------------

    def _may_send(self, channel: Channel) -> bool:
        paused_until_s = self._paused_until_s.get(channel.id, 0.0)
        if self._is_halted or paused_until_s > self._books.clock.monotonic():
            return False
        if not self._outbox.has_due(channel.id):
            return False
        with self._books.store.reading() as tx:
            return self._rates.take(channel, tx.channels.select())

    def _begin(self, delivery: Delivery) -> None:
        with self._lock:
            self._in_flight = self._in_flight | {delivery.id}

    def _outcome_of(self, channel: Channel, delivery: Delivery) -> Outcome:
        """Send it. What is not known to have failed may have arrived."""
        try:
            notifier = self._open(channel)
        except QuarterdeckError as error:
            return _Unusable(error.message)  # nothing was sent, and it may be put right
        try:
            return notifier.send(message_of(delivery, self._outbox.others(delivery)))
        except ChannelUnsure as error:
            return error if notifier.can_find else _Lost(error.message, answer=error.answer)
        except ChannelError as error:
            return error
        except Exception:
            log.exception("the notifier of channel %s failed", channel.id)
            words = "The engine failed while it was sent; its log says why."
            return ChannelUnsure(words) if notifier.can_find else _Lost(words)

    def _settle(self, channel: Channel, delivery: Delivery, outcome: Outcome) -> Delivery:
        """Write down what became of it. What cannot be written now is kept, and goes first."""
        try:
            settled = self._write(channel, delivery, outcome)
        except Exception:
            with self._lock:
                self._unwritten[delivery.id] = (channel, delivery, outcome)
            raise
        with self._lock:
            self._in_flight = self._in_flight - {delivery.id}
        return settled

    def _write_kept(self, channel_id: str) -> None:
        with self._lock:
            kept = [one for one in self._unwritten.values() if one[0].id == channel_id]
        for channel, delivery, outcome in kept:
            self._settle(channel, delivery, outcome)
            with self._lock:
                del self._unwritten[delivery.id]

    # --- what became of it ----------------------------------------------------------------------

    def _write(self, channel: Channel, delivery: Delivery, outcome: Outcome) -> Delivery:
        if isinstance(outcome, Receipt):
            return self._sent(channel, delivery, outcome)
        if isinstance(outcome, ChannelBusy):
            return self._busy(channel, delivery, outcome)
        if isinstance(outcome, _Lost):
            return self._uncertain(channel, delivery, outcome)
        if isinstance(outcome, ChannelUnsure):
            now = self._books.clock.now()
            return self._outbox.change(
                delivery, due_at=max(delivery.due_at, now), error=outcome.message,
                answer=_short(outcome.answer),
            )  # fmt: skip
        return self._failed(channel, delivery, outcome.message, outcome.answer)

    def _sent(self, channel: Channel, delivery: Delivery, receipt: Receipt) -> Delivery:
        segments, cost = paid(channel, delivery, receipt)
        with self._books.store.transaction() as tx:
            changed = self._outbox.change_in(
                tx, delivery, state=S.SENT, sent_at=self._books.clock.now(), error="",
                provider_id=receipt.provider_id, answer=_short(receipt.answer), segments=segments,
                cost=cost,
            )  # fmt: skip
            self._troubles.end(tx, channel.id)
        self._unsure.pop(channel.id, None)
        self._look_ups.pop(delivery.id, None)
        return changed

    def _busy(self, channel: Channel, delivery: Delivery, error: ChannelBusy) -> Delivery:
        now = self._books.clock.now()
        if is_given_up(delivery, now):
            words = f"Given up after {GIVEN_UP_AFTER.total_seconds() / 3600:.0f} hours: "
            return self._failed(channel, delivery, words + error.message, error.answer)
        wait_s = retry_after_s(delivery.attempts, error.retry_after_s, self._chance())
        self._paused_until_s[channel.id] = self._books.clock.monotonic() + wait_s
        lasts = now - delivery.created_at >= TROUBLE_AFTER and delivery.attempts > 1
        if lasts or isinstance(error, _Unusable):
            self._troubles.tell_now(channel, error.message)
        return self._outbox.change(
            delivery, state=S.WAITING, due_at=now + timedelta(seconds=wait_s),
            error=error.message, answer=_short(error.answer),
        )  # fmt: skip

    def _failed(self, channel: Channel, delivery: Delivery, reason: str, answer: str) -> Delivery:
        with self._books.writing() as writing:
            changed = self._outbox.change_in(
                writing.tx, delivery, state=S.FAILED, error=reason, answer=_short(answer)
            )
            if not delivery.is_test:
                self._troubles.tell(writing, channel, reason)
        return changed

    def _uncertain(
        self, channel: Channel | None, delivery: Delivery, error: ChannelError
    ) -> Delivery:
        changed = self._outbox.change(
            delivery, state=S.UNCERTAIN, answer=_short(error.answer),
            error=f"{error.message} It may have arrived, so it is not sent again by itself.",
        )  # fmt: skip
        self._look_ups.pop(delivery.id, None)
        if channel is not None:
            self._unsure[channel.id] += 1
            if self._unsure[channel.id] >= UNSURE_IN_A_ROW:
                self._troubles.tell_now(channel, error.message)
        return changed

    # --- looking up -----------------------------------------------------------------------------

    def _look_up(self, channel: Channel | None, delivery: Delivery) -> None:
        """Ask what became of a message that is in doubt. What several look-ups do not find was not
        taken, and goes again under the same reference."""
        notifier = self._find_notifier(channel)
        if isinstance(notifier, ChannelError) or delivery.is_test or not notifier.can_find:
            reason = notifier.message if isinstance(notifier, ChannelError) else NO_ANSWER
            self._uncertain(channel, delivery, ChannelUnsure(reason, answer=delivery.answer))
            return
        now = self._books.clock.now()
        try:
            receipt = notifier.find(message_of(delivery, self._outbox.others(delivery)))
        except ChannelBusy as error:
            self._look_up_later(channel, delivery, error)
            return
        except ChannelError as error:
            self._uncertain(channel, delivery, error)
            return
        if receipt is not None and channel is not None:
            self._sent(channel, delivery, receipt)
            return
        self._look_ups[delivery.id] += 1
        if self._look_ups[delivery.id] < LOOK_UPS:
            self._outbox.change(
                delivery, due_at=now + LOOKED_UP_EVERY, changed_at=delivery.changed_at
            )
            return
        self._outbox.change(delivery, state=S.WAITING, due_at=now, error=NOT_THERE)
        del self._look_ups[delivery.id]

    def _find_notifier(self, channel: Channel | None) -> Notifier | ChannelError:
        if channel is None:
            return ChannelUnsure("Its channel was deleted while it was sent.")
        try:
            return self._open(channel)
        except QuarterdeckError as error:
            return ChannelUnsure(error.message)

    def _look_up_later(
        self, channel: Channel | None, delivery: Delivery, error: ChannelBusy
    ) -> None:
        now = self._books.clock.now()
        if now - delivery.changed_at >= GIVEN_UP_AFTER:
            self._uncertain(channel, delivery, error)
            return
        wait_s = retry_after_s(delivery.attempts, error.retry_after_s, self._chance())
        self._outbox.change(
            delivery, due_at=now + timedelta(seconds=wait_s), changed_at=delivery.changed_at
        )


class _Lost(ChannelUnsure):
    """It may have arrived, and nobody can tell."""


class _Unusable(ChannelBusy):
    """A channel that cannot be opened as it is set up."""


NO_ANSWER = "The engine ended while it was sent, or the provider gave no answer."
NOT_THERE = "The provider did not have it when it was looked up, so it goes again."


def _short(answer: str) -> str:
    return cut(answer, MOST_ANSWER)
