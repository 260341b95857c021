"""What a backtest prints: one document for programs, a table and a summary for people."""

from typing import Any

import numpy as np

from engine.cli.output import amount, moment, pairs, percent, signed, table
from engine.domain.backtests import BacktestResult, OpenPosition, iso, trade_rows
from engine.domain.candle_gaps import find_gaps
from engine.domain.candles import Candles
from engine.domain.instruments import Instrument, InstrumentKind
from engine.domain.performance import Metrics
from engine.domain.strategy import Strategy
from engine.domain.timeframes import timeframe_s

TRADES_SHOWN = 20


def warnings_of(instrument: Instrument, bars: Candles) -> list[str]:
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


def document_of(
    name: str,
    strategy: Strategy,
    result: BacktestResult,
    metrics: Metrics,
    warnings: list[str],
) -> dict[str, Any]:
    """All of it, as JSON values; see docs/backtest-rules.md."""
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


def lines_of(
    result: BacktestResult, metrics: Metrics, quote: str, warnings: list[str]
) -> list[str]:
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
