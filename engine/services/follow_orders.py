"""Following: what became of orders that may be, or are, at the venue.

An order whose fate is unknown is looked up by its client id, again and again. Only when the venue
has denied it for a whole quiet period, and neither its open orders, nor its trades, nor the
account's holdings say otherwise, is it let go. An entry is never sent again; an exit gets a
successor, capped by what is held then.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from engine.domain.money import ZERO, text
from engine.domain.orders import Execution, Order, OrderReport, OrderState, Side
from engine.errors import (
    AccessDenied,
    BrokerUnavailable,
    DataError,
    NotFound,
    OrderRejected,
    OrderStateUnknown,
)
from engine.ports import Broker, MarketData, Venues
from engine.services.books import Books
from engine.services.order_outcomes import Outcomes
from engine.services.send_orders import Sender, time_of
from engine.services.venue_links import VenueLinks

log = logging.getLogger("quarterdeck.desk")

CLOCK_MARGIN = timedelta(minutes=5)
"""How far a venue's clock may be off when its trades are searched."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OpenOrders:
    """All working orders of an account as the venue listed them at once."""

    reports: Mapping[str, OrderReport]
    taken_s: float  # of the clock that nobody can set


def is_anothers(order: Order, report: OrderReport) -> bool:
    """Whether what the venue has under an order's id is plainly another order. Both times are the
    market's own: the machine's may be wrong, and a replay's are of another year."""
    if (report.side, report.symbol) != (order.side, order.symbol):
        return True
    if report.created_at is None or order.sent_at is None:  # one that was adopted is older
        return False
    return report.created_at < order.decided_at - CLOCK_MARGIN


class Follower:
    """Resolves and follows orders on the account's lane."""

    def __init__(
        self,
        books: Books,
        venues: Venues,
        outcomes: Outcomes,
        links: VenueLinks,
        sender: Sender,
    ) -> None:
        self._books = books
        self._venues = venues
        self._outcomes = outcomes
        self._links = links
        self._sender = sender
        self._asked_since: dict[str, float] = {}
        self._open: dict[str, OpenOrders] = {}
        self._seen_in: dict[str, float] = {}

    # --- orders that may have arrived -----------------------------------------------------------

    def resolve(self, order: Order, market: MarketData) -> None:
        """Find out about an order that may or may not have arrived."""
        broker = self._venues.broker(order.account_id, market)
        since = self._asked_since.setdefault(order.client_id, self._books.clock.monotonic())
        answer = self._ask(order, lambda: (broker.find_order(order.client_id, order.symbol),))
        if answer is None:
            return
        [report] = answer
        if report is not None:
            self._adopt(order, report, market, broker)
        elif broker.capabilities.is_idempotent and self._sender.waits_for_check(order, market):
            return  # it may be sent again once its account has been looked at
        elif broker.capabilities.is_idempotent and self._may_resend(order, market):
            self._asked_since.pop(order.client_id, None)
            self._sender.send_again(order, market, broker)
        elif self._is_quiet(since, broker):
            self._let_go(order, market, broker)
        else:
            self._outcomes.unknown(order, "the venue does not know it (yet)")

    def _adopt(self, order: Order, report: OrderReport, market: MarketData, broker: Broker) -> None:
        """Book what the venue has under this id, unless it is plainly another order."""
        if is_anothers(order, report):
            self._outcomes.unknown(order, "the venue has another, older order under its id")
            log.error("%s is the id of another order at the venue", order.client_id)
            return
        self._asked_since.pop(order.client_id, None)
        self._outcomes.book(order, report, market, broker)

    def _may_resend(self, order: Order, market: MarketData) -> bool:
        """Only where a client id sent twice is one order; see docs/adr/0003."""
        if order.is_cancel_wanted:
            return False
        return order.is_reducing or self._sender.entry_objection(order, market) is None

    def _is_quiet(self, since: float, broker: Broker) -> bool:
        """Whether an order that was under way must have arrived by now. Measured by a clock that
        nobody can set, from the first question of this process."""
        if broker.capabilities.is_idempotent:
            return True
        return self._books.clock.monotonic() - since > broker.capabilities.quiet_period_s

    def _let_go(self, order: Order, market: MarketData, broker: Broker) -> None:
        """The last look: open orders, trades, holdings. Only if all deny it, it never was."""
        answer = self._ask(order, lambda: (self._trace(order, market, broker),))
        if answer is None:
            return
        [trace] = answer
        if isinstance(trace, OrderReport):
            self._adopt(order, trace, market, broker)
            return
        if trace is not None:
            self._outcomes.unknown(order, trace)
            return
        self._asked_since.pop(order.client_id, None)
        self._outcomes.finish(
            order, OrderState.EXPIRED, "the venue never heard of it",
            is_wanted_again=order.bot_id in self._books.positions,
        )  # fmt: skip

    def _trace(self, order: Order, market: MarketData, broker: Broker) -> OrderReport | str | None:
        """The order where it turns up after all, or what speaks against its never having been."""
        if broker.capabilities.is_idempotent:
            return None
        for report in broker.open_orders(order.symbol):
            if report.client_id == order.client_id:
                return report
        since = (order.sent_at or order.created_at) - CLOCK_MARGIN
        for execution in broker.executions(order.symbol, since):
            if execution.client_id == order.client_id:
                return "the venue lists a trade of it, but not the order"
            if self._may_be_of(order, execution):
                return "the venue lists a trade that no order explains"
        return self._holdings_differ(order, market, broker)

    def _may_be_of(self, order: Order, execution: Execution) -> bool:
        """Whether a trade, on a list that names no client ids, is in no book yet."""
        if execution.client_id or execution.side is not order.side:
            return False
        with self._books.store.reading() as tx:
            return tx.fills.find(f"{order.account_id}:{execution.trade_id}") is None

    def _holdings_differ(self, order: Order, market: MarketData, broker: Broker) -> str | None:
        """The position delta: what the account holds beside what the books know of."""
        account = self._books.accounts.get(order.account_id)
        if account is None or account.trades_until is None:
            return None  # never reconciled: the books do not know what it held before
        asset = market.instrument(order.symbol).base
        balance = broker.balances().get(asset)
        held = balance.total if balance else ZERO
        known = self._books.totals.get(order.account_id, {}).get(asset, ZERO)
        is_sale = order.side is Side.SELL
        if held == known or (held > known) is is_sale:
            return None  # what a sale leaves is less, what a purchase leaves is more
        return f"the venue holds {text(held)} {asset}, the books say {text(known)}"

    # --- orders that are there ------------------------------------------------------------------

    def follow(self, order: Order, market: MarketData) -> None:
        """Ask what became of a working order; take it back when that is wanted."""
        is_over = order.expires_at is not None and time_of(self._books, market) >= order.expires_at
        if order.is_cancel_wanted or is_over:
            self.cancel(order, market)
            return
        broker = self._venues.broker(order.account_id, market)
        answer = self._ask(order, lambda: self._look(order, broker))
        if answer is None:
            return
        if not answer:
            return  # nothing newer is known
        [report] = answer
        if report is None:
            self._outcomes.unknown(order, "the venue does not list it any more")
        elif report.state is not order.state or report.filled != order.filled:
            self._outcomes.book(order, report, market, broker)

    def _look(self, order: Order, broker: Broker) -> tuple[OrderReport | None, ...]:
        """The order as the venue has it now; empty when the account's list is no newer than the
        last look."""
        if not broker.capabilities.poll_every_s:
            return (broker.find_order(order.client_id, order.symbol),)
        listed = self.open_orders(broker)
        if self._seen_in.get(order.client_id) == listed.taken_s:
            return ()
        self._seen_in[order.client_id] = listed.taken_s
        report = listed.reports.get(order.client_id)
        if report is not None and report.filled == order.filled:
            return (report,)
        return (broker.find_order(order.client_id, order.symbol),)

    def open_orders(self, broker: Broker) -> OpenOrders:
        """All working orders of the account, asked for at most every ``poll_every_s``.
        Raises like ``Broker.open_orders``."""
        known, now = self._open.get(broker.account_id), self._books.clock.monotonic()
        if known is not None and now - known.taken_s < broker.capabilities.poll_every_s:
            return known
        reports = {report.client_id: report for report in broker.open_orders()}
        fresh = self._open[broker.account_id] = OpenOrders(reports, now)
        return fresh

    def take_open_orders(self, account_id: str, reports: Sequence[OrderReport]) -> None:
        """Use a list that somebody else has just asked for."""
        listed = {report.client_id: report for report in reports}
        self._open[account_id] = OpenOrders(listed, self._books.clock.monotonic())

    def forget(self, order: Order) -> None:
        """Drop what is remembered of an order that is done."""
        self._asked_since.pop(order.client_id, None)
        self._seen_in.pop(order.client_id, None)

    def cancel(self, order: Order, market: MarketData) -> None:
        """Take back one working order; what was filled before is booked. That it is wanted is
        durable first: it is asked for again until the venue has answered."""
        if order.state is OrderState.INTENT:
            self._outcomes.finish(order, OrderState.CANCELLED, "cancelled before it was sent")
            return
        if not order.is_cancel_wanted:
            with self._books.writing() as writing:
                order = writing.save_order(order, is_cancel_wanted=True)
        if order.state in (OrderState.SENDING, OrderState.UNKNOWN):
            self.resolve(order, market)
            return
        broker = self._venues.broker(order.account_id, market)
        try:
            answer = self._ask(order, lambda: (broker.cancel(order.client_id, order.symbol),))
        except NotFound:
            self.resolve(order, market)
            return
        except OrderRejected as error:
            log.warning("cancel of %s refused: %s", order.client_id, error)
            return
        if answer is not None:
            self._outcomes.book(order, answer[0], market, broker)

    def _ask(self, order: Order, call: Callable[[], T]) -> T | None:
        """A venue's answer, or None while it gives none, which is kept for the account."""
        try:
            answer = call()
        except AccessDenied as error:
            self._outcomes.denied(order.account_id, error)
        except (BrokerUnavailable, DataError, OrderStateUnknown) as error:
            self._links.failed(order.account_id, error.message)
            log.warning("no news of %s: %s", order.client_id, error)
        else:
            self._links.worked(order.account_id)
            return answer
        return None
