"""The fake services' performance: the real reader over the sample's trades in a store in memory."""

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal

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


class FakePerformance:
    """Implements ``PerformanceServices``; ``has_marks`` gives bots and their sum equity points."""

    now: Callable[[], datetime]
    bots: dict[str, Bot]
    trades_made: list[Trade]
    positions_held: dict[str, Position]
    has_marks = True

    def performance(self, chosen: PerformanceFilter) -> PerformanceView:
        return self._desk().performance(chosen)

    def performance_html(self, chosen: PerformanceFilter) -> str:
        return self._desk().performance_html(chosen)

    def performance_csv(self, chosen: PerformanceFilter, table: ReportTable) -> Iterator[str]:
        return self._desk().performance_csv(chosen, table)

    def _desk(self) -> PerformanceDesk:
        """Built from the present state, which a test may have changed."""
        now = self.now()
        store = MemoryStore(self.now)
        books = Books(store, FakeClock(now))
        with store.transaction() as tx:
            for bot in self.bots.values():
                instrument = INSTRUMENTS[bot.config.symbol]
                tx.put_instrument(bot.config.market, instrument)
                tx.bots.add(bot)
                own = [trade for trade in self.trades_made if trade.bot_id == bot.id]
                capital = bot.config.starting_capital
                if self.has_marks:
                    points = history.equity_points(bot.id, instrument.quote, capital, own, now)
                    tx.equity.add(*points)
            tx.trades.add(*self.trades_made)
            for quote in {trade.quote for trade in self.trades_made} if self.has_marks else ():
                own = [trade for trade in self.trades_made if trade.quote == quote]
                tx.equity.add(*history.equity_points(None, quote, Decimal(0), own, now))
        books.bots, books.positions = dict(self.bots), dict(self.positions_held)
        return PerformanceDesk(
            books, PerformanceReader(books, InstrumentBook(store)), HtmlReports()
        )
