"""Engines that start at once: a process that has imported everything forks one for each line.

``python -m tests.support.nursery`` reads ``start`` lines and prints the process number of an engine
made for each; the engine runs with this process's environment. It exists so that hundreds of
``kill -9`` and restarts fit into a test; what is forked is the real engine, from its first line on.
"""

import os
import signal
import sys

from engine.bootstrap import run_engine
from engine.settings import load_settings


def main() -> None:
    """Fork an engine for each line until there are no more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are reaped by themselves
    settings = load_settings()
    print("ready", flush=True)
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            sys.stdin.close()
            os._exit(run_engine(settings))
        print(child, flush=True)


if __name__ == "__main__":
    main()
