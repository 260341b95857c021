"""A Dask cluster, on this machine or on others."""

import asyncio
import contextlib
import queue
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from distributed import Client, Future, KilledWorker
from distributed.client import FutureCancelledError, FuturesCancelledError

from engine.adapters.compute.work import DEADLY, MOST_DEATHS, carry_out
from engine.errors import DataError
from engine.ports.compute import Crew, Outcome, never

CONNECT_TIMEOUT_S = 10.0
LOOK_INTERVAL_S = 0.1
PATIENCE_S = 10.0
IN_FLIGHT_PER_THREAD = 2
LOST = (asyncio.CancelledError, FutureCancelledError, FuturesCancelledError)
"""What a future says whose worker took the shared input along when it died."""

GONE = ("lost", "cancelled", "error")
"""States of a shared input that no worker has any more: nothing that waits for it ever ends."""


class DaskCluster:
    """``ports.Compute`` on the workers of the scheduler at ``address`` (tcp:// or tls://)."""

    def __init__(self, address: str, connect_timeout_s: float = CONNECT_TIMEOUT_S) -> None:
        self._address = address
        self._timeout_s = connect_timeout_s

    @contextlib.contextmanager
    def crew(self, shared: Any) -> Iterator[Crew]:
        """A client of the cluster's; what it left there is forgotten with the block."""
        try:
            client = Client(self._address, timeout=self._timeout_s, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise DataError(
                f"The Dask cluster at {self._address} does not answer. Start its scheduler, or"
                " leave QUARTERDECK_DASK empty to compute on this machine."
            ) from error
        try:
            if not client.scheduler_info()["workers"]:
                raise DataError(f"The Dask cluster at {self._address} has no workers.")
            yield _DaskCrew(client, shared)
        finally:
            client.close()


class _DaskCrew:
    def __init__(self, client: Client, shared: Any) -> None:
        self._client = client
        self._shared = shared
        self._scattered: Future[Any] | None = None

    def run(
        self,
        function: Callable[[Any, Any], Any],
        items: Sequence[Any],
        *,
        on_result: Callable[[int, Outcome[Any]], None],
        is_cancelled: Callable[[], bool] = never,
    ) -> bool:
        """As ``ports.Crew`` says."""
        left = list(range(len(items)))
        for _ in range(MOST_DEATHS):
            lost = self._attempt(function, items, left, on_result, is_cancelled)
            if lost is None:
                return False
            if not lost:
                return True
            left, self._scattered = lost, None
        for index in left:
            on_result(index, Outcome(error=DEADLY))
        return True

    def _attempt(
        self,
        function: Callable[[Any, Any], Any],
        items: Sequence[Any],
        chosen: Sequence[int],
        on_result: Callable[[int, Outcome[Any]], None],
        is_cancelled: Callable[[], bool],
    ) -> list[int] | None:
        """Compute the chosen; those whose input was lost, or None when cancelled."""
        if self._scattered is None:  # to every worker: no death takes the only copy along
            self._scattered = self._client.scatter(self._shared, broadcast=True, hash=False)
        waiting = list(reversed(chosen))
        flying: dict[Future[Any], int] = {}
        done: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        lost: list[int] = []
        heard_at = time.monotonic()
        try:
            while waiting or flying:
                if is_cancelled():
                    return None
                self._take_off(function, items, waiting, flying, done)
                finished = _next_done(done)
                if finished:
                    heard_at = time.monotonic()
                elif self._scattered is not None and self._scattered.status in GONE:
                    return lost + list(flying.values()) + waiting
                elif time.monotonic() - heard_at > PATIENCE_S:
                    self._require_workers()
                    heard_at = time.monotonic()
                for future in finished:
                    index = flying.pop(future)
                    outcome = _outcome(future)
                    future.release()
                    if outcome is None:
                        lost.append(index)
                    else:
                        on_result(index, outcome)
        finally:
            self._client.cancel(list(flying), force=True)
        return lost

    def _require_workers(self) -> None:
        """Raises DataError when nobody is left who could answer."""
        if not self._client.nthreads():
            raise DataError("The Dask cluster has no workers any more.")

    def _take_off(
        self,
        function: Callable[[Any, Any], Any],
        items: Sequence[Any],
        waiting: list[int],
        flying: dict[Future[Any], int],
        done: "queue.SimpleQueue[Future[Any]]",
    ) -> None:
        if self._client.status != "running":
            raise DataError("The connection to the Dask cluster was lost.")
        if not waiting:
            return
        threads = sum(self._client.nthreads().values())
        while waiting and len(flying) < max(1, threads) * IN_FLIGHT_PER_THREAD:
            index = waiting.pop()
            # Dask gives the item of a dead worker to another by itself.
            future = self._client.submit(
                carry_out, function, self._scattered, items[index], pure=False
            )
            flying[future] = index
            future.add_done_callback(done.put)


def _next_done(done: "queue.SimpleQueue[Future[Any]]") -> list[Future[Any]]:
    """Those that are done, after waiting a moment for the first."""
    found: list[Future[Any]] = []
    with contextlib.suppress(queue.Empty):
        found.append(done.get(timeout=LOOK_INTERVAL_S))
        while True:
            found.append(done.get_nowait())
    return found


def _outcome(future: Future[Any]) -> Outcome[Any] | None:
    """What the worker answered; None when its input was lost, so that it must be asked again."""
    try:
        outcome: Outcome[Any] = future.result()
    except LOST:
        return None
    except KilledWorker:
        return Outcome(error=DEADLY)
    except Exception as error:  # noqa: BLE001  Dask raises here whatever a worker could not read
        return Outcome(error=f"the Dask worker failed: {type(error).__name__}: {error}"[:300])
    return outcome
