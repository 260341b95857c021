"""The process of one backtest: signals, simulation, metrics, at low priority and without keys.

It is told what to do once, says what it is doing, answers once, and ends.
"""

import contextlib
import hashlib
import json
import math
import os
import pickle
import signal
import socket
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.adapters.strategies.confinement import (
    limit_memory,
    limit_processes,
    silence_errors,
    take_channel,
    watch,
)
from engine.adapters.strategies.loader import build, explain, load
from engine.adapters.strategies.packing import pack
from engine.adapters.strategies.wire import Closed, receive, send
from engine.domain.backtest import Leg
from engine.domain.backtest_runs import RunStage
from engine.domain.backtests import BacktestResult, BacktestTerms
from engine.domain.exact_backtest import simulate
from engine.domain.performance import history_of, measure
from engine.domain.strategy import Signals, Strategy
from engine.errors import ConfigError
from engine.ports import SimulationLeg

ALARM_MARGIN_S = 3


class Bench:
    """Carries out one task and tells about it on ``channel``."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    def answer(self, task: dict[str, Any]) -> None:
        """Send stages, then the outcome or what went wrong, and whose fault that was."""
        path = Path(task["path"])
        try:
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            legs = self._judge(build(load(path), task["params"]), task["legs"])
        except ConfigError as error:
            self._tell({"error": error.message, "field": error.field or "params"})
            return
        except BaseException as error:  # noqa: BLE001  a strategy may raise anything, even exit
            self._tell({"error": explain(error, path), "field": "strategy"})
            return
        try:
            result, metrics = self._measure(legs, task["terms"])
        except Exception as error:  # noqa: BLE001  told apart from the strategy's own failures
            self._tell({"error": f"{type(error).__name__}: {error}", "field": ""})
            return
        header, body = pack(result)
        self._tell({"ok": header, "metrics": metrics, "strategy_sha256": sha256})
        send(self._channel, body)

    def _judge(self, strategy: Strategy, tasks: list[SimulationLeg]) -> list[Leg]:
        """What the strategy says about every candle; those that only warm it up are cut off."""
        legs = []
        for number, one in enumerate(tasks):
            self._stage(RunStage.SIGNALS, number / len(tasks))
            signals = strategy.signals(one.candles)
            signals.check(len(one.candles))
            after = slice(one.start, None)
            warmup = max(0, strategy.warmup - one.start)
            cut = _without_warmup(signals, one.start)
            legs.append(Leg(one.symbol, one.candles[after], cut, one.fine, warmup))
        return legs

    def _measure(
        self, legs: list[Leg], terms: BacktestTerms
    ) -> tuple[BacktestResult, dict[str, Any]]:
        self._stage(RunStage.SIMULATING)
        result = simulate(legs, terms)
        self._stage(RunStage.MEASURING)
        return result, measure(history_of(result)).model_dump(mode="json")

    def _stage(self, stage: RunStage, progress: float = 0.0) -> None:
        self._tell({"stage": stage.value, "progress": progress})

    def _tell(self, message: dict[str, Any]) -> None:
        send(self._channel, json.dumps(message, allow_nan=False).encode())


def _without_warmup(signals: Signals, start: int) -> Signals:
    if not start:
        return signals
    names = ("enter_long", "exit_long", "enter_short", "exit_short", "confidence", "size")
    cut = {name: _cut(getattr(signals, name), start) for name in names}
    return replace(signals, **cut, plots={}, reason=lambda _index: "")


def _cut(array: Any, start: int) -> Any:
    return None if array is None else array[start:]


def main() -> None:
    """``python -m engine.adapters.strategies.bench PARENT_PID MEMORY_MB DEADLINE_S``."""
    parent_pid, memory_mb, deadline_s = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    memory_bytes = memory_mb * 1024 * 1024
    channel = take_channel()
    watched = parent_pid, memory_bytes, threading.Event()
    threading.Thread(target=watch, args=watched, daemon=True).start()
    limit_memory(memory_bytes)
    limit_processes()
    send(channel, b"ready")
    silence_errors()
    np.seterr(all="ignore")
    with contextlib.suppress(Closed):
        task = pickle.loads(receive(channel))  # noqa: S301  the engine wrote it
        if hasattr(signal, "alarm"):
            # The engine kills sooner; this ends a bench stuck in C code after the engine died.
            signal.alarm(math.ceil(deadline_s) + ALARM_MARGIN_S)
        Bench(channel).answer(task)
    os._exit(0)  # not waiting for threads that a strategy may have left


if __name__ == "__main__":
    main()
