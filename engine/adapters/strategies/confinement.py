"""What keeps a process in which strategy code runs within bounds: one channel, its memory, its
children, its priority. Shared by the strategy workers and the backtests."""

import contextlib
import os
import socket
import sys
import threading
import time

import psutil

from engine.adapters.strategies.wire import MEMORY_EXIT

WATCH_INTERVAL_S = 0.5
MOST_PROCESSES = 128  # beside those that its user has already
NICENESS = 10  # of research: bots go first


def watch(parent_pid: int, memory_bytes: int, is_bloated: threading.Event) -> None:
    """End the process when the engine is gone or memory runs over; tell when half is used."""
    own = psutil.Process()
    at_start_bytes = own.memory_info().rss
    parent = psutil.Process(parent_pid) if psutil.pid_exists(parent_pid) else None
    while True:
        is_orphan = parent is None or not parent.is_running()
        if os.name == "posix":
            is_orphan = os.getppid() != parent_pid
        if is_orphan:
            os._exit(0)
        used_bytes = own.memory_info().rss - at_start_bytes
        if used_bytes > memory_bytes:
            os._exit(MEMORY_EXIT)
        if used_bytes > memory_bytes / 2:
            is_bloated.set()
        time.sleep(WATCH_INTERVAL_S)


def limit_memory(memory_bytes: int) -> None:
    """Let allocations past the limit fail, where the system can; the watchdog covers the rest."""
    if sys.platform == "linux":
        import resource

        own = psutil.Process().memory_info().vms
        resource.setrlimit(resource.RLIMIT_AS, (own + memory_bytes, own + memory_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def limit_processes() -> None:
    """Let a fork bomb run dry, where the system can; root knows no such limit."""
    if sys.platform == "linux":
        import resource

        counted = [one.info for one in psutil.process_iter(["uids", "num_threads"])]
        most = MOST_PROCESSES + sum(
            one["num_threads"] or 0
            for one in counted
            if one["uids"] is not None and one["uids"].real == os.getuid()
        )
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


def take_channel() -> socket.socket:
    """The socket handed over as standard input; the other standard streams go nowhere."""
    if sys.platform == "win32":
        return socket.fromshare(sys.stdin.buffer.read())
    channel = socket.socket(fileno=os.dup(0))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(nowhere, stream)
    os.close(nowhere)
    return channel


def silence_errors() -> None:
    """From here on nothing a strategy prints goes anywhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def yield_to_bots(pid: int) -> None:
    """Lower a process's priority; one that has ended already has none."""
    below = NICENESS if sys.platform != "win32" else psutil.BELOW_NORMAL_PRIORITY_CLASS
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).nice(below)
