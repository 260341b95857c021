"""Starts, stops and asks the processes of this machine; leaves none behind."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

from tooling.place import HOST, ROOT

ASK_TIMEOUT_S = 3.0
ANSWER_LIMIT_BYTES = 65_536
LOG_LIMIT_BYTES = 5_000_000
PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Process(Protocol):
    """A running program, as ``subprocess.Popen`` has it."""

    pid: int

    def poll(self) -> int | None:
        """The exit code; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""

    def send_signal(self, sig: int, /) -> None:
        """Nothing happens when it has ended."""

    def terminate(self) -> None:
        """Ask it to end."""


def spawn(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path
) -> Process:
    """Start a process in its own group, so that Ctrl-C reaches it through us only."""
    with open_log(log) as output:
        if sys.platform == "win32":
            return subprocess.Popen(
                command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, creationflags=subprocess.CREATE_NEW_PROCESS_GROUP,
            )  # fmt: skip
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output,
            stderr=output, start_new_session=True,
            preexec_fn=dies_with_parent(),  # noqa: PLW1509 - run.py has one thread
        )  # fmt: skip


def keeping_bytecode(variables: Mapping[str, str]) -> dict[str, str]:
    """The same environment, but what Python compiles is kept: in .venv where none may lie about.

    Packages are installed uncompiled. With PYTHONDONTWRITEBYTECODE, as containers set it, every
    process would compile all that it imports, which takes an engine six seconds.
    """
    if not variables.get("PYTHONDONTWRITEBYTECODE"):
        return dict(variables)
    kept = {"PYTHONPYCACHEPREFIX": str(ROOT / ".venv" / "bytecode"), **variables}
    del kept["PYTHONDONTWRITEBYTECODE"]
    return kept


def open_log(path: Path) -> IO[bytes]:
    """Append to a log file that is put aside first when it has grown large."""
    if size_of(path) > LOG_LIMIT_BYTES:
        # On Windows a file that is still open elsewhere stays: it grows on.
        with contextlib.suppress(PermissionError):
            path.replace(path.with_name(path.name + ".1"))
    return path.open("ab")


def size_of(path: Path) -> int:
    """Bytes in a file; 0 when there is none."""
    return path.stat().st_size if path.exists() else 0


def last_line(log: Path, offset: int) -> str:
    """The last line written to ``log`` after ``offset`` bytes; empty when there is none."""
    with log.open("rb") as file:
        file.seek(offset if offset <= log.stat().st_size else 0)
        lines = file.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip() if lines else ""


def wait_for(process: Process, timeout_s: float) -> bool:
    """Wait for the end of a process; False when it lasts longer."""
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def ask_to_stop(process: Process) -> None:
    """Send what Ctrl-C would send; a process that has ended is left alone."""
    if sys.platform == "win32":
        process.send_signal(signal.CTRL_BREAK_EVENT)
    else:
        process.send_signal(signal.SIGINT)


def kill_group(process: Process) -> None:
    """Kill the process, if it still runs, and whatever it left behind; then wait for its end."""
    if sys.platform == "win32":
        if process.poll() is None:
            command = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
            subprocess.run(command, capture_output=True, check=False)
    else:
        # Nobody may be left in the group; macOS says "permission" for zombies.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def is_alive(pid: int) -> bool:
    """Does a process run that is not our child? Always False on Windows, where asking kills."""
    if sys.platform == "win32":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def ask(port: int, path: str, *, method: str = "GET", token: str = "") -> tuple[int, bytes] | None:
    """Status and body of one request to this machine; None when nothing answers."""
    connection = http.client.HTTPConnection(HOST, port, timeout=ASK_TIMEOUT_S)
    try:
        connection.request(method, path, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        return answer.status, answer.read(ANSWER_LIMIT_BYTES)
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def dies_with_parent() -> Callable[[], None] | None:
    """On Linux, what a child calls to be stopped, gracefully, when even its parent is killed."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
