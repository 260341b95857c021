"""Lanes: worker threads apart for each account and market: a slow one delays nobody else."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

STRATEGY_LANE = "strategies"
"""Threads that wait for strategy workers; a hung strategy holds one until its deadline."""

WIDTHS = {STRATEGY_LANE: 16}


class Lanes:
    """Runs blocking calls off the event loop: in order within a lane, in parallel across lanes."""

    def __init__(self) -> None:
        self._executors: dict[str, ThreadPoolExecutor] = {}
        self._waiting: Counter[str] = Counter()

    async def run(self, lane: str, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``call`` on ``lane`` and wait for it. Raises whatever it raises."""
        executor = self._executors.get(lane)
        if executor is None:
            executor = ThreadPoolExecutor(WIDTHS.get(lane, 1), thread_name_prefix=lane)
            self._executors[lane] = executor
        self._waiting[lane] += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(executor, lambda: call(*args, **kwargs))
        finally:
            self._waiting[lane] -= 1

    def backlog(self, lane: str) -> int:
        """How many calls wait or run on ``lane``."""
        return self._waiting[lane]

    def backlogs(self) -> dict[str, int]:
        """``backlog`` of every lane where anything waits or runs."""
        return {lane: count for lane, count in self._waiting.copy().items() if count}

    def backlogs_by_kind(self) -> Mapping[str, int]:
        """The same by kind of lane: those of all accounts are one."""
        found: Counter[str] = Counter()
        for lane, count in tuple(self._waiting.items()):
            found[lane.partition(":")[0]] += count
        return found

    def retire(self, lane: str) -> None:
        """Give a lane's thread back once its calls are done; a later call makes a new one."""
        executor = self._executors.pop(lane, None)
        if executor is not None:
            executor.shutdown(wait=False)

    def close(self) -> None:
        """Take no more calls; those that wait are dropped, the running ones are not waited for."""
        for executor in self._executors.values():
            executor.shutdown(wait=False, cancel_futures=True)
        self._executors.clear()


def account_lane(account_id: str) -> str:
    """The lane on which all orders of an account go."""
    return f"account:{account_id}"


def market_lane(market_id: str) -> str:
    """The lane on which a market is asked for candles and prices."""
    return f"market:{market_id}"
