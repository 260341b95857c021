"""Booking: what a venue reports becomes fills, positions and trades, in one transaction.

Fills are keyed by the venue's trade id: booked once, in whatever order and however often they are
reported. An order is done only when as much is booked as the venue says was filled; until then it
is asked about again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from engine.domain.accounts import HOUSE, Finding, FindingKind
from engine.domain.advice import ADVISED
from engine.domain.bots import Bot
from engine.domain.exits import fixed_levels, nearer_stop, nearer_target
from engine.domain.instruments import Instrument
from engine.domain.ledger import (
    apply_fill,
    booked_fill,
    closed_trade,
    entry_side,
    is_dust,
    leave_dust,
    merge_entry,
    opened_position,
    owned_quantity,
)
from engine.domain.money import ZERO, text
from engine.domain.orders import (
    TERMINAL,
    Order,
    OrderReport,
    OrderState,
    Purpose,
    Side,
    VenueFill,
    may_become,
)
from engine.domain.position_words import closed_words, opened_words
from engine.domain.positions import Fill, Position, PositionSide
from engine.domain.records import EquityPoint, Level
from engine.services.books import Books, Writing, new_id

_FAILED = frozenset({OrderState.REJECTED, OrderState.EXPIRED})


@dataclass(frozen=True, slots=True)
class Terms:
    """What booking must know of the venue. ``fee_values`` says what fees taken in a third asset
    are worth in quote, by trade id; ``is_exempt``: see ``domain.ledger.is_dust``."""

    instrument: Instrument
    fee_values: Mapping[str, Decimal] = field(default_factory=dict)
    is_exempt: bool = True


def book_report(
    books: Books,
    order: Order,
    report: OrderReport,
    terms: Terms,
    afterwards: Callable[[Writing, Order, Order], None] = lambda _writing, _before, _after: None,
) -> Order:
    """Book every fill of ``report`` that is not in the books yet, and the order's new state; the
    order as it stands then. ``afterwards`` is told of it as it was and is, in the transaction."""
    with books.writing() as writing:
        before = order = writing.tx.orders.get(order.client_id)
        fills = _new_fills(writing, order, report.fills)
        booked = _booked(order, report, fills)
        opened = _book_fills(writing, books, order, fills, terms) if fills else None
        state = _state_after(order, report, booked)
        order = writing.save_order(
            order,
            state=state,
            filled=booked,
            quantity=report.quantity,
            venue_id=report.venue_id or order.venue_id,
            error=report.reason if state in _FAILED else order.error if order.is_terminal else "",
        )
        if opened is not None:
            _tell_opened(writing, opened, terms.instrument, order)
        _leave_dust(writing, books, order, report.fills, terms)
        afterwards(writing, before, order)
        bot = books.bots.get(order.bot_id)
        if bot is not None and writing.bot(bot.id).reason and fills:
            writing.save_bot(bot.id, reason="")
    return order


def book_house_fill(writing: Writing, order: Order, venue_fill: VenueFill, terms: Terms) -> Fill:
    """Book an execution as nobody's: the ledger has it, no bot does."""
    fill = booked_fill(order, venue_fill, terms.instrument, "").model_copy(update={"bot_id": HOUSE})
    writing.add_fill(fill)
    return fill


def assign_fill(
    books: Books, writing: Writing, bot: Bot, fill: Fill, terms: Terms, reason: str = "adopted"
) -> Position:
    """Make a fill of nobody, which the ledger has, a bot's: an entry when it opens or adds to the
    bot's position, an exit when it makes it smaller. Raises ValueError when it exceeds it."""
    position = writing.positions.get(bot.id) or books.positions.get(bot.id)
    is_new = position is None
    is_exit = position is not None and fill.side is not entry_side(position.side)
    purpose = Purpose.EXIT if is_exit else Purpose.ENTRY
    position_id = position.id if position else fill.client_id or fill.id
    assigned = fill.model_copy(
        update={"bot_id": bot.id, "purpose": purpose, "position_id": position_id}
    )
    position = _moved_position(writing, bot, None, position, assigned, terms)
    writing.tx.fills.save(assigned)
    if is_new:
        _tell_opened(writing, position, terms.instrument)
    if not position.is_open:
        _close(writing, writing.bot(bot.id), position, terms.instrument, reason)
    return position


def _booked(order: Order, report: OrderReport, fills: Sequence[VenueFill]) -> Decimal:
    """How much of the order the books have after ``fills``. Of a stranger's order some may have
    been booked before the order itself was known: then the venue's list is the longer one."""
    booked = order.filled + sum((fill.quantity for fill in fills), ZERO)
    if order.sent_at is not None:
        return booked
    listed = {fill.trade_id: fill.quantity for fill in report.fills}
    return max(booked, sum(listed.values(), ZERO))


def _new_fills(writing: Writing, order: Order, reported: Sequence[VenueFill]) -> list[VenueFill]:
    unique = {fill.trade_id: fill for fill in reported}
    return [
        fill for fill in sorted(unique.values(), key=lambda one: (one.time, one.trade_id))
        if writing.tx.fills.find(f"{order.account_id}:{fill.trade_id}") is None
    ]  # fmt: skip


def _state_after(order: Order, report: OrderReport, booked: Decimal) -> OrderState:
    """Terminal stays terminal; done only when every fill that the venue counts is booked."""
    state = report.state
    if order.state in TERMINAL:
        return order.state
    if booked < report.filled and state in TERMINAL:
        state = OrderState.PARTLY_FILLED if booked else OrderState.OPEN
    elif state is OrderState.OPEN and booked:
        state = OrderState.PARTLY_FILLED
    return state if may_become(order.state, state) else order.state


def _book_fills(
    writing: Writing, books: Books, order: Order, fills: Sequence[VenueFill], terms: Terms
) -> Position | None:
    """Book them; the position that they have opened, if they have."""
    opened: Position | None = None
    if order.is_terminal:
        writing.event(
            Level.ERROR, "order.late_fill",
            f"{order.client_id} was {order.state.value} in the books and has been filled after"
            f" all: {text(sum((one.quantity for one in fills), ZERO))} {terms.instrument.base}.",
            order.bot_id or None, client_id=order.client_id,
        )  # fmt: skip
    for venue_fill in fills:
        if order.bot_id == HOUSE or order.bot_id not in books.bots:
            book_house_fill(writing, order, venue_fill, terms)
            continue
        bot = writing.bot(order.bot_id)
        position = writing.positions.get(bot.id) or books.positions.get(bot.id)
        if position is not None and not position.is_open:
            position = None
        position_id = position.id if position else _new_position_id(writing, order, venue_fill)
        has_left = bot.account_id != order.account_id
        for part in _parts(order, venue_fill, position, position_id, terms, has_left=has_left):
            if part.bot_id == HOUSE:
                writing.add_fill(part)
                _report_excess(writing, books, order, part)
                continue
            is_new = position is None
            position = _moved_position(writing, bot, order, position, part, terms)
            opened = position if is_new or opened is not None else None
            writing.add_fill(part)
            _record_fill(writing, terms.instrument, order, part)
            if not position.is_open:
                _close(writing, bot, position, terms.instrument, order.reason)
    return opened


def _parts(
    order: Order,
    venue_fill: VenueFill,
    position: Position | None,
    position_id: str,
    terms: Terms,
    *,
    has_left: bool,
) -> list[Fill]:
    """The fill, split where it exceeds what the bot can take: the rest is nobody's. So is all that
    comes late on an account that the bot ``has_left``."""
    fill = booked_fill(order, venue_fill, terms.instrument, position_id).model_copy(
        update={"fee_value": terms.fee_values.get(venue_fill.trade_id, ZERO)}
    )
    if has_left:
        return [_of_nobody(fill)]
    if order.purpose is Purpose.ENTRY:
        fits = position is None or fill.side is entry_side(position.side)
        return [fill] if fits else [_of_nobody(fill)]
    held = position.quantity if position else ZERO
    if position is None or fill.side is entry_side(position.side):
        return [_of_nobody(fill)]
    excess = owned_quantity(fill, terms.instrument.base) - held
    if excess <= 0:
        return [fill]
    own = fill.model_copy(update={"quantity": fill.quantity - excess})
    rest = fill.model_copy(
        update={
            "id": f"{fill.id}#rest", "trade_id": f"{fill.trade_id}#rest", "quantity": excess,
            "fee": ZERO, "fee_value": ZERO,
        }
    )  # fmt: skip
    return [own, _of_nobody(rest)] if own.quantity > 0 else [_of_nobody(fill)]


def _new_position_id(writing: Writing, order: Order, venue_fill: VenueFill) -> str:
    """The order's id; of its own where a late fill opens what was closed before."""
    is_taken = writing.tx.positions.find(order.client_id) is not None
    return f"{order.client_id}~{venue_fill.trade_id}" if is_taken else order.client_id


def _of_nobody(fill: Fill) -> Fill:
    return fill.model_copy(update={"bot_id": HOUSE, "position_id": ""})


def _report_excess(writing: Writing, books: Books, order: Order, fill: Fill) -> None:
    """More was traded than the bot's position could take: a person must look at it."""
    now = books.clock.now()
    verb = "bought" if fill.side is Side.BUY else "sold"
    detail = (
        f"{order.client_id} {verb} {text(fill.quantity)} {fill.base} that the position of its bot"
        " does not cover."
    )
    writing.put_finding(
        Finding(
            id=f"{order.account_id}:{FindingKind.LATE_FILL}:{fill.id}",
            account_id=order.account_id, kind=FindingKind.LATE_FILL, subject=fill.id,
            symbol=order.symbol, bot_id=order.bot_id, venue=text(fill.quantity),
            amount=fill.quantity if fill.side is Side.BUY else -fill.quantity,
            detail=detail, first_seen=now, last_seen=now,
        )
    )  # fmt: skip
    writing.event(Level.ERROR, "order.excess", detail, order.bot_id, client_id=order.client_id)


def _moved_position(
    writing: Writing,
    bot: Bot,
    order: Order | None,
    position: Position | None,
    fill: Fill,
    terms: Terms,
) -> Position:
    """The bot's position after ``fill``, written; ``order`` may bring levels of its own."""
    instrument = terms.instrument
    is_new = position is None
    position = apply_fill(
        position or opened_position(fill), fill, instrument.base, instrument.quote
    )
    if fill.purpose is not Purpose.ENTRY:
        writing.put_position(position)
        return position
    entry_id = fill.client_id if "~" not in position.id else position.id
    known = writing.tx.entries.find(entry_id)
    entry = merge_entry(known, fill, instrument.base).model_copy(update={"id": entry_id})
    stop, target = fixed_levels(bot.config, position.side, position.average_price, instrument)
    # What a person has set stays where the bot has no level of its own.
    stop, target = stop or position.stop_price, target or position.target_price
    if order is not None:
        stop, target = _levels(order, position.side, stop, target)
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
    return position


def _levels(
    order: Order, side: PositionSide, stop: Decimal | None, target: Decimal | None
) -> tuple[Decimal | None, Decimal | None]:
    """The levels an order brings instead of the bot's own; a model's only where they are nearer:
    the price that was paid is not the one it judged."""
    if order.reason == ADVISED:
        return (
            nearer_stop(side, order.level_stop, stop),
            nearer_target(side, order.level_target, target),
        )
    return order.level_stop or stop, order.level_target or target


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


def _leave_dust(
    writing: Writing, books: Books, order: Order, reported: Sequence[VenueFill], terms: Terms
) -> None:
    """Close a position of which an exit has left less than any venue order can trade; its last
    fill may have been booked before its end was known."""
    if not (reported and order.is_terminal and order.is_reducing):
        return
    position = writing.positions.get(order.bot_id) or books.positions.get(order.bot_id)
    if position is None or not position.is_open or position.id != order.position_id:
        return
    last = max(reported, key=lambda fill: fill.time)
    if is_dust(position.quantity, last.price, terms.instrument, is_exempt=terms.is_exempt):
        close_as_dust(writing, position, terms.instrument, order.reason, last.time)


def close_as_dust(
    writing: Writing, position: Position, instrument: Instrument, reason: str, moment: datetime
) -> None:
    """End a position whose rest cannot be traded, and say what was left."""
    writing.event(
        Level.WARNING, "position.dust",
        f"{text(position.quantity)} {instrument.base} is less than can be traded here; it is left"
        " on the account as dust.",
        position.bot_id, quantity=text(position.quantity),
    )  # fmt: skip
    closed = leave_dust(position, moment)
    writing.put_position(closed)
    if closed.entry_quantity:
        _close(writing, writing.bot(position.bot_id), closed, instrument, reason)


def _close(
    writing: Writing, bot: Bot, position: Position, instrument: Instrument, reason: str
) -> Bot:
    """Turn a closed position into a trade and credit its profit to the bot."""
    bot = writing.bot(bot.id)
    trade = closed_trade(bot, position, instrument.quote, reason)
    writing.tx.trades.add(trade)
    writing.put_position(position.model_copy(update={"exit_reason": reason}))
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
        Level.INFO, "position.closed", closed_words(trade), bot.id, trade_id=trade.id,
        pnl=text(trade.pnl), quote=trade.quote, return_fraction=text(trade.return_fraction),
        reason=reason, symbol=trade.symbol, side=trade.side.value,
    )  # fmt: skip
    return bot


def _tell_opened(
    writing: Writing, position: Position, instrument: Instrument, order: Order | None = None
) -> None:
    """Once for a new position, with all that is booked of it by now; what comes later of the same
    order is told as a fill only."""
    is_part = order is not None and bool(order.left) and not order.is_terminal
    ordered = order.quantity if order is not None and is_part else None
    writing.event(
        Level.INFO, "position.opened", opened_words(position, instrument, ordered), position.bot_id,
        position_id=position.id, symbol=position.symbol, side=position.side.value,
        quantity=text(position.quantity), price=text(position.average_price),
    )  # fmt: skip
