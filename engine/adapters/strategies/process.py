"""One strategy worker as the engine sees it: started without keys, asked, and killed with all its
children when it does not answer."""

import contextlib
import json
import os
import pickle
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from engine.adapters.strategies.wire import ANSWER_LIMIT, MEMORY_EXIT, Closed, receive, send
from engine.errors import DataError, StrategyError

ROOT = Path(__file__).resolve().parents[3]
START_TIMEOUT_S = 60.0
MOST_ROUNDS = 50  # of ending processes that go on making others
PASSED_ON = ("PATH", "LANG", "TZ", "TMP", "TEMP", "TMPDIR", "SYSTEMROOT", "WINDIR", "COMSPEC")
PASSED_ON_PREFIXES = ("LC_", "PYTHON", "LD_LIBRARY_", "DYLD_")
MARK = "STRATEGY_WORKER"
"""Set to a value of its own in the environment of each worker and so of whatever it starts."""

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Died(StrategyError):
    """The worker ended in the middle of a call."""


class TooLate(StrategyError):
    """The worker did not answer within the deadline."""


class Gone(StrategyError):
    """The worker had ended before it was asked; another one may be."""


class NotStarted(DataError):
    """No worker could be started: not the strategy's fault, so no bot is faulted for it."""


class WorkerProcess:
    """A worker; used by one thread at a time. Raises NotStarted when it does not come up.

    ``module`` is what it runs: ``python -m module PARENT_PID MEMORY_MB DEADLINE_S``.
    """

    module = "engine.adapters.strategies.worker"

    def __init__(self, memory_mb: int, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._memory_mb = memory_mb
        self.is_usable = True
        self._is_killed = False
        self._calls = 0
        self._mark = secrets.token_hex(16)
        self.idle_since = time.monotonic()
        self._channel, theirs = socket.socketpair()
        with theirs, tempfile.TemporaryFile() as complaints:
            self._process = self._start(theirs, complaints)
            try:
                receive(self._channel, time.monotonic() + START_TIMEOUT_S, ANSWER_LIMIT)
            except (Closed, TimeoutError) as error:
                self.kill()
                complaints.seek(0)
                words = complaints.read().decode(errors="replace").strip().rpartition("\n")[2]
                raise NotStarted(f"the strategy worker did not start: {words or error}") from error

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._process.pid

    def call(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Raises TooLate or Died, after which the worker is dead, or Gone when it already was.
        """
        deadline = time.monotonic() + self._deadline_s
        self._calls += 1
        message = pickle.dumps((self._calls, request), protocol=5)
        try:
            if self._process.poll() is not None:
                raise Closed("it has ended")
            send(self._channel, message, deadline)
        except Closed as error:
            self.kill()
            raise Gone("the strategy worker was gone") from error
        except TimeoutError as error:
            raise self._too_late() from error
        try:
            received = receive(self._channel, deadline, ANSWER_LIMIT)
        except TimeoutError as error:
            raise self._too_late() from error
        except Closed as error:
            raise Died(self._last_words()) from error
        answer = _decode(received)
        if answer is None or answer.get("number") != self._calls:
            self.kill()
            raise Died("it wrote nonsense into the engine's channel")
        self.is_usable = not answer.get("is_spent")
        self.idle_since = time.monotonic()
        return answer

    def is_alive(self) -> bool:
        """Whether the process still runs and may be asked again."""
        return self.is_usable and self._process.poll() is None

    def kill(self) -> None:
        """End the worker and everything it started; returns when the worker is gone."""
        self.is_usable = False
        if self._is_killed:
            return
        self._is_killed = True
        children = []
        with contextlib.suppress(psutil.Error):
            children = psutil.Process(self._process.pid).children(recursive=True)
        if os.name == "posix":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        for child in children:
            with contextlib.suppress(psutil.Error):
                child.kill()
        self._kill_strays()
        self._process.wait()
        self._channel.close()

    def _kill_strays(self) -> None:
        """End what left the worker's group and family, as daemons do, until there is no more."""
        for _ in range(MOST_ROUNDS):
            strays = [one for one in psutil.process_iter() if self._is_stray(one)]
            for stray in strays:
                with contextlib.suppress(psutil.Error):
                    stray.kill()
            if not strays:
                return

    def _is_stray(self, process: psutil.Process) -> bool:
        try:
            return process.pid != self.pid and bool(process.environ().get(MARK) == self._mark)
        except (psutil.Error, OSError):
            return False

    def _start(self, theirs: socket.socket, complaints: Any) -> "subprocess.Popen[bytes]":
        command = [
            sys.executable, "-m", self.module,
            str(os.getpid()), str(self._memory_mb), str(self._deadline_s),
        ]  # fmt: skip
        is_windows = sys.platform == "win32"
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if is_windows else theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            cwd=ROOT,
            env=_environment() | {MARK: self._mark},
            start_new_session=not is_windows,
        )
        if sys.platform == "win32" and process.stdin is not None:
            with process.stdin as pipe:
                pipe.write(theirs.share(process.pid))
        return process

    def _too_late(self) -> TooLate:
        self.kill()
        return TooLate(f"did not answer within {self._deadline_s:g} s")

    def _last_words(self) -> str:
        """Why a worker ended by itself."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1)
        code = self._process.poll()
        self.kill()
        if code is None:
            return "it closed its channel to the engine"
        if code == MEMORY_EXIT:
            return f"used more than {self._memory_mb} MB of memory"
        if code < 0:
            return f"its process was ended by {signal.Signals(-code).name}"
        return f"its process ended with exit code {code}"


def _decode(received: bytes) -> dict[str, Any] | None:
    """The answer, or None when this is none."""
    try:
        answer = json.loads(received)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _environment() -> dict[str, str]:
    """What a worker needs to run, and no more: no settings, no keys."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.upper() in PASSED_ON or name.upper().startswith(PASSED_ON_PREFIXES)
    }
    return kept | dict.fromkeys(ONE_THREAD, "1")
