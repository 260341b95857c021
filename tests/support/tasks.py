"""Small pure functions for workers, which must be able to import them."""

import os
import signal
import time
from pathlib import Path
from typing import Any


def scaled(shared: int, item: int) -> int:
    """A product; fails for 13."""
    if item == 13:
        raise ValueError("thirteen is\nunlucky")
    return shared * item


def slow_pid(shared: float, item: int) -> tuple[int, int]:
    """The item and the worker's process id, after a pause of ``shared`` seconds."""
    time.sleep(shared)
    return item, os.getpid()


def deadly(shared: str, item: int) -> int:
    """Dies on item 3, every time; on item 5 only once, for which ``shared`` is a file."""
    mark = Path(shared)
    if item == 3 or (item == 5 and not mark.exists()):
        if item == 5:
            mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def surroundings(_shared: Any, _item: int) -> dict[str, Any]:
    """What a worker sees of its environment."""
    block = Path("/proc/self/environ")
    return {
        "environ": dict(os.environ),
        "block": block.read_bytes() if block.exists() else b"",
        "nice": os.nice(0) if hasattr(os, "nice") else 0,
    }


def greedy(_shared: Any, megabytes: int) -> int:
    """Takes memory and holds it for a while."""
    taken = bytearray(megabytes * 1024 * 1024)
    taken[::4096] = b"x" * len(taken[::4096])
    time.sleep(3)
    return len(taken)


def endless(_shared: Any, item: int) -> int:
    """Does not end for item 1."""
    while item == 1:
        pass
    return item
