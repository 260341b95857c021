"""What the engine knows of itself from moment to moment; kept in memory only."""

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from engine.domain.gauges import Spread
from engine.domain.signals import Signal

LATENESS_KEPT = 20_000
CYCLES_KEPT = 64


@dataclass
class Pulse:
    """Heartbeat, each bot's checks, and how late its jobs were."""

    started_at: datetime
    heartbeat_at: datetime
    checked_at: dict[str, datetime] = field(default_factory=dict)
    job_lateness_s: deque[float] = field(default_factory=lambda: deque(maxlen=LATENESS_KEPT))
    cycle_lateness_s: deque[float] = field(default_factory=lambda: deque(maxlen=LATENESS_KEPT))
    cycles: int = 0
    lateness: Spread = field(default_factory=Spread)
    durations: Spread = field(default_factory=Spread)
    signals: Counter[str] = field(default_factory=Counter)
    signal_lag: Spread = field(default_factory=Spread)
    _runs: dict[str, deque[tuple[datetime, datetime]]] = field(default_factory=dict)

    def note_job(self, late_s: float) -> None:
        """A bot's job began so late."""
        self.job_lateness_s.append(late_s)
        self.lateness.add(late_s)

    def note_cycle(self, bot_id: str, begun: datetime, ended: datetime) -> None:
        """A bot's cycle is over."""
        self.cycles += 1
        self.checked_at[bot_id] = ended
        self.durations.add((ended - begun).total_seconds())
        self._runs.setdefault(bot_id, deque(maxlen=CYCLES_KEPT)).append((begun, ended))

    def note_signal(self, signal: Signal) -> None:
        """A signal came in and is kept."""
        self.signals[signal.source] += 1
        if signal.sent_at is not None:
            late_s = (signal.received_at - signal.sent_at).total_seconds()
            self.signal_lag.add(max(0.0, late_s))  # a sender's clock may be ahead

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
