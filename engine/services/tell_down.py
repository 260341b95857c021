"""Sends the watcher's messages: each at most once, whatever ends the watcher in between.

As in the engine's own outbox (ADR 0022), ``SENDING`` is in the file before a message goes out, and
what became of it after. What is between the two when the watcher dies is looked up where the
provider can tell, and else not sent again.
"""

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from engine.domain.alert_texts import cut
from engine.domain.alerts import Channel, Delivery, DeliveryState
from engine.domain.delivery_rules import (
    GIVEN_UP_AFTER,
    LOOK_UPS,
    LOOKED_UP_EVERY,
    OPEN,
    SETTLES_AFTER,
    is_given_up,
    retry_after_s,
)
from engine.domain.watch_outbox import change, escalated
from engine.errors import ChannelBusy, ChannelError, ChannelUnsure, QuarterdeckError
from engine.services.watcher_notes import WatcherNotes

if TYPE_CHECKING:  # the ports bring pandas and numba with them, and a watcher is small
    from engine.ports import Clock, Message, Notifier, Receipt

log = logging.getLogger("quarterdeck.watcher")

S = DeliveryState
MOST_ANSWER = 300
IN_DOUBT = "It may have arrived, so it is not sent again."


class DownTeller:
    """Works at the messages that are due, each channel on a thread of its own: a provider that
    hangs delays neither the rounds nor another channel.

    ``open_notifier`` raises ConfigError for a channel that cannot be used; ``chance`` gives numbers
    from 0 to 1 that spread retries.
    """

    def __init__(
        self, notes: WatcherNotes, open_notifier: "Callable[[Channel], Notifier]", clock: "Clock",
        chance: Callable[[], float] = random.random,
    ) -> None:  # fmt: skip
        self._notes = notes
        self._open = open_notifier
        self._clock = clock
        self._chance = chance
        self._threads: dict[str, threading.Thread] = {}
        self._in_flight: set[str] = set()
        self._look_ups: Counter[str] = Counter()
        self._is_halted = False

    def begin_due(self) -> None:
        """Begin what is to be done now; does not wait for it."""
        now = self._clock.now()
        state = self._notes.change(lambda state: escalated(state, now))
        for channel_id in {
            one.channel_id for one in state.deliveries if one.state in OPEN and one.due_at <= now
        }:
            running = self._threads.get(channel_id)
            if running is None or not running.is_alive():
                # A daemon: what a provider keeps waiting keeps nobody from stopping the watcher.
                thread = threading.Thread(
                    target=self.work, args=(channel_id,), name=f"tell-{channel_id}", daemon=True
                )
                self._threads[channel_id] = thread
                thread.start()

    def finish(self, timeout_s: float) -> None:
        """Begin no message any more, and wait for those on the wire, so long each."""
        self._is_halted = True
        for thread in self._threads.values():
            thread.join(timeout_s)

    def work(self, channel_id: str) -> None:
        """Look up what is in doubt and send what is due; blocking."""
        for one in self._due(channel_id, S.SENDING):
            if one.id not in self._in_flight:
                self._look_up(one)
        for one in self._due(channel_id, S.WAITING):
            if not self._is_halted:
                self._send(one)

    def _due(self, channel_id: str, state: DeliveryState) -> list[Delivery]:
        now = self._clock.now()
        return [
            one for one in self._notes.state.deliveries
            if (one.channel_id, one.state) == (channel_id, state) and one.due_at <= now
        ]  # fmt: skip

    def _change(self, delivery: Delivery, **changes: Any) -> Delivery:
        """What happened to it meanwhile, as an escalation, stays."""
        now = self._clock.now()
        changed: list[Delivery] = []

        def put(state: Any) -> Any:
            kept = state.find(delivery.id) or delivery
            changed.append(kept.model_copy(update={"changed_at": now, **changes}))
            return change(state, changed[0])

        self._notes.change(put)
        return changed[0]

    def _channel(self, delivery: Delivery) -> Channel | None:
        found = (one for one in self._notes.state.channels if one.id == delivery.channel_id)
        return next(found, None)

    # --- sending --------------------------------------------------------------------------------

    def _send(self, delivery: Delivery) -> None:
        channel = self._channel(delivery)
        if channel is None or not channel.is_enabled:
            self._change(delivery, state=S.DROPPED, error="Its channel is off or gone.")
            return
        now = self._clock.now()
        self._in_flight.add(delivery.id)
        sending = self._change(
            delivery, state=S.SENDING, attempts=delivery.attempts + 1, due_at=now + SETTLES_AFTER
        )
        try:
            notifier, message = self._prepared(channel, sending)
            self._sent(sending, notifier.send(message))
        except ChannelUnsure as error:
            if not notifier.can_find:
                self._uncertain(sending, error)
            else:
                log.warning("'%s': %s It is looked up.", channel.name, error.message)
        except ChannelBusy as error:
            self._busy(sending, error)
        except ChannelError as error:
            self._failed(sending, error.message, error.answer)
        except Exception:
            # It may be out: by its state it is in doubt, and is looked up like that.
            log.exception("the notifier of '%s' failed", channel.name)
        finally:
            self._in_flight.discard(delivery.id)

    def _prepared(self, channel: Channel, delivery: Delivery) -> "tuple[Notifier, Message]":
        """Raises ChannelBusy: nothing was sent then, and it may be put right."""
        try:
            from engine.services.outgoing import message_of

            return self._open(channel), message_of(delivery, self._others(delivery))
        except QuarterdeckError as error:
            raise ChannelBusy(error.message) from error
        except Exception as error:  # as an installation that is being replaced
            log.exception("the channel '%s' cannot be used", channel.name)
            raise ChannelBusy("The watcher failed before it was sent; its log says why.") from error

    def _others(self, delivery: Delivery) -> frozenset[str]:
        return frozenset(
            name for one in self._notes.state.deliveries
            if one.channel_id == delivery.channel_id and one.id != delivery.id
            for name in one.provider_id.split(",") if name
        )  # fmt: skip

    def _sent(self, delivery: Delivery, receipt: "Receipt") -> None:
        self._look_ups.pop(delivery.id, None)
        self._change(
            delivery, state=S.SENT, sent_at=self._clock.now(), error="", cost=receipt.cost,
            provider_id=receipt.provider_id, answer=cut(receipt.answer, MOST_ANSWER),
            segments=receipt.segments,
        )  # fmt: skip
        log.info("'%s' was told: %s", delivery.channel_name, delivery.title)

    def _busy(self, delivery: Delivery, error: ChannelBusy) -> None:
        now = self._clock.now()
        if is_given_up(delivery, now):
            self._failed(delivery, f"Given up: {error.message}", error.answer)
            return
        wait_s = retry_after_s(delivery.attempts, error.retry_after_s, self._chance())
        log.warning("'%s': %s Again in %.0f s.", delivery.channel_name, error.message, wait_s)
        self._change(
            delivery, state=S.WAITING, due_at=now + timedelta(seconds=wait_s),
            error=error.message, answer=cut(error.answer, MOST_ANSWER),
        )  # fmt: skip

    def _failed(self, delivery: Delivery, reason: str, answer: str) -> None:
        log.error("'%s' is not told: %s", delivery.channel_name, reason)
        self._change(delivery, state=S.FAILED, error=reason, answer=cut(answer, MOST_ANSWER))

    def _uncertain(self, delivery: Delivery, error: ChannelError) -> None:
        self._look_ups.pop(delivery.id, None)
        log.warning("'%s': %s %s", delivery.channel_name, error.message, IN_DOUBT)
        self._change(
            delivery, state=S.UNCERTAIN, error=f"{error.message} {IN_DOUBT}",
            answer=cut(error.answer, MOST_ANSWER),
        )  # fmt: skip

    # --- looking up -----------------------------------------------------------------------------

    def _look_up(self, delivery: Delivery) -> None:
        """What became of a message that is in doubt: what several look-ups do not find was not
        taken, and goes under the same reference."""
        channel = self._channel(delivery)
        if channel is None:
            self._uncertain(delivery, ChannelUnsure("Its channel was deleted while it was sent."))
            return
        now = self._clock.now()
        try:
            notifier, message = self._prepared(channel, delivery)
            if not notifier.can_find:
                self._uncertain(delivery, ChannelUnsure("The watcher ended while it was sent."))
                return
            receipt = notifier.find(message)
        except ChannelBusy as error:
            if now - delivery.changed_at >= GIVEN_UP_AFTER:
                self._uncertain(delivery, error)
                return
            wait_s = retry_after_s(delivery.attempts, error.retry_after_s, self._chance())
            self._later(delivery, timedelta(seconds=wait_s))
            return
        except ChannelError as error:
            self._uncertain(delivery, error)
            return
        if receipt is not None:
            self._sent(delivery, receipt)
            return
        self._look_ups[delivery.id] += 1
        if self._look_ups[delivery.id] < LOOK_UPS:
            self._later(delivery, LOOKED_UP_EVERY)
            return
        del self._look_ups[delivery.id]
        self._change(delivery, state=S.WAITING, due_at=now, error="")

    def _later(self, delivery: Delivery, wait: timedelta) -> None:
        due_at = self._clock.now() + wait
        self._change(delivery, due_at=due_at, changed_at=delivery.changed_at)
