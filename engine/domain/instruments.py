"""What can be traded, and the rules its venue puts on price and quantity."""

from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.money import ZERO, UtcDatetime


class InstrumentKind(StrEnum):
    """The character of an instrument."""

    CRYPTO = "crypto"
    STOCK = "stock"
    FOREX = "forex"


class Instrument(BaseModel):
    """One symbol of one market. Prices in ``quote`` per one ``base``."""

    model_config = ConfigDict(frozen=True)

    symbol: str
    name: str = ""
    kind: InstrumentKind = InstrumentKind.CRYPTO
    base: str
    quote: str
    price_tick: Decimal = Field(gt=0, description="smallest price step, in quote")
    quantity_step: Decimal = Field(gt=0, description="smallest quantity step, in base")
    min_quantity: Decimal = Field(default=ZERO, ge=0, description="in base")
    min_notional: Decimal = Field(default=ZERO, ge=0, description="smallest order value, in quote")
    max_quantity: Decimal | None = Field(
        default=None, gt=0, description="in base, of one order; None: as much as one likes"
    )
    max_market_quantity: Decimal | None = Field(
        default=None, gt=0, description="of one order that takes what the market gives, if less"
    )
    can_short: bool = False
    calendar: str = Field(
        default="",
        description="its hours as exchange_calendars names them (XNYS, XBOM); empty: by its kind",
    )

    def largest(self, *, is_market: bool) -> Decimal | None:
        """The largest quantity of one order; None where there is no limit."""
        limits = (self.max_quantity, self.max_market_quantity if is_market else None)
        return min((limit for limit in limits if limit is not None), default=None)


class Depth(BaseModel):
    """The best levels of an order book, the best first: price and quantity of base at it."""

    model_config = ConfigDict(frozen=True)

    symbol: str
    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]
    time: UtcDatetime


class Quote(BaseModel):
    """The price of a symbol at one moment, in its quote asset."""

    model_config = ConfigDict(frozen=True)

    symbol: str
    bid: Decimal
    ask: Decimal
    last: Decimal
    time: UtcDatetime
    volume: Decimal = Field(
        default=ZERO, ge=0, description="base traded in the bar around this moment; 0 is unknown"
    )
