"""Starting the engine from the panel, and what it said when it would not start."""

import os
import subprocess
import sys
import time
from pathlib import Path

from panel.facade import ControlPanel, EngineOff
from panel.session import ROOT, data_folder

START_TIMEOUT_S = 30.0
POLL_S = 0.2
SAID_LINES = 4


def engine_command() -> list[str]:
    """How the engine is started, in this project's environment."""
    return [sys.executable, "-m", "engine", "run"]


def start_engine(panel: ControlPanel) -> str:
    """Start the engine on its own and wait until it answers.

    Returns an empty text, or why it did not start in the engine's own words. The engine outlives
    the panel; its output goes to ``logs/engine.out`` in the data folder.
    """
    try:
        output = _output_file()
        with output.open("wb") as sink:
            process = subprocess.Popen(
                engine_command(), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink,
                start_new_session=True, creationflags=_detached(),
            )  # fmt: skip
    except OSError as error:
        return f"The engine could not be started: {error.strerror or error}."
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if _answers(panel):
            return ""
        if process.poll() is not None:
            return _last_words(output) or f"The engine ended with code {process.returncode}."
        time.sleep(POLL_S)
    return f"The engine was started but did not answer within {START_TIMEOUT_S:.0f} s."


def _output_file() -> Path:
    folder = data_folder() / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "engine.out"


def _detached() -> int:
    """Windows: no console window, and Ctrl-C in the panel's does not reach the engine."""
    flags = ("CREATE_NEW_PROCESS_GROUP", "CREATE_NO_WINDOW")
    return sum(getattr(subprocess, name, 0) for name in flags) if os.name == "nt" else 0


def _answers(panel: ControlPanel) -> bool:
    try:
        panel.health()
    except EngineOff:
        return False
    return True


def _last_words(output: Path) -> str:
    """The last lines that the engine wrote before it ended."""
    lines = output.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return "\n".join(lines[-SAID_LINES:])
