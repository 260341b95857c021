"""Performance for the API: figures, comparisons and reports of what was traded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from engine.contracts.performance import (
    PerformanceFilter,
    PerformanceView,
    QuotePerformance,
    ReportTable,
)
from engine.domain.csv_export import csv_chunks, csv_table
from engine.domain.money import utc_text
from engine.domain.performance.analysis import Analysis, analyse
from engine.domain.performance.exports import (
    CURVE_COLUMNS,
    METRIC_COLUMNS,
    curve_rows,
    metric_rows,
)
from engine.domain.performance.tables import groups_of
from engine.domain.positions import Trade
from engine.ports import Transaction
from engine.ports.reports import ReportSection, ReportWriter
from engine.services.books import Books
from engine.services.performance import PerformanceReader, QuoteHistory, Scope

REPORT_TRADES = 1_000
PAGE = 1_000
REPLAY = "replay:"
"""What a replay's market id begins with."""


@dataclass(frozen=True)
class PerformanceDesk:
    """Implements ``PerformanceServices`` over the books."""

    books: Books
    reader: PerformanceReader
    writer: ReportWriter

    def view(self, chosen: PerformanceFilter) -> PerformanceView:
        """Measured now."""
        return PerformanceView(
            now=self.books.clock.now(),
            by=chosen.by,
            quotes=tuple(_view(one, chosen) for one in self._histories(chosen)),
        )

    def html(self, chosen: PerformanceFilter) -> str:
        """The report as a page, its newest trades with it."""
        sections = []
        for one in self._histories(chosen):
            scope = self._scope(chosen)
            where = scope.narrowed({**scope.where, "quote": one.quote})
            with self.books.store.reading() as tx:
                trades = tx.trades.select(is_descending=True, limit=REPORT_TRADES, **where)
            analysis = _analysis(one, chosen)
            count = analysis.metrics.trades
            rows = [trade_row(trade) for trade in trades]
            sections.append(ReportSection(analysis, rows, count, f"In {one.quote}"))
        now = utc_text(self.books.clock.now().replace(microsecond=0))
        return self.writer.html("Performance", f"{scope_words(chosen)}, as of {now}", sections)

    def csv(self, chosen: PerformanceFilter, table: ReportTable) -> Iterator[str]:
        """One table of the report, all of its rows."""
        if table == "trades":
            return csv_chunks(self._trades(chosen))
        analyses = [_analysis(one, chosen) for one in self._histories(chosen)]
        if table == "metrics":
            return csv_table(METRIC_COLUMNS, metric_rows(analyses))
        return csv_table(CURVE_COLUMNS, curve_rows(analyses))

    # --- parts ----------------------------------------------------------------------------------

    def _histories(self, chosen: PerformanceFilter) -> Sequence[QuoteHistory]:
        return self.reader.histories(self._scope(chosen))

    def _scope(self, chosen: PerformanceFilter) -> Scope:
        """A filter as columns. A bot that was deleted is found by its id or the name it had."""
        where = {
            column: value
            for column, value in (
                ("strategy", chosen.strategy),
                ("symbol", chosen.symbol),
                ("market", chosen.market),
                ("account_id", chosen.account),
                ("quote", chosen.quote),
            )
            if value
        }
        if chosen.bot:
            bot = self.books.bots.get(chosen.bot) or self.books.find_by_name(chosen.bot)
            with self.books.store.reading() as tx:
                is_id = bot is not None or tx.trades.count(bot_id=chosen.bot) > 0
            where["bot_id" if is_id else "bot_name"] = bot.id if bot else chosen.bot
        return Scope(where, chosen.since, chosen.until)

    def _trades(self, chosen: PerformanceFilter) -> Iterator[Trade]:
        scope = self._scope(chosen)
        with self.books.store.reading() as tx:
            yield from _pages(tx, scope.narrowed(scope.where))


def _pages(tx: Transaction, where: dict[str, Any]) -> Iterator[Trade]:
    offset = 0
    while page := tx.trades.select(is_descending=True, limit=PAGE, offset=offset, **where):
        yield from page
        offset += len(page)


def _view(one: QuoteHistory, chosen: PerformanceFilter) -> QuotePerformance:
    return QuotePerformance(
        quote=one.quote,
        capital=one.capital,
        is_marked=one.is_marked,
        mixes_replays=_mixes_replays(one),
        analysis=_analysis(one, chosen),
        compared=groups_of(one.history.trades, chosen.by),
    )


def _mixes_replays(one: QuoteHistory) -> bool:
    markets = one.history.trades.labels["market"].names
    return len(markets) > 1 and any(market.startswith(REPLAY) for market in markets)


def _analysis(one: QuoteHistory, chosen: PerformanceFilter) -> Analysis:
    return analyse(one.history, quote=one.quote, rolling_days=chosen.window)


def trade_row(trade: Trade) -> dict[str, object]:
    """A live trade as a report shows it."""
    return {
        "bot": trade.bot_name,
        "symbol": trade.symbol,
        "strategy": trade.strategy,
        "side": trade.side.value,
        "entry_time": utc_text(trade.entry_time),
        "entry_price": float(trade.entry_price),
        "exit_time": utc_text(trade.exit_time),
        "exit_price": float(trade.exit_price),
        "quantity": float(trade.quantity),
        "fees": float(trade.fees),
        "pnl": float(trade.pnl),
        "exit_reason": trade.exit_reason,
    }


def scope_words(chosen: PerformanceFilter) -> str:
    """What a report is of, in words."""
    names = ("bot", "strategy", "symbol", "market", "account", "quote")
    parts = [f"{name} {value}" for name in names if (value := getattr(chosen, name))]
    if chosen.since:
        parts.append(f"from {utc_text(chosen.since)}")
    if chosen.until:
        parts.append(f"to before {utc_text(chosen.until)}")
    return ", ".join(parts) if parts else "All bots, all time"
