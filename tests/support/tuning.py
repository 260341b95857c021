"""A study on files, with real searches and candles, and without an engine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.adapters.compute.inline import InlineCompute
from engine.adapters.market_data.candle_folder import CandleFolder
from engine.adapters.search.optuna_search import OptunaSearches
from engine.adapters.strategies.loader import load_source
from engine.domain.backtest_runs import BacktestRequest, FileSource
from engine.domain.candles import Candles
from engine.domain.money import from_epoch_ms
from engine.domain.search_space import Range
from engine.domain.strategy import Strategy
from engine.domain.studies import StudyProgress, StudyRequest, StudySummary
from engine.domain.study_kinds import Method
from engine.ports import Compute, StrategyInfo
from engine.services.backtest_candles import CandleReader
from engine.services.backtest_plans import BacktestPlanner
from engine.services.registry import VenueRegistry
from engine.services.study_run import StudyRun
from engine.services.study_setting import StudyPlanner
from tests.fakes.candles import random_candles
from tests.fakes.strategy_host import STRATEGIES, FakeStrategyHost

FILE = "TEST-USD.1h.csv"


class FileHost(FakeStrategyHost):
    """The fake host, which also says where a strategy's text is."""

    def __init__(
        self, folder: Path = STRATEGIES, classes: Mapping[str, type[Strategy]] | None = None
    ) -> None:
        super().__init__(classes)
        self._folder = folder

    def get(self, strategy_id: str) -> StrategyInfo:
        """With its path."""
        path = str(self._folder / f"{strategy_id}.py")
        return super().get(strategy_id).model_copy(update={"path": path})


def write_candles(folder: Path, candles: Candles, name: str = FILE) -> None:
    """A candle file."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["timestamp,open,high,low,close,volume"]
    for bar in candles.bars():
        opened = from_epoch_ms(bar.open_ms).isoformat()
        lines.append(f"{opened},{bar.open},{bar.high},{bar.low},{bar.close},{bar.volume}")
    (folder / name).write_text("\n".join(lines) + "\n")


def study_request(**changes: Any) -> StudyRequest:
    """Two averages over the candle file, a few trials."""
    fields: dict[str, Any] = {
        "backtest": BacktestRequest(
            strategy="ma_cross", source=FileSource(files=(FILE,)), timeframe="1h"
        ),
        "ranges": {"fast": Range(low=3, high=20), "slow": Range(low=10, high=40)},
        "method": Method.TPE, "trials": 24, "min_trades": 3, "paths": 200,
    }  # fmt: skip
    return StudyRequest(**(fields | changes))


class Workbench:
    """Everything that a study needs, in one folder."""

    def __init__(self, folder: Path, host: FakeStrategyHost | None = None, bars: int = 900) -> None:
        self.folder = folder
        if not (folder / FILE).exists():
            write_candles(folder, random_candles(bars, 5, volatility=0.01, timeframe="1h"))
        reader = CandleReader(CandleFolder(folder), VenueRegistry({}, {}))
        self.host = host or FileHost()
        self.planner = StudyPlanner(BacktestPlanner(reader, self.host), self.host, load_source)
        self.searches = OptunaSearches(folder / "studies")
        self.progress: list[StudyProgress] = []

    def run(
        self, request: StudyRequest, study_id: str = "s1", compute: Compute | None = None,
        stop_after: int | None = None,
    ) -> StudySummary:  # fmt: skip
        """Carry a study out; ``stop_after`` cancels it after so many reports."""
        return StudyRun(
            study_id,
            self.planner.prepare(request),
            compute or InlineCompute(),
            self.searches,
            self.progress.append,
            lambda: stop_after is not None and len(self.progress) > stop_after,
        ).run()
