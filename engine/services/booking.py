"""Booking: what a venue reports becomes fills, positions and trades, in one transaction."""

from decimal import Decimal

from engine.domain.bots import Bot
from engine.domain.exits import fixed_levels
from engine.domain.instruments import Instrument
from engine.domain.ledger import (
    apply_fill,
    booked_fill,
    closed_trade,
    merge_entry,
    opened_position,
)
from engine.domain.money import text
from engine.domain.orders import (
    Order,
    OrderReport,
    OrderState,
    Purpose,
    Side,
    may_become,
)
from engine.domain.positions import Fill, Position
from engine.domain.records import EquityPoint, Level
from engine.services.books import Books, Writing, new_id


def book_report(
    books: Books, bot: Bot, instrument: Instrument, order: Order, report: OrderReport
) -> None:
    """Book every fill of ``report`` that is not in the books yet, and the order's new state.

    Fills are keyed by the venue's trade id: booked once, in whatever order and however often they
    are reported. A fill that comes after the order was thought done is booked all the same.
    """
    with books.writing() as writing:
        bot = writing.bot(bot.id)
        position = books.positions.get(bot.id)
        for venue_fill in report.fills:
            if writing.tx.fills.find(f"{order.account_id}:{venue_fill.trade_id}") is not None:
                continue
            fill = booked_fill(
                order, venue_fill, instrument, position.id if position else order.client_id
            )
            position = _book_fill(writing, bot, instrument, position, fill)
            _record_fill(writing, instrument, order, fill)
            if not position.is_open:
                bot = _close(writing, bot, instrument, position, order)
                position = None
        follows = may_become(order.state, report.state)
        writing.save_order(
            order,
            state=report.state if follows else order.state,
            filled=max(report.filled, order.filled),
            quantity=report.quantity,
            venue_id=report.venue_id,
            error=report.reason if report.state in _FAILED else "",
        )
        if bot.reason and report.fills:
            writing.save_bot(bot.id, reason="")


SHOWN_DIGITS = Decimal("1e-8")
_FAILED = frozenset({OrderState.REJECTED, OrderState.EXPIRED})


def _book_fill(
    writing: Writing, bot: Bot, instrument: Instrument, position: Position | None, fill: Fill
) -> Position:
    is_new = position is None
    position = apply_fill(
        position or opened_position(fill), fill, instrument.base, instrument.quote
    )
    if fill.purpose is Purpose.ENTRY:
        known = writing.tx.entries.find(fill.client_id)
        entry = merge_entry(known, fill, instrument.base)
        stop, target = fixed_levels(bot.config, position.side, position.average_price, instrument)
        position = position.model_copy(
            update={
                "entry_count": position.entry_count + (known is None),
                "stop_price": stop,
                "target_price": target,
            }
        )
        writing.put_position(position, is_new=is_new)
        if known is None:
            writing.tx.entries.add(entry)
        else:
            writing.tx.entries.save(entry)
    else:
        writing.put_position(position)
    writing.add_fill(fill)
    return position


def _record_fill(writing: Writing, instrument: Instrument, order: Order, fill: Fill) -> None:
    verb = "Bought" if fill.side is Side.BUY else "Sold"
    writing.event(
        Level.INFO,
        "order.filled",
        f"{verb} {text(fill.quantity)} {instrument.base} at {text(fill.price)} {instrument.quote}"
        f" ({order.purpose.value}: {order.reason.replace('_', ' ')})",
        fill.bot_id,
        client_id=fill.client_id,
        fee=text(fill.fee),
        fee_asset=fill.fee_asset,
    )


def _close(
    writing: Writing, bot: Bot, instrument: Instrument, position: Position, order: Order
) -> Bot:
    """Turn a closed position into a trade and credit its profit to the bot."""
    trade = closed_trade(bot, position, instrument.quote, order.reason)
    writing.tx.trades.add(trade)
    writing.put_position(position.model_copy(update={"exit_reason": order.reason}))
    bot = writing.save_bot(
        bot.id,
        realised_pnl=bot.realised_pnl + trade.pnl,
        trade_count=bot.trade_count + 1,
        win_count=bot.win_count + (trade.pnl > 0),
    )
    writing.tx.equity.add(
        EquityPoint(id=new_id(), bot_id=bot.id, quote=instrument.quote, time=trade.exit_time,
                    equity=bot.capital, realised=bot.realised_pnl)
    )  # fmt: skip
    writing.event(
        Level.INFO,
        "position.closed",
        f"Closed {trade.side.value} {trade.symbol}: {_signed(trade.pnl)} {instrument.quote}"
        f" ({order.reason.replace('_', ' ')})",
        bot.id,
        trade_id=trade.id,
        pnl=text(trade.pnl),
    )
    return bot


def _signed(amount: Decimal) -> str:
    """For people to read; the trade itself keeps every digit."""
    return f"{'+' if amount > 0 else ''}{text(amount.quantize(SHOWN_DIGITS))}"
