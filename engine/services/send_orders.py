"""Sending: an order leaves once, after its intent, its request and its limits are committed.

What a venue answers is put in one of four drawers: booked, refused for certain, surely not sent,
unknown. Whatever is not on a list of certain answers is unknown.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from engine.domain.accounts import HOUSE
from engine.domain.bots import WORKING_STATES, Bot, BotState
from engine.domain.instruments import Instrument
from engine.domain.ledger import entry_side, is_dust
from engine.domain.money import ZERO
from engine.domain.orders import (
    TRIGGERED,
    OcoRequest,
    Order,
    OrderReport,
    OrderRequest,
    OrderState,
    Purpose,
)
from engine.domain.timeframes import timeframe_s
from engine.errors import (
    AccessDenied,
    BrokerUnavailable,
    DataError,
    InsufficientFunds,
    LimitReached,
    OrderRejected,
    OrderStateUnknown,
)
from engine.ports import Broker, MarketData, Venues, has_steps
from engine.services.booking import close_as_dust
from engine.services.books import Books
from engine.services.controls import Controls
from engine.services.order_outcomes import MANUAL, Outcomes, exit_wait_s
from engine.services.order_requests import Gate, Sizer, request_of
from engine.services.venue_links import VenueLinks

log = logging.getLogger("quarterdeck.desk")

LONGEST_LAG = timedelta(minutes=5)
SHORTEST_LAG = timedelta(seconds=10)
LONGEST_COMMIT_S = 5.0
"""An order whose commit took longer than this is not sent: below the lease's time to live."""
REFUSALS: dict[type[Exception], str] = {
    InsufficientFunds: "order.insufficient_funds",
    LimitReached: "order.limit",
}
"""The kinds of events that some refusals are."""


def entry_lag(bot: Bot) -> timedelta:
    """How old, in market time, a decision may be when its entry is sent."""
    candle = timedelta(seconds=timeframe_s(bot.config.timeframe))
    return min(max(candle, SHORTEST_LAG), LONGEST_LAG)


def time_of(books: Books, market: MarketData) -> datetime:
    """What counts as now for an order: a replay's own time, else the machine's."""
    return market.now() if has_steps(market) else books.clock.now()


class Sender:
    """Takes intents to the venue, on the account's lane."""

    def __init__(
        self,
        books: Books,
        venues: Venues,
        controls: Controls,
        outcomes: Outcomes,
        links: VenueLinks,
        gate: Gate | None,
    ) -> None:
        self._books = books
        self._venues = venues
        self._controls = controls
        self._outcomes = outcomes
        self._links = links
        self._gate = gate
        self._sizer = Sizer(books, links.worked)

    # --- whether ---------------------------------------------------------------------------------

    def entry_objection(self, order: Order, market: MarketData) -> str | None:
        """Why an entry must not go (any more), or None."""
        is_manual = order.reason == MANUAL
        objection = self._controls.objection(
            account_id=order.account_id, bot_id=order.bot_id, symbol=order.symbol,
            is_manual=is_manual,
        )  # fmt: skip
        if objection is not None or order.bot_id == HOUSE:
            return objection  # nobody's order settles a finding, which is no reason against it
        objection = self._books.account_objection(order.account_id)
        if objection is not None:
            return objection
        bot = self._books.get_bot(order.bot_id)
        if self._has_other_side(order):
            return "the bot is on the other side of the market"
        wanted = WORKING_STATES if is_manual else (BotState.RUNNING, BotState.STARTING)
        if bot.state not in wanted:
            return f"the bot is {bot.state.value}"
        if order.expires_at is not None and time_of(self._books, market) >= order.expires_at:
            return "its time is over"
        if self._is_old(order, market):
            age = market.now() - order.decided_at
            return f"the decision was {age.total_seconds():.0f} s old"
        return None

    def waits_for_check(self, order: Order, market: MarketData) -> bool:
        """Whether an entry, still fresh after a start, waits for its account to be checked."""
        is_held = order.purpose is Purpose.ENTRY and order.account_id in self._books.unchecked
        return is_held and not self._is_old(order, market)

    def _is_old(self, order: Order, market: MarketData) -> bool:
        bot = self._books.bots.get(order.bot_id)
        return bot is None or market.now() - order.decided_at > entry_lag(bot)

    def _has_other_side(self, order: Order) -> bool:
        """Whether the bot holds, or has an entry at the venue for, the other side."""
        position = self._books.positions.get(order.bot_id)
        if position is not None and entry_side(position.side) is not order.side:
            return True
        return any(
            other.purpose is Purpose.ENTRY
            and other.side is not order.side
            and other.state is not OrderState.INTENT
            for other in self._books.working_orders(order.bot_id)
        )

    def send_when_due(self, order: Order, market: MarketData) -> None:
        """Send an intent if its turn has come; end it when it never will."""
        if not self._is_turn(order):
            return
        if self.waits_for_check(order, market):
            return
        if order.purpose is Purpose.ENTRY:
            objection = self.entry_objection(order, market)
            if objection is not None:
                self._outcomes.finish(order, OrderState.EXPIRED, objection)
                return
        elif not self._is_exit_due(order, market):
            return
        self._send(order, market)

    def _is_turn(self, order: Order) -> bool:
        """Whether the order that goes first, if any, is out of the way."""
        first_id = order.replaces_client_id or order.after_client_id
        if first_id is None:
            return True
        if first_id in self._books.working.get(order.bot_id, {}):
            return False
        with self._books.store.reading() as tx:
            first = tx.orders.get(first_id)
        if order.replaces_client_id is not None:
            if first.state in (OrderState.CANCELLED, OrderState.EXPIRED):
                return True
        elif first.state is OrderState.FILLED and order.bot_id not in self._books.positions:
            return True
        why = f"the order before it was {first.state.value}"
        self._outcomes.finish(order, OrderState.CANCELLED, why)
        return False

    def _is_exit_due(self, order: Order, market: MarketData) -> bool:
        """Whether an order that reduces may go: its wait is over, its position still there, and
        nothing of that position rests at the venue that would be filled beside it."""
        if order.bot_id == HOUSE:
            return True
        position = self._books.positions.get(order.bot_id)
        if position is None or position.id != order.position_id:
            self._outcomes.finish(order, OrderState.CANCELLED, "the position is closed")
            return False
        if not has_steps(market):
            waited = (self._books.clock.now() - order.created_at).total_seconds()
            if 0 <= waited < exit_wait_s(order.client_id):
                return False
        resting = [
            other
            for other in self._books.working_orders(order.bot_id)
            if other.purpose is Purpose.PROTECTION and other.client_id != order.client_id
        ]
        if order.purpose is Purpose.EXIT:
            return not resting
        # Beside what rests already it must not be more than the position; a pair counts once.
        beside = {
            other.oco_id or other.client_id: other.left or ZERO
            for other in resting
            if other.state is not OrderState.INTENT
            and (other.oco_id is None or other.oco_id != order.oco_id)
        }
        wanted = min(order.quantity or ZERO, position.quantity)  # no more than that is sent
        return sum(beside.values(), wanted) <= position.quantity

    # --- what ------------------------------------------------------------------------------------

    def _send(self, order: Order, market: MarketData) -> None:
        pair = self._other_leg(order)
        if pair is not None and order.type not in TRIGGERED:
            return  # the stop takes its limit along
        try:
            broker = self._venues.broker(order.account_id, market)
            instrument = market.instrument(order.symbol)
            last = self._last_price(order, market)
            if self._is_only_dust(order, instrument, last, broker, market):
                return
            sized = self._sizer.sized(order, broker, instrument, last)
            self._admit(sized, broker, instrument, last)
            request = request_of(sized, broker)
        except OrderRejected as error:
            self._refuse(order, error)
            if pair is not None:  # a target without its stop protects nothing
                self._outcomes.finish(
                    pair, OrderState.CANCELLED, "the stop of its pair was refused"
                )
            return
        except AccessDenied as error:
            self._outcomes.denied(order.account_id, error)
            self._outcomes.not_sent(order, market, error.message)
            return
        except (BrokerUnavailable, DataError) as error:
            self._outcomes.not_sent(order, market, error.message)
            return
        if pair is None:
            self._submit(sized, request, market, broker)
        else:
            self._submit_oco(limit=pair, stop=sized, market=market, broker=broker)

    def _last_price(self, order: Order, market: MarketData) -> Decimal:
        return order.seen_price or market.quote(order.symbol).last

    def _is_only_dust(
        self,
        order: Order,
        instrument: Instrument,
        last: Decimal,
        broker: Broker,
        market: MarketData,
    ) -> bool:
        """Whether all that is left of the position cannot be traded here; then it ends."""
        position = self._books.positions.get(order.bot_id)
        is_exempt = broker.capabilities.reduces_below_minimum
        if order.purpose is not Purpose.EXIT or position is None:
            return False
        if not is_dust(position.quantity, last, instrument, is_exempt=is_exempt):
            return False
        with self._books.writing() as writing:
            writing.save_order(order, state=OrderState.CANCELLED, error="only dust is left")
            close_as_dust(writing, position, instrument, order.reason, time_of(self._books, market))
        return True

    def _admit(self, order: Order, broker: Broker, instrument: Instrument, last: Decimal) -> None:
        """Raises LimitReached, BrokerUnavailable."""
        if self._gate is None:
            return
        price = order.price or order.stop_price or last
        quantity = order.quantity or (order.quote_amount or ZERO) / price
        self._gate.admit(
            order, quantity=quantity, price=order.price, last=last, instrument=instrument,
            is_paper=broker.capabilities.is_paper,
        )  # fmt: skip

    def _other_leg(self, order: Order) -> Order | None:
        """The order that is sent in one pair with this one."""
        if order.oco_id is None:
            return None
        return next(
            (one for one in self._books.working_orders(order.bot_id)
             if one.oco_id == order.oco_id and one.client_id != order.client_id
             and one.state is OrderState.INTENT),
            None,
        )  # fmt: skip

    # --- out ---------------------------------------------------------------------------------

    def send_again(self, order: Order, market: MarketData, broker: Broker) -> None:
        """Send an order that may have been sent before: only where that is one order. Until there
        is an answer it stays what it is, in doubt."""
        request, began_s = request_of(order, broker), self._books.clock.monotonic()
        self._answered([order], market, broker, began_s, lambda: (broker.submit(request),))

    def _submit(
        self, order: Order, request: OrderRequest, market: MarketData, broker: Broker
    ) -> None:
        """Commit that the order is being sent, send it, and put the answer in its drawer."""
        began_s = self._books.clock.monotonic()
        with self._books.writing() as writing:
            order = writing.save_order(
                order, state=OrderState.SENDING, sent_at=self._books.clock.now()
            )
        self._answered([order], market, broker, began_s, lambda: (broker.submit(request),))

    def _submit_oco(self, limit: Order, stop: Order, market: MarketData, broker: Broker) -> None:
        """Both legs are committed and sent together."""
        now = self._books.clock.now()
        limit = limit.model_copy(update={"quantity": stop.quantity})
        request = OcoRequest(
            group_id=stop.oco_id or "",
            limit=request_of(limit, broker),
            stop=request_of(stop, broker),
        )
        began_s = self._books.clock.monotonic()
        with self._books.writing() as writing:
            legs = [
                writing.save_order(leg, state=OrderState.SENDING, sent_at=now)
                for leg in (limit, stop)
            ]
        self._answered(legs, market, broker, began_s, lambda: broker.submit_oco(request))

    def _answered(
        self,
        orders: Sequence[Order],
        market: MarketData,
        broker: Broker,
        began_s: float,
        call: Callable[[], tuple[OrderReport, ...]],
    ) -> None:
        if self._books.clock.monotonic() - began_s > LONGEST_COMMIT_S:
            # Suspended in between: another engine may have looked it up and let it go.
            self._unknown(orders, "not sent: this engine stood still while it was committed")
            return
        try:
            reports = call()
        except (OrderRejected, AccessDenied) as error:
            self._refused(orders, error)
        except (BrokerUnavailable, DataError) as error:
            self._links.failed(broker.account_id, error.message)
            for order in orders:
                self._outcomes.not_sent(order, market, error.message)
        except OrderStateUnknown as error:
            self._unknown(orders, error.message)
        except Exception as error:  # whatever is not on the list of certain answers is unknown
            log.exception("unexpected answer to %s", orders[0].client_id)
            self._unknown(orders, f"unexpected: {type(error).__name__}")
        else:
            self._links.worked(broker.account_id)
            for order, report in zip(orders, reports, strict=True):
                if self._gate is not None:
                    self._gate.note_success(order)
                self._outcomes.book(order, report, market, broker)

    def _unknown(self, orders: Sequence[Order], message: str) -> None:
        for order in orders:
            self._outcomes.unknown(order, message)

    def _refused(self, orders: Sequence[Order], error: OrderRejected | AccessDenied) -> None:
        if isinstance(error, AccessDenied):
            self._outcomes.denied(orders[0].account_id, error)
        for order in orders:
            if self._gate is not None and not isinstance(error, InsufficientFunds):
                self._gate.note_rejection(order)
            self._refuse(order, error)

    def _refuse(self, order: Order, error: OrderRejected | AccessDenied) -> None:
        """End an order that was refused for certain, by the venue or before it got there."""
        self._outcomes.finish(
            order, OrderState.REJECTED, error.message, kind=REFUSALS.get(type(error), ""),
            # A person sees the refusal and decides; nobody would for a stop or a signal.
            is_wanted_again=order.reason != MANUAL and order.bot_id in self._books.positions,
        )  # fmt: skip
