"""The engine, the panel and the watcher, from start to stop."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from tooling.place import HOST, ROOT, Place, StartError, say
from tooling.processes import (
    Process,
    ask,
    ask_to_stop,
    is_alive,
    keeping_bytecode,
    kill_group,
    last_line,
    size_of,
    spawn,
    wait_for,
)

ENGINE_START_S = 90.0
PANEL_START_S = 60.0
GRACE_S = 15.0
PANEL_GRACE_S = 5.0
WATCHER_GRACE_S = 7.0
UNWATCHED = (
    "Bots trade on, but nobody tells you when the engine dies; 'python -m engine watcher' starts "
    "it again."
)


def is_engine_up(place: Place) -> bool:
    """Does an engine answer on the API port?"""
    answer = ask(place.api_port, "/health")
    return answer is not None and answer[0] == 200 and b"engine_id" in answer[1]


def is_own_engine(place: Place) -> bool:
    """Does the engine that answers take this data folder's token?"""
    answer = ask(place.api_port, "/api/v1/kill", token=read_token(place))
    return answer is not None and answer[0] not in (401, 403, 404)


def is_panel_up(place: Place) -> bool:
    """Does a panel answer on the panel port?"""
    answer = ask(place.panel_port, "/_stcore/health")
    return answer is not None and answer[0] == 200


def read_token(place: Place) -> str:
    """The API token of this data folder; empty before an engine made one."""
    try:
        return (place.data / "api.token").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def find_engine_pid(place: Place) -> int | None:
    """The process that holds the data folder; None where that cannot be read (Windows)."""
    try:
        text = (place.data / "engine.lock").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def panel_command(place: Place) -> list[str]:
    """What follows ``python -m`` to start the panel."""
    return [
        "streamlit", "run", "app.py", "--server.port", str(place.panel_port),
        "--server.address", HOST, "--server.headless", "true",
        "--browser.gatherUsageStats", "false",
    ]  # fmt: skip


class Deck:
    """One engine, one panel and one watcher that start and stop together.

    ``python`` is the interpreter they run with, ``root`` the folder they run in.
    """

    def __init__(self, place: Place, python: str, root: Path = ROOT) -> None:
        self.place = place
        self.is_asked_to_stop = threading.Event()
        self._python = python
        self._root = root
        self._engine: Process | None = None
        self._panel: Process | None = None
        self._watcher: Process | None = None
        self._is_closing = False
        # Named by port, so that a second copy on the same data does not mix its words with ours.
        self.engine_log = place.logs / f"engine-{place.api_port}.out"
        self.panel_log = place.logs / f"panel-{place.panel_port}.out"
        self.watcher_log = place.logs / f"watcher-{place.api_port}.out"

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-C and the like: stop gracefully; a second one while stopping kills."""
        self.is_asked_to_stop.set()
        if self._is_closing:
            for process in (self._watcher, self._engine, self._panel):
                if process is not None:
                    kill_group(process)

    def start(self) -> None:
        """Start engine and panel and wait until each answers, or until a signal; then the watcher,
        which is not waited for. Raises StartError."""
        engine_offset, panel_offset = size_of(self.engine_log), size_of(self.panel_log)
        self._engine = self._spawn(["engine", "run"], self.engine_log)
        # The panel loads meanwhile: together they start in half the time.
        self._panel = self._spawn(panel_command(self.place), self.panel_log)
        if not self._wait(self._engine, is_engine_up, ENGINE_START_S):
            self._explain(self._engine, "engine", self.engine_log, engine_offset)
        if not self._wait(self._panel, is_panel_up, PANEL_START_S):
            self._explain(self._panel, "panel", self.panel_log, panel_offset)
        if not self.is_asked_to_stop.is_set():
            self._start_watcher()

    def watch(self) -> int:
        """Stay until somebody stops us or the panel ends; the exit code.

        An engine that ends leaves the panel up: it says so there and has a button to start it.
        """
        is_engine_gone = False
        while not self.is_asked_to_stop.wait(0.3):
            self._look_after_watcher()
            panel = self._panel.poll() if self._panel else 0
            engine = self._engine.poll() if self._engine else 0
            if panel is not None:
                say(
                    f"The panel stopped by itself (exit code {panel}), so the engine is stopped "
                    f"too; the reason is at the end of {self.panel_log}."
                )
                return 1
            if engine is not None and not is_engine_gone:
                is_engine_gone = True
                say(
                    f"The engine stopped (exit code {engine}); no bot trades until it is started "
                    "again, with the button in the panel or by Ctrl-C and a new start."
                )
        return 0

    def close(self) -> None:
        """Stop all: first by request, after a while by force; leave no process behind."""
        self._is_closing = True
        if self._watcher is not None:  # first, so that it sees nothing end
            self._watcher.terminate()
        if self._panel is not None:
            self._panel.terminate()
        self._stop_engine()
        if self._panel is not None:
            wait_for(self._panel, PANEL_GRACE_S)
            kill_group(self._panel)
        if self._watcher is not None:
            wait_for(self._watcher, WATCHER_GRACE_S)
            kill_group(self._watcher)

    def _start_watcher(self) -> None:
        """Nothing else waits for it, or ends with it."""
        try:
            self._watcher = self._spawn(["engine", "watcher"], self.watcher_log)
        except OSError as error:
            say(f"The watcher cannot be started ({error}): {UNWATCHED}")

    def _look_after_watcher(self) -> None:
        """Say it, once, when the watcher is gone."""
        watcher = self._watcher
        if watcher is None or watcher.poll() is None:
            return
        kill_group(watcher)
        self._watcher = None
        sentence = last_line(self.watcher_log, 0)
        say(f"The watcher stopped (exit code {watcher.poll()}): {sentence} {UNWATCHED}")

    def _spawn(self, arguments: list[str], log: Path) -> Process:
        environment = {
            **keeping_bytecode(os.environ),
            "QUARTERDECK_DATA": str(self.place.data),
            "QUARTERDECK_API_PORT": str(self.place.api_port),
            "QUARTERDECK_PANEL_PORT": str(self.place.panel_port),
            "PYTHONUTF8": "1",
        }
        return spawn([self._python, "-m", *arguments], self._root, environment, log)

    def _wait(self, process: Process, is_up: Callable[[Place], bool], timeout_s: float) -> bool:
        """True when it is ready or we are asked to stop; False when it ended or took too long."""
        deadline = time.monotonic() + timeout_s
        while not self.is_asked_to_stop.wait(0.1):
            if process.poll() is not None or time.monotonic() > deadline:
                return False
            if is_up(self.place):
                return True
        return True

    def _explain(self, process: Process, name: str, log: Path, offset: int) -> None:
        """Raise the StartError that says why a process did not start."""
        code = process.poll()
        if code is None:
            raise StartError(f"The {name} does not answer; what it said is in {log}.", 1)
        sentence = last_line(log, offset)
        if code == 2 and sentence:
            raise StartError(sentence)
        raise StartError(
            f"The {name} stopped while starting (exit code {code}): {sentence or 'no reason given'}"
            f"; all it said is in {log}.",
            code if code > 0 else 1,
        )

    def _stop_engine(self) -> None:
        if self._engine is None:
            return
        if self._engine.poll() is None:
            ask_to_stop(self._engine)
            if not wait_for(self._engine, GRACE_S):
                say(f"The engine did not stop within {GRACE_S:.0f} s and is killed.")
        elif self._panel is not None and is_engine_up(self.place) and is_own_engine(self.place):
            # Ours ended and the panel's button started another one: it goes with us.
            self._stop_successor()
        kill_group(self._engine)

    def _stop_successor(self) -> None:
        pid = find_engine_pid(self.place)
        token = read_token(self.place)
        ask(self.place.api_port, "/api/v1/shutdown", method="POST", token=token)
        deadline = time.monotonic() + GRACE_S
        while is_engine_up(self.place) or (pid is not None and is_alive(pid)):
            if time.monotonic() > deadline:
                say(f"The engine did not stop within {GRACE_S:.0f} s; process {pid} is left.")
                return
            time.sleep(0.1)
