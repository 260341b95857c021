"""Positions, their entries, fills and the trades they become."""

from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.money import ZERO, UtcDatetime
from engine.domain.orders import Purpose, Side


class PositionSide(StrEnum):
    """Which way a position earns."""

    LONG = "long"
    SHORT = "short"


class Fill(BaseModel):
    """One execution in the books, keyed by account and the venue's trade id."""

    model_config = ConfigDict(frozen=True)

    id: str
    account_id: str
    trade_id: str
    client_id: str
    bot_id: str
    position_id: str
    symbol: str
    base: str = ""
    quote: str = ""
    side: Side
    purpose: Purpose
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    fee_value: Decimal = Field(
        default=ZERO,
        description="a fee taken in a third asset, at its price then; zero for base and quote",
    )
    time: UtcDatetime


class PositionEntry(BaseModel):
    """One entry of a position (more than one when pyramiding)."""

    model_config = ConfigDict(frozen=True)

    id: str
    position_id: str
    bot_id: str
    client_id: str
    quantity: Decimal
    value: Decimal = Field(description="sum of price x quantity, in quote")
    fee: Decimal
    time: UtcDatetime


class Position(BaseModel):
    """What a bot holds of its symbol. Values are exact sums over fills, in quote.

    ``best_price`` is the most favourable price since the entry, from which a trailing stop hangs.
    ``funding`` is what was paid (or, positive, received) for holding it. ``dust`` is what was left
    when it closed because no venue trades so little: it is no bot's any more, and worth nothing
    in its result.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    bot_id: str
    account_id: str
    symbol: str
    side: PositionSide
    quantity: Decimal = ZERO
    entry_quantity: Decimal = ZERO
    entry_value: Decimal = ZERO
    exit_quantity: Decimal = ZERO
    exit_value: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    dust: Decimal = ZERO
    entry_count: int = 0
    best_price: Decimal = ZERO
    stop_price: Decimal | None = None
    target_price: Decimal | None = None
    protected_at: UtcDatetime | None = Field(
        default=None, description="since when its stop rests at the venue; None: it does not"
    )
    unprotected_since: UtcDatetime | None = Field(
        default=None, description="since when a stop that should rest at the venue does not"
    )
    opened_at: UtcDatetime
    closed_at: UtcDatetime | None = None
    watched_until: UtcDatetime
    is_open: bool = True
    exit_reason: str = ""

    @property
    def average_price(self) -> Decimal:
        """Average entry price; zero before the first fill."""
        return self.entry_value / self.entry_quantity if self.entry_quantity else ZERO


class Trade(BaseModel):
    """One closed position: entry to flat. ``pnl`` is exact, in quote, after fees."""

    model_config = ConfigDict(frozen=True)

    id: str
    bot_id: str
    bot_name: str
    account_id: str
    market: str
    symbol: str
    quote: str = Field(description="the asset in which values, fees and pnl are given")
    strategy: str
    side: PositionSide
    quantity: Decimal
    entry_time: UtcDatetime
    entry_price: Decimal
    entry_value: Decimal
    exit_time: UtcDatetime
    exit_price: Decimal
    exit_value: Decimal
    fees: Decimal
    funding: Decimal = ZERO
    dust: Decimal = ZERO
    pnl: Decimal
    return_fraction: Decimal
    entry_count: int
    exit_reason: str
