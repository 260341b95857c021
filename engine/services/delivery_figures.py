"""Figures of deliveries, for the Alerts page, the metrics and the diagnostics."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from engine.domain.alerts import AlertState, DeliveryState
from engine.domain.delivery_rules import OPEN
from engine.domain.money import ZERO
from engine.ports import Clock, Store

S = DeliveryState
LONGEST_WAIT = timedelta(days=3)
"""What is sent this month may have been written the month before."""


@dataclass
class ChannelFigures:
    """Of one channel. ``oldest_age_s`` is of what waits and is due, zero when nothing is; days and
    months are UTC; costs in US dollars."""

    waiting: int = 0
    oldest_age_s: float = 0.0
    sent_today: int = 0
    sent_month: int = 0
    failed_today: int = 0
    uncertain_today: int = 0
    segments_today: int = 0
    segments_month: int = 0
    cost_today: Decimal = ZERO
    cost_month: Decimal = ZERO


@dataclass(frozen=True)
class DeliveryFigures:
    """Of all; ``channels`` by id, also those that are deleted and had messages this month."""

    new_alerts: int
    channels: Mapping[str, ChannelFigures] = field(default_factory=dict)

    @property
    def waiting(self) -> int:
        """Messages of all channels that are not through."""
        return sum(one.waiting for one in self.channels.values())

    @property
    def oldest_age_s(self) -> float:
        """Of the one that waits longest."""
        return max((one.oldest_age_s for one in self.channels.values()), default=0.0)


class FigureReader:
    """Counts them; blocking."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def read(self) -> DeliveryFigures:
        """As it stands. Raises StoreError."""
        now = self._clock.now()
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        month_begin = today.replace(day=1)
        found: defaultdict[str, ChannelFigures] = defaultdict(ChannelFigures)
        with self._store.reading() as tx:
            new = tx.alerts.count(state=AlertState.NEW)
            waiting = tx.deliveries.values("channel_id", "created_at", "due_at", state=OPEN)
            month = tx.deliveries.values(
                "channel_id", "state", "changed_at", "segments", "cost",
                state=(S.SENT, S.FAILED, S.UNCERTAIN), since=month_begin - LONGEST_WAIT,
            )  # fmt: skip
            for channel in tx.channels.select():
                found[channel.id] = ChannelFigures()
        for channel_id, created_at, due_at in waiting:
            one = found[channel_id]
            one.waiting += 1
            if due_at <= now:
                one.oldest_age_s = max(one.oldest_age_s, (now - created_at).total_seconds())
        for channel_id, state, changed_at, segments, cost in month:
            if changed_at >= month_begin:
                _count(found[channel_id], state, segments, cost, is_today=changed_at >= today)
        return DeliveryFigures(new, dict(found))


def _count(
    one: ChannelFigures, state: str, segments: int, cost: Decimal | None, *, is_today: bool
) -> None:
    one.segments_month += segments
    one.cost_month += cost or ZERO
    one.sent_month += state == S.SENT
    if is_today:
        one.segments_today += segments
        one.cost_today += cost or ZERO
        one.sent_today += state == S.SENT
        one.failed_today += state == S.FAILED
        one.uncertain_today += state == S.UNCERTAIN
