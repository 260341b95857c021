"""``brokers ...``: descriptions of platforms (docs/rest-broker.md); no engine is needed."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.context import Desk, desk_of
from engine.cli.failures import BAD_INPUT, BadInput, Failure
from engine.cli.output import pairs, table
from engine.domain.venue_accounts import Grade, Mode
from engine.errors import ConfigError

if TYPE_CHECKING:
    from engine.bootstrap_brokers import BadDescription, Description, Finding

WORDS = {Grade.OK: "works", Grade.WARNING: "look at it", Grade.FAILED: "to be fixed",
         Grade.UNKNOWN: "not asked"}  # fmt: skip

File = Annotated[Path, typer.Argument(help="a description, as in data/brokers/NAME.yaml")]
Live = Annotated[bool, typer.Option("--live", help="ask its public endpoints, too")]
Account = Annotated[
    bool,
    typer.Option(
        "--account",
        help="with --live: ask the account's as well, never ordering; its secrets are read from "
        "QUARTERDECK_BROKER_KEY, _SECRET and _PASSPHRASE, or asked for",
    ),
]
Where = Annotated[
    Mode | None, typer.Option("--mode", help="test or live [test where there is one]")
]
Symbol = Annotated[str, typer.Option("--symbol", help="as BTC/USDT [the first that is listed]")]


def build() -> typer.Typer:
    """The group of commands about descriptions."""
    group = typer.Typer(help="Platforms described in YAML: check one.", rich_markup_mode=None)
    for name, command in (("check", check), ("example", example)):
        group.command(name)(command)
    return group


def example(ctx: typer.Context) -> None:
    """Print the example, to begin a description of your own with."""
    from engine.bootstrap_brokers import example_text

    text = example_text()
    desk_of(ctx).printer.show({"text": text}, text.splitlines())


def check(
    ctx: typer.Context, file: File, live: Live = False, account: Account = False,
    mode: Where = None, symbol: Symbol = "",
) -> None:  # fmt: skip
    """Check a description: what is wrong with it by itself, and with --live what answers."""
    from engine.bootstrap_brokers import BadDescription, read_described, try_described

    desk = desk_of(ctx)
    if account and not live:
        raise BadInput("--account asks the platform: say --live too.")
    try:
        described = read_described(file)
        chosen = mode or (Mode.TEST if described.addresses.test else Mode.LIVE)
        secrets = _secrets(described, desk.printer.is_json) if account else {}
        found = list(try_described(described, chosen, secrets, symbol)) if live else []
    except BadDescription as error:
        _show_problems(desk, file, error)
        raise typer.Exit(BAD_INPUT) from error
    except ConfigError as error:
        raise BadInput(error.message, error.code) from error
    about = _about(described)
    document = {
        **about, "mode": chosen.value if live else None,
        "endpoints": [
            {"name": one.endpoint, "result": one.grade.value, "detail": one.detail}
            for one in found
        ],
    }  # fmt: skip
    lines = [*pairs([(name, _joined(value)) for name, value in about.items()])]
    lines += _table(found) if live else ["", f"{file.name} is sound; --live asks the platform."]
    desk.printer.show(document, lines)
    if any(one.grade is Grade.FAILED for one in found):
        raise typer.Exit(Failure.exit_code)


def _about(described: "Description") -> dict[str, Any]:
    words = described.words
    return {
        "name": described.name,
        "modes": [name for name in ("test", "live") if described.address(name)],
        "order types": [kind.value for kind in words.types],
        "times in force": [one.value for one in words.times_in_force],
        "timeframes": list(described.endpoints.candles.timeframes),
        "secrets": sorted(described.secrets),
    }


def _joined(value: str | list[str]) -> str:
    return value if isinstance(value, str) else ", ".join(value) or "none"


def _table(found: "list[Finding]") -> list[str]:
    rows = [(one.endpoint, WORDS[one.grade], one.detail) for one in found]
    failed = sum(one.grade is Grade.FAILED for one in found)
    last = f"{failed} to be fixed." if failed else "Whatever was asked works."
    return ["", *table(("endpoint", "", "what was read, or what to fix"), rows, ""), "", last]


def _secrets(described: "Description", is_json: bool) -> dict[str, str]:
    """From the environment, or typed in unseen where there is somebody to type. Raises BadInput."""
    found = {}
    for name in sorted(described.secrets):
        variable = f"QUARTERDECK_BROKER_{name.upper()}"
        value = os.environ.get(variable, "")
        if not value and sys.stdin.isatty() and not is_json:
            value = typer.prompt(f"{described.name}: {name}", hide_input=True)
        if not value:
            raise BadInput(f"The account's {name} is needed: set {variable}.")
        found[name] = value
    return found


def _show_problems(desk: Desk, file: Path, error: "BadDescription") -> None:
    """All that is wrong with a description, a line each."""
    rows = [{"line": one.line, "key": one.path, "message": one.words} for one in error.problems]
    head = f"{file.name}: {len(rows)} to be fixed."
    document = {"error": {"code": error.code, "message": head, "details": rows}}
    desk.printer.show(document, [head, *(f"  {one}." for one in error.problems)])
