"""A spot account at Binance, its test network, or a stand-in for one of them, through ccxt."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import ValidationError

from engine.adapters.brokers import ccxt_reports as read
from engine.adapters.brokers.ccxt_client import RECV_WINDOW_MS, BinanceClient, RulesBroken
from engine.adapters.brokers.ccxt_orders import oco_parameters, order_parameters
from engine.adapters.brokers.ccxt_user_stream import UserStream
from engine.domain.accounts import Flow
from engine.domain.instruments import Instrument
from engine.domain.matching import objection
from engine.domain.money import to_epoch_ms
from engine.domain.orders import (
    TERMINAL,
    Execution,
    OcoRequest,
    OrderReport,
    OrderRequest,
    TimeInForce,
    VenueFill,
)
from engine.errors import (
    BrokerUnavailable,
    DataError,
    NotFound,
    OrderRejected,
    OrderStateUnknown,
)
from engine.links.binance import Addresses
from engine.links.pause import Pause
from engine.links.streaming import FIRST_WAIT_S
from engine.ports import Balance, BrokerCapabilities, Clock, MarketData, OrderListener

log = logging.getLogger("quarterdeck.binance")

T = TypeVar("T")
TIMEOUT_MS = 10_000
PAGE = 1000  # trades of one answer
MOST_PAGES = 200
QUIET_S = RECV_WINDOW_MS / 1000 + 10 + 5  # its window, its own timeout, and a margin
POLL_EVERY_S = 5.0  # the list of all open orders weighs as much as twenty of them
NO_PRICE = Decimal("Infinity")  # the value of a market order is the venue's to judge


class CcxtSpotBroker:
    """Implements ``Broker`` and ``StreamingBroker``.

    Amounts go out as the exact text of a Decimal and come back from the text of the answer; ccxt
    signs, paces and carries, its floating-point parsing is not used. ``market`` lists the symbols;
    ``pause`` is shared with it, since both speak from one address. ``refresh_listing`` is called
    when the venue refuses an order by a filter.
    """

    def __init__(
        self,
        account_id: str,
        market: MarketData,
        clock: Clock,
        *,
        key: str,
        secret: str,
        addresses: Addresses,
        refresh_listing: Callable[[], None] = lambda: None,
        quiet_period_s: float = QUIET_S,
        poll_every_s: float = POLL_EVERY_S,
        timeout_ms: int = TIMEOUT_MS,
        is_paced: bool = True,
        first_wait_s: float = FIRST_WAIT_S,
        pause: Pause | None = None,
    ) -> None:
        self.account_id = account_id
        self.capabilities = BrokerCapabilities(
            fee_bps=Decimal(10),
            quiet_period_s=quiet_period_s,
            poll_every_s=poll_every_s,
            times_in_force=frozenset({TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK}),
            has_oco=True,
            rests_protection=True,
        )
        self._market = market
        self._refresh_listing = refresh_listing
        self._client = BinanceClient(
            key, secret, addresses, clock,
            timeout_ms=timeout_ms, is_paced=is_paced, pause=pause or Pause(clock.monotonic),
        )  # fmt: skip
        self._stream = UserStream(
            key, secret, addresses, self._client.timestamp, self._symbol_of, first_wait_s
        )
        self._symbols: dict[str, str] = {}

    @property
    def client(self) -> BinanceClient:
        """Its door to the venue, for whoever looks the account over."""
        return self._client

    # --- the account ---------------------------------------------------------------------------

    def balances(self) -> Mapping[str, Balance]:
        """By asset, those that are not zero. Raises BrokerUnavailable, AccessDenied."""
        return self._read(
            lambda: read.balances(self._client.ask("private_get_account", omitZeroBalances="true"))
        )

    def flows(self, since: datetime) -> Sequence[Flow]:
        """None: a spot account has no funding. Deposits, withdrawals and transfers between wallets
        are in no one list: they are found as differences, and a person says what they are."""
        return ()

    def executions(self, symbol: str, since: datetime) -> Sequence[Execution]:
        """The account's trades in a symbol at or after ``since``, however many pages that takes.

        Mostly the newest page reaches back far enough. Raises BrokerUnavailable, AccessDenied.
        """
        newest = self._trades(symbol)
        if len(newest) == PAGE and newest[0].time >= since:
            newest = self._trades_from(symbol, since)
        return [trade for trade in newest if trade.time >= since]

    def _trades_from(self, symbol: str, since: datetime) -> list[Execution]:
        found = page = self._trades(symbol, startTime=to_epoch_ms(since))
        for _ in range(MOST_PAGES):
            if len(page) < PAGE:
                return found
            page = self._trades(symbol, fromId=_number(found[-1]) + 1)
            found = found + page
        raise BrokerUnavailable(f"{self._client.name}: {symbol} has more trades than can be read.")

    def _trades(self, symbol: str, **parameters: Any) -> list[Execution]:
        if "orderId" not in parameters:
            parameters["limit"] = PAGE
        return self._read(
            lambda: read.executions(
                self._client.ask("private_get_mytrades", symbol=_venue_name(symbol), **parameters),
                symbol,
            )
        )

    # --- sending -------------------------------------------------------------------------------

    def submit(self, request: OrderRequest) -> OrderReport:
        """Send one order, once. Raises as the port says."""
        instrument = self._instrument(request.symbol)
        self._check(request, instrument)
        parameters = order_parameters(request, _venue_name(request.symbol))
        answer = self._send("private_post_order", parameters)
        return self._believed(request, lambda: self._new_report(read.row(answer), request))

    def submit_oco(self, request: OcoRequest) -> tuple[OrderReport, OrderReport]:
        """Send a limit and a stop of which one ends the other. Raises as the port says."""
        legs = (request.limit, request.stop)
        instrument = self._instrument(request.limit.symbol)
        for leg in legs:
            self._check(leg, instrument)
        parameters = oco_parameters(request, _venue_name(request.limit.symbol))
        answer = self._send("private_post_orderlist_oco", parameters)

        def reports() -> tuple[OrderReport, OrderReport]:
            found = {
                read.words(line, read.OWN_ID): line
                for line in read.rows(read.row(answer).get("orderReports"))
            }
            if found.keys() != {leg.client_id for leg in legs}:
                raise read.Unreadable("the legs are not those that were sent")
            limit, stop = (self._new_report(found[leg.client_id], leg) for leg in legs)
            return limit, stop

        return self._believed(request.limit, reports)

    def _new_report(self, answer: read.Row, request: OrderRequest) -> OrderReport:
        """The report of an order just taken. Raises Unreadable for another one's."""
        fills: Sequence[VenueFill] = read.fills_of_answer(answer) if "fills" in answer else ()
        report = read.report(answer, request.symbol, fills, id_name=read.OWN_ID)
        is_ours = (
            report.client_id == request.client_id
            and answer.get("symbol") == _venue_name(request.symbol)
            and report.side is request.side
            and report.quantity == request.quantity
        )
        if not is_ours:
            raise read.Unreadable("the answer is about another order")
        return report

    def _send(self, name: str, parameters: Mapping[str, Any]) -> Any:
        try:
            return self._client.send(name, **parameters)
        except RulesBroken:
            self._refresh_listing()
            raise

    def _check(self, request: OrderRequest, instrument: Instrument) -> None:
        """What is surely refused is not sent. Raises OrderRejected."""
        if request.quantity is None or request.quote_amount is not None:
            raise OrderRejected(f"{request.symbol}: the order has to be a quantity, no amount.")
        if request.time_in_force not in self.capabilities.times_in_force:
            raise OrderRejected(f"{self._client.name} takes no orders for the day.")
        price = request.price or request.stop_price or NO_PRICE
        sized = request.model_copy(update={"reduce_only": False})  # small exits are refused too
        reason = objection(sized, instrument, request.quantity, price)
        if reason is not None:
            raise OrderRejected(f"{request.symbol}: {reason}.")

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
        try:
            answer = self._client.ask(
                "private_delete_order", symbol=_venue_name(symbol), origClientOrderId=client_id
            )
        except NotFound:
            report = self.find_order(client_id, symbol)
            if report is None:
                raise NotFound(f"{self._client.name} has no order '{client_id}'.") from None
            return report
        return self._read(lambda: self._cancelled(read.row(answer), client_id, symbol))

    def _cancelled(self, answer: read.Row, client_id: str, symbol: str) -> OrderReport:
        """The cancelled order; taking back one leg of a list ends both."""
        lines = read.rows(answer["orderReports"]) if "orderReports" in answer else [answer]
        found = [line for line in lines if line.get(read.CANCELLED_ID) == client_id]
        if not found:
            raise read.Unreadable("the answer is about another order")
        return self._with_fills(found[0], symbol, id_name=read.CANCELLED_ID)

    def find_order(self, client_id: str, symbol: str) -> OrderReport | None:
        """The order with all its fills; None only when the venue says that it does not exist."""
        try:
            answer = self._client.ask(
                "private_get_order", symbol=_venue_name(symbol), origClientOrderId=client_id
            )
        except NotFound:
            return None
        return self._read(
            lambda: self._with_fills(
                read.asked_for(answer, client_id, _venue_name(symbol)), symbol, id_name=read.OWN_ID
            )
        )

    def open_orders(self, symbol: str | None = None) -> Sequence[OrderReport]:
        """All orders still working, whoever placed them; one that was filled while it was looked
        at is none of them any more."""
        names = {} if symbol is None else {"symbol": _venue_name(symbol)}
        answer = self._client.ask("private_get_openorders", **names)
        return self._read(
            lambda: [
                report
                for line in read.rows(answer)
                if (report := self._listed(line)).state not in TERMINAL
            ]
        )

    def _listed(self, line: read.Row) -> OrderReport:
        symbol = self._symbol_of(read.words(line, "symbol"))
        return self._with_fills(line, symbol, id_name=read.OWN_ID)

    def _with_fills(self, line: read.Row, symbol: str, *, id_name: str) -> OrderReport:
        fills: Sequence[Execution] = ()
        if read.amount(line, "executedQty"):
            number = read.whole(line, "orderId")
            fills = self._trades(symbol, orderId=number)
        own = [VenueFill(**fill.model_dump(include=set(VenueFill.model_fields))) for fill in fills]
        return read.report(line, symbol, own, id_name=id_name)

    # --- the stream ----------------------------------------------------------------------------

    def listen(self, listener: OrderListener) -> Callable[[], None]:
        """Tell ``listener`` what the user's stream tells; the answer ends it."""
        return self._stream.listen(listener)

    # --- names and readings --------------------------------------------------------------------

    def _symbol_of(self, name: str) -> str:
        """BTCUSDT as BTC/USDT; a name that is not listed (any more) stays as it is."""
        if name not in self._symbols:
            try:
                listed = self._market.instruments()
            except DataError as error:
                raise BrokerUnavailable(f"{self._client.name}: {error.message}") from error
            self._symbols = {_venue_name(each.symbol): each.symbol for each in listed}
        return self._symbols.get(name, name)

    def _read(self, reading: Callable[[], T]) -> T:
        """An answer to a question, or BrokerUnavailable when it cannot be believed."""
        try:
            return reading()
        except (read.Unreadable, ValidationError) as error:
            raise BrokerUnavailable(
                f"{self._client.name}: an answer cannot be read: {error}"
            ) from error

    def _believed(self, request: OrderRequest, reading: Callable[[], T]) -> T:
        """An answer to an order, or OrderStateUnknown when it cannot be believed."""
        try:
            return reading()
        except (read.Unreadable, ValidationError) as error:
            log.warning("%s: the answer cannot be read: %s", request.client_id, error)
            raise OrderStateUnknown(
                f"{self._client.name} answered {request.client_id} with what cannot be read."
            ) from error


def _venue_name(symbol: str) -> str:
    """BTC/USDT as BTCUSDT."""
    return symbol.replace("/", "")


def _number(trade: Execution) -> int:
    """The venue's own id of a trade."""
    return int(trade.trade_id.rpartition("-")[2])
