"""What became of an order, written down: refused, let go, unknown, delayed, booked."""

import hashlib
import logging
from collections.abc import Sequence
from decimal import Decimal

from engine.domain.accounts import HOUSE, AccountHealth, AccountState
from engine.domain.instruments import Instrument
from engine.domain.money import ZERO
from engine.domain.orders import (
    Order,
    OrderReport,
    OrderState,
    Purpose,
    VenueFill,
    may_become,
)
from engine.domain.positions import Position
from engine.domain.records import Level
from engine.errors import AccessDenied, DataError, NotFound
from engine.ports import Broker, MarketData, has_steps
from engine.services.booking import Terms, book_report
from engine.services.books import Books, Writing

log = logging.getLogger("quarterdeck.desk")

MOST_EXIT_WAIT_S = 60
SUCCESSOR = "."
OURS = "qd-"
MANUAL = "manual"
"""The reason of an order that a person placed."""

PART = "signal_part"
"""The reason of an exit that a signal wants of a part of the position."""

ENDS_WHEN_FILLED = frozenset({MANUAL, PART})
"""Reasons of exits that are about their own quantity, not about the position."""


def successor_id(client_id: str) -> str:
    """The id of the order that takes the place of one that failed: ``...-x``, ``...-x.1``. One
    that was adopted may have an id of all the 36 characters there are: a short one follows it."""
    if not client_id.startswith(OURS):
        client_id = f"{OURS}{_digest(client_id)}"
    stem, _, number = client_id.partition(SUCCESSOR)
    return f"{stem}{SUCCESSOR}{int(number or 0) + 1}"


def stem_of(position: Position) -> str:
    """What the ids of all orders about a position begin with; short for one that was adopted."""
    own = f"{OURS}{position.bot_id}-"
    if not position.id.startswith(own):
        return f"{own}{_digest(position.id)}"
    return position.id.partition("~")[0].rsplit("-", 1)[0]


def _digest(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()[:10]


def attempt_of(client_id: str) -> int:
    """How many orders came before this one in its line."""
    return int(client_id.partition(SUCCESSOR)[2] or 0)


def exit_wait_s(client_id: str) -> float:
    """How long a repeated exit waits: 1, 2, 4 ... seconds, a minute at the most."""
    attempt = min(attempt_of(client_id), 10)  # the power of thousands is no float any more
    return min(2.0 ** (attempt - 1), MOST_EXIT_WAIT_S) if attempt else 0.0


class Outcomes:
    """Writes the ends and turns of orders; what a venue said is never thrown away."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def finish(
        self,
        order: Order,
        state: OrderState,
        message: str,
        *,
        kind: str = "",
        is_wanted_again: bool = False,
    ) -> None:
        """End an order that will never be filled (further).

        ``is_wanted_again``: an exit whose reason still stands gets a successor in the same
        transaction. It is planned, not resent: its quantity is what is held when it is sent.
        """
        if not may_become(order.state, state):
            log.error("%s cannot become %s from %s", order.client_id, state, order.state)
            return
        what = _what(order)
        with self._books.writing() as writing:
            writing.save_order(order, state=state, error=message)
            writing.event(
                Level.WARNING, kind or f"order.{state.value}",
                f"The {what} was {state.value}: {message}",
                order.bot_id or None, client_id=order.client_id,
            )  # fmt: skip
            if state is OrderState.REJECTED and order.bot_id != HOUSE:
                writing.save_bot(order.bot_id, reason=f"The {what} was rejected: {message}")
            if is_wanted_again and order.purpose is Purpose.EXIT:
                self._plan_successor(writing, order)

    def _plan_successor(self, writing: Writing, order: Order) -> None:
        now = self._books.clock.now()
        writing.add_order(
            order.model_copy(
                update={
                    "client_id": successor_id(order.client_id), "state": OrderState.INTENT,
                    "filled": ZERO, "venue_id": "", "error": "", "sent_at": None,
                    "is_cancel_wanted": False, "created_at": now, "updated_at": now,
                }
            )
        )  # fmt: skip

    def not_sent(self, order: Order, market: MarketData, message: str) -> None:
        """An entry is let go; an exit stays an intent, for its signal may not come again. Only a
        replay's end has no later price."""
        if order.purpose is Purpose.ENTRY or has_steps(market):
            self.finish(order, OrderState.EXPIRED, message)
            return
        if order.state is OrderState.UNKNOWN:
            return  # it is looked up, and sent again, at the next watch
        if order.state is not OrderState.INTENT or order.error != message:
            with self._books.writing() as writing:
                writing.save_order(order, state=OrderState.INTENT, error=message)
        if order.bot_id != HOUSE:
            self._books.show_reason(
                order.bot_id, f"The exit could not be sent and is tried again: {message}",
                "order.delayed", Level.WARNING,
            )  # fmt: skip

    def unknown(self, order: Order, message: str) -> None:
        """It may or may not be at the venue; nothing is concluded from that."""
        if order.state is OrderState.UNKNOWN:
            return
        with self._books.writing() as writing:
            writing.save_order(order, state=OrderState.UNKNOWN, error=message)
            writing.event(Level.ERROR, "order.unknown",
                          f"It is not known what became of the {_what(order)}, {order.client_id}:"
                          f" {message.rstrip('.')}. It is looked up, not sent again.",
                          order.bot_id or None, client_id=order.client_id)  # fmt: skip

    def denied(self, account_id: str, error: AccessDenied) -> None:
        """The key is refused: the account takes no entries until a check works again."""
        account = self._books.accounts.get(account_id) or AccountState(account_id=account_id)
        if account.health is AccountHealth.DENIED:
            return
        with self._books.writing() as writing:
            update = {"health": AccountHealth.DENIED, "detail": error.message}
            writing.put_account(account.model_copy(update=update))
            writing.event(Level.ERROR, "account.denied",
                          f"{account_id}: the venue refuses the key: {error.message}",
                          account_id=account_id)  # fmt: skip

    def book(self, order: Order, report: OrderReport, market: MarketData, broker: Broker) -> Order:
        """Book a report; the order as it stands then."""
        if report.state is OrderState.REJECTED and not report.fills:
            self.finish(
                order, OrderState.REJECTED, report.reason or "refused by the venue",
                is_wanted_again=order.bot_id in self._books.positions,
            )  # fmt: skip
            return order
        terms = self.terms(order.symbol, report.fills, market, broker)
        return book_report(self._books, order, report, terms, self._repeat)

    def _repeat(self, writing: Writing, before: Order, order: Order) -> None:
        """An exit that leaves something goes on, unless a person wanted no more: the venue may
        have ended it by itself or had too little free, and its signal may not come again."""
        is_over = order.is_terminal and not before.is_terminal
        is_enough = order.is_cancel_wanted or (
            order.state is OrderState.FILLED and order.reason in ENDS_WHEN_FILLED
        )
        if order.purpose is not Purpose.EXIT or not is_over or is_enough:
            return
        position = writing.positions.get(order.bot_id) or self._books.positions.get(order.bot_id)
        if position is not None and position.is_open and position.id == order.position_id:
            left = order.left if order.reason in ENDS_WHEN_FILLED else position.quantity
            self._plan_successor(writing, order.model_copy(update={"quantity": left}))

    def terms(
        self, symbol: str, fills: Sequence[VenueFill], market: MarketData, broker: Broker
    ) -> Terms:
        """What booking must know of a symbol and its venue; asked for before the transaction."""
        instrument = market.instrument(symbol)
        own = (instrument.base, instrument.quote)
        return Terms(
            instrument,
            {
                fill.trade_id: _fee_value(fill, instrument, market)
                for fill in fills
                if fill.fee and fill.fee_asset not in own
            },
            broker.capabilities.reduces_below_minimum,
        )


def _what(order: Order) -> str:
    """The order as a person knows it."""
    return f"{order.purpose.value} ({order.side.value} {order.symbol})"


def _fee_value(fill: VenueFill, instrument: Instrument, market: MarketData) -> Decimal:
    """A fee in a third asset at its last price; zero, and said so, where that is not known."""
    try:
        return fill.fee * market.quote(f"{fill.fee_asset}/{instrument.quote}").last
    except (DataError, NotFound) as error:
        log.warning("a fee of %s %s has no known value: %s", fill.fee, fill.fee_asset, error)
        return ZERO
