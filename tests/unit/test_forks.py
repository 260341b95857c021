"""What a nursery forks is told from what ``python -m`` runs by its start only."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.forks import CAN_FORK, Nursery
from tooling.processes import kill_group

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="processes are not forked on this system")


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    nursery = Nursery(["json"])
    yield nursery
    nursery.close()


def write_program(folder: Path, text: str) -> dict[str, str]:
    """A module ``program``, and the environment that finds it."""
    (folder / "program.py").write_text(text, "utf-8")
    return {"PYTHONPATH": str(folder), "WORD": "mine"}


def test_it_has_its_own_arguments_environment_output_and_exit_code(
    nursery: Nursery, tmp_path: Path
) -> None:
    log = tmp_path / "out"
    done = nursery.start(["platform", "terse", "nonaliased"], {"WORD": "mine"}, log)
    assert done.wait(20) == done.poll() == 0
    refused = nursery.start(["calendar", "thirteenth"], dict(os.environ), log)
    assert refused.wait(20) == 2
    first, *rest = log.read_text("utf-8").splitlines()
    assert first.startswith("Linux-")
    assert any("thirteenth" in line for line in rest)


def test_a_kill_is_told_as_such(nursery: Nursery, tmp_path: Path) -> None:
    server = nursery.start(["http.server", "0", "--bind", "127.0.0.1"], {}, tmp_path / "out")
    assert server.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        server.wait(0.01)
    os.kill(server.pid, signal.SIGKILL)
    assert server.wait(20) == -signal.SIGKILL
    kill_group(server)  # nobody is left in it


def test_they_end_with_the_nursery(tmp_path: Path) -> None:
    nursery = Nursery([])
    server = nursery.start(["http.server", "0", "--bind", "127.0.0.1"], {}, tmp_path / "out")
    nursery.close()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{server.pid}/cmdline").exists() and time.monotonic() < deadline:
        state = Path(f"/proc/{server.pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
        if state == "Z":
            break
        time.sleep(0.01)
    else:
        assert time.monotonic() < deadline, "it outlived its nursery"
