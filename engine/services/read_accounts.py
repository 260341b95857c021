"""Reading both sides of an account: until they agree, or until they differ the same way twice.

Orders may be filled while the venue is asked, so one look proves nothing. Trades are asked for only
where balances differ: there is no trade that moves none.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from engine.domain.accounts import HOUSE, FindingKind, Flow, add_up
from engine.domain.instruments import Instrument
from engine.domain.orders import Execution, Order, OrderReport, OrderState
from engine.domain.positions import PositionSide
from engine.domain.reconcile import (
    UNDER_WAY,
    BooksSide,
    Holding,
    LateFill,
    Terms,
    VenueSide,
    differences,
    effect_of,
    finding_id,
    order_key,
    under_way,
)
from engine.errors import DataError, NotFound
from engine.ports import Broker, MarketData
from engine.services.books import Books
from engine.services.order_desk import OrderDesk

log = logging.getLogger("quarterdeck.reconcile")

EXTERNAL = "external"
"""The reason of orders that somebody gave elsewhere."""

OVERLAP = timedelta(minutes=10)
LONGEST_WINDOW = timedelta(hours=6)
"""Trades are asked for from the newest known one on, and no further back than this: how wrong the
machine's clock may be."""

MOST_LOOKS = 5
MOST_SYMBOLS = 50
LOST_FOR = timedelta(days=2)
"""How long after it was sent an order that the venue never heard of may still turn up."""


@dataclass
class Look:
    """What is known of both sides of one account."""

    account_id: str
    market: MarketData
    broker: Broker
    since: datetime
    opened_at: datetime | None
    is_first: bool
    reports: list[OrderReport] = field(default_factory=list)
    balances: dict[str, Decimal] = field(default_factory=dict)
    flows: dict[str, Flow] = field(default_factory=dict)
    trades: dict[str, Execution] = field(default_factory=dict)
    late_fills: list[LateFill] = field(default_factory=list)
    gone: list[tuple[Order, OrderReport | None]] = field(default_factory=list)
    instruments: dict[str, Instrument] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)
    unsettled: frozenset[str] = frozenset()
    filling: frozenset[str] = frozenset()
    gaps: dict[str, Decimal] = field(default_factory=dict)
    cash_gaps: dict[str, Decimal] = field(default_factory=dict)
    newest: datetime | None = None

    def is_in_opening(self, moment: datetime) -> bool:
        """Whether what happened then is part of what the account was opened with."""
        return self.is_first or (self.opened_at is not None and moment <= self.opened_at)


class AccountReader:
    """Looks at one account, on its lane. What is ours is booked by the desk on the way."""

    def __init__(self, books: Books, desk: OrderDesk) -> None:
        self._books = books
        self._desk = desk

    def look(self, look: Look) -> None:
        """Fill ``look``. Raises whatever the venue raises: then nothing was concluded."""
        reports = list(look.broker.open_orders())
        working = {order.client_id for order in self.working(look.account_id)}
        given_up, foreign = self._strangers(look, reports, working)
        self._desk.advance_account(look.account_id, look.market, reports)
        for order, report in given_up:
            self._take_back(look, order, report)
        look.reports = foreign
        look.gone = self._gone(look)
        self._learn_instruments(look)
        self._read_flows(look)
        self._settle(look)

    # --- the books' side ------------------------------------------------------------------------

    def working(self, account_id: str) -> list[Order]:
        """The account's orders that are not done, nobody's too."""
        return [
            order
            for orders in list(self._books.working.values())
            for order in orders.values()
            if order.account_id == account_id
        ]

    def books_side(self, look: Look) -> BooksSide:
        """What the books say, with what moved without a trade."""
        totals = self._books.totals.get(look.account_id, {})
        return BooksSide(
            account_id=look.account_id,
            totals=add_up([totals, *({one.asset: one.amount} for one in look.flows.values())]),
            holdings=self.holdings(look),
            orders=self.working(look.account_id),
        )

    def venue_side(self, look: Look) -> VenueSide:
        """What the venue says."""
        return VenueSide(
            totals=look.balances,
            open_orders=look.reports,
            trades=list(look.trades.values()),
            late_fills=look.late_fills,
        )

    def terms(self, look: Look) -> Terms:
        """What a comparison of ``look`` needs to know."""
        return Terms(
            now=self._books.clock.now(),
            quiet_period=quiet_period_of(look.broker),
            instruments=look.instruments,
            unsettled=look.unsettled,
        )

    def holdings(self, look: Look) -> list[Holding]:
        """What each bot owns, shorts below zero."""
        return [
            Holding(
                bot_id=one.bot_id, symbol=one.symbol, base=look.instruments[one.symbol].base,
                quantity=one.quantity if one.side is PositionSide.LONG else -one.quantity,
            )
            for one in list(self._books.positions.values())
            if one.account_id == look.account_id and one.symbol in look.instruments
        ]  # fmt: skip

    def _learn_instruments(self, look: Look) -> None:
        """The rules of every symbol that the account's bots trade, or have orders in."""
        bots = list(self._books.bots.values())
        traded = {bot.symbol for bot in bots if bot.account_id == look.account_id}
        held = {
            one.symbol
            for one in list(self._books.positions.values())
            if one.account_id == look.account_id
        }
        needed = held | {order.symbol for order in self.working(look.account_id)}
        for symbol in traded | needed:
            if not self._learn(look, symbol) and symbol in needed:
                look.unreadable.add(symbol)

    def _learn(self, look: Look, symbol: str) -> bool:
        """Whether a symbol's rules are known. Raises DataError when the market does not answer."""
        if symbol in look.instruments:
            return True
        try:
            look.instruments[symbol] = look.market.instrument(symbol)
        except NotFound:
            return False
        return True

    # --- orders ---------------------------------------------------------------------------------

    def _strangers(
        self, look: Look, reports: Sequence[OrderReport], working: set[str]
    ) -> tuple[list[tuple[Order, OrderReport]], list[OrderReport]]:
        """Open orders that the books do not have at work: those they gave up, those of nobody."""
        given_up, foreign = [], []
        with self._books.store.reading() as tx:
            for report in reports:
                if report.client_id in working:
                    order = self._books.working.get(HOUSE, {}).get(report.client_id)
                    if order is not None and order.state is OrderState.EXTERNAL:
                        foreign.append(report)
                    continue
                order = tx.orders.find(report.client_id) if report.client_id else None
                is_ours = order is not None and order.account_id == look.account_id
                if order is not None and is_ours and order.bot_id != HOUSE:
                    given_up.append((order, report))
                else:
                    foreign.append(report)
        return given_up, foreign

    def _gone(self, look: Look) -> list[tuple[Order, OrderReport | None]]:
        """Orders of nobody's that do not work any more, as the venue has them now."""
        there = {order_key(report) for report in look.reports}
        return [
            (order, look.broker.find_order(order.client_id, order.symbol))
            for order in self.working(look.account_id)
            if order.state is OrderState.EXTERNAL and order.client_id not in there
        ]

    def _take_back(self, look: Look, order: Order, report: OrderReport) -> None:
        """Cancel an order of ours that was given up and turned up after all."""
        log.error("%s was %s in the books and works at the venue", order.client_id, order.state)
        try:
            report = look.broker.cancel(order.client_id, order.symbol)
        except NotFound:
            log.warning("%s is gone again", order.client_id)
        self._book_late(look, order, report)

    def _book_late(self, look: Look, order: Order, report: OrderReport) -> None:
        for fill in report.fills:
            trade = Execution(**fill.model_dump(), symbol=report.symbol, side=report.side,
                              venue_id=report.venue_id, client_id=order.client_id)  # fmt: skip
            if not self._is_booked(look.account_id, trade):
                self._book_own(look, order, trade)

    # --- amounts --------------------------------------------------------------------------------

    def _read_flows(self, look: Look) -> None:
        """What moved without a trade, and is not in the books yet."""
        flows = look.broker.flows(look.since)
        with self._books.store.reading() as tx:
            for flow in flows:
                key = f"{look.account_id}:{flow.id}"
                if not look.is_in_opening(flow.time) and tx.lines.find(key) is None:
                    look.flows[key] = flow

    def _settle(self, look: Look) -> None:
        """Compare amounts until they agree, or until the same difference was seen twice."""
        asked: set[str] = set()
        for number in range(MOST_LOOKS):
            before = look.gaps
            balances = look.broker.balances()
            look.balances = {asset: one.total for asset, one in balances.items() if one.total}
            look.unsettled = self._moving(look) | look.filling
            look.gaps = self._gaps(look)
            look.cash_gaps = self._take_out_cash(look)
            if look.unsettled:  # what is under way may take its fee in an asset never seen before
                look.unsettled |= {asset for asset, gap in look.gaps.items() if gap < 0}
            is_new = any(not self._is_known(look, *gap) for gap in look.gaps.items())
            is_steady = number > (1 if is_new else 0) and look.gaps == before
            if not look.gaps or is_steady:
                return
            asked.update(self._candidates(look, is_wide=is_new and number > 0))
            fresh = self._read_trades(look, asked)
            if number > 0:  # an order that is being filled while its account is looked at
                look.filling |= {
                    asset
                    for trade in fresh
                    for asset in effect_of(trade, look.instruments[trade.symbol])
                }
        look.unsettled |= {asset for asset in look.gaps if before.get(asset) != look.gaps[asset]}

    def _is_known(self, look: Look, asset: str, gap: Decimal) -> bool:
        """Whether a difference is what an open finding says already."""
        key = finding_id(look.account_id, FindingKind.BALANCE, asset)
        known = self._books.findings.get(key)
        return known is not None and known.amount == gap

    def _moving(self, look: Look) -> frozenset[str]:
        """What orders under way may have moved; their fees may be taken in any asset."""
        moving = under_way(self.working(look.account_id), look.instruments)
        if not moving:
            return moving
        with self._books.store.reading() as tx:
            since = self._books.clock.now() - LONGEST_WINDOW
            rows = tx.fills.values("fee_asset", account_id=look.account_id, since=since)
        return moving | {asset for (asset,) in rows}

    def _gaps(self, look: Look) -> dict[str, Decimal]:
        """Every difference, of assets that are not judged now too: a trade may explain it."""
        traded = [effect_of(one, look.instruments[one.symbol]) for one in look.trades.values()]
        expected = add_up([self.books_side(look).totals, *traded])
        return differences(expected, look.balances)

    def _take_out_cash(self, look: Look) -> dict[str, Decimal]:
        """Take from the differences what is no position, where the venue's cash is its own affair:
        settled later, lent, charged and converted without a list that says so."""
        if look.broker.capabilities.has_exact_cash or not look.gaps:
            return {}
        positions = {one.base for one in look.instruments.values()}
        if set(look.gaps) - positions:
            positions |= {one.base for one in look.market.instruments()}
        return {asset: look.gaps.pop(asset) for asset in set(look.gaps) - positions}

    def _candidates(self, look: Look, *, is_wide: bool) -> list[str]:
        """Symbols whose trades may explain the difference: first those whose base differs."""
        assets = set(look.gaps)
        known = sorted(look.instruments.values(), key=lambda one: one.symbol)
        found = [one.symbol for one in known if one.base in assets]
        if not look.is_first:
            found += self._untraded(look, assets)
        if is_wide:
            # An asset that no symbol has may have paid the fees of trades that else cancel out.
            has_stray = bool(assets - {asset for one in known for asset in (one.base, one.quote)})
            found += [
                one.symbol
                for one in known
                if (has_stray or one.quote in assets) and one.symbol not in found
            ]
        return found[:MOST_SYMBOLS]

    def _untraded(self, look: Look, assets: set[str]) -> list[str]:
        """Symbols that no bot trades and of which both assets differ: what a person may trade."""
        try:
            offered = look.market.instruments()
        except DataError as error:
            log.warning("%s: other symbols are not known: %s", look.account_id, error)
            return []
        return [
            one.symbol
            for one in offered
            if one.base in assets and one.quote in assets and one.symbol not in look.instruments
        ]

    # --- trades ---------------------------------------------------------------------------------

    def _read_trades(self, look: Look, symbols: Iterable[str]) -> list[Execution]:
        """Book executions of our orders, keep those of nobody; those not seen before."""
        fresh = []
        for symbol in sorted(symbols):
            if not self._learn(look, symbol):
                continue
            for trade in look.broker.executions(symbol, look.since):
                look.newest = max(look.newest or trade.time, trade.time)
                if trade.trade_id in look.trades or self._is_booked(look.account_id, trade):
                    continue
                order = self._owner(look, trade)
                if order is not None and order.reason != EXTERNAL:
                    self._book_own(look, order, trade)
                    fresh.append(trade)
                elif not look.is_in_opening(trade.time) and not self._may_be_ours(look, trade):
                    client_id = order.client_id if order else trade.client_id
                    look.trades[trade.trade_id] = trade.model_copy(update={"client_id": client_id})
                    fresh.append(trade)
        return fresh

    def _is_booked(self, account_id: str, trade: Execution) -> bool:
        with self._books.store.reading() as tx:
            return tx.fills.find(f"{account_id}:{trade.trade_id}") is not None

    def _may_be_ours(self, look: Look, trade: Execution) -> bool:
        """Whether a trade without a client id may be that of an order under way."""
        return not trade.client_id and any(
            order.state in UNDER_WAY and (order.symbol, order.side) == (trade.symbol, trade.side)
            for order in self.working(look.account_id)
        )

    def _owner(self, look: Look, trade: Execution) -> Order | None:
        """The order in the books that an execution belongs to; lost ones are looked up."""
        with self._books.store.reading() as tx:
            if trade.client_id:
                order = tx.orders.find(trade.client_id)
                return order if order and order.account_id == look.account_id else None
            known = tx.orders.select(account_id=look.account_id, symbol=trade.symbol,
                                     venue_id=trade.venue_id, limit=1)  # fmt: skip
            if known:
                return known[0]
            lost = tx.orders.select(
                account_id=look.account_id, symbol=trade.symbol, side=trade.side, venue_id="",
                since=trade.time - LOST_FOR, is_descending=True, limit=20,
            )  # fmt: skip
        for order in lost:
            if order.sent_at is None:
                continue
            report = look.broker.find_order(order.client_id, order.symbol)
            if report is not None and report.venue_id == trade.venue_id:
                return order
        return None

    def _book_own(self, look: Look, order: Order, trade: Execution) -> None:
        if order.is_terminal:
            look.late_fills.append(LateFill(order=order, execution=trade))
        self._desk.book_execution(look.account_id, look.market, order, trade)


def quiet_period_of(broker: Broker) -> timedelta:
    """How long an order may be in doubt before a person must hear of it. Where a client id is one
    order the desk ends every doubt by itself, by sending it again, once its account is checked."""
    if broker.capabilities.is_idempotent:
        return LONGEST_WINDOW
    return timedelta(seconds=broker.capabilities.quiet_period_s)
