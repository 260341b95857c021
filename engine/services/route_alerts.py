"""Which channels an alert goes through: the matrix and the filters, applied once."""

from collections.abc import Callable
from datetime import datetime

from engine.domain.alerts import Alert, AlertKind, AlertState, Channel, Delivery
from engine.domain.make_delivery import delivery_of
from engine.ports import Clock, Store

MOST_AT_A_TIME = 50
"""In one transaction: trading writes to the same database, and waits for it meanwhile."""
FAILED_CHANNEL = "channel_id"
"""The fact of a ``channel_failed`` that names the channel which does not get it."""


def _as_it_is(text: str) -> str:
    return text


class AlertRouter:
    """Makes a delivery for each channel that an alert is for; blocking.

    ``clean`` masks secrets in what a person or a program wrote, before it is cut: half a secret
    would not be known.
    """

    def __init__(
        self, store: Store, clock: Clock, zone: str, clean: Callable[[str], str] = _as_it_is
    ) -> None:
        self._store = store
        self._clock = clock
        self._zone = zone
        self._clean = clean

    def route(self) -> int:
        """Route what is new, oldest first; how many that were. An alert and its deliveries change
        in one transaction, so one that is done is never done again. Raises StoreError."""
        with self._store.reading() as tx:
            if not tx.alerts.select(state=AlertState.NEW, limit=1):
                return 0
        with self._store.transaction() as tx:
            alerts = tx.alerts.select(state=AlertState.NEW, limit=MOST_AT_A_TIME)
            channels = tx.channels.select(is_enabled=True)
            now = self._clock.now()
            tx.deliveries.add(*(self.make(alert, one, now) for alert in alerts for one in channels
                                if is_for(alert, one)))  # fmt: skip
            for alert in alerts:
                tx.alerts.save(alert.model_copy(update={"state": AlertState.ROUTED}))
        return len(alerts)

    def make(self, alert: Alert, channel: Channel, now: datetime) -> Delivery:
        """An alert on its way through a channel, not before the end of its quiet hours."""
        return delivery_of(alert, channel, self._zone, now, self._clean)


def is_for(alert: Alert, channel: Channel) -> bool:
    """Whether a channel tells an alert: its kind is chosen, and its bot is, where it has one. That
    a channel fails is told through the others."""
    if alert.kind not in channel.kinds or is_about(alert, channel.id):
        return False
    return not channel.bots or alert.bot_id is None or alert.bot_id in channel.bots


def is_about(alert: Alert, channel_id: str) -> bool:
    """Whether an alert says that this very channel fails."""
    is_failure = alert.kind is AlertKind.CHANNEL_FAILED
    return is_failure and alert.data.get(FAILED_CHANNEL) == channel_id
