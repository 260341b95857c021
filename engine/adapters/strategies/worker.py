"""A strategy worker: the process in which strategy code runs.

It has no keys and no channel but one socket. It ends by itself when the engine is gone, when it
uses more memory than allowed, and when a call takes far longer than the engine would wait.
"""

import contextlib
import json
import math
import os
import pickle
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np

import engine.domain.indicators  # noqa: F401  imported ahead, so that the first call is quick
from engine.adapters.strategies.confinement import (
    limit_memory,
    limit_processes,
    silence_errors,
    take_channel,
    watch,
)
from engine.adapters.strategies.loader import build, describe, explain, load, strategy_id_of
from engine.adapters.strategies.wire import Closed, receive, send
from engine.domain.candles import FloatArray
from engine.domain.decisions import Intent
from engine.domain.strategy import Strategy
from engine.errors import ConfigError, StrategyError

ALARM_MARGIN_S = 3
OWN_THREADS = 2  # the main one and the watchdog
MOST_INSTANCES = 4096
MOST_REASON = 500  # characters


class Workshop:
    """Loaded strategy files and their instances, each until its file changes."""

    def __init__(self) -> None:
        self._classes: dict[str, tuple[object, type[Strategy]]] = {}
        self._instances: dict[tuple[str, object, str], Strategy] = {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out one request; whatever the strategy does becomes an answer."""
        path = Path(request["path"])
        try:
            return {"ok": self._carry_out(request, path)}
        except ConfigError as error:
            return {"error": error.message, "code": error.code, "field": error.field}
        except MemoryError as error:
            return {"error": f"ran out of memory: {explain(error, path)}", "is_spent": True}
        except BaseException as error:  # noqa: BLE001  a strategy may raise anything, even exit
            return {"error": explain(error, path)}

    def _carry_out(self, request: dict[str, Any], path: Path) -> Any:
        operation, stamp = request["operation"], request["stamp"]
        chosen = self._class(path, stamp)
        if operation == "describe":
            try:
                return describe(strategy_id_of(path), path, chosen)
            except ConfigError as error:
                raise StrategyError(f"the defaults do not fit: {error.message}") from error
        strategy = self._instance(path, stamp, chosen, request["params"])
        if operation == "validate":
            return strategy.model_dump(mode="json")
        if operation == "history":
            return max(strategy.history, strategy.warmup)
        if operation == "warmup":
            return strategy.warmup
        if operation == "decide":
            return _decide(strategy, request["candles"])
        return _plots(strategy, request["candles"])

    def _class(self, path: Path, stamp: object) -> type[Strategy]:
        known = self._classes.get(path.name)
        if known is None or known[0] != stamp:
            known = stamp, load(path)
            self._classes[path.name] = known
        return known[1]

    def _instance(
        self, path: Path, stamp: object, chosen: type[Strategy], params: dict[str, Any]
    ) -> Strategy:
        key = path.name, stamp, json.dumps(params, sort_keys=True, default=repr)
        instance = self._instances.get(key)
        if instance is None:
            if len(self._instances) >= MOST_INSTANCES:
                self._instances.clear()
            instance = self._instances[key] = build(chosen, params)
        return instance


def _decide(strategy: Strategy, candles: Any) -> dict[str, Any]:
    intent = strategy.decide(candles)
    if not isinstance(intent, Intent):
        raise StrategyError(f"decide() must return an Intent, not {type(intent).__name__}")
    return intent.model_copy(update={"reason": intent.reason[:MOST_REASON]}).model_dump()


def _plots(strategy: Strategy, candles: Any) -> list[dict[str, Any]]:
    signals = strategy.signals(candles)
    signals.check(len(candles))
    return [
        {"name": name, "values": _or_none(plot.values), "is_overlay": plot.is_overlay,
         "levels": plot.levels}
        for name, plot in signals.plots.items()
    ]  # fmt: skip


def _or_none(values: FloatArray) -> list[float | None]:
    return [number if math.isfinite(number) else None for number in values.tolist()]


def _left_something_behind() -> bool:
    """Whether a strategy started threads or processes that outlive its call."""
    if threading.active_count() > OWN_THREADS:
        return True
    if os.name != "posix":
        return False
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def serve(channel: socket.socket, deadline_s: float, is_bloated: threading.Event) -> None:
    """Answer requests until the engine hangs up.

    An answer says when the worker is spent: short of memory, or not alone in its process any more.
    """
    workshop, own_pid = Workshop(), os.getpid()
    np.seterr(all="ignore")
    has_alarm = hasattr(signal, "alarm")
    while True:
        number, request = pickle.loads(receive(channel))  # noqa: S301  the engine wrote it
        if has_alarm:
            # The engine kills sooner; this ends a worker stuck in C code after the engine died.
            signal.alarm(math.ceil(deadline_s) + ALARM_MARGIN_S)
        answer = workshop.answer(request)
        if has_alarm:
            signal.alarm(0)
        if os.getpid() != own_pid:
            os._exit(0)  # a copy that the strategy made by fork; the original answers
        answer["number"] = number
        answer["is_spent"] = "is_spent" in answer or is_bloated.is_set() or _left_something_behind()
        send(channel, _encode(answer))


def _encode(answer: dict[str, Any]) -> bytes:
    try:
        return json.dumps(answer, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        words = f"its answer makes no sense: {error}"
        return json.dumps({"error": words, "number": answer["number"]}).encode()


def main() -> None:
    """``python -m engine.adapters.strategies.worker PARENT_PID MEMORY_MB DEADLINE_S``."""
    parent_pid, memory_mb, deadline_s = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    memory_bytes = memory_mb * 1024 * 1024
    channel = take_channel()
    is_bloated = threading.Event()
    watched = parent_pid, memory_bytes, is_bloated
    threading.Thread(target=watch, args=watched, daemon=True).start()
    limit_memory(memory_bytes)
    limit_processes()
    send(channel, b"ready")
    silence_errors()
    with contextlib.suppress(Closed):
        serve(channel, deadline_s, is_bloated)
    os._exit(0)  # not waiting for threads that a strategy may have left


if __name__ == "__main__":
    main()
