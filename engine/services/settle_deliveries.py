"""Writes down what became of a message of the engine's outbox, and tells of channels that fail."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from engine.domain.alerts import Channel, Delivery, DeliveryState
from engine.domain.delivery_rules import TROUBLE_AFTER
from engine.errors import ChannelBusy, ChannelError
from engine.ports import Receipt
from engine.services.books import Books
from engine.services.channel_troubles import ChannelTroubles
from engine.services.outbox import Outbox
from engine.services.sent_outcomes import Lost, Outcome, Unusable, changes_of
from engine.services.sms_cost import paid

UNSURE_IN_A_ROW = 3
"""So many messages without an answer, one after the other, are trouble of the channel."""

S = DeliveryState
Changes = dict[str, Any]


class Settler:
    """Blocking; raises StoreError, and may then be asked again. ``chance`` gives numbers from 0 to
    1 that spread retries."""

    def __init__(self, books: Books, outbox: Outbox, chance: Callable[[], float]) -> None:
        self._books = books
        self._outbox = outbox
        self._chance = chance
        self._troubles = ChannelTroubles(books)
        self._paused_until_s: dict[str, float] = {}
        self._unsure: Counter[str] = Counter()

    def is_paused(self, channel_id: str) -> bool:
        """Whether the provider was busy, and it is not time to try again."""
        return self._paused_until_s.get(channel_id, 0.0) > self._books.clock.monotonic()

    def write(self, channel: Channel, delivery: Delivery, outcome: Outcome) -> Delivery:
        """What ``outcome`` means for a message that is ``SENDING``."""
        changes = changes_of(delivery, outcome, self._books.clock.now(), self._chance())
        if isinstance(outcome, Receipt):
            return self._sent(channel, delivery, outcome, changes)
        if changes.get("state") is S.FAILED:
            return self._failed(channel, delivery, changes)
        if isinstance(outcome, ChannelBusy):
            self._pause(channel, delivery, outcome, changes)
        changed = self._outbox.change(delivery, **changes)
        if isinstance(outcome, Lost):
            self._count_unsure(channel, outcome)
        return changed

    # --- parts ----------------------------------------------------------------------------------

    def _sent(
        self, channel: Channel, delivery: Delivery, receipt: Receipt, changes: Changes
    ) -> Delivery:
        segments, cost = paid(channel, delivery, receipt)
        changes |= {"segments": segments, "cost": cost}
        with self._books.store.transaction() as tx:
            changed = self._outbox.change_in(tx, delivery, **changes)
            self._troubles.end(tx, channel.id)
        self._unsure.pop(channel.id, None)
        return changed

    def _failed(self, channel: Channel, delivery: Delivery, changes: Changes) -> Delivery:
        with self._books.writing() as writing:
            changed = self._outbox.change_in(writing.tx, delivery, **changes)
            if not delivery.is_test:  # who tests sees it
                self._troubles.tell(writing, channel, changed.error)
        return changed

    def _pause(
        self, channel: Channel, delivery: Delivery, error: ChannelBusy, changes: Changes
    ) -> None:
        now = self._books.clock.now()
        wait_s = (changes["due_at"] - now).total_seconds()
        self._paused_until_s[channel.id] = self._books.clock.monotonic() + wait_s
        lasts = now - delivery.created_at >= TROUBLE_AFTER and delivery.attempts > 1
        if lasts or isinstance(error, Unusable):
            self._troubles.tell_now(channel, error.message)

    def _count_unsure(self, channel: Channel, error: ChannelError) -> None:
        self._unsure[channel.id] += 1
        if self._unsure[channel.id] >= UNSURE_IN_A_ROW:
            self._troubles.tell_now(channel, error.message)
