"""A test's hand on nurseries: one for each kind of program, started at the first use."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue

from tests.support.nursery import Order
from tooling.place import ROOT
from tooling.processes import open_log

CAN_FORK = sys.platform.startswith("linux")
"""Elsewhere processes cannot fork, or not safely: programs are started there as people do."""

START_S = 120.0
ENGINE = (
    "engine.bootstrap", "engine.cli", "engine.adapters.brokers.ccxt_spot",
    "engine.adapters.market_data.ccxt_streams", "alembic.command", "psycopg",
    "sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.postgresql.psycopg",
    "uvicorn.lifespan.on", "uvicorn.protocols.http.auto", "tests.support.processes", "pandas",
)  # fmt: skip
PANEL = ("streamlit.web.cli", "streamlit.web.bootstrap", "panel.facade", "panel.charts", "pandas")
ALERT_DAY = ("tests.support.alert_engine", "alembic.command", "sqlalchemy.dialects.sqlite")
IMPORTED = {
    "engine": ENGINE, "tests.support.faulty_engine": ENGINE, "tests.support.venue_engine": ENGINE,
    "streamlit": PANEL, "tests.support.alert_day": ALERT_DAY,
}  # fmt: skip
"""What a program imports, by the name that follows ``python -m``."""


class Forked:
    """A program that a nursery has forked; of ``Popen`` it has what tests ask for."""

    def __init__(self, nursery: "Nursery", pid: int) -> None:
        self.pid = pid
        self._nursery = nursery

    def poll(self) -> int | None:
        """The exit code, or minus the signal that ended it; None while it runs."""
        return self._nursery.ended.get(self.pid)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises subprocess.TimeoutExpired."""
        nursery = self._nursery
        with nursery.news:
            if not nursery.news.wait_for(lambda: self.pid in nursery.ended, timeout):
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return nursery.ended[self.pid]

    def send_signal(self, number: int) -> None:
        """Nothing happens when it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """As a service manager asks."""
        self.send_signal(signal.SIGTERM)


class Nursery:
    """One warm process; ``ended`` has the exit codes by process number, ``news`` tells of them."""

    def __init__(self, modules: Sequence[str]) -> None:
        self.ended: dict[int, int] = {}
        self.news = threading.Condition()
        self._started: SimpleQueue[int] = SimpleQueue()
        self._ready: SimpleQueue[bool] = SimpleQueue()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.nursery", *modules], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
            env={key: value for key, value in os.environ.items() if "QUARTERDECK" not in key},
        )  # fmt: skip
        self._listener = threading.Thread(target=self._listen, name="nursery", daemon=True)
        self._listener.start()
        if not self._ready.get(timeout=START_S):
            self.close()
            raise RuntimeError(f"the nursery of {' '.join(modules)} has ended, see stderr")

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Forked:
        """Fork what ``python -m`` would run with these arguments."""
        open_log(log).close()
        order = Order(list(arguments), dict(environment), str(log))
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(asdict(order))}\n")
        self._process.stdin.flush()
        pid = self._started.get(timeout=START_S)
        if not pid:
            raise RuntimeError(f"the nursery that should start {arguments[0]} has ended")
        return Forked(self, pid)

    def close(self) -> None:
        """End it; what still runs of its programs is asked to end too."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._listener.join()
        self._process.stdout.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            word, *numbers = line.split()
            if word == "started":
                self._started.put(int(numbers[0]))
            elif word == "ended":
                with self.news:
                    self.ended[int(numbers[0])] = int(numbers[1])
                    self.news.notify_all()
            else:
                self._ready.put(True)
        self._ready.put(False)  # nobody waits in vain
        self._started.put(0)


_nurseries: dict[Sequence[str], Nursery] = {}


def fork(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Forked:
    """Start a program of ``IMPORTED`` from this process's nursery for it."""
    modules = IMPORTED[arguments[0]]
    if modules not in _nurseries:
        _nurseries[modules] = Nursery(modules)
    return _nurseries[modules].start(arguments, environment, log)


def close_nurseries() -> None:
    """When no more tests follow."""
    while _nurseries:
        _nurseries.popitem()[1].close()
