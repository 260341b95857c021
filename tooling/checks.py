"""What `run.py test`, `lint`, `bench`, `mutants` do: set up, run each step, say how it ended."""

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from tooling.environment import DEVELOPMENT, Environment
from tooling.place import ROOT, StartError, say
from tooling.programs import find_browser, find_postgres

TYPED = ("engine", "panel", "strategies", "tooling", "tests", "pages", "app.py", "run.py")
POSTGRES_NEEDED = (
    "The tests need PostgreSQL's server programs; install PostgreSQL "
    "(https://www.postgresql.org/download/) and run again."
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
PYTEST = ("-m", "pytest", "-n", "2", "--dist", "loadgroup", "--timeout", "300")


def test(arguments: Sequence[str]) -> int:
    """Every check and every test; ``arguments`` go to pytest. Raises StartError."""
    environment = Environment()
    environment.install(DEVELOPMENT)
    prepare_postgres()
    prepare_browser(environment)
    return run_steps(environment, [*STATIC, Step("pytest", (*PYTEST, *arguments))])


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


def run_steps(environment: Environment, steps: Sequence[Step]) -> int:
    """Run all steps, the later ones too when one fails; 0 when all passed, otherwise 1."""
    # The tests choose their own data folder and ports.
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("QUARTERDECK_") or name == "QUARTERDECK_BROWSER"
    }
    rows = []
    for step in steps:
        say(f"\n=== {step.name}: python {shlex.join(step.arguments)}")
        started = time.monotonic()
        command = [environment.python, *step.arguments]
        code = subprocess.call(command, cwd=environment.root, env=variables)
        rows.append((step.name, code, time.monotonic() - started))
    say("\n=== summary")
    for name, code, seconds in rows:
        say(f"{name:<16} {'passed' if code == 0 else f'FAILED ({code})':<12} {seconds:7.1f} s")
    failed = [name for name, code, _ in rows if code != 0]
    say(f"{len(rows) - len(failed)} of {len(rows)} passed, {len(failed)} failed.")
    return 1 if failed else 0


def prepare_postgres() -> None:
    """Install PostgreSQL's server programs when they are missing. Raises StartError."""
    if find_postgres() is None:
        install_debian_packages("postgresql")
    if find_postgres() is None:
        raise StartError(POSTGRES_NEEDED)


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
