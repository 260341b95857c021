"""The real run.py in a folder whose engine, panel and watcher are small stand-ins.

The stand-ins answer as the real ones do, and note in ``events.txt`` what happened to them.
"""

import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.support.ports import free_port
from tooling.environment import RUNTIME, Environment
from tooling.place import ROOT

STARTED = "Quarterdeck is running"

SERVER = """
import os, pathlib, signal, subprocess, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ROOT = pathlib.Path.cwd()

def note(text):
    with (ROOT / "events.txt").open("a") as file:
        file.write(text + "\\n")

def serve(name, port, answers):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            token = self.headers["Authorization"]
            status, body = answers(self.path, token)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)
        def do_POST(self):
            self.do_GET()
            note(name + " " + self.path)
            os.kill(os.getpid(), signal.SIGINT)
        def log_message(self, *arguments):
            pass

    def stop(number, frame):
        note(f"{name} {signal.Signals(number).name}")
        threading.Thread(target=server.shutdown).start()

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    note(f"{name} started")
    server.serve_forever()
    note(f"{name} stopped")
"""

ENGINE = """
import os, pathlib, signal, subprocess, sys, time
from stub_server import note, serve

if sys.argv[1:] == ["watcher"]:
    if "STUB_WATCHER_SAYS" in os.environ:
        sys.exit(print(os.environ["STUB_WATCHER_SAYS"], file=sys.stderr) or 2)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(note("watcher stopped")))
    note("watcher started")
    time.sleep(600)
if "STUB_ENGINE_SAYS" in os.environ:
    print("a line of the log before it", file=sys.stderr)
    sys.exit(print(os.environ["STUB_ENGINE_SAYS"], file=sys.stderr) or int(os.environ["STUB_CODE"]))
data = pathlib.Path(os.environ["QUARTERDECK_DATA"])
(data / "api.token").write_text("secret-of-" + data.name)
(data / "engine.lock").write_text(str(os.getpid()))
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])  # a worker it forgets

def answers(path, token):
    if path == "/health":
        return 200, b'{"status": "ok", "engine_id": "stub"}'
    return (202 if token == "Bearer secret-of-" + data.name else 401), b""

serve("engine", int(os.environ["QUARTERDECK_API_PORT"]), answers)
time.sleep(0.3)  # as an engine that has closed its port and still writes
"""

PANEL = """
import sys
from stub_server import serve

port = sys.argv[sys.argv.index("--server.port") + 1]
serve("panel", int(port), lambda path, token: (200, b"ok"))
"""


@dataclass
class StubProject:
    """A project folder with the real run.py and stand-ins for the two processes."""

    root: Path
    api_port: int = field(default_factory=free_port)
    panel_port: int = field(default_factory=free_port)

    @property
    def python(self) -> Path:
        """The interpreter of its .venv."""
        return Path(Environment(self.root).python)

    @property
    def events(self) -> list[str]:
        """What happened to the stand-ins, in order."""
        file = self.root / "events.txt"
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []

    def variables(self, **more: str) -> dict[str, str]:
        """The environment of a run."""
        own = {name: value for name, value in os.environ.items() if "QUARTERDECK" not in name}
        return {
            **own,
            "QUARTERDECK_API_PORT": str(self.api_port),
            "QUARTERDECK_PANEL_PORT": str(self.panel_port),
            "QUARTERDECK_NO_BROWSER": "1",
            **more,
        }

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run run.py to its end."""
        return subprocess.run(
            [sys.executable, "run.py", *arguments], cwd=self.root, env=self.variables(**more),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    @contextmanager
    def running(self, **more: str) -> Iterator[subprocess.Popen[str]]:
        """run.py, started and ready; killed at the end with everything it started."""
        with (self.root / "output.txt").open("w", encoding="utf-8") as output:
            process = subprocess.Popen(
                [sys.executable, "run.py"], cwd=self.root, env=self.variables(**more),
                stdout=output, stderr=output, text=True,
            )  # fmt: skip
        try:
            wait_until(lambda: STARTED in self.output or process.poll() is not None)
            if process.poll() is not None:
                raise RuntimeError(f"run.py did not start: {self.output}")
            yield process
        finally:
            process.kill()
            process.wait()
            for left in self.processes():
                left.kill()

    @property
    def output(self) -> str:
        """What the run of ``running`` printed so far."""
        return (self.root / "output.txt").read_text(encoding="utf-8")

    def processes(self, module: str = "") -> list[psutil.Process]:
        """What runs in this project's .venv, or only ``python -m module``."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            command = process.info["cmdline"] or []
            if command and command[0].startswith(str(self.root)) and module in ("", *command):
                found.append(process)
        return found


def make_stub_project(root: Path) -> StubProject:
    """Lay out the folder, its .venv without pip, and the stamp of installed requirements."""
    shutil.copytree(ROOT / "tooling", root / "tooling", ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(ROOT / "run.py", root)
    for name, text in (
        ("stub_server.py", SERVER),
        ("engine/__main__.py", ENGINE),
        ("streamlit/__main__.py", PANEL),
        ("requirements.txt", "# nothing\n"),
    ):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    environment = Environment(root)
    venv.create(environment.folder, symlinks=os.name != "nt")
    environment.stamp(RUNTIME)
    return StubProject(root)


def wait_until(is_so: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Wait for a condition. Raises TimeoutError."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not so within {timeout_s:.0f} s")
        time.sleep(0.02)
