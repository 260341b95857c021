"""What performance is measured on: an account's worth over time, and its closed trades.

A backtest and a live account are both turned into a ``History``; nothing behind this module knows
which of the two it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from engine.domain.backtests import EXIT_REASONS, LONG, BacktestResult
from engine.domain.candles import BoolArray, FloatArray, IntArray
from engine.domain.positions import PositionSide
from engine.domain.timeframes import timeframe_s

MS_A_SECOND = 1_000
MS_A_DAY = 86_400_000
SIDES = (PositionSide.LONG.value, PositionSide.SHORT.value)


@dataclass(frozen=True, slots=True)
class Labels:
    """A word for each trade: ``names[codes[row]]``."""

    codes: IntArray
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClosedTrades:
    """Closed trades as columns of one length, in the order in which they were closed.

    Times in epoch milliseconds UTC; ``entry_value``, ``fees`` and ``pnl`` (after fees) in quote;
    ``is_long`` is a mask. ``labels`` has what trades can be grouped by: symbol, exit_reason, and
    for live trades bot, strategy, market and account.
    """

    is_long: BoolArray
    entry_ms: IntArray
    exit_ms: IntArray
    entry_value: FloatArray
    fees: FloatArray
    pnl: FloatArray
    labels: Mapping[str, Labels] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.pnl)

    def __getitem__(self, rows: "slice | IntArray | BoolArray") -> "ClosedTrades":
        """Those rows (a slice, indices or a mask) as trades of their own."""
        return ClosedTrades(
            self.is_long[rows],
            self.entry_ms[rows],
            self.exit_ms[rows],
            self.entry_value[rows],
            self.fees[rows],
            self.pnl[rows],
            {by: Labels(one.codes[rows], one.names) for by, one in self.labels.items()},
        )

    @property
    def returns(self) -> FloatArray:
        """Profit of each trade as a fraction of what was entered with; 0 for an entry of nothing
        (a position that was given to a bot)."""
        is_paid = self.entry_value > 0
        return np.divide(self.pnl, self.entry_value, out=np.zeros_like(self.pnl), where=is_paid)

    @property
    def duration_s(self) -> FloatArray:
        """How long each trade was held, in seconds."""
        return np.asarray((self.exit_ms - self.entry_ms) / MS_A_SECOND)


@dataclass(frozen=True, slots=True)
class History:
    """An account's worth from ``start_ms`` on, and what it traded.

    ``equity[i]`` is the worth in quote at ``at[i]`` (epoch milliseconds UTC, rising), before which
    it was ``starting_cash``. ``bar_ms`` is the length of the bars whose closes these are; 0 for
    points at any time, between which the worth stays as it was. ``market`` is the price of what was
    traded at the same moments, None where there is no such one thing. ``open_since_ms``,
    ``open_value`` and ``open_pnl`` tell of positions that are still held at the end.
    """

    start_ms: int
    starting_cash: float
    at: IntArray
    equity: FloatArray
    trades: ClosedTrades
    bar_ms: int = 0
    market: FloatArray | None = None
    open_since_ms: tuple[int, ...] = ()
    open_value: tuple[float, ...] = ()
    open_pnl: float = 0.0

    @property
    def span_ms(self) -> int:
        """From the start to the last value."""
        return int(self.at[-1]) - self.start_ms if len(self.at) else 0

    @property
    def final_equity(self) -> float:
        """The last value."""
        return float(self.equity[-1]) if len(self.equity) else self.starting_cash


def history_of(result: BacktestResult) -> History:
    """A backtest's history. Equity is at the closes of its bars, which are finer than its timeframe
    where it was followed inside of its candles."""
    table = result.trades
    longest_ms = timeframe_s(result.timeframe) * MS_A_SECOND
    bar_ms = int(np.diff(result.time).min(initial=longest_ms))
    trades = ClosedTrades(
        is_long=table.side == LONG,
        entry_ms=table.entry_ms,
        exit_ms=table.exit_ms,
        entry_value=table.entry_value,
        fees=table.fees,
        pnl=table.pnl,
        labels={
            "symbol": Labels(table.symbol, result.symbols),
            "exit_reason": Labels(table.reason, EXIT_REASONS),
        },
    )
    return History(
        start_ms=int(result.time[0]) if len(result.time) else 0,
        starting_cash=result.starting_cash,
        at=result.time + bar_ms,
        equity=result.equity,
        trades=trades,
        bar_ms=bar_ms,
        market=result.close if len(result.symbols) == 1 else None,
        open_since_ms=tuple(one.entry_ms for one in result.open_positions),
        open_value=tuple(one.entry_value for one in result.open_positions),
        open_pnl=sum(one.unrealised_pnl for one in result.open_positions),
    )
