"""What `run.py test`, `lint`, `bench`, `mutants` do: set up, run each step, say how it ended."""

import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tooling.environment import DEVELOPMENT, Environment
from tooling.place import say
from tooling.preparing import prepare_browser, prepare_servers
from tooling.processes import keeping_bytecode

TYPED = ("engine", "panel", "strategies", "tooling", "tests", "pages", "app.py", "run.py")


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
    "-m", "pytest", "-n", "4", "--dist", "loadfile", "--no-loadscope-reorder", "--timeout", "300",
)  # fmt: skip
COMPILE = Step("numba", ("-m", "engine.domain.compiled"))  # else each process does it by itself
MEMORY_DISK = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there
ENOUGH_BYTES = 2_000_000_000


def test(arguments: Sequence[str]) -> int:
    """Every check and every test; ``arguments`` go to pytest. Raises StartError."""
    environment = Environment()
    with ThreadPoolExecutor(max_workers=1) as pool:
        servers = pool.submit(prepare_servers)
        environment.install(DEVELOPMENT)
        servers.result()
    prepare_browser(environment)
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
