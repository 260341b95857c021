"""Backtests in words: states, stages, settings. Pure."""

from collections.abc import Iterator, Mapping
from datetime import UTC
from decimal import Decimal
from typing import Any

from engine.contracts.backtests import BacktestRun, FileSource, RunStage, RunState
from panel.format import NONE, duration

STATE_COLOURS = {
    RunState.QUEUED: "blue", RunState.RUNNING: "blue", RunState.DONE: "green",
    RunState.FAILED: "red", RunState.CANCELLED: "gray", RunState.INTERRUPTED: "orange",
}  # fmt: skip

STAGES = {
    RunStage.WAITING: "Waiting for its turn",
    RunStage.READING: "Reading the candles",
    RunStage.SIGNALS: "The strategy judges the candles",
    RunStage.SIMULATING: "Simulating the trades",
    RunStage.MEASURING: "Measuring",
    RunStage.SAVING: "Writing the result",
}

SHARES = {
    RunStage.WAITING: (0.0, 0.0), RunStage.READING: (0.02, 0.35), RunStage.SIGNALS: (0.35, 0.6),
    RunStage.SIMULATING: (0.6, 0.85), RunStage.MEASURING: (0.85, 0.95),
    RunStage.SAVING: (0.95, 1.0),
}  # fmt: skip
"""Which part of the bar a stage is."""

SETTING_NAMES = {
    "strategy": "Strategy", "timeframe": "Timeframe", "since": "From", "until": "To",
    "has_market_rules": "Rounded as the market does", "source.kind": "Kind of source",
    "source.files": "Candle files", "source.market": "Market", "source.symbols": "Symbols",
    "source.fine_timeframe": "Candles inside a candle", "terms.cash": "Cash",
    "terms.amount": "Trade amount", "terms.reinvest": "Reinvest", "terms.direction": "Direction",
    "terms.max_entries": "Entries per position", "terms.fee_bps": "Fee, basis points",
    "terms.slippage_bps": "Slippage, basis points", "terms.spread_bps": "Spread, basis points",
    "terms.volume_cap": "Volume cap", "terms.can_short": "Can be sold short",
    "terms.price_tick": "Price tick", "terms.quantity_step": "Quantity step",
    "terms.min_quantity": "Smallest quantity", "terms.min_notional": "Smallest order value",
    "terms.exits.stop_loss": "Stop loss",
    "terms.exits.take_profit": "Take profit", "terms.exits.trailing_stop": "Trailing stop",
    "terms.exits.time_limit_s": "Time limit, seconds", "terms.exits.roi_steps": "ROI steps",
}  # fmt: skip


def bar_share(run: BacktestRun) -> float:
    """How much of the progress bar is filled."""
    begin, end = SHARES[run.stage]
    return min(1.0, begin + (end - begin) * max(0.0, run.progress))


def stage_words(run: BacktestRun) -> str:
    """What a run is doing."""
    words = STAGES[run.stage]
    return f"{words}, {100 * run.progress:.0f} %" if 0 < run.progress < 1 else words


def source_words(run: BacktestRun) -> str:
    """Where the candles are from."""
    source = run.request.source
    if isinstance(source, FileSource):
        return ", ".join(source.files)
    return f"{', '.join(source.symbols)} on {source.market}"


def took(run: BacktestRun) -> str:
    """How long it ran."""
    if run.started_at is None or run.finished_at is None:
        return NONE
    seconds = (run.finished_at - run.started_at).total_seconds()
    return f"{seconds:.1f} s" if seconds < 60 else duration(seconds)


def run_title(run: BacktestRun) -> str:
    """A name that tells runs of one name apart."""
    return f"{run.name}, {run.created_at.astimezone(UTC):%m-%d %H:%M:%S}"


def metric(run: BacktestRun, key: str) -> float | None:
    """A figure of a run that is done, as a number."""
    value = run.metrics.get(key)
    return float(value) if isinstance(value, int | float) else None


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings by dotted name."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def decimal(value: float) -> Decimal:
    """A float as it is written, for what takes amounts."""
    return Decimal(repr(value))


def setting_name(name: str) -> str:
    """What the form calls a setting: ``params.period`` is ``period``."""
    return SETTING_NAMES.get(name, name.removeprefix("params."))


def setting_value(value: Any) -> str:
    """A setting's value as text."""
    if value is None or value in ("", []):
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(setting_value(one) for one in value)
    if isinstance(value, dict):
        return " ".join(f"{name} {one}" for name, one in value.items())
    return str(value)


def refused_words(refused: dict[str, int]) -> str:
    """Entries that were not made: ``3 too small, 1 no cash``."""
    return ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in refused.items())
