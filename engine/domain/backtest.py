"""The backtester: signals as arrays, then one compiled loop over the bars."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.domain import bar_state as loop
from engine.domain.backtests import LONG, BacktestResult, BacktestTerms, OpenPosition, TradeTable
from engine.domain.bar_levels import as_decimal
from engine.domain.bar_loop import run_bars
from engine.domain.bar_state import Bars, Book, FlagArray
from engine.domain.bots import Direction
from engine.domain.candles import BoolArray, Candles, FloatArray, IntArray
from engine.domain.positions import PositionSide
from engine.domain.sizing import BPS
from engine.domain.strategy import Signals
from engine.domain.timeframes import timeframe_s

T = TypeVar("T", bound=np.generic)
ENTRIES = loop.WANT_LONG | loop.WANT_SHORT
LONGEST_LAG = timedelta(minutes=5)
SHORTEST_LAG = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Leg:
    """One symbol of a backtest: its candles, what its strategy says about them, and, optionally,
    finer candles of the same span for what happens inside a bar.

    No candle before the ``warmup``-th is decided.
    """

    symbol: str
    candles: Candles
    signals: Signals
    fine: Candles | None = None
    warmup: int = 0

    @property
    def bars(self) -> Candles:
        """The candles by whose prices orders are filled."""
        return self.candles if self.fine is None else self.fine

    def on_bars(self, values: NDArray[T]) -> NDArray[T]:
        """Values of the candles, each at the last bar that closes with its candle; 0 elsewhere."""
        if self.fine is None:
            return values
        fine, coarse_ms = self.fine, timeframe_s(self.candles.timeframe) * 1000
        closes = fine.time + timeframe_s(fine.timeframe) * 1000
        places = np.searchsorted(closes, self.candles.time + coarse_ms, "right") - 1
        has_bars = (places >= 0) & (fine.time[np.maximum(places, 0)] >= self.candles.time)
        spread = np.zeros(len(fine), dtype=values.dtype)
        spread[places[has_bars]] = values[has_bars]
        return spread


def backtest(legs: Sequence[Leg], terms: BacktestTerms) -> BacktestResult:
    """Simulate ``legs`` on one cash account, in float64.

    An order fills at the open of the bar after the candle that decided it; one from the last
    candle is never filled, and what is held then is reported as open. Raises ValueError without
    candles, and for signals that do not fit them.
    """
    if not legs or not all(len(leg.candles) and len(leg.bars) for leg in legs):
        raise ValueError("a backtest needs at least one candle of every symbol")
    for leg in legs:
        leg.signals.check(len(leg.candles))
    bars = [leg.bars for leg in legs]
    flags = _joined([flags_of(leg, terms.direction, terms.can_short) for leg in legs])
    timeline = bars[0].time
    if len(legs) > 1:
        timeline = np.unique(np.concatenate([candles.time for candles in bars]))
    equity = np.empty(len(timeline))
    book = _book(terms, legs, int(np.count_nonzero(flags & ENTRIES)) + len(legs))
    closed, states = run_bars(timeline, _bars(legs, flags), book, equity)
    return BacktestResult(
        symbols=tuple(leg.symbol for leg in legs),
        timeframe=legs[0].candles.timeframe,
        starting_cash=float(terms.cash),
        time=timeline,
        close=bars[0].close,
        equity=equity,
        trades=trade_table(book.ints[:closed], book.floats[:closed]),
        open_positions=tuple(_open_positions(legs, states)),
        refused={name: int(n) for name, n in zip(loop.REFUSALS, book.refused, strict=True) if n},
    )


def _bars(legs: Sequence[Leg], flags: FlagArray) -> Bars:
    bars, size = [leg.bars for leg in legs], np.empty(0)
    if any(leg.signals.size is not None for leg in legs):
        size = _joined([leg.on_bars(_size(leg.signals)) for leg in legs])
    return Bars(
        np.cumsum([0, *(len(candles) for candles in bars)]),
        _joined([candles.time for candles in bars]),
        _joined([candles.open for candles in bars]),
        _joined([candles.high for candles in bars]),
        _joined([candles.low for candles in bars]),
        _joined([candles.close for candles in bars]),
        _joined([candles.volume for candles in bars]),
        flags,
        size,
    )


def _book(terms: BacktestTerms, legs: Sequence[Leg], most_trades: int) -> Book:
    return Book(
        parameters(terms, len(legs), legs[0].candles.timeframe),
        *roi_arrays(terms),
        np.zeros(3),
        np.empty((most_trades, len(loop.INT_COLUMNS)), dtype=np.int64),
        np.empty((most_trades, len(loop.FLOAT_COLUMNS))),
        np.zeros(len(loop.REFUSALS), dtype=np.int64),
    )


def flags_of(leg: Leg, direction: Direction, can_short: bool = True) -> FlagArray:
    """What each bar's closing candle makes of a position, in bits of ``bar_state``.

    The rules are those of ``domain.cycle.choose_action``: contradictory entries cancel each other
    out, an entry against what is held is an exit too.
    """
    signals = leg.signals
    wants_long, wants_short = signals.enter_long, signals.enter_short
    both = wants_long & wants_short
    flags = np.zeros(len(leg.candles), dtype=np.uint8)
    if direction is not Direction.SHORT:
        _set(flags, wants_long & ~both, loop.WANT_LONG | loop.EXIT_SHORT)
    if direction is not Direction.LONG:
        bits = loop.WANT_SHORT | loop.EXIT_LONG if can_short else loop.EXIT_LONG
        _set(flags, wants_short & ~both, bits)
    _set(flags, signals.exit_long, loop.EXIT_LONG)
    _set(flags, signals.exit_short, loop.EXIT_SHORT)
    flags[: max(leg.warmup - 1, 0)] = 0
    return leg.on_bars(flags)


def parameters(terms: BacktestTerms, leg_count: int, timeframe: str) -> FloatArray:
    """The terms as the loop's array; 0 where there is no limit."""
    p = np.zeros(loop.PARAMETER_COUNT)
    exits = terms.exits
    half_spread, slippage = terms.spread_bps / 2 / BPS, terms.slippage_bps / BPS
    for place, value in (
        (loop.CASH, terms.cash),
        (loop.AMOUNT, terms.amount),
        (loop.SLOTS, terms.max_entries * (1 if terms.amount else leg_count)),
        (loop.MAX_ENTRIES, terms.max_entries),
        (loop.REINVEST, int(terms.reinvest)),
        (loop.FEE, terms.fee_bps / BPS),
        (loop.BUY_FACTOR, (1 + half_spread) * (1 + slippage)),
        (loop.SELL_FACTOR, (1 - half_spread) * (1 - slippage)),
        (loop.TICK, terms.price_tick),
        (loop.STEP, terms.quantity_step),
        (loop.MIN_QUANTITY, terms.min_quantity),
        (loop.MIN_NOTIONAL, terms.min_notional),
        (loop.VOLUME_CAP, terms.volume_cap),
        (loop.STOP, exits.stop_loss),
        (loop.TARGET, exits.take_profit),
        (loop.TRAIL, exits.trailing_stop),
        (loop.TIME_LIMIT_MS, (exits.time_limit_s or 0) * 1000),
        (loop.LAG_MS, entry_lag_ms(timeframe)),
    ):
        p[place] = float(value or 0)
    return p


def roi_arrays(terms: BacktestTerms) -> tuple[IntArray, FloatArray]:
    """The ROI steps: ages in milliseconds, and the profits asked for from then on."""
    steps = terms.exits.roi_steps
    ages = np.array([step.after_s * 1000 for step in steps], dtype=np.int64)
    return ages, np.array([float(step.profit) for step in steps], dtype=np.float64)


def entry_lag_ms(timeframe: str) -> int:
    """How old a decision may be when the entry of a reversal is sent at last: as with a bot."""
    candle = timedelta(seconds=timeframe_s(timeframe))
    return int(min(max(candle, SHORTEST_LAG), LONGEST_LAG).total_seconds() * 1000)


def _set(flags: FlagArray, where: BoolArray, bits: int) -> None:
    flags |= where.view(np.uint8) * np.uint8(bits)


def _size(signals: Signals) -> FloatArray:
    return np.ones(len(signals.enter_long)) if signals.size is None else signals.size


def _joined(arrays: Sequence[NDArray[T]]) -> NDArray[T]:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def trade_table(ints: IntArray, floats: FloatArray) -> TradeTable:
    """Rows in the order of ``bar_state``'s columns, as a table."""
    whole = {name: ints[:, k].copy() for k, name in enumerate(loop.INT_COLUMNS)}
    real = {name: floats[:, k].copy() for k, name in enumerate(loop.FLOAT_COLUMNS)}
    columns: dict[str, Any] = {**whole, **real}
    return TradeTable(**columns)


def _open_positions(legs: Sequence[Leg], states: FloatArray) -> list[OpenPosition]:
    return [
        OpenPosition(
            symbol=leg.symbol,
            side=PositionSide.LONG if s[loop.SIDE] == LONG else PositionSide.SHORT,
            entry_index=int(s[loop.ENTRY_INDEX]),
            entry_ms=int(s[loop.OPENED_MS]),
            entry_price=as_decimal(s[loop.ENTRY_VALUE] / s[loop.ENTRY_QUANTITY]),
            quantity=float(s[loop.QUANTITY]),
            entry_value=float(s[loop.ENTRY_VALUE]),
            fees=float(s[loop.FEES]),
            unrealised_pnl=_unrealised(s),
            entry_count=int(s[loop.ENTRIES]),
        )
        for leg, s in zip(legs, states, strict=True)
        if s[loop.SIDE]
    ]


def _unrealised(s: FloatArray) -> float:
    """Profit of what is held at its last close, fees so far taken off."""
    rest = s[loop.EXIT_VALUE] + s[loop.QUANTITY] * s[loop.LAST_CLOSE]
    return float(s[loop.SIDE] * (rest - s[loop.ENTRY_VALUE]) - s[loop.FEES])
