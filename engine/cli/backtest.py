"""``backtest``: a strategy over a candle file, without an engine."""

import json
from datetime import UTC, datetime
from decimal import InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from pydantic import ValidationError

from engine.cli.backtest_output import document_of, lines_of, warnings_of
from engine.cli.context import desk_of
from engine.cli.failures import BadInput
from engine.cli.options import roi_steps, seconds
from engine.domain.backtest import Leg
from engine.domain.backtests import BacktestResult, BacktestTerms, iso
from engine.domain.bots import Direction
from engine.domain.candles import Candles, resample
from engine.domain.exact_backtest import simulate
from engine.domain.instruments import Instrument
from engine.domain.money import to_epoch_ms
from engine.domain.performance import history_of, measure
from engine.domain.strategy import Strategy
from engine.errors import QuarterdeckError


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
    desk = desk_of(ctx)
    settings = desk.settings
    fields = {
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
    from engine.bootstrap_research import load_strategy
    from engine.links.candle_files import read_candles

    try:
        terms = _terms(fields)
        chosen = load_strategy(settings.strategies, strategy, params_of(params))
        instrument, bars = read_candles(candles, settings.data / "candles")
        if like_a_bot:
            terms = _of_instrument(terms, instrument)
        bars = _within(bars, since, until)
        result = simulated(
            settings.strategies, strategy, chosen, instrument, bars, timeframe, terms
        )
    except QuarterdeckError as error:
        raise BadInput(error.message, error.code, _details(error)) from error
    metrics = measure(history_of(result))
    warnings = warnings_of(instrument, bars)
    document = document_of(strategy, chosen, result, metrics, warnings)
    lines = lines_of(result, metrics, instrument.quote, warnings)
    desk.printer.show(document, lines, is_long=True)


def simulated(
    folder: Path,
    name: str,
    strategy: Strategy,
    instrument: Instrument,
    bars: Candles,
    timeframe: str | None,
    terms: BacktestTerms,
) -> BacktestResult:
    """A strategy over candles, or over longer ones with these inside them. Raises BadInput for a
    timeframe that does not fit or too few candles, StrategyError."""
    from engine.bootstrap_research import judge_candles

    candles = _joined(bars, timeframe)
    _check_enough(strategy, name, candles)
    signals = judge_candles(folder, name, strategy, candles)
    fine = None if candles is bars else bars
    return simulate([Leg(instrument.symbol, candles, signals, fine, strategy.warmup)], terms)


# --- what was asked ------------------------------------------------------------------------------


def _terms(fields: dict[str, Any]) -> BacktestTerms:
    try:
        return BacktestTerms.model_validate(fields)
    except ValidationError as error:
        problem = error.errors()[0]
        name = str(problem["loc"][-1]).replace("_", "-")
        words = problem["msg"].removeprefix("Value error, ")
        raise BadInput(f"--{name}: {words[:1].lower()}{words[1:]}.") from error
    except InvalidOperation as error:  # pydantic lets some texts through to Decimal
        raise BadInput("An amount is not a number.") from error


def params_of(words: str) -> dict[str, Any]:
    try:
        params = json.loads(words)
    except ValueError as error:
        raise BadInput(f"--params: this is not JSON ({error}).") from error
    if not isinstance(params, dict):
        raise BadInput('--params: give a JSON object, as {"period": 14}.')
    return params


def _of_instrument(terms: BacktestTerms, instrument: Instrument) -> BacktestTerms:
    rules = ("price_tick", "quantity_step", "min_quantity", "min_notional", "can_short")
    return terms.model_copy(update={name: getattr(instrument, name) for name in rules})


def _within(bars: Candles, since: datetime | None, until: datetime | None) -> Candles:
    first = 0 if since is None else int(np.searchsorted(bars.time, _ms(since)))
    end = len(bars) if until is None else int(np.searchsorted(bars.time, _ms(until)))
    if first >= end:
        span = f"{iso(int(bars.time[0]))} to {iso(int(bars.time[-1]))}"
        raise BadInput(f"No candle is left between --since and --until; the file has {span}.")
    return bars[first:end]


def _ms(moment_given: datetime) -> int:
    return to_epoch_ms(moment_given.replace(tzinfo=moment_given.tzinfo or UTC))


def _joined(bars: Candles, timeframe: str | None) -> Candles:
    """The candles that the strategy sees: the file's own, or longer ones."""
    if timeframe is None or timeframe == bars.timeframe:
        return bars
    try:
        return resample(bars, timeframe)
    except ValueError as error:
        raise BadInput(f"--timeframe: {error}.") from error


def _check_enough(strategy: Strategy, name: str, candles: Candles) -> None:
    """One more than the warm-up: an order needs an open to be filled at."""
    least = strategy.warmup + 1
    if len(candles) < least:
        raise BadInput(
            f"There are too few candles: '{name}' needs at least {least} of {candles.timeframe}"
            f" with these parameters, and there are {len(candles)}."
        )


def _details(error: QuarterdeckError) -> list[dict[str, Any]]:
    field = getattr(error, "field", None)
    return [] if field is None else [{"field": field, "message": error.message}]


COMMANDS = {"backtest": backtest}
