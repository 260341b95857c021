"""Backtests without processes and files: the real services over parts that live in memory."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from engine.adapters.market_data.simulated import SimulatedMarket
from engine.domain.backtest import Leg
from engine.domain.backtest_runs import RunStage
from engine.domain.exact_backtest import simulate
from engine.domain.performance import history_of, measure
from engine.errors import ConfigError, DataError, NotFound, QuarterdeckError, StrategyError
from engine.ports import (
    CandleFileContent,
    Clock,
    KeptResult,
    SimulationOutcome,
    SimulationTask,
    StageListener,
    Store,
)
from engine.services.backtest_candles import CandleReader
from engine.services.backtest_plans import BacktestPlanner
from engine.services.backtest_runner import BacktestRunner
from engine.services.backtests import BacktestService
from engine.services.books import Books
from engine.services.registry import MarketKind, VenueRegistry
from tests.fakes.clock import FakeClock
from tests.fakes.memory_store import MemoryStore
from tests.fakes.strategy_host import FakeStrategyHost

SEED = 7


class MemoryResults:
    """Implements ``ResultFiles``. ``kept`` is what is there; ``fault`` is raised by the next
    writes, as a full disk is."""

    def __init__(self) -> None:
        self.kept: dict[str, KeptResult] = {}
        self.fault: QuarterdeckError | None = None
        self.sweeps = 0

    def write(self, run_id: str, kept: KeptResult) -> None:
        """Raises ``fault``."""
        if self.fault is not None:
            raise self.fault
        self.kept[run_id] = kept

    def read(self, run_id: str) -> KeptResult:
        """Raises NotFound."""
        if run_id not in self.kept:
            raise NotFound("The files of this backtest are gone; run it again.", field="id")
        return self.kept[run_id]

    def delete(self, run_id: str) -> None:
        """Nothing happens when there are none."""
        self.kept.pop(run_id, None)

    def sweep(self) -> None:
        """Only counted."""
        self.sweeps += 1


class FakeCandleFiles:
    """Implements ``CandleFiles`` over a dictionary; ``faults`` are raised instead."""

    def __init__(self, contents: Mapping[str, CandleFileContent] | None = None) -> None:
        self.contents = dict(contents or {})
        self.faults: dict[str, QuarterdeckError] = {}

    def names(self) -> Sequence[str]:
        """All of them."""
        return sorted({*self.contents, *self.faults})

    def read(self, name: str) -> CandleFileContent:
        """Raises NotFound, and what a fault says."""
        if name in self.faults:
            raise self.faults[name]
        if name not in self.contents:
            raise NotFound(f"There is no candle file '{name}'.", field="source.files")
        return self.contents[name]


class FakeSimulator:
    """Implements ``Simulator`` in this process, with the real loop and the real metrics.

    While ``gate`` is closed a simulation stands still, as a slow strategy does, until it is
    cancelled; ``tasks`` is what was asked.
    """

    def __init__(self, host: FakeStrategyHost) -> None:
        self.host = host
        self.gate = threading.Event()
        self.gate.set()
        self.tasks: list[SimulationTask] = []
        self.standing = threading.Semaphore(0)
        """Released once by each simulation that has begun."""

    def begin(self, task: SimulationTask) -> "FakeSimulation":
        """Raises NotFound."""
        self.host.get(task.strategy)
        self.tasks.append(task)
        return FakeSimulation(self, task)


class FakeSimulation:
    """Implements ``Simulation``."""

    def __init__(self, simulator: FakeSimulator, task: SimulationTask) -> None:
        self._simulator = simulator
        self._task = task
        self._is_cancelled = threading.Event()

    def outcome(self, on_stage: StageListener) -> SimulationOutcome:
        """Raises like the strategy, as StrategyError."""
        on_stage(RunStage.SIGNALS, 0.5)
        self._simulator.standing.release()
        while not self._simulator.gate.wait(0.005):
            if self._is_cancelled.is_set():
                raise DataError("The backtest was cancelled.")
        try:
            legs = [self._leg(number) for number in range(len(self._task.legs))]
        except ConfigError:
            raise
        except Exception as error:
            raise StrategyError(f"strategy '{self._task.strategy}': {error}") from error
        on_stage(RunStage.SIMULATING, 0.0)
        result = simulate(legs, self._task.terms)
        on_stage(RunStage.MEASURING, 0.0)
        metrics = measure(history_of(result)).model_dump(mode="json")
        return SimulationOutcome(result, metrics, "s" * 64)

    def cancel(self) -> None:
        """The outcome then raises."""
        self._is_cancelled.set()

    def _leg(self, number: int) -> Leg:
        leg = self._task.legs[number]
        signals = self._simulator.host.signals(self._task.strategy, self._task.params, leg.candles)
        cut = slice(leg.start, None)
        names = ("enter_long", "exit_long", "enter_short", "exit_short")
        after = type(signals)(*(getattr(signals, name)[cut] for name in names))
        return Leg(leg.symbol, leg.candles[cut], after, leg.fine)


class BacktestRoom:
    """The real services over fakes: ``service``, ``runner``, ``planner`` and what they stand on."""

    def __init__(
        self,
        files: Mapping[str, CandleFileContent] | None = None,
        *,
        host: FakeStrategyHost | None = None,
        store: Store | None = None,
        clock: Clock | None = None,
        candle_files: Any = None,
    ) -> None:
        self.clock: Clock = clock or FakeClock()
        self.store = store or MemoryStore(self.clock.now)
        self.host = host or FakeStrategyHost()
        self.files = candle_files or FakeCandleFiles(files)
        self.results = MemoryResults()
        self._simulators: list[FakeSimulator] = []
        market = SimulatedMarket(SEED, self.clock)
        kinds = {
            "simulated": MarketKind(lambda _id: market, lambda: ["simulated"]),
            "replay": MarketKind(lambda _id: market, list, is_stepped=True),
        }
        self.venues = VenueRegistry(kinds, {})
        self.start()

    def start(self) -> None:
        """As an engine starts over what is there; what a former one runs stands still for good."""
        self.simulator = FakeSimulator(self.host)
        self._simulators.append(self.simulator)
        self.books = Books(self.store, self.clock)
        self.books.load()
        self.planner = BacktestPlanner(CandleReader(self.files, self.venues), self.host)
        self.runner = BacktestRunner(
            self.books, self.planner, self.simulator, self.results, workers=1
        )
        self.service = BacktestService(
            self.books, self.planner, self.runner, self.results, version="test"
        )

    def close(self) -> None:
        """Let everything end."""
        for simulator in self._simulators:
            simulator.gate.set()
        self.runner.close()
