"""The strategy host: strategies found in a folder, asked in worker processes without keys."""

import contextlib
import json
import re
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from pathlib import Path
from typing import Any, NoReturn

import psutil
from pydantic import ValidationError

from engine.adapters.strategies.loader import CODE_SUFFIX, RULES_SUFFIX, strategy_id_of
from engine.adapters.strategies.pool import WorkerPool
from engine.adapters.strategies.process import NotStarted
from engine.domain.candles import Candles
from engine.domain.decisions import Intent
from engine.errors import ConfigError, NotFound, StrategyError
from engine.ports import PlotSeries, StrategyInfo

ID_PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
RESCAN_AFTER_S = 1.0
DESCRIBERS = 4
LOADING = "is still being loaded"
MOST_HISTORIES = 10_000

Stamp = tuple[int, ...]
"""Modification time in nanoseconds and size of each file of an id: when any changes, the strategy
is loaded afresh."""


class StrategyHost:
    """``ports.StrategyHost`` over a folder of strategy files, of code or of rules; thread-safe.

    ``workers`` processes are kept warm; a call gets ``deadline_s`` and ``memory_mb``. The engine's
    own process never imports a strategy.
    """

    def __init__(self, folder: Path, workers: int, deadline_s: float, memory_mb: int) -> None:
        self._folder = folder.resolve()
        self._pool = WorkerPool(workers, deadline_s, memory_mb)
        self._describers = ThreadPoolExecutor(DESCRIBERS, thread_name_prefix="strategy-list")
        self._lock = threading.Lock()
        self._known: dict[str, tuple[Stamp, Future[StrategyInfo]]] = {}
        self._scanned_at = -RESCAN_AFTER_S
        self._histories: dict[tuple[str, Stamp, str], int] = {}

    def list(self) -> Sequence[StrategyInfo]:
        """Every strategy file, sorted by id; waits a moment for those that are being loaded."""
        with self._lock:
            if time.monotonic() - self._scanned_at >= RESCAN_AFTER_S:
                self._scan()
                self._scanned_at = time.monotonic()
            known = {strategy_id: future for strategy_id, (_, future) in self._known.items()}
        wait_for(known.values(), timeout=2 * RESCAN_AFTER_S)
        return [
            future.result() if future.done() else self._broken(strategy_id, LOADING)
            for strategy_id, future in sorted(known.items())
        ]

    def get(self, strategy_id: str) -> StrategyInfo:
        """Raises NotFound, or StrategyError when the file is broken."""
        _path, stamp = self._locate(strategy_id)
        with self._lock:
            future = self._described(strategy_id, stamp)
        info = future.result()
        if info.error is not None:
            raise StrategyError(f"strategy '{strategy_id}': {info.error}")
        return info

    def validate(self, strategy_id: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters with defaults filled in, as JSON values.

        Raises NotFound, StrategyError, or ConfigError naming the parameter (``params.period``).
        """
        checked: dict[str, Any] = self._ask("validate", strategy_id, params)
        return checked

    def history(self, strategy_id: str, params: Mapping[str, Any]) -> int:
        """How many candles ``decide`` wants to see; asked of a worker once."""
        _path, stamp = self._locate(strategy_id)
        key = strategy_id, stamp, json.dumps(params, sort_keys=True, default=repr)
        count = self._histories.get(key)
        if count is None:
            count = int(self._ask("history", strategy_id, params))
            if len(self._histories) >= MOST_HISTORIES:
                self._histories.clear()
            self._histories[key] = count
        return count

    def warmup(self, strategy_id: str, params: Mapping[str, Any]) -> int:
        """How many candles are needed before the first signal. Raises like ``validate``."""
        return int(self._ask("warmup", strategy_id, params))

    def decide(self, strategy_id: str, params: Mapping[str, Any], candles: Candles) -> Intent:
        """Blocks until a worker answers. Raises StrategyError on failure, nonsense, deadline."""
        answer = self._ask("decide", strategy_id, params, candles)
        try:
            return Intent.model_validate(answer)
        except ValidationError as error:
            _raise_nonsense(strategy_id, error)

    def plots(
        self, strategy_id: str, params: Mapping[str, Any], candles: Candles
    ) -> Sequence[PlotSeries]:
        """The series to draw over ``candles``. Raises like ``decide``."""
        answer = self._ask("plots", strategy_id, params, candles)
        try:
            return [PlotSeries.model_validate(series) for series in answer]
        except (TypeError, ValidationError) as error:
            _raise_nonsense(strategy_id, error)

    def path_of(self, strategy_id: str) -> Path:
        """The strategy's file. Raises NotFound."""
        return self._locate(strategy_id)[0]

    def worker_pids(self) -> set[int]:
        """Process ids of the workers that are up, for diagnostics."""
        return self._pool.pids()

    def worker_bytes(self) -> int:
        """Memory that the workers hold together, for diagnostics."""
        total = 0
        for pid in self.worker_pids():
            with contextlib.suppress(psutil.Error):  # it has gone meanwhile
                total += psutil.Process(pid).memory_info().rss
        return total

    @property
    def workers_started(self) -> int:
        """How many workers were started so far, for diagnostics."""
        return self._pool.started

    def close(self) -> None:
        """Stop every worker; calls under way fail."""
        self._describers.shutdown(wait=False, cancel_futures=True)
        self._pool.close()

    # --- files ------------------------------------------------------------------------------------

    def _locate(self, strategy_id: str) -> tuple[Path, Stamp]:
        """The file of a strategy. Raises NotFound, or StrategyError when there are two."""
        found: list[tuple[Path, Stamp]] = []
        if ID_PATTERN.fullmatch(strategy_id):
            for suffix in (CODE_SUFFIX, RULES_SUFFIX):
                path = self._folder / f"{strategy_id}{suffix}"
                with contextlib.suppress(OSError):  # not there, or not readable
                    found.append((path, _stamp(path)))
        if not found:
            raise NotFound(f"there is no strategy '{strategy_id}'", field="strategy")
        if len(found) > 1:
            names = " and ".join(path.name for path, _stamp in found)
            raise StrategyError(f"{_prefix(strategy_id)}{names} are both there: remove one")
        return found[0]

    def _scan(self) -> None:
        """Describe what is new or changed; forget what is gone."""
        found: dict[str, Stamp] = {}
        for suffix in (CODE_SUFFIX, RULES_SUFFIX):
            for path in self._folder.glob(f"*{suffix}"):
                strategy_id = strategy_id_of(path)
                if not path.name.startswith("_"):
                    with contextlib.suppress(OSError):  # deleted since, or not readable
                        found[strategy_id] = found.get(strategy_id, ()) + _stamp(path)
        for strategy_id, stamp in found.items():
            self._described(strategy_id, stamp)
        for strategy_id in self._known.keys() - found.keys():
            del self._known[strategy_id]

    def _described(self, strategy_id: str, stamp: Stamp) -> Future[StrategyInfo]:
        """What is known about a file, or will be. The lock is held."""
        known = self._known.get(strategy_id)
        if known is None or known[0] != stamp:
            known = stamp, self._describers.submit(self._describe, strategy_id)
            self._known[strategy_id] = known
        return known[1]

    def _describe(self, strategy_id: str) -> StrategyInfo:
        if not ID_PATTERN.fullmatch(strategy_id):
            return self._broken(
                strategy_id, "the file's name must be letters, digits and _, a letter first"
            )
        try:
            return StrategyInfo.model_validate(self._ask("describe", strategy_id, {}))
        except NotStarted as error:
            with self._lock:  # not the file's fault: ask again at the next scan
                self._known.pop(strategy_id, None)
            return self._broken(strategy_id, error.message)
        except (StrategyError, NotFound) as error:
            return self._broken(strategy_id, error.message.removeprefix(_prefix(strategy_id)))
        except ValidationError as error:
            return self._broken(strategy_id, f"its description makes no sense: {error}")

    def _broken(self, strategy_id: str, error: str) -> StrategyInfo:
        paths = [self._folder / f"{strategy_id}{end}" for end in (CODE_SUFFIX, RULES_SUFFIX)]
        path = next((one for one in paths if one.exists()), paths[0])
        return StrategyInfo(id=strategy_id, title=strategy_id, path=str(path), error=error)

    # --- workers ----------------------------------------------------------------------------------

    def _ask(
        self,
        operation: str,
        strategy_id: str,
        params: Mapping[str, Any],
        candles: Candles | None = None,
    ) -> Any:
        path, stamp = self._locate(strategy_id)
        request = {
            "operation": operation,
            "path": str(path),
            "stamp": stamp,
            "params": dict(params),
            "candles": candles,
        }
        try:
            answer = self._pool.call(strategy_id, request)
        except StrategyError as error:
            raise type(error)(_prefix(strategy_id) + error.message) from error
        if "ok" in answer:
            return answer["ok"]
        message = str(answer.get("error", "the answer makes no sense"))
        if answer.get("code") == ConfigError.code:
            raise ConfigError(message, field=str(answer.get("field")))
        raise StrategyError(_prefix(strategy_id) + message)


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _prefix(strategy_id: str) -> str:
    return f"strategy '{strategy_id}': "


def _raise_nonsense(strategy_id: str, error: Exception) -> NoReturn:
    if isinstance(error, ValidationError):
        problem = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in problem["loc"])
        words = f"{name}: {problem['msg'].lower()}, not {problem['input']!r:.50}"
    else:
        words = str(error)
    raise StrategyError(f"{_prefix(strategy_id)}its answer makes no sense: {words}") from error
