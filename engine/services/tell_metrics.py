"""Metrics of the engine's own services, read from memory when somebody asks."""

import logging
import platform
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from engine import __version__
from engine.domain import gauges
from engine.domain.accounts import AccountHealth
from engine.domain.bots import Bot, BotState
from engine.domain.gauges import Sample
from engine.domain.money import ZERO
from engine.domain.venue_accounts import mode_of
from engine.errors import NotFound
from engine.services.books import Books, Writing
from engine.services.controls import Controls
from engine.services.instrument_book import InstrumentBook
from engine.services.pulse import Pulse
from engine.services.send_series import SeriesSender
from engine.services.track_equity import EquityKeeper, Worth

log = logging.getLogger("quarterdeck.metrics")

MOST_BOTS = 200
"""So many bots, the oldest, have metrics of their own: the number of series is bounded."""

Source = Callable[[], Iterable[Sample]]


class MetricsBook:
    """Sources of samples; whoever has something to tell registers one. Thread-safe."""

    def __init__(self) -> None:
        self._sources: list[Source] = []

    def register(self, source: Source) -> None:
        """Have ``source`` asked each time. It answers from memory, and quickly."""
        self._sources.append(source)

    def read(self) -> Sequence[Sample]:
        """All samples now. A source that fails is logged and counted; the others are told."""
        found: list[Sample] = []
        failed = 0
        for source in self._sources:
            try:
                found += list(source())
            except Exception:
                failed += 1
                log.exception("metrics could not be read; the others are told")
        return [*found, Sample(gauges.FAILED, failed)]


@dataclass(frozen=True)
class Vitals:
    """Whether the engine lives and how late it is."""

    books: Books
    pulse: Pulse
    controls: Controls

    def __call__(self) -> Iterator[Sample]:
        """From memory."""
        now, pulse = self.books.clock.now(), self.pulse
        yield Sample(gauges.UP, 1)
        yield Sample(gauges.BUILD, 1, (__version__, platform.python_version()))
        yield Sample(gauges.STARTED, pulse.started_at.timestamp())
        yield Sample(gauges.HEARTBEAT, (now - pulse.heartbeat_at).total_seconds())
        yield Sample(gauges.KILL, self.controls.level.strength)
        yield Sample(gauges.LATENESS, pulse.lateness)
        yield Sample(gauges.CYCLES, pulse.durations)
        yield Sample(gauges.SIGNAL_LAG, pulse.signal_lag)
        for source, count in tuple(pulse.signals.items()):
            yield Sample(gauges.SIGNALS, count, (source,))


@dataclass(frozen=True)
class BookMetrics:
    """Bots, positions, accounts, and what they are worth at the last prices."""

    books: Books
    equity: EquityKeeper
    instruments: InstrumentBook

    def __call__(self) -> Iterator[Sample]:
        """From memory."""
        books = self.books
        bots = sorted(books.bots.values(), key=lambda bot: (bot.created_at, bot.id))
        states = Counter(bot.state for bot in bots)
        for state in BotState:
            yield Sample(gauges.BOTS, states[state], (state,))
        yield Sample(gauges.POSITIONS, len(books.positions))
        working = Counter(
            order.state for orders in tuple(books.working.values()) for order in orders.values()
        )
        for order_state, count in working.items():
            yield Sample(gauges.WORKING, count, (order_state,))
        yield Sample(gauges.FINDINGS, len(books.findings))
        for account in tuple(books.accounts.values()):
            for health in AccountHealth:
                is_it = account.health is health
                yield Sample(gauges.ACCOUNT, is_it, (account.account_id, health))
        yield from self._worths(bots)

    def _worths(self, bots: Sequence[Bot]) -> Iterator[Sample]:
        sums: dict[str, list[Decimal]] = {}
        for number, bot in enumerate(bots):
            try:
                quote = self.instruments.of(bot).quote
            except NotFound:  # its market has never answered
                continue
            worth = self.equity.worth(bot)
            amounts = (worth.equity, worth.realised, worth.unrealised)
            before = sums.get(quote, [ZERO] * 3)
            sums[quote] = [one + more for one, more in zip(before, amounts, strict=True)]
            if number < MOST_BOTS:
                yield from _of_bot(bot, quote, worth)
        yield Sample(gauges.LEFT_OUT, max(0, len(bots) - MOST_BOTS))
        for quote, amounts_of_all in sums.items():
            for metric, amount in zip(
                (gauges.EQUITY, gauges.REALISED, gauges.UNREALISED), amounts_of_all, strict=True
            ):
                yield Sample(metric, amount, (quote,))
        for quote, points in self.equity.total_curves().items():
            peak = max((point.equity for point in points), default=ZERO)
            if peak > 0:
                yield Sample(gauges.DRAWDOWN, (peak - points[-1].equity) / peak, (quote,))


def _of_bot(bot: Bot, quote: str, worth: Worth) -> Iterator[Sample]:
    labels = (bot.config.name, quote, mode_of(bot.account_id))
    yield Sample(gauges.BOT_EQUITY, worth.equity, labels)
    yield Sample(gauges.BOT_REALISED, worth.realised, labels)
    yield Sample(gauges.BOT_UNREALISED, worth.unrealised, labels)


@dataclass
class CommitCounts:
    """Counts what is committed; ``on_commit`` listens to the books and only counts."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def on_commit(self, writing: Writing) -> None:
        """One transaction."""
        found = [
            *((gauges.ORDERS.name, order.state) for order in writing.orders.values()),
            *((gauges.FILLS.name, fill.side) for fill in writing.fills),
            *((gauges.DECISIONS.name, decision.action) for decision in writing.decisions),
            *((gauges.EVENTS.name, event.level) for event in writing.written_events),
        ]
        with self._lock:
            self.counts.update((name, str(label)) for name, label in found)

    def __call__(self) -> Iterator[Sample]:
        """From memory."""
        with self._lock:
            counts = dict(self.counts)
        for (name, label), count in sorted(counts.items()):
            yield Sample(gauges.METRICS[name], count, (label,))


@dataclass(frozen=True)
class SeriesMetrics:
    """How the delivery of time series goes."""

    sender: SeriesSender

    def __call__(self) -> Iterator[Sample]:
        """From memory."""
        state = self.sender.state
        yield Sample(gauges.SERIES, state.delivered, ("delivered",))
        yield Sample(gauges.SERIES, state.refused, ("refused",))
        yield Sample(gauges.SERIES_DOWN, state.is_down)
