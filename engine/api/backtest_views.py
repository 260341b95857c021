"""A backtest's arrays as what the API answers: trades, markers on candles, what differs."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np

from engine.contracts import Marker
from engine.contracts.backtests import BacktestRun, BacktestTrade, BacktestTradeFilter, Difference
from engine.domain.backtests import EXIT_REASONS, LONG, SHORT, BacktestResult, TradeTable
from engine.domain.candles import Candles, IntArray
from engine.domain.money import exact, from_epoch_ms, to_epoch_ms
from engine.domain.positions import PositionSide
from engine.domain.timeframes import timeframe_s

MOST_MARKERS = 2_000
SIDES = {LONG: PositionSide.LONG, SHORT: PositionSide.SHORT}


def differences(runs: Sequence[BacktestRun]) -> tuple[Difference, ...]:
    """The settings that are not the same in all runs, by dotted name, in order."""
    flat = [_flat(run.request.model_dump(mode="json", exclude={"name", "notes"})) for run in runs]
    names = dict.fromkeys(name for one in flat for name in one)
    found = []
    for name in names:
        values = tuple(one.get(name) for one in flat)
        if any(value != values[0] for value in values):
            found.append(Difference(name=name, values=values))
    return tuple(found)


def subtitle_of(run: BacktestRun) -> str:
    """What was tested, in one line."""
    request = run.request
    symbols = ", ".join(f"{one.symbol} from {one.source}" for one in run.coverage)
    params = ", ".join(f"{name} {value}" for name, value in request.params.items())
    return f"{request.strategy} ({params}) on {request.timeframe} candles of {symbols}"


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def chosen_rows(result: BacktestResult, chosen: BacktestTradeFilter) -> IntArray:
    """Row numbers of the trades that match, in the order asked for."""
    table = result.trades
    is_chosen = np.ones(len(table), dtype=np.bool_)
    if chosen.symbol:
        is_symbol = [number for number, name in enumerate(result.symbols) if name == chosen.symbol]
        is_chosen &= np.isin(table.symbol, is_symbol)
    if chosen.side is not None:
        is_chosen &= table.side == (LONG if chosen.side is PositionSide.LONG else SHORT)
    if chosen.exit_reason:
        codes = [code for code, word in enumerate(EXIT_REASONS) if word == chosen.exit_reason]
        is_chosen &= np.isin(table.reason, codes)
    if chosen.outcome is not None:
        is_chosen &= table.pnl > 0 if chosen.outcome == "won" else table.pnl < 0
    rows = np.flatnonzero(is_chosen)
    if chosen.order in ("best", "worst"):
        rows = rows[np.argsort(table.pnl[rows], kind="stable")]
    return rows[::-1] if chosen.order in ("newest", "best") else rows


def trade_view(result: BacktestResult, row: int) -> BacktestTrade:
    """One closed trade."""
    table = result.trades
    return BacktestTrade(
        number=row + 1,
        symbol=result.symbols[int(table.symbol[row])],
        side=SIDES[int(table.side[row])],
        entry_time=from_epoch_ms(int(table.entry_ms[row])),
        entry_price=float(table.entry_price[row]),
        exit_time=from_epoch_ms(int(table.exit_ms[row])),
        exit_price=float(table.exit_price[row]),
        quantity=float(table.quantity[row]),
        entry_value=float(table.entry_value[row]),
        fees=float(table.fees[row]),
        pnl=float(table.pnl[row]),
        return_fraction=float(table.pnl[row] / table.entry_value[row]),
        entry_count=int(table.entry_count[row]),
        exit_reason=EXIT_REASONS[int(table.reason[row])],
    )


def window_start(candles: Candles, at: datetime | None, limit: int) -> int:
    """The first candle shown, so that ``at`` is in the middle where that is possible."""
    last_start = max(0, len(candles) - limit)
    if at is None:
        return last_start
    place = int(np.searchsorted(candles.time, to_epoch_ms(at), "right")) - 1
    return min(max(0, place - limit // 2), last_start)


def markers_on(result: BacktestResult, symbol: str, shown: Candles) -> tuple[Marker, ...]:
    """Entries and exits within the candles shown, oldest first, the newest when there are many."""
    if not len(shown):
        return ()
    first_ms = int(shown.time[0])
    end_ms = int(shown.time[-1]) + timeframe_s(shown.timeframe) * 1000
    table = result.trades[result.trades.symbol == result.symbols.index(symbol)]
    found = [
        marker
        for kind, times in (("entry", table.entry_ms), ("exit", table.exit_ms))
        for marker in _fills(table, np.flatnonzero((times >= first_ms) & (times < end_ms)), kind)
    ]
    for one in result.open_positions:
        if one.symbol == symbol and first_ms <= one.entry_ms < end_ms:
            found.append(_marker("entry", one.side, one.entry_ms, one.entry_price, "still held"))
    found.sort(key=lambda marker: marker.time)
    return tuple(found[-MOST_MARKERS:])


def _fills(table: TradeTable, rows: IntArray, kind: str) -> Iterator[Marker]:
    times = table.entry_ms if kind == "entry" else table.exit_ms
    prices = table.entry_price if kind == "entry" else table.exit_price
    for row in rows:
        words = f"{table.quantity[row]:.8g}"
        if kind == "exit":
            reason = EXIT_REASONS[int(table.reason[row])].replace("_", " ")
            words = f"{reason}, {table.pnl[row] / table.entry_value[row]:+.2%}"
        side = SIDES[int(table.side[row])]
        yield _marker(kind, side, int(times[row]), float(prices[row]), words)


def _marker(kind: str, side: PositionSide, at_ms: int, price: float, words: str) -> Marker:
    shown: Decimal = exact(float(f"{price:.10g}"))
    return Marker(time=from_epoch_ms(at_ms), price=shown, kind=kind, side=side, text=words)
