"""A spot account at an exchange through ccxt's unified interface."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import ValidationError

from engine.adapters.brokers.ccxt_client import RulesBroken
from engine.adapters.brokers.ccxt_reports import Row, Unreadable, moment, row, rows
from engine.adapters.brokers.ccxt_unified import reading
from engine.adapters.brokers.ccxt_unified.client import (
    ExchangeMarket,
    Keys,
    UnifiedClient,
)
from engine.adapters.brokers.ccxt_unified.habits import Habits, habits_of
from engine.adapters.brokers.ccxt_unified.offer import capabilities_of
from engine.adapters.brokers.ccxt_unified.trades import TradeList
from engine.domain.accounts import Flow
from engine.domain.instruments import Instrument
from engine.domain.matching import form_trouble, objection
from engine.domain.money import ceil_to, text
from engine.domain.orders import (
    NEEDS_PRICE,
    NEEDS_STOP_PRICE,
    TERMINAL,
    Execution,
    OcoRequest,
    OrderReport,
    OrderRequest,
    OrderType,
    Side,
    TimeInForce,
)
from engine.errors import (
    AccessDenied,
    BrokerUnavailable,
    DataError,
    NotFound,
    OrderRejected,
    OrderStateUnknown,
)
from engine.links.pause import Pause
from engine.ports import Balance, Clock

log = logging.getLogger("quarterdeck.ccxt")

T = TypeVar("T")
TIMEOUT_MS = 10_000
SLACK = timedelta(seconds=1)  # exchanges date an order and its first trade by different clocks
NO_PRICE = Decimal("Infinity")  # the value of a market order is the exchange's to judge
FAR = Decimal("1.01")  # how far above the ask what stands for a market order may buy
TIMES = {TimeInForce.GTC: "GTC", TimeInForce.IOC: "IOC", TimeInForce.FOK: "FOK"}


class UnifiedBroker:
    """Implements ``Broker`` for whatever exchange ``market`` is of.

    An order that was taken is looked up before it is reported: what exchanges answer to a new
    order differs, what they tell when asked does not. Amounts are exact texts both ways.
    Raises ConfigError for an exchange that lacks what that takes.
    """

    def __init__(
        self,
        account_id: str,
        market: ExchangeMarket,
        clock: Clock,
        keys: Keys,
        *,
        habits: Habits | None = None,
        quiet_period_s: float = 45.0,
        poll_every_s: float = 5.0,
        timeout_ms: int = TIMEOUT_MS,
        is_paced: bool = True,
        pause: Pause | None = None,
    ) -> None:
        self.account_id = account_id
        self._market = market
        self._habits = habits or habits_of(market.exchange_id)
        self.client = UnifiedClient(
            market, keys, clock, self._habits,
            timeout_ms=timeout_ms, is_paced=is_paced, pause=pause or Pause(clock.monotonic),
        )  # fmt: skip
        self._trades = TradeList(self.client, self._habits)
        self.capabilities = capabilities_of(
            self.client, quiet_period_s=quiet_period_s, poll_every_s=poll_every_s
        )

    # --- the account ---------------------------------------------------------------------------

    def balances(self) -> Mapping[str, Balance]:
        """By asset. Raises BrokerUnavailable, AccessDenied."""
        return self._read(lambda: reading.balances(self.client.ask("fetch_balance")))

    def flows(self, since: datetime) -> Sequence[Flow]:
        """None: what came to the trading account, and from where, no two exchanges tell alike."""
        return ()

    def executions(self, symbol: str, since: datetime) -> Sequence[Execution]:
        """The account's trades in a symbol at or after ``since``, however many pages that takes.
        Raises BrokerUnavailable, AccessDenied."""
        return self._trades.since(symbol, since)

    # --- sending -------------------------------------------------------------------------------

    def submit(self, request: OrderRequest) -> OrderReport:
        """Send one order, once, and look it up. Raises as the port says."""
        instrument = self._instrument(request.symbol)
        own_id, quantity = self._check(request, instrument)
        arguments, parameters = self._spelled(request, quantity, instrument)
        parameters[self._habits.id_parameter] = own_id
        try:
            answer = self.client.send(*arguments, **parameters)
        except RulesBroken:
            self._market.refresh()
            raise
        return self._seen(request, answer)

    def submit_oco(self, request: OcoRequest) -> tuple[OrderReport, OrderReport]:
        """ccxt has no pairs that are the same everywhere. Raises OrderRejected."""
        raise OrderRejected(f"{self.client.name} takes no pairs of orders through Quarterdeck.")

    def _seen(self, request: OrderRequest, answer: Any) -> OrderReport:
        """An order that was taken, as the exchange tells it. Raises OrderStateUnknown."""
        try:
            number = row(answer).get("id")
            found = self._by_number(str(number), request.symbol) if number else None
            if found is None or self._id_in(found) != request.client_id:
                found = self._order(request.client_id, request.symbol)
            report = None if found is None else self._report(found)
        except (Unreadable, ValidationError, BrokerUnavailable, AccessDenied) as error:
            raise OrderStateUnknown(
                f"{self.client.name} took {request.client_id}, and did not tell more: {error}"
            ) from error
        sent = (request.client_id, request.symbol, request.side, request.quantity)
        if report is None or sent != (
            report.client_id, report.symbol, report.side, report.quantity,
        ):  # fmt: skip
            raise OrderStateUnknown(
                f"{self.client.name} took {request.client_id}; it cannot be seen there yet."
            )
        return report

    def _spelled(
        self, request: OrderRequest, quantity: Decimal, instrument: Instrument
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """An order in ccxt's words. Raises BrokerUnavailable."""
        parameters = dict(self._habits.order)
        price, lasting = request.price, TIMES[request.time_in_force]
        has_limit = request.type in NEEDS_PRICE
        if request.type is OrderType.MARKET and request.side is Side.BUY and self._buys_by_cost:
            price, lasting, has_limit = self._as_limit(instrument), "IOC", True
        if has_limit and lasting != "GTC":
            parameters["timeInForce"] = lasting
        if request.type in NEEDS_STOP_PRICE and request.stop_price is not None:
            has_own = self.client.feature("createOrder", "stopLossPrice")
            parameters["stopLossPrice" if has_own else "triggerPrice"] = text(request.stop_price)
        arguments = (
            request.symbol, "limit" if has_limit else "market", request.side.value,
            text(quantity), text(price) if price is not None else None,
        )  # fmt: skip
        return arguments, parameters

    @property
    def _buys_by_cost(self) -> bool:
        """Whether its market orders buy for an amount of quote, whatever quantity that gives."""
        needs_price = self.client.feature("createOrder", "marketBuyRequiresPrice")
        return bool(needs_price) and not self._habits.order

    def _as_limit(self, instrument: Instrument) -> Decimal:
        """What stands for a market order where those take no quantity: a limit far enough above."""
        try:
            ask = self._market.quote(instrument.symbol).ask
        except DataError as error:
            raise BrokerUnavailable(f"{instrument.symbol} was not sent: {error.message}") from error
        return ceil_to(ask * FAR, instrument.price_tick)

    def _check(self, request: OrderRequest, instrument: Instrument) -> tuple[str, Decimal]:
        """The id that the order goes by, and its quantity; what is surely refused is not sent.
        Raises OrderRejected."""
        trouble = form_trouble(request)
        if trouble is not None:
            raise OrderRejected(trouble[0], field=trouble[1])
        if request.quantity is None:
            raise OrderRejected(f"{request.symbol}: the order has to be a quantity, no amount.")
        name = self.client.name
        if request.type not in self.capabilities.order_types:
            raise OrderRejected(f"{name} takes no order of the type {request.type.value} here.")
        if request.time_in_force not in self.capabilities.times_in_force:
            raise OrderRejected(f"{name} takes no order that lasts {request.time_in_force.value}.")
        price = request.price or request.stop_price or NO_PRICE
        sized = request.model_copy(update={"reduce_only": False})  # small exits are refused too
        reason = objection(sized, instrument, request.quantity, price)
        if reason is not None:
            raise OrderRejected(f"{request.symbol}: {reason}.")
        own_id = self._habits.venue_id(request.client_id)
        if own_id is None:
            raise OrderRejected(f"{name} takes no order with the id '{request.client_id}'.")
        return own_id, request.quantity

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
        report = self.find_order(client_id, symbol)
        if report is None:
            raise NotFound(f"{self.client.name} has no order '{client_id}'.")
        if report.state in TERMINAL:
            return report
        try:
            self.client.ask("cancel_order", report.venue_id, symbol)
        except NotFound:
            log.info("%s was done before it could be cancelled", client_id)
        report = self.find_order(client_id, symbol)
        if report is None or report.state not in TERMINAL:
            raise BrokerUnavailable(f"{self.client.name} has not cancelled '{client_id}' yet.")
        return report

    def find_order(self, client_id: str, symbol: str) -> OrderReport | None:
        """The order with all its fills; None only when every list of the exchange denies it."""
        return self._read(
            lambda: None if (found := self._order(client_id, symbol)) is None
            else self._report(found)
        )  # fmt: skip

    def open_orders(self, symbol: str | None = None) -> Sequence[OrderReport]:
        """All orders still working, whoever placed them; one that was filled while it was looked
        at is none of them any more."""
        listed, is_whole = self._listed("fetch_open_orders", "fetchOpenOrders", symbol)
        if not is_whole:
            raise BrokerUnavailable(f"{self.client.name} has more orders than one answer holds.")
        return self._read(
            lambda: [
                report for order in listed if (report := self._report(order)).state not in TERMINAL
            ]
        )

    def _order(self, client_id: str, symbol: str) -> Row | None:
        """The newest order of that id, asked for by it or looked for in one list after another.
        Raises Unreadable, BrokerUnavailable."""
        if client_id.startswith(reading.FOREIGN):
            return self._by_number(client_id.removeprefix(reading.FOREIGN), symbol)
        own_id, look_up = self._habits.venue_id(client_id), self._habits.look_up
        if own_id is not None and self._habits.finds_by_id:
            try:
                found = row(
                    self.client.ask("fetch_order", "", symbol, clientOrderId=own_id, **look_up)
                )
            except NotFound:
                found = {}
            if found and self._id_in(found) == client_id:
                return found
        by_id = {self._habits.lists_by: own_id} if self._habits.lists_by and own_id else {}
        are_whole = True
        for method, feature in self._lists():
            listed, is_whole = self._listed(method, feature, symbol, **by_id)
            are_whole &= is_whole
            orders = [order for order in listed if self._id_in(order) == client_id]
            if orders:
                return max(orders, key=lambda order: str(order.get("timestamp")))
        if not are_whole and not self._habits.finds_by_id:
            raise BrokerUnavailable(f"{self.client.name} lists too many orders to find one.")
        return None

    def _by_number(self, number: str, symbol: str) -> Row | None:
        """An order by the exchange's own id."""
        if not self.client.has("fetchOrder"):
            return None
        try:
            found = row(self.client.ask("fetch_order", number, symbol, **self._habits.look_up))
        except NotFound:
            return None
        return found if found.get("id") == number else None

    def _lists(self) -> list[tuple[str, str]]:
        """The lists that together hold every order: methods and their features."""
        lists = [("fetch_open_orders", "fetchOpenOrders")]
        if self.client.has("fetchOrders"):
            return [*lists, ("fetch_orders", "fetchOrders")]
        if self.client.has("fetchCanceledAndClosedOrders"):
            return [*lists, ("fetch_canceled_and_closed_orders", "fetchCanceledAndClosedOrders")]
        others = (
            ("fetch_closed_orders", "fetchClosedOrders"),
            ("fetch_canceled_orders", "fetchCanceledOrders"),
        )
        return lists + [each for each in others if self.client.has(each[1])]

    def _listed(
        self, method: str, feature: str, symbol: str | None, **parameters: Any
    ) -> tuple[Sequence[Row], bool]:
        """A list of orders, and whether it is all there is. Raises BrokerUnavailable."""
        listed = self._read(lambda: rows(self.client.ask(method, symbol, **parameters)))
        limit = self.client.feature(feature, "limit")
        return listed, not limit or len(listed) < limit

    def _id_in(self, order: Row) -> str:
        told = order.get("clientOrderId")
        return self._habits.client_id(told) if isinstance(told, str) else ""

    def _report(self, order: Row) -> OrderReport:
        """An order with its fills. Raises Unreadable, BrokerUnavailable."""
        fills: list[Execution] = []
        if reading.has_traded(order):
            symbol, number = str(order.get("symbol")), order.get("id")
            trades = self.executions(symbol, moment(order, "timestamp") - SLACK)
            fills = [trade for trade in trades if trade.venue_id == number]
        return reading.report(order, fills, self._habits.client_id)

    def _read(self, asking: Callable[[], T]) -> T:
        """An answer to a question, or BrokerUnavailable when it cannot be believed."""
        try:
            return asking()
        except (Unreadable, ValidationError) as error:
            raise BrokerUnavailable(
                f"{self.client.name}: an answer cannot be read: {error}"
            ) from error
