"""run.py as a person runs it: a real process over stand-ins for engine, panel and watcher."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stub_project import StubProject, make_stub_project, wait_until
from tooling.place import ROOT


@pytest.fixture
def project(tmp_path: Path) -> StubProject:
    """A fresh project folder."""
    return make_stub_project(tmp_path)


@pytest.fixture
def listener() -> Iterator[int]:
    """A port on which somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def assert_one_sentence(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    """The run ended with code 2 and one line on stderr that holds all ``parts``."""
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for part in parts:
        assert part in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_all_gracefully(project: StubProject, number: signal.Signals) -> None:
    with project.running() as process:
        assert f"Quarterdeck is running: http://127.0.0.1:{project.panel_port}" in project.output
        wait_until(lambda: "watcher started" in project.events)
        assert len(project.processes()) == 4  # and one that the engine forgets
        process.send_signal(number)
        assert process.wait(60) == 0
        assert project.processes() == []
    events = project.events
    assert set(events[:2]) == {"engine started", "panel started"}
    assert events[2] == "watcher started"
    assert set(events[3:]) == {
        "watcher stopped", "panel SIGTERM", "panel stopped", "engine SIGINT", "engine stopped"
    }  # fmt: skip
    assert project.output.endswith("Stopped.\n")


def test_even_a_killed_run_leaves_no_process(project: StubProject) -> None:
    with project.running() as process:
        process.kill()
        wait_until(lambda: not project.processes("engine") and not project.processes("streamlit"))
    assert {"engine SIGTERM", "engine stopped", "panel SIGTERM"} <= set(project.events)


def test_a_dying_panel_stops_the_engine(project: StubProject) -> None:
    with project.running() as process:
        project.processes("streamlit")[0].kill()
        assert process.wait(60) == 1
        assert project.processes() == []
    assert "The panel stopped by itself" in project.output
    assert project.events[-1] == "engine stopped"


def test_a_dying_engine_leaves_the_panel_and_its_successor_is_stopped(
    project: StubProject,
) -> None:
    with project.running() as process:
        project.processes("run")[0].kill()
        wait_until(lambda: "The engine stopped (exit code -9)" in project.output)
        assert project.processes("streamlit")
        variables = project.variables(QUARTERDECK_DATA=str(project.root / "data"))
        # What the panel's start button does: an engine that is nobody's child.
        detach = ["sh", "-c", '"$@" &', "sh", str(project.python), "-m", "engine", "run"]
        subprocess.run(detach, cwd=project.root, env=variables, check=True)
        wait_until(lambda: project.events.count("engine started") == 2)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert not project.processes("engine")
    assert "engine /api/v1/shutdown" in project.events


def test_a_watcher_that_cannot_start_is_said_and_stops_nothing(project: StubProject) -> None:
    with project.running(STUB_WATCHER_SAYS="Another watcher runs on the data folder.") as process:
        wait_until(lambda: "The watcher stopped (exit code 2)" in project.output)
        assert "Another watcher runs on the data folder. Bots trade on" in project.output
        assert process.poll() is None
        assert project.processes("run") and project.processes("streamlit")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert project.processes() == []


def test_the_engines_own_sentence_is_shown(project: StubProject) -> None:
    sentence = "Another engine already uses this data folder; stop it first."
    done = project.run(STUB_ENGINE_SAYS=sentence, STUB_CODE="2")
    assert_one_sentence(done, sentence)
    assert done.stderr.strip() == sentence
    assert project.processes() == []


def test_a_crash_while_starting_is_explained(project: StubProject) -> None:
    done = project.run(STUB_ENGINE_SAYS="ValueError: boom", STUB_CODE="3")
    assert done.returncode == 3
    assert "ValueError: boom" in done.stderr
    assert str(project.root / "data" / "logs") in done.stderr
    assert project.processes() == []


def test_a_used_port_is_named_with_its_variable(project: StubProject, listener: int) -> None:
    done = project.run(QUARTERDECK_API_PORT=str(listener))
    assert_one_sentence(done, f"Port {listener}", "the engine", "QUARTERDECK_API_PORT")
    done = project.run(QUARTERDECK_PANEL_PORT=str(listener))
    assert_one_sentence(done, f"Port {listener}", "the panel", "QUARTERDECK_PANEL_PORT")
    assert project.events == []


def test_a_second_copy_is_refused(project: StubProject) -> None:
    with project.running() as process:
        done = project.run()
        assert_one_sentence(done, "already runs on the data folder", str(project.root / "data"))
        other = project.run(QUARTERDECK_DATA=str(project.root / "other"))
        assert_one_sentence(other, "another data folder", "QUARTERDECK_API_PORT")
        assert process.poll() is None
    assert project.events.count("engine started") == 1


def test_a_data_folder_that_cannot_be_written_to(project: StubProject) -> None:
    file = project.root / "a-file"
    file.write_text("in the way", encoding="utf-8")
    done = project.run(QUARTERDECK_DATA=str(file / "data"))
    assert_one_sentence(done, f"The data folder {file / 'data'} cannot be written to")
    assert "QUARTERDECK_DATA" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "variables", "part"),
    [
        (["fly"], {}, "There is no command 'fly'"),
        (["lint", "x"], {}, "takes no arguments"),
        ([], {"QUARTERDECK_API_PORT": "80800"}, "QUARTERDECK_API_PORT must be a port"),
        ([], {"QUARTERDECK_PANEL_PORT": "8501x"}, "QUARTERDECK_PANEL_PORT must be a port"),
        ([], {"QUARTERDECK_API_PORT": "9001", "QUARTERDECK_PANEL_PORT": "9001"}, "cannot share"),
    ],
)
def test_wrong_input_is_one_sentence(
    project: StubProject, arguments: list[str], variables: dict[str, str], part: str
) -> None:
    assert_one_sentence(project.run(*arguments, **variables), part)


def test_an_old_python_is_told_so() -> None:
    pretend = (
        "import runpy, sys; sys.version_info = (3, 9, 18, 'final', 0); "
        "runpy.run_path('run.py', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", pretend], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert_one_sentence(done, "needs Python 3.11 or newer, but this is Python 3.9")


def test_packages_are_installed_once_and_a_lost_network_is_one_sentence(
    project: StubProject,
) -> None:
    (project.root / "requirements.txt").write_text("# still nothing\n", encoding="utf-8")
    first = project.run(STUB_ENGINE_SAYS="enough", STUB_CODE="2")
    assert "Making the environment" in first.stdout
    assert "The packages are installed." in first.stdout
    second = project.run(STUB_ENGINE_SAYS="enough", STUB_CODE="2")
    assert "packages" not in second.stdout

    (project.root / "requirements.txt").write_text("surely-not-there\n", encoding="utf-8")
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    third = project.run(**nowhere)
    assert_one_sentence(third, "could not be installed", "check the internet connection")
    assert "pip.log" in third.stderr
    assert project.run(**nowhere).returncode == 2


def test_help_needs_nothing(project: StubProject) -> None:
    done = project.run("--help")
    assert done.returncode == 0
    assert "python run.py test" in done.stdout
