"""``python -m engine``: reads the command line, runs one command, says how it ended."""

import contextlib
import io
import os
import sys
from collections.abc import Sequence
from functools import cache

import typer
from typer.core import TyperGroup
from typer.main import get_group

from engine.cli import (
    accounts,
    alerts,
    backtest,
    backups,
    bots,
    brokers,
    candles,
    commands,
    doctor,
    models,
    news,
    signals,
    tokens,
    tune,
    venue_accounts,
)
from engine.cli.context import Desk
from engine.cli.failures import BAD_INPUT, FAILED, BadInput, Failure
from engine.cli.output import one_line

JSON_FLAG = "--json"

EPILOG = (
    "Add --json anywhere for one JSON document on stdout. Exit codes: 0 done, 1 failed, "
    "2 bad input, 3 the engine is not running. QUARTERDECK_DATA names the data folder, "
    "QUARTERDECK_API_PORT the port."
)


def build() -> typer.Typer:
    """All commands."""
    app = typer.Typer(
        name="engine",
        help="Quarterdeck's engine, and the commands that speak to it.",
        epilog=EPILOG,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback(invoke_without_command=True)(commands.default)
    tables = (
        commands.COMMANDS,
        doctor.COMMANDS,
        news.COMMANDS,
        accounts.COMMANDS,
        backtest.COMMANDS,
        tune.COMMANDS,
        backups.COMMANDS,
    )
    for name, command in (row for one in tables for row in one.items()):
        app.command(name)(command)
    app.add_typer(bots.build(), name="bots")
    app.add_typer(candles.build(), name="candles")
    app.add_typer(models.build(), name="ai")
    app.add_typer(backups.build(), name="backups")
    app.add_typer(brokers.build(), name="brokers")
    app.add_typer(venue_accounts.build(), name="accounts")
    app.add_typer(tokens.build(), name="tokens")
    app.add_typer(alerts.build(), name="alerts")
    app.add_typer(signals.build(), name="signals")
    return app


@cache
def group() -> TyperGroup:
    """All commands, ready to run; made once, for who runs many in one process."""
    return get_group(build())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    is_json = JSON_FLAG in words
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console may lack a letter of a bot's name
            stream.reconfigure(errors="backslashreplace")
    desk = Desk(is_json)
    try:
        with contextlib.closing(desk):
            result = group()(
                [word for word in words if word != JSON_FLAG],
                prog_name="python -m engine",
                standalone_mode=False,
                obj=desk,
            )
    except Failure as failure:
        desk.printer.fail(failure)
        return failure.exit_code
    except typer.TyperException as error:
        desk.printer.fail(BadInput(_sentence(error), "usage"))
        return BAD_INPUT
    except typer.Abort:
        return FAILED
    except BrokenPipeError:
        # The reader went away, as in "... | head". Python would complain once more at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return result if isinstance(result, int) else 0


def _sentence(error: typer.TyperException) -> str:
    words = one_line(error.format_message()).strip().replace("Value error, ", "")
    return f"{words.rstrip('.')} (see 'python -m engine --help')."
