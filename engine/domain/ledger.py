"""The books of one bot: fills become positions, positions become trades. Exact and pure."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from engine.domain.bots import Bot
from engine.domain.instruments import Instrument
from engine.domain.money import ONE, ZERO
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
    """What a fill adds to or takes from the position: a fee in the base asset comes off a buy."""
    has_base_fee = fill.fee_asset == base and fill.side is Side.BUY
    return fill.quantity - fill.fee if has_base_fee else fill.quantity


def apply_fill(position: Position, fill: Fill, base: str, quote: str) -> Position:
    """The position after ``fill``. Raises ValueError when an exit exceeds what is held."""
    value = fill.price * fill.quantity
    fees = position.fees + (fill.fee if fill.fee_asset == quote else ZERO)
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
    """Profit if the rest were closed at ``price``, fees so far included, in quote."""
    rest = position.quantity * price
    if position.side is PositionSide.LONG:
        return position.exit_value + rest - position.entry_value - position.fees
    return position.entry_value - position.exit_value - rest - position.fees


def closed_trade(bot: Bot, position: Position, quote: str, exit_reason: str) -> Trade:
    """The trade that a closed position was. ``pnl`` is the exact sum of its fills."""
    pnl = open_pnl(position, ZERO)
    exit_time: datetime = position.closed_at or position.watched_until
    return Trade(
        id=position.id,
        bot_id=bot.id,
        bot_name=bot.config.name,
        account_id=position.account_id,
        market=bot.config.market,
        symbol=position.symbol,
        quote=quote,
        strategy=bot.config.strategy,
        side=position.side,
        quantity=position.entry_quantity,
        entry_time=position.opened_at,
        entry_price=shown_price(position.average_price),
        entry_value=position.entry_value,
        exit_time=exit_time,
        exit_price=shown_price(position.exit_value / position.exit_quantity),
        exit_value=position.exit_value,
        fees=position.fees,
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
