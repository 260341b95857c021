"""The order desk: an order is committed before it is sent, sent once, and booked once.

``advance`` is the only way forward for an order, whatever state it is in: after planning, at every
watch, and after a crash. A restart is the same code path as a start. Sending is in
``send_orders``, finding out what became of an order in ``follow_orders``.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from engine.domain.accounts import HOUSE
from engine.domain.bots import Bot, EntryOrder
from engine.domain.instruments import Instrument
from engine.domain.ledger import entry_side, exit_side
from engine.domain.money import ONE, ceil_to, exact, floor_to, to_epoch_ms
from engine.domain.orders import (
    Execution,
    Order,
    OrderReport,
    OrderState,
    OrderType,
    Purpose,
    Side,
)
from engine.domain.positions import Position, PositionSide
from engine.domain.routes import RoutePlan
from engine.domain.sizing import BPS, stake
from engine.domain.tickets import OrderChanges, OrderTicket
from engine.errors import DataError, NotFound
from engine.ports import MarketData, Prefix, Venues
from engine.services.booking import book_report
from engine.services.books import Books, Writing
from engine.services.controls import Controls
from engine.services.follow_orders import Follower
from engine.services.order_outcomes import Outcomes, stem_of
from engine.services.order_requests import Gate
from engine.services.place_tickets import Tickets
from engine.services.places import is_here
from engine.services.protect import Protector
from engine.services.send_orders import Sender, entry_lag
from engine.services.venue_links import VenueLinks

log = logging.getLogger("quarterdeck.desk")

__all__ = ["OrderDesk", "client_id", "entry_lag"]


def client_id(bot_id: str, moment: datetime, leg: str) -> str:
    """The deterministic client order id of a bot's order; at most 36 characters."""
    return f"qd-{bot_id}-{to_epoch_ms(moment) // 1000}-{leg}"


class OrderDesk:
    """Plans, sends, resolves and books the orders of all bots; called on the account's lane."""

    def __init__(
        self,
        books: Books,
        venues: Venues,
        controls: Controls,
        gate: Gate | None = None,
        links: VenueLinks | None = None,
    ) -> None:
        self._books = books
        self._venues = venues
        self.links = links or VenueLinks()
        self._outcomes = Outcomes(books)
        self._sender = Sender(books, venues, controls, self._outcomes, self.links, gate)
        self._follower = Follower(books, venues, self._outcomes, self.links, self._sender)
        self._protector = Protector(books, venues, self)
        self._tickets = Tickets(books, self)

    # --- planning: inside the caller's transaction ---------------------------------------------

    def plan_entry(
        self,
        writing: Writing,
        bot: Bot,
        side: PositionSide,
        *,
        size: float,
        candle_time: datetime,
        decided_at: datetime,
        after: Order | None = None,
        last: Decimal | None = None,
        instrument: Instrument | None = None,
        route: RoutePlan | None = None,
        order_id: str | None = None,
        amount: Decimal | None = None,
        level_stop: Decimal | None = None,
        level_target: Decimal | None = None,
    ) -> Order:
        """Commit to an entry. After an exit its amount is fixed only when it is sent, since the
        exit's proceeds are part of it: ``size`` is the share of them that it may use. ``last`` and
        ``instrument`` price a limit entry; ``route`` is why it goes to the bot's account.
        ``order_id`` and ``amount`` (of quote) stand in for those of the candle and the stake; the
        levels become the position's."""
        price = None
        if bot.config.entry_order is EntryOrder.LIMIT and last is not None and instrument:
            price = limit_price(bot, side, last, instrument)
        expires_at = None
        if price is not None:
            expires_at = decided_at + timedelta(seconds=bot.config.entry_timeout_s)
        return self.plan(
            writing,
            client_id=order_id or client_id(bot.id, candle_time, "e"),
            bot_id=bot.id,
            account_id=bot.account_id,
            symbol=bot.symbol,
            side=entry_side(side),
            type=OrderType.MARKET if price is None else OrderType.LIMIT,
            purpose=Purpose.ENTRY,
            quote_amount=stake(bot, size) if amount is None and after is None else amount,
            stake_share=exact(size) if amount is None and after is not None else None,
            level_stop=level_stop,
            level_target=level_target,
            price=price,
            expires_at=expires_at,
            reason="signal",
            after_client_id=after.client_id if after else None,
            decided_at=decided_at,
            routing=route,
        )

    def plan_exit(
        self,
        writing: Writing,
        position: Position,
        reason: str,
        *,
        order_id: str,
        decided_at: datetime,
        seen_price: Decimal | None = None,
        quantity: Decimal | None = None,
    ) -> Order:
        """Commit to closing a position, or ``quantity`` of it."""
        return self.plan(
            writing,
            client_id=order_id,
            bot_id=position.bot_id,
            account_id=position.account_id,
            symbol=position.symbol,
            side=exit_side(position.side),
            purpose=Purpose.EXIT,
            quantity=position.quantity if quantity is None else quantity,
            seen_price=seen_price,
            reason=reason,
            position_id=position.id,
            decided_at=decided_at,
        )

    def plan(self, writing: Writing, **fields: object) -> Order:
        """Commit to an order: a durable intent of these fields."""
        now = self._books.clock.now()
        order = Order.model_validate({**fields, "created_at": now, "updated_at": now})
        writing.add_order(order)
        return order

    # --- commands -------------------------------------------------------------------------------

    def close_position(
        self,
        bot_id: str,
        market: MarketData,
        reason: str,
        *,
        seen_price: Decimal | None = None,
        fraction: Decimal = ONE,
    ) -> None:
        """Close a bot's position now, or a part of it, unless an exit is already under way. What
        rests at the venue for it is taken back first."""
        if fraction == ONE:
            self.cancel_entries(bot_id, market)
        position = self._books.positions.get(bot_id)
        if position is None:
            return
        if self.is_closing(bot_id):
            if fraction == ONE:
                self._enlarge(position, reason)
            return
        quantity = position.quantity
        if fraction < ONE:
            step = market.instrument(position.symbol).quantity_step
            quantity = floor_to(quantity * fraction, step) or quantity
        with self._books.writing() as writing:
            stem = f"{stem_of(position)}-w"
            attempt = writing.tx.orders.count(client_id=Prefix(stem))
            self.plan_exit(
                writing,
                position,
                reason,
                order_id=f"{stem}{attempt}",
                decided_at=market.now(),
                seen_price=seen_price,
                quantity=quantity,
            )
        self.advance(bot_id, market)

    def _enlarge(self, position: Position, reason: str) -> None:
        """An exit of a part that was not sent yet becomes one of the whole."""
        for order in self._books.working_orders(position.bot_id):
            is_part = order.quantity is not None and order.quantity < position.quantity
            if order.purpose is Purpose.EXIT and order.state is OrderState.INTENT and is_part:
                with self._books.writing() as writing:
                    writing.save_order(order, quantity=position.quantity, reason=reason)

    def is_closing(self, bot_id: str) -> bool:
        """Whether an exit of the bot is under way."""
        return any(o.purpose is Purpose.EXIT for o in self._books.working_orders(bot_id))

    def has_entry(self, bot_id: str) -> bool:
        """Whether an entry of the bot is under way."""
        return any(o.purpose is Purpose.ENTRY for o in self._books.working_orders(bot_id))

    def cancel_entries(self, bot_id: str, market: MarketData) -> None:
        """Take back whatever is not filled of a bot's entries."""
        for order in self._books.working_orders(bot_id):
            if order.purpose is Purpose.ENTRY:
                self.cancel(order, market)

    def place(
        self, bot_id: str, market: MarketData, ticket: OrderTicket, actor: str
    ) -> Sequence[Order]:
        """Place a person's ticket. Raises ConfigError, Conflict."""
        return self._tickets.place(bot_id, market, ticket, actor)

    def cancel_order(self, bot_id: str, order_id: str, market: MarketData, actor: str) -> None:
        """Take a working order back. Raises NotFound, Conflict."""
        self._tickets.cancel(bot_id, order_id, market, actor)

    def replace_order(
        self, bot_id: str, order_id: str, market: MarketData, changes: OrderChanges, actor: str
    ) -> Order:
        """Change a working order; the order that stands then. Raises NotFound, Conflict,
        ConfigError."""
        return self._tickets.replace(bot_id, order_id, market, changes, actor)

    def cancel(self, order: Order, market: MarketData) -> None:
        """Cancel one working order; what was filled before is booked."""
        self._follower.cancel(order, market)

    # --- moving orders on ----------------------------------------------------------------------

    def advance(self, bot_id: str, market: MarketData) -> None:
        """Take every order of a bot one step further: send, resolve, or ask what became of it;
        then see to the protection of its position. One that has moved to another market is left
        to that market's account."""
        bot = self._books.bots.get(bot_id)
        if bot is not None and not is_here(bot, market):
            return
        self._advance(bot_id, market, lambda _order: True)
        if bot_id != HOUSE:
            self._protector.tend(bot_id, market)

    def advance_account(
        self,
        account_id: str,
        market: MarketData,
        open_reports: Sequence[OrderReport] | None = None,
    ) -> None:
        """The same for every order of an account, those of nobody too, but for entries that were
        never sent: those are their bots' to send. ``open_reports`` is the venue's list when the
        caller has it."""
        if open_reports is not None:
            self._follower.take_open_orders(account_id, open_reports)

        def is_meant(order: Order) -> bool:
            is_plan = order.state is OrderState.INTENT and order.purpose is Purpose.ENTRY
            is_plan = is_plan and order.bot_id != HOUSE
            return order.account_id == account_id and not is_plan

        for bot_id, orders in list(self._books.working.items()):
            if any(order.account_id == account_id for order in orders.values()):
                try:
                    self._advance(bot_id, market, is_meant)
                except (DataError, NotFound) as error:  # of its symbol: the others still go on
                    log.warning("orders of bot '%s' wait: %s", bot_id, error)

    def _advance(self, bot_id: str, market: MarketData, is_meant: Callable[[Order], bool]) -> None:
        # Exits wait for the protection before them, so that is asked about first.
        orders = self._books.working_orders(bot_id)
        if any(order.purpose is Purpose.EXIT for order in orders):
            self._withdraw_protection(bot_id, market)
        for known in orders:
            order = self._books.working.get(bot_id, {}).get(known.client_id)
            if order is None or not is_meant(order):
                continue  # done meanwhile, with another one
            if order.state is OrderState.INTENT:
                self._sender.send_when_due(order, market)
            elif order.state in (OrderState.SENDING, OrderState.UNKNOWN):
                self._follower.resolve(order, market)
            elif order.state is not OrderState.EXTERNAL:
                self._follower.follow(order, market)

    def _withdraw_protection(self, bot_id: str, market: MarketData) -> None:
        """Take back what rests at the venue for a position that is being closed."""
        for order in self._books.working_orders(bot_id):
            if order.purpose is Purpose.PROTECTION and not order.is_cancel_wanted:
                self.cancel(order, market)

    # --- what others have to say ----------------------------------------------------------------

    def hear(self, account_id: str, report: OrderReport, market: MarketData) -> bool:
        """Book what a venue told by itself. False when the order is not one of ours that works:
        then only a reconciliation can say what it means."""
        for orders in list(self._books.working.values()):
            order = orders.get(report.client_id)
            if order is not None and order.account_id == account_id:
                if order.state is OrderState.EXTERNAL:
                    return False  # nobody's: a check must find it, and offer it to a person
                broker = self._venues.broker(account_id, market)
                if order.state is OrderState.SENDING:
                    return True  # the answer to the sending is on its way
                self._outcomes.book(order, report, market, broker)
                return True
        return False

    def book_execution(
        self, account_id: str, market: MarketData, order: Order, execution: Execution
    ) -> Order:
        """Book an execution of an order of ours that was found in the account's own list, be the
        order done or not; the order as it stands then."""
        broker = self._venues.broker(account_id, market)
        report = OrderReport(
            client_id=order.client_id, venue_id=execution.venue_id, symbol=order.symbol,
            side=order.side, state=order.state,
            quantity=order.quantity or execution.quantity,
            filled=order.filled + execution.quantity, fills=(execution.fill,),
        )  # fmt: skip
        terms = self._outcomes.terms(order.symbol, report.fills, market, broker)
        return book_report(self._books, order, report, terms)


def limit_price(bot: Bot, side: PositionSide, last: Decimal, instrument: Instrument) -> Decimal:
    """What a limit entry asks for: the offset better than the last price, on the tick."""
    offset = bot.config.limit_offset_bps / BPS
    if entry_side(side) is Side.BUY:
        return max(floor_to(last * (ONE - offset), instrument.price_tick), instrument.price_tick)
    return ceil_to(last * (ONE + offset), instrument.price_tick)
