"""The order desk: an order is committed before it is sent, sent once, and booked once.

``advance`` is the only way forward for an order, whatever state it is in: after planning, at every
watch, and after a crash. A restart is the same code path as a start.
"""

import logging
from datetime import datetime, timedelta
from decimal import Decimal

from engine.domain.bots import Bot, BotState
from engine.domain.ledger import entry_side, exit_side
from engine.domain.money import floor_to, to_epoch_ms
from engine.domain.orders import (
    Order,
    OrderReport,
    OrderRequest,
    OrderState,
    Purpose,
    may_become,
)
from engine.domain.positions import Position, PositionSide
from engine.domain.records import KillLevel, Level
from engine.domain.sizing import affordable_quantity, stake
from engine.domain.timeframes import timeframe_s
from engine.errors import (
    BrokerUnavailable,
    DataError,
    InsufficientFunds,
    NotFound,
    OrderRejected,
    OrderStateUnknown,
)
from engine.ports import Broker, MarketData, SteppedMarket, Venues
from engine.services.booking import book_report
from engine.services.books import Books, Writing
from engine.services.controls import Controls

log = logging.getLogger("quarterdeck.desk")

LONGEST_LAG = timedelta(minutes=5)
SHORTEST_LAG = timedelta(seconds=10)


def client_id(bot_id: str, moment: datetime, leg: str) -> str:
    """The deterministic client order id of a bot's order; at most 36 characters."""
    return f"qd-{bot_id}-{to_epoch_ms(moment) // 1000}-{leg}"


def entry_lag(bot: Bot) -> timedelta:
    """How old, in market time, a decision may be when its entry is sent."""
    candle = timedelta(seconds=timeframe_s(bot.config.timeframe))
    return min(max(candle, SHORTEST_LAG), LONGEST_LAG)


class OrderDesk:
    """Plans, sends, resolves and books the orders of all bots; called on the account's lane."""

    def __init__(self, books: Books, venues: Venues, controls: Controls) -> None:
        self._books = books
        self._venues = venues
        self._controls = controls

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
    ) -> Order:
        """Commit to an entry. After an exit its amount is fixed only when it is sent, since the
        exit's proceeds are part of it."""
        order = Order(
            client_id=client_id(bot.id, candle_time, "e"),
            bot_id=bot.id,
            account_id=bot.account_id,
            symbol=bot.config.symbol,
            side=entry_side(side),
            purpose=Purpose.ENTRY,
            quote_amount=None if after else stake(bot, size),
            reason="signal",
            after_client_id=after.client_id if after else None,
            decided_at=decided_at,
            created_at=self._books.clock.now(),
            updated_at=self._books.clock.now(),
        )
        writing.add_order(order)
        return order

    def plan_exit(
        self,
        writing: Writing,
        position: Position,
        reason: str,
        *,
        order_id: str,
        decided_at: datetime,
        seen_price: Decimal | None = None,
    ) -> Order:
        """Commit to closing all of a position."""
        order = Order(
            client_id=order_id,
            bot_id=position.bot_id,
            account_id=position.account_id,
            symbol=position.symbol,
            side=exit_side(position.side),
            purpose=Purpose.EXIT,
            quantity=position.quantity,
            seen_price=seen_price,
            reason=reason,
            position_id=position.id,
            decided_at=decided_at,
            created_at=self._books.clock.now(),
            updated_at=self._books.clock.now(),
        )
        writing.add_order(order)
        return order

    def close_position(
        self,
        bot_id: str,
        market: MarketData,
        reason: str,
        *,
        seen_price: Decimal | None = None,
    ) -> None:
        """Close a bot's position now, unless an exit is already under way."""
        self.cancel_entries(bot_id, market)
        position = self._books.positions.get(bot_id)
        if position is None or self.is_closing(bot_id):
            return
        with self._books.writing() as writing:
            attempt = writing.tx.orders.count(position_id=position.id)
            stem = position.id.rsplit("-", 1)[0]
            self.plan_exit(
                writing,
                position,
                reason,
                order_id=f"{stem}-w{attempt}",
                decided_at=market.now(),
                seen_price=seen_price,
            )
        self.advance(bot_id, market)

    def is_closing(self, bot_id: str) -> bool:
        """Whether an exit of the bot is under way."""
        return any(o.purpose is Purpose.EXIT for o in self._books.working_orders(bot_id))

    def has_entry(self, bot_id: str) -> bool:
        """Whether an entry of the bot is under way."""
        return any(o.purpose is Purpose.ENTRY for o in self._books.working_orders(bot_id))

    # --- moving orders on ----------------------------------------------------------------------

    def advance(self, bot_id: str, market: MarketData) -> None:
        """Take every order of a bot one step further: send, resolve, or ask what became of it."""
        for order in self._books.working_orders(bot_id):
            if order.state is OrderState.INTENT:
                self._send_when_due(order, market)
            elif order.state in (OrderState.SENDING, OrderState.UNKNOWN):
                self._resolve(order, market)
            else:
                self._poll(order, market)

    def cancel_entries(self, bot_id: str, market: MarketData) -> None:
        """Take back whatever is not filled of a bot's entries."""
        for order in self._books.working_orders(bot_id):
            if order.purpose is Purpose.ENTRY:
                self.cancel(order, market)

    def cancel(self, order: Order, market: MarketData) -> None:
        """Cancel one working order; what was filled before is booked."""
        if order.state is OrderState.INTENT:
            self._finish(order, OrderState.CANCELLED, "cancelled before it was sent")
            return
        try:
            report = self._broker(order, market).cancel(order.client_id, order.symbol)
        except NotFound:
            self._resolve(order, market)
        except (BrokerUnavailable, OrderStateUnknown) as error:
            log.warning("cancel of %s not confirmed: %s", order.client_id, error)
        else:
            self._book(order, report)

    def _send_when_due(self, order: Order, market: MarketData) -> None:
        if order.after_client_id is not None and not self._is_free(order):
            return
        bot = self._books.get_bot(order.bot_id)
        if order.purpose is Purpose.ENTRY:
            objection = self._entry_objection(bot, order, market)
            if objection is not None:
                self._finish(order, OrderState.EXPIRED, objection)
                return
            if order.quote_amount is None:
                order = order.model_copy(update={"quote_amount": stake(bot)})
        with self._books.writing() as writing:
            order = writing.save_order(order, state=OrderState.SENDING)
        self._submit(order, market)

    def _is_free(self, order: Order) -> bool:
        """Whether the order that goes first is filled; when it failed, this one is cancelled."""
        first = self._books.working.get(order.bot_id, {}).get(order.after_client_id or "")
        if first is not None:
            return False
        with self._books.store.reading() as tx:
            done = tx.orders.get(order.after_client_id or "")
        if done.state is OrderState.FILLED and order.bot_id not in self._books.positions:
            return True
        self._finish(order, OrderState.CANCELLED, f"the order before it was {done.state.value}")
        return False

    def _entry_objection(self, bot: Bot, order: Order, market: MarketData) -> str | None:
        if self._controls.level is not KillLevel.NONE:
            return "the kill switch is on"
        if bot.state not in (BotState.RUNNING, BotState.STARTING):
            return f"the bot is {bot.state.value}"
        age = market.now() - order.decided_at
        if age > entry_lag(bot):
            return f"the decision was {age.total_seconds():.0f} s old"
        return None

    def _submit(self, order: Order, market: MarketData) -> None:
        broker = self._broker(order, market)
        try:
            report = broker.submit(self._request(order, broker, market))
        except OrderRejected as error:
            self._finish(order, OrderState.REJECTED, error.message,
                         is_short_of_funds=isinstance(error, InsufficientFunds))  # fmt: skip
        except (BrokerUnavailable, DataError) as error:
            self._not_sent(order, market, error.message)
        except OrderStateUnknown as error:
            self._mark_unknown(order, error.message)
        except Exception as error:  # whatever is not on the list of certain answers is unknown
            log.exception("unexpected answer to %s", order.client_id)
            self._mark_unknown(order, f"unexpected: {type(error).__name__}")
        else:
            self._book(order, report)

    def _request(self, order: Order, broker: Broker, market: MarketData) -> OrderRequest:
        quantity, quote_amount = order.quantity, order.quote_amount
        if quote_amount is not None and not broker.capabilities.has_quote_amount:
            instrument = market.instrument(order.symbol)
            price = market.quote(order.symbol).last
            fee_bps = broker.capabilities.fee_bps
            quantity = affordable_quantity(quote_amount, price, fee_bps, instrument)
            quote_amount = None
        elif quantity is not None:
            quantity = floor_to(quantity, market.instrument(order.symbol).quantity_step)
        if not (quantity or quote_amount):
            raise OrderRejected("nothing is left to trade: the quantity is below one step")
        return OrderRequest(
            client_id=order.client_id,
            symbol=order.symbol,
            side=order.side,
            type=order.type,
            quantity=quantity,
            quote_amount=quote_amount,
            price=order.price,
            reduce_only=order.purpose is Purpose.EXIT,
            seen_price=order.seen_price,
        )

    def _resolve(self, order: Order, market: MarketData) -> None:
        """Find out about an order that may or may not have arrived."""
        broker = self._broker(order, market)
        try:
            report = broker.find_order(order.client_id, order.symbol)
        except (BrokerUnavailable, OrderStateUnknown) as error:
            log.warning("%s is still unknown: %s", order.client_id, error)
            return
        if report is not None:
            self._book(order, report)
        elif broker.capabilities.is_idempotent and self._may_resend(order, market):
            self._submit(order, market)
        elif self._is_quiet(order, broker):
            self._finish(order, OrderState.EXPIRED, "the venue never heard of it")

    def _may_resend(self, order: Order, market: MarketData) -> bool:
        """Only where a client id sent twice is one order; see docs/adr/0003."""
        if order.purpose is Purpose.EXIT:
            return True
        bot = self._books.get_bot(order.bot_id)
        return self._entry_objection(bot, order, market) is None

    def _is_quiet(self, order: Order, broker: Broker) -> bool:
        waited = self._books.clock.now() - order.updated_at
        is_lost = broker.capabilities.is_idempotent
        return is_lost or waited.total_seconds() > broker.capabilities.quiet_period_s

    def _poll(self, order: Order, market: MarketData) -> None:
        try:
            report = self._broker(order, market).find_order(order.client_id, order.symbol)
        except (BrokerUnavailable, DataError) as error:
            log.warning("no news of %s: %s", order.client_id, error)
            return
        if report is None:
            self._mark_unknown(order, "the venue does not list it any more")
        elif report.state is not order.state or report.filled != order.filled:
            self._book(order, report)

    # --- writing what became of it -------------------------------------------------------------

    def _not_sent(self, order: Order, market: MarketData, message: str) -> None:
        """An entry is let go; an exit stays an intent, for its signal may not come again. Only a
        replay's end has no later price."""
        if order.purpose is Purpose.ENTRY or isinstance(market, SteppedMarket):
            self._finish(order, OrderState.EXPIRED, message)
            return
        with self._books.writing() as writing:
            writing.save_order(order, state=OrderState.INTENT, error=message)
        self._books.show_reason(
            order.bot_id, f"The exit could not be sent and is tried again: {message}",
            "order.delayed", Level.WARNING,
        )  # fmt: skip

    def _mark_unknown(self, order: Order, message: str) -> None:
        with self._books.writing() as writing:
            writing.save_order(order, state=OrderState.UNKNOWN, error=message)
            writing.event(Level.ERROR, "order.unknown",
                          f"It is not known what became of {order.client_id}: {message}",
                          order.bot_id, client_id=order.client_id)  # fmt: skip

    def _finish(
        self, order: Order, state: OrderState, message: str, *, is_short_of_funds: bool = False
    ) -> None:
        """End an order that will never be filled (further)."""
        if not may_become(order.state, state):
            log.error("%s cannot become %s from %s", order.client_id, state, order.state)
            return
        kind = "order.insufficient_funds" if is_short_of_funds else f"order.{state.value}"
        what = f"{order.purpose.value} ({order.side.value} {order.symbol})"
        with self._books.writing() as writing:
            writing.save_order(order, state=state, error=message)
            writing.event(Level.WARNING, kind, f"The {what} was {state.value}: {message}",
                          order.bot_id, client_id=order.client_id)  # fmt: skip
            if state is OrderState.REJECTED:
                writing.save_bot(order.bot_id, reason=f"The {what} was rejected: {message}")

    def _book(self, order: Order, report: OrderReport) -> None:
        if report.state is OrderState.REJECTED and not report.fills:
            self._finish(order, OrderState.REJECTED, report.reason or "refused by the venue")
            return
        bot = self._books.get_bot(order.bot_id)
        market = self._venues.market(bot.config.market, bot.id)
        book_report(self._books, bot, market.instrument(order.symbol), order, report)

    def _broker(self, order: Order, market: MarketData) -> Broker:
        return self._venues.broker(order.account_id, market)
