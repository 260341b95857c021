"""What the engine tells Prometheus: one table of metrics, and their samples.

docs/monitoring.md shows the table, the alert rules ask for nothing else (a test compares). Labels
have few values: names of what the user made, or words of the engine's own.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

BOUNDS_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the classes in which seconds are counted; what is above all is one more."""


class MetricKind(StrEnum):
    """As Prometheus calls it."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True)
class Metric:
    """One metric. Names of counters end in ``_total``, seconds and bytes are in the name."""

    name: str
    words: str
    labels: tuple[str, ...] = ()
    kind: MetricKind = MetricKind.GAUGE


@dataclass
class Spread:
    """Seconds counted by class since the start: ``counts`` has one more than ``BOUNDS_S``."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    sum_s: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds


@dataclass(frozen=True)
class Sample:
    """The value of a metric now; ``labels`` are those of the metric, in its order."""

    metric: Metric
    value: float | Decimal | Spread
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.metric.labels):
            raise ValueError(f"{self.metric.name} has the labels {self.metric.labels}")


COUNTER, HISTOGRAM = MetricKind.COUNTER, MetricKind.HISTOGRAM
OF_BOT = ("bot", "quote", "mode")

UP = Metric("quarterdeck_up", "1 while the engine answers")
BUILD = Metric("quarterdeck_build_info", "1, with the versions as labels", ("version", "python"))
STARTED = Metric("quarterdeck_start_time_seconds", "when the engine started, in Unix time")
HEARTBEAT = Metric("quarterdeck_heartbeat_age_seconds", "since the scheduler's last heartbeat")
KILL = Metric("quarterdeck_kill_level", "0 none, 1 entries paused ... 4 everything closed")
FAILED = Metric("quarterdeck_metrics_failed", "groups of metrics that could not be read just now")

BOTS = Metric("quarterdeck_bots", "bots by state", ("state",))
POSITIONS = Metric("quarterdeck_open_positions", "open positions")
WORKING = Metric("quarterdeck_working_orders", "orders that are not done, by state", ("state",))
EQUITY = Metric("quarterdeck_equity", "worth of all bots, by quote asset", ("quote",))
REALISED = Metric("quarterdeck_realised", "profit of closed trades of all bots", ("quote",))
UNREALISED = Metric("quarterdeck_unrealised", "profit of what is open of all bots", ("quote",))
DRAWDOWN = Metric(
    "quarterdeck_drawdown_ratio", "below the highest of the newest samples, 0 to 1", ("quote",)
)
BOT_EQUITY = Metric("quarterdeck_bot_equity", "worth of a bot", OF_BOT)
BOT_REALISED = Metric("quarterdeck_bot_realised", "profit of a bot's closed trades", OF_BOT)
BOT_UNREALISED = Metric("quarterdeck_bot_unrealised", "profit of a bot's open position", OF_BOT)
LEFT_OUT = Metric("quarterdeck_bots_left_out", "bots beyond those that have metrics of their own")

ORDERS = Metric("quarterdeck_orders_total", "steps of orders, by the state", ("state",), COUNTER)
FILLS = Metric("quarterdeck_fills_total", "fills booked", ("side",), COUNTER)
DECISIONS = Metric("quarterdeck_decisions_total", "decisions", ("action",), COUNTER)
EVENTS = Metric("quarterdeck_events_total", "events written", ("level",), COUNTER)
SIGNALS = Metric("quarterdeck_signals_total", "signals received", ("source",), COUNTER)
SIGNAL_LAG = Metric(
    "quarterdeck_signal_lag_seconds", "from a sender's time to the receipt", kind=HISTOGRAM
)
AI_CALLS = Metric("quarterdeck_ai_calls_today", "model calls since midnight UTC")
AI_COST = Metric("quarterdeck_ai_cost_today_usd", "US dollars since midnight UTC")
AI_BUDGET = Metric("quarterdeck_ai_budget_usd", "US dollars that a day may cost")

LATENESS = Metric("quarterdeck_job_lateness_seconds", "how late bots' checks began", kind=HISTOGRAM)
CYCLES = Metric("quarterdeck_cycle_seconds", "how long cycles took", kind=HISTOGRAM)
COMMITS = Metric("quarterdeck_commit_seconds", "how long commits took", kind=HISTOGRAM)
RUNNING = Metric("quarterdeck_cycles_running", "cycles under way")
BACKLOG = Metric("quarterdeck_lane_backlog", "calls that wait or run, by kind of lane", ("lane",))
WORKERS = Metric("quarterdeck_strategy_workers", "strategy workers that are up")
WORKER_BYTES = Metric("quarterdeck_strategy_workers_bytes", "memory that they hold together")
WORKERS_STARTED = Metric("quarterdeck_strategy_workers_started_total",
                         "strategy workers started; more than are up were restarted",
                         kind=COUNTER)  # fmt: skip
DATABASE = Metric("quarterdeck_database_bytes", "size of the SQLite file with its log")
ACCOUNT = Metric("quarterdeck_account_health",
                 "1 for the health of each account at its last check", ("account", "health")
                 )  # fmt: skip
FINDINGS = Metric("quarterdeck_open_findings", "differences between books and venues")
SERIES = Metric("quarterdeck_series_points_total", "points of time series", ("outcome",), COUNTER)
SERIES_DOWN = Metric("quarterdeck_series_down", "1 while the time-series database takes none")
ALERTS_WAITING = Metric("quarterdeck_alerts_waiting", "alerts that are not through")
ALERTS_OLDEST = Metric("quarterdeck_alerts_oldest_seconds", "age of the one that waits longest")
ALERTS_TODAY = Metric("quarterdeck_alerts_today", "messages since midnight UTC", ("outcome",))
API_USED = Metric("quarterdeck_api_used_ratio", "how much of a venue's allowance is used",
                  ("account", "allowance"))  # fmt: skip
BACKUP_AGE = Metric("quarterdeck_backup_age_seconds", "age of the newest backup")

METRICS: Mapping[str, Metric] = {
    one.name: one
    for one in (
        UP, BUILD, STARTED, HEARTBEAT, KILL, FAILED, BOTS, POSITIONS, WORKING, EQUITY, REALISED,
        UNREALISED, DRAWDOWN, BOT_EQUITY, BOT_REALISED, BOT_UNREALISED, LEFT_OUT, ORDERS, FILLS,
        DECISIONS, EVENTS, SIGNALS, SIGNAL_LAG, AI_CALLS, AI_COST, AI_BUDGET, LATENESS, CYCLES,
        COMMITS, RUNNING, BACKLOG, WORKERS, WORKER_BYTES, WORKERS_STARTED, DATABASE, ACCOUNT,
        FINDINGS, SERIES, SERIES_DOWN, ALERTS_WAITING, ALERTS_OLDEST, ALERTS_TODAY, API_USED,
        BACKUP_AGE,
    )
}  # fmt: skip
"""By name."""


def by_metric(samples: Iterable[Sample]) -> Mapping[Metric, Sequence[Sample]]:
    """Samples by their metric, each metric once."""
    found: dict[Metric, list[Sample]] = {}
    for one in samples:
        found.setdefault(one.metric, []).append(one)
    return found
