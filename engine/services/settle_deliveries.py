"""Writes down what became of a message that was sent."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from engine.domain.alert_texts import cut
from engine.domain.alerts import Channel, Delivery, DeliveryState
from engine.domain.delivery_rules import (
    GIVEN_UP_AFTER,
    TROUBLE_AFTER,
    is_given_up,
    retry_after_s,
)
from engine.errors import ChannelBusy, ChannelError, ChannelUnsure
from engine.ports import Receipt
from engine.services.books import Books
from engine.services.channel_troubles import ChannelTroubles
from engine.services.outbox import Outbox
from engine.services.sms_cost import paid

MOST_ANSWER = 500
UNSURE_IN_A_ROW = 3
"""So many messages without an answer, one after the other, are trouble of the channel."""

S = DeliveryState
Outcome = Receipt | ChannelError


class Lost(ChannelUnsure):
    """It may have arrived, and nobody can tell."""


class Unusable(ChannelBusy):
    """The channel cannot be opened as it is set up: nothing was sent, and it may be put right."""


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
        if isinstance(outcome, Receipt):
            return self._sent(channel, delivery, outcome)
        if isinstance(outcome, ChannelBusy):
            return self._busy(channel, delivery, outcome)
        if isinstance(outcome, Lost):
            return self._lost(channel, delivery, outcome)
        if isinstance(outcome, ChannelUnsure):  # to be looked up
            return self._outbox.change(
                delivery, error=outcome.message, answer=_short(outcome.answer),
                changed_at=delivery.changed_at,
            )  # fmt: skip
        return self._failed(channel, delivery, outcome)

    def uncertain(self, delivery: Delivery, error: ChannelError) -> Delivery:
        """Nobody can tell what became of it."""
        return self._outbox.change(
            delivery, state=S.UNCERTAIN, answer=_short(error.answer),
            error=f"{error.message} It may have arrived, so it is not sent again by itself.",
        )  # fmt: skip

    def wait_s(self, tries: int, error: ChannelBusy) -> float:
        """Seconds until the provider is asked again, after so many tries in vain."""
        return retry_after_s(tries, error.retry_after_s, self._chance())

    # --- parts ----------------------------------------------------------------------------------

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
        return changed

    def _busy(self, channel: Channel, delivery: Delivery, error: ChannelBusy) -> Delivery:
        now = self._books.clock.now()
        if is_given_up(delivery, now):
            hours = GIVEN_UP_AFTER // timedelta(hours=1)
            words = f"Given up after {hours} hours: {error.message}"
            return self._failed(channel, delivery, ChannelError(words, answer=error.answer))
        wait_s = self.wait_s(delivery.attempts, error)
        self._paused_until_s[channel.id] = self._books.clock.monotonic() + wait_s
        lasts = now - delivery.created_at >= TROUBLE_AFTER and delivery.attempts > 1
        if lasts or isinstance(error, Unusable):
            self._troubles.tell_now(channel, error.message)
        return self._outbox.change(
            delivery, state=S.WAITING, due_at=now + timedelta(seconds=wait_s),
            error=error.message, answer=_short(error.answer),
        )  # fmt: skip

    def _failed(self, channel: Channel, delivery: Delivery, error: ChannelError) -> Delivery:
        with self._books.writing() as writing:
            changed = self._outbox.change_in(
                writing.tx, delivery, state=S.FAILED, error=error.message,
                answer=_short(error.answer),
            )  # fmt: skip
            if not delivery.is_test:  # who tests sees it
                self._troubles.tell(writing, channel, error.message)
        return changed

    def _lost(self, channel: Channel, delivery: Delivery, error: ChannelError) -> Delivery:
        changed = self.uncertain(delivery, error)
        self._unsure[channel.id] += 1
        if self._unsure[channel.id] >= UNSURE_IN_A_ROW:
            self._troubles.tell_now(channel, error.message)
        return changed


def _short(answer: str) -> str:
    return cut(answer, MOST_ANSWER)
