"""What backtests need of the outside world: candle files, a place to simulate, a place to keep."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from engine.domain.backtest_runs import RunStage
from engine.domain.backtests import BacktestResult, BacktestTerms
from engine.domain.candles import Candles
from engine.domain.instruments import Instrument

StageListener = Callable[[RunStage, float], None]
"""Told what is being done now, and how far that is (0 to 1)."""


@dataclass(frozen=True, slots=True)
class SimulationLeg:
    """One symbol: what the strategy sees, of which the first ``start`` candles only warm it up;
    ``fine`` are finer candles of what follows them."""

    symbol: str
    candles: Candles
    start: int = 0
    fine: Candles | None = None


@dataclass(frozen=True, slots=True)
class SimulationTask:
    """A backtest with everything read and checked."""

    strategy: str
    params: Mapping[str, Any]
    legs: Sequence[SimulationLeg]
    terms: BacktestTerms


@dataclass(frozen=True, slots=True)
class SimulationOutcome:
    """What a simulation found; ``metrics`` are JSON values by name."""

    result: BacktestResult
    metrics: Mapping[str, Any]
    strategy_sha256: str


class Simulation(Protocol):
    """A backtest under way."""

    def outcome(self, on_stage: StageListener) -> SimulationOutcome:
        """Wait for it; asked once. Raises StrategyError, ConfigError naming a parameter, DataError
        when it could not be carried out or was cancelled."""
        ...

    def cancel(self) -> None:
        """End it at once, from any thread; ``outcome`` then raises."""
        ...


class Simulator(Protocol):
    """Runs backtests apart from the engine: strategy code must not touch it."""

    def begin(self, task: SimulationTask) -> Simulation:
        """Prepare one; it runs when its outcome is asked for. Raises NotFound."""
        ...


@dataclass(frozen=True, slots=True)
class CandleFileContent:
    """A file's candles and what is traded in them."""

    instrument: Instrument
    candles: Candles
    market_id: str


class CandleFiles(Protocol):
    """The candle files of the data folder."""

    def names(self) -> Sequence[str]:
        """All of them, sorted."""
        ...

    def read(self, name: str) -> CandleFileContent:
        """Raises NotFound, or ConfigError saying what is wrong and in which line."""
        ...


@dataclass(frozen=True, slots=True)
class KeptResult:
    """A run's arrays: what was found, and the candles it was found on, by symbol."""

    result: BacktestResult
    candles: Mapping[str, Candles]


class ResultFiles(Protocol):
    """The big arrays of finished runs, one folder a run."""

    def write(self, run_id: str, kept: KeptResult) -> None:
        """All of it or nothing. Raises StoreError when the disk refuses."""
        ...

    def read(self, run_id: str) -> KeptResult:
        """Raises NotFound, or StoreError when the files are damaged."""
        ...

    def delete(self, run_id: str) -> None:
        """Remove a run's files, if there are any. Raises StoreError."""
        ...

    def sweep(self) -> None:
        """Remove what an engine that was killed had begun to write."""
        ...
