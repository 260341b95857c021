"""The pool of strategy workers: some kept warm, more when those hang, never all for one."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from engine.adapters.strategies.process import Died, Gone, NotStarted, TooLate, WorkerProcess
from engine.errors import StrategyError

EXTRA_WORKERS = 6
RETIRE_AFTER_S = 30.0
KEEP_INTERVAL_S = 5.0
MOST_WAITING = 4


class WorkerPool:
    """Calls go to any free worker; thread-safe. ``size`` workers are kept warm.

    One strategy holds at most ``size`` workers, so that it leaves others to the rest when it
    hangs. Once it has hung, only a few of its calls may wait, so that they do not use up the
    threads of their callers.
    """

    def __init__(self, size: int, deadline_s: float, memory_mb: int) -> None:
        self._size, self._most = size, size + EXTRA_WORKERS
        self._deadline_s, self._memory_mb = deadline_s, memory_mb
        self._idle: list[WorkerProcess] = []
        self._busy: set[WorkerProcess] = set()
        self._starting = 0
        self.started = 0
        self._held: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()
        self._suspects: set[str] = set()
        self._changed = threading.Condition()
        self._is_closed = False
        self._is_warming = True
        self._needs_care = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="strategy-keeper", daemon=True)
        self._keeper.start()

    def call(self, strategy_id: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer of a worker. Raises StrategyError."""
        for _ in range(self._most):
            with contextlib.suppress(Gone):
                return self._call_once(strategy_id, request)
        return self._call_once(strategy_id, request)

    def pids(self) -> set[int]:
        """Process ids of all workers that are up."""
        with self._changed:
            return {worker.pid for worker in (*self._idle, *self._busy)}

    def close(self) -> None:
        """Kill every worker; calls under way fail."""
        with self._changed:
            self._is_closed = True
            workers = [*self._idle, *self._busy]
            self._idle.clear()
            self._changed.notify_all()
        self._needs_care.set()
        for worker in workers:
            worker.kill()
        self._keeper.join(timeout=self._deadline_s)

    # --- inside -----------------------------------------------------------------------------------

    def _call_once(self, strategy_id: str, request: Mapping[str, Any]) -> dict[str, Any]:
        worker = self._acquire(strategy_id)
        try:
            answer = worker.call(request)
        except (TooLate, Died):
            self._suspects.add(strategy_id)
            raise
        finally:
            self._release(strategy_id, worker)
        self._suspects.discard(strategy_id)
        return answer

    def _acquire(self, strategy_id: str) -> WorkerProcess:
        with self._changed:
            self._wait_for_turn(strategy_id)
            self._held[strategy_id] += 1
            if self._idle:
                worker = self._idle.pop()
                self._busy.add(worker)
                return worker
            self._starting += 1
        try:
            return self._start()
        except NotStarted:
            with self._changed:
                self._let_go(strategy_id)
            raise

    def _wait_for_turn(self, strategy_id: str) -> None:
        """Wait until a worker may be taken; refused at once behind a queue that does not move."""
        is_queue_full = self._waiting[strategy_id] >= MOST_WAITING
        if is_queue_full and strategy_id in self._suspects and not self._may_take(strategy_id):
            raise StrategyError("is still busy with earlier calls that did not answer")
        self._waiting[strategy_id] += 1
        try:
            while not self._may_take(strategy_id):
                self._changed.wait()
        finally:
            self._waiting[strategy_id] -= 1

    def _may_take(self, strategy_id: str) -> bool:
        """Whether a worker is there, or may be started, for this strategy now."""
        if self._is_closed:
            raise NotStarted("the engine is stopping")
        if self._held[strategy_id] >= self._size:
            return False
        if self._idle:
            return True
        # While the first workers are coming up, waiting is quicker than starting more.
        return not self._is_warming and len(self._busy) + self._starting < self._most

    def _start(self) -> WorkerProcess:
        """A new worker, counted as starting before and as busy after."""
        try:
            worker = WorkerProcess(self._memory_mb, self._deadline_s)
        except OSError as error:
            raise NotStarted(f"no strategy worker could be started: {error}") from error
        finally:
            with self._changed:
                self._starting -= 1
                self._changed.notify_all()
        with self._changed:
            self.started += 1
            if not self._is_closed:
                self._busy.add(worker)
                return worker
        worker.kill()
        raise NotStarted("the engine is stopping")

    def _release(self, strategy_id: str, worker: WorkerProcess) -> None:
        is_alive = worker.is_alive()
        with self._changed:
            self._busy.discard(worker)
            if is_alive and not self._is_closed:
                self._idle.append(worker)
            self._let_go(strategy_id)
        if not is_alive:
            worker.kill()
            self._needs_care.set()

    def _let_go(self, strategy_id: str) -> None:
        self._held[strategy_id] -= 1
        self._changed.notify_all()

    def _keep(self) -> None:
        """Until closed: replace workers that are gone, retire those that are not needed."""
        while not self._is_closed:
            self._retire()
            with contextlib.suppress(NotStarted):  # told to whoever asks next; tried again below
                while self._wants_more():
                    worker = self._start()
                    with self._changed:
                        self._busy.discard(worker)
                        self._idle.append(worker)
                        self._changed.notify_all()
            with self._changed:
                self._is_warming = False
                self._changed.notify_all()
            self._needs_care.wait(KEEP_INTERVAL_S)
            self._needs_care.clear()

    def _wants_more(self) -> bool:
        with self._changed:
            count = len(self._idle) + len(self._busy) + self._starting
            if self._is_closed or count >= self._size:
                return False
            self._starting += 1
            return True

    def _retire(self) -> None:
        now = time.monotonic()
        retired = []
        with self._changed:
            for worker in list(self._idle):
                is_surplus = len(self._idle) + len(self._busy) > self._size
                is_old = now - worker.idle_since > RETIRE_AFTER_S
                if not worker.is_alive() or (is_surplus and is_old):
                    self._idle.remove(worker)
                    retired.append(worker)
        for worker in retired:
            worker.kill()
