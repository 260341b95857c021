"""``backtest``: a strategy over a candle file, without an engine."""

from datetime import datetime
from typing import Annotated

import typer

from engine.cli.context import desk_of
from engine.cli.options import roi_steps, seconds
from engine.domain.bots import Direction


def backtest(
    ctx: typer.Context,
    strategy: Annotated[str, typer.Option(help="a file of strategies/, without its ending")],
    candles: Annotated[str, typer.Option(help="a CSV or Parquet file, or an id of the library")],
    params: Annotated[str, typer.Option(help="the parameters as a JSON object")] = "{}",
    timeframe: Annotated[str | None, typer.Option(help="join the candles to longer ones")] = None,
    since: Annotated[datetime | None, typer.Option(help="first moment (UTC)")] = None,
    until: Annotated[datetime | None, typer.Option(help="end (UTC), exclusive")] = None,
    cash: Annotated[str, typer.Option(help="the account at the start")] = "10000",
    entry: Annotated[
        str | None, typer.Option("--amount", help="of the first entry [all the cash]")
    ] = None,
    reinvest: Annotated[bool, typer.Option(help="later entries use the proceeds")] = True,
    direction: Annotated[Direction, typer.Option(help="which sides to take")] = Direction.LONG,
    max_entries: Annotated[int, typer.Option(help="entries of one position")] = 1,
    fee_bps: Annotated[str, typer.Option(help="basis points of every fill's value")] = "0",
    slippage_bps: Annotated[str, typer.Option(help="basis points against every fill")] = "0",
    spread_bps: Annotated[str, typer.Option(help="basis points between bid and ask")] = "0",
    stop_loss: Annotated[str | None, typer.Option(help="fraction, as 0.02")] = None,
    take_profit: Annotated[str | None, typer.Option(help="fraction, as 0.05")] = None,
    trailing_stop: Annotated[str | None, typer.Option(help="fraction, as 0.03")] = None,
    time_limit: Annotated[str | None, typer.Option(help="longest time in a trade, as 4h")] = None,
    roi: Annotated[list[str] | None, typer.Option(help="AGE:PROFIT, as 2h:0.01")] = None,
    price_tick: Annotated[str | None, typer.Option(help="smallest price step [any]")] = None,
    quantity_step: Annotated[str | None, typer.Option(help="smallest quantity [any]")] = None,
    min_notional: Annotated[str, typer.Option(help="smallest order value")] = "0",
    like_a_bot: Annotated[
        bool, typer.Option(help="the instrument's own tick, step and minimum, to the last digit")
    ] = False,
) -> None:
    """A strategy over a candle file; no engine is needed.

    A signal at a candle's close fills at the next open. Stops and targets count from the entry's
    bar on, a gap through either fills at the open, a bar that touches both takes the stop. What is
    held at the end is reported apart, never forced shut.
    """
    terms = {
        "cash": cash, "amount": entry, "reinvest": reinvest, "direction": direction,
        "max_entries": max_entries, "fee_bps": fee_bps, "slippage_bps": slippage_bps,
        "spread_bps": spread_bps, "price_tick": price_tick, "quantity_step": quantity_step,
        "min_notional": min_notional,
        "exits": {
            "stop_loss": stop_loss, "take_profit": take_profit, "trailing_stop": trailing_stop,
            "time_limit_s": None if time_limit is None else seconds(time_limit, "--time-limit"),
            "roi_steps": roi_steps(roi or []),
        },
    }  # fmt: skip
    from engine.cli.backtest_run import Asked, run  # slow to load, and no other command needs it

    asked = Asked(strategy, params, candles, timeframe, since, until, terms, like_a_bot)
    run(desk_of(ctx), asked)


COMMANDS = {"backtest": backtest}
