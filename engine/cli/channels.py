"""``alerts channels ...`` and ``alerts matrix ...``: the ways to people, and what each tells.

Secrets are asked for, or read from stdin as lines of NAME=VALUE; never taken from the command line.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import quote

import httpx
import typer

from engine.cli import options as notation
from engine.cli.context import Desk, desk_of
from engine.cli.failures import BadInput, Failure
from engine.cli.output import moment, table
from engine.cli.secret_input import read_secrets
from engine.domain.alerts import AlertKind, ChannelKind

ALL = "all"
PATIENT = httpx.Timeout(60.0, connect=2.0)
"""A provider may take its time, and its library some to load."""

Key = Annotated[str, typer.Argument(metavar="CHANNEL", help="its name or id")]
Fields = Annotated[
    list[str] | None,
    typer.Option("--field", metavar="NAME=VALUE", help="of its form, but no secret; repeatable"),
]
Secrets = Annotated[bool, typer.Option(help="replace secrets; those left empty stay")]
Enabled = Annotated[bool | None, typer.Option("--on/--off", help="tell, or tell nothing")]
Bots = Annotated[
    list[str] | None, typer.Option("--bot", help="tell of these alone; repeatable; none: of all")
]
Quiet = Annotated[
    str | None, typer.Option(help="22:00-07:00@Europe/Berlin (UTC without a zone), or none")
]
PerMinute = Annotated[int | None, typer.Option("--per-minute", help="messages a minute at most")]
DigestAbove = Annotated[
    int | None, typer.Option("--digest-above", help="more alerts than this come in one message")
]
DigestWindow = Annotated[
    str | None, typer.Option("--digest-window", help="when they come within this time, as in 60s")
]
EscalateTo = Annotated[str | None, typer.Option(help="the channel that takes over, or none")]
EscalateAfter = Annotated[str | None, typer.Option(help="when that happens, as in 5m")]
Price = Annotated[
    str | None, typer.Option("--segment-price", help="of an SMS's segment, in US dollars, or none")
]


def build_channels() -> typer.Typer:
    """``channels`` with its commands."""
    group = typer.Typer(help="Ways to people: SMS, Telegram, email, ...", no_args_is_help=True)
    for name, command in (("list", list_channels), ("forms", forms), ("add", add),
                          ("set", set_channel), ("verify", verify), ("test", test),
                          ("delete", delete)):  # fmt: skip
        group.command(name)(command)
    return group


def build_matrix() -> typer.Typer:
    """``matrix`` with its commands."""
    group = typer.Typer(help="What each channel tells.", no_args_is_help=True)
    group.command("show")(show_matrix)
    group.command("set")(set_matrix)
    return group


# --- channels -------------------------------------------------------------------------------------


def list_channels(ctx: typer.Context) -> None:
    """All channels, without their secrets."""
    desk = desk_of(ctx)
    found = desk.engine.get("/channels")
    head = ("channel", "id", "kind", "tells", "sent last (UTC)", "waiting", "")
    rows = [
        (one["name"], one["id"], one["kind_title"],
         f"{len(one['kinds'])} kinds" if one["is_enabled"] else "nothing: disabled",
         moment(one["last_sent_at"]), str(one["waiting"]), one["trouble"] or one["last_error"])
        for one in found
    ]  # fmt: skip
    empty = "No channels yet; 'python -m engine alerts channels add --help' tells how to add one."
    desk.printer.show(found, table(head, rows, empty))


def forms(ctx: typer.Context) -> None:
    """Kinds of channels, with the fields that each needs."""
    desk = desk_of(ctx)
    found = desk.engine.get("/channels/forms")
    head = ("kind", "field", "", "what it is")
    rows = [
        (form["kind"], field["name"],
         "secret" if field["is_secret"] else "optional" if field["is_optional"] else "",
         f"{field['title']}: {' or '.join(field['options']) or field['help']}")
        for form in found for field in form["fields"]
    ]  # fmt: skip
    desk.printer.show(found, table(head, rows, "There are no kinds of channels."))


def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="what you call it")],
    kind: Annotated[ChannelKind, typer.Option(help="'alerts channels forms' tells their fields")],
    field: Fields = None,
) -> None:
    """Add a channel; its secrets are asked for, or read from stdin as lines of NAME=VALUE.

    It tells what such a channel usually tells; see 'alerts matrix' and 'alerts channels set'.
    """
    desk = desk_of(ctx)
    form = _form(desk, kind)
    fields = _plain_fields(form, field or [])
    fields |= read_secrets([one for one in form["fields"] if one["is_secret"]])
    view = desk.engine.post("/channels", {"name": name, "kind": kind.value, "fields": fields})
    _report(desk, view, "is added; 'alerts channels test' sends it a message")


def set_channel(
    ctx: typer.Context,
    channel: Key,
    name: Annotated[str | None, typer.Option(help="call it otherwise")] = None,
    field: Fields = None,
    secrets: Secrets = False,
    enabled: Annotated[
        bool | None, typer.Option("--on/--off", help="tell, or tell nothing")
    ] = None,
    bot: Bots = None,
    quiet: Quiet = None,
    per_minute: PerMinute = None,
    digest_above: DigestAbove = None,
    digest_window: DigestWindow = None,
    escalate_to: EscalateTo = None,
    escalate_after: EscalateAfter = None,
    segment_price: Price = None,
) -> None:
    """Change a channel; what is not given stays."""
    desk = desk_of(ctx)
    changes: dict[str, Any] = {
        "name": name, "is_enabled": enabled, "most_per_minute": per_minute,
        "digest_above": digest_above,
        "bots": None if bot is None else [] if bot == [notation.NONE] else bot,
        "digest_window_s": _seconds(digest_window, "--digest-window"),
        "escalate_to": "" if escalate_to == notation.NONE else escalate_to,
        "escalate_after_s": _seconds(escalate_after, "--escalate-after"),
    }  # fmt: skip
    changes = {one: value for one, value in changes.items() if value is not None}
    if quiet is not None:
        changes["quiet"] = _quiet(quiet)
    if segment_price is not None:
        changes["segment_price"] = None if segment_price == notation.NONE else segment_price
    if field or secrets:
        form = _form(desk, desk.engine.get(channel_path(channel))["kind"])
        changes["fields"] = _plain_fields(form, field or [])
        if secrets:
            secret = [one for one in form["fields"] if one["is_secret"]]
            changes["fields"] |= read_secrets(secret, is_change=True)
    if not changes:
        raise BadInput("Nothing to change was given; see --help.", "usage")
    _report(desk, desk.engine.put(channel_path(channel), changes), "is changed")


def verify(ctx: typer.Context, channel: Key) -> None:
    """Ask a channel's provider about its credentials; nothing is sent."""
    _ask(desk_of(ctx), channel, "verify")


def test(ctx: typer.Context, channel: Key) -> None:
    """Send a test message now, and show what the provider answers."""
    _ask(desk_of(ctx), channel, "test")


def delete(ctx: typer.Context, channel: Key) -> None:
    """Delete a channel with its secrets; what waits for it is dropped."""
    desk = desk_of(ctx)
    desk.engine.delete(channel_path(channel))
    desk.printer.show({"deleted": channel}, [f"Channel '{channel}' and its secrets are deleted."])


# --- the matrix -----------------------------------------------------------------------------------


def show_matrix(ctx: typer.Context) -> None:
    """What is told by which channel."""
    desk = desk_of(ctx)
    found, kinds = desk.engine.get("/channels"), desk.engine.get("/alerts/kinds")
    document = {one["name"]: one["kinds"] for one in found}
    head = ("kind", "", *(one["name"] for one in found))
    rows = [
        (row["kind"], row["title"], *("x" if row["kind"] in one["kinds"] else "" for one in found))
        for row in kinds
    ]
    empty = "There are no kinds of alerts."
    desk.printer.show(document, table(head, rows, empty))


def set_matrix(
    ctx: typer.Context,
    channel: Annotated[str, typer.Argument(help="a channel's name or id, or all")],
    kind: Annotated[str, typer.Argument(help="a kind, as 'alerts matrix show' names it, or all")],
    state: Annotated[str, typer.Argument(help="on or off")],
) -> None:
    """Have a channel tell a kind of alert, or not."""
    if state not in ("on", "off"):
        raise BadInput(f"'{state}' is neither on nor off.")
    if kind != ALL and kind not in set(AlertKind):
        known = ", ".join(AlertKind)
        raise BadInput(f"There is no kind '{kind}'; there are: all, {known}.")
    desk = desk_of(ctx)
    cell = {"channel": "" if channel == ALL else channel, "kind": None if kind == ALL else kind,
            "is_on": state == "on"}  # fmt: skip
    found = desk.engine.put("/alerts/matrix", {"cells": [cell]})
    lines = [f"{one['name']}: {', '.join(one['kinds']) or 'nothing'}" for one in found]
    desk.printer.show(found, lines or ["There are no channels."])


# --- parts ----------------------------------------------------------------------------------------


def channel_path(key: str, verb: str = "") -> str:
    """The address of a channel by id or name. Raises BadInput for what can be neither."""
    if not key.strip() or key in (".", ".."):
        raise BadInput("A channel is named by its name or id.")
    path = f"/channels/{quote(key, safe='')}"
    return f"{path}/{verb}" if verb else path


def _ask(desk: Desk, channel: str, verb: str) -> None:
    """Show what a provider says. Raises Failure when it refuses."""
    told = desk.engine.post(channel_path(channel, verb), timeout=PATIENT)
    answer = f" It answered: {told['answer']}" if told["answer"] else ""
    if not told["is_ok"]:
        raise Failure(f"{told['channel_name']}: {told['error']}{answer}", "channel")
    what = "took the test message" if verb == "test" else "accepts the credentials"
    desk.printer.show(told, [f"The provider of '{told['channel_name']}' {what}.{answer}"])


def _form(desk: Desk, kind: str) -> Mapping[str, Any]:
    found: Sequence[Mapping[str, Any]] = desk.engine.get("/channels/forms")
    return next(one for one in found if one["kind"] == kind)


def _plain_fields(form: Mapping[str, Any], given: Sequence[str]) -> dict[str, str]:
    """``NAME=VALUE`` pairs. Raises BadInput for a secret: it would be in the shell's memory."""
    secret = {one["name"] for one in form["fields"] if one["is_secret"]}
    fields = {}
    for pair in given:
        name, mark, value = (part.strip() for part in pair.partition("="))
        if not mark or not name:
            raise BadInput("--field: give it as NAME=VALUE.")
        if name in secret:
            raise BadInput(
                f"--field: '{name}' is a secret; it is asked for, or read from stdin as {name}=..."
            )
        fields[name] = value
    return fields


def _quiet(words: str) -> dict[str, Any] | None:
    """``22:00-07:00@Europe/Berlin`` as the API takes it. Raises BadInput."""
    if words == notation.NONE:
        return None
    match = re.fullmatch(r"(\d\d:\d\d)-(\d\d:\d\d)(?:@([\w/+-]+))?", words.strip())
    if match is None:
        raise BadInput(f"--quiet: '{words}' is not of the form 22:00-07:00@Europe/Berlin.")
    return {"start": match[1], "end": match[2], "zone": match[3] or "UTC"}


def _seconds(words: str | None, option: str) -> int | None:
    return None if words is None else notation.seconds(words, option)


def _report(desk: Desk, view: Mapping[str, Any], words: str) -> None:
    state = "" if view["is_enabled"] else " It is disabled."
    trouble = f" {view['trouble']}" if view["trouble"] else ""
    line = f"Channel '{view['name']}' ({view['id']}, {view['kind_title']}) {words}.{state}{trouble}"
    desk.printer.show(view, [line])
