"""A pool of processes on this machine."""

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from engine.adapters.compute.pool_worker import begin, work
from engine.adapters.compute.work import DEADLY, MOST_DEATHS, packed
from engine.errors import DataError
from engine.ports.compute import Crew, Outcome, never

LOOK_INTERVAL_S = 0.1
DEADLINE_S = 900.0
IN_FLIGHT_PER_WORKER = 2  # one that is worked on, one that waits for it


class ProcessPool:
    """``ports.Compute`` on ``workers`` processes (default: one fewer than there are processors).

    Workers are spawned, never forked from the engine with its threads and keys; they run at low
    priority, within ``memory_mb`` each, and take ``deadline_s`` for an item at the most.
    """

    def __init__(
        self,
        workers: int | None = None,
        memory_mb: int = 2048,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._workers = workers or max(1, (os.cpu_count() or 2) - 1)
        self._limits = memory_mb, deadline_s

    @contextmanager
    def crew(self, shared: Any) -> Iterator[Crew]:
        """Processes that end with the block."""
        crew = _PoolCrew(self._workers, (packed(shared), *self._limits))
        try:
            yield crew
        finally:
            crew.close()


class _PoolCrew:
    """``given`` is what each worker begins with: the packed shared input and its limits."""

    def __init__(self, workers: int, given: tuple[bytes, int, float]) -> None:
        self._workers = workers
        self._given = given
        self._executor: ProcessPoolExecutor | None = None

    def run(
        self,
        function: Callable[[Any, Any], Any],
        items: Sequence[Any],
        *,
        on_result: Callable[[int, Outcome[Any]], None],
        is_cancelled: Callable[[], bool] = never,
    ) -> bool:
        """As ``ports.Crew`` says."""
        waiting = deque(range(len(items)))
        suspects: deque[int] = deque()
        deaths: dict[int, int] = {}
        flying: dict[Future[Outcome[Any]], int] = {}
        while waiting or suspects or flying:
            if is_cancelled():
                self.close()
                return False
            self._take_off(function, items, waiting, suspects, flying)
            done, _ = wait(flying, timeout=LOOK_INTERVAL_S, return_when=FIRST_COMPLETED)
            fallen = []
            for future in done:
                index = flying.pop(future)
                try:
                    outcome = future.result()
                except BrokenProcessPool:
                    fallen.append(index)
                    continue
                on_result(index, outcome)
            if fallen:
                fallen += flying.values()
                flying.clear()
                self._bury(sorted(fallen), deaths, suspects, on_result)
        return True

    def _take_off(
        self,
        function: Callable[[Any, Any], Any],
        items: Sequence[Any],
        waiting: deque[int],
        suspects: deque[int],
        flying: dict[Future[Outcome[Any]], int],
    ) -> None:
        """Keep workers busy. Who was there when a worker died goes alone: the next death then says
        for certain whose it is."""
        if suspects:
            if not flying:
                self._submit(function, items, suspects, flying)
            return
        while waiting and len(flying) < self._workers * IN_FLIGHT_PER_WORKER:
            if not self._submit(function, items, waiting, flying):
                return

    def _submit(
        self,
        function: Callable[[Any, Any], Any],
        items: Sequence[Any],
        queue: deque[int],
        flying: dict[Future[Outcome[Any]], int],
    ) -> bool:
        """Send the first of the queue to the pool; False when a worker has just died."""
        if self._executor is None:
            self._executor = self._start()
        try:
            future = self._executor.submit(work, function, items[queue[0]])
        except BrokenProcessPool:
            if not flying:  # otherwise they report it
                self.close()
            return False
        flying[future] = queue.popleft()
        return True

    def _start(self) -> ProcessPoolExecutor:
        executor = ProcessPoolExecutor(
            self._workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=begin,
            initargs=self._given,
        )
        try:
            executor.submit(os.getpid).result()
        except (BrokenProcessPool, OSError) as error:
            executor.shutdown(wait=False, cancel_futures=True)
            raise DataError("No worker process could be started on this machine.") from error
        return executor

    def _bury(
        self,
        fallen: Sequence[int],
        deaths: dict[int, int],
        suspects: deque[int],
        on_result: Callable[[int, Outcome[Any]], None],
    ) -> None:
        """A worker died: a new pool, and each item that it may have had is tried again alone."""
        self.close()
        for index in fallen:
            deaths[index] = deaths.get(index, 0) + 1
            if deaths[index] < MOST_DEATHS:
                suspects.append(index)
            else:
                on_result(index, Outcome(error=DEADLY))

    def close(self) -> None:
        """End every worker now, busy or not."""
        executor, self._executor = self._executor, None
        if executor is None:
            return
        # Python 3.14 has kill_workers(); until then its processes are found where it keeps them.
        processes = list((getattr(executor, "_processes", None) or {}).values())
        executor.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()
        for process in processes:
            process.join()
