"""Programs that start at once: a process that has imported what they need forks them.

``python -m tests.support.nursery MODULE ...`` imports the modules and then reads lines of JSON, an
``Order`` each. What it forks runs from its first line to its exit code as after ``python -m``; it
only finds its imports done. It tells ``started PID`` and ``ended PID CODE``, a line each.

A start costs a tenth of a real one, so that hundreds of ``kill -9`` and restarts fit into a test.
"""

import gc
import importlib
import json
import os
import runpy
import select
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from tooling.processes import dies_with_parent


@dataclass(frozen=True)
class Order:
    """What follows ``python -m``, the whole environment, and the file that takes the output."""

    arguments: list[str]
    environment: dict[str, str]
    log: str


def next_order() -> Order | None:
    """Fork for each line. Returns in the children, with what to run; None at the end of input."""
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(woken)
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([sys.stdin, wake], [], [])
        if wake in ready:
            os.read(wake, 4096)
            tell_ends()
        if sys.stdin in ready:
            line = sys.stdin.readline()
            if not line:
                return None
            if os.fork() == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                os.close(wake)
                os.close(woken)
                return Order(**json.loads(line))


def tell_ends() -> None:
    """Reap those that have ended."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        print(f"ended {pid} {os.waitstatus_to_exitcode(status)}", flush=True)


def become(order: Order) -> None:
    """Leave everything of the nursery behind but what it has imported."""
    os.setsid()
    if mourn := dies_with_parent():
        mourn()
    print(f"started {os.getpid()}", flush=True)  # nobody may kill its group before there is one
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(Path(order.log), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    for number, file in enumerate((nothing, log, log)):
        os.dup2(file, number)
    os.close(nothing)
    os.close(log)
    os.environ.clear()
    os.environ.update(order.environment)
    sys.argv = list(order.arguments)


def main() -> None:
    """The nursery, and whatever it forks."""
    for module in sys.argv[1:]:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # what is shared stays shared
    order = next_order()
    if order is not None:
        become(order)
        runpy.run_module(order.arguments[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
