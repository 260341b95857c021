"""Backtests as the engine sees them: each in a process of its own, killed when it is cancelled."""

import json
import pickle
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from engine.adapters.strategies.confinement import yield_to_bots
from engine.adapters.strategies.host import ID_PATTERN
from engine.adapters.strategies.packing import SERIES, packed_bytes, unpack
from engine.adapters.strategies.process import Died, WorkerProcess
from engine.adapters.strategies.wire import Closed, receive, send
from engine.domain.backtest_runs import RunStage
from engine.errors import ConfigError, DataError, NotFound, StrategyError
from engine.ports import SimulationOutcome, SimulationTask, StageListener

MESSAGE_LIMIT = 16 * 1024 * 1024
CANCELLED = "The backtest was cancelled."


class BenchProcess(WorkerProcess):
    """A process that carries out one task. Raises NotStarted when it does not come up."""

    module = "engine.adapters.strategies.bench"

    def _start(self, theirs: socket.socket, complaints: Any) -> "subprocess.Popen[bytes]":
        process = super()._start(theirs, complaints)
        yield_to_bots(process.pid)  # from the first import on
        return process

    def carry_out(
        self, task: dict[str, Any], bars: int, on_stage: StageListener
    ) -> tuple[dict[str, Any], bytes]:
        """Its answer and the arrays that belong to it; the process is gone then.

        Raises TooLate or Died.
        """
        deadline = time.monotonic() + self._deadline_s
        try:
            send(self._channel, pickle.dumps(task, protocol=5), deadline)
            answer = self._next(deadline)
            while "stage" in answer:
                on_stage(RunStage(answer["stage"]), float(answer["progress"]))
                answer = self._next(deadline)
            # At the most, each bar ends a long and a short position.
            limit = packed_bytes([bars] * len(SERIES), 2 * bars)
            return answer, receive(self._channel, deadline, limit) if "ok" in answer else b""
        except TimeoutError as error:
            raise self._too_late() from error
        except (Closed, OSError) as error:  # OSError: the channel was closed by a cancel
            raise Died(self._last_words()) from error
        except (ValueError, TypeError, KeyError) as error:
            raise Died("it wrote nonsense into the engine's channel") from error
        finally:
            self.kill()

    def _next(self, deadline: float) -> dict[str, Any]:
        message = json.loads(receive(self._channel, deadline, MESSAGE_LIMIT))
        if not isinstance(message, dict):
            raise TypeError("not an object")
        return message


class BenchSimulation:
    """``ports.Simulation`` in a process that is started when the outcome is asked for."""

    def __init__(self, path: Path, task: SimulationTask, memory_mb: int, deadline_s: float) -> None:
        self._path = path
        self._task = task
        self._memory_mb, self._deadline_s = memory_mb, deadline_s
        self._lock = threading.Lock()
        self._process: BenchProcess | None = None
        self._is_cancelled = False

    def outcome(self, on_stage: StageListener) -> SimulationOutcome:
        """Wait for it. Raises as ``ports.Simulation`` says."""
        on_stage(RunStage.SIGNALS, 0.0)
        if self._is_cancelled:
            raise DataError(CANCELLED)
        process = BenchProcess(self._memory_mb, self._deadline_s)
        with self._lock:
            self._process = process
        if self._is_cancelled:
            process.kill()
        task = self._task
        bars = sum(len(leg.candles if leg.fine is None else leg.fine) for leg in task.legs)
        request = {
            "path": str(self._path), "params": dict(task.params), "legs": list(task.legs),
            "terms": task.terms,
        }  # fmt: skip
        try:
            answer, body = process.carry_out(request, bars, on_stage)
        except StrategyError as error:
            if self._is_cancelled:
                raise DataError(CANCELLED) from error
            raise type(error)(f"strategy '{task.strategy}': {error.message}") from error
        return self._read(answer, body)

    def cancel(self) -> None:
        """End the process at once, or when it comes up."""
        with self._lock:
            self._is_cancelled = True
            process = self._process
        if process is not None:
            process.kill()

    def _read(self, answer: dict[str, Any], body: bytes) -> SimulationOutcome:
        strategy = self._task.strategy
        if "ok" not in answer:
            message, field = str(answer.get("error")), str(answer.get("field"))
            if field.startswith("params"):
                raise ConfigError(message, field=field)
            if field:
                raise StrategyError(f"strategy '{strategy}': {message}", field="strategy")
            raise DataError(f"The simulation failed: {message}")
        try:
            return SimulationOutcome(
                unpack(answer["ok"], body), dict(answer["metrics"]), str(answer["strategy_sha256"])
            )
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"The simulation's answer makes no sense: {error}") from error


class BenchSimulator:
    """``ports.Simulator`` over a folder of strategy files; thread-safe."""

    def __init__(self, folder: Path, deadline_s: float, memory_mb: int) -> None:
        self._folder = folder.resolve()
        self._deadline_s, self._memory_mb = deadline_s, memory_mb

    def begin(self, task: SimulationTask) -> BenchSimulation:
        """Prepare one. Raises NotFound."""
        path = self._folder / f"{task.strategy}.py"
        if not ID_PATTERN.fullmatch(task.strategy) or not path.is_file():
            raise NotFound(f"There is no strategy '{task.strategy}'.", field="strategy")
        return BenchSimulation(path, task, self._memory_mb, self._deadline_s)
