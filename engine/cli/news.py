"""``news``: what is known of a symbol, and where it comes from."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from engine.cli.context import desk_of
from engine.cli.failures import BadInput
from engine.cli.output import moment, table


def news(
    ctx: typer.Context,
    symbol: Annotated[str, typer.Argument(help="as BTC, AAPL or EUR/USD [everything]")] = "",
    search: Annotated[str, typer.Option(help="a part of title or summary")] = "",
    source: Annotated[str, typer.Option(help="as finnhub, or own")] = "",
    limit: Annotated[int, typer.Option(help="how many at most")] = 50,
    is_refresh: Annotated[
        bool, typer.Option("--refresh", help="ask the sources about the symbol now, in the engine")
    ] = False,
    is_status: Annotated[bool, typer.Option("--sources", help="the sources instead")] = False,
) -> None:
    """News, newest first; or its sources."""
    desk = desk_of(ctx)
    if is_refresh:
        if not symbol:
            raise BadInput("Name a symbol to ask about, as BTC.")
        status = desk.engine.post("/news/refresh", {"symbol": symbol})
        desk.printer.show(status, [f"The sources are asked about {symbol}.", *_sources(status)])
    elif is_status:
        status = desk.engine.get("/news/status")
        desk.printer.show(status, _sources(status))
    else:
        page = desk.engine.get("/news", symbol=symbol, search=search, source=source, limit=limit)
        rows = [
            (moment(one["published_at"]), one["source"], one["symbol"] or "-",
             "-" if one["sentiment"] is None else f"{one['sentiment']:+.2f}", one["title"])
            for one in page["items"]
        ]  # fmt: skip
        head = ("published (UTC)", "source", "about", "mood", "title")
        desk.printer.show(page, table(head, rows, "No news."))


def _sources(status: dict[str, Any]) -> list[str]:
    rows = [
        (one["title"], "asked" if one["is_configured"] else f"no key: set {one['setting']}",
         str(one["kept"]), moment(one["last_asked_at"]) if one["last_asked_at"] else "-",
         one["last_error"])
        for one in status["sources"]
    ]  # fmt: skip
    return table(("source", "", "kept", "asked (UTC)", "error"), rows, "No sources.")


COMMANDS: dict[str, Callable[..., Any]] = {"news": news}
