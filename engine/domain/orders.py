"""Orders: their states, the one table of transitions, and what a venue says of them."""

from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.money import ZERO, UtcDatetime
from engine.domain.routes import RoutePlan


class Side(StrEnum):
    """The taker's side."""

    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    """How an order is priced, and when it becomes one that trades.

    A stop becomes a market order, a stop-limit a limit order, once the market has reached
    ``stop_price``; a trailing stop is a stop that follows the best price at a distance.
    """

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"


NEEDS_PRICE = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
NEEDS_STOP_PRICE = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
TRIGGERED = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})
"""Types that do nothing until the market has come to them."""


class TimeInForce(StrEnum):
    """How long what is not filled stays at the venue."""

    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    DAY = "day"


class Purpose(StrEnum):
    """What an order is for: entries are never resent, exits never exceed the position.

    A protection is an exit that rests at the venue: a position's stop or target.
    """

    ENTRY = "entry"
    EXIT = "exit"
    PROTECTION = "protection"


REDUCING = frozenset({Purpose.EXIT, Purpose.PROTECTION})


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
    # A stop may be refused when it is triggered.
    OrderState.OPEN: _ANSWERED - {OrderState.OPEN} | {OrderState.UNKNOWN},
    OrderState.PARTLY_FILLED: _ANSWERED - {OrderState.OPEN, OrderState.PARTLY_FILLED}
    | {OrderState.UNKNOWN},
    OrderState.EXTERNAL: _ANSWERED,  # somebody else's, once it is adopted or taken back
    OrderState.FILLED: frozenset(),
    OrderState.CANCELLED: frozenset(),
    OrderState.REJECTED: frozenset(),
    OrderState.EXPIRED: frozenset(),
}


class OrderRequest(BaseModel):
    """What is sent to a venue. Exactly one of ``quantity`` and ``quote_amount`` is set.

    ``price`` is the limit, ``stop_price`` the trigger, ``trail_bps`` the distance of a trailing
    stop in basis points of the best price.

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
    price: Decimal | None = Field(default=None, gt=0, description="the limit")
    stop_price: Decimal | None = Field(default=None, gt=0, description="the trigger")
    trail_bps: Decimal | None = Field(default=None, gt=0, lt=10_000)
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    seen_price: Decimal | None = Field(default=None, gt=0)


class OcoRequest(BaseModel):
    """Two orders of which the first to be filled cancels the other: a limit and a stop."""

    model_config = ConfigDict(frozen=True)

    group_id: str = Field(max_length=36, description="the list's own client id")
    limit: OrderRequest
    stop: OrderRequest


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
    type: OrderType = OrderType.MARKET
    price: Decimal | None = None
    stop_price: Decimal | None = None
    created_at: UtcDatetime | None = Field(default=None, description="when the venue took it")


class Execution(VenueFill):
    """An execution as the account's own list of trades has it, whoever ordered it.

    ``client_id`` is empty where that list does not tell it.
    """

    symbol: str
    side: Side
    venue_id: str
    client_id: str = ""

    @property
    def fill(self) -> VenueFill:
        """The execution alone, without whose it is."""
        return VenueFill.model_validate(self.model_dump(include=set(VenueFill.model_fields)))


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
    stake_share: Decimal | None = Field(
        default=None, gt=0, le=1,
        description="of the bot's stake, for an entry whose amount is fixed when it is sent; None:"
        " all of it",
    )  # fmt: skip
    price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_bps: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    expires_at: UtcDatetime | None = Field(
        default=None, description="the desk takes back what is not filled by then"
    )
    seen_price: Decimal | None = None
    filled: Decimal = ZERO
    venue_id: str = ""
    reason: str = Field(default="", description="why it was placed: a signal, a stop, a person")
    error: str = ""
    after_client_id: str | None = Field(
        default=None, description="sent only once this order is filled"
    )
    replaces_client_id: str | None = Field(
        default=None, description="sent, with what is left, once this order is off the book"
    )
    position_id: str | None = Field(default=None, description="the position an exit closes")
    oco_id: str | None = Field(
        default=None, description="orders of one group: the first to be filled ends the others"
    )
    level_stop: Decimal | None = Field(
        default=None, description="bracket: where the position it opens is stopped"
    )
    level_target: Decimal | None = Field(
        default=None, description="bracket: where the position it opens takes its profit"
    )
    is_cancel_wanted: bool = Field(
        default=False, description="somebody wants it back; kept until the venue has said so"
    )
    routing: RoutePlan | None = Field(
        default=None, description="why it went to its account; None: the bot had no choice"
    )
    sent_at: UtcDatetime | None = Field(default=None, description="when it was last sent")
    decided_at: UtcDatetime = Field(description="market time of the decision")
    created_at: UtcDatetime
    updated_at: UtcDatetime

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more is expected of the venue."""
        return self.state in TERMINAL

    @property
    def is_reducing(self) -> bool:
        """Whether it can only make a position smaller."""
        return self.purpose in REDUCING

    @property
    def is_resting(self) -> bool:
        """Whether it is a protection that the venue has, and nobody wants it back."""
        is_there = self.state in (OrderState.OPEN, OrderState.PARTLY_FILLED)
        return self.purpose is Purpose.PROTECTION and is_there and not self.is_cancel_wanted

    @property
    def left(self) -> Decimal | None:
        """What is not filled, in base; None while only an amount of quote is known."""
        return None if self.quantity is None else self.quantity - self.filled


def may_become(current: OrderState, following: OrderState) -> bool:
    """Whether ``TRANSITIONS`` allows the step; staying is always allowed."""
    return current == following or following in TRANSITIONS[current]
