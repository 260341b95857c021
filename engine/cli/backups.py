"""``backup``, ``backups list``, ``verify``, ``restore``: with an engine that runs, or without.

A backup only reads, so the command makes it itself: it works beside an engine that is stuck, too.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.client import user_name
from engine.cli.context import desk_of
from engine.cli.failures import BadInput, Failure
from engine.cli.output import moment, pairs, table
from engine.domain.backups import Backup, Manifest
from engine.errors import BackupError, ConfigError

if TYPE_CHECKING:
    from engine.bootstrap_backups import Restored

File = Annotated[Path, typer.Argument(help="a backup: quarterdeck-<time>.zip")]
To = Annotated[
    Path | None, typer.Option("--to", help="a file, or a folder  [the folder of backups]")
]
WithCandles = Annotated[bool, typer.Option("--with-candles", help="the candle library too")]
Into = Annotated[
    Path | None, typer.Option(help="a data folder of its own  [the one of QUARTERDECK_DATA]")
]
Force = Annotated[bool, typer.Option("--force", help="move aside what is there")]


def backup(ctx: typer.Context, to: To = None, with_candles: WithCandles = False) -> None:
    """Write everything of yours but the keys to one file, and verify it."""
    desk = desk_of(ctx)
    from engine.bootstrap_backups import build_shelf  # slow to load

    shelf = build_shelf(desk.settings)
    target = to.expanduser().resolve() if to is not None else None
    if target is not None and (target.is_dir() or target.suffix != ".zip"):
        shelf.folder, target = target, None
    made = _asked(lambda: shelf.make(with_candles=with_candles, target=target))
    path = target or shelf.folder / made.name
    lines = [*pairs(_facts(made)), "", "It is verified. No key is in it: keep those apart."]
    if made.manifest is not None and made.manifest.facts.audit_problem:
        lines.append(made.manifest.facts.audit_problem)
    desk.printer.show(_document(made) | {"path": str(path)}, [str(path), *lines])


def list_backups(ctx: typer.Context) -> None:
    """The backups in their folder, the newest first."""
    desk = desk_of(ctx)
    from engine.bootstrap_backups import build_shelf  # slow to load

    shelf = build_shelf(desk.settings)
    found = _asked(shelf.list)
    rows = [
        (one.name, moment(one.created_at.isoformat()), f"{one.size:,}", one.problem or "whole")
        for one in found
    ]
    empty = f"No backups in {shelf.folder} yet; 'python -m engine backup' makes one."
    head = ("backup", "made (UTC)", "bytes", "state")
    desk.printer.show([_document(one) for one in found], table(head, rows, empty))


def verify(ctx: typer.Context, file: File) -> None:
    """Is a backup whole, and would this version take it?"""
    desk = desk_of(ctx)
    from engine.bootstrap_backups import verified  # slow to load

    manifest = _asked(lambda: verified(desk.settings, file))
    if manifest.facts.audit_problem:
        raise Failure(f"{file.name} is whole, but: {manifest.facts.audit_problem}", "audit")
    lines = pairs(_manifest_facts(manifest))
    desk.printer.show(
        _described(manifest), [*lines, "", "Whole: every file, the database and the audit trail."]
    )


def restore(ctx: typer.Context, file: File, into: Into = None, force: Force = False) -> None:
    """Put a backup back. No engine may run on that folder."""
    desk = desk_of(ctx)
    from engine.bootstrap_backups import put_back  # slow to load

    done = _asked(
        lambda: put_back(desk.settings, file, into, actor=f"cli:{user_name()}", is_forced=force)
    )
    document = {
        "restored": _described(done.manifest),
        "aside": str(done.aside) if done.aside is not None else None,
        "strategies_added": list(done.added),
        "strategies_differing": list(done.differing),
    }
    desk.printer.show(document, _told(done, into or desk.settings.data, is_elsewhere=bool(into)))


def build() -> typer.Typer:
    """``backups`` with its command."""
    app = typer.Typer(help="The backups there are.", no_args_is_help=True)
    app.command("list")(list_backups)
    return app


COMMANDS: Mapping[str, Callable[..., None]] = {
    "backup": backup,
    "verify": verify,
    "restore": restore,
}


def _asked(ask: Callable[[], Any]) -> Any:
    """What it gives. Raises Failure, or BadInput for a setting or a folder that is in use."""
    try:
        return ask()
    except ConfigError as error:
        raise BadInput(error.message, error.code) from error
    except BackupError as error:
        raise Failure(error.message, error.code) from error


def _told(done: "Restored", data: Path, *, is_elsewhere: bool) -> list[str]:
    """What was done, and what is left to do by hand."""
    facts = done.manifest.facts
    lines = [f"Restored to {data}, as it was at {done.manifest.created_at:%Y-%m-%d %H:%M:%S} UTC."]
    if done.aside is not None:
        lines.append(f"What was there before is in {done.aside}.")
    if done.differing:
        lines.append(
            f"Strategies that differ from yours were left as they are, the backup's are in"
            f" {data / 'strategies-restored'}: {', '.join(done.differing)}."
        )
    if facts.audit_problem:
        lines.append(facts.audit_problem)
    if facts.sealed:
        lines.append(
            f"{facts.sealed} secrets of accounts are in it, sealed: give this engine the key they"
            " were sealed with (docs/backup.md), or enter them again on the Accounts page."
        )
    lines.append("The key to the API is not in it: the engine makes a new one.")
    if is_elsewhere:
        lines.append(
            f"Start it with QUARTERDECK_DATA={data} QUARTERDECK_STRATEGIES={data}/strategies."
        )
    lines.append("Start no engine on it while the one it was made of still trades.")
    return lines


def _document(backup: Backup) -> dict[str, Any]:
    return {
        "name": backup.name,
        "created_at": backup.created_at.isoformat(),
        "size": backup.size,
        "problem": backup.problem,
        "manifest": None if backup.manifest is None else _described(backup.manifest),
    }


def _described(manifest: Manifest) -> dict[str, Any]:
    """The manifest, with a count in place of its files."""
    document = manifest.model_dump(mode="json", exclude={"members"})
    return document | {"files": len(manifest.members)}


def _facts(made: Backup) -> list[tuple[str, str]]:
    size = [("size", f"{made.size:,} bytes")]
    return size if made.manifest is None else [*size, *_manifest_facts(made.manifest)]


def _manifest_facts(manifest: Manifest) -> list[tuple[str, str]]:
    return [
        ("made", f"{moment(manifest.created_at.isoformat())} UTC"),
        ("version", f"{manifest.version}, tables {manifest.facts.revision}"),
        ("database", manifest.database),
        ("rows", f"{sum(manifest.facts.counts.values()):,}"),
        ("files", str(len(manifest.members))),
        ("candles", "yes" if manifest.has_candles else "no"),
        ("sealed secrets", str(manifest.facts.sealed)),
    ]
