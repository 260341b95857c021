"""Asks another channel where one does not get an alert through in time."""

from datetime import datetime, timedelta

from engine.domain.alerts import Channel, Delivery, DeliveryState
from engine.domain.delivery_rules import ESCALATED, escalates_at
from engine.ports import Clock, Store, Transaction
from engine.services.route_alerts import AlertRouter, is_about

S = DeliveryState
FAILURES = (S.FAILED, S.UNCERTAIN)
NOT_THROUGH = (S.WAITING, S.SENDING, *FAILURES)
LOOK_BACK = timedelta(days=2)
"""Older ones are told nobody any more."""


class Escalator:
    """Makes deliveries for the channels that take over; blocking.

    An alert has one delivery a channel, so that chains of channels end where they began.
    """

    def __init__(self, store: Store, clock: Clock, router: AlertRouter) -> None:
        self._store = store
        self._clock = clock
        self._router = router

    def escalate(self) -> int:
        """One round; how many deliveries were made. Raises StoreError."""
        now = self._clock.now()
        with self._store.reading() as tx:
            if not self._due(tx, now):
                return 0
        made = 0
        with self._store.transaction() as tx:
            for row, late, other in self._due(tx, now):
                made += sum(self._hand_over(tx, one, other, now) for one in late)
                if row.is_digest and row.state in FAILURES:
                    tx.deliveries.save(row.model_copy(update={"is_escalated": True}))
        return made

    def _due(
        self, tx: Transaction, now: datetime
    ) -> list[tuple[Delivery, list[Delivery], Channel]]:
        """What is not through, the alerts in it that are late, and the channel to take over."""
        channels = {one.id: one for one in tx.channels.select()}
        enabled = {key for key, one in channels.items() if one.is_enabled}
        able = [key for key, one in channels.items() if one.escalate_to in enabled]
        rows = tx.deliveries.select(
            channel_id=able, state=NOT_THROUGH, level=ESCALATED, is_escalated=False,
            is_test=False, since=now - LOOK_BACK,
        ) if able else ()  # fmt: skip
        found = []
        for row in rows:
            channel = channels[row.channel_id]
            late = [one for one in self._told_by(tx, row)
                    if row.state in FAILURES or escalates_at(one, channel) <= now]  # fmt: skip
            if late:
                found.append((row, late, channels[channel.escalate_to]))
        return found

    def _told_by(self, tx: Transaction, row: Delivery) -> list[Delivery]:
        """The alerts in it that matter so much, and were not handed over yet."""
        if not row.is_digest:
            return [row]
        return list(tx.deliveries.select(
            channel_id=row.channel_id, digest_id=row.id, level=ESCALATED, is_escalated=False,
            since=row.created_at - LOOK_BACK,
        ))  # fmt: skip

    def _hand_over(self, tx: Transaction, late: Delivery, other: Channel, now: datetime) -> bool:
        """Whether the other channel did not have it yet."""
        tx.deliveries.save(late.model_copy(update={"is_escalated": True}))
        alert = tx.alerts.find(late.alert_id)
        if alert is None or is_about(alert, other.id):
            return False
        made = self._router.make(alert, other, now)
        if tx.deliveries.find(made.id) is not None:
            return False
        tx.deliveries.add(made.model_copy(update={"escalated_from": late.id}))
        return True
