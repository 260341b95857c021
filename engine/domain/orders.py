"""Orders: their states, the one table of transitions, and what a venue says of them."""

from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.money import ZERO, UtcDatetime


class Side(StrEnum):
    """The taker's side."""

    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    """How an order is priced."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"


class Purpose(StrEnum):
    """What an order is for: entries are never resent, exits never exceed the position."""

    ENTRY = "entry"
    EXIT = "exit"


class OrderState(StrEnum):
    """Where an order stands in the desk's books."""

    INTENT = "intent"
    SENDING = "sending"
    OPEN = "open"
    PARTLY_FILLED = "partly_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    EXTERNAL = "external"


TERMINAL = frozenset(
    {OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED}
)

_ANSWERED = frozenset(
    {
        OrderState.OPEN,
        OrderState.PARTLY_FILLED,
        OrderState.FILLED,
        OrderState.CANCELLED,
        OrderState.REJECTED,
        OrderState.EXPIRED,
    }
)

TRANSITIONS: dict[OrderState, frozenset[OrderState]] = {
    OrderState.INTENT: frozenset(
        {OrderState.SENDING, OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED}
    ),
    OrderState.SENDING: _ANSWERED | {OrderState.UNKNOWN, OrderState.INTENT},
    OrderState.UNKNOWN: _ANSWERED,
    OrderState.OPEN: _ANSWERED - {OrderState.OPEN, OrderState.REJECTED} | {OrderState.UNKNOWN},
    OrderState.PARTLY_FILLED: frozenset(
        {OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.UNKNOWN}
    ),
    OrderState.EXTERNAL: _ANSWERED,
    OrderState.FILLED: frozenset(),
    OrderState.CANCELLED: frozenset(),
    OrderState.REJECTED: frozenset(),
    OrderState.EXPIRED: frozenset(),
}


class OrderRequest(BaseModel):
    """What is sent to a venue. Exactly one of ``quantity`` and ``quote_amount`` is set.

    ``quote_amount`` asks the venue to spend (or, selling short, to receive) up to this much quote,
    fees included. ``seen_price`` is where the watcher saw a level touched inside a closed bar; a
    market that knows no finer price than its bars fills there, every other venue ignores it.
    """

    model_config = ConfigDict(frozen=True)

    client_id: str = Field(max_length=36)
    symbol: str
    side: Side
    type: OrderType = OrderType.MARKET
    quantity: Decimal | None = Field(default=None, gt=0)
    quote_amount: Decimal | None = Field(default=None, gt=0)
    price: Decimal | None = Field(default=None, gt=0, description="limit or stop price")
    reduce_only: bool = False
    seen_price: Decimal | None = Field(default=None, gt=0)


class VenueFill(BaseModel):
    """One execution as the venue reports it; ``trade_id`` is unique within the account."""

    model_config = ConfigDict(frozen=True)

    trade_id: str
    price: Decimal = Field(gt=0)
    quantity: Decimal = Field(gt=0)
    fee: Decimal = ZERO
    fee_asset: str
    time: UtcDatetime


class OrderReport(BaseModel):
    """What a venue says of one order: its state and all its fills so far."""

    model_config = ConfigDict(frozen=True)

    client_id: str
    venue_id: str
    symbol: str
    side: Side
    state: OrderState
    quantity: Decimal
    filled: Decimal = ZERO
    fills: tuple[VenueFill, ...] = ()
    reason: str = ""


class Order(BaseModel):
    """An order in the desk's books, committed before it is sent."""

    model_config = ConfigDict(frozen=True)

    client_id: str
    bot_id: str
    account_id: str
    symbol: str
    side: Side
    type: OrderType = OrderType.MARKET
    purpose: Purpose
    state: OrderState = OrderState.INTENT
    quantity: Decimal | None = None
    quote_amount: Decimal | None = None
    price: Decimal | None = None
    seen_price: Decimal | None = None
    filled: Decimal = ZERO
    venue_id: str = ""
    reason: str = Field(default="", description="why it was placed: a signal, a stop, a person")
    error: str = ""
    after_client_id: str | None = Field(
        default=None, description="sent only once this order is filled"
    )
    position_id: str | None = Field(default=None, description="the position an exit closes")
    decided_at: UtcDatetime = Field(description="market time of the decision")
    created_at: UtcDatetime
    updated_at: UtcDatetime

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more is expected of the venue."""
        return self.state in TERMINAL


def may_become(current: OrderState, following: OrderState) -> bool:
    """Whether ``TRANSITIONS`` allows the step; staying is always allowed."""
    return current == following or following in TRANSITIONS[current]
