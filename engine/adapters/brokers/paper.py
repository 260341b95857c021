"""The paper broker: a venue of its own that fills against any market's real prices.

Rules. Fees are in the quote asset. A market order fills at once at the ask or bid with slippage,
as far as the volume cap lets it; the rest stays working. All other orders lock what they need
and are matched bar by bar whenever somebody asks for them; how, ``domain/matching.py`` says. An
order for the day ends at midnight UTC. There are no pairs of orders, and protection does not rest
here: with the engine down nobody matches. Selling short needs free quote of the
sale's own value and fee; twice the value of everything sold short (the proceeds and as much
again) is kept from other spending until it is bought back.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from threading import RLock

from engine.adapters.brokers.paper_fills import PaperTerms, ended, executions_of
from engine.adapters.brokers.paper_matching import match_at_once, match_resting
from engine.domain.accounts import Flow
from engine.domain.instruments import Instrument, Quote
from engine.domain.matching import Standing, first_standing, form_trouble, objection, on_quote
from engine.domain.money import ZERO, floor_to, plain, text
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
from engine.domain.paper_account import SHORT_MARK, Purse, traded_row
from engine.errors import (
    BrokerUnavailable,
    DataError,
    InsufficientFunds,
    NotFound,
    OrderRejected,
    StoreError,
)
from engine.ports import Balance, BrokerCapabilities, MarketData, PaperBook, PaperOrder

log = logging.getLogger("quarterdeck.paper")

SHORT_RESERVE = 2  # times the value of what is sold short: its proceeds and as much again


class PaperBroker:
    """Implements ``Broker``. Durable state is in ``book`` alone: every change is one commit."""

    def __init__(
        self,
        account_id: str,
        market: MarketData,
        book: PaperBook,
        *,
        opening_balance: Decimal = Decimal(100_000),
        fee_bps: Decimal = Decimal(10),
        slippage_bps: Decimal = Decimal(1),
        volume_cap: Decimal = Decimal("0.25"),
    ) -> None:
        self.account_id = account_id
        self.capabilities = BrokerCapabilities(
            is_paper=True,
            is_idempotent=True,
            has_quote_amount=True,
            has_shorting=True,
            fee_bps=fee_bps,
            quiet_period_s=0,
            times_in_force=frozenset(TimeInForce),
            reduces_below_minimum=True,
            caps_reducing=True,
        )
        self._market = market
        self._book = book
        self._opening_balance = opening_balance
        self._terms = PaperTerms(fee_bps, slippage_bps, volume_cap)
        self._lock = RLock()
        self._purse: Purse | None = None  # read from the book on first use
        self._open: dict[str, PaperOrder] = {}

    # --- the port ------------------------------------------------------------------------------

    def balances(self) -> Mapping[str, Balance]:
        """By asset; what is owed of a short counts against the base asset."""
        with self._lock:
            totals = self._opened().totals()
        return {
            asset: Balance(asset=asset, free=plain(row.free), locked=plain(row.locked))
            for asset, row in totals.items()
        }

    def submit(self, request: OrderRequest) -> OrderReport:
        """Accept, and fill what can be filled now; a known client id is answered from the book.

        Raises OrderRejected, InsufficientFunds; DataError when there is no price, in which case
        nothing was accepted.
        """
        with self._lock:
            purse = self._opened()
            known = self._book.find_order(self.account_id, request.client_id)
            if known is not None:
                return self._open.get(request.client_id, known).report
            trouble = form_trouble(request)
            if trouble is not None:
                raise OrderRejected(trouble[0], field=trouble[1])
            instrument = self._instrument(request.symbol)
            quote = self._market.quote(request.symbol, seen_price=request.seen_price)
            purse = purse.copy()
            self._credit_unknown(purse, (instrument.quote, instrument.base))
            tick = instrument.price_tick
            price, standing = on_quote(
                request, first_standing(request, quote, tick), quote, self._terms.slippage_bps, tick
            )
            order = self._accepted(purse, request, instrument, quote, price, standing)
            order = match_at_once(self._terms, purse, order, instrument, quote, price)
            self._commit(purse, order)
            return order.report

    def submit_oco(self, request: OcoRequest) -> tuple[OrderReport, OrderReport]:
        """Refused: the desk swaps the two orders itself."""
        raise OrderRejected("The paper account takes no pairs of orders.")

    def cancel(self, client_id: str, symbol: str) -> OrderReport:
        """Cancel what is left, after matching a resting order up to now. Raises NotFound.

        What is left of a market order would trade at the present price: it is let go instead.
        """
        with self._lock:
            self._opened()
            order = self._open.get(client_id)
            if order is None or order.request.type is not OrderType.MARKET:
                report = self.find_order(client_id, symbol)
                if report is None:
                    raise NotFound(f"The paper account has no order '{client_id}'.")
                order = self._open.get(client_id)
                if order is None:
                    return report
            purse = self._opened().copy()
            order = ended(purse, order, OrderState.CANCELLED, "cancelled")
            self._commit(purse, order)
            return order.report

    def find_order(self, client_id: str, symbol: str) -> OrderReport | None:
        """The order, matched up to now first."""
        with self._lock:
            self._opened()
            if client_id in self._open:
                return self._matched(self._open[client_id]).report
            known = self._book.find_order(self.account_id, client_id)
            return known.report if known else None

    def open_orders(self, symbol: str | None = None) -> Sequence[OrderReport]:
        """All orders still working after matching up to now, oldest first."""
        with self._lock:
            self._opened()
            wanted = [o for o in self._open.values() if symbol in (None, o.request.symbol)]
            reports = [self._matched(order).report for order in wanted]
        return [report for report in reports if report.state not in TERMINAL]

    def executions(self, symbol: str, since: datetime) -> Sequence[Execution]:
        """All fills at or after ``since``, working orders matched up to now first.

        A fill inside a bar carries the time of the bar's open.
        """
        self.open_orders(symbol)
        orders = self._book.traded_orders(self.account_id, symbol, since)
        return executions_of(orders, since)

    def flows(self, since: datetime) -> Sequence[Flow]:
        """Nothing is paid in or out, and shorts cost no interest."""
        return ()

    # --- the account ---------------------------------------------------------------------------

    def _opened(self) -> Purse:
        """The purse as last written; a new account is opened with its quote assets."""
        if self._purse is not None:
            return self._purse
        rows = self._book.balances(self.account_id)
        if rows is None:
            purse = Purse()
            self._credit_unknown(purse, sorted(self._quote_assets()))
            return self._commit(purse)
        for order in self._book.open_orders(self.account_id):
            self._open[order.request.client_id] = order
        self._purse = Purse(rows.values())
        return self._purse

    def _quote_assets(self) -> set[str]:
        try:
            return {instrument.quote for instrument in self._market.instruments()}
        except DataError as error:
            raise BrokerUnavailable(
                f"The paper account cannot be opened yet: {error.message}"
            ) from error

    def _credit_unknown(self, purse: Purse, assets: Sequence[str]) -> None:
        """Credit the opening balance of quote assets seen for the first time. A row is created
        once, so nothing is ever credited twice."""
        unknown = [asset for asset in assets if not purse.has(asset)]
        quotes = self._quote_assets() if unknown else set()
        for asset in unknown:
            purse.add(asset, free=self._opening_balance if asset in quotes else ZERO)

    def _commit(self, purse: Purse, *orders: PaperOrder) -> Purse:
        """Write to the book first, then remember; the purse as written.

        After a failure all is read anew, since it is not known how far the book came.
        """
        try:
            self._book.commit(self.account_id, purse.changes(), *orders)
        except StoreError:
            self._purse = None
            self._open.clear()
            raise
        self._purse = purse.copy()
        for order in orders:
            self._remember(order)
        return self._purse

    def _remember(self, order: PaperOrder) -> None:
        if order.report.state in TERMINAL:
            self._open.pop(order.request.client_id, None)
        else:
            self._open[order.request.client_id] = order

    # --- accepting -----------------------------------------------------------------------------

    def _instrument(self, symbol: str) -> Instrument:
        try:
            return self._market.instrument(symbol)
        except NotFound as error:
            raise OrderRejected(error.message, field="symbol") from error

    def _accepted(
        self,
        purse: Purse,
        request: OrderRequest,
        instrument: Instrument,
        quote: Quote,
        price: Decimal | None,
        standing: Standing,
    ) -> PaperOrder:
        """The order with its funds locked. Raises OrderRejected, InsufficientFunds."""
        worst = self._terms.worst_price(request, instrument, price, standing.stop_price)
        quantity = self._terms.sized(request, instrument, worst)
        reason = objection(request, instrument, quantity, worst)
        if reason is not None:
            raise OrderRejected(f"{request.symbol}: {reason}.")
        row = traded_row(request, instrument)
        if request.reduce_only:
            held = purse.free(row) if request.side is Side.SELL else -purse.free(row)
            quantity = min(quantity, floor_to(held, instrument.quantity_step))
            if quantity <= 0:
                raise OrderRejected(f"{request.symbol}: there is nothing left to reduce.")
        self._check_funds(purse, request, instrument, quantity, worst)
        is_buy = request.side is Side.BUY
        asset = instrument.quote if is_buy else row
        amount = self._terms.cost(quantity, worst) if is_buy else quantity
        purse.lock(asset, amount)
        report = OrderReport(
            client_id=request.client_id,
            venue_id=f"paper-{request.client_id}",
            symbol=request.symbol,
            side=request.side,
            state=OrderState.OPEN,
            quantity=quantity,
            type=request.type,
            price=request.price,
            stop_price=standing.stop_price,
            created_at=self._market.now(),
        )
        return PaperOrder(
            account_id=self.account_id,
            request=request,
            report=report,
            locked_asset=asset,
            locked_amount=amount,
            matched_until=quote.time,
            is_triggered=standing.is_triggered,
        )

    def _check_funds(
        self,
        purse: Purse,
        request: OrderRequest,
        instrument: Instrument,
        quantity: Decimal,
        price: Decimal,
    ) -> None:
        row = traded_row(request, instrument)
        if request.side is Side.SELL and SHORT_MARK not in row:
            need, have, asset = quantity, purse.free(row), instrument.base
        else:
            asset = instrument.quote
            need, have = self._terms.cost(quantity, price), purse.free(asset)
            if not request.reduce_only:
                have -= self._reserved(purse, instrument, price)
        if need > have:
            raise InsufficientFunds(
                f"{request.symbol}: the order needs {text(need)} {asset} and "
                f"{text(max(have, ZERO))} {asset} are free."
            )

    def _reserved(self, purse: Purse, instrument: Instrument, price: Decimal) -> Decimal:
        """Quote kept back for everything sold short against the instrument's quote asset."""
        reserved = ZERO
        for symbol, owed in purse.shorts().items():
            if symbol == instrument.symbol:
                reserved += owed * price
            elif self._market.instrument(symbol).quote == instrument.quote:
                reserved += owed * self._market.quote(symbol).last
        return SHORT_RESERVE * reserved

    # --- matching ------------------------------------------------------------------------------

    def _matched(self, order: PaperOrder) -> PaperOrder:
        """The order after whatever the market did since it was last looked at.

        Without prices it is reported as it was: nothing is known to have happened to it.
        """
        purse = self._opened().copy()
        try:
            matched = match_resting(self._terms, purse, order, self._market)
        except DataError as error:
            log.warning("%s was not matched: %s", order.request.client_id, error)
            return order
        if (matched.report, matched.is_triggered) != (order.report, order.is_triggered):
            self._commit(purse, matched)
        else:
            self._remember(matched)
        return matched
