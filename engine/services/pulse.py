"""What the engine knows of itself from moment to moment; kept in memory only."""

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

LATENESS_KEPT = 20_000
CYCLES_KEPT = 64
BOUNDS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the classes in which seconds are counted; what is above all is one more."""


@dataclass
class Tally:
    """Seconds by class since the start: ``counts`` has one more than ``BOUNDS_S``."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    sum_s: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds


@dataclass
class Pulse:
    """Heartbeat, each bot's checks, and how late its jobs were."""

    started_at: datetime
    heartbeat_at: datetime
    checked_at: dict[str, datetime] = field(default_factory=dict)
    job_lateness_s: deque[float] = field(default_factory=lambda: deque(maxlen=LATENESS_KEPT))
    cycle_lateness_s: deque[float] = field(default_factory=lambda: deque(maxlen=LATENESS_KEPT))
    cycles: int = 0
    job_tally: Tally = field(default_factory=Tally)
    cycle_tally: Tally = field(default_factory=Tally)
    _runs: dict[str, deque[tuple[datetime, datetime]]] = field(default_factory=dict)

    def note_job(self, late_s: float) -> None:
        """A bot's job began so late."""
        self.job_lateness_s.append(late_s)
        self.job_tally.add(late_s)

    def note_cycle(self, bot_id: str, begun: datetime, ended: datetime) -> None:
        """A bot's cycle is over."""
        self.cycles += 1
        self.checked_at[bot_id] = ended
        self.cycle_tally.add((ended - begun).total_seconds())
        self._runs.setdefault(bot_id, deque(maxlen=CYCLES_KEPT)).append((begun, ended))

    def duration_s(self, bot_id: str, moment: datetime) -> float | None:
        """Seconds of the cycle that ran at ``moment``; None when it is not remembered."""
        for begun, ended in tuple(self._runs.get(bot_id, ())):
            if begun <= moment <= ended:
                return (ended - begun).total_seconds()
        return None

    def forget(self, bot_id: str) -> None:
        """Drop what is known of a bot."""
        self.checked_at.pop(bot_id, None)
        self._runs.pop(bot_id, None)


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
