"""What `run.py test`, `lint`, `bench`, `mutants` do: set up, run each step, say how it ended."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tooling.environment import DEVELOPMENT, Environment
from tooling.place import ROOT, StartError, say
from tooling.processes import keeping_bytecode
from tooling.programs import (
    MONITORING,
    UNPACKED,
    find_browser,
    find_postgres,
    find_program,
)

TYPED = ("engine", "panel", "strategies", "tooling", "tests", "pages", "app.py", "run.py")
POSTGRES_NEEDED = (
    "The tests need PostgreSQL's server programs; install PostgreSQL "
    "(https://www.postgresql.org/download/) and run again."
)
MONITORING_NEEDED = (
    "The tests need Prometheus (prometheus, promtool) and InfluxDB 1 (influxd) on the path; install"
    " them (https://prometheus.io/download, https://docs.influxdata.com/influxdb/v1) and run again."
)


class Step(NamedTuple):
    """One check: its name in the summary, and what follows ``python`` to run it."""

    name: str
    arguments: tuple[str, ...]


# import-linter cannot be started with -m, and scripts in .venv/bin break when the folder moves.
LINT_IMPORTS = "from importlinter.cli import lint_imports_command as lint; lint()"
STATIC = (
    Step("ruff check", ("-m", "ruff", "check", ".")),
    Step("ruff format", ("-m", "ruff", "format", "--check", ".")),
    Step("mypy --strict", ("-m", "mypy", "--strict", *TYPED)),
    Step("import-linter", ("-c", LINT_IMPORTS)),
)
# A file's tests share their engine; tests/conftest.py puts the long files first.
PYTEST = (
    "-m", "pytest", "-n", "3", "--dist", "loadfile", "--no-loadscope-reorder", "--timeout", "300",
)  # fmt: skip
COMPILE = Step("numba", ("-m", "engine.domain.compiled"))  # else each process does it by itself
SYSTEMD_ANALYZE = "systemd-analyze"
MEMORY_DISK = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there
ENOUGH_BYTES = 2_000_000_000


def test(arguments: Sequence[str]) -> int:
    """Every check and every test; ``arguments`` go to pytest. Raises StartError."""
    environment = Environment()
    environment.install(DEVELOPMENT)
    prepare_postgres()
    prepare_systemd()
    prepare_browser(environment)
    prepare_monitoring()
    with scratch_folder() as variables:
        return run_steps(
            environment, [COMPILE, Step("pytest", (*PYTEST, *arguments))], beside=STATIC,
            variables=variables,
        )  # fmt: skip


def lint() -> int:
    """The static checks. Raises StartError."""
    environment = Environment()
    environment.install(DEVELOPMENT)
    return run_steps(environment, STATIC)


def bench(arguments: Sequence[str]) -> int:
    """The measurements of tests/bench; ``arguments`` go to pytest. Raises StartError."""
    environment = Environment()
    environment.install(DEVELOPMENT)
    prepare_browser(environment)
    return run_steps(
        environment, [Step("pytest", ("-m", "pytest", "tests/bench", "-s", *arguments))]
    )


def mutants() -> int:
    """The order desk's tests over desks that are wrong on purpose. Raises StartError."""
    environment = Environment()
    environment.install(DEVELOPMENT)
    return run_steps(environment, [Step("mutants", ("-m", "tests.support.mutants"))])


def run_steps(
    environment: Environment,
    steps: Sequence[Step],
    *,
    beside: Sequence[Step] = (),
    variables: Mapping[str, str] | None = None,
) -> int:
    """Run all steps, the later ones too when one fails; 0 when all passed, otherwise 1.

    Those ``beside`` are run one by one in the meantime; what they say is kept until they end.
    """
    # The tests choose their own data folder and ports.
    mine = {
        name: value
        for name, value in keeping_bytecode(os.environ).items()
        if not name.startswith("QUARTERDECK_") or name == "QUARTERDECK_BROWSER"
    } | dict(variables or {})
    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting = [pool.submit(run_step, environment, step, mine, is_held=True) for step in beside]
        rows = [run_step(environment, step, mine) for step in steps]
        rows = [*(one.result() for one in waiting), *rows]
    say("\n=== summary")
    for name, code, seconds in rows:
        say(f"{name:<16} {'passed' if code == 0 else f'FAILED ({code})':<12} {seconds:7.1f} s")
    failed = [name for name, code, _ in rows if code != 0]
    say(f"{len(rows) - len(failed)} of {len(rows)} passed, {len(failed)} failed.")
    return 1 if failed else 0


def run_step(
    environment: Environment, step: Step, variables: Mapping[str, str], *, is_held: bool = False
) -> tuple[str, int, float]:
    """Its name, exit code and seconds. What it says is shown at once, or at its end in one piece
    when ``is_held``."""
    title = f"\n=== {step.name}: python {shlex.join(step.arguments)}"
    if not is_held:
        say(title)
    started = time.monotonic()
    done = subprocess.run(
        [environment.python, *step.arguments], cwd=environment.root, env=variables, check=False,
        stdout=subprocess.PIPE if is_held else None, stderr=subprocess.STDOUT if is_held else None,
        text=True, encoding="utf-8", errors="replace",
    )  # fmt: skip
    if is_held:
        say(f"{title}\n{done.stdout.rstrip()}")
    return step.name, done.returncode, time.monotonic() - started


@contextmanager
def scratch_folder() -> Iterator[dict[str, str]]:
    """Variables that have the tests keep their files in memory where Linux offers that: processes
    are killed there, never the machine, so that no disk need be waited for."""
    if not has_room_in_memory():
        yield {}
        return
    folder = Path(tempfile.mkdtemp(prefix="quarterdeck-tests-", dir=MEMORY_DISK))
    folder.chmod(0o711)  # PostgreSQL's own user goes through it
    try:
        yield {"TMPDIR": str(folder)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def has_room_in_memory() -> bool:
    """Whether a file system in memory is there and has room for what the tests write."""
    return (
        MEMORY_DISK.is_dir()
        and os.access(MEMORY_DISK, os.W_OK | os.X_OK)
        and shutil.disk_usage(MEMORY_DISK).free > ENOUGH_BYTES
    )


def prepare_postgres() -> None:
    """Install PostgreSQL's server programs when they are missing. Raises StartError."""
    if find_postgres() is None:
        install_debian_packages("postgresql")
    if find_postgres() is None:
        raise StartError(POSTGRES_NEEDED)


def prepare_monitoring() -> None:
    """Unpack Prometheus and InfluxDB when they are missing. Raises StartError."""
    missing = sorted({MONITORING[name] for name in MONITORING if find_program(name) is None})
    if missing:
        unpack_debian_packages(*missing)
    if any(find_program(name) is None for name in MONITORING):
        raise StartError(MONITORING_NEEDED)


def prepare_systemd() -> None:
    """Install what checks systemd's units, where there is systemd. Raises StartError."""
    if not sys.platform.startswith("linux") or shutil.which(SYSTEMD_ANALYZE) is not None:
        return
    install_debian_packages("systemd")
    if shutil.which(SYSTEMD_ANALYZE) is None:
        raise StartError(
            "The tests of deploy/systemd need systemd-analyze: install the package systemd (on"
            " Debian or Ubuntu: apt-get install systemd) and run again."
        )


def prepare_browser(environment: Environment) -> None:
    """Install a Chromium when there is none. Raises StartError."""
    if find_browser() is None:
        install_debian_packages("chromium", "fonts-liberation")
    if find_browser() is None:
        say("Installing a browser for the tests ...")
        command = [environment.python, "-m", "playwright", "install", "chromium"]
        if subprocess.call(command, cwd=ROOT) != 0:
            raise StartError(
                "The browser tests need Chromium or Chrome; install one and run again."
            )


def install_debian_packages(*names: str) -> None:
    """Install with apt where that can be done without asking; otherwise do nothing."""
    is_root = sys.platform.startswith("linux") and os.geteuid() == 0
    apt = shutil.which("apt-get")
    if not is_root or apt is None:
        return
    say(f"Installing {', '.join(names)} with apt-get ...")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", *names]):
        done = subprocess.run(
            [apt, "-qq", *arguments], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            say(done.stderr.strip())


def unpack_debian_packages(*names: str) -> None:
    """Download with apt and unpack beside the environment; where there is no apt, do nothing.

    Not installed: no service of theirs starts, and nobody need be root.
    """
    apt, dpkg = shutil.which("apt-get"), shutil.which("dpkg-deb")
    if apt is None or dpkg is None:
        return
    say(f"Unpacking {', '.join(names)} from Debian's packages ...")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        steps = [[apt, "-qq", "update"]] if os.geteuid() == 0 else []
        for command in [*steps, [apt, "-qq", "download", *names]]:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                say(done.stderr.strip())
        UNPACKED.mkdir(parents=True, exist_ok=True)
        for package in sorted(Path(folder).glob("*.deb")):
            subprocess.run([dpkg, "-x", str(package), str(UNPACKED)], check=True)
