"""Messages in doubt: sent without an answer, or the engine died before it could write one down."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from engine.domain.alerts import Channel, Delivery, DeliveryState
from engine.domain.delivery_rules import (
    GIVEN_UP_AFTER,
    LEAST_TRIES,
    LOOK_UPS,
    LOOKED_UP_EVERY,
)
from engine.errors import ChannelBusy, ChannelError, ChannelUnsure, QuarterdeckError
from engine.ports import Notifier, Receipt
from engine.services.books import Books
from engine.services.outbox import Outbox
from engine.services.outgoing import message_of
from engine.services.settle_deliveries import Settler

NO_ANSWER = "The engine ended while it was sent, or the provider gave no answer."
DELETED = "Its channel was deleted while it was sent."
NOT_THERE = "The provider did not have it when it was looked up, so it goes again."


class LookUps:
    """Asks the provider, several times: what it has is sent, what it has not goes again under the
    same reference, and what nobody can tell stays uncertain. Blocking; raises StoreError."""

    def __init__(
        self,
        books: Books,
        outbox: Outbox,
        settler: Settler,
        open_notifier: Callable[[Channel], Notifier],
    ) -> None:
        self._books = books
        self._outbox = outbox
        self._settler = settler
        self._open = open_notifier
        self._not_found: Counter[str] = Counter()
        self._in_vain: Counter[str] = Counter()

    def look_up(self, channel: Channel | None, delivery: Delivery) -> None:
        """Once; ``channel`` None when it was deleted."""
        if channel is None:
            self._settler.uncertain(delivery, ChannelUnsure(DELETED))
            return
        try:
            receipt = self._found(channel, delivery)
        except ChannelBusy as error:
            self._look_later(delivery, error)
        except ChannelError as error:
            self._settler.uncertain(delivery, error)
        else:
            if receipt is None:
                self._not_there(delivery)
            else:
                self._settler.write(channel, delivery, receipt)
                self._forget(delivery.id)

    def _found(self, channel: Channel, delivery: Delivery) -> Receipt | None:
        try:
            notifier = self._open(channel)
        except QuarterdeckError as error:
            raise ChannelBusy(error.message) from error  # it may be put right
        if delivery.is_test or not notifier.can_find:
            raise ChannelUnsure(delivery.error or NO_ANSWER, answer=delivery.answer)
        return notifier.find(message_of(delivery, self._outbox.others(delivery)))

    def _not_there(self, delivery: Delivery) -> None:
        """Providers list a message some time after they took it."""
        now = self._books.clock.now()
        self._not_found[delivery.id] += 1
        if self._not_found[delivery.id] < LOOK_UPS:
            self._outbox.change(
                delivery, due_at=now + LOOKED_UP_EVERY, changed_at=delivery.changed_at
            )
            return
        self._outbox.change(delivery, state=DeliveryState.WAITING, due_at=now, error=NOT_THERE)
        self._forget(delivery.id)

    def _forget(self, delivery_id: str) -> None:
        del self._not_found[delivery_id]
        del self._in_vain[delivery_id]

    def _look_later(self, delivery: Delivery, error: ChannelBusy) -> None:
        now = self._books.clock.now()
        self._in_vain[delivery.id] += 1
        is_old = now - delivery.changed_at >= GIVEN_UP_AFTER  # perhaps the engine was down so long
        if is_old and self._in_vain[delivery.id] >= LEAST_TRIES:
            self._settler.uncertain(delivery, error)
            self._forget(delivery.id)
            return
        due_at = now + timedelta(seconds=self._settler.wait_s(self._in_vain[delivery.id], error))
        self._outbox.change(delivery, due_at=due_at, changed_at=delivery.changed_at)
