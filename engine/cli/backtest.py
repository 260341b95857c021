"""``backtest``: a strategy over a candle file, without an engine."""

import json
from datetime import UTC, datetime
from decimal import InvalidOperation
from typing import Annotated, Any

import numpy as np
import typer
from pydantic import ValidationError

from engine.cli.context import desk_of
from engine.cli.failures import BadInput
from engine.cli.options import roi_steps, seconds
from engine.cli.output import amount, moment, pairs, percent, signed, table
from engine.domain.backtest import Leg
from engine.domain.backtests import BacktestResult, BacktestTerms, OpenPosition, iso, trade_rows
from engine.domain.bots import Direction
from engine.domain.candle_gaps import find_gaps
from engine.domain.candles import Candles, resample
from engine.domain.exact_backtest import simulate
from engine.domain.instruments import Instrument, InstrumentKind
from engine.domain.money import to_epoch_ms
from engine.domain.performance import Metrics, history_of, measure
from engine.domain.strategy import Strategy
from engine.domain.timeframes import timeframe_s
from engine.errors import QuarterdeckError

TRADES_SHOWN = 20


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
    from engine.bootstrap_research import judge_candles, load_strategy
    from engine.links.candle_files import read_candles

    try:
        terms = _terms(fields)
        chosen = load_strategy(settings.strategies, strategy, _params(params))
        instrument, bars = read_candles(candles, settings.data / "candles")
        if like_a_bot:
            terms = _of_instrument(terms, instrument)
        bars = _within(bars, since, until)
        leg_candles = _joined(bars, timeframe)
        _check_enough(chosen, strategy, leg_candles)
        signals = judge_candles(settings.strategies, strategy, chosen, leg_candles)
    except QuarterdeckError as error:
        raise BadInput(error.message, error.code, _details(error)) from error
    fine = None if leg_candles is bars else bars
    leg = Leg(instrument.symbol, leg_candles, signals, fine, chosen.warmup)
    result = simulate([leg], terms)
    metrics = measure(history_of(result))
    warnings = _warnings(instrument, bars)
    document = _document(strategy, chosen, result, metrics, warnings)
    lines = _lines(result, metrics, instrument.quote, warnings)
    desk.printer.show(document, lines, is_long=True)


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


def _params(words: str) -> dict[str, Any]:
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


def _warnings(instrument: Instrument, bars: Candles) -> list[str]:
    """What a person should know about the candles, though they can be used."""
    closes = instrument.kind is not InstrumentKind.CRYPTO
    gaps = find_gaps(bars.time, timeframe_s(bars.timeframe) * 1000, closes=closes)
    holes = ~gaps.is_closed_day
    if not holes.any():
        return []
    first = int(np.flatnonzero(holes)[0])
    missing, count = int(gaps.missing[holes].sum()), int(holes.sum())
    return [
        f"{missing} candles are missing in {count} {'gap' if count == 1 else 'gaps'}, the first at"
        f" {iso(int(gaps.since[first]))}; orders wait over a gap for the next candle's open"
    ]


# --- what came out -------------------------------------------------------------------------------


def _document(
    name: str,
    strategy: Strategy,
    result: BacktestResult,
    metrics: Metrics,
    warnings: list[str],
) -> dict[str, Any]:
    return {
        "strategy": name,
        "params": strategy.model_dump(mode="json"),
        "symbol": result.symbols[0],
        "timeframe": result.timeframe,
        "candles": len(result.time),
        "since": iso(int(result.time[0])),
        "until": iso(int(result.time[-1]) + timeframe_s(result.timeframe) * 1000),
        "trades": trade_rows(result),
        "open_position": _open_row(result.open_positions[0]) if result.open_positions else None,
        "metrics": metrics.model_dump(mode="json"),
        "equity": result.equity.tolist(),
        "refused": dict(result.refused),
        "warnings": warnings,
    }


def _open_row(held: OpenPosition) -> dict[str, Any]:
    return {
        "entry_time": iso(held.entry_ms),
        "entry_price": held.entry_price,
        "quantity": held.quantity,
        "side": held.side.value,
        "fee": held.fees,
        "unrealised_pnl": held.unrealised_pnl,
        "entry_count": held.entry_count,
    }


def _lines(result: BacktestResult, metrics: Metrics, quote: str, warnings: list[str]) -> list[str]:
    rows = trade_rows(result)
    head = ("entry (UTC)", "side", "entry", "exit (UTC)", "exit", "quantity", "profit", "why")
    shown = [
        (
            moment(str(row["entry_time"])), str(row["side"]), f"{row['entry_price']:.8g}",
            moment(str(row["exit_time"])), f"{row['exit_price']:.8g}", f"{row['quantity']:.8g}",
            signed(str(row["pnl"])), str(row["exit_reason"]).replace("_", " "),
        )
        for row in rows[-TRADES_SHOWN:]
    ]  # fmt: skip
    lines = table(head, shown, "No trades.")
    if len(rows) > len(shown):
        lines.insert(0, f"The last {len(shown)} of {len(rows)} trades; --json has all of them.")
    for held in result.open_positions:
        lines.append(
            f"Still open: {held.side.value} {held.quantity:.8g} from {held.entry_price:.8g},"
            f" {signed(str(held.unrealised_pnl))} {quote} so far."
        )
    lines += ["", *pairs(_summary(result, metrics, quote))]
    lines += [f"Entries refused: {count}, {reason}." for reason, count in result.refused.items()]
    return lines + [f"Note: {words}." for words in warnings]


def _summary(result: BacktestResult, metrics: Metrics, quote: str) -> list[tuple[str, str]]:
    return [
        ("candles", f"{len(result.time)} of {result.timeframe}"),
        ("equity", f"{amount(str(float(result.equity[-1])))} {quote}"),
        ("return", percent(str(metrics.total_return))),
        ("market", percent(str(metrics.market_change))),
        ("largest drawdown", _share(metrics.max_drawdown)),
        ("trades", f"{metrics.trades}, {_share(metrics.win_rate)} won"),
        ("Sharpe", "none" if metrics.sharpe is None else f"{metrics.sharpe:.2f}"),
        ("profit factor", "none" if metrics.profit_factor is None
         else f"{metrics.profit_factor:.2f}"),
    ]  # fmt: skip


def _share(fraction: float | None) -> str:
    return "none" if fraction is None else f"{fraction:.1%}"


COMMANDS = {"backtest": backtest}
