"""``accounts`` alone, ``reconcile``, ``findings``, ``resolve``: books against venues."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from engine.cli.context import desk_of
from engine.cli.output import moment, table
from engine.domain.accounts import FindingState, Resolution

Account = Annotated[str | None, typer.Option("--account", help="an account's id")]
State = Annotated[FindingState | None, typer.Option(help="[open]")]
Limit = Annotated[int, typer.Option(help="how many at most")]


def accounts(ctx: typer.Context, account: Account = None) -> None:
    """What each account has of each asset, in the books and at its venue."""
    if ctx.invoked_subcommand is not None:
        return
    desk = desk_of(ctx)
    reports = _chosen(desk.engine.get("/reconcile"), account)
    head = ("account", "asset", "books", "venue", "difference", "owned", "reserved", "dust",
            "nobody's")  # fmt: skip
    rows = [
        (report["account_id"], row["asset"], row["books"], row["venue"] or "-",
         row["difference"] or "-", row["owned"], row["reserved"], row["dust"], row["unassigned"])
        for report in reports
        for row in report["assets"]
    ]  # fmt: skip
    desk.printer.show(reports, table(head, rows, "No account holds anything yet."))


def reconcile(ctx: typer.Context, account: Account = None) -> None:
    """Compare an account with its venue now; without one, all that bots use."""
    desk = desk_of(ctx)
    ids = [account] if account else [one["account_id"] for one in desk.engine.get("/reconcile")]
    reports = [desk.engine.post("/reconcile", {"account_id": one}) for one in ids]
    head = ("account", "health", "checked (UTC)", "open findings", "entries", "detail")
    rows = [
        (one["account_id"], one["health"], moment(one["checked_at"]), str(len(one["findings"])),
         "halted" if one["objection"] else "go on", one["detail"] or one["objection"] or "")
        for one in reports
    ]  # fmt: skip
    desk.printer.show(reports, table(head, rows, "No bot uses an account yet."))


def findings(
    ctx: typer.Context,
    account: Account = None,
    state: State = FindingState.OPEN,
    is_all: Annotated[bool, typer.Option("--all", help="those that are settled, too")] = False,
    limit: Limit = 200,
) -> None:
    """Differences between books and venues, the newest seen first."""
    desk = desk_of(ctx)
    wanted = None if is_all or state is None else state.value
    found = desk.engine.get("/findings", account_id=account, state=wanted, limit=limit)
    head = ("finding", "state", "halts", "since (UTC)", "detail")
    rows = [
        (one["id"], one["state"], "yes" if one["is_blocking"] else "no",
         moment(one["first_seen"]), one["detail"])
        for one in found
    ]  # fmt: skip
    desk.printer.show(found, table(head, rows, "Books and venues agree."))


def resolve(
    ctx: typer.Context,
    finding: Annotated[str, typer.Argument(help="its id, as 'findings' shows it")],
    resolution: Annotated[Resolution, typer.Argument(help="what to do about it")],
    bot: Annotated[str | None, typer.Option("--bot", help="who adopts it: name or id")] = None,
) -> None:
    """Decide about a difference; its account is checked again at once."""
    desk = desk_of(ctx)
    request = {"finding_id": finding, "resolution": resolution.value, "bot_id": bot}
    settled = desk.engine.post("/findings/resolve", request)
    desk.printer.show(settled, [f"{settled['detail']}: {settled['state']}."])


def _chosen(reports: Sequence[dict[str, Any]], account: str | None) -> list[dict[str, Any]]:
    return [one for one in reports if account in (None, one["account_id"])]


COMMANDS: dict[str, Callable[..., Any]] = {
    "reconcile": reconcile,
    "findings": findings,
    "resolve": resolve,
}
