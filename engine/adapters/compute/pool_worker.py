"""The inside of a pool's worker process: without keys, last in line, within its memory and time."""

import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil

from engine.adapters.compute.work import carry_out
from engine.ports.compute import Outcome

PASSED_ON = ("PATH", "LANG", "TZ", "TMP", "TEMP", "TMPDIR", "SYSTEMROOT", "WINDIR", "COMSPEC")
PASSED_ON_PREFIXES = ("LC_", "PYTHON", "LD_LIBRARY_", "DYLD_", "NUMBA_", "OMP_", "OPENBLAS_",
                      "MKL_")  # fmt: skip
NICENESS = 10
WATCH_INTERVAL_S = 0.5
MEMORY_EXIT, DEADLINE_EXIT = 74, 75

_shared: Any = None
_begun_s: float | None = None
"""Since when the worker is at its item, by the monotonic clock; None between two of them."""


def begin(packed_shared: bytes, memory_mb: int, deadline_s: float) -> None:
    """Prepare the process for its work; the pool's initializer."""
    global _shared  # noqa: PLW0603  a pool's worker has no other place for what it is given once
    drop_keys()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who ends this process
    memory_bytes = memory_mb * 1024 * 1024
    threading.Thread(target=_watch, args=(memory_bytes, deadline_s), daemon=True).start()
    _shared = pickle.loads(packed_shared)  # noqa: S301  the engine wrote it
    _step_back()


def work(function: Callable[[Any, Any], Any], item: Any) -> Outcome[Any]:
    """Carry out one item with what was shared."""
    global _begun_s  # noqa: PLW0603  read by the thread that watches
    _begun_s = time.monotonic()
    try:
        return carry_out(function, _shared, item)
    finally:
        _begun_s = None


def drop_keys() -> None:
    """Keep of the environment what a process needs to run, and no more: no settings, no keys.

    A spawned process gets its parent's environment, and Linux shows the block it was started with
    in /proc however it is changed later: so what is dropped is wiped there too.
    """
    dropped = [
        name
        for name in os.environ
        if name.upper() not in PASSED_ON and not name.upper().startswith(PASSED_ON_PREFIXES)
    ]
    if sys.platform == "linux":
        names = {os.fsencode(name) for name in dropped}
        block = ctypes.POINTER(ctypes.c_void_p).in_dll(ctypes.CDLL(None), "environ")
        index = 0
        while block[index]:
            key, _, value = ctypes.string_at(block[index]).partition(b"=")
            if key in names:
                ctypes.memset(block[index] + len(key) + 1, 0, len(value))
            index += 1
    for name in dropped:
        del os.environ[name]


def _step_back() -> None:
    """Let everything else go first: no order waits for a sweep."""
    own = psutil.Process()
    if sys.platform == "win32":
        own.nice(psutil.IDLE_PRIORITY_CLASS)
    else:
        own.nice(max(own.nice(), NICENESS))


def _watch(memory_bytes: int, deadline_s: float) -> None:
    """End the process when the engine is gone, killed outright too, when memory runs over, or when
    an item does not end: a strategy may be in a loop."""
    own, parent = psutil.Process(), multiprocessing.parent_process()
    at_start_bytes = own.memory_info().rss
    while True:
        if parent is None or not parent.is_alive():
            os._exit(0)
        if own.memory_info().rss - at_start_bytes > memory_bytes:
            os._exit(MEMORY_EXIT)
        begun_s = _begun_s
        if begun_s is not None and time.monotonic() - begun_s > deadline_s:
            os._exit(DEADLINE_EXIT)
        time.sleep(WATCH_INTERVAL_S)
