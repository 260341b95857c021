"""The work of ``backtest``: reads what was asked, simulates, prints."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import InvalidOperation
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from engine.bootstrap_research import judge_candles, load_strategy
from engine.cli.backtest_output import document_of, lines_of, warnings_of
from engine.cli.context import Desk
from engine.cli.failures import BadInput
from engine.domain.backtest import Leg
from engine.domain.backtests import BacktestResult, BacktestTerms, iso
from engine.domain.candles import Candles, resample
from engine.domain.exact_backtest import simulate
from engine.domain.instruments import Instrument
from engine.domain.money import to_epoch_ms
from engine.domain.performance import history_of, measure
from engine.domain.strategy import Strategy
from engine.errors import QuarterdeckError
from engine.links.candle_files import read_candles


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed; ``terms`` are the fields of ``BacktestTerms``, as text where they are."""

    strategy: str
    params: str
    candles: str
    timeframe: str | None
    since: datetime | None
    until: datetime | None
    terms: dict[str, Any]
    is_like_a_bot: bool


def run(desk: Desk, asked: Asked) -> None:
    """Print what the backtest found. Raises BadInput."""
    folder = desk.settings.strategies
    try:
        terms = _terms(asked.terms)
        strategy = load_strategy(folder, asked.strategy, params_of(asked.params))
        instrument, bars = read_candles(asked.candles, desk.settings.data / "candles")
        if asked.is_like_a_bot:
            terms = _of_instrument(terms, instrument)
        bars = _within(bars, asked.since, asked.until)
        result = simulated(
            folder, asked.strategy, strategy, instrument, bars, asked.timeframe, terms
        )
    except QuarterdeckError as error:
        raise BadInput(error.message, error.code, _details(error)) from error
    metrics = measure(history_of(result))
    warnings = warnings_of(instrument, bars)
    document = document_of(asked.strategy, strategy, result, metrics, warnings)
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
