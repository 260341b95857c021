"""An account at Alpaca: of stocks, or of crypto."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from pydantic import ValidationError

from engine.adapters.brokers.alpaca import orders as say
from engine.adapters.brokers.alpaca import reading as read
from engine.adapters.brokers.alpaca.checks import Checks
from engine.adapters.brokers.alpaca.client import (
    NAME,
    AlpacaClient,
    AlreadyDone,
    InvalidOrTaken,
)
from engine.adapters.brokers.alpaca.hours import MarketHours
from engine.adapters.brokers.alpaca.market import AlpacaMarket
from engine.adapters.brokers.alpaca.order_book import Orders
from engine.adapters.brokers.alpaca.reading import Row, understood
from engine.adapters.brokers.alpaca.reports import (
    CASH,
    CLASSES,
    cash_of,
    held,
    legs_of,
    report,
    told_in_pair,
)
from engine.adapters.brokers.alpaca.stream import TradeUpdates
from engine.adapters.brokers.alpaca.terms import Terms, capabilities_of
from engine.adapters.brokers.alpaca.trades import TradeList
from engine.domain.accounts import Flow
from engine.domain.instruments import Instrument, InstrumentKind
from engine.domain.orders import (
    TERMINAL,
    Execution,
    OcoRequest,
    OrderReport,
    OrderRequest,
)
from engine.errors import (
    BrokerError,
    BrokerUnavailable,
    DataError,
    NotFound,
    OrderRejected,
    OrderStateUnknown,
)
from engine.ports import Balance, Clock, OrderListener

log = logging.getLogger("quarterdeck.alpaca")

T = TypeVar("T")
LOOKS = 4
GROUPS = frozenset({"oco", "oto", "bracket"})


class AlpacaBroker:
    """Implements ``Broker`` and ``StreamingBroker`` for the symbols of one kind; what the account
    has of the other kind is another account's to look after."""

    def __init__(
        self,
        account_id: str,
        market: AlpacaMarket,
        client: AlpacaClient,
        hours: MarketHours,
        stream: TradeUpdates,
        clock: Clock,
        terms: Terms,
    ) -> None:
        self.account_id = account_id
        self.capabilities = capabilities_of(terms)
        self._market = market
        self._client = client
        self._hours = hours
        self._checks = Checks(self.capabilities, hours)
        self._stream = stream
        self._terms = terms
        self._orders = Orders(client, clock)
        self._trades = TradeList(client, self._orders, terms.fee_bps)

    # --- the account ---------------------------------------------------------------------------

    def balances(self) -> Mapping[str, Balance]:
        """Cash and positions. Raises BrokerUnavailable, AccessDenied."""
        account, positions = self._client.ask("/account"), self._client.ask("/positions")
        found = understood(held, positions, self._terms.kind, self._base_of)
        return {CASH: understood(cash_of, account), **found}

    def flows(self, since: datetime) -> Sequence[Flow]:
        """Fees, dividends, interest, deposits and what else moved cash. Raises BrokerUnavailable,
        AccessDenied."""
        return self._trades.flows(since)

    def executions(self, symbol: str, since: datetime) -> Sequence[Execution]:
        """The account's trades, with the client ids of their orders. Raises BrokerUnavailable,
        AccessDenied."""
        return self._trades.since(self._market.rules_of(symbol), since)

    # --- sending -------------------------------------------------------------------------------

    def submit(self, request: OrderRequest) -> OrderReport:
        """Send one order, once. Raises as the port says."""
        instrument = self._instrument(request.symbol)
        self._checks.check(request, instrument)
        answer = self._send(say.order_parameters(request, instrument), request)
        first = _believed(request, lambda: self._first_report(read.row(answer), request))
        return self._soon(read.row(answer), request.client_id, instrument) or first

    def submit_oco(self, request: OcoRequest) -> tuple[OrderReport, OrderReport]:
        """Send a limit and a stop of which one ends the other. Raises as the port says."""
        if not self.capabilities.has_oco:
            raise OrderRejected("Alpaca takes pairs of orders for whole shares of stocks only.")
        instrument = self._instrument(request.limit.symbol)
        for leg in (request.limit, request.stop):
            self._checks.check(leg, instrument)
        answer = self._send(say.oco_parameters(request, instrument), request.limit)
        taken = _believed(request.limit, lambda: read.row(answer))
        try:
            taken = self._orders.with_legs(taken)
        except (BrokerError, NotFound) as error:
            raise OrderStateUnknown(
                f"{NAME} took the pair of {request.limit.client_id}; what it made of it is not"
                f" known: {error.message}"
            ) from error

        def reports() -> tuple[OrderReport, OrderReport]:
            pair = told_in_pair([taken])
            if pair.keys() != {request.limit.client_id, request.stop.client_id}:
                raise read.Unreadable("the orders are not those that were sent")
            limit, stop = (
                self._first_report(pair[leg.client_id], leg, leg.client_id)
                for leg in (request.limit, request.stop)
            )
            return limit, stop

        found = _believed(request.limit, reports)
        self._orders.remember([taken])
        return found

    def _first_report(
        self, order: Row, request: OrderRequest, client_id: str | None = None
    ) -> OrderReport:
        """The report of an order just taken. Raises Unreadable for another one's."""
        told = report(order, request.symbol, (), client_id)
        is_ours = (
            told.client_id == request.client_id
            and order.get("symbol") == request.symbol
            and told.side is request.side
            and told.quantity == request.quantity
        )
        if not is_ours:
            raise read.Unreadable("the answer is about another order")
        return told

    def _soon(self, order: Row, client_id: str, instrument: Instrument) -> OrderReport | None:
        """What has become of an order a moment after it was sent; None when that is not known:
        then the first answer stands, and the order is asked about like any other."""
        try:
            if instrument.kind is InstrumentKind.STOCK and self._hours.closed_until() is not None:
                return None  # nothing becomes of it before the opening
            order = self._awaited(order, say.is_awaited)
            return self._with_fills(order, instrument, client_id)
        except (BrokerError, NotFound) as error:
            log.info("%s was taken; it is looked up later: %s", client_id, error)
            return None

    def _awaited(self, order: Row, is_awaited: Callable[[Row], bool]) -> Row:
        """The order once it is not waited for any more, or after a few looks."""
        number = understood(read.words, order, "id")
        for look in range(LOOKS):
            if not understood(is_awaited, order):
                break
            time.sleep(self._terms.look_every_s * look)
            order = self._orders.get(number)
        return order

    def _send(self, body: Mapping[str, object], request: OrderRequest) -> object:
        """Post it. What is refused as bad input may be this very order's id, sent before: that is
        looked up, and only what is not there was refused."""
        try:
            return self._client.send("/orders", body)
        except InvalidOrTaken as refusal:
            try:
                there = self._named(request.client_id, request.symbol)
            except BrokerError as error:
                raise OrderStateUnknown(f"{refusal.message} {error.message}") from error
            if there is not None:
                raise OrderStateUnknown(
                    f"{NAME} has an order under the id {request.client_id} already."
                ) from refusal
            raise

    def _instrument(self, symbol: str) -> Instrument:
        try:
            return self._market.instrument(symbol)
        except NotFound as error:
            raise OrderRejected(error.message, field="symbol") from error
        except DataError as error:
            raise BrokerUnavailable(f"{symbol} was not sent: {error.message}") from error

    # --- asking --------------------------------------------------------------------------------

    def cancel(self, client_id: str, symbol: str) -> OrderReport:
        """Cancel what is left; an order already done is reported as it is. Raises NotFound,
        BrokerUnavailable (ask again: cancelling twice does no harm), AccessDenied."""
        order = self._named(client_id, symbol)
        if order is None:
            raise NotFound(f"{NAME} has no order '{client_id}'.")
        if _is_working(order):
            number = understood(read.words, order, "id")
            try:
                self._client.delete(f"/orders/{number}")
            except (AlreadyDone, NotFound):
                log.info("%s was done before it could be cancelled", client_id)
            order = self._awaited(self._orders.get(number), _is_working)
        return self._with_fills(order, self._market.rules_of(symbol), client_id)

    def find_order(self, client_id: str, symbol: str) -> OrderReport | None:
        """The order with all its fills; None only when Alpaca says that it does not exist."""
        order = self._named(client_id, symbol)
        if order is None:
            return None
        return self._with_fills(order, self._market.rules_of(symbol), client_id)

    def _named(self, client_id: str, symbol: str) -> Row | None:
        """The order of a client id, as it was sent or in a pair."""
        try:
            answer = self._client.ask("/orders:by_client_order_id", client_order_id=client_id)
        except NotFound:
            return self._orders.find(client_id, symbol) if self.capabilities.has_oco else None
        return understood(_asked_for, answer, client_id, symbol)

    def open_orders(self, symbol: str | None = None) -> Sequence[OrderReport]:
        """All orders still working, whoever placed them; one that was filled while it was looked
        at is none of them any more."""
        filters: dict[str, str] = {} if symbol is None else {"symbols": symbol}
        listed = self._orders.listed(status="open", nested="false", **filters)
        if any(order.get("order_class") in GROUPS for order in listed):
            # A leg that waits for its sibling is told with it only.
            nested = self._orders.listed(status="open", nested="true", **filters)
            self._orders.remember(nested)
            listed += [leg for order in nested for leg in understood(legs_of, order)]
        wanted = CLASSES[self._terms.kind]
        own = {order.get("id"): order for order in listed if order.get("asset_class") == wanted}
        reports = [self._listed(order) for order in own.values() if _is_working(order)]
        return [one for one in reports if one.state not in TERMINAL]

    def _listed(self, order: Row) -> OrderReport:
        symbol = self._symbol_of(understood(read.words, order, "symbol"))
        return self._with_fills(order, self._market.rules_of(symbol), self._orders.id_of(order))

    def _with_fills(self, order: Row, instrument: Instrument, client_id: str) -> OrderReport:
        fills = [one.fill for one in self._trades.of_order(order, instrument)]
        return understood(report, order, instrument.symbol, fills, client_id)

    # --- the stream ----------------------------------------------------------------------------

    def listen(self, listener: OrderListener) -> Callable[[], None]:
        """Tell ``listener`` that something changed; the answer ends it."""
        return self._stream.listen(listener, self._told)

    def _told(self, order: Row) -> OrderReport | None:
        """What the stream told, with the fills as the list of trades has them; None for what is
        another account's to look after."""
        if order.get("asset_class") != CLASSES[self._terms.kind]:
            return None
        return self._listed(self._orders.get(understood(read.words, order, "id")))

    # --- names ---------------------------------------------------------------------------------

    def _base_of(self, name: str) -> str:
        return self._market.rules_of(self._symbol_of(name)).base

    def _symbol_of(self, name: str) -> str:
        try:
            return self._market.symbol_of(name)
        except DataError as error:
            raise BrokerUnavailable(error.message) from error


def _is_working(order: Row) -> bool:
    return understood(read.one_of, order, "status", read.STATES) not in TERMINAL


def _asked_for(answer: object, client_id: str, symbol: str) -> Row:
    """The order that was asked for. Raises Unreadable for another one."""
    order = read.row(answer)
    is_it = order.get("client_order_id") == client_id
    if not is_it or read.short(read.words(order, "symbol")) != read.short(symbol):
        raise read.Unreadable("the answer is about another order")
    return order


def _believed(request: OrderRequest, reading: Callable[[], T]) -> T:
    """An answer to an order, or OrderStateUnknown when it cannot be believed."""
    try:
        return reading()
    except (read.Unreadable, ValidationError) as error:
        log.warning("%s: the answer cannot be read: %s", request.client_id, error)
        raise OrderStateUnknown(
            f"{NAME} answered {request.client_id} with what cannot be read."
        ) from error
