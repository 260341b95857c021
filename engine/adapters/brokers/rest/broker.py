"""An account at a described platform."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from pydantic import ValidationError

from engine.adapters.brokers.rest.answers import rows_of
from engine.adapters.brokers.rest.client import RestClient
from engine.adapters.brokers.rest.description import Description
from engine.adapters.brokers.rest.market import RestMarket
from engine.adapters.brokers.rest.reports import Reports, is_newest_first, oldest_first, picked
from engine.adapters.brokers.rest.requests import Values
from engine.adapters.brokers.rest.words import Unreadable
from engine.domain.accounts import Flow
from engine.domain.instruments import Instrument
from engine.domain.matching import form_trouble, objection
from engine.domain.orders import (
    NEEDS_PRICE,
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
from engine.ports import Balance, BrokerCapabilities

log = logging.getLogger("quarterdeck.rest")

T = TypeVar("T")
MOST_PAGES = 200
MOMENT = timedelta(milliseconds=1)  # whether a time to begin with is itself meant is open
MARGIN = timedelta(seconds=1)  # a trade and its order may be stamped by two machines


def capabilities_of(description: Description) -> BrokerCapabilities:
    """What the engine has to know of the platform."""
    told = description.capabilities
    return BrokerCapabilities(
        is_idempotent=told.idempotent,
        fee_bps=told.fee_bps,
        fee_bps_maker=told.fee_bps_maker,
        quiet_period_s=told.quiet_period_s,
        poll_every_s=told.poll_every_s,
        order_types=frozenset(description.words.types),
        times_in_force=frozenset(description.words.times_in_force),
        rests_protection=told.rests_protection,
        has_exact_cash=told.exact_cash,
    )


class RestBroker:
    """Implements ``Broker``. It keeps nothing: after a restart all is asked for."""

    def __init__(self, account_id: str, market: RestMarket, client: RestClient) -> None:
        self.account_id = account_id
        self._told = client.description
        self.capabilities = capabilities_of(self._told)
        self._market = market
        self._client = client
        self._read = Reports(self._told)

    # --- the account ---------------------------------------------------------------------------

    def balances(self) -> Mapping[str, Balance]:
        """By asset, those that are not zero. Raises BrokerUnavailable, AccessDenied."""
        endpoints = self._told.endpoints
        cash = self._client.ask(endpoints.balances)
        positions = self._client.ask(endpoints.positions) if endpoints.positions else None
        return self._reading(lambda: self._read.balances(cash, positions))

    def flows(self, since: datetime) -> Sequence[Flow]:
        """None: a description has no list of deposits; reconciliation shows what came by itself."""
        return ()

    def executions(self, symbol: str, since: datetime) -> Sequence[Execution]:
        """The account's trades in a symbol at or after ``since``, however many pages that takes.

        Raises BrokerUnavailable, AccessDenied.
        """
        return [one for one in self._trades(symbol, since) if one.time >= since]

    def _trades(
        self, symbol: str, since: datetime | None, venue_id: str | None = None
    ) -> list[Execution]:
        """Trades from a moment on, oldest first; of one order when it can be asked for alone."""
        endpoint = self._told.endpoints.executions
        instrument, names = self._listed(symbol)
        found: list[Execution] = []
        begin = None if since is None else since - MOMENT
        end: datetime | None = None
        for _ in range(MOST_PAGES):
            values: Values = {**names, "since": begin, "until": end, "venue_id": venue_id,
                              "limit": endpoint.page}  # fmt: skip
            answer = self._client.ask(endpoint, values)
            listed = self._reading(
                partial(self._read.executions, answer, instrument, names["symbol"])
            )
            page, known = oldest_first(listed), {one.trade_id for one in found}
            fresh = [one for one in page if one.trade_id not in known]
            found = [*fresh, *found] if endpoint.uses("until") else [*found, *fresh]
            if len(listed) < endpoint.page:
                return [one for one in oldest_first(found) if venue_id in (None, one.venue_id)]
            if not fresh:
                raise self._unpaged("of one moment than a page holds; raise its page")
            if endpoint.uses("until"):
                end = page[0].time + MARGIN
            elif is_newest_first(listed):
                raise self._unpaged("than a page holds, newest first; put {until} into its query")
            else:
                begin = page[-1].time - MOMENT
        raise self._unpaged("than can be read")

    def _unpaged(self, words: str) -> BrokerUnavailable:
        """Trades that cannot be read all are not read in part: the books would miss some."""
        return BrokerUnavailable(
            f"{self._client.name}: endpoints.executions: there are more trades {words}."
        )

    # --- sending -------------------------------------------------------------------------------

    def submit(self, request: OrderRequest) -> OrderReport:
        """Send one order, once. Raises as the port says."""
        names = self._check(request)
        endpoint = self._told.endpoints.place
        try:
            answer = self._client.send(endpoint, {**names, **self._values(request)})
        except OrderRejected:
            self._market.refresh()  # it may be one of the symbol's rules that has changed
            raise
        try:
            return self._taken(request, answer)
        except (Unreadable, ValidationError, BrokerError, NotFound) as error:
            log.warning("%s: the answer cannot be read: %s", request.client_id, error)
            raise OrderStateUnknown(
                f"{self._client.name} took {request.client_id}, and its state cannot be read: "
                f"{error}."
            ) from error

    def submit_oco(self, request: OcoRequest) -> tuple[OrderReport, OrderReport]:
        """Always refused: a description has no pairs; the engine watches the levels."""
        raise OrderRejected(f"{self._client.name} takes no pairs of orders.")

    def _values(self, request: OrderRequest) -> Values:
        """An order in the platform's words."""
        words = self._told.words
        is_priced = request.type in NEEDS_PRICE
        return {
            "client_id": request.client_id,
            "side": words.sides[request.side][0],
            "type": words.types[request.type][0],
            "quantity": request.quantity,
            "price": request.price,
            "stop_price": request.stop_price,
            "time_in_force": words.times_in_force[request.time_in_force][0] if is_priced else None,
        }

    def _taken(self, request: OrderRequest, answer: Any) -> OrderReport:
        """The report of an order just taken. Raises Unreadable for another one's."""
        row_at = self._told.endpoints.place.row
        if row_at is None:
            report = self.find_order(request.client_id, request.symbol)
        else:
            report = self._with_fills(row_at.find(answer))
        is_ours = report is not None and (
            (report.client_id, report.symbol, report.side, report.quantity)
            == (request.client_id, request.symbol, request.side, request.quantity)
        )
        if report is None or not is_ours:
            raise Unreadable("the answer is about another order, or none")
        return report

    def _check(self, request: OrderRequest) -> dict[str, str]:
        """What is surely refused is not sent; the placeholders of its symbol. Raises OrderRejected,
        BrokerUnavailable."""
        can, name = self.capabilities, self._client.name
        trouble = form_trouble(request)
        if trouble is not None:
            raise OrderRejected(trouble[0], field=trouble[1])
        if request.quantity is None:
            raise OrderRejected(f"{request.symbol}: the order has to be a quantity, no amount.")
        if request.type not in can.order_types:
            raise OrderRejected(f"{name} takes no {request.type.value.replace('_', ' ')} orders.")
        if request.time_in_force not in can.times_in_force:
            raise OrderRejected(f"{name} takes no orders '{request.time_in_force.value}'.")
        instrument, names = self._sendable(request.symbol)
        # A market order's worth is the platform's to judge; small exits are refused there too.
        price = request.price or request.stop_price
        rules = instrument if price else instrument.model_copy(update={"min_notional": 0})
        sized = request.model_copy(update={"reduce_only": False})
        reason = objection(sized, rules, request.quantity, price or instrument.price_tick)
        if reason is not None:
            raise OrderRejected(f"{request.symbol}: {reason}.")
        return names

    def _sendable(self, symbol: str) -> tuple[Instrument, dict[str, str]]:
        try:
            return self._market.listed(symbol)
        except NotFound as error:
            raise OrderRejected(error.message, field="symbol") from error
        except DataError as error:
            raise BrokerUnavailable(f"{symbol} was not sent: {error.message}") from error

    # --- asking --------------------------------------------------------------------------------

    def cancel(self, client_id: str, symbol: str) -> OrderReport:
        """Cancel what is left; an order already done is reported as it is. Raises NotFound,
        BrokerUnavailable (ask again: cancelling twice does no harm), AccessDenied."""
        endpoint = self._told.endpoints.cancel
        _, names = self._listed(symbol)
        found = self.find_order(client_id, symbol) if endpoint.uses("venue_id") else None
        if endpoint.uses("venue_id") and (found is None or found.state in TERMINAL):
            return self._there(found, client_id)
        venue_id = found.venue_id if found is not None else None
        try:
            self._client.look_up(endpoint, {**names, "client_id": client_id, "venue_id": venue_id})
        except NotFound:
            log.info("%s: it is not there to be cancelled", client_id)
        return self._there(self.find_order(client_id, symbol), client_id)

    def _there(self, report: OrderReport | None, client_id: str) -> OrderReport:
        if report is None:
            raise NotFound(f"{self._client.name} has no order '{client_id}'.")
        return report

    def find_order(self, client_id: str, symbol: str) -> OrderReport | None:
        """The order with all its fills; None only when the platform says that it does not exist."""
        endpoint = self._told.endpoints.find_order
        _, names = self._listed(symbol)
        try:
            answer = self._client.look_up(endpoint, {**names, "client_id": client_id})
        except NotFound:
            return None
        return self._reading(lambda: self._found(endpoint.rows.find(answer), client_id, symbol))

    def _found(self, told: Any, client_id: str, symbol: str) -> OrderReport | None:
        if told is None:
            raise Unreadable("order: there is nothing at endpoints.find_order.rows")
        row = picked(told, lambda one: self._read.client_id(one) == client_id)
        if row is None:
            return None
        report = self._with_fills(row)
        if (report.client_id, report.symbol) != (client_id, symbol):
            raise Unreadable(f"order: the answer is about another one, '{report.client_id}'")
        return report

    def open_orders(self, symbol: str | None = None) -> Sequence[OrderReport]:
        """All orders still working, whoever placed them; one that was filled while it was looked
        at is none of them any more."""
        endpoint = self._told.endpoints.open_orders
        names = {} if symbol is None else self._listed(symbol)[1]
        answer = self._client.ask(endpoint, names)

        def listed() -> list[OrderReport]:
            rows = rows_of(answer, endpoint.rows, "endpoints.open_orders")
            reports = [self._with_fills(row) for row in rows]
            return [
                one for one in reports
                if one.state not in TERMINAL and symbol in (None, one.symbol)
            ]  # fmt: skip

        return self._reading(listed)

    def _with_fills(self, row: Any) -> OrderReport:
        symbol = self._symbol_of(self._read.code(row))
        fills: Sequence[Execution] = ()
        if self._read.has_traded(row):
            taken_at = self._read.taken_at(row)
            since = taken_at - MARGIN if taken_at is not None else None
            fills = self._trades(symbol, since, self._read.venue_id(row))
        return self._read.report(row, symbol, [one.fill for one in fills])

    def _listed(self, symbol: str) -> tuple[Instrument, dict[str, str]]:
        """A symbol to ask about. Raises BrokerUnavailable."""
        try:
            return self._market.listed(symbol)
        except (DataError, NotFound) as error:
            raise BrokerUnavailable(f"{self._client.name}: {error.message}") from error

    def _symbol_of(self, code: str) -> str:
        try:
            return self._market.symbol_of(code)
        except DataError as error:
            raise BrokerUnavailable(f"{self._client.name}: {error.message}") from error

    def _reading(self, reading: Callable[[], T]) -> T:
        """An answer to a question, or BrokerUnavailable when it cannot be believed."""
        try:
            return reading()
        except (Unreadable, ValidationError) as error:
            raise BrokerUnavailable(
                f"{self._client.name}: an answer cannot be read: {error}."
            ) from error
