"""The parts of run.py that need no second process."""

import ast
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tooling import checks, commands
from tooling.checks import Step, run_steps
from tooling.environment import DEVELOPMENT, OLDEST, RUNTIME, Environment
from tooling.place import ROOT, StartError, check_port, read_dotenv, read_place
from tooling.processes import LOG_LIMIT_BYTES, keeping_bytecode, last_line, open_log
from tooling.programs import MONITORING, find_browser, find_postgres, find_program

VARIABLES = ("QUARTERDECK_DATA", "QUARTERDECK_API_PORT", "QUARTERDECK_PANEL_PORT")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def make_environment(root: Path, version: str = "3.11.7") -> Environment:
    """An environment folder that looks like one; nothing in it runs."""
    environment = Environment(root)
    python = Path(environment.python)
    python.parent.mkdir(parents=True)
    python.touch()
    (environment.folder / "pyvenv.cfg").write_text(f"version = {version}\n", encoding="utf-8")
    (root / "requirements.txt").write_text("one\ntwo\n", encoding="utf-8")
    (root / "requirements-dev.txt").write_text("-r requirements.txt\nthree\n", encoding="utf-8")
    return environment


def test_run_py_parses_on_pythons_too_old_to_run_it() -> None:
    source = (ROOT / "run.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 4))
    assert not re.search(r"\bf[\"']", source), "f-strings hide the sentence on Python 3.5 and older"
    assert source.index("sys.exit(2)") < source.index("from tooling")


def test_run_py_and_its_parts_import_nothing_but_the_standard_library() -> None:
    allowed = {*sys.stdlib_module_names, "tooling"}
    for file in (ROOT / "run.py", *(ROOT / "tooling").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            assert {name.partition(".")[0] for name in names} <= allowed, file


def test_the_oldest_python_is_the_same_everywhere() -> None:
    text = ".".join(map(str, OLDEST))
    assert f"OLDEST = {OLDEST}" in (ROOT / "run.py").read_text(encoding="utf-8")
    assert f'requires-python = ">={text}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_defaults(tmp_path: Path) -> None:
    place = read_place(tmp_path)
    assert place == (tmp_path / "data", 8710, 8501)
    assert place.address == "http://127.0.0.1:8501"


def test_the_environment_wins_over_dotenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (
        "# ports",
        "QUARTERDECK_API_PORT=9001  # mine",
        'export QUARTERDECK_PANEL_PORT="9002"',
        "QUARTERDECK_DATA=elsewhere",
    )
    (tmp_path / ".env").write_text("\n".join(lines), encoding="utf-8")
    assert read_place(tmp_path) == (tmp_path / "elsewhere", 9001, 9002)

    monkeypatch.setenv("QUARTERDECK_API_PORT", "9003")
    monkeypatch.setenv("QUARTERDECK_DATA", "here")
    monkeypatch.chdir(tmp_path.parent)
    assert read_place(tmp_path) == (tmp_path.parent / "here", 9003, 9002)


def test_dotenv_keeps_what_is_not_a_comment(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("\ufeffA=x#y\nB='two words'\nnot a line\nC=\n", encoding="utf-8")
    assert read_dotenv(file) == {"A": "x#y", "B": "two words", "C": ""}
    assert read_dotenv(tmp_path / "none") == {}


@pytest.mark.parametrize("text", ["0", "65536", "-1", "8501.0", "port", "١٢٣"])
def test_a_port_that_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("QUARTERDECK_PANEL_PORT", text)
    with pytest.raises(StartError, match="QUARTERDECK_PANEL_PORT must be a port"):
        read_place(tmp_path)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - a listener on all
def test_a_port_in_use_is_found_and_a_closed_one_is_free(host: str) -> None:
    with socket.create_server((host, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(StartError, match=f"Port {port}, .* is used by another program"):
            check_port(port, "QUARTERDECK_API_PORT", "the engine")
    check_port(port, "QUARTERDECK_API_PORT", "the engine")
    check_port(free_port(), "QUARTERDECK_API_PORT", "the engine")


def test_a_stamp_holds_until_a_file_or_the_python_changes(tmp_path: Path) -> None:
    environment = make_environment(tmp_path)
    assert not environment.is_stamped(RUNTIME)
    environment.stamp(DEVELOPMENT)
    assert environment.is_stamped(RUNTIME)
    assert environment.is_stamped(DEVELOPMENT)

    (tmp_path / "requirements.txt").write_bytes(b"one\r\ntwo\r\n")
    assert environment.is_stamped(RUNTIME), "a checkout on Windows changes line endings only"

    (tmp_path / "requirements-dev.txt").write_text("four\n", encoding="utf-8")
    assert environment.is_stamped(RUNTIME)
    assert not environment.is_stamped(DEVELOPMENT)

    config = environment.folder / "pyvenv.cfg"
    config.write_text("version_info = 3.12.1.final.0\n", encoding="utf-8")
    assert environment.version() == (3, 12)
    assert not environment.is_stamped(RUNTIME)


def test_an_environment_of_an_old_or_a_lost_python_does_not_count(tmp_path: Path) -> None:
    environment = make_environment(tmp_path, "3.9.2")
    environment.stamp(RUNTIME)
    assert not environment.is_stamped(RUNTIME)
    assert not environment.has_pip()
    Path(environment.python).unlink()
    assert environment.version() == (0, 0)


def test_every_step_runs_and_one_failure_fails_the_whole(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUARTERDECK_DATA", "/of/the/person")
    environment = Environment()
    environment.python = sys.executable
    ask = "import os; print('data is', os.environ.get('QUARTERDECK_DATA'))"
    good, bad = Step("good", ("-c", ask)), Step("bad", ("-c", "raise SystemExit(3)"))

    assert run_steps(environment, [good]) == 0
    assert "data is None" in capfd.readouterr().out
    assert run_steps(environment, [bad, good]) == 1
    summary = capfd.readouterr().out.partition("=== summary")[2]
    assert re.search(r"bad +FAILED \(3\) +\d+\.\d s\ngood +passed +\d+\.\d s\n", summary)
    assert summary.endswith("1 of 2 passed, 1 failed.\n")


def test_what_python_compiles_is_kept_also_where_the_environment_forbids_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "lib.py").write_text("", encoding="utf-8")
    kept = {"PYTHONPYCACHEPREFIX": str(tmp_path / "kept")}
    assert keeping_bytecode({"A": "1"}) == {"A": "1"}
    chosen = keeping_bytecode({"A": "1", "PYTHONDONTWRITEBYTECODE": "1"})
    assert chosen == {"A": "1", "PYTHONPYCACHEPREFIX": str(ROOT / ".venv" / "bytecode")}
    mine = keeping_bytecode({**os.environ, "PYTHONDONTWRITEBYTECODE": "1"} | kept)
    subprocess.run([sys.executable, "-c", "import lib"], env=mine, cwd=tmp_path, check=True)
    assert [one.name.partition(".")[0] for one in (tmp_path / "kept").rglob("lib*.pyc")] == ["lib"]
    assert not (tmp_path / "__pycache__").exists()


def test_what_runs_beside_the_tests_speaks_in_one_piece_and_counts(
    capfd: pytest.CaptureFixture[str],
) -> None:
    environment = Environment()
    environment.python = sys.executable
    main = Step("main", ("-c", "import os; print(os.environ['PLACE'])"))
    bad = Step("bad", ("-c", "import sys; print('one'); sys.stdout.flush(); sys.exit('two')"))

    assert run_steps(environment, [main], beside=[bad], variables={"PLACE": "here"}) == 1
    said, _, summary = capfd.readouterr().out.partition("=== summary")
    assert "here\n" in said
    assert re.search(r"=== bad: python .*\none\ntwo\n", said)
    assert re.search(r"bad +FAILED \(1\) +\d+\.\d s\nmain +passed +\d+\.\d s\n", summary)


def test_the_tests_write_into_memory_where_there_is_room_and_leave_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(checks, "MEMORY_DISK", tmp_path / "nowhere")
    with checks.scratch_folder() as variables:
        assert variables == {}
    monkeypatch.setattr(checks, "MEMORY_DISK", tmp_path)
    monkeypatch.setattr(checks, "ENOUGH_BYTES", 1 << 62)
    with checks.scratch_folder() as variables:
        assert variables == {}
    monkeypatch.setattr(checks, "ENOUGH_BYTES", 0)
    with checks.scratch_folder() as variables:
        (Path(variables["TMPDIR"]) / "left.db").touch()
        assert Path(variables["TMPDIR"]).parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_every_command_is_in_the_help_and_only_some_take_arguments(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # those of the tests stay
    help_text = (ROOT / "run.py").read_text(encoding="utf-8")
    for command in commands.COMMANDS[1:]:
        assert f"python run.py {command} " in help_text
    for command in set(commands.COMMANDS) - set(commands.FOR_PYTEST):
        assert commands.main([command, "--now"], "") == 2
        assert f"'{command}' takes no arguments, but got '--now'." in capsys.readouterr().err
    assert commands.main(["nonsense"], "") == 2
    assert "There is no command 'nonsense'; known are run, test," in capsys.readouterr().err


def test_what_is_type_checked_covers_every_folder_with_code() -> None:
    folders = {file.relative_to(ROOT).parts[0] for file in ROOT.glob("[!.]*/**/*.py")}
    scripts = {file.name for file in ROOT.glob("*.py")}
    assert folders | scripts <= set(checks.TYPED) | {"data", "build", "dist", "deploy"}


def test_the_last_line_is_of_this_run_and_large_logs_are_put_aside(tmp_path: Path) -> None:
    log = tmp_path / "engine.out"
    log.write_text("an old line\n", encoding="utf-8")
    offset = log.stat().st_size
    assert last_line(log, offset) == ""
    with open_log(log) as file:
        file.write("früh\nspät \n\n".encode())
    assert last_line(log, offset) == "spät"

    with open_log(log) as file:
        file.truncate(LOG_LIMIT_BYTES + 1)
    open_log(log).close()
    assert log.stat().st_size == 0
    assert (tmp_path / "engine.out.1").stat().st_size == LOG_LIMIT_BYTES + 1
    assert last_line(log, offset) == ""


def test_the_programs_the_tests_need_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    binaries = find_postgres()
    assert binaries is not None
    assert (binaries / "pg_ctl").exists()
    monkeypatch.setenv("QUARTERDECK_BROWSER", "/opt/my/chrome")
    assert find_browser() == Path("/opt/my/chrome")
    assert all(find_program(name) is not None for name in MONITORING)
