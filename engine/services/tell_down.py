"""Sends the watcher's messages: each at most once, whatever ends the watcher in between.

As in the engine's own outbox (ADR 0022), ``SENDING`` is in the file before a message goes out, and
what became of it after. What is between the two when the watcher dies is looked up where the
provider can tell, and else not sent again.
"""

import logging
import random
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from engine.domain.alerts import Channel, Delivery, DeliveryState
from engine.domain.delivery_rules import OPEN, SETTLES_AFTER
from engine.domain.watch_outbox import change, escalated
from engine.errors import ChannelBusy, QuarterdeckError
from engine.services.look_up_deliveries import LookUps
from engine.services.sent_outcomes import Outcome, changes_of, outcome_of
from engine.services.watcher_notes import WatcherNotes

if TYPE_CHECKING:  # the ports bring pandas and numba with them, and a watcher is small
    from engine.ports import Clock, Notifier

log = logging.getLogger("quarterdeck.watcher")

S = DeliveryState


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
        self._look_ups = LookUps(clock, self, self._settle, open_notifier, chance)
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
                self._look_ups.look_up(self._channel(one), one)
        for one in self._due(channel_id, S.WAITING):
            if not self._is_halted:
                self._send(one)

    def change(self, delivery: Delivery, **changes: Any) -> Delivery:
        """See Rows: as an escalation."""
        now = self._clock.now()
        changed: list[Delivery] = []

        def put(state: Any) -> Any:
            kept = state.find(delivery.id) or delivery
            changed.append(kept.model_copy(update={"changed_at": now, **changes}))
            return change(state, changed[0])

        self._notes.change(put)
        return changed[0]

    def others(self, delivery: Delivery) -> frozenset[str]:
        """See Rows."""
        return frozenset(
            name for one in self._notes.state.deliveries
            if one.channel_id == delivery.channel_id and one.id != delivery.id
            for name in one.provider_id.split(",") if name
        )  # fmt: skip

    # --- parts ----------------------------------------------------------------------------------

    def _due(self, channel_id: str, state: DeliveryState) -> list[Delivery]:
        now = self._clock.now()
        return [
            one for one in self._notes.state.deliveries
            if (one.channel_id, one.state) == (channel_id, state) and one.due_at <= now
        ]  # fmt: skip

    def _channel(self, delivery: Delivery) -> Channel | None:
        found = (one for one in self._notes.state.channels if one.id == delivery.channel_id)
        return next(found, None)

    def _send(self, delivery: Delivery) -> None:
        channel = self._channel(delivery)
        if channel is None or not channel.is_enabled:
            self.change(delivery, state=S.DROPPED, error="Its channel is off or gone.")
            return
        now = self._clock.now()
        self._in_flight.add(delivery.id)
        sending = self.change(
            delivery, state=S.SENDING, attempts=delivery.attempts + 1, due_at=now + SETTLES_AFTER
        )
        try:
            self._settle(channel, sending, self._outcome_of(channel, sending))
        finally:
            self._in_flight.discard(delivery.id)

    def _outcome_of(self, channel: Channel, delivery: Delivery) -> Outcome:
        try:
            from engine.services.outgoing import message_of

            notifier, message = self._open(channel), message_of(delivery, self.others(delivery))
        except QuarterdeckError as error:
            return ChannelBusy(error.message)
        except Exception:  # as an installation that is being replaced
            log.exception("the channel '%s' cannot be used", channel.name)
            return ChannelBusy("The watcher failed before it was sent; its log says why.")
        return outcome_of(notifier, message)

    def _settle(self, channel: Channel, delivery: Delivery, outcome: Outcome) -> Delivery:
        changes = changes_of(delivery, outcome, self._clock.now(), self._chance())
        changed = self.change(delivery, **changes)
        if changed.state is S.SENT:
            log.info("'%s' was told: %s", channel.name, delivery.title)
        else:
            log.warning("'%s' is %s: %s", channel.name, changed.state, changed.error)
        return changed
