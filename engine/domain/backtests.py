"""What a backtest is asked and what it answers.

The terms are a venue's and a bot's together; the result is arrays, one row a closed trade and one
value a bar, from which everything else (metrics, charts, reports) is computed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from engine.domain.bots import Direction, ExitRules
from engine.domain.candles import FloatArray, IntArray
from engine.domain.money import ZERO, from_epoch_ms
from engine.domain.positions import PositionSide, Trade

LONG, SHORT = 1, -1

EXIT_REASONS = (
    "signal", "stop_loss", "take_profit", "trailing_stop", "time_limit", "roi",
)  # fmt: skip
"""What ``TradeTable.reason`` counts; the words are those of the live bot's trades."""


class BacktestTerms(BaseModel):
    """What the simulated account is given, what it pays, and how positions are closed.

    The defaults are plain enough to check by hand: 10,000 of cash, all of it in each trade,
    fractional quantities, no costs, no stops. Amounts are in the symbol's quote asset.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cash: Decimal = Field(
        default=Decimal(10_000), gt=0, le=Decimal("1e12"), title="Cash",
        description="the account at the start",
    )  # fmt: skip
    amount: Decimal | None = Field(
        default=None, gt=0, le=Decimal("1e12"), title="Trade amount",
        description="of the first entry; empty: the cash, in equal parts for every entry there can "
        "be at a time",
    )  # fmt: skip
    reinvest: bool = Field(
        default=True, title="Reinvest", description="later entries use the proceeds of earlier ones"
    )
    direction: Direction = Field(default=Direction.LONG, title="Direction")
    can_short: bool = Field(default=True, title="Can be sold short")
    max_entries: int = Field(default=1, ge=1, le=20, title="Entries per position")
    fee_bps: Decimal = Field(
        default=ZERO, ge=0, le=1000, title="Fee", description="in basis points of the value"
    )
    slippage_bps: Decimal = Field(
        default=ZERO, ge=0, le=1000, title="Slippage", description="in basis points, at every fill"
    )
    spread_bps: Decimal = Field(
        default=ZERO, ge=0, le=1000, title="Spread",
        description="between bid and ask, in basis points; a fill pays half of it",
    )  # fmt: skip
    price_tick: Decimal | None = Field(
        default=None, gt=0, title="Price tick", description="empty: prices as they come"
    )
    quantity_step: Decimal | None = Field(
        default=None, gt=0, title="Quantity step", description="empty: fractional quantities"
    )
    min_quantity: Decimal = Field(default=ZERO, ge=0, title="Smallest quantity")
    min_notional: Decimal = Field(default=ZERO, ge=0, title="Smallest order value")
    volume_cap: Decimal | None = Field(
        default=None, gt=0, le=1, title="Volume cap",
        description="the share of a bar's volume that one order takes; empty: any",
    )  # fmt: skip
    exits: ExitRules = Field(
        default=ExitRules(stop_loss=None, take_profit=None), title="Exit rules"
    )


@dataclass(frozen=True, slots=True)
class TradeTable:
    """Closed trades as columns of one length, in the order in which they were closed.

    ``symbol`` indexes ``BacktestResult.symbols``, ``entry_index`` and ``exit_index`` its bars,
    ``reason`` EXIT_REASONS; ``side`` is LONG or SHORT. Times are epoch milliseconds UTC of the
    bar's open in which the fill happened; prices are averages; ``fees`` and ``pnl`` (after fees)
    are in quote. ``entry_value`` is the sum of price x quantity over the entries.
    """

    symbol: IntArray
    side: IntArray
    entry_index: IntArray
    exit_index: IntArray
    entry_ms: IntArray
    exit_ms: IntArray
    entry_price: FloatArray
    exit_price: FloatArray
    quantity: FloatArray
    entry_value: FloatArray
    fees: FloatArray
    pnl: FloatArray
    entry_count: IntArray
    reason: IntArray

    def __len__(self) -> int:
        return len(self.pnl)

    def __getitem__(self, rows: "slice | IntArray | np.ndarray[tuple[int], np.dtype[np.bool_]]"
                    ) -> Self:  # fmt: skip
        """Those rows (a slice, indices or a mask) as a table of their own."""
        return type(self)(**{name: getattr(self, name)[rows] for name in self.__slots__})

    @property
    def returns(self) -> FloatArray:
        """Profit of each trade as a fraction of what was entered with."""
        return np.asarray(self.pnl / self.entry_value)


@dataclass(frozen=True, slots=True)
class OpenPosition:
    """What is still held when the candles end: reported apart, never forced shut.

    ``unrealised_pnl`` is at the last close, after the fees paid so far.
    """

    symbol: str
    side: PositionSide
    entry_index: int
    entry_ms: int
    entry_price: float
    quantity: float
    entry_value: float
    fees: float
    unrealised_pnl: float
    entry_count: int


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """What a simulation found.

    ``time`` is each bar's open in epoch milliseconds UTC, ``equity`` the account's worth in quote
    at its close, open positions at the close's price; both have one value a bar. ``close`` is the
    first symbol's close. ``refused`` counts entries that were not made, by the reason why.
    ``exact_trades`` are the trades to the last digit, where ``exact_backtest`` was asked.
    """

    symbols: tuple[str, ...]
    timeframe: str
    starting_cash: float
    time: IntArray
    close: FloatArray
    equity: FloatArray
    trades: TradeTable
    open_positions: tuple[OpenPosition, ...] = ()
    refused: Mapping[str, int] = field(default_factory=dict)
    exact_trades: tuple[Trade, ...] = ()


def trade_rows(result: BacktestResult) -> list[dict[str, object]]:
    """Closed trades as JSON-ready rows: ISO 8601 times, floats, words for side and reason."""
    table = result.trades
    return [
        {
            "symbol": result.symbols[int(table.symbol[row])],
            "entry_time": iso(int(table.entry_ms[row])),
            "entry_price": float(table.entry_price[row]),
            "exit_time": iso(int(table.exit_ms[row])),
            "exit_price": float(table.exit_price[row]),
            "quantity": float(table.quantity[row]),
            "side": "long" if table.side[row] == LONG else "short",
            "fee": float(table.fees[row]),
            "pnl": float(table.pnl[row]),
            "entry_count": int(table.entry_count[row]),
            "exit_reason": EXIT_REASONS[int(table.reason[row])],
        }
        for row in range(len(table))
    ]


def iso(epoch_ms: int) -> str:
    """ISO 8601 in UTC with a Z."""
    return from_epoch_ms(epoch_ms).isoformat().replace("+00:00", "Z")
