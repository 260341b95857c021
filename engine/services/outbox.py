"""The rows of deliveries: every change of state is one transaction.

``SENDING`` is committed before a message goes out, and what became of it after: whatever is between
the two when the engine dies is in doubt, and is treated so.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from engine.domain.alerts import DIGEST_PREFIX, Channel, Delivery, DeliveryState
from engine.domain.delivery_rules import OPEN, SETTLES_AFTER, is_held, urgency
from engine.domain.digests import MOST_MEMBERS, digest_of
from engine.domain.quiet_hours import may_go_at
from engine.domain.records import Level
from engine.ports import NotAfter, Prefix, Transaction
from engine.services.books import Books

S = DeliveryState
OTHERS_BEFORE = timedelta(days=1)
"""So long a message may have waited that is sent beside another one."""


class Outbox:
    """Takes messages out, one at a time, and writes down what became of them; blocking.

    All methods raise StoreError, and then nothing has changed.
    """

    def __init__(self, books: Books, zone: str) -> None:
        self._books = books
        self._zone = zone

    def busy_channels(self) -> set[str]:
        """Those that have something to do now; what waits for a channel that is gone or disabled
        is dropped, and what waits for the end of quiet hours that were changed waits anew."""
        now = self._books.clock.now()
        with self._books.store.reading() as tx:
            rows = tx.deliveries.values("channel_id", "state", "due_at", "changed_at", state=OPEN)
            channels = {one.id: one for one in tx.channels.select()}
        enabled = {key for key, one in channels.items() if one.is_enabled}
        for key in {key for key, state, _, _ in rows if state == S.WAITING} - enabled:
            self._drop(key, is_gone=key not in channels)
        for key in {key for key, state, due_at, changed_at in rows
                    if state == S.WAITING and due_at > now and key in enabled
                    and channels[key].updated_at > changed_at}:  # fmt: skip
            self._hold_anew(key)
        return {key for key, state, due_at, _ in rows
                if due_at <= now and (key in enabled or state == S.SENDING)}  # fmt: skip

    def find_channel(self, channel_id: str) -> Channel | None:
        """As it is set up now."""
        with self._books.store.reading() as tx:
            return tx.channels.find(channel_id)

    def has_due(self, channel_id: str) -> bool:
        """Whether a message is to go now."""
        due = NotAfter(self._books.clock.now())
        with self._books.store.reading() as tx:
            return bool(tx.deliveries.select(
                channel_id=channel_id, state=S.WAITING, due_at=due, limit=1))  # fmt: skip

    def doubtful(self, channel_id: str, in_flight: Collection[str]) -> list[Delivery]:
        """What is on the wire by its state, and is not by what this process knows; when it is time
        to look it up."""
        due = NotAfter(self._books.clock.now())
        with self._books.store.reading() as tx:
            rows = tx.deliveries.select(channel_id=channel_id, state=S.SENDING, due_at=due)
        return [one for one in rows if one.id not in in_flight]

    def take(self, channel_id: str) -> Delivery | None:
        """Mark the next message as being sent. None when nothing is to go, or not now."""
        now = self._books.clock.now()
        with self._books.store.transaction() as tx:
            channel = tx.channels.find(channel_id)
            if channel is None or not channel.is_enabled:
                return None
            due = self._loud(tx, channel, now)
            chosen = next((one for one in due if one.is_digest), None)
            if chosen is None:
                chosen = self._bundled(tx, channel, due, now) or next(iter(due), None)
            if chosen is None:
                return None
            sending = chosen.model_copy(
                update={
                    "state": S.SENDING, "attempts": chosen.attempts + 1, "changed_at": now,
                    "due_at": now + SETTLES_AFTER,
                }
            )  # fmt: skip
            tx.deliveries.save(sending)
        return sending

    def others(self, delivery: Delivery) -> frozenset[str]:
        """What the provider calls the other messages that went since this one was written."""
        with self._books.store.reading() as tx:
            rows = tx.deliveries.values(
                "id", "provider_id", channel_id=delivery.channel_id, state=S.SENT,
                since=delivery.created_at - OTHERS_BEFORE,
            )  # fmt: skip
        return frozenset(name for key, names in rows if key != delivery.id
                         for name in names.split(",") if name)  # fmt: skip

    def sent_since(self, moment: datetime) -> tuple[list[Channel], Sequence[Channel]]:
        """The channel of each message that went, or may have gone, since then; and all channels."""
        with self._books.store.reading() as tx:
            channels = tx.channels.select()
            rows = tx.deliveries.values(
                "channel_id", "changed_at", state=(S.SENDING, S.SENT, S.UNCERTAIN),
                since=moment - OTHERS_BEFORE,
            )  # fmt: skip
        by_id = {one.id: one for one in channels}
        return [by_id[key] for key, at in rows if at >= moment and key in by_id], channels

    def change(self, delivery: Delivery, **changes: Any) -> Delivery:
        """Write down what became of one."""
        with self._books.store.transaction() as tx:
            return self.change_in(tx, delivery, **changes)

    def change_in(self, tx: Transaction, delivery: Delivery, **changes: Any) -> Delivery:
        """The same within a transaction: what others changed meanwhile stays."""
        update = {"changed_at": self._books.clock.now(), **changes}
        changed = tx.deliveries.get(delivery.id).model_copy(update=update)
        tx.deliveries.save(changed)
        return changed

    # --- parts ----------------------------------------------------------------------------------

    def _loud(self, tx: Transaction, channel: Channel, now: datetime) -> list[Delivery]:
        """What is due and may go at this hour, the most urgent first; the rest waits for the end
        of the quiet hours."""
        loud = []
        for row in self._due(tx, channel.id, now):
            due_at = may_go_at(channel.quiet, row.level, now)
            if due_at > now:
                tx.deliveries.save(row.model_copy(update={"due_at": due_at}))
            else:
                loud.append(row)
        return sorted(loud, key=urgency)

    def _due(self, tx: Transaction, channel_id: str, now: datetime) -> Iterable[Delivery]:
        """As many as are told in one message: the oldest digests, errors, and others."""
        found: dict[str, Delivery] = {}
        for narrowed in ({"alert_id": Prefix(DIGEST_PREFIX)}, {"level": Level.ERROR}, {}):
            rows = tx.deliveries.select(
                channel_id=channel_id, state=S.WAITING, due_at=NotAfter(now), limit=MOST_MEMBERS,
                **narrowed,
            )  # fmt: skip
            found.update((row.id, row) for row in rows)
        return found.values()

    def _bundled(
        self, tx: Transaction, channel: Channel, due: Sequence[Delivery], now: datetime
    ) -> Delivery | None:
        """One message for all that is due, when that is too much for single ones. What was tried
        before goes again as it was: of several numbers some may have it."""
        members = [one for one in due if one.attempts == 0][:MOST_MEMBERS]
        if len(members) < 2 or not self._is_storm(tx, channel, due, now):
            return None
        digest = digest_of(channel, members, now, self._zone)
        tx.deliveries.add(digest)
        for one in members:
            tx.deliveries.save(one.model_copy(
                update={"state": S.DIGESTED, "digest_id": digest.id, "changed_at": now}
            ))  # fmt: skip
        return digest

    def _is_storm(
        self, tx: Transaction, channel: Channel, due: Sequence[Delivery], now: datetime
    ) -> bool:
        """More than ``digest_above`` single messages within the window; or some that were held in
        quiet hours, which are told in one anyway."""
        if sum(is_held(one) for one in due) > 1 or len(due) > channel.digest_above:
            return True
        window = timedelta(seconds=channel.digest_window_s)
        sent = tx.deliveries.values(
            "sent_at", channel_id=channel.id, state=S.SENT, since=now - 2 * window
        )
        told = [at for (at,) in sent if at is not None and at > now - window]
        return len(told) + len(due) > channel.digest_above

    def _hold_anew(self, channel_id: str) -> None:
        """Its quiet hours may be others by now."""
        now = self._books.clock.now()
        with self._books.store.transaction() as tx:
            channel = tx.channels.find(channel_id)
            if channel is None:
                return
            for row in tx.deliveries.select(channel_id=channel_id, state=S.WAITING):
                held = {"due_at": may_go_at(channel.quiet, row.level, now)} if is_held(row) else {}
                self.change_in(tx, row, **held)

    def _drop(self, channel_id: str, *, is_gone: bool) -> None:
        reason = "Its channel was deleted." if is_gone else "Its channel was switched off."
        with self._books.store.transaction() as tx:
            channel = tx.channels.find(channel_id)
            if channel is not None and channel.is_enabled:
                return
            for row in tx.deliveries.select(channel_id=channel_id, state=S.WAITING):
                self.change_in(tx, row, state=S.DROPPED, error=reason)
