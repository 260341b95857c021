"""``accounts ...``: add, list, test, change, enable, disable, delete, log in.

Secrets are asked for, or read from stdin as lines of NAME=VALUE; never taken from the command line,
which other users of the machine can see and the shell remembers.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import quote

import typer

from engine.cli import options as notation
from engine.cli.accounts import accounts
from engine.cli.context import Desk, desk_of
from engine.cli.failures import BadInput
from engine.cli.output import moment, pairs, table
from engine.cli.secret_input import read_secrets
from engine.domain.venue_accounts import Mode

Key = Annotated[str, typer.Argument(metavar="ACCOUNT", help="its name or id")]
Option = Annotated[
    list[str] | None, typer.Option("--option", metavar="NAME=VALUE", help="repeatable")
]
Yes = Annotated[bool, typer.Option("--yes", help="also while its bots trade; their exits go on")]


def build() -> typer.Typer:
    """The group of commands about accounts; without one of them, what accounts hold."""
    group = typer.Typer(
        help="Accounts: add, test, change, delete; without a command, what they hold.",
        rich_markup_mode=None,
    )
    group.callback(invoke_without_command=True)(accounts)
    commands = (("add", add), ("list", list_accounts), ("venues", venues), ("test", test),
                ("rename", rename), ("secrets", secrets), ("options", set_options),
                ("login", login), ("enable", enable), ("disable", disable),
                ("delete", delete))  # fmt: skip
    for name, command in commands:
        group.command(name)(command)
    return group


def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="what you call it")],
    venue: Annotated[str, typer.Option(help="a venue's id, as 'accounts venues' shows it")],
    mode: Annotated[Mode, typer.Option(help="test or live: whose money it moves")],
    option: Option = None,
) -> None:
    """Add an account; its secrets are asked for, or read from stdin as lines of NAME=VALUE.

    It is tested at once, and takes no orders until a test has gone well.
    """
    desk = desk_of(ctx)
    form = _venue(desk, venue)
    request = {
        "name": name, "venue": venue, "mode": mode.value,
        "options": _options(form, option or []), "secrets": read_secrets(form["secrets"]),
    }  # fmt: skip
    _report(desk, desk.engine.post("/venue-accounts", request), "is added")


def list_accounts(ctx: typer.Context) -> None:
    """All accounts that were added."""
    desk = desk_of(ctx)
    found = desk.engine.get("/venue-accounts")
    head = ("name", "id", "venue", "mode", "entries", "tested (UTC)", "bots", "")
    rows = [
        (one["name"], one["id"], one["venue_title"], one["mode"].upper(),
         "no" if one["objection"] or one["trouble"] else "yes", moment(one["tested_at"]),
         str(len(one["bots"])), one["trouble"] or one["objection"] or "")
        for one in found
    ]  # fmt: skip
    empty = "No accounts yet; add one with 'python -m engine accounts add --help'."
    desk.printer.show(found, table(head, rows, empty))


def venues(ctx: typer.Context) -> None:
    """Venues that accounts can be added at, with their options and secrets."""
    desk = desk_of(ctx)
    found = desk.engine.get("/venues")
    head = ("id", "title", "modes", "options", "secrets")
    rows = [
        (one["id"], one["title"], ", ".join(one["modes"]),
         ", ".join(one["options"].get("properties", {})) or "-",
         ", ".join(field["name"] for field in one["secrets"]) or "-")
        for one in found
    ]  # fmt: skip
    desk.printer.show(found, table(head, rows, "There are no venues."))


def test(ctx: typer.Context, account: Key) -> None:
    """Ask an account's venue about its key, clock, balance and minimums."""
    desk = desk_of(ctx)
    view = desk.engine.post(account_path(account, "test"))
    desk.printer.show(view, _checks(view))


def rename(
    ctx: typer.Context, account: Key, name: Annotated[str, typer.Argument(help="the new name")]
) -> None:
    """Call an account otherwise."""
    desk = desk_of(ctx)
    _report(desk, desk.engine.patch(account_path(account), {"name": name}), "is renamed")


def secrets(ctx: typer.Context, account: Key) -> None:
    """Replace an account's secrets; those that are left empty stay."""
    desk = desk_of(ctx)
    form = _venue(desk, desk.engine.get(account_path(account))["venue"])
    given = read_secrets(form["secrets"], is_change=True)
    if not given:
        raise BadInput("No secret was given; nothing is changed.")
    _report(desk, desk.engine.patch(account_path(account), {"secrets": given}), "is changed")


def set_options(ctx: typer.Context, account: Key, option: Option = None) -> None:
    """Change an account's options; those that are not given stay."""
    desk = desk_of(ctx)
    view = desk.engine.get(account_path(account))
    if not option:
        raise BadInput("Nothing to change was given: --option NAME=VALUE.", "usage")
    changed = {**view["options"], **_options(_venue(desk, view["venue"]), option)}
    _report(desk, desk.engine.patch(account_path(account), {"options": changed}), "is changed")


def login(ctx: typer.Context, account: Key) -> None:
    """Log in to a venue whose keys hold for a day: open the address, paste what it leads to."""
    desk = desk_of(ctx)
    url = desk.engine.get(account_path(account, "login"))["url"]
    if sys.stdin.isatty():
        typer.echo(f"Open this address and log in:\n{url}", err=True)
        answer = typer.prompt("The address you were sent back to", hide_input=True, err=True)
    else:
        answer = sys.stdin.readline().strip()
    if not answer:
        raise BadInput(f"Log in at {url}, then give the address you were sent back to on stdin.")
    view = desk.engine.post(account_path(account, "login"), {"answer": answer})
    _report(desk, view, f"is logged in until {moment(view['expires_at'])} UTC")


def enable(ctx: typer.Context, account: Key) -> None:
    """Let an account take entries."""
    desk = desk_of(ctx)
    _report(desk, desk.engine.post(account_path(account, "enable")), "is enabled")


def disable(ctx: typer.Context, account: Key, yes: Yes = False) -> None:
    """Let an account take no entries; exits go on."""
    desk = desk_of(ctx)
    view = desk.engine.post(account_path(account, "disable"), {"confirm": yes})
    _report(desk, view, "is disabled")


def delete(ctx: typer.Context, account: Key) -> None:
    """Delete an account that no bot uses, with its secrets."""
    desk = desk_of(ctx)
    desk.engine.delete(account_path(account))
    desk.printer.show({"deleted": account}, [f"Account '{account}' and its secrets are deleted."])


def account_path(key: str, verb: str = "") -> str:
    """The address of an account by id or name. Raises BadInput for what can be neither."""
    if not key.strip() or key in (".", ".."):
        raise BadInput("An account is named by its name or id.")
    path = f"/venue-accounts/{quote(key, safe='')}"
    return f"{path}/{verb}" if verb else path


def _venue(desk: Desk, venue_id: str) -> Mapping[str, Any]:
    found: Sequence[Mapping[str, Any]] = desk.engine.get("/venues")
    for one in found:
        if one["id"] == venue_id:
            return one
    known = ", ".join(one["id"] for one in found) or "none"
    raise BadInput(f"There is no venue '{venue_id}'; there are: {known}.")


def _options(form: Mapping[str, Any], given: Sequence[str]) -> dict[str, Any]:
    """``NAME=VALUE`` pairs by the types of the form: what is text there stays text."""
    fields = form["options"].get("properties", {})
    found = {}
    for pair in given:
        name, mark, value = pair.partition("=")
        if not mark or not name.strip():
            raise BadInput(f"--option: '{pair}' is not of the form NAME=VALUE.")
        shape = fields.get(name.strip(), {})
        is_text = any(one.get("type") == "string" for one in (shape, *shape.get("anyOf", ())))
        found[name.strip()] = value.strip() if is_text else notation.scalar(value.strip())
    return found


def _report(desk: Desk, view: dict[str, Any], words: str) -> None:
    why = view["trouble"] or view["objection"]
    state = f"it takes no entries: {why}" if why else "it takes entries"
    line = f"Account '{view['name']}' ({view['id']}, {view['mode'].upper()}) {words}; {state}."
    desk.printer.show(view, [line, *(_checks(view) if view["inspection"] else [])])


def _checks(view: Mapping[str, Any]) -> list[str]:
    if view["inspection"] is None:
        return ["It has not been tested yet."]
    rows = [
        (f"{one['grade'].upper()} {one['name']}",
         f"{one['detail']}. {one['advice']}".removesuffix(" ") if one["advice"] else one["detail"])
        for one in view["inspection"]["checks"]
    ]  # fmt: skip
    return pairs(rows) if rows else ["Its venue tells nothing about it."]
