"""Strategy hosts with real worker processes, over a folder that tests write into."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from engine.adapters.strategies.host import StrategyHost
from tests.fakes.candles import flat_candles
from tests.fakes.strategy_host import STRATEGIES

DEADLINE_S = 1.0
MEMORY_MB = 400
CANDLES = flat_candles(50, price=2.0)


@contextmanager
def strategy_host(
    folder: Path, *, workers: int = 2, deadline_s: float = DEADLINE_S, memory_mb: int = MEMORY_MB
) -> Iterator[StrategyHost]:
    """A host over ``folder``, closed at the end."""
    host = StrategyHost(folder, workers, deadline_s, memory_mb)
    try:
        yield host
    finally:
        host.close()


def copy_strategies(folder: Path) -> None:
    """Put the project's own strategies into ``folder``."""
    for path in STRATEGIES.glob("*.py"):
        shutil.copy(path, folder)


def until(condition: Callable[[], bool], within_s: float) -> bool:
    """Whether ``condition`` came true in time."""
    ends_at = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > ends_at:
            return False
        time.sleep(0.05)
    return True


def has_ended(child: int) -> bool:
    """Whether a child process, all its threads included, has ended; it is not reaped."""
    try:
        return os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
    except ChildProcessError:
        return True


def is_running(pid: int) -> bool:
    """Whether a process is there and not just waiting to be reaped."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
