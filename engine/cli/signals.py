"""``signals ...``: what came from outside, what became of it, and the addresses of bots."""

import sys
from typing import Annotated, Any

import typer

from engine.cli.client import bot_path
from engine.cli.context import Desk, desk_of
from engine.cli.failures import BadInput
from engine.cli.output import moment, one_line, pairs, table

Id = Annotated[str, typer.Argument(metavar="ID", help="as 'signals list' shows it")]
BotKey = Annotated[str, typer.Argument(metavar="BOT", help="its name or id")]
Bot = Annotated[str | None, typer.Option(help="of this bot only")]
Source = Annotated[str | None, typer.Option(help="tradingview, webhook, metatrader or panel")]
Kind = Annotated[str | None, typer.Option(help="order, prices or execution")]
State = Annotated[str | None, typer.Option(help="received, acted, held, refused or expired")]
Search = Annotated[str, typer.Option(help="a part of the body or of the outcome")]
Since = Annotated[str | None, typer.Option(help="from this time on (UTC), as 2026-01-31T08:00:00Z")]
Until = Annotated[str | None, typer.Option(help="before this time (UTC)")]
Limit = Annotated[int, typer.Option(help="how many at most")]
Body = Annotated[str, typer.Argument(help="JSON or text, as a sender would post it; - reads stdin")]
Force = Annotated[bool, typer.Option("--force", help="also what was acted on, or was refused")]
Show = Annotated[bool, typer.Option("--show", help="with the key and the signing secret")]
NewKey = Annotated[bool, typer.Option("--new-key", help="make the key anew; the old one ends")]
NewSecret = Annotated[
    bool, typer.Option("--new-secret", help="make the signing secret anew; the old one ends")
]


def build() -> typer.Typer:
    """The group of commands about signals."""
    group = typer.Typer(help="Signals from outside: the inbox.", rich_markup_mode=None)
    commands = (("list", list_signals), ("show", show), ("send", send), ("replay", replay),
                ("webhook", webhook))  # fmt: skip
    for name, command in commands:
        group.command(name)(command)
    return group


def list_signals(
    ctx: typer.Context,
    bot: Bot = None,
    source: Source = None,
    kind: Kind = None,
    state: State = None,
    search: Search = "",
    since: Since = None,
    until: Until = None,
    limit: Limit = 20,
) -> None:
    """Signals, newest first."""
    desk = desk_of(ctx)
    page = desk.engine.get(
        "/signals", bot=bot, source=source, kind=kind, state=state, search=search or None,
        since=since, until=until, limit=limit,
    )  # fmt: skip
    head = ("received", "id", "source", "bot", "state", "outcome", "copies", "body")
    rows = [
        (moment(one["received_at"]), one["id"], one["source"], one["bot_name"] or one["sender"],
         one["state"], one["outcome"], str(one["copies"] or ""), one_line(one["excerpt"])[:60])
        for one in page["items"]
    ]  # fmt: skip
    empty = "No signal; 'python -m engine signals webhook BOT' says where to send one."
    desk.printer.show(page, table(head, rows, empty))


def show(ctx: typer.Context, signal: Id) -> None:
    """One signal with its body as it came."""
    desk = desk_of(ctx)
    found = desk.engine.get(f"/signals/{_checked(signal)}")
    desk.printer.show(found, _described(found))


def send(ctx: typer.Context, bot: BotKey, body: Body) -> None:
    """Send a test signal to a bot; it goes the way of a real one, and is acted on."""
    desk = desk_of(ctx)
    text = sys.stdin.read() if body == "-" else body
    is_json = text.lstrip().startswith(("{", "["))
    request = {
        "bot": bot,
        "body": text,
        "content_type": "application/json" if is_json else "text/plain",
    }
    answer = desk.engine.post("/signals/test", request)
    words = "was here already, as" if answer["is_copy"] else "is in the inbox as"
    desk.printer.show(answer, [f"The signal {words} {answer['id']}."])


def replay(ctx: typer.Context, signal: Id, force: Force = False) -> None:
    """Act on a signal once more, as if it came now."""
    desk = desk_of(ctx)
    answer = desk.engine.post(f"/signals/{_checked(signal)}/replay", {"force": force})
    desk.printer.show(answer, [answer["message"]])


def webhook(
    ctx: typer.Context,
    bot: BotKey,
    show: Show = False,
    new_key: NewKey = False,
    new_secret: NewSecret = False,
) -> None:
    """Where a bot's signals are posted to. --show tells what is secret; the audit trail keeps it.

    With --new-key or --new-secret it is made anew, and shown.
    """
    desk = desk_of(ctx)
    path = bot_path(bot, "webhook")
    if new_key or new_secret:
        request = {"key": new_key, "secret": new_secret}
        _show_secrets(desk, desk.engine.post(f"{path}/rotate", request))
    elif show:
        _show_secrets(desk, desk.engine.post(path))
    else:
        view = desk.engine.get(path)
        desk.printer.show(view, _place(view))


def _show_secrets(desk: Desk, secrets: dict[str, Any]) -> None:
    rows = [(one["kind"], one["url"]) for one in secrets["addresses"]]
    desk.printer.show(secrets, pairs([*rows, ("signing secret", secrets["signing_secret"])]))


def _place(view: dict[str, Any]) -> list[str]:
    if not view["is_open"]:
        return [f"'{view['bot_name']}' does not listen to signals."]
    rows = [(one["kind"], one["url"]) for one in view["addresses"]]
    rows.append(("signature", view["config"]["signature"]))
    rows.append(("last signal", moment(view["last_signal_at"])))
    if view["missed_since"]:
        rows.append(("missing since", moment(view["missed_since"])))
    if view["objection"]:
        rows.append(("trouble", view["objection"]))
    return pairs(rows)


def _described(found: dict[str, Any]) -> list[str]:
    signal = found["signal"]
    rows = [
        ("received", moment(signal["received_at"])),
        ("source", f"{signal['source']} {signal['address']}".strip()),
        ("bot", found["bot_name"] or signal["sender"]),
        ("state", signal["state"]),
        ("outcome", signal["outcome"] or "-"),
        ("orders", ", ".join(signal["order_ids"]) or "none"),
        ("copies", str(signal["copies"])),
        *([("replay of", signal["replay_of"])] if signal["replay_of"] else []),
        ("body", one_line(signal["body"])),
    ]
    return pairs(rows)


def _checked(signal: str) -> str:
    """An id as it may stand in an address. Raises BadInput."""
    if not signal.isalnum():
        raise BadInput(f"'{one_line(signal)}' is no signal's id; 'signals list' shows them.")
    return signal
