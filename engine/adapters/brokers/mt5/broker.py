"""An account of a MetaTrader terminal, hedging or netting."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from engine.adapters.brokers.mt5 import codes
from engine.adapters.brokers.mt5 import reading as read
from engine.adapters.brokers.mt5.market import Mt5Market
from engine.adapters.brokers.mt5.orders import Part, Stamp, check, wording
from engine.adapters.brokers.mt5.reports import Reader, is_trade, kind_of, side_of, state_of
from engine.adapters.brokers.mt5.session import NAME, RulesBroken, Session, believed
from engine.adapters.brokers.mt5.symbols import Listing
from engine.adapters.brokers.mt5.tags import FOREIGN, read_tag, tag_of
from engine.domain.accounts import Flow, add_up
from engine.domain.instruments import Quote
from engine.domain.money import ZERO
from engine.domain.orders import (
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
    BrokerError,
    BrokerUnavailable,
    DataError,
    NotFound,
    OrderRejected,
    OrderStateUnknown,
    QuarterdeckError,
)
from engine.ports import Balance, BrokerCapabilities

log = logging.getLogger("quarterdeck.mt5")

QUIET_S = 60.0  # a terminal waits for its server about so long, through a reconnect or two
POLL_EVERY_S = 2.0
SETTLE_S = (0.0, 0.05, 0.2, 0.5)
"""Deals are listed a moment after the answer to their order; it is waited for as long as this."""
LOOK_BACKS = (timedelta(days=2), timedelta(days=3650))
AHEAD = timedelta(days=1)
OVERLAP = timedelta(hours=3)  # more than a server's clock is ever moved by


class Mt5Broker:
    """Implements ``Broker``.

    Quantities are units of base, lots times the contract's size. Our orders are known by the
    magic number and the comment. On a hedging account an order that reduces closes positions of
    ours by their tickets, oldest first, and never more than there is of them; on a netting account
    it is cut to what is held.
    """

    def __init__(
        self, account_id: str, session: Session, market: Mt5Market, *,
        magic: int, deviation: int, quiet_period_s: float = QUIET_S,
        poll_every_s: float = POLL_EVERY_S, sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        is_hedging = session.login.is_hedging
        self.account_id = account_id
        self.capabilities = BrokerCapabilities(
            has_shorting=True,
            fee_bps=Decimal(1),
            quiet_period_s=quiet_period_s,
            order_types=frozenset(OrderType) - {OrderType.TRAILING_STOP},
            times_in_force=frozenset({TimeInForce.GTC, TimeInForce.DAY}),
            rests_protection=not is_hedging,
            caps_reducing=is_hedging,
            poll_every_s=poll_every_s,
            has_exact_cash=False,
        )
        self._session = session
        self._market = market
        self._is_hedging = is_hedging
        self._stamp = Stamp(magic, deviation)
        self._sleep = sleep
        self._reader: Reader | None = None

    # --- the account ---------------------------------------------------------------------------

    @believed()
    def balances(self) -> Mapping[str, Balance]:
        """Cash as free and used margin, together the equity; each symbol's net position as a
        balance of its base, of which what resting orders of ours would sell is locked. Raises
        BrokerUnavailable, AccessDenied."""
        account = self._session.account()
        cash = read.words(account, "currency")
        free, used = read.amount(account, "margin_free"), read.amount(account, "margin")
        found = {cash: Balance(asset=cash, free=free, locked=used)}
        selling = self._resting_sales()
        for base, net in self._net().items():
            locked = max(min(net, selling.get(base, ZERO)), ZERO)
            found[base] = Balance(asset=base, free=net - locked, locked=locked)
        return found

    def _net(self) -> dict[str, Decimal]:
        effects = []
        for position in self._session.ask_rows("positions_get"):
            listed = self._listing(read.words(position, "symbol"))
            units = listed.units(read.positive(position, "volume"))
            is_long = side_of(position) is Side.BUY
            effects.append({listed.instrument.base: units if is_long else -units})
        return {base: units for base, units in add_up(effects).items() if units}

    def _resting_sales(self) -> dict[str, Decimal]:
        """By base; on a hedging account a resting order closes nothing."""
        effects = []
        for order in () if self._is_hedging else self._session.ask_rows("orders_get"):
            if self._is_ours(order) and kind_of(order)[1] is Side.SELL:
                listed = self._listing(read.words(order, "symbol"))
                left = listed.units(read.amount(order, "volume_current"))
                effects.append({listed.instrument.base: left})
        return add_up(effects)

    @believed()
    def executions(self, symbol: str, since: datetime) -> Sequence[Execution]:
        """The account's deals in a symbol at or after ``since``, oldest first."""
        listed, reader = self._listing(symbol), self._read_with()
        deals = self._history("history_deals_get", since, symbol)
        found = [reader.execution(deal, listed) for deal in deals if is_trade(deal)]
        return sorted(
            (trade for trade in found if trade.time >= since),
            key=lambda trade: (trade.time, int(trade.trade_id)),
        )

    @believed()
    def flows(self, since: datetime) -> Sequence[Flow]:
        """Deposits, withdrawals, dividends, corrections, and the swap of closed positions, in the
        account's currency."""
        reader = self._read_with()
        deals = self._history("history_deals_get", since)
        found = [flow for deal in deals for flow in reader.flows(deal)]
        return [flow for flow in found if flow.time >= since]

    # --- sending -------------------------------------------------------------------------------

    @believed()
    def submit(self, request: OrderRequest) -> OrderReport:
        """Send one order. Raises as the port says."""
        listed = self._rules(request.symbol)
        quantity = check(request, listed, self.capabilities)
        if self._working(request.client_id, request.symbol):
            raise OrderStateUnknown(f"{NAME} has a working order '{request.client_id}' already.")
        self._session.check_trading()
        parts = self._parts(request, quantity, listed)
        quote = self._quote(request.symbol)
        tag = tag_of(request.client_id)
        taken = 0
        for said in wording(request, listed, quote, self._stamp, tag, parts):
            try:
                self._send(said)
            except OrderStateUnknown:
                raise
            except BrokerError as error:
                if not taken:
                    raise
                log.warning("%s: the rest was not taken: %s", request.client_id, error)
                break
            taken += 1
        return self._settled(request, taken)

    def submit_oco(self, request: OcoRequest) -> tuple[OrderReport, OrderReport]:
        """Refused: MetaTrader has no pairs of orders."""
        raise OrderRejected(f"{NAME} takes no pairs of orders; the engine watches one of the two.")

    def _send(self, said: Mapping[str, object]) -> None:
        try:
            self._session.send(said)
        except RulesBroken:
            self._market.refresh()
            raise

    def _parts(self, request: OrderRequest, quantity: Decimal, listed: Listing) -> list[Part]:
        """What is sent of an order: one that reduces is cut to what is there to be closed, and on
        a hedging account divided among its positions. Raises OrderRejected when there is nothing.
        """
        if not request.reduce_only:
            return [Part(quantity)]
        closing = [
            position
            for position in self._session.ask_rows("positions_get", symbol=request.symbol)
            if side_of(position) is not request.side
            and (not self._is_hedging or self._is_ours(position))
        ]
        parts = []
        for position in sorted(closing, key=lambda each: read.whole(each, "time_msc")):
            taken = min(listed.units(read.positive(position, "volume")), quantity)
            if taken > 0:
                ticket = read.whole(position, "ticket") if self._is_hedging else 0
                parts.append(Part(taken, ticket))
                quantity -= taken
        if not parts:
            raise OrderRejected(f"{request.symbol}: there is nothing left to reduce.")
        return parts

    def _settled(self, request: OrderRequest, taken: int) -> OrderReport:
        """The order of which so many parts were just taken, with its deals as soon as they are
        listed. Raises OrderStateUnknown, whatever keeps it from being seen: it was taken."""
        report: OrderReport | None = None
        for wait_s in SETTLE_S:
            self._sleep(wait_s)
            try:
                with believed():
                    report = self._report_of_all(request, taken)
            except QuarterdeckError as error:
                log.info("%s: not listed yet: %s", request.client_id, error)
                continue
            if report is not None and (
                report.state in TERMINAL or request.type is not OrderType.MARKET
            ):
                break
        if report is None:
            raise OrderStateUnknown(f"{NAME} took {request.client_id} and does not list it yet.")
        return report

    def _report_of_all(self, request: OrderRequest, taken: int) -> OrderReport | None:
        """None while a part is not listed: without it the order would look done."""
        parts = self._listed_parts(request.client_id, request.symbol)
        return self._report(parts, request.client_id) if len(parts) >= taken else None

    # --- asking --------------------------------------------------------------------------------

    @believed()
    def cancel(self, client_id: str, symbol: str) -> OrderReport:
        """Cancel what is left; an order already done is reported as it is. Raises NotFound,
        BrokerUnavailable (ask again: cancelling twice does no harm), AccessDenied."""
        for row in self._working(client_id, symbol):
            removal = {"action": codes.REMOVE, "order": read.whole(row, "ticket")}
            try:
                self._session.send(removal)
            except OrderRejected as error:  # it may just have been filled
                log.info("%s was not cancelled: %s", client_id, error)
            except OrderStateUnknown as error:
                raise BrokerUnavailable(error.message) from error
        report = self.find_order(client_id, symbol)
        if report is None:
            raise NotFound(f"{NAME} has no order '{client_id}'.")
        return report

    @believed()
    def find_order(self, client_id: str, symbol: str) -> OrderReport | None:
        """The order with all its deals; None when neither working orders nor history have it."""
        parts = self._listed_parts(client_id, symbol)
        return self._report(parts, client_id) if parts else None

    def _listed_parts(self, client_id: str, symbol: str) -> list[read.Row]:
        """MetaTrader's orders of the newest of that id, oldest first."""
        found = self._working(client_id, symbol)
        for back in LOOK_BACKS:
            since = self._market.now() - back
            done = self._history("history_orders_get", since, symbol)
            found = found + [row for row in done if self._is_of(row, client_id)]
            if found:
                break
        return _newest(found)

    @believed()
    def open_orders(self, symbol: str | None = None) -> Sequence[OrderReport]:
        """All orders still working, whoever placed them."""
        reader = self._read_with()
        named = {} if symbol is None else {"symbol": symbol}
        reports = [
            self._report([row], reader.client_id(row))
            for row in self._session.ask_rows("orders_get", **named)
        ]
        return [report for report in reports if report.state not in TERMINAL]

    def _working(self, client_id: str, symbol: str) -> list[read.Row]:
        return [
            row
            for row in self._session.ask_rows("orders_get", symbol=symbol)
            if self._is_of(row, client_id) and state_of(row) not in TERMINAL
        ]

    def _is_ours(self, row: read.Row) -> bool:
        return read.whole(row, "magic") == self._stamp.magic

    def _is_of(self, row: read.Row, client_id: str) -> bool:
        if client_id.startswith(FOREIGN):
            return client_id == f"{FOREIGN}{read.whole(row, 'ticket')}"
        return self._is_ours(row) and read_tag(read.remark(row, "comment")).name == tag_of(
            client_id
        )

    def _report(self, parts: Sequence[read.Row], client_id: str) -> OrderReport:
        reader = self._read_with()
        listed = self._listing(read.words(parts[0], "symbol"))
        fills = [
            reader.fill(deal, listed)
            for part in parts
            if read.number(part, "volume_current") != read.number(part, "volume_initial")
            for deal in self._session.ask_rows(
                "history_deals_get", ticket=read.whole(part, "ticket")
            )
        ]
        return reader.report(parts, fills, listed, client_id)

    def _history(
        self, function: str, since: datetime, symbol: str | None = None
    ) -> Sequence[read.Row]:
        clock = self._market.server_time
        start = max(clock.to_server_s(since - OVERLAP), 0)
        end = clock.to_server_s(self._market.now() + AHEAD)
        if start >= end:
            return []
        named = {"group": symbol} if symbol and not set(symbol) & set("*!,") else {}
        found = self._session.ask_rows(function, start, end, **named)
        return [row for row in found if symbol is None or row.get("symbol") == symbol]

    def _read_with(self) -> Reader:
        if self._reader is None:
            currency = read.words(self._session.account(), "currency")
            self._reader = Reader(self._stamp.magic, currency, self._market.server_time.to_utc)
        return self._reader

    def _listing(self, symbol: str) -> Listing:
        """Raises BrokerUnavailable: what the account has is not judged without it."""
        try:
            return self._market.listing(symbol)
        except (DataError, NotFound) as error:
            raise _as_brokers(error, "") from error

    def _rules(self, symbol: str) -> Listing:
        """The symbol of a new order. Raises OrderRejected, BrokerUnavailable, AccessDenied."""
        try:
            return self._market.listing(symbol)
        except NotFound as error:
            raise OrderRejected(error.message, field="symbol") from error
        except DataError as error:
            raise _as_brokers(error, f"{symbol} was not sent: ") from error

    def _quote(self, symbol: str) -> Quote:
        try:
            return self._market.quote(symbol)
        except (DataError, NotFound) as error:
            raise _as_brokers(error, f"{symbol} was not sent: ") from error


def _as_brokers(error: DataError | NotFound, words: str) -> BrokerError:
    """The market's trouble as the account's: that it may not be used is the same for both."""
    kind = AccessDenied if isinstance(error.__cause__, AccessDenied) else BrokerUnavailable
    return kind(f"{words}{error.message}")


def _newest(found: Sequence[read.Row]) -> list[read.Row]:
    """The parts of the newest order under an id, oldest first: an id may have been used before."""
    newest: dict[int, read.Row] = {}
    for row in sorted(found, key=lambda row: -read.whole(row, "ticket")):
        part = read_tag(read.remark(row, "comment")).part
        if part in newest:
            break
        newest[part] = row
    return [newest[part] for part in sorted(newest)]
