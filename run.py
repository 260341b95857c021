#!/usr/bin/env python3
"""Quarterdeck's one command. Needs nothing but Python 3.11 or newer.

    python run.py              make .venv, install, start the engine and the panel; Ctrl-C stops both
    python run.py test [...]   set up and run every check and test (the rest goes to pytest)
    python run.py lint         the static checks only: ruff, mypy, import-linter
    python run.py bench [...]  measure: tests/bench (the rest goes to pytest)

QUARTERDECK_DATA names the data folder (./data), QUARTERDECK_API_PORT (8710) and
QUARTERDECK_PANEL_PORT (8501) the ports; QUARTERDECK_NO_BROWSER=1 opens no browser.
Exit codes: 0 stopped as asked, 1 something failed, 2 it cannot start as things are.
"""

import errno
import hashlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import NamedTuple

OLDEST = (3, 11)
NEWEST = (3, 13)

if sys.version_info[:2] < OLDEST:
    # Here and not in main(): the annotations below do not even evaluate on an old Python.
    sys.stderr.write(
        f"Quarterdeck needs Python {OLDEST[0]}.{OLDEST[1]} or newer, but this is Python "
        f"{sys.version_info[0]}.{sys.version_info[1]} ({sys.executable}); "
        "install a newer one from https://www.python.org/downloads/ and run it with that.\n"
    )
    sys.exit(2)

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
HOST = "127.0.0.1"
COMMANDS = ("run", "test", "lint", "bench")
ENGINE_START_S = 90.0
PANEL_START_S = 60.0
GRACE_S = 15.0
LOG_LIMIT_BYTES = 5_000_000


class StartError(Exception):
    """One sentence for the person at the keyboard: what is wrong and what to do."""


class Place(NamedTuple):
    """Where this copy keeps its data and listens."""

    data: Path
    api_port: int
    panel_port: int

    @property
    def address(self) -> str:
        """What the browser opens."""
        return f"http://{HOST}:{self.panel_port}"


def say(text: str) -> None:
    """Print at once, also when nobody watches a terminal."""
    print(text, flush=True)


# --- settings --------------------------------------------------------------------------------


def read_dotenv(path: Path) -> dict[str, str]:
    """The ``NAME=value`` lines of ``.env``, which the engine reads as well; {} without a file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError:
        return {}
    found = re.findall(r"^\s*(?:export\s+)?(\w+)\s*=[ \t]*(.*?)\s*$", text, re.MULTILINE)
    return {name.upper(): re.split(r"\s#", value)[0].strip("'\" \t") for name, value in found}


def read_place() -> Place:
    """Data folder and ports from the environment, then ``.env``, then the defaults."""
    dotenv = read_dotenv(ROOT / ".env")

    def read(name: str, default: str) -> str:
        return os.environ.get(name) or dotenv.get(name) or default

    def read_port(name: str, default: str) -> int:
        text = read(name, default)
        if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
            raise StartError(f"{name} must be a port from 1 to 65535, not '{text}'.")
        return int(text)

    base = Path.cwd() if os.environ.get("QUARTERDECK_DATA") else ROOT
    data = base / Path(read("QUARTERDECK_DATA", "data")).expanduser()
    place = Place(
        data=Path(os.path.abspath(data)),  # noqa: PTH100 - resolve() would hide the name given
        api_port=read_port("QUARTERDECK_API_PORT", "8710"),
        panel_port=read_port("QUARTERDECK_PANEL_PORT", "8501"),
    )
    if place.api_port == place.panel_port:
        raise StartError(
            f"The engine and the panel cannot share port {place.api_port}; give "
            "QUARTERDECK_API_PORT and QUARTERDECK_PANEL_PORT different numbers."
        )
    return place


def check_data_folder(data: Path) -> None:
    """Make the folder and really write into it. Raises StartError."""
    try:
        (data / "logs").mkdir(parents=True, exist_ok=True)
        for folder in (data, data / "logs"):
            with tempfile.TemporaryFile(dir=folder):
                pass
    except OSError as error:
        raise StartError(
            f"The data folder {data} cannot be written to ({error.strerror}); make it writable, "
            "or name another one with QUARTERDECK_DATA."
        ) from error


def check_port(port: int, variable: str, user: str) -> None:
    """Really bind and listen, as the server will. Raises StartError."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if sys.platform == "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            # As the servers do: a port that was just closed is free, one that listens is not.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError as error:
            is_used = error.errno == errno.EADDRINUSE or getattr(error, "winerror", 0) == 10048
            reason = "is used by another program" if is_used else f"is closed: {error.strerror}"
            raise StartError(
                f"Port {port}, which {user} needs, {reason}; stop that program, or set "
                f"{variable} to a free port and start again."
            ) from error


# --- the environment -------------------------------------------------------------------------


def has_environment() -> bool:
    """Is there a .venv with a Python that is new enough?"""
    try:
        config = (VENV / "pyvenv.cfg").read_text(encoding="utf-8")
    except OSError:
        return False
    version = re.search(r"^version(?:_info)?\s*=\s*(\d+)\.(\d+)", config, re.MULTILINE)
    return PYTHON.exists() and bool(version and (int(version[1]), int(version[2])) >= OLDEST)


def make_environment() -> None:
    """Make .venv afresh. Raises StartError."""
    say("Making the environment .venv ...")
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    made = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if made.returncode != 0:
        lines = (made.stdout + made.stderr).strip().splitlines() or ["no reason given"]
        hint = (
            "on Debian or Ubuntu install the package python3-venv"
            if "ensurepip" in made.stdout + made.stderr
            else "check that the folder is writable and the disk has room"
        )
        raise StartError(
            f"The environment .venv could not be made; {hint}, then run again ({lines[-1]})."
        )


def fingerprint(files: Sequence[Path]) -> str:
    """SHA-256 over the files' lines; line endings do not count."""
    digest = hashlib.sha256()
    for file in files:
        digest.update("\n".join(file.read_text(encoding="utf-8").splitlines()).encode())
    return digest.hexdigest()


def install(*names: str) -> None:
    """Install requirement files unless the stamp says it is done. Raises StartError.

    Each file includes the one before it, so the last is given to pip and all are stamped.
    """
    files = [ROOT / name for name in names]
    stamps = [VENV / f"{name}.sha256" for name in names]
    wanted = fingerprint(files)
    if has_environment() and stamps[-1].exists() and stamps[-1].read_text().strip() == wanted:
        return
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    if not has_environment() or subprocess.run(
        [*pip, "--version"], cwd=ROOT, capture_output=True, check=False
    ).returncode:
        make_environment()
    say(f"Installing the packages of {names[-1]} (a few minutes the first time) ...")
    for stamp in stamps:
        stamp.unlink(missing_ok=True)
    run_pip([*pip, "install", "-r", str(files[-1])])
    for count, stamp in enumerate(stamps, start=1):
        stamp.write_text(fingerprint(files[:count]))


def run_pip(command: Sequence[str]) -> None:
    """Run pip with one short line of progress a package. Raises StartError."""
    log = VENV / "pip.log"
    last_error = ""
    with (
        log.open("w", encoding="utf-8") as output,
        subprocess.Popen(
            command, cwd=ROOT, text=True, errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process,
    ):  # fmt: skip
        for line in process.stdout or ():
            output.write(line)
            text = line.strip()
            if re.match(r"Downloading \S+\.(whl|tar\.gz)|Building wheel|Installing coll", text):
                say(f"  {text if len(text) <= 76 else text[:73] + '...'}")
            if text.lower().startswith("error:"):
                last_error = text[6:].strip()
    if process.returncode:
        raise StartError(
            "The packages could not be installed; check the internet connection and run again, "
            f"pip's own words are in {log} ({last_error or f'exit code {process.returncode}'})."
        )
    say("The packages are installed.")


# --- talking to what runs --------------------------------------------------------------------


def ask(port: int, path: str, *, method: str = "GET", token: str = "") -> tuple[int, bytes] | None:
    """Status and body of one request to this machine; None when nothing answers."""
    connection = http.client.HTTPConnection(HOST, port, timeout=3)
    try:
        connection.request(method, path, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        return answer.status, answer.read(65536)
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def is_engine_up(place: Place) -> bool:
    """Does an engine answer on the API port?"""
    answer = ask(place.api_port, "/health")
    return answer is not None and answer[0] == 200 and b"engine_id" in answer[1]


def is_panel_up(place: Place) -> bool:
    """Does a panel answer on the panel port?"""
    answer = ask(place.panel_port, "/_stcore/health")
    return answer is not None and answer[0] == 200


def read_token(place: Place) -> str:
    """The API token of this data folder; empty before an engine made one."""
    try:
        return (place.data / "api.token").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def is_own_engine(place: Place) -> bool:
    """Does the engine that answers take this data folder's token?"""
    answer = ask(place.api_port, "/api/v1/kill", token=read_token(place))
    return answer is not None and answer[0] not in (401, 403, 404)


def is_already_running(place: Place) -> bool:
    """Is this very copy up already? Raises StartError when only a part of it is."""
    if not is_engine_up(place):
        return False
    if not is_own_engine(place):
        raise StartError(
            f"Port {place.api_port} is used by a Quarterdeck engine with another data folder; "
            "set QUARTERDECK_API_PORT and QUARTERDECK_PANEL_PORT to free ports to run two copies."
        )
    if not is_panel_up(place):
        raise StartError(
            f"An engine already runs on the data folder {place.data} (port {place.api_port}), "
            "without this panel; stop that engine first, then start again."
        )
    return True


# --- the two processes -----------------------------------------------------------------------


def open_log(path: Path) -> int:
    """Append to a log file that is put aside first when it has grown large."""
    if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
        try:
            path.replace(path.with_name(path.name + ".1"))
        except PermissionError:
            pass  # Windows, and another copy still writes it: it grows on
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def spawn(arguments: Sequence[str], place: Place, log: Path) -> "subprocess.Popen[bytes]":
    """Start one of our processes in its own group, so that Ctrl-C reaches it through us only."""
    environment = {
        **os.environ,
        "QUARTERDECK_DATA": str(place.data),
        "QUARTERDECK_API_PORT": str(place.api_port),
        "QUARTERDECK_PANEL_PORT": str(place.panel_port),
        "PYTHONUTF8": "1",
    }
    command = [str(PYTHON), "-m", *arguments]
    output = open_log(log)
    try:
        if sys.platform == "win32":
            return subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, creationflags=subprocess.CREATE_NEW_PROCESS_GROUP,
            )  # fmt: skip
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output,
            stderr=output, start_new_session=True,
        )  # fmt: skip
    finally:
        os.close(output)


def kill_group(process: "subprocess.Popen[bytes]") -> None:
    """Kill the process, if it still runs, and whatever it left behind."""
    if sys.platform == "win32":
        if process.poll() is None:
            command = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
            subprocess.run(command, capture_output=True, check=False)
        return
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass  # nobody is left in the group (macOS says "permission" for zombies)


class Deck:
    """The engine and the panel, from start to stop."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.engine: subprocess.Popen[bytes] | None = None
        self.panel: subprocess.Popen[bytes] | None = None
        self.is_asked_to_stop = threading.Event()
        self._is_closing = False

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-C and the like: stop gracefully; a second one while stopping kills."""
        self.is_asked_to_stop.set()
        if self._is_closing:
            for process in (self.engine, self.panel):
                if process is not None:
                    kill_group(process)

    def start(self) -> None:
        """Start both and wait until each answers. Raises StartError."""
        place, logs = self.place, self.place.data / "logs"
        log = logs / "engine.out.log"
        offset = log.stat().st_size if log.exists() else 0
        self.engine = spawn(["engine", "run"], place, log)
        self._wait(self.engine, lambda: is_engine_up(place), ENGINE_START_S, "engine", log, offset)
        panel = (
            "streamlit", "run", "app.py", "--server.port", str(place.panel_port),
            "--server.address", HOST, "--server.headless", "true",
            "--browser.gatherUsageStats", "false",
        )  # fmt: skip
        if not self.is_asked_to_stop.is_set():
            log = logs / "panel.log"
            self.panel = spawn(panel, place, log)
            self._wait(self.panel, lambda: is_panel_up(place), PANEL_START_S, "panel", log, None)

    def _wait(
        self, process: "subprocess.Popen[bytes]", is_ready: Callable[[], bool], timeout_s: float,
        name: str, log: Path, offset: int | None,
    ) -> None:  # fmt: skip
        deadline = time.monotonic() + timeout_s
        while not self.is_asked_to_stop.wait(0.1):
            code = process.poll()
            if code == 2 and offset is not None:
                raise StartError(last_line(log, offset) or f"The {name} cannot start; see {log}.")
            if code is not None:
                raise StartError(
                    f"The {name} stopped while starting (exit code {code}); "
                    f"the reason is at the end of {log}."
                )
            if is_ready():
                return
            if time.monotonic() > deadline:
                raise StartError(f"The {name} did not answer for {timeout_s:.0f} s; see {log}.")

    def watch(self) -> int:
        """Stay until somebody stops us or the panel dies; the exit code."""
        is_engine_gone = False
        while not self.is_asked_to_stop.wait(0.3):
            panel = self.panel.poll() if self.panel else 0
            engine = self.engine.poll() if self.engine else 0
            if panel is not None:
                say(
                    f"The panel stopped by itself (exit code {panel}), so the engine is stopped "
                    f"too; the reason is at the end of {self.place.data / 'logs' / 'panel.log'}."
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
        """Stop both: first by request, after 15 s by force; leave no process behind."""
        self._is_closing = True
        if self.panel is not None and self.panel.poll() is None:
            self.panel.terminate()
        self._stop_engine()
        if self.panel is not None:
            wait_for(self.panel, 5)
            kill_group(self.panel)

    def _stop_engine(self) -> None:
        if self.engine is None:
            return
        if self.engine.poll() is None:
            if sys.platform == "win32":
                self.engine.send_signal(signal.CTRL_BREAK_EVENT)
            else:
                self.engine.send_signal(signal.SIGINT)
            if not wait_for(self.engine, GRACE_S):
                say(f"The engine did not stop within {GRACE_S:.0f} s and is killed.")
        elif self.panel is not None and is_engine_up(self.place) and is_own_engine(self.place):
            # Ours died and the panel's button started another one: it goes with us.
            ask(self.place.api_port, "/api/v1/shutdown", method="POST", token=read_token(self.place))
            deadline = time.monotonic() + GRACE_S
            while is_engine_up(self.place) and time.monotonic() < deadline:
                time.sleep(0.2)
        kill_group(self.engine)


def wait_for(process: "subprocess.Popen[bytes]", timeout_s: float) -> bool:
    """Wait for the end of a process; False when it lasts longer."""
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def last_line(log: Path, offset: int) -> str:
    """The last line written to ``log`` after ``offset`` bytes; empty when there is none."""
    with log.open("rb") as file:
        file.seek(offset if offset <= log.stat().st_size else 0)
        lines = file.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip() if lines else ""


def open_browser(address: str) -> None:
    """Open the panel, unless there is no screen or it is not wanted."""
    is_headless = sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    if not (is_headless or os.environ.get("CI") or os.environ.get("QUARTERDECK_NO_BROWSER")):
        webbrowser.open(address)


# --- commands --------------------------------------------------------------------------------


def run() -> int:
    """Start the engine and the panel and stay with them."""
    place = read_place()
    check_data_folder(place.data)
    if is_already_running(place):
        say(f"Quarterdeck is already running: {place.address}")
        open_browser(place.address)
        return 0
    check_port(place.api_port, "QUARTERDECK_API_PORT", "the engine")
    check_port(place.panel_port, "QUARTERDECK_PANEL_PORT", "the panel")
    install("requirements.txt")
    deck = Deck(place)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), deck.on_signal)
    say("Starting the engine and the panel ...")
    try:
        deck.start()
        if not deck.is_asked_to_stop.is_set():
            say(f"Quarterdeck is running: {place.address}  (Ctrl-C stops it)")
            open_browser(place.address)
        return deck.watch()
    finally:
        say("Stopping ...")
        deck.close()
        say("Stopped.")


def check(command: str, arguments: Sequence[str]) -> int:
    """Hand over to tests/support/checks.py, inside the environment."""
    install("requirements.txt", "requirements-dev.txt")
    return subprocess.call(
        [str(PYTHON), "-m", "tests.support.checks", command, *arguments], cwd=ROOT
    )


def main(arguments: Sequence[str]) -> int:
    """Run one command; the exit code."""
    if sys.version_info[:2] > NEWEST:
        found = f"{sys.version_info[0]}.{sys.version_info[1]}"
        say(f"Python {found} is newer than what was tried; some packages may not install on it.")
    command, *rest = arguments or ["run"]
    if command in ("-h", "--help"):
        say((__doc__ or "").strip())
        return 0
    try:
        if command not in COMMANDS:
            raise StartError(f"There is no command '{command}'; known are {', '.join(COMMANDS)}.")
        if command in ("run", "lint") and rest:
            raise StartError(f"'{command}' takes no arguments, but got '{' '.join(rest)}'.")
        return run() if command == "run" else check(command, rest)
    except StartError as error:
        print(error, file=sys.stderr, flush=True)
        return 2
    except KeyboardInterrupt:
        say("Stopped.")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
