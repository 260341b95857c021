"""The part of the composition root that is about backtests."""

from engine import __version__
from engine.adapters.backtests.result_files import ParquetResults
from engine.adapters.market_data.candle_folder import CandleFolder
from engine.adapters.reports.html_report import HtmlReports
from engine.adapters.strategies.host import StrategyHost
from engine.adapters.strategies.simulator import BenchSimulator
from engine.api.backtest_desk import BacktestDesk
from engine.api.views import Views
from engine.ports import Venues
from engine.services.backtest_candles import CandleReader
from engine.services.backtest_plans import BacktestPlanner
from engine.services.backtest_runner import BacktestRunner
from engine.services.backtests import BacktestService, BotMaker
from engine.services.books import Books
from engine.services.bots import BotService
from engine.settings import Settings


def build_backtests(
    settings: Settings,
    books: Books,
    venues: Venues,
    host: StrategyHost,
    bots: BotService,
    views: Views,
) -> tuple[BacktestRunner, BacktestDesk]:
    """Backtests: the runner of their queue, and what the API asks."""
    files = CandleFolder(settings.data / "candles")
    planner = BacktestPlanner(CandleReader(files, venues), host)
    simulator = BenchSimulator(
        host.path_of, settings.research_deadline_s, settings.research_memory_mb
    )
    results = ParquetResults(settings.data / "backtests")
    runner = BacktestRunner(books, planner, simulator, results, settings.research_workers)
    service = BacktestService(books, planner, runner, results, __version__)
    maker = BotMaker(service, bots, files, venues)
    return runner, BacktestDesk(service, maker, host, views, HtmlReports())
