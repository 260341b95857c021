"""What an exact backtest writes down, and the arrays that come of it."""

from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from engine.domain import bar_state as loop
from engine.domain.backtest import trade_table
from engine.domain.backtests import EXIT_REASONS, LONG, SHORT, OpenPosition, TradeTable
from engine.domain.candles import FloatArray
from engine.domain.ledger import open_pnl
from engine.domain.money import ZERO, exact, to_epoch_ms
from engine.domain.positions import Position, PositionSide, Trade


@dataclass(slots=True)
class ExactBooks:
    """Closed trades with their bars, and what the account is worth from which bar on."""

    cash: Decimal
    last_prices: FloatArray
    realised: Decimal = ZERO
    trades: list[Trade] = field(default_factory=list)
    _bars: list[tuple[int, int]] = field(default_factory=list)
    _marks: list[tuple[int, float, float]] = field(default_factory=list)

    def close(self, trade: Trade, entered: int, left: int) -> None:
        """Write down a trade, entered and left on these bars."""
        self.trades.append(trade)
        self._bars.append((entered, left))
        self.realised += trade.pnl

    def mark(self, place: int, held: Position | None) -> None:
        """From bar ``place`` on, the equity is a constant plus so many times the close."""
        cash = self.cash + self.realised
        if held is None:
            self._marks.append((place, float(cash), 0.0))
            return
        slope = held.quantity if held.side is PositionSide.LONG else -held.quantity
        self._marks.append((place, float(cash + open_pnl(held, ZERO)), float(slope)))

    def equity(self) -> FloatArray:
        """One value a bar: the mark in force, at the bar's close. Of marks on one bar the last."""
        places = np.array([place for place, _, _ in self._marks] + [len(self.last_prices)])
        lengths = np.diff(places)
        constant = np.repeat(np.array([mark[1] for mark in self._marks]), lengths)
        slope = np.repeat(np.array([mark[2] for mark in self._marks]), lengths)
        return np.asarray(constant + slope * self.last_prices)

    def table(self) -> TradeTable:
        """The trades as columns of floats."""
        whole = [
            (0, LONG if trade.side is PositionSide.LONG else SHORT, entered, left,
             to_epoch_ms(trade.entry_time), to_epoch_ms(trade.exit_time),
             trade.entry_count, EXIT_REASONS.index(trade.exit_reason))
            for trade, (entered, left) in zip(self.trades, self._bars, strict=True)
        ]  # fmt: skip
        real = [
            (trade.entry_price, trade.exit_price, trade.quantity, trade.entry_value, trade.fees,
             trade.pnl)
            for trade in self.trades
        ]  # fmt: skip
        return trade_table(
            np.array(whole, dtype=np.int64).reshape(-1, len(loop.INT_COLUMNS)),
            np.array(real, dtype=np.float64).reshape(-1, len(loop.FLOAT_COLUMNS)),
        )

    def still_open(self, held: Position | None, entered: int) -> tuple[OpenPosition, ...]:
        """What is held after the last bar, at its close."""
        if held is None:
            return ()
        last = exact(float(self.last_prices[-1]))
        return (
            OpenPosition(
                symbol=held.symbol,
                side=held.side,
                entry_index=entered,
                entry_ms=to_epoch_ms(held.opened_at),
                entry_price=float(held.average_price),
                quantity=float(held.quantity),
                entry_value=float(held.entry_value),
                fees=float(held.fees),
                unrealised_pnl=float(open_pnl(held, last)),
                entry_count=held.entry_count,
            ),
        )
