"""The part of the composition root that wires studies, with an engine and without one."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.adapters.compute.inline import InlineCompute
from engine.adapters.compute.process_pool import ProcessPool
from engine.adapters.market_data.candle_folder import CandleFolder
from engine.adapters.search.optuna_search import OptunaSearches
from engine.adapters.strategies.host import StrategyHost
from engine.adapters.strategies.loader import load_source
from engine.domain.candles import Candles
from engine.domain.instruments import Instrument
from engine.errors import NotFound
from engine.ports import CandleFileContent, Compute
from engine.services.backtest_candles import CandleReader
from engine.services.backtest_plans import BacktestPlanner
from engine.services.books import Books
from engine.services.bots import BotService
from engine.services.lanes import Lanes
from engine.services.offline_tuning import OfflineTuner
from engine.services.registry import VenueRegistry
from engine.services.retunes import Retuner
from engine.services.studies import StudyService, WinnerMaker
from engine.services.study_runner import StudyRunner
from engine.services.study_setting import StudyPlanner
from engine.settings import Settings


def build_studies(
    settings: Settings,
    books: Books,
    venues: VenueRegistry,
    host: StrategyHost,
    bots: BotService,
    lanes: Lanes,
) -> tuple[StudyRunner, tuple[StudyService, WinnerMaker], Retuner]:
    """Studies: the runner of their queue, what people ask of them, and the bots' re-tuning."""
    files = CandleFolder(settings.data / "candles")
    planner = StudyPlanner(BacktestPlanner(CandleReader(files, venues), host), host, load_source)
    searches = OptunaSearches(settings.data / "studies")
    runner = StudyRunner(books, planner, build_compute(settings), searches)
    service = StudyService(books, planner, runner, searches, host)
    maker = WinnerMaker(service, bots, files, venues)
    return runner, (service, maker), Retuner(books, service, bots, host, venues, lanes)


def build_compute(settings: Settings, workers: int | None = None) -> Compute:
    """Where sweeps run: the Dask cluster of the settings, or processes of this machine."""
    if settings.dask and workers is None:
        from engine.adapters.compute.dask_cluster import DaskCluster

        return DaskCluster(settings.dask)
    return ProcessPool(
        workers or settings.tune_workers, settings.research_memory_mb, settings.research_deadline_s
    )


@dataclass(frozen=True)
class GivenCandles:
    """``ports.CandleFiles`` of one file that was read already."""

    name: str
    instrument: Instrument
    candles: Candles

    def names(self) -> Sequence[str]:
        """The one."""
        return [self.name]

    def read(self, name: str) -> CandleFileContent:
        """Raises NotFound for any other."""
        if name != self.name:
            raise NotFound(f"There are no candles '{name}'.", field="source.files")
        return CandleFileContent(self.instrument, self.candles, "")


@contextlib.contextmanager
def offline_tuner(
    settings: Settings, candles: GivenCandles, records: Path, workers: int | None
) -> Iterator[OfflineTuner]:
    """Studies on ``candles`` without an engine, written down in ``records``. One worker is this
    process itself: the user's own code at the user's own command, as with ``backtest``."""
    host = StrategyHost(
        settings.strategies, 1, settings.strategy_deadline_s, settings.strategy_memory_mb
    )
    try:
        planner = BacktestPlanner(CandleReader(candles, VenueRegistry({}, {})), host)
        yield OfflineTuner(
            StudyPlanner(planner, host, load_source),
            host,
            InlineCompute() if workers == 1 else build_compute(settings, workers),
            OptunaSearches(records),
        )
    finally:
        host.close()
