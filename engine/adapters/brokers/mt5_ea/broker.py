"""An account whose orders an Expert Advisor fetches from a durable box."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from engine.adapters.brokers.mt5.orders import Part, check
from engine.adapters.brokers.mt5.symbols import Listing
from engine.adapters.brokers.mt5.tags import MOST_PARTS, part_of, tag_of
from engine.adapters.brokers.mt5_ea.link import NAME, Link
from engine.adapters.brokers.mt5_ea.reports import executions_of, refusal_of, report_of
from engine.domain.accounts import Flow, add_up
from engine.domain.instruments import Instrument
from engine.domain.mailbox import BoxOrder, by_client_id
from engine.domain.money import ZERO, plain
from engine.domain.orders import (
    Execution,
    OcoRequest,
    OrderReport,
    OrderRequest,
    OrderType,
    Side,
    TimeInForce,
)
from engine.domain.pushed import SymbolFacts, Terminal
from engine.errors import NotFound, OrderRejected, OrderStateUnknown
from engine.ports import Balance, BrokerCapabilities, MarketData

PATIENCE_S = 8.0  # an advisor asks every few seconds
LOOK_S = 0.5
ENTRY_FOR = timedelta(seconds=60)
LATE = timedelta(days=1)  # how much later than its deals an order may be told of, clocks apart
POLL_EVERY_S = 2.0


class AdvisorBroker:
    """Implements ``Broker``.

    ``submit`` commits an order to the box and waits a little for the advisor; one that was not
    answered by then is open, and followed. Quantities are units of base, lots times the contract's
    size. On a hedging account an order that reduces closes positions of ours by their tickets. The
    advisor itself never closes more than there is.
    """

    def __init__(
        self, account_id: str, link: Link, market: MarketData, *,
        patience_s: float = PATIENCE_S, wait: Callable[[float], None] | None = None,
    ) -> None:  # fmt: skip
        self.account_id = account_id
        self.capabilities = BrokerCapabilities(
            is_idempotent=True,
            has_shorting=True,
            fee_bps=Decimal(1),
            order_types=frozenset(OrderType) - {OrderType.TRAILING_STOP},
            times_in_force=frozenset({TimeInForce.GTC}),
            rests_protection=not link.is_hedging,
            caps_reducing=True,
            poll_every_s=POLL_EVERY_S,
            has_exact_cash=False,
        )
        self._link = link
        self._market = market
        self._patience_s = patience_s
        self._wait = wait or link.terminals.wait

    # --- the account ----------------------------------------------------------------------------

    def balances(self) -> Mapping[str, Balance]:
        """Cash as free and used margin, together the equity; each symbol's net position as a
        balance of its base, of which what resting orders of ours would sell is locked. Raises
        BrokerUnavailable, AccessDenied."""
        state = self._link.state()
        found = {
            state.currency: Balance(
                asset=state.currency, free=state.margin_free, locked=state.margin
            )
        }
        selling = self._resting_sales()
        for base, net in self._net(self._link.terminal()).items():
            locked = max(min(net, selling.get(base, ZERO)), ZERO)
            found[base] = Balance(asset=base, free=net - locked, locked=locked)
        return found

    def _net(self, terminal: Terminal) -> dict[str, Decimal]:
        effects = []
        for held in terminal.positions or ():
            base, contract = self._base_of(held.symbol)
            units = plain(held.lots * contract)
            effects.append({base: units if held.side is Side.BUY else -units})
        return {base: units for base, units in add_up(effects).items() if units}

    def _base_of(self, symbol: str) -> tuple[str, Decimal]:
        """The asset of a position and the units in a lot; of a symbol whose rules the advisor does
        not send, the symbol and lots: it is no symbol of ours."""
        try:
            return self._market.instrument(symbol).base, self._facts(symbol).contract_size
        except NotFound:
            return symbol, Decimal(1)

    def _resting_sales(self) -> dict[str, Decimal]:
        """By base; on a hedging account a resting order closes nothing."""
        working = () if self._link.is_hedging else self._link.terminals.working(self.account_id)
        return add_up(
            [
                {self._base_of(order.symbol)[0]: order.units - order.filled}
                for order in working
                if order.side is Side.SELL and order.type is not OrderType.MARKET
            ]
        )

    def executions(self, symbol: str, since: datetime) -> Sequence[Execution]:
        """The deals of our orders in a symbol, oldest first; the advisor tells of no others."""
        currency = self._currency()
        touched = self._link.terminals.touched(self.account_id, symbol, _earlier(since))
        found = [trade for order in touched for trade in executions_of(order, currency)]
        return sorted(
            (trade for trade in found if trade.time >= since),
            key=lambda trade: (trade.time, int(trade.trade_id)),
        )

    def flows(self, since: datetime) -> Sequence[Flow]:
        """None: the advisor tells of no deposits."""
        return []

    # --- sending --------------------------------------------------------------------------------

    def submit(self, request: OrderRequest) -> OrderReport:
        """Put one order into the box. Raises as the port says."""
        known = self._parts(request.client_id)
        if not known:
            known = self._put(request)
        return self._answer(self._awaited(known, lambda part: part.is_answered))

    def _put(self, request: OrderRequest) -> Sequence[BoxOrder]:
        """Commit an order that was never sent. Raises OrderRejected, AccessDenied,
        BrokerUnavailable: surely not sent."""
        listed = self._listing(request.symbol)
        if request.time_in_force is not TimeInForce.GTC:
            raise OrderRejected(f"{request.symbol}: {NAME} places orders that last for ever.")
        quantity = check(request, listed, self.capabilities)
        terminal = self._link.trading()
        parts = self._closing(request, quantity, terminal) or [Part(quantity)]
        if len(parts) > MOST_PARTS:
            raise OrderRejected(f"{request.symbol}: more than {MOST_PARTS} positions would close.")
        now, tag = self._link.clock.now(), tag_of(request.client_id)
        orders = [
            BoxOrder(
                id=f"{self._link.account}.{self._link.magic}.{part_of(tag, number, len(parts))}",
                account=self._link.account,
                magic=self._link.magic,
                account_id=self.account_id,
                client_id=request.client_id,
                part=number,
                parts=len(parts),
                comment=part_of(tag, number, len(parts)),
                symbol=request.symbol,
                side=request.side,
                type=request.type,
                lots=plain(part.units / listed.contract),
                contract=listed.contract,
                price=request.price,
                stop_price=request.stop_price,
                position=str(part.position) if part.position else "",
                reduces=request.reduce_only and request.type is OrderType.MARKET,
                valid_until=None if request.reduce_only else now + ENTRY_FOR,
                created_at=now,
                touched_at=now,
            )
            for number, part in enumerate(parts, 1)
        ]
        self._link.terminals.post(*orders)
        return orders

    def _closing(
        self, request: OrderRequest, quantity: Decimal, terminal: Terminal
    ) -> list[Part] | None:
        """What an order that reduces closes: by positions where each stands for itself, at most
        what is held. None for one that opens. Raises OrderRejected when there is nothing."""
        if not request.reduce_only:
            return None
        _base, contract = self._base_of(request.symbol)
        parts = []
        for held in sorted(terminal.positions or (), key=lambda each: (each.time, each.ticket)):
            is_ours = not self._link.is_hedging or held.magic == self._link.magic
            if held.symbol == request.symbol and held.side is not request.side and is_ours:
                taken = min(plain(held.lots * contract), quantity)
                if taken > 0:
                    parts.append(Part(taken, int(held.ticket) if self._link.is_hedging else 0))
                    quantity -= taken
        if not parts:
            raise OrderRejected(f"{request.symbol}: there is nothing left to reduce.")
        return parts

    def submit_oco(self, request: OcoRequest) -> tuple[OrderReport, OrderReport]:
        """Refused: MetaTrader has no pairs of orders."""
        raise OrderRejected(
            "MetaTrader takes no pairs of orders; the engine watches one of the two."
        )

    def _answer(self, parts: Sequence[BoxOrder]) -> OrderReport:
        """What became of an order. Raises what it was refused with, OrderStateUnknown."""
        if all(part.end == "rejected" and not part.deals for part in parts):
            for part in parts:
                self._link.terminals.change(part.id, _refusal_told)
            raise refusal_of(parts[0])
        self._refuse_unknown(parts)
        return report_of(parts, self._currency())

    def _refuse_unknown(self, parts: Sequence[BoxOrder]) -> None:
        """Raises OrderStateUnknown while the terminal cannot say what became of an order."""
        unclear = [part for part in parts if part.is_open and part.unknown_since]
        if unclear:
            first = unclear[0]
            raise OrderStateUnknown(
                f"The terminal cannot say yet what became of {first.client_id}"
                f" (return code {first.retcode}: {first.reason or 'no words'})."
            )

    def _awaited(
        self, parts: Sequence[BoxOrder], is_done: Callable[[BoxOrder], bool]
    ) -> Sequence[BoxOrder]:
        """The order after the advisor has answered, or after all patience."""
        left_s = self._patience_s
        while left_s > 0 and not all(is_done(part) for part in parts):
            self._wait(min(LOOK_S, left_s))
            left_s -= LOOK_S
            parts = self._parts(parts[0].client_id)
        return parts

    # --- asking ---------------------------------------------------------------------------------

    def cancel(self, client_id: str, symbol: str) -> OrderReport:
        """Take back what is left: at once what no advisor has fetched, else as soon as it does.
        Raises NotFound, BrokerUnavailable."""
        parts = self._parts(client_id)
        if not parts:
            raise NotFound(f"{NAME} has no order '{client_id}'.")
        if any(part.is_open and not part.is_cancel_wanted for part in parts):
            now = self._link.clock.now()
            parts = self._awaited(
                [
                    self._link.terminals.change(part.id, lambda order: order.wanted_back(now))
                    for part in parts
                ],
                lambda part: not part.is_open,
            )  # asked again, it is told how that stands, without a wait
        return report_of(parts, self._currency())

    def find_order(self, client_id: str, symbol: str) -> OrderReport | None:
        """The order as it stands in the box. Raises OrderStateUnknown while the terminal cannot
        say; None for one that is not there, or was refused at once."""
        parts = self._parts(client_id)
        if not parts or all(part.is_refusal_told for part in parts):
            return None
        self._refuse_unknown(parts)
        return report_of(parts, self._currency())

    def open_orders(self, symbol: str | None = None) -> Sequence[OrderReport]:
        """Our orders that have not ended; the advisor tells of no others."""
        currency, reports = self._currency(), []
        for client_id in by_client_id(self._link.terminals.working(self.account_id)):
            parts = self._parts(client_id)
            is_wanted = symbol in (None, parts[0].symbol)
            if is_wanted and any(part.is_open for part in parts):
                reports.append(report_of(parts, currency))
        return reports

    def _parts(self, client_id: str) -> Sequence[BoxOrder]:
        """An order, let go by now if nobody fetched it in time."""
        now = self._link.clock.now()
        return [
            part if part.aged(now) == part
            else self._link.terminals.change(part.id, lambda order: order.aged(now))
            for part in self._link.terminals.parts(self.account_id, client_id)
        ]  # fmt: skip

    def _currency(self) -> str:
        """Of the account, as told last: the box is read while the advisor is silent, too."""
        terminal = self._link.terminals.terminal(self._link.account)
        if terminal is None or terminal.state is None:
            return self._link.state().currency  # says what is missing
        return terminal.state.currency

    def _facts(self, symbol: str) -> SymbolFacts:
        """Raises NotFound for a symbol whose rules are not known."""
        price = self._link.terminals.price(self._link.account, symbol)
        if price is None or price.facts is None:
            raise NotFound(f"{NAME} does not send the rules of '{symbol}'.", field="symbol")
        return price.facts

    def _listing(self, symbol: str) -> Listing:
        """The symbol of a new order. Raises OrderRejected."""
        try:
            return _listing(self._market.instrument(symbol), self._facts(symbol))
        except NotFound as error:
            raise OrderRejected(error.message, field="symbol") from error


def _listing(instrument: Instrument, facts: SymbolFacts) -> Listing:
    """The advisor chooses by itself how an order is filled."""
    return Listing(
        instrument=instrument, contract=facts.contract_size, digits=facts.digits,
        point=facts.point, execution=0, filling=0, trade_mode=0,
    )  # fmt: skip


def _refusal_told(order: BoxOrder) -> BoxOrder:
    return order.model_copy(update={"is_refusal_told": True})


def _earlier(moment: datetime) -> datetime:
    """An order is touched after its deals."""
    try:
        return moment - LATE
    except OverflowError:
        return moment
