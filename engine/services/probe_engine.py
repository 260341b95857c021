"""Probes of what the engine is made of: itself, its database, the machine, strategies, feeds."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from engine.domain.diagnostics import (
    GIB,
    Area,
    Check,
    check_of,
    graded,
    judge_beat,
    judge_commit,
    judge_disk,
    judge_lateness,
    judge_skew,
)
from engine.domain.venue_accounts import Grade
from engine.errors import DataError
from engine.ports import Machine, Store, StoreFacts, StrategyInfo
from engine.services.books import Books
from engine.services.candle_feed import CandleFeed
from engine.services.diagnose import Probe
from engine.services.lanes import Lanes
from engine.services.pulse import Pulse

MIB = 1024**2
MEMORY_WARNING, MEMORY_FAILED = GIB // 2, GIB // 8
BACKLOG_WARNING, BACKLOG_FAILED = 20, 200
PROBE_SETTING = "diagnostics.written_at"
MOST_NAMED = 5


@dataclass(frozen=True)
class EngineProbes:
    """The heart of the engine."""

    books: Books
    pulse: Pulse
    lanes: Lanes

    def __call__(self, _is_deep: bool) -> Iterable[Probe]:
        """Everything from memory."""
        return (Probe(Area.ENGINE, "Engine", self._look),)

    def _look(self) -> Iterator[Check]:
        now = self.books.clock.now()
        yield judge_beat((now - self.pulse.heartbeat_at).total_seconds())
        for name, kept in (("Jobs late", self.pulse.job_lateness_s),
                           ("Decisions late", self.pulse.cycle_lateness_s)):  # fmt: skip
            samples = sorted(kept.copy())
            last = len(samples) - 1
            p50, p99 = (samples[round(0.5 * last)], samples[round(0.99 * last)]) if samples else (
                0.0, 0.0
            )  # fmt: skip
            yield judge_lateness(name, len(samples), p50, p99)
        lane, count = max(self.lanes.backlogs().items(), key=lambda row: row[1], default=("", 0))
        detail = f"{count} calls on '{lane}'" if count else "nothing waits"
        yield check_of(
            Area.ENGINE, "Waiting calls", graded(count, BACKLOG_WARNING, BACKLOG_FAILED), detail,
            "That venue or part answers slowly; the others have threads of their own.",
        )  # fmt: skip


@dataclass(frozen=True)
class DatabaseProbes:
    """The database: one durable write is made and timed."""

    store: Store
    books: Books
    facts: Callable[..., StoreFacts]

    def __call__(self, is_deep: bool) -> Iterable[Probe]:
        """A deep look reads all pages of an SQLite file."""
        return (Probe(Area.DATABASE, "Database", lambda: self._look(is_deep)),)

    def _look(self, is_deep: bool) -> Iterator[Check]:
        facts = self.facts(is_deep=is_deep)
        detail = f"{facts.product}, {facts.size / MIB:,.1f} MiB, tables {facts.revision}"
        yield check_of(
            Area.DATABASE, "Database", Grade.FAILED if facts.damage else Grade.OK,
            f"{detail}; {facts.damage}" if facts.damage else detail,
            "Stop the engine, keep a copy of the file, and restore the newest backup that verifies"
            " (python -m engine restore).",
        )  # fmt: skip
        clock = self.books.clock
        begin = clock.monotonic()
        with self.store.transaction() as tx:
            tx.put_setting(PROBE_SETTING, clock.now().isoformat())
        yield judge_commit(clock.monotonic() - begin)


@dataclass(frozen=True)
class MachineProbes:
    """Disk, memory and, when asked, the clock."""

    machine: Machine
    data: Path

    def __call__(self, is_deep: bool) -> Iterable[Probe]:
        """A deep look asks a time server."""
        yield Probe(Area.MACHINE, "Disk", self._disk)
        yield Probe(Area.MACHINE, "Memory", self._memory)
        if is_deep:
            yield Probe(Area.MACHINE, "Clock", self._clock)

    def _disk(self) -> Iterator[Check]:
        free, total = self.machine.disk(self.data)
        yield judge_disk(free, total, "the data folder")

    def _memory(self) -> Iterator[Check]:
        free, total = self.machine.memory()
        yield check_of(
            Area.MACHINE, "Memory", graded(free, MEMORY_WARNING, MEMORY_FAILED),
            f"{free / GIB:.1f} GiB free of {total / GIB:.1f} GiB",
            "Close other programs, or give strategies fewer workers "
            "(QUARTERDECK_STRATEGY_WORKERS).",
        )  # fmt: skip

    def _clock(self) -> Iterator[Check]:
        try:
            lead_s = self.machine.clock_lead_s()
        except DataError as error:
            advice = "Without a network it cannot be told; venues say it too, when they are asked."
            yield check_of(Area.MACHINE, "Clock", Grade.UNKNOWN, error.message, advice)
            return
        yield judge_skew(Area.MACHINE, "Clock", lead_s)


@dataclass(frozen=True)
class StrategyProbes:
    """Strategies and the processes that run them. ``worker_pids``: those that live."""

    machine: Machine
    strategies: Callable[[], Sequence[StrategyInfo]]
    worker_pids: Callable[[], AbstractSet[int]]
    memory_mb: int

    def __call__(self, _is_deep: bool) -> Iterable[Probe]:
        """From memory, but for the files of strategies that have changed."""
        yield Probe(Area.STRATEGIES, "Workers", self._workers)
        yield Probe(Area.STRATEGIES, "Strategies", self._strategies)

    def _workers(self) -> Iterator[Check]:
        found = {pid: self.machine.resident(pid) for pid in self.worker_pids()}
        sizes = [size / MIB for size in found.values() if size is not None]
        died = len(found) - len(sizes)
        words = f"{len(sizes)} run" + (f", the largest of {max(sizes):,.0f} MiB" if sizes else "")
        if died:
            yield check_of(
                Area.STRATEGIES, "Workers", Grade.WARNING, f"{words}; {died} have just died",
                "They are started anew by themselves. If it happens again and again, a strategy "
                f"needs more than {self.memory_mb:,} MiB (QUARTERDECK_STRATEGY_MEMORY_MB).",
            )  # fmt: skip
            return
        yield check_of(Area.STRATEGIES, "Workers", Grade.OK, words)

    def _strategies(self) -> Iterator[Check]:
        found = self.strategies()
        broken = [one.id for one in found if one.error]
        yield check_of(
            Area.STRATEGIES, "Strategies", Grade.WARNING if broken else Grade.OK,
            f"{len(found)} found" + (f", broken: {_named(broken)}" if broken else ""),
            "The Strategies page says what is wrong with each.",
        )  # fmt: skip


@dataclass(frozen=True)
class MarketProbes:
    """The candles that bots decide on."""

    feed: CandleFeed

    def __call__(self, _is_deep: bool) -> Iterable[Probe]:
        """From memory."""
        return (Probe(Area.MARKETS, "Candles", self._look),)

    def _look(self) -> Iterator[Check]:
        rows = self.feed.rows()
        failing = [row for row in rows if row.failing_since is not None]
        for row in failing:
            name = f"{row.market_id} {row.symbol} {row.timeframe}"
            yield check_of(
                Area.MARKETS, name, Grade.FAILED if row.candles is None else Grade.WARNING,
                row.error or row.own_error,
                "Its bots open nothing meanwhile; what they hold is watched on any price there is.",
            )  # fmt: skip
        other = [row.symbol for row in rows if row.other_since is not None]
        if other:
            yield check_of(
                Area.MARKETS, "Other sources", Grade.WARNING,
                f"candles of {_named(other)} are not their market's own",
                "The market does not answer; the Overview says since when.",
            )  # fmt: skip
        well = len(rows) - len(failing)
        yield check_of(Area.MARKETS, "Candles", Grade.OK, f"{well} of {len(rows)} feeds are well")


def _named(names: Sequence[str]) -> str:
    """A few names, and how many more there are."""
    shown = ", ".join(names[:MOST_NAMED])
    more = len(names) - MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown
