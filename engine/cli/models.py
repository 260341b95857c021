"""``ai ...``: whether a model can be asked, what was asked, and asking without consequences."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from engine.cli.client import bot_path
from engine.cli.context import desk_of
from engine.cli.exports import export
from engine.cli.output import moment, pairs, table

PATIENCE = httpx.Timeout(150.0, connect=2.0)
"""A model may take the longest deadline that a bot can have."""

Bot = Annotated[str | None, typer.Option("--bot", help="a bot's name or id")]
Time = Annotated[str | None, typer.Option(help="as 2026-01-31T00:00:00Z")]


def build() -> typer.Typer:
    """The group of commands about models."""
    group = typer.Typer(help="Models: what they were asked and said.", rich_markup_mode=None)
    for name, command in (("status", status), ("advice", advice), ("dry-run", dry_run)):
        group.command(name)(command)
    return group


def status(ctx: typer.Context) -> None:
    """Whether a model can be asked, how good its answers were, what is used of the budget."""
    desk = desk_of(ctx)
    summary = desk.engine.get("/ai/summary")
    state, budget = summary["status"], summary["status"]["budget"]
    found = summary["calibration"]["accuracy"]
    rows = [
        ("model", f"{state['provider']}: {state['model']}"),
        ("can be asked", state["objection"] or "yes"),
        ("paused until", moment(state["paused_until"])),
        ("last error", state["last_error"] or "-"),
        ("bots", ", ".join(state["bots"]) or "-"),
        ("budget today", f"{budget['used_usd']} of {budget['budget_usd']} USD"),
        ("calls today", f"{budget['calls_today']} of {budget['calls_per_day']}"),
        ("questions", str(summary["count"])),
        ("right", _share(found)),
        *((f"held back, {one['quote'] or 'unknown'}", _held_back(one))
          for one in summary["held_back"]),
    ]  # fmt: skip
    desk.printer.show(summary, pairs(rows))


def advice(
    ctx: typer.Context,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", help="write all that match to this file")
    ] = None,
    bot: Bot = None,
    state: Annotated[str | None, typer.Option(help="answered, invalid, late ...")] = None,
    purpose: Annotated[str | None, typer.Option(help="decide, review, dry_run, replay")] = None,
    verdict: Annotated[str | None, typer.Option(help="pass, reduce, veto")] = None,
    text: Annotated[str | None, typer.Option(help="a part of answer, error or names")] = None,
    since: Time = None,
    until: Time = None,
    limit: Annotated[int, typer.Option(help="how many at most")] = 50,
    offset: Annotated[int, typer.Option(help="how many of the newest to leave out")] = 0,
) -> None:
    """What models were asked and what came of it, newest first, or all of it as CSV."""
    desk = desk_of(ctx)
    query = {
        "bot": bot, "state": state, "purpose": purpose, "verdict": verdict, "text": text,
        "since": since, "until": until,
    }  # fmt: skip
    if csv_file is not None:
        export(desk, csv_file, "/ai/advice.csv", query, "questions")
        return
    page = desk.engine.get("/ai/advice", **query, limit=limit, offset=offset)
    head = ("asked (UTC)", "bot", "for", "state", "action", "confidence", "verdict", "right",
            "value", "USD", "why")  # fmt: skip
    desk.printer.show(page, table(head, [_row(one) for one in page["items"]], "Nothing asked yet."))


def dry_run(
    ctx: typer.Context,
    bot: Annotated[str, typer.Argument(metavar="BOT", help="its name or id")],
    at: Time = None,
    side: Annotated[
        str, typer.Option(help="long or short: what is judged where its strategy wants nothing")
    ] = "long",
    role: Annotated[str | None, typer.Option(help="advisor or decider [the bot's]")] = None,
    instructions: Annotated[str | None, typer.Option(help="[the bot's]")] = None,
    model: Annotated[str | None, typer.Option(help="[the bot's]")] = None,
) -> None:
    """Ask a model about a bot's real candles; it costs a question, and no order follows."""
    desk = desk_of(ctx)
    request: dict[str, Any] = {"bot": bot, "at": at, "side": side}
    changes = {"role": role, "instructions": instructions, "model": model}
    given = {name: value for name, value in changes.items() if value is not None}
    if given:
        request["ai"] = {**(desk.engine.get(bot_path(bot))["config"]["ai"] or {}), **given}
    run = desk.engine.post("/ai/dry-run", request, timeout=PATIENCE)
    desk.printer.show(run, pairs(_told(run)))


def _told(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = run["advice"]
    decision, counsel = found["decision"] or {}, found["counsel"] or {}
    supposed = "; an entry was supposed" if run["is_supposed"] else ""
    return [
        ("candle closed", moment(run["closed_at"])),
        ("strategy wanted", f"{run['wanted']}{supposed}"),
        ("model", found["model"]),
        ("state", found["state"]),
        ("action", decision.get("action", "-")),
        ("confidence", _number(decision.get("confidence"))),
        ("reasoning", decision.get("reasoning", "-")),
        ("verdict", counsel.get("verdict", "-")),
        ("why", counsel.get("reason") or found["error"] or "-"),
        ("tokens", f"{found['tokens_in']} in, {found['tokens_out']} out"),
        ("cost", f"{found['cost']} USD"),
        ("took", f"{found['latency_s']:.1f} s"),
    ]


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    decision, outcome = one["decision"] or {}, one["outcome"] or {}
    is_right = {True: "yes", False: "no", None: "-"}[outcome.get("is_right")]
    return (
        moment(one["asked_at"]), one["bot_name"], one["purpose"], one["state"],
        decision.get("action", "-"), _number(decision.get("confidence")), one["verdict"] or "-",
        is_right, outcome.get("value") or "-", one["cost"], one["verdict_reason"] or one["error"],
    )  # fmt: skip


def _share(found: Mapping[str, Any]) -> str:
    """``62 % of 50 (48 % to 74 %)``."""
    if found["share"] is None:
        return "not known yet"
    low, high = found["interval"]["low"], found["interval"]["high"]
    return f"{found['share']:.0%} of {found['count']} ({low:.0%} to {high:.0%})"


def _held_back(one: Mapping[str, Any]) -> str:
    count = one["vetoed"] + one["reduced"]
    return f"{count} entries, which would have made {one['value']} {one['quote']}".rstrip()


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
