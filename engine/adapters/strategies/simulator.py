"""Backtests as the engine sees them: each in a process of its own, killed when it is cancelled."""

import contextlib
import json
import pickle
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.adapters.strategies.confinement import yield_to_bots
from engine.adapters.strategies.packing import SERIES, packed_bytes, unpack
from engine.adapters.strategies.process import Died, NotStarted, WorkerProcess
from engine.adapters.strategies.wire import Closed, receive, send
from engine.domain.backtest_runs import RunStage
from engine.errors import ConfigError, DataError, StrategyError
from engine.ports import SimulationOutcome, SimulationTask, StageListener

MESSAGE_LIMIT = 16 * 1024 * 1024
CANCELLED = "The backtest was cancelled."


class BenchProcess(WorkerProcess):
    """A process that carries out one task. Raises NotStarted when it does not come up.

    ``on_start`` is told of it before it is up, so that it can be killed from then on.
    """

    module = "engine.adapters.strategies.bench"

    def __init__(
        self, memory_mb: int, deadline_s: float, on_start: "Callable[[BenchProcess], None]"
    ) -> None:
        self._on_start = on_start
        super().__init__(memory_mb, deadline_s)

    def _start(self, theirs: socket.socket, complaints: Any) -> "subprocess.Popen[bytes]":
        self._process = process = super()._start(theirs, complaints)
        yield_to_bots(process.pid)  # from the first import on
        self._on_start(self)
        return process

    def kill(self) -> None:
        """End it, whoever waits for it: closing the channel alone wakes nobody."""
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)
        super().kill()

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
        process = self._started()
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
        """End the process at once, be it up or not."""
        with self._lock:
            self._is_cancelled = True
            process = self._process
        if process is not None:
            process.kill()

    def _started(self) -> BenchProcess:
        """The process, up. Raises DataError."""
        if self._is_cancelled:
            raise DataError(CANCELLED)
        try:
            return BenchProcess(self._memory_mb, self._deadline_s, self._remember)
        except (NotStarted, OSError) as error:
            if self._is_cancelled:
                raise DataError(CANCELLED) from error
            raise DataError(f"The backtest could not be started: {error}") from error

    def _remember(self, process: BenchProcess) -> None:
        """What a cancel has to kill; at once when that came first."""
        with self._lock:
            self._process = process
        if self._is_cancelled:
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
    """``ports.Simulator``; ``locate`` finds a strategy's file or raises NotFound. Thread-safe."""

    def __init__(self, locate: Callable[[str], Path], deadline_s: float, memory_mb: int) -> None:
        self._locate = locate
        self._deadline_s, self._memory_mb = deadline_s, memory_mb

    def begin(self, task: SimulationTask) -> BenchSimulation:
        """Prepare one. Raises NotFound."""
        path = self._locate(task.strategy)
        return BenchSimulation(path, task, self._memory_mb, self._deadline_s)
