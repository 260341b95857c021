"""The books of one bot: fills become positions, positions become trades. Exact and pure."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from engine.domain.bots import Bot
from engine.domain.instruments import Instrument
from engine.domain.money import ONE, ZERO, floor_to
from engine.domain.orders import Order, Purpose, Side, VenueFill
from engine.domain.positions import Fill, Position, PositionEntry, PositionSide, Trade

SHOWN_PRICE_DIGITS = Decimal("1e-12")


def entry_side(side: PositionSide) -> Side:
    """Which way to trade to open."""
    return Side.BUY if side is PositionSide.LONG else Side.SELL


def exit_side(side: PositionSide) -> Side:
    """Which way to trade to close."""
    return Side.SELL if side is PositionSide.LONG else Side.BUY


def booked_fill(
    order: Order, venue_fill: VenueFill, instrument: Instrument, position_id: str
) -> Fill:
    """The book's record of a venue's fill; its id makes a second booking impossible."""
    return Fill(
        id=f"{order.account_id}:{venue_fill.trade_id}",
        account_id=order.account_id,
        client_id=order.client_id,
        bot_id=order.bot_id,
        position_id=position_id,
        symbol=order.symbol,
        base=instrument.base,
        quote=instrument.quote,
        side=order.side,
        purpose=order.purpose,
        **venue_fill.model_dump(),
    )


def opened_position(fill: Fill) -> Position:
    """An empty position for the first fill of an entry."""
    return Position(
        id=fill.position_id,
        bot_id=fill.bot_id,
        account_id=fill.account_id,
        symbol=fill.symbol,
        side=PositionSide.LONG if fill.side is Side.BUY else PositionSide.SHORT,
        best_price=fill.price,
        opened_at=fill.time,
        watched_until=fill.time,
    )


def owned_quantity(fill: Fill, base: str) -> Decimal:
    """What a fill adds to or takes from the position: a fee in the base asset makes a purchase
    smaller and a sale larger."""
    if fill.fee_asset != base:
        return fill.quantity
    return fill.quantity - fill.fee if fill.side is Side.BUY else fill.quantity + fill.fee


def fee_in_quote(fill: Fill, quote: str) -> Decimal:
    """What a fill's fee costs beside the quantity: nothing when it was taken in the base asset."""
    return fill.fee if fill.fee_asset == quote else fill.fee_value


def apply_fill(position: Position, fill: Fill, base: str, quote: str) -> Position:
    """The position after ``fill``. Raises ValueError when an exit exceeds what is held."""
    value = fill.price * fill.quantity
    fees = position.fees + fee_in_quote(fill, quote)
    quantity = owned_quantity(fill, base)
    if fill.purpose is Purpose.ENTRY:
        return position.model_copy(
            update={
                "quantity": position.quantity + quantity,
                "entry_quantity": position.entry_quantity + quantity,
                "entry_value": position.entry_value + value,
                "fees": fees,
            }
        )
    if quantity > position.quantity:
        raise ValueError(f"exit of {quantity} exceeds the position of {position.quantity}")
    left = position.quantity - quantity
    return position.model_copy(
        update={
            "quantity": left,
            "exit_quantity": position.exit_quantity + quantity,
            "exit_value": position.exit_value + value,
            "fees": fees,
            "is_open": left > 0,
            "closed_at": None if left > 0 else fill.time,
        }
    )


def merge_entry(entry: PositionEntry | None, fill: Fill, base: str) -> PositionEntry:
    """The entry that ``fill`` belongs to, after it; an entry has one order and many fills."""
    before = entry or PositionEntry(
        id=fill.client_id,
        position_id=fill.position_id,
        bot_id=fill.bot_id,
        client_id=fill.client_id,
        quantity=ZERO,
        value=ZERO,
        fee=ZERO,
        time=fill.time,
    )
    return before.model_copy(
        update={
            "quantity": before.quantity + owned_quantity(fill, base),
            "value": before.value + fill.price * fill.quantity,
            "fee": before.fee + fill.fee,
        }
    )


def open_pnl(position: Position, price: Decimal) -> Decimal:
    """Profit if the rest were closed at ``price``, fees and funding so far included, in quote."""
    rest = position.quantity * price
    costs = position.fees - position.funding
    if position.side is PositionSide.LONG:
        return position.exit_value + rest - position.entry_value - costs
    return position.entry_value - position.exit_value - rest - costs


def realised_pnl(position: Position) -> Decimal:
    """The part of the profit that closed parts have earned, at average cost, fees and funding so
    far taken off. What is left of ``open_pnl`` is unrealised."""
    if not position.entry_quantity:
        return position.funding - position.fees
    closed = position.entry_quantity - position.quantity
    cost = position.entry_value * closed / position.entry_quantity
    gross = position.exit_value - cost
    if position.side is PositionSide.SHORT:
        gross = -gross
    return gross - position.fees + position.funding


def apply_funding(position: Position, amount: Decimal) -> Position:
    """The position after funding or interest in quote was received (negative: paid) for it."""
    return position.model_copy(update={"funding": position.funding + amount})


def is_dust(
    quantity: Decimal, price: Decimal, instrument: Instrument, *, is_exempt: bool = False
) -> bool:
    """Whether no venue order can close ``quantity``: below a step or, unless orders that only
    reduce are exempt there, below the minimums at ``price``."""
    if quantity < instrument.quantity_step:
        return True
    if is_exempt:
        return False
    sellable = floor_to(quantity, instrument.quantity_step)
    return sellable < instrument.min_quantity or sellable * price < instrument.min_notional


def leave_dust(position: Position, moment: datetime) -> Position:
    """The position closed, what is left of it set apart: nobody owns it, it is worth nothing."""
    return position.model_copy(
        update={
            "quantity": ZERO, "dust": position.dust + position.quantity, "is_open": False,
            "closed_at": moment,
        }
    )  # fmt: skip


def closed_trade(bot: Bot, position: Position, quote: str, exit_reason: str) -> Trade:
    """The trade that a closed position was. ``pnl`` is the exact sum of its fills."""
    pnl = open_pnl(position, ZERO)
    exit_time: datetime = position.closed_at or position.watched_until
    return Trade(
        id=position.id,
        bot_id=bot.id,
        bot_name=bot.config.name,
        account_id=position.account_id,
        market=bot.market,
        symbol=position.symbol,
        quote=quote,
        strategy=bot.config.strategy,
        side=position.side,
        quantity=position.entry_quantity,
        entry_time=position.opened_at,
        entry_price=shown_price(position.average_price),
        entry_value=position.entry_value,
        exit_time=exit_time,
        exit_price=shown_price(
            position.exit_value / position.exit_quantity if position.exit_quantity else ZERO
        ),
        exit_value=position.exit_value,
        fees=position.fees,
        funding=position.funding,
        dust=position.dust,
        pnl=pnl,
        return_fraction=shown_price(pnl / position.entry_value),
        entry_count=position.entry_count,
        exit_reason=exit_reason,
    )


def shown_price(price: Decimal) -> Decimal:
    """An average for people to read: twelve decimals at the most, no trailing zeros."""
    rounded = price.quantize(SHOWN_PRICE_DIGITS).normalize()
    exponent = rounded.as_tuple().exponent
    return rounded.quantize(ONE) if isinstance(exponent, int) and exponent > 0 else rounded


def total(values: Sequence[Decimal]) -> Decimal:
    """Exact sum."""
    return sum(values, ZERO)
