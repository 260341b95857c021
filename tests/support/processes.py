"""Engines and panels as real processes over a data folder, always gone at the end."""

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.forks import CAN_FORK, fork
from tests.support.ports import free_port
from tooling.deck import is_engine_up, is_panel_up, panel_command, read_token
from tooling.place import HOST, ROOT, Place
from tooling.processes import Process, ask_to_stop, kill_group, spawn, wait_for

START_S = 60.0
STOP_S = 20.0


@dataclass
class Copy:
    """One copy of Quarterdeck: a data folder, two free ports, and what runs on them."""

    place: Place
    variables: Mapping[str, str] = field(default_factory=dict)
    engine_command: Sequence[str] = ("engine", "run")
    is_forked: bool = False
    engine: Process | None = None
    panel: Process | None = None
    watcher: Process | None = None

    @property
    def engine_url(self) -> str:
        """The address of the engine's API."""
        return f"http://{HOST}:{self.place.api_port}"

    @property
    def token(self) -> str:
        """The API token; empty before the first start of the engine."""
        return read_token(self.place)

    def start_engine(self) -> None:
        """Start the engine and wait until it answers. Raises RuntimeError with its words."""
        self.begin_engine()
        self.wait_for_engine()

    def begin_engine(self) -> None:
        """Start the engine and do not wait."""
        self.engine = self._spawn(self.engine_log, *self.engine_command)

    def wait_for_engine(self) -> None:
        """Wait until the engine that was started answers. Raises RuntimeError with its words."""
        if self.engine is None:
            raise RuntimeError("no engine was started")
        self._wait_for_start(self.engine, self.engine_log)

    def start_panel(self) -> None:
        """Start the panel and wait until it answers. Raises RuntimeError with its words."""
        self.panel = self._spawn(self.panel_log, *panel_command(self.place))
        self._wait_for_start(self.panel, self.panel_log)

    def begin_watcher(self) -> Process:
        """Start the watcher and do not wait."""
        self.watcher = self._spawn(self.place.logs / "watcher.out", "engine", "watcher")
        return self.watcher

    def stop_engine(self) -> int:
        """Stop the engine as Ctrl-C does; its exit code. Raises RuntimeError when it does not."""
        if self.engine is None:
            raise RuntimeError("no engine was started")
        if self.engine.poll() is None:
            ask_to_stop(self.engine)
        if not wait_for(self.engine, STOP_S):
            raise RuntimeError(f"the engine did not stop within {STOP_S:.0f} s")
        return self.engine.wait()

    def kill_engine(self) -> None:
        """What ``kill -9`` does: the engine alone ends, at once and without a goodbye."""
        if self.engine is None:
            raise RuntimeError("no engine was started")
        os.kill(self.engine.pid, signal.SIGKILL)
        self.engine.wait()

    def close(self) -> None:
        """Kill whatever still runs."""
        for process in (self.watcher, self.panel, self.engine):
            if process is not None:
                kill_group(process)

    @property
    def engine_log(self) -> Path:
        """What the engine printed, over all its starts."""
        return self.place.logs / "engine.out"

    @property
    def panel_log(self) -> Path:
        """What the panel printed, over all its starts."""
        return self.place.logs / "panel.out"

    def _spawn(self, log: Path, *arguments: str) -> Process:
        environment = {
            **{name: value for name, value in os.environ.items() if "QUARTERDECK" not in name},
            "QUARTERDECK_DATA": str(self.place.data),
            "QUARTERDECK_API_PORT": str(self.place.api_port),
            "QUARTERDECK_PANEL_PORT": str(self.place.panel_port),
            "QUARTERDECK_KEYRING": "false",  # that of whoever runs the tests is not touched
            "QUARTERDECK_CANDLE_FALLBACKS": "",  # no test asks a vendor on the internet
            **self.variables,
        }
        return begin(arguments, environment, log, is_forked=self.is_forked)

    def _wait_for_start(self, process: Process, log: Path) -> None:
        is_up = is_engine_up if process is self.engine else is_panel_up
        deadline = time.monotonic() + START_S
        while not is_up(self.place):
            if process.poll() is not None or time.monotonic() > deadline:
                kill_group(process)
                words = log.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise RuntimeError(f"did not start (exit code {process.poll()}): {words}")
            time.sleep(0.02)


def begin(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    *,
    is_forked: bool = CAN_FORK,
) -> Process:
    """Start what ``python -m`` runs with these arguments; ``log`` takes what it prints."""
    if is_forked:
        return fork(arguments, environment, log)
    return spawn([sys.executable, "-m", *arguments], ROOT, environment, log)


@contextmanager
def copy_of_quarterdeck(data: Path, **variables: str) -> Iterator[Copy]:
    """A copy over ``data``, nothing started yet; ``variables`` are added to its environment.

    It starts cheaply: forked, and with one strategy worker instead of two kept warm.
    """
    with copy_as_delivered(data, **{"QUARTERDECK_STRATEGY_WORKERS": "1"} | variables) as copy:
        copy.is_forked = CAN_FORK
        yield copy


@contextmanager
def copy_as_delivered(data: Path, **variables: str) -> Iterator[Copy]:
    """A copy like ``copy_of_quarterdeck`` that starts as people start it."""
    place = Place(data=data, api_port=free_port(), panel_port=free_port())
    place.logs.mkdir(parents=True, exist_ok=True)
    copy = Copy(place, variables)
    try:
        yield copy
    finally:
        copy.close()
