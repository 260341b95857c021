"""What a person does with backtests: look ahead, run, run again, cancel, delete, make a bot."""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from engine.domain.backtest_runs import (
    BacktestRequest,
    BacktestRun,
    FileSource,
    RunState,
    labels_of,
)
from engine.domain.bots import Bot, BotConfig, ExitRules
from engine.domain.timeframes import timeframe_s
from engine.errors import ConfigError, Conflict, NotFound
from engine.ports import CandleFiles, KeptResult, ResultFiles, Venues
from engine.services.backtest_plans import BacktestPlanner, Plan, require_possible, with_until
from engine.services.backtest_runner import BacktestRunner
from engine.services.books import Books, new_id
from engine.services.bots import BotService

PAPER = "paper:"
CENT = Decimal("1e-8")


class BacktestService:
    """Commands on backtests; each is checked in full before anything is written."""

    def __init__(
        self,
        books: Books,
        planner: BacktestPlanner,
        runner: BacktestRunner,
        results: ResultFiles,
        version: str,
    ) -> None:
        self._books = books
        self._planner = planner
        self._runner = runner
        self._results = results
        self._version = version

    def preview(self, request: BacktestRequest) -> Plan:
        """What a request would use. Raises ConfigError (with the field), NotFound,
        StrategyError, DataError."""
        return self._planner.preview(request)

    def create(self, request: BacktestRequest, actor: str, rerun_of: str = "") -> BacktestRun:
        """Queue a run. Raises like ``preview``, and ConfigError for too few candles."""
        plan = self._planner.preview(request)
        require_possible(plan)
        request = with_until(plan)
        run = BacktestRun(
            id=new_id(), name=request.name or _name_of(request, plan), request=request,
            quote=plan.quote, coverage=plan.coverage, warnings=plan.warnings,
            engine_version=self._version, rerun_of=rerun_of, created_at=self._books.clock.now(),
        )  # fmt: skip
        self._runner.queue(run, actor)
        return run

    def run_again(self, run_id: str, actor: str) -> BacktestRun:
        """The same once more, with the candles and the strategy as they are now."""
        run = self.get(run_id)
        request = run.request.model_copy(update={"name": run.name})
        return self.create(request, actor, rerun_of=run.rerun_of or run.id)

    def get(self, run_id: str) -> BacktestRun:
        """As it stands now. Raises NotFound."""
        with self._books.store.reading() as tx:
            return self._runner.current(tx.backtests.get(run_id))

    def list(
        self, *, limit: int, offset: int = 0, **where: Any
    ) -> tuple[Sequence[BacktestRun], int]:
        """A page, newest first, and how many there are."""
        self._runner.save_again()
        with self._books.store.reading() as tx:
            runs = tx.backtests.select(is_descending=True, limit=limit, offset=offset, **where)
            count = tx.backtests.count(**where)
        return [self._runner.current(run) for run in runs], count

    def result(self, run_id: str) -> KeptResult:
        """The arrays of a run that is done. Raises NotFound, Conflict, StoreError."""
        run = self.get(run_id)
        if run.state is not RunState.DONE:
            raise Conflict(f"This backtest is {run.state.value}; it has no result.")
        return self._results.read(run.id)

    def cancel(self, run_id: str, actor: str) -> BacktestRun:
        """End it at whatever stage. Raises NotFound, Conflict when it has ended."""
        run = self.get(run_id)
        if not self._runner.cancel(run.id):
            raise Conflict("This backtest has ended already.")
        with self._books.writing() as writing:
            writing.audit(actor, "backtest.cancel", run.id, name=run.name)
        return self.get(run_id)

    def delete(self, run_id: str, actor: str) -> None:
        """Remove a run that has ended, with its files. Raises NotFound, Conflict, StoreError."""
        run = self.get(run_id)
        if run.is_active:
            raise Conflict("Cancel the backtest before you delete it.")
        self._results.delete(run.id)
        with self._books.writing() as writing:
            writing.tx.backtests.delete(run.id)
            writing.audit(actor, "backtest.delete", run.id, name=run.name)
        self._runner.forget(run.id)


class BotMaker:
    """Makes paper bots that do what a backtest did."""

    def __init__(
        self, backtests: BacktestService, bots: BotService, files: CandleFiles, venues: Venues
    ) -> None:
        self._backtests = backtests
        self._bots = bots
        self._files = files
        self._venues = venues

    def make(
        self, run_id: str, actor: str, *, name: str, market: str, symbol: str, speed: float
    ) -> Bot:
        """A new, stopped bot. An empty ``market`` is where the candles came from: a file is
        replayed at ``speed`` (0: as fast as it goes). Raises ConfigError with the field, NotFound.
        """
        run = self._backtests.get(run_id)
        market_id = market or self._market_of(run, symbol, speed)
        if not self._venues.account_of(market_id, "backtest").startswith(PAPER):
            raise ConfigError("Only paper accounts are offered here.", field="market")
        return self._bots.create(bot_config(run, name, market_id, self._symbol(run, symbol)), actor)

    def _market_of(self, run: BacktestRun, symbol: str, speed: float) -> str:
        source = run.request.source
        if not isinstance(source, FileSource):
            return source.market
        wanted = self._symbol(run, symbol)
        file = next((one.source for one in run.coverage if one.symbol == wanted), None)
        if file is None:
            raise NotFound(f"This backtest has no symbol '{symbol}'.", field="symbol")
        path = self._files.read(file).market_id
        return f"{path}?speed={speed:g}" if speed else path

    def _symbol(self, run: BacktestRun, symbol: str) -> str:
        if symbol or not run.coverage:
            return symbol
        return run.coverage[0].symbol


def bot_config(run: BacktestRun, name: str, market: str, symbol: str) -> BotConfig:
    """The bot that trades as the run did: same strategy, parameters, exits, size and direction."""
    request, terms = run.request, run.request.terms
    share = (terms.cash / terms.max_entries).quantize(CENT, ROUND_FLOOR)
    return BotConfig(
        name=name,
        market=market,
        symbol=symbol,
        strategy=request.strategy,
        params=request.params,
        timeframe=request.timeframe,
        interval_s=timeframe_s(request.timeframe),
        amount=share if terms.amount is None else terms.amount,
        reinvest=terms.reinvest,
        direction=terms.direction,
        max_entries=terms.max_entries,
        **{field: getattr(terms.exits, field) for field in ExitRules.model_fields},
    )


def _name_of(request: BacktestRequest, plan: Plan) -> str:
    symbols = [leg.instrument.symbol for leg in plan.legs] or list(labels_of(request.source))
    more = f" +{len(symbols) - 1}" if len(symbols) > 1 else ""
    return f"{request.strategy} {symbols[0]}{more} {request.timeframe}"[:80]
