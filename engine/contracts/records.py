"""What was traded and what happened: filters, and pages of trades with their totals."""

from decimal import Decimal
from typing import Self

from pydantic import ConfigDict, Field, model_validator

from engine.contracts.base import Contract
from engine.domain.money import UtcDatetime
from engine.domain.positions import PositionSide, Trade
from engine.domain.records import Level


class TradeTotals(Contract):
    """Sums over filtered trades of one quote asset."""

    quote: str
    count: int
    wins: int
    losses: int
    pnl: Decimal
    fees: Decimal
    best: Decimal
    worst: Decimal
    profit_factor: float | None


class TradeFilter(Contract):
    """Which trades; an empty field does not narrow. Times are those of the exit.

    ``since`` is inclusive, ``until`` exclusive. ``bot_id`` may be a bot's name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bot_id: str | None = Field(default=None, max_length=64)
    symbol: str | None = Field(default=None, max_length=40)
    strategy: str | None = Field(default=None, max_length=64)
    side: PositionSide | None = None
    exit_reason: str | None = Field(default=None, max_length=40)
    since: UtcDatetime | None = None
    until: UtcDatetime | None = None
    limit: int = Field(default=200, ge=1, le=5000)
    offset: int = Field(default=0, ge=0, le=10_000_000)

    @model_validator(mode="after")
    def _since_before_until(self) -> Self:
        if self.since and self.until and self.since >= self.until:
            raise ValueError("since must be before until")
        return self


class EventFilter(Contract):
    """Which events; an empty field does not narrow. ``level`` is the least that is shown.

    ``kind`` is a dotted name or its beginning (``order`` finds ``order.filled``); ``search`` is a
    case-insensitive part of the message.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: Level | None = None
    bot_id: str | None = Field(default=None, max_length=64)
    search: str = Field(default="", max_length=200)
    kind: str | None = Field(default=None, max_length=64)
    limit: int = Field(default=200, ge=1, le=5000)


class TradePage(Contract):
    """Trades, newest first, with totals over all that match."""

    items: tuple[Trade, ...]
    count: int
    totals: tuple[TradeTotals, ...]
