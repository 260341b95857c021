"""``alerts ...``: what was told and what became of it, messages by hand, price alerts, channels."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from engine.cli import options as notation
from engine.cli.channels import build_channels, build_matrix
from engine.cli.context import desk_of
from engine.cli.failures import BadInput
from engine.cli.output import amount, moment, table
from engine.domain.alerts import AlertKind, CrossDirection, DeliveryState
from engine.domain.records import Level

Limit = Annotated[int, typer.Option(min=1, max=1_000, help="the newest so many")]
AlertId = Annotated[str, typer.Argument(metavar="ID", help="as 'alerts price list' shows it")]


def build() -> typer.Typer:
    """``alerts`` with its commands."""
    app = typer.Typer(help="Alerts: channels, the log, messages, prices.", no_args_is_help=True)
    app.add_typer(build_channels(), name="channels")
    app.add_typer(build_matrix(), name="matrix")
    price = typer.Typer(help="Alerts on prices.", no_args_is_help=True)
    price.command("list")(list_prices)
    price.command("add")(add_price)
    price.command("delete")(delete_price)
    app.add_typer(price, name="price")
    app.command("list")(list_alerts)
    app.command("log")(log)
    app.command("again")(again)
    app.command("send")(send)
    return app


def list_alerts(
    ctx: typer.Context,
    kind: Annotated[AlertKind | None, typer.Option(help="of this kind alone")] = None,
    bot: Annotated[str | None, typer.Option(help="of this bot alone")] = None,
    limit: Limit = 20,
) -> None:
    """Alerts, the newest first, with the channels that each went to."""
    desk = desk_of(ctx)
    page = desk.engine.get("/alerts", kind=kind, bot=bot, limit=limit)
    head = ("time (UTC)", "level", "kind", "what", "told by")
    rows = [
        (moment(one["time"]), one["level"], one["kind"], f"{one['title']}: {one['text']}",
         ", ".join(f"{by['channel_name']} ({by['state']})" for by in one["told_by"]) or "nobody")
        for one in page["items"]
    ]  # fmt: skip
    desk.printer.show(page, table(head, rows, "No alerts yet."))


def log(
    ctx: typer.Context,
    state: Annotated[DeliveryState | None, typer.Option(help="in this state alone")] = None,
    channel: Annotated[str | None, typer.Option(help="of this channel alone")] = None,
    limit: Limit = 20,
) -> None:
    """The delivery log, the newest first, and what was spent."""
    desk = desk_of(ctx)
    page = desk.engine.get("/deliveries", state=state, channel=channel, limit=limit)
    head = ("made (UTC)", "channel", "state", "tries", "segments", "cost", "what", "answer", "id")
    rows = [
        (moment(one["created_at"]), one["channel_name"], one["state"], str(one["attempts"]),
         str(one["segments"]), amount(one["cost"], 4), one["title"],
         one["error"] or one["answer"], one["id"])
        for one in page["items"]
    ]  # fmt: skip
    spent = [
        f"{one['channel_name']}: {one['sent_today']} sent today, {one['sent_month']} this month"
        + (f", {one['segments_month']} segments, {amount(one['cost_month'], 4)} US dollars"
           if one["segments_month"] else "")
        for one in page["spent"]
    ]  # fmt: skip
    lines = [*table(head, rows, "Nothing was sent yet."), *([""] if spent else []), *spent]
    desk.printer.show(page, lines)


def again(
    ctx: typer.Context, delivery: Annotated[str, typer.Argument(help="as 'alerts log' shows it")]
) -> None:
    """Send once more what did not, or may not have, arrived."""
    desk = desk_of(ctx)
    view = desk.engine.post(f"/deliveries/{_part(delivery)}/again")
    line = f"It is sent again through '{view['channel_name']}'; see 'alerts log'."
    desk.printer.show(view, [line])


def send(
    ctx: typer.Context,
    text: Annotated[str, typer.Argument(help="what to tell")],
    level: Annotated[Level, typer.Option(help="how bad it is")] = Level.INFO,
    bot: Annotated[str, typer.Option(help="the bot that it is about")] = "",
) -> None:
    """Send a message to the channels that tell messages."""
    desk = desk_of(ctx)
    event = desk.engine.post("/alerts", {"text": text, "level": level.value, "bot": bot})
    desk.printer.show(event, ["It is on its way; 'alerts log' shows what becomes of it."])


# --- prices ---------------------------------------------------------------------------------------


def list_prices(ctx: typer.Context) -> None:
    """All price alerts."""
    desk = desk_of(ctx)
    found = desk.engine.get("/price-alerts")
    head = ("id", "market", "symbol", "when", "state", "fired (UTC)", "note")
    rows = [
        (one["id"], one["market"], one["symbol"], _when(one), one["state"],
         moment(one["fired_at"]), one["note"])
        for one in found
    ]  # fmt: skip
    empty = "No price alerts yet; 'python -m engine alerts price add --help' tells how to add one."
    desk.printer.show(found, table(head, rows, empty))


def add_price(
    ctx: typer.Context,
    symbol: Annotated[str, typer.Argument(help="as in BTC/USDT")],
    direction: Annotated[CrossDirection, typer.Argument(help="above or below")],
    price: Annotated[str, typer.Argument(help="in the symbol's quote asset")],
    market: Annotated[str, typer.Option(help="as 'python -m engine markets' names it")],
    note: Annotated[str, typer.Option(help="told with it")] = "",
    repeat: Annotated[bool, typer.Option("--repeat", help="not only once")] = False,
) -> None:
    """Tell when a price is at or beyond a level."""
    desk = desk_of(ctx)
    request = {
        "market": notation.market(market), "symbol": symbol, "direction": direction.value,
        "price": price, "note": note, "is_repeating": repeat,
    }  # fmt: skip
    view = desk.engine.post("/price-alerts", request)
    line = f"It is told when {view['symbol']} is {_when(view)} ({view['id']})."
    desk.printer.show(view, [line])


def delete_price(ctx: typer.Context, alert_id: AlertId) -> None:
    """Watch a price no more."""
    desk = desk_of(ctx)
    desk.engine.delete(f"/price-alerts/{_part(alert_id)}")
    desk.printer.show({"deleted": alert_id}, [f"The price alert {alert_id} is deleted."])


def _when(view: dict[str, Any]) -> str:
    return f"{view['direction']} {view['price']} {view['quote']}".rstrip()


def _part(key: str) -> str:
    """An id as a part of an address. Raises BadInput for what can be none."""
    if not key.strip() or key in (".", ".."):
        raise BadInput("Name it by its id.")
    return quote(key, safe="")
