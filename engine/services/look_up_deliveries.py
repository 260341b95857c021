"""Messages in doubt: sent without an answer, or their sender died before it could keep one."""

import logging
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from engine.domain.alerts import Channel, Delivery, DeliveryState
from engine.domain.delivery_rules import (
    GIVEN_UP_AFTER,
    LEAST_TRIES,
    LOOK_UPS,
    LOOKED_UP_EVERY,
    retry_after_s,
)
from engine.errors import ChannelBusy, ChannelError, ChannelUnsure, QuarterdeckError
from engine.services.sent_outcomes import Lost, Outcome, changes_of

if TYPE_CHECKING:  # the ports bring pandas and numba with them, and a watcher is small
    from engine.ports import Clock, Notifier, Receipt

log = logging.getLogger("quarterdeck.alerts")

FAULT = "It failed while it was looked up; the log says why."
NO_ANSWER = "What sent it ended meanwhile, or the provider gave no answer."
DELETED = "Its channel was deleted while it was sent."
NOT_THERE = "The provider did not have it when it was looked up, so it goes again."


class Rows(Protocol):
    """Where messages are kept. Raises StoreError."""

    def change(self, delivery: Delivery, **changes: Any) -> Delivery:
        """Write down what became of one; what happened to it meanwhile stays."""
        ...

    def others(self, delivery: Delivery) -> frozenset[str]:
        """What the provider calls the other messages that went since this one was written."""
        ...


class LookUps:
    """Asks the provider, several times: what it has is sent, what it has not goes again under the
    same reference, and what nobody can tell stays uncertain. Blocking; raises StoreError.

    ``settle`` writes down what was found; ``chance`` gives numbers from 0 to 1 that spread tries.
    """

    def __init__(
        self,
        clock: "Clock",
        rows: Rows,
        settle: Callable[[Channel, Delivery, Outcome], Delivery],
        open_notifier: "Callable[[Channel], Notifier]",
        chance: Callable[[], float],
    ) -> None:
        self._clock = clock
        self._rows = rows
        self._settle = settle
        self._open = open_notifier
        self._chance = chance
        self._not_found: Counter[str] = Counter()
        self._in_vain: Counter[str] = Counter()

    def look_up(self, channel: Channel | None, delivery: Delivery) -> None:
        """Once; ``channel`` None when it was deleted."""
        if channel is None:
            self._uncertain(delivery, ChannelUnsure(DELETED))
            return
        try:
            receipt = self._found(channel, delivery)
        except ChannelBusy as error:
            self._look_later(delivery, error)
        except ChannelError as error:
            self._uncertain(delivery, error)
        except QuarterdeckError:  # of the database
            raise
        except Exception:  # or what waits behind it would never go
            log.exception("%s could not be looked up", delivery.id)
            self._look_later(delivery, ChannelBusy(FAULT))
        else:
            if receipt is None:
                self._not_there(delivery)
            else:
                self._settle(channel, delivery, receipt)
                self._forget(delivery.id)

    def _found(self, channel: Channel, delivery: Delivery) -> "Receipt | None":
        from engine.services.outgoing import message_of

        try:
            notifier = self._open(channel)
        except QuarterdeckError as error:
            raise ChannelBusy(error.message) from error  # it may be put right
        if delivery.is_test or not notifier.can_find:
            raise ChannelUnsure(delivery.error or NO_ANSWER, answer=delivery.answer)
        return notifier.find(message_of(delivery, self._rows.others(delivery)))

    def _uncertain(self, delivery: Delivery, error: ChannelError) -> None:
        lost = Lost(error.message, answer=error.answer)
        self._rows.change(delivery, **changes_of(delivery, lost, self._clock.now(), 0.0))
        self._forget(delivery.id)

    def _not_there(self, delivery: Delivery) -> None:
        """Providers list a message some time after they took it."""
        now = self._clock.now()
        self._not_found[delivery.id] += 1
        if self._not_found[delivery.id] < LOOK_UPS:
            due_at = now + LOOKED_UP_EVERY
            self._rows.change(delivery, due_at=due_at, changed_at=delivery.changed_at)
            return
        self._rows.change(delivery, state=DeliveryState.WAITING, due_at=now, error=NOT_THERE)
        self._forget(delivery.id)

    def _forget(self, delivery_id: str) -> None:
        del self._not_found[delivery_id]
        del self._in_vain[delivery_id]

    def _look_later(self, delivery: Delivery, error: ChannelBusy) -> None:
        now = self._clock.now()
        self._in_vain[delivery.id] += 1
        is_old = now - delivery.changed_at >= GIVEN_UP_AFTER  # perhaps the sender was down so long
        if is_old and self._in_vain[delivery.id] >= LEAST_TRIES:
            self._uncertain(delivery, error)
            return
        wait_s = retry_after_s(self._in_vain[delivery.id], error.retry_after_s, self._chance())
        due_at = now + timedelta(seconds=wait_s)
        self._rows.change(delivery, due_at=due_at, changed_at=delivery.changed_at)
