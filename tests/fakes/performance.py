"""The fake services' performance: the real reader over the sample's trades in a store in memory."""

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from engine.adapters.reports.html_report import HtmlReports
from engine.api.performance_desk import PerformanceDesk
from engine.contracts import Bot, Position, Trade
from engine.contracts.performance import PerformanceFilter, PerformanceView, ReportTable
from engine.services.books import Books
from engine.services.instrument_book import InstrumentBook
from engine.services.performance import PerformanceReader
from tests.fakes import history
from tests.fakes.clock import FakeClock
from tests.fakes.memory_store import MemoryStore
from tests.fakes.sample import INSTRUMENTS


class Sample(Protocol):
    """The part of the fake services that is measured."""

    now: Callable[[], datetime]
    bots: dict[str, Bot]
    trades_made: list[Trade]
    positions_held: dict[str, Position]


class FakePerformance:
    """Implements ``PerformanceServices``; ``has_marks`` gives bots and their sum equity points."""

    def __init__(self, sample: Sample) -> None:
        self.has_marks = True
        self._sample = sample

    def view(self, chosen: PerformanceFilter) -> PerformanceView:
        return self._desk().view(chosen)

    def html(self, chosen: PerformanceFilter) -> str:
        return self._desk().html(chosen)

    def csv(self, chosen: PerformanceFilter, table: ReportTable) -> Iterator[str]:
        return self._desk().csv(chosen, table)

    def _desk(self) -> PerformanceDesk:
        """Built from the present state, which a test may have changed."""
        sample = self._sample
        now, trades = sample.now(), sample.trades_made
        store = MemoryStore(sample.now)
        books = Books(store, FakeClock(now))
        with store.transaction() as tx:
            for bot in sample.bots.values():
                instrument = INSTRUMENTS[bot.config.symbol]
                tx.put_instrument(bot.config.market, instrument)
                tx.bots.add(bot)
                own = [trade for trade in trades if trade.bot_id == bot.id]
                capital = bot.config.starting_capital
                if self.has_marks:
                    points = history.equity_points(bot.id, instrument.quote, capital, own, now)
                    tx.equity.add(*points)
            tx.trades.add(*trades)
            for quote in {trade.quote for trade in trades} if self.has_marks else ():
                own = [trade for trade in trades if trade.quote == quote]
                tx.equity.add(*history.equity_points(None, quote, Decimal(0), own, now))
        books.bots, books.positions = dict(sample.bots), dict(sample.positions_held)
        return PerformanceDesk(
            books, PerformanceReader(books, InstrumentBook(store)), HtmlReports()
        )
