"""``bots ...``: create, edit, start, pause, stop, clone, delete, look."""

from typing import Annotated, Any

import typer

from engine.cli import options
from engine.cli.client import bot_path
from engine.cli.context import Desk, desk_of
from engine.cli.failures import BadInput
from engine.cli.output import amount, moment, pairs, signed, table

Key = Annotated[str, typer.Argument(metavar="BOT", help="its name or id")]
Text = str | None
Several = list[str] | None

Name = Annotated[Text, typer.Option(help="unique, up to 40 letters")]
Market = Annotated[Text, typer.Option(help="as 'markets' lists them, or replay:PATH[?speed=N]")]
Symbol = Annotated[Text, typer.Option(help="as the market calls it: BTC/USDT")]
Strategy = Annotated[Text, typer.Option(help="a strategy's id: rsi")]
Param = Annotated[Several, typer.Option(metavar="NAME=VALUE", help="a parameter; repeatable")]
Timeframe = Annotated[Text, typer.Option(help="candle length, from 1s to 1d [15m]")]
Interval = Annotated[Text, typer.Option(help="between checks: seconds, or as 15m [15m]")]
Amount = Annotated[Text, typer.Option(help="what a trade uses, in the quote asset")]
StopLoss = Annotated[Text, typer.Option(help="fraction of the entry price, or none [0.02]")]
NoStopLoss = Annotated[bool, typer.Option("--no-stop-loss", help="as --stop-loss none")]
TakeProfit = Annotated[Text, typer.Option(help="fraction, or none [0.05]")]
TrailingStop = Annotated[Text, typer.Option(help="fraction, or none [none]")]
TimeLimit = Annotated[Text, typer.Option(help="how long a position lives: 4h, or none [none]")]
Roi = Annotated[
    Several, typer.Option(metavar="AGE:PROFIT", help="a ROI step: 10m:0.01; repeatable")
]
Direction = Annotated[Text, typer.Option(help="long, short or both [long]")]
Reinvest = Annotated[bool | None, typer.Option("--reinvest/--no-reinvest", help="[reinvest]")]
MaxEntries = Annotated[Text, typer.Option(help="entries a position may have [1]")]
EntryOrder = Annotated[Text, typer.Option(help="market or limit [market]")]
LimitOffset = Annotated[
    Text, typer.Option("--limit-offset-bps", help="a limit entry is so much better than the price")
]
EntryTimeout = Annotated[Text, typer.Option(help="a limit entry is taken back after: 5m [5m]")]
Hours = Annotated[
    Text, typer.Option(help="awake at these hours: 08:00-20:00[@Europe/Berlin[,mon,fri]], or none")
]
FollowMarket = Annotated[
    bool | None,
    typer.Option("--follow-market/--any-time", help="sleep while the market is closed [follow]"),
]
Overnight = Annotated[
    Text, typer.Option(help="keep positions, or close: so long before the end: close:10m [keep]")
]
WakeLead = Annotated[Text, typer.Option(help="candles are asked for before it wakes: 5m [5m]")]
RouteTo = Annotated[
    Several, typer.Option(metavar="MARKET", help="entries may go there too; repeatable, or none")
]
Listen = Annotated[
    Several,
    typer.Option(metavar="on|NAME=VALUE", help="to signals from outside: max_lag_s=30; or none"),
]
Ai = Annotated[
    Several,
    typer.Option(
        metavar="advisor|decider|NAME=VALUE", help="a model's say: min_confidence=0.8; or none"
    ),
]
Confirm = Annotated[
    Text, typer.Option(metavar="NAME", help="the bot's name once more, where it has real money")
]
Start = Annotated[bool, typer.Option("--start", help="and start it")]


def build() -> typer.Typer:
    """The group of commands about bots."""
    group = typer.Typer(help="Create, start, watch and stop bots.", rich_markup_mode=None)
    commands = (("list", list_bots), ("show", show), ("orders", orders), ("create", create),
                ("edit", edit), ("clone", clone), ("start", start), ("pause", pause),
                ("stop", stop), ("delete", delete))  # fmt: skip
    for name, command in commands:
        group.command(name)(command)
    return group


def list_bots(ctx: typer.Context) -> None:
    """All bots."""
    desk = desk_of(ctx)
    bots = desk.engine.get("/bots")
    head = ("name", "id", "state", "money", "symbol", "strategy", "candles", "trades", "today",
            "open P&L", "equity", "reason")  # fmt: skip
    rows = [
        (bot["config"]["name"], bot["id"], bot["state"], bot["mode"].upper(),
         bot["config"]["symbol"], bot["config"]["strategy"], bot["config"]["timeframe"],
         str(bot["trade_count"]),
         signed(bot["today_pnl"]), signed(bot["unrealised_pnl"]), amount(bot["equity"]),
         bot["reason"])
        for bot in bots
    ]  # fmt: skip
    empty = "No bots yet; create one with 'python -m engine bots create'."
    desk.printer.show(bots, table(head, rows, empty))


def show(ctx: typer.Context, bot: Key) -> None:
    """One bot: its state, position and configuration."""
    desk = desk_of(ctx)
    view = desk.engine.get(bot_path(bot))
    desk.printer.show(view, _described(view))


def orders(
    ctx: typer.Context,
    bot: Key,
    limit: Annotated[int, typer.Option(help="how many at most")] = 20,
) -> None:
    """A bot's newest orders, and why a routed one went to its account."""
    desk = desk_of(ctx)
    found = desk.engine.get(bot_path(bot, "orders"), limit=limit)
    head = ("placed", "side", "purpose", "state", "quantity", "filled", "account", "why", "routed")
    rows = [
        (moment(one["created_at"]), one["side"], one["purpose"], one["state"],
         one["quantity"] or "-", one["filled"], one["account_id"], one["reason"],
         one["routing"]["reason"] if one["routing"] else "")
        for one in found
    ]  # fmt: skip
    desk.printer.show(found, table(head, rows, "No order yet."))


def create(
    ctx: typer.Context,
    name: Name = None,
    market: Market = None,
    symbol: Symbol = None,
    strategy: Strategy = None,
    param: Param = None,
    timeframe: Timeframe = None,
    interval: Interval = None,
    amount: Amount = None,
    stop_loss: StopLoss = None,
    no_stop_loss: NoStopLoss = False,
    take_profit: TakeProfit = None,
    trailing_stop: TrailingStop = None,
    time_limit: TimeLimit = None,
    roi: Roi = None,
    direction: Direction = None,
    reinvest: Reinvest = None,
    max_entries: MaxEntries = None,
    entry_order: EntryOrder = None,
    limit_offset: LimitOffset = None,
    entry_timeout: EntryTimeout = None,
    hours: Hours = None,
    follow_market: FollowMarket = None,
    overnight: Overnight = None,
    wake_lead: WakeLead = None,
    route_to: RouteTo = None,
    listen: Listen = None,
    ai: Ai = None,
    start: Start = False,
    confirm: Confirm = None,
) -> None:
    """Create a bot, stopped. Its market says with whose money it trades.

    Needed: --name, --symbol, --strategy, --amount. The market is 'simulated' unless you say.
    """
    desk = desk_of(ctx)
    given = _given(
        name, market or "simulated", symbol, strategy, param, timeframe, interval, amount,
        _stop_loss(stop_loss, no_stop_loss), take_profit, trailing_stop, time_limit, roi,
        direction, reinvest, max_entries, entry_order, limit_offset, entry_timeout, hours,
        follow_market, overnight, wake_lead, route_to, listen, ai,
    )  # fmt: skip
    missing = [f"--{key}" for key in ("name", "symbol", "strategy", "amount") if key not in given]
    if missing:
        raise BadInput(f"A new bot needs {', '.join(missing)}.", "usage")
    view = desk.engine.post("/bots", given, confirm_name=confirm)
    if start:
        view = desk.engine.post(bot_path(view["id"], "start"), _confirmed(confirm))
    _report(desk, view, "is created and starting" if start else "is created")


def edit(
    ctx: typer.Context,
    bot: Key,
    name: Name = None,
    market: Market = None,
    symbol: Symbol = None,
    strategy: Strategy = None,
    param: Param = None,
    timeframe: Timeframe = None,
    interval: Interval = None,
    amount: Amount = None,
    stop_loss: StopLoss = None,
    no_stop_loss: NoStopLoss = False,
    take_profit: TakeProfit = None,
    trailing_stop: TrailingStop = None,
    time_limit: TimeLimit = None,
    roi: Roi = None,
    direction: Direction = None,
    reinvest: Reinvest = None,
    max_entries: MaxEntries = None,
    entry_order: EntryOrder = None,
    limit_offset: LimitOffset = None,
    entry_timeout: EntryTimeout = None,
    hours: Hours = None,
    follow_market: FollowMarket = None,
    overnight: Overnight = None,
    wake_lead: WakeLead = None,
    route_to: RouteTo = None,
    listen: Listen = None,
    ai: Ai = None,
    confirm: Confirm = None,
) -> None:
    """Change a stopped bot. What is not given stays as it is."""
    desk = desk_of(ctx)
    changes = _given(
        name, market, symbol, strategy, param, timeframe, interval, amount,
        _stop_loss(stop_loss, no_stop_loss), take_profit, trailing_stop, time_limit, roi,
        direction, reinvest, max_entries, entry_order, limit_offset, entry_timeout, hours,
        follow_market, overnight, wake_lead, route_to, listen, ai,
    )  # fmt: skip
    if not changes:
        raise BadInput("Nothing to change was given.", "usage")
    before = desk.engine.get(bot_path(bot))["config"]
    # Another strategy has other parameters: only those given for it are sent.
    is_same_strategy = changes.get("strategy", before["strategy"]) == before["strategy"]
    kept = before["params"] if is_same_strategy else {}
    config = {**before, **changes, "params": {**kept, **changes.get("params", {})}}
    for part in ("signals", "ai"):
        if changes.get(part) is not None:
            config[part] = {**(before[part] or {}), **changes[part]}
    _report(desk, desk.engine.put(bot_path(bot), config, confirm_name=confirm), "is changed")


def clone(
    ctx: typer.Context, bot: Key, name: Annotated[str, typer.Argument()], confirm: Confirm = None
) -> None:
    """Copy a bot under another NAME, stopped."""
    desk = desk_of(ctx)
    request = {"name": name, **_confirmed(confirm)}
    _report(desk, desk.engine.post(bot_path(bot, "clone"), request), "is created")


def start(ctx: typer.Context, bot: Key, confirm: Confirm = None) -> None:
    """Start a bot; one with real money is confirmed by its name."""
    desk = desk_of(ctx)
    _report(desk, desk.engine.post(bot_path(bot, "start"), _confirmed(confirm)), "is asked to run")


def pause(ctx: typer.Context, bot: Key) -> None:
    """Pause a bot's entries; its exits go on."""
    desk = desk_of(ctx)
    _report(desk, desk.engine.post(bot_path(bot, "pause")), "is asked to pause")


def stop(
    ctx: typer.Context,
    bot: Key,
    close: Annotated[bool, typer.Option("--close", help="close its position first")] = False,
) -> None:
    """Stop a bot; it keeps its position unless you close it."""
    desk = desk_of(ctx)
    view = desk.engine.post(bot_path(bot, "stop"), {"close_position": close})
    _report(desk, view, "is asked to close its position and stop" if close else "is asked to stop")


def delete(ctx: typer.Context, bot: Key) -> None:
    """Delete a stopped bot; its trades stay."""
    desk = desk_of(ctx)
    desk.engine.delete(bot_path(bot))
    desk.printer.show({"deleted": bot}, [f"Bot '{bot}' is deleted."])


def _given(
    name: Text, market: Text, symbol: Text, strategy: Text, params: Several, timeframe: Text,
    interval: Text, amount: Text, stop_loss: Text, take_profit: Text, trailing_stop: Text,
    time_limit: Text, roi: Several, direction: Text, reinvest: bool | None, max_entries: Text,
    entry_order: Text, limit_offset: Text, entry_timeout: Text, hours: Text,
    follow_market: bool | None, overnight: Text, wake_lead: Text, route_to: Several,
    listen: Several, ai: Several,
) -> dict[str, Any]:  # fmt: skip
    """The options that were given, as the fields of a BotConfig. Raises BadInput."""
    return options.settings(
        {
            "name": name,
            "market": market,
            "symbol": symbol,
            "strategy": strategy,
            "params": params or None,
            "timeframe": timeframe,
            "interval_s": interval,
            "amount": amount,
            "stop_loss": stop_loss,
            "take_profit": take_profit,
            "trailing_stop": trailing_stop,
            "time_limit_s": time_limit,
            "roi_steps": roi or None,
            "direction": direction,
            "reinvest": reinvest,
            "max_entries": max_entries,
            "entry_order": entry_order,
            "limit_offset_bps": limit_offset,
            "entry_timeout_s": entry_timeout,
            "active_hours": hours,
            "follow_market": follow_market,
            "overnight": overnight,
            "wake_lead_min": wake_lead,
            "routing": route_to or None,
            "signals": listen or None,
            "ai": ai or None,
        }
    )


def _confirmed(name: Text) -> dict[str, str]:
    return {} if name is None else {"confirm_name": name}


def _stop_loss(fraction: Text, is_off: bool) -> Text:
    if is_off and fraction not in (None, options.NONE):
        raise BadInput("--stop-loss and --no-stop-loss contradict each other.", "usage")
    return options.NONE if is_off else fraction


def _report(desk: Desk, view: dict[str, Any], words: str) -> None:
    reason = f" ({view['reason']})" if view["reason"] else ""
    line = f"Bot '{view['config']['name']}' ({view['id']}) {words}; it is {view['state']}{reason}."
    desk.printer.show(view, [line])


def _described(view: dict[str, Any]) -> list[str]:
    config, position, quote = view["config"], view["position"], view["quote"]
    rows = [
        ("name", f"{config['name']} ({view['id']})"),
        ("state", view["state"] + (f": {view['reason']}" if view["reason"] else "")),
        ("money", f"{view['mode'].upper()} ({view['account_id']})"),
        ("market", f"{config['market']}, {config['symbol']}, {config['timeframe']} candles"),
        ("strategy", " ".join([config["strategy"],
                               *(f"{key}={value}" for key, value in config["params"].items())])),
        ("last price", f"{view['last_price'] or '-'} {quote}"),
        ("equity", f"{amount(view['equity'])} {quote}"),
        ("realised", f"{signed(view['realised_pnl'])} {quote} in {view['trade_count']} trades"),
        ("position", "none" if position is None else
         f"{position['side']} {position['quantity']} at {position['average_price']}, "
         f"{signed(position['unrealised_pnl'])} {quote}"),
        ("next check", moment(view["next_check_at"])),
    ]  # fmt: skip
    exits = ("stop_loss", "take_profit", "trailing_stop", "time_limit_s")
    shown = {**{key: config[key] for key in exits if config[key] is not None},
             "amount": f"{config['amount']} {quote}", "interval_s": config["interval_s"],
             "direction": config["direction"], "reinvest": config["reinvest"],
             **({"entries may go to": ", ".join(config["routing"]["markets"])}
                if config["routing"] else {}),
             "max_entries": config["max_entries"], "entry_order": config["entry_order"],
             **({"limit_offset_bps": config["limit_offset_bps"],
                 "entry_timeout_s": config["entry_timeout_s"]}
                if config["entry_order"] == "limit" else {})}  # fmt: skip
    return pairs(rows + [(key.replace("_", " "), str(value)) for key, value in shown.items()])
