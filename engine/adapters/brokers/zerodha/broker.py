"""An account at Zerodha, for shares of one exchange and one product."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from engine.adapters.brokers.zerodha import reading as read
from engine.adapters.brokers.zerodha.book import DayBook, believed, is_over
from engine.adapters.brokers.zerodha.client import NAME, KiteClient, MarketClosed
from engine.adapters.brokers.zerodha.holdings import balances, delivered, intraday
from engine.adapters.brokers.zerodha.options import Product, ZerodhaOptions
from engine.adapters.brokers.zerodha.orders import order_parameters
from engine.domain.accounts import Flow
from engine.domain.instruments import Instrument
from engine.domain.matching import form_trouble, objection
from engine.domain.money import ZERO
from engine.domain.orders import (
    TERMINAL,
    Execution,
    OcoRequest,
    OrderReport,
    OrderRequest,
    OrderState,
    OrderType,
    Side,
    TimeInForce,
)
from engine.errors import (
    BrokerError,
    BrokerUnavailable,
    DataError,
    InsufficientFunds,
    NotFound,
    OrderRejected,
    OrderStateUnknown,
)
from engine.ports import Balance, BrokerCapabilities, MarketData

log = logging.getLogger("quarterdeck.zerodha")

QUIET_S = 60.0
"""Twice what a gateway waits: an order that is not in the book by then is not under way."""
POLL_EVERY_S = 2.0
ASK_AGAIN = timedelta(minutes=5)  # whether a closed market is open by now
NO_PRICE = Decimal("Infinity")  # the value of a market order is Kite's to judge
ORDER_TYPES = frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT})
FEE_BPS = {Product.CNC: Decimal(12), Product.MIS: Decimal(5)}
"""For previews: brokerage, taxes and exchange charges together, about. Kite tells no charges with
its trades; they are settled at night."""


class ZerodhaBroker:
    """Implements ``Broker``.

    Kite numbers orders itself and takes a label of 20 letters: the label is made from the client
    id, and the day's order book is looked through for it. It lists the orders and trades of the
    day only. An order of an earlier day is therefore not found: it has ended, since none lasts
    longer than its day, and what it traded is in what the account holds.
    """

    def __init__(
        self,
        account_id: str,
        market: MarketData,
        client: KiteClient,
        options: ZerodhaOptions,
        *,
        quiet_period_s: float = QUIET_S,
        poll_every_s: float = POLL_EVERY_S,
    ) -> None:
        self.account_id = account_id
        self.capabilities = BrokerCapabilities(
            has_shorting=options.product is Product.MIS,
            fee_bps=FEE_BPS[options.product],
            quiet_period_s=quiet_period_s,
            poll_every_s=poll_every_s,
            order_types=ORDER_TYPES,
            times_in_force=frozenset({TimeInForce.DAY, TimeInForce.IOC}),
            # A stop would be gone at the close while its position is held on: the engine watches.
            rests_protection=False,
            has_exact_cash=False,
        )
        self._market = market
        self._client = client
        self._options = options
        self._closed_until = client.now()
        self._book = DayBook(client, options)

    # --- the account ---------------------------------------------------------------------------

    def balances(self) -> Mapping[str, Balance]:
        """Rupees, and shares by symbol. Raises BrokerUnavailable, AccessDenied."""
        margins, positions = self._client.ask("margins", "equity"), self._client.ask("positions")
        holdings = self._client.ask("holdings") if self._options.product is Product.CNC else []
        lines = self._book.orders()
        return believed(lambda: balances(self._held(positions, holdings), margins, lines))

    def _held(self, positions: object, holdings: object) -> dict[str, Decimal]:
        if self._options.product is Product.CNC:
            return delivered(holdings, positions)
        return intraday(positions, self._options.exchange)

    def flows(self, since: datetime) -> Sequence[Flow]:
        """None: Kite has no list of them."""
        return ()

    def executions(self, symbol: str, since: datetime) -> Sequence[Execution]:
        """The day's trades in a symbol at or after ``since``; Kite lists none of an earlier day.
        Raises BrokerUnavailable, AccessDenied."""
        return [trade for trade in self._book.trades(symbol) if trade.time >= since]

    # --- sending -------------------------------------------------------------------------------

    def submit(self, request: OrderRequest) -> OrderReport:
        """Send one order, once, unless the book has it already. Raises as the port says."""
        self._check(request, self._instrument(request.symbol))
        parameters = order_parameters(request, self._options)
        self._check_book(request)
        answer = self._placed(parameters)
        try:
            order_id = read.words(read.row(answer), "order_id")
        except read.Unreadable as error:
            raise OrderStateUnknown(
                f"{NAME} answered {request.client_id} with what cannot be read."
            ) from error
        return self._first_report(request, order_id)

    def _placed(self, parameters: Mapping[str, Any]) -> Any:
        """Kite's answer to an order. After it has said that the market is closed, it is asked
        again at the opening, and every few minutes before: what is refused counts as well."""
        now = self._client.now()
        if now < self._closed_until:
            raise BrokerUnavailable(
                f"{NAME}: the market is closed; the next order is sent at"
                f" {self._closed_until.astimezone(read.IST):%H:%M} in India."
            )
        try:
            return self._client.send("place_order", **parameters)
        except MarketClosed:
            opening = now.astimezone(read.IST).replace(hour=9, minute=15, second=0, microsecond=0)
            is_past = opening <= now
            opening += timedelta(days=1) if is_past else timedelta(0)
            self._closed_until = min(opening, now + ASK_AGAIN)
            raise

    def _first_report(self, request: OrderRequest, order_id: str) -> OrderReport:
        """The order as the book has it now: that it was taken says nothing of what becomes of it.
        Raises OrderRejected when it was refused behind the gateway."""
        try:
            line = self._book.find(order_id, request.symbol)  # its label may be an older one's too
            report = None if line is None else self._book.report(line, request.client_id)
        except BrokerError as error:
            log.warning("%s was taken; no news of it yet: %s", request.client_id, error)
            report = None
        if report is None:
            return _taken(request, order_id)
        if (report.side, report.quantity) != (request.side, request.quantity):
            raise OrderStateUnknown(f"{NAME} has another order as {request.client_id}.")
        if report.state is OrderState.REJECTED and not report.fills:
            is_poor = report.reason.lower().startswith("insufficient")
            raise (InsufficientFunds if is_poor else OrderRejected)(f"{NAME}: {report.reason}")
        return report

    def submit_oco(self, request: OcoRequest) -> tuple[OrderReport, OrderReport]:
        """Always refused. Raises OrderRejected."""
        raise OrderRejected(f"{NAME} takes no pairs of orders of which one ends the other.")

    def _check(self, request: OrderRequest, instrument: Instrument) -> None:
        """What is surely refused is not sent. Raises OrderRejected."""
        if request.quantity is None or request.quote_amount is not None:
            raise OrderRejected(f"{request.symbol}: the order has to be a quantity, no amount.")
        trouble = form_trouble(request)
        if trouble is not None:
            raise OrderRejected(trouble[0], field=trouble[1])
        price = request.price or request.stop_price or NO_PRICE
        sized = request.model_copy(update={"reduce_only": False})  # less than a lot is refused too
        reason = objection(sized, instrument, request.quantity, price)
        if reason is not None:
            raise OrderRejected(f"{request.symbol}: {reason}.")
        if request.reduce_only and self._options.product is Product.MIS:
            self._check_reduces(request, request.quantity)

    def _check_reduces(self, request: OrderRequest, quantity: Decimal) -> None:
        """Intraday, a sale of more than is held would open a short. Raises OrderRejected."""
        positions = self._client.ask("positions")
        held = believed(lambda: intraday(positions, self._options.exchange)).get(
            request.symbol, ZERO
        )
        if quantity > (held if request.side is Side.SELL else -held):
            raise InsufficientFunds(f"{NAME} holds less of {request.symbol} than is to be closed.")

    def _check_book(self, request: OrderRequest) -> None:
        """Kite does not refuse an order that it has already. Raises OrderStateUnknown."""
        line = self._book.find(request.client_id, request.symbol)
        if line is not None and not is_over(line):
            raise OrderStateUnknown(f"{NAME} has the order {request.client_id} already.")

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
        OrderRejected (not now), BrokerUnavailable (ask again: it does no harm), AccessDenied."""
        line = self._book.find(client_id, symbol)
        if line is None:
            raise NotFound(f"{NAME} has no order '{client_id}' today.")
        if is_over(line):
            return self._book.report(line, client_id)
        order_id, variety = believed(
            lambda: (read.words(line, "order_id"), read.words(line, "variety"))
        )
        refusal = self._take_back(variety, order_id)
        report = self.find_order(client_id, symbol)
        if report is None:
            raise NotFound(f"{NAME} has no order '{client_id}' any more.")
        if refusal is not None and report.state not in TERMINAL:
            raise refusal
        return report

    def _take_back(self, variety: str, order_id: str) -> OrderRejected | None:
        """Ask for it; what Kite refuses may have ended by itself meanwhile."""
        try:
            self._client.send("cancel_order", variety=variety, order_id=order_id)
        except OrderRejected as error:
            return error
        except OrderStateUnknown as error:
            raise BrokerUnavailable(error.message) from error
        return None

    def find_order(self, client_id: str, symbol: str) -> OrderReport | None:
        """The order with all its fills; None when the day's book has none of this id."""
        line = self._book.find(client_id, symbol)
        return None if line is None else self._book.report(line, client_id)

    def open_orders(self, symbol: str | None = None) -> Sequence[OrderReport]:
        """All orders still working, whoever placed them; those that are not ours are known by
        Kite's own number."""
        found = []
        for line in self._book.orders():
            if symbol is not None and line.get("tradingsymbol") != symbol:
                continue
            if is_over(line):
                continue
            report = self._book.report(line, self._book.client_id(line))
            if report.state not in TERMINAL:
                found.append(report)
        return found


def _taken(request: OrderRequest, order_id: str) -> OrderReport:
    """An order that Kite has numbered and not shown yet."""
    return OrderReport(
        client_id=request.client_id,
        venue_id=order_id,
        symbol=request.symbol,
        side=request.side,
        state=OrderState.OPEN,
        quantity=request.quantity or ZERO,
        type=request.type,
        price=request.price,
        stop_price=request.stop_price,
    )
