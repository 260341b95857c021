"""Research within the engine: candles, backtests, studies, rules and performance, each with the
desk by which the API asks for it."""

import asyncio
from dataclasses import dataclass

from engine.adapters.reports.html_report import HtmlReports
from engine.adapters.strategies.rule_files import RuleFiles
from engine.api.backtest_desk import BacktestDesk
from engine.api.candle_desk import CandleDesk
from engine.api.performance_desk import PerformanceDesk
from engine.api.rule_desk import RuleDesk
from engine.api.study_desk import StudyDesk
from engine.api.views import Views
from engine.bootstrap_backtests import build_backtests
from engine.bootstrap_candles import build_candles, spawner
from engine.bootstrap_core import Core
from engine.bootstrap_studies import build_studies
from engine.services.backtest_runner import BacktestRunner
from engine.services.bots import BotService
from engine.services.candle_downloads import CandleDownloads
from engine.services.performance import PerformanceReader
from engine.services.retunes import Retuner
from engine.services.rules import RuleService
from engine.services.study_runner import StudyRunner


@dataclass(frozen=True)
class Research:
    """What runs by itself (the first four), and the desks."""

    download_runner: CandleDownloads
    backtest_runner: BacktestRunner
    study_runner: StudyRunner
    retuner: Retuner
    candles: CandleDesk
    backtests: BacktestDesk
    studies: StudyDesk
    rules: RuleDesk
    performance: PerformanceDesk


def build_research(
    core: Core, bots: BotService, views: Views, loop: asyncio.AbstractEventLoop
) -> Research:
    """Build it."""
    settings, books, venues = core.settings, core.books, core.venues
    library, imports = build_candles(settings, core.clock)
    downloads = CandleDownloads(books, library, core.sources, spawner(core.lanes, loop))
    backtests, backtest_desk = build_backtests(settings, books, venues, core.host, bots, views)
    studies, services, retuner = build_studies(settings, books, venues, core.host, bots, core.lanes)
    return Research(
        download_runner=downloads,
        backtest_runner=backtests,
        study_runner=studies,
        retuner=retuner,
        candles=CandleDesk(books, library, imports, downloads, core.sources),
        backtests=backtest_desk,
        studies=StudyDesk(*services, retuner, views),
        rules=RuleDesk(RuleService(books, RuleFiles(settings.strategies), venues)),
        performance=PerformanceDesk(
            books, PerformanceReader(books, core.instruments), HtmlReports()
        ),
    )
