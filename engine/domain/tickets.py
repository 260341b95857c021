"""What a person orders by hand: an order ticket, and changes to an order that works.

A ticket is checked in itself here (what each type needs) and against the market in
``ticket_trouble``; nothing here knows a venue.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, NamedTuple, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from engine.domain.money import UtcDatetime, text
from engine.domain.orders import OrderType, Purpose, Side, TimeInForce
from engine.domain.positions import PositionSide

Amount = Annotated[Decimal, Field(gt=0, le=Decimal("1e12"), max_digits=30)]


class TicketType(StrEnum):
    """An order's type, or the pair of a target and a stop of which one ends the other."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"
    OCO = "oco"

    @property
    def order_type(self) -> OrderType | None:
        """The single order's type; None for the pair."""
        return None if self is TicketType.OCO else OrderType(self.value)


PRICED = frozenset({TicketType.LIMIT, TicketType.STOP_LIMIT, TicketType.OCO})
STOPPED = frozenset({TicketType.STOP, TicketType.STOP_LIMIT, TicketType.OCO})
TRAILED = frozenset({TicketType.TRAILING_STOP})
NEEDS = {"price": PRICED, "stop_price": STOPPED, "trail_bps": TRAILED}
"""Which types need a field; all others refuse it."""

AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})


class OrderTicket(BaseModel):
    """One order of a person on a bot's symbol.

    An entry has a ``direction`` and either a ``quantity`` (base) or a ``quote_amount`` (fees
    included), and may carry the levels of its position (a bracket). An exit of no ``quantity``
    closes all that is held. ``price`` is the limit, or an OCO's target; ``stop_price`` the trigger.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    purpose: Purpose = Purpose.ENTRY
    type: TicketType = TicketType.MARKET
    direction: PositionSide | None = Field(default=None, description="of an entry")
    quantity: Amount | None = Field(default=None, description="in base")
    quote_amount: Amount | None = Field(default=None, description="in quote, fees included")
    price: Amount | None = Field(default=None, description="the limit; of an OCO the target")
    stop_price: Amount | None = Field(default=None, description="the trigger")
    trail_bps: Annotated[Decimal, Field(gt=0, lt=10_000, max_digits=12)] | None = Field(
        default=None, description="distance from the best price, in basis points"
    )
    time_in_force: TimeInForce = TimeInForce.GTC
    expires_at: UtcDatetime | None = Field(
        default=None, description="what is not filled by then is taken back"
    )
    level_stop: Amount | None = Field(default=None, description="bracket: the position's stop")
    level_target: Amount | None = Field(default=None, description="bracket: the position's target")

    # Each field is judged by those before it, so that what is wrong is said at its own field.

    @field_validator("purpose")
    @classmethod
    def _by_hand(cls, purpose: Purpose) -> Purpose:
        if purpose is Purpose.PROTECTION:
            raise ValueError("must be entry or exit: the engine places protection by itself")
        return purpose

    @field_validator("type")
    @classmethod
    def _pair_closes(cls, kind: TicketType, info: ValidationInfo) -> TicketType:
        if kind is TicketType.OCO and info.data.get("purpose") is Purpose.ENTRY:
            raise ValueError("a target with a stop can only close a position")
        return kind

    @field_validator("direction")
    @classmethod
    def _entries_have_a_side(
        cls, direction: PositionSide | None, info: ValidationInfo
    ) -> PositionSide | None:
        purpose = info.data.get("purpose")
        if purpose is Purpose.ENTRY and direction is None:
            raise ValueError("an entry is long or short")
        if purpose is Purpose.EXIT and direction is not None:
            raise ValueError("an exit closes what is held, whichever side it is")
        return direction

    @field_validator("quote_amount")
    @classmethod
    def _one_size(cls, amount: Decimal | None, info: ValidationInfo) -> Decimal | None:
        purpose = info.data.get("purpose")
        if purpose is Purpose.EXIT and amount is not None:
            raise ValueError("an exit is given as a quantity")
        if purpose is Purpose.ENTRY and "quantity" in info.data:
            is_both = amount is not None and info.data["quantity"] is not None
            if is_both or (amount is None and info.data["quantity"] is None):
                raise ValueError("give either a quantity or an amount to spend")
        return amount

    @field_validator("price", "stop_price", "trail_bps")
    @classmethod
    def _as_the_type_needs(cls, value: Decimal | None, info: ValidationInfo) -> Decimal | None:
        kind = info.data.get("type")
        if kind is None:
            return value
        is_needed = kind in NEEDS[info.field_name or ""]
        if is_needed and value is None:
            raise ValueError(f"{article(kind)} order needs it")
        if not is_needed and value is not None:
            raise ValueError(f"{article(kind)} order has none")
        return value

    @field_validator("time_in_force")
    @classmethod
    def _lasts(cls, lasting: TimeInForce, info: ValidationInfo) -> TimeInForce:
        kind = info.data.get("type")
        if lasting in AT_ONCE and kind is not TicketType.LIMIT:
            raise ValueError("only a limit order can be asked to fill at once")
        if lasting is TimeInForce.DAY and kind is TicketType.MARKET:
            raise ValueError("a market order does not wait")
        return lasting

    @field_validator("expires_at")
    @classmethod
    def _expires(cls, at: datetime | None, info: ValidationInfo) -> datetime | None:
        if at is not None and info.data.get("type") is TicketType.MARKET:
            raise ValueError("a market order does not wait")
        if at is not None and info.data.get("time_in_force") in AT_ONCE:
            raise ValueError("an order that fills at once does not wait")
        return at

    @field_validator("level_stop", "level_target")
    @classmethod
    def _bracket_opens(cls, level: Decimal | None, info: ValidationInfo) -> Decimal | None:
        if level is not None and info.data.get("purpose") is Purpose.EXIT:
            raise ValueError("is for entries only")
        return level

    @property
    def reference(self) -> Decimal | None:
        """The price it asks for: its limit, else its trigger; None at the market."""
        return self.price or self.stop_price


class OrderChanges(BaseModel):
    """New prices or a new quantity for an order that works; what is None stays as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    price: Amount | None = None
    stop_price: Amount | None = None
    quantity: Amount | None = Field(default=None, description="in base, what is filled included")

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.price is None and self.stop_price is None and self.quantity is None:
            raise ValueError("nothing is changed")
        return self


class Trouble(NamedTuple):
    """What is wrong with a ticket on its market, and at which field."""

    field: str
    message: str


def ticket_trouble(ticket: OrderTicket, side: Side, last: Decimal) -> Trouble | None:
    """What a venue would refuse, or do at once instead of waiting, at the last price; or None.

    ``side`` is the order's. A buy's trigger is above the market and a sell's below; a position's
    levels are on either side of where it opens.
    """
    is_buy = side is Side.BUY
    opening = ticket.reference or last
    rules = [("stop_price", ticket.stop_price, last, is_buy)]
    if ticket.type is TicketType.OCO:
        rules.append(("price", ticket.price, last, not is_buy))
    rules += [
        ("level_stop", ticket.level_stop, opening, not is_buy),
        ("level_target", ticket.level_target, opening, is_buy),
    ]
    for field, level, from_price, is_above in rules:
        if level is not None and (level <= from_price if is_above else level >= from_price):
            where = "above" if is_above else "below"
            against = "the last price" if from_price == last else "the order's price"
            return Trouble(field, f"must be {where} {against}, {text(from_price)}")
    return None


def article(kind: TicketType) -> str:
    """A type in words, with its article: ``a stop limit``."""
    words = kind.value.replace("_", " ")
    return "an OCO" if kind is TicketType.OCO else f"a {words}"
