"""The commands about the engine as a whole."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.cli.base_lines import base_lines
from engine.cli.client import URGENT
from engine.cli.context import desk_of
from engine.cli.exports import export
from engine.cli.failures import BadInput, Failure, NotRunning
from engine.cli.latch import read_latch, write_latch
from engine.cli.output import amount, moment, pairs, percent, signed, table
from engine.domain.records import KillLevel, ScopeKind

Bot = Annotated[str | None, typer.Option("--bot", help="a bot's name or id")]
Limit = Annotated[int, typer.Option(help="how many at most")]
Since = Annotated[str | None, typer.Option(help="closed at or after, as 2026-01-31T00:00:00Z")]
Until = Annotated[str | None, typer.Option(help="closed before")]


def default(ctx: typer.Context) -> int:
    """Without a command, run the engine."""
    return run(ctx) if ctx.invoked_subcommand is None else 0


def run(ctx: typer.Context) -> int:
    """Run the engine in the foreground until Ctrl-C."""
    settings = desk_of(ctx).settings
    from engine.bootstrap import run_engine  # slow to load, and no other command needs it

    return run_engine(settings)


def watcher(ctx: typer.Context) -> int:
    """Run the watcher, which alerts when the engine does not answer, until Ctrl-C."""
    settings = desk_of(ctx).settings
    from engine.bootstrap_watcher import run_watcher

    return run_watcher(settings)


def status(ctx: typer.Context) -> None:
    """Is the engine running, and what are its bots doing?"""
    desk = desk_of(ctx)
    health, overview = desk.engine.get("/health"), desk.engine.get("/overview")
    found = desk.engine.get("/controls")
    kill = overview["kill"]
    document = {
        "health": health,
        "kill": kill,
        "controls": found,
        "states": overview["states"],
        "totals": overview["totals"],
        "base": overview["base"],
    }
    counts = sorted(overview["states"].items())
    states = ", ".join(f"{count} {state}" for state, count in counts if count)
    lines = pairs(
        [
            ("engine", f"{health['status']}, version {health['version']}"),
            ("since", f"{moment(health['started_at'])} UTC"),
            ("heartbeat", f"{moment(health['heartbeat_at'])} UTC"),
            ("kill switch", "off" if kill["level"] == "none" else _words(kill["level"])),
            ("controls", str(len(found)) if found else "none"),
            ("bots", states or "none"),
        ]
    )
    for total in overview["totals"]:
        lines.append(
            f"{total['quote']}: equity {amount(total['equity'])}, today "
            f"{signed(total['today_pnl'])}, open {signed(total['unrealised_pnl'])} in "
            f"{total['open_positions']} positions"
        )
    if overview["base"] is not None and overview["totals"]:
        lines += base_lines(overview["base"])
    desk.printer.show(document, lines)


def kill(
    ctx: typer.Context,
    level: Annotated[
        KillLevel,
        typer.Option(help="the default pauses entries and cancels orders; positions are kept"),
    ] = KillLevel.CANCEL_ORDERS,
    bot: Annotated[str | None, typer.Option("--bot", help="only this bot, by name or id")] = None,
    account: Annotated[str | None, typer.Option(help="only this account, by its id")] = None,
    symbol: Annotated[str | None, typer.Option(help="only this symbol, on every account")] = None,
    reason: Annotated[str, typer.Option(help="for those who read it later")] = "",
    is_release: Annotated[bool, typer.Option("--release", help="let bots trade again")] = False,
) -> None:
    """The kill switch, on everything or a part. It stays on, through restarts too, until released.

    When no engine answers it is left in the data folder, which an engine that runs obeys within a
    second and any other at its start (exit code 3).
    """
    desk = desk_of(ctx)
    wanted = KillLevel.NONE if is_release else level
    scope, key = _scope(bot, account, symbol)
    request = {"scope": scope.value, "key": key, "level": wanted.value, "reason": reason}
    try:
        switch = desk.engine.post("/controls", request, timeout=URGENT)
    except BadInput:
        raise
    except Failure as off:
        if wanted is KillLevel.NONE:
            raise
        latched = write_latch(desk.settings.data, wanted, "cli", scope, key, reason)
        message = (
            f"{off.message.rstrip('.')}. The {_control_name(latched.model_dump())} "
            f"'{_words(latched.level.value)}' is latched in the data folder, and the engine of "
            "that folder obeys it."
        )
        raise type(off)(message, off.code) from off
    words = "released" if switch["level"] == "none" else f"on: {_words(switch['level'])}"
    desk.printer.show(switch, [f"The {_control_name(switch)} is {words}."])


def _scope(bot: str | None, account: str | None, symbol: str | None) -> tuple[ScopeKind, str]:
    """What a control is to be on. Raises BadInput for more than one thing, or an empty name."""
    options = {ScopeKind.BOT: bot, ScopeKind.ACCOUNT: account, ScopeKind.SYMBOL: symbol}
    given = [(scope, key) for scope, key in options.items() if key is not None]
    if not given:
        return ScopeKind.EVERYTHING, ""
    if len(given) > 1:
        raise BadInput("Name one of --bot, --account and --symbol, or none of them for everything.")
    scope, key = given[0]
    if not key.strip():
        raise BadInput(f"--{scope.value}: a name is missing.")
    return scope, key.strip()


def controls(ctx: typer.Context) -> None:
    """The controls that are on: the kill switch, and those on accounts, bots and symbols."""
    desk = desk_of(ctx)
    try:
        found = desk.engine.get("/controls")
    except NotRunning as off:
        latched = [f"{_control_name(one.model_dump())} '{_words(one.level.value)}'"
                   for one in read_latch(desk.settings.data)]  # fmt: skip
        told = f" Latched in the data folder: {', '.join(latched)}." if latched else ""
        raise NotRunning(f"{off.message.rstrip('.')}.{told}", off.code) from off
    rows = [
        (one["scope"], one["key"] or "-", _words(one["level"]), one["actor"],
         moment(one["since"]), one["reason"])
        for one in found
    ]  # fmt: skip
    head = ("on", "which", "level", "by", "since (UTC)", "why")
    desk.printer.show(found, table(head, rows, "No control is on."))


def _control_name(switch: Mapping[str, Any]) -> str:
    if switch["scope"] == ScopeKind.EVERYTHING:
        return "kill switch"
    return f"control on the {switch['scope']} {switch['key']}"


def trades(
    ctx: typer.Context,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", help="write all that match to this file")
    ] = None,
    bot: Bot = None,
    symbol: Annotated[str | None, typer.Option()] = None,
    strategy: Annotated[str | None, typer.Option()] = None,
    side: Annotated[str | None, typer.Option(help="long or short")] = None,
    exit_reason: Annotated[str | None, typer.Option(help="as stop_loss or signal")] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    offset: Annotated[int, typer.Option(help="how many of the newest to leave out")] = 0,
) -> None:
    """Closed trades, newest first, or all of them as CSV."""
    desk = desk_of(ctx)
    query = {
        "bot_id": bot,
        "symbol": symbol,
        "strategy": strategy,
        "side": side,
        "exit_reason": exit_reason,
        "since": since,
        "until": until,
    }
    if csv_file is not None:
        export(desk, csv_file, "/trades.csv", query, "trades")
        return
    page = desk.engine.get("/trades", limit=limit, offset=offset, **query)
    head = ("closed (UTC)", "bot", "symbol", "side", "quantity", "entry", "exit", "P&L", "return",
            "why")  # fmt: skip
    rows = [
        (moment(one["exit_time"]), one["bot_name"], one["symbol"], one["side"], one["quantity"],
         amount(one["entry_price"]), amount(one["exit_price"]), signed(one["pnl"]),
         percent(one["return_fraction"]), _words(one["exit_reason"]))
        for one in page["items"]
    ]  # fmt: skip
    lines = table(head, rows, "No trades.")
    for total in page["totals"]:
        lines.append(
            f"{total['count']} trades in {total['quote']}: {signed(total['pnl'])}, fees "
            f"{amount(total['fees'])}, {total['wins']} won, {total['losses']} lost"
        )
    desk.printer.show(page, lines)


def strategies(ctx: typer.Context) -> None:
    """The strategies there are, and what is wrong with broken ones."""
    desk = desk_of(ctx)
    found = desk.engine.get("/strategies")
    rows = [
        (one["id"], one["title"], ", ".join(one["parameters"].get("properties", {})),
         one["error"] or one["summary"])
        for one in found
    ]  # fmt: skip
    desk.printer.show(found, table(("id", "title", "parameters", ""), rows, "No strategies."))


def markets(ctx: typer.Context) -> None:
    """The markets that bots can be created on."""
    desk = desk_of(ctx)
    found = desk.engine.get("/markets")
    rows = [
        (one["id"], one["title"], ",".join(one["timeframes"]), one["error"] or one["description"])
        for one in found
    ]
    desk.printer.show(found, table(("id", "title", "timeframes", ""), rows, "No markets."))


def symbols(
    ctx: typer.Context,
    search: Annotated[str, typer.Argument(help="a part of the symbol or name")] = "",
    market: Annotated[str, typer.Option(help="the market's id")] = "simulated",
    limit: Limit = 50,
) -> None:
    """The symbols of a market."""
    desk = desk_of(ctx)
    found = desk.engine.get("/symbols", market=market, search=search, limit=limit)
    rows = [
        (one["instrument"]["symbol"], one["instrument"]["name"], one["instrument"]["kind"],
         one["instrument"]["min_notional"], one["last_price"] or "-")
        for one in found
    ]  # fmt: skip
    head = ("symbol", "name", "kind", "least", "last")
    desk.printer.show(found, table(head, rows, "No symbols."))


def logs(
    ctx: typer.Context,
    bot: Bot = None,
    level: Annotated[
        str | None, typer.Option(help="the least: debug, info, warning, error")
    ] = None,
    search: Annotated[str | None, typer.Option(help="a part of the message")] = None,
    kind: Annotated[str | None, typer.Option(help="as order or order.filled")] = None,
    limit: Limit = 50,
) -> None:
    """What happened, newest first."""
    desk = desk_of(ctx)
    found = desk.engine.get(
        "/events", bot_id=bot, level=level, search=search, kind=kind, limit=limit
    )
    rows = [
        (moment(one["time"]), one["level"], one["kind"], one["bot_id"] or "-", one["message"])
        for one in found
    ]
    head = ("time (UTC)", "level", "kind", "bot", "message")
    desk.printer.show(found, table(head, rows, "No events."))


def _words(name: str) -> str:
    return name.replace("_", " ")


COMMANDS: dict[str, Callable[..., Any]] = {
    "run": run,
    "watcher": watcher,
    "status": status,
    "trades": trades,
    "kill": kill,
    "controls": controls,
    "strategies": strategies,
    "markets": markets,
    "symbols": symbols,
    "logs": logs,
}
