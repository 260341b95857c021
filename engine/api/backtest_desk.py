"""Backtests for the API: runs as reports, their trades in pages, their charts, runs compared."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock

from engine.api.backtest_views import (
    chosen_rows,
    differences,
    markers_on,
    subtitle_of,
    trade_view,
    window_start,
)
from engine.api.views import Views
from engine.contracts import BotView, Chart, SeriesView
from engine.contracts.backtests import (
    MOST_COMPARED,
    BacktestBotRequest,
    BacktestChartQuery,
    BacktestFilter,
    BacktestPage,
    BacktestPreview,
    BacktestReport,
    BacktestRequest,
    BacktestRun,
    BacktestTrade,
    BacktestTradeFilter,
    BacktestTradePage,
    ComparedRun,
    Comparison,
    HeldPosition,
    RunState,
)
from engine.domain.backtests import BacktestResult, trade_rows
from engine.domain.candles import Candles
from engine.domain.csv_export import csv_table
from engine.domain.money import from_epoch_ms
from engine.domain.performance import Analysis, analyse, history_of
from engine.errors import ConfigError, NotFound, StrategyError
from engine.ports import KeptResult, StrategyHost
from engine.ports.reports import ReportSection, ReportWriter
from engine.services.backtests import BacktestService, BotMaker

KEPT_REPORTS, MOST_KEPT_BARS = 8, 2_000_000
REPORT_TRADES = 1_000


@dataclass(frozen=True, slots=True)
class _Opened:
    """A run's arrays with what was made of them, kept while it is looked at."""

    kept: KeptResult
    analysis: Analysis


@dataclass(frozen=True)
class BacktestDesk:
    """Implements ``BacktestServices``."""

    backtests: BacktestService
    bots: BotMaker
    host: StrategyHost
    views: Views
    writer: ReportWriter
    _open: "OrderedDict[str, _Opened]" = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def preview(self, request: BacktestRequest) -> BacktestPreview:
        """What a request would use; nothing is saved."""
        plan = self.backtests.preview(request)
        return BacktestPreview(
            request=plan.request, terms=plan.terms, coverage=plan.coverage, warmup=plan.warmup,
            quote=plan.quote, warnings=plan.warnings, problem=plan.problem,
        )  # fmt: skip

    def create(self, request: BacktestRequest, actor: str) -> BacktestRun:
        """Queue a run."""
        return self.backtests.create(request, actor)

    def run_again(self, run_id: str, actor: str) -> BacktestRun:
        """The same once more."""
        return self.backtests.run_again(run_id, actor)

    def page(self, chosen: BacktestFilter) -> BacktestPage:
        """Runs, newest first."""
        where = chosen.model_dump(exclude={"limit", "offset", "search"}, exclude_none=True)
        if chosen.search:
            where["search"] = chosen.search
        items, count = self.backtests.list(limit=chosen.limit, offset=chosen.offset, **where)
        return BacktestPage(items=tuple(items), count=count)

    def report(self, run_id: str) -> BacktestReport:
        """Everything about one run; without an analysis until it is done."""
        run = self.backtests.get(run_id)
        if run.state is not RunState.DONE:
            return BacktestReport(run=run)
        opened = self._opened(run)
        result = opened.kept.result
        return BacktestReport(
            run=run,
            analysis=opened.analysis,
            open_positions=tuple(
                HeldPosition(
                    symbol=one.symbol, side=one.side, opened=from_epoch_ms(one.entry_ms),
                    entry_price=one.entry_price, quantity=one.quantity,
                    entry_value=one.entry_value, unrealised_pnl=one.unrealised_pnl,
                )
                for one in result.open_positions
            ),
            refused=dict(result.refused),
        )  # fmt: skip

    def trades(self, run_id: str, chosen: BacktestTradeFilter) -> BacktestTradePage:
        """A page of its trades."""
        result = self._result(run_id)
        rows = chosen_rows(result, chosen)
        shown = rows[chosen.offset : chosen.offset + chosen.limit]
        return BacktestTradePage(
            items=tuple(trade_view(result, int(row)) for row in shown),
            count=len(rows),
            pnl=float(result.trades.pnl[rows].sum()),
        )

    def trades_csv(self, run_id: str, chosen: BacktestTradeFilter) -> Iterator[str]:
        """Every trade that matches; ``limit`` and ``offset`` do not apply."""
        result = self._result(run_id)
        columns = list(BacktestTrade.model_fields)
        found = (trade_view(result, int(row)) for row in chosen_rows(result, chosen))
        return csv_table(columns, ([getattr(one, name) for name in columns] for one in found))

    def html(self, run_id: str) -> str:
        """The report as a page, its first trades with it."""
        run = self.backtests.get(run_id)
        opened = self._opened(run)
        result = opened.kept.result
        rows = trade_rows(replace(result, trades=result.trades[:REPORT_TRADES]))
        section = ReportSection(opened.analysis, rows, len(result.trades))
        return self.writer.html(run.name, subtitle_of(run), [section])

    def chart(self, run_id: str, query: BacktestChartQuery) -> Chart:
        """Candles around a moment with the trades on them. Raises NotFound for a symbol."""
        run = self.backtests.get(run_id)
        kept = self._kept(run_id)
        symbol = query.symbol or kept.result.symbols[0]
        if symbol not in kept.candles:
            raise NotFound(f"This backtest has no symbol '{symbol}'.", field="symbol")
        candles = kept.candles[symbol]
        begin = window_start(candles, query.at, query.limit)
        shown = candles[begin : begin + query.limit]
        series, error = self._series(run, candles, begin, len(shown))
        return Chart(
            symbol=symbol,
            timeframe=candles.timeframe,
            time=tuple(from_epoch_ms(int(opened)) for opened in shown.time),
            open=tuple(shown.open.tolist()),
            high=tuple(shown.high.tolist()),
            low=tuple(shown.low.tolist()),
            close=tuple(shown.close.tolist()),
            volume=tuple(shown.volume.tolist()),
            series=series,
            series_error=error,
            markers=markers_on(kept.result, symbol, shown),
        )

    def cancel(self, run_id: str, actor: str) -> BacktestRun:
        """End it at whatever stage."""
        return self.backtests.cancel(run_id, actor)

    def delete(self, run_id: str, actor: str) -> None:
        """Remove a run with its files."""
        self.backtests.delete(run_id, actor)
        with self._lock:
            self._open.pop(run_id, None)

    def make_bot(self, run_id: str, request: BacktestBotRequest, actor: str) -> BotView:
        """A stopped paper bot that does what the run did."""
        bot = self.bots.make(
            run_id, actor, name=request.name, market=request.market, symbol=request.symbol,
            speed=float(request.speed),
        )  # fmt: skip
        return self.views.bot(bot)

    def compare(self, run_ids: Sequence[str]) -> Comparison:
        """Two to five runs side by side. Raises ConfigError for another number."""
        ids = list(dict.fromkeys(run_ids))
        if not 2 <= len(ids) <= MOST_COMPARED:
            raise ConfigError(f"Compare 2 to {MOST_COMPARED} backtests.", field="ids")
        runs = [self.backtests.get(run_id) for run_id in ids]
        return Comparison(
            runs=tuple(ComparedRun(run=run, analysis=self._opened(run).analysis) for run in runs),
            differences=differences(runs),
        )

    # --- within ---------------------------------------------------------------------------------

    def _opened(self, run: BacktestRun) -> _Opened:
        with self._lock:
            known = self._open.get(run.id)
        if known is None:
            kept = self.backtests.result(run.id)
            known = _Opened(kept, analyse(history_of(kept.result), quote=run.quote))
            with self._lock:
                self._open[run.id] = known
                while len(self._open) > 1 and self._is_too_much():
                    self._open.popitem(last=False)
        return known

    def _is_too_much(self) -> bool:
        """Whether the runs that are kept open take too much memory. The lock is held."""
        bars = sum(len(one.kept.result.time) for one in self._open.values())
        return len(self._open) > KEPT_REPORTS or bars > MOST_KEPT_BARS

    def _kept(self, run_id: str) -> KeptResult:
        return self._opened(self.backtests.get(run_id)).kept

    def _result(self, run_id: str) -> BacktestResult:
        return self._kept(run_id).result

    def _series(
        self, run: BacktestRun, candles: Candles, begin: int, count: int
    ) -> tuple[tuple[SeriesView, ...], str]:
        """The strategy's lines as it draws them now; why there are none, when it cannot."""
        request = run.request
        try:
            history = self.host.history(request.strategy, request.params)
            seen = candles[max(0, begin - history) : begin + count]
            plots = self.host.plots(request.strategy, request.params, seen)
        except (StrategyError, NotFound, ConfigError) as error:
            return (), error.message
        return tuple(
            SeriesView(name=plot.name, values=plot.values[-count:], is_overlay=plot.is_overlay,
                       levels=plot.levels)
            for plot in plots
        ), ""  # fmt: skip
