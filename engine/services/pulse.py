"""What the engine knows of itself from moment to moment; kept in memory only."""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

LATENESS_KEPT = 20_000


@dataclass
class Pulse:
    """Heartbeat, each bot's checks, and how late its jobs were."""

    started_at: datetime
    heartbeat_at: datetime
    checked_at: dict[str, datetime] = field(default_factory=dict)
    job_lateness_s: deque[float] = field(default_factory=lambda: deque(maxlen=LATENESS_KEPT))
    cycle_lateness_s: deque[float] = field(default_factory=lambda: deque(maxlen=LATENESS_KEPT))
    cycles: int = 0

    def forget(self, bot_id: str) -> None:
        """Drop what is known of a bot."""
        self.checked_at.pop(bot_id, None)


def next_multiple(moment: datetime, interval_s: int) -> datetime:
    """The first multiple of ``interval_s`` since the epoch after ``moment``: a candle's close
    for every timeframe that the interval divides or is divided by."""
    epoch = int(moment.timestamp())
    return datetime.fromtimestamp((epoch // interval_s + 1) * interval_s, UTC)


def lateness_s(moment: datetime, interval_s: int) -> float:
    """Seconds since the last multiple of ``interval_s``."""
    return (
        moment - next_multiple(moment, interval_s) + timedelta(seconds=interval_s)
    ).total_seconds()
