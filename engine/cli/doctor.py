"""``doctor``: what is wrong, and what to do."""

from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from engine.cli.context import Desk, desk_of
from engine.cli.failures import BadInput, NotRunning
from engine.cli.output import one_line

PATIENT = httpx.Timeout(180.0, connect=2.0)
"""A thorough look waits for every venue and provider."""
SIGNS = {"ok": "ok  ", "warning": "WARN", "failed": "FAIL", "unknown": "?   "}


def doctor(
    ctx: typer.Context,
    is_deep: Annotated[
        bool, typer.Option("--deep", help="ask venues, providers and a time server too")
    ] = False,
    bundle: Annotated[
        Path | None, typer.Option(help="write the bundle for a bug report to this zip file")
    ] = None,
) -> int:
    """How the engine and all that it depends on are. Exit code 1 when something has failed.

    Without a running engine it looks at the data folder, the database and the machine.
    """
    desk = desk_of(ctx)
    if bundle is not None:
        _write(desk, bundle)
        return 0
    found = _look(desk, is_deep)
    lines: list[str] = []
    for check in found["checks"]:
        name = one_line(f"{check['area']}: {check['name']}")
        lines.append(f"{SIGNS[check['grade']]}  {name}  {one_line(check['detail'])}")
        if check["advice"]:
            lines.append(f"      -> {one_line(check['advice'])}")
    failed = sum(check["grade"] == "failed" for check in found["checks"])
    warned = sum(check["grade"] == "warning" for check in found["checks"])
    lines.append(f"{len(found['checks'])} checks, {failed} failed, {warned} warnings")
    desk.printer.show(found, lines)
    return 1 if failed else 0


def _look(desk: Desk, is_deep: bool) -> dict[str, Any]:
    try:
        if is_deep:
            answer = desk.engine.post("/diagnostics", timeout=PATIENT)
        else:
            answer = desk.engine.get("/diagnostics")
    except NotRunning as off:
        if off.code == "wrong_engine":
            raise
        from engine.bootstrap_diagnostics import diagnose_stopped  # slow to load

        return diagnose_stopped(desk.settings, is_deep=is_deep).model_dump(mode="json")
    return dict(answer["diagnosis"])


def _write(desk: Desk, file: Path) -> None:
    """The engine masks what it knows to be secret, so it must run."""
    with desk.engine.stream("/diagnostics/bundle") as chunks:
        content = b"".join(chunks)
    try:
        file.write_bytes(content)
    except OSError as error:
        raise BadInput(f"--bundle: {file} cannot be written: {error.strerror}.") from error
    name = str(file.resolve())
    words = f"{name}: {len(content):,} bytes. Read it before you send it to anybody."
    desk.printer.show({"file": name, "bytes": len(content)}, [words])


COMMANDS = {"doctor": doctor}
