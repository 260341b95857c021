"""A venue that does what a test tells it to, faults of the matrix by name."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import partial

from engine.domain.accounts import Flow, fill_effect
from engine.domain.money import ONE, ZERO, floor_to
from engine.domain.orders import (
    Execution,
    OcoRequest,
    OrderReport,
    OrderRequest,
    OrderState,
    OrderType,
    Side,
    TimeInForce,
    VenueFill,
)
from engine.errors import (
    AccessDenied,
    BrokerUnavailable,
    InsufficientFunds,
    NotFound,
    OrderRejected,
    OrderStateUnknown,
)
from engine.ports import Balance, BrokerCapabilities
from tests.fakes.clock import START

STEP = Decimal("0.00001")
WORKING = frozenset({OrderState.OPEN, OrderState.PARTLY_FILLED})


class Fault(StrEnum):
    """What happens to the next order sent."""

    REJECTED = "refused for certain"
    NO_FUNDS = "insufficient balance"
    NOT_SENT = "could not connect"
    LOST_BEFORE = "timed out, and never arrived"
    LOST_AFTER = "timed out, but arrived"
    CRASHED = "an exception that nobody expected"
    RESTS = "accepted, not filled yet"
    HALF = "filled by half"


class VenueFault(StrEnum):
    """What venues do more rarely; each waits for the next call that it can happen to."""

    LANDS_LATE = "timed out, and arrives when the test calls land()"
    INVISIBLE = "timed out, but arrived; not listed until the test calls reveal()"
    DUPLICATE_ID = "refused: the client id is in use"
    DENIED = "the key is not accepted"
    STOP_REFUSED = "refused, since it has a trigger; other orders pass by"
    CANCEL_LOST = "a cancel timed out, and never arrived"
    CANCEL_LOST_AFTER = "a cancel timed out, but arrived"


AnyFault = Fault | VenueFault

OF_CANCELS = frozenset({VenueFault.CANCEL_LOST, VenueFault.CANCEL_LOST_AFTER})
FILLED_SHARE: dict[AnyFault | None, Decimal] = {Fault.RESTS: ZERO, Fault.HALF: Decimal("0.5")}

REFUSALS: dict[AnyFault, Callable[[], Exception]] = {
    Fault.REJECTED: partial(OrderRejected, "the venue does not like it"),
    Fault.NO_FUNDS: partial(InsufficientFunds, "needs 100 USDT, has 3 USDT"),
    Fault.NOT_SENT: partial(BrokerUnavailable, "no connection"),
    Fault.LOST_BEFORE: partial(OrderStateUnknown, "timed out"),
    VenueFault.DUPLICATE_ID: partial(OrderRejected, "the client id is in use"),
    VenueFault.DENIED: partial(AccessDenied, "invalid API key"),
    VenueFault.STOP_REFUSED: partial(OrderRejected, "stop orders are not accepted now"),
}
"""What is raised before anything is accepted."""

LOSSES: dict[AnyFault, Callable[[], Exception]] = {
    Fault.LOST_AFTER: partial(OrderStateUnknown, "timed out"),
    Fault.CRASHED: partial(KeyError, "orderId"),
    VenueFault.INVISIBLE: partial(OrderStateUnknown, "timed out"),
}
"""What is raised after the order was accepted."""


class ScriptedBroker:
    """Market orders fill at ``price`` at once, others rest until ``fill`` or ``trigger`` is
    called, unless ``faults`` says otherwise.

    ``sent`` lists the client id of every order sent, ``requests`` what was sent, ``orders`` what
    arrived, ``trades`` every execution, ``held`` what the account has of each asset; the balance
    is not checked. ``fee_rate`` of each fill is taken in ``fee_asset``.
    """

    def __init__(
        self,
        account_id: str = "paper:simulated",
        *,
        is_idempotent: bool = False,
        has_oco: bool = False,
        caps_reducing: bool = True,
        held: Mapping[str, Decimal] | None = None,
    ) -> None:
        self.account_id = account_id
        self.capabilities = BrokerCapabilities(
            is_idempotent=is_idempotent, has_quote_amount=True, has_shorting=True,
            quiet_period_s=30, times_in_force=frozenset(TimeInForce), has_oco=has_oco,
            caps_reducing=caps_reducing,
        )  # fmt: skip
        self.price = Decimal(100)
        self.fee_rate, self.fee_asset = ZERO, "USDT"
        self.faults: deque[AnyFault] = deque()
        self.sent: list[str] = []
        self.requests: list[OrderRequest] = []
        self.cancels: list[str] = []
        self.is_down = False
        self.is_denied = False
        self.orders: dict[str, OrderReport] = {}
        self.held: dict[str, Decimal] = dict(held or {"USDT": Decimal(100_000)})
        self.trades: list[Execution] = []
        self.tells_client_ids = True  # whether the list of trades does
        self.flow_list: list[Flow] = []
        self.under_way: list[OrderRequest] = []
        self.hidden: set[str] = set()
        self.hides_trades = False  # of hidden orders, too
        self.now = START
        self._siblings: dict[str, str] = {}

    # --- the port ------------------------------------------------------------------------------

    def balances(self) -> Mapping[str, Balance]:
        """What is held; resting orders lock what they would sell or spend, as far as it is held."""
        self._check_up()
        locked: dict[str, Decimal] = {}
        for report in self.orders.values():
            base, _, quote = report.symbol.partition("/")
            if report.state in WORKING:
                left = report.quantity - report.filled
                is_buy = report.side is Side.BUY
                unit = report.price or report.stop_price or self.price
                asset, amount = (quote, left * unit) if is_buy else (base, left)
                locked[asset] = locked.get(asset, ZERO) + amount
        shown: dict[str, Balance] = {}
        for asset, total in self.held.items():
            kept = min(locked.get(asset, ZERO), max(total, ZERO))
            shown[asset] = Balance(asset=asset, free=total - kept, locked=kept)
        return shown

    def submit(self, request: OrderRequest) -> OrderReport:
        """Record the send, then do what the next fault says."""
        self._record(request)
        fault = self._next_fault(request)
        if fault is VenueFault.LANDS_LATE:
            self.under_way.append(request)
            raise OrderStateUnknown("timed out")
        report = self._accept(request, fault)
        if fault is VenueFault.INVISIBLE:
            self.hidden.add(request.client_id)
        if fault in LOSSES:
            raise LOSSES[fault]()
        return report

    def submit_oco(self, request: OcoRequest) -> tuple[OrderReport, OrderReport]:
        """Both rest, or neither is taken; a fault happens to the pair."""
        if not self.capabilities.has_oco:
            raise OrderRejected("OCO orders are not known here")
        legs = (request.limit, request.stop)
        self._record(*legs)
        fault = self._next_fault(*legs)
        if fault is VenueFault.LANDS_LATE:
            self.under_way.extend(legs)
            self._tie(request)
            raise OrderStateUnknown("timed out")
        limit, stop = (self._accept(leg, None) for leg in legs)
        self._tie(request)
        if fault is VenueFault.INVISIBLE:
            self.hidden.update(leg.client_id for leg in legs)
        if fault in LOSSES:
            raise LOSSES[fault]()
        return limit, stop

    def cancel(self, client_id: str, symbol: str) -> OrderReport:
        """Cancel what is left; of a pair, both. Raises NotFound."""
        self.cancels.append(client_id)
        self._check_up()
        fault = next((fault for fault in self.faults if fault in OF_CANCELS), None)
        if fault is not None:
            self.faults.remove(fault)
        if fault is VenueFault.CANCEL_LOST:
            raise OrderStateUnknown("timed out")
        if client_id not in self.orders or client_id in self.hidden:
            raise NotFound(f"there is no order {client_id}")
        self._end(client_id)
        self._end_sibling(client_id)
        if fault is VenueFault.CANCEL_LOST_AFTER:
            raise OrderStateUnknown("timed out")
        return self.orders[client_id]

    def find_order(self, client_id: str, symbol: str) -> OrderReport | None:
        """The order as it stands."""
        self._check_up()
        return None if client_id in self.hidden else self.orders.get(client_id)

    def open_orders(self, symbol: str | None = None) -> Sequence[OrderReport]:
        """Orders that are not done."""
        self._check_up()
        return [
            report
            for client_id, report in self.orders.items()
            if report.state in WORKING
            and symbol in (None, report.symbol)
            and client_id not in self.hidden
        ]

    def executions(self, symbol: str, since: datetime) -> Sequence[Execution]:
        """All trades in the order they happened."""
        self._check_up()
        hidden = self.hidden if self.hides_trades else set()
        found = [
            trade
            for trade in self.trades
            if trade.symbol == symbol and trade.time >= since and trade.client_id not in hidden
        ]
        if self.tells_client_ids:
            return found
        return [trade.model_copy(update={"client_id": ""}) for trade in found]

    def flows(self, since: datetime) -> Sequence[Flow]:
        """Those of ``flow_list``."""
        self._check_up()
        return [flow for flow in self.flow_list if flow.time >= since]

    # --- by hand -------------------------------------------------------------------------------

    def fill(
        self, client_id: str, share: Decimal = ONE, price: Decimal | None = None
    ) -> OrderReport:
        """Fill a share of an order's quantity, at ``self.price`` unless told; ends its sibling."""
        report = self.orders[client_id]
        quantity = min(floor_to(report.quantity * share, STEP), report.quantity - report.filled)
        fill = self._traded(report, quantity, price or self.price)
        filled = report.filled + quantity
        is_done = filled == report.quantity
        self.orders[client_id] = report.model_copy(
            update={
                "fills": (*report.fills, fill),
                "filled": filled,
                "state": OrderState.FILLED if is_done else OrderState.PARTLY_FILLED,
            }
        )
        self._end_sibling(client_id)
        return self.orders[client_id]

    def trigger(self, client_id: str) -> OrderReport:
        """The market reached the order's level: it fills there, whole."""
        report = self.orders[client_id]
        return self.fill(client_id, price=report.price or report.stop_price)

    def land(self) -> list[OrderReport]:
        """Let everything arrive that is still under way."""
        arrived, self.under_way = self.under_way, []
        return [self._accept(request, None) for request in arrived]

    def reveal(self) -> None:
        """List what was hidden."""
        self.hidden.clear()

    def foreign(self, request: OrderRequest) -> OrderReport:
        """An order that a person places on the account elsewhere; not in ``sent``."""
        return self._accept(request, None)

    # --- inside --------------------------------------------------------------------------------

    def _record(self, *requests: OrderRequest) -> None:
        self.sent.extend(request.client_id for request in requests)
        self.requests.extend(requests)
        self._check_up()

    def _next_fault(self, *requests: OrderRequest) -> AnyFault | None:
        """Take the first fault that can happen to the order, and raise it if it is a refusal."""
        has_trigger = any(request.stop_price or request.trail_bps for request in requests)
        skipped = OF_CANCELS if has_trigger else OF_CANCELS | {VenueFault.STOP_REFUSED}
        fault = next((fault for fault in self.faults if fault not in skipped), None)
        if fault is not None:
            self.faults.remove(fault)
        if fault in REFUSALS:
            raise REFUSALS[fault]()
        return fault

    def _accept(self, request: OrderRequest, fault: AnyFault | None) -> OrderReport:
        known = self.orders.get(request.client_id)
        if known is not None and self.capabilities.is_idempotent:
            return known
        if known is not None and known.state in WORKING:
            raise REFUSALS[VenueFault.DUPLICATE_ID]()
        quantity = request.quantity or floor_to((request.quote_amount or ZERO) / self.price, STEP)
        report = OrderReport(
            client_id=request.client_id,
            venue_id=f"v{len(self.orders) + 1}",
            symbol=request.symbol,
            side=request.side,
            state=OrderState.OPEN,
            quantity=quantity,
            type=request.type,
            price=request.price,
            stop_price=request.stop_price,
            created_at=self.now,
        )
        self.orders[request.client_id] = report
        share = FILLED_SHARE.get(fault, ONE if request.type is OrderType.MARKET else ZERO)
        return self.fill(request.client_id, share) if share else report

    def _traded(self, report: OrderReport, quantity: Decimal, price: Decimal) -> VenueFill:
        """Book one execution in ``held`` and ``trades``."""
        base, _, quote = report.symbol.partition("/")
        value = quantity if self.fee_asset == base else quantity * price
        fill = VenueFill(
            trade_id=f"{report.client_id}-{len(self.trades) + 1}",
            price=price,
            quantity=quantity,
            fee=value * self.fee_rate,
            fee_asset=self.fee_asset,
            time=self.now,
        )
        effect = fill_effect(report.side, base, quote, price, quantity, fill.fee, fill.fee_asset)
        for asset, amount in effect.items():
            self.held[asset] = self.held.get(asset, ZERO) + amount
        self.trades.append(
            Execution(
                **fill.model_dump(),
                symbol=report.symbol,
                side=report.side,
                venue_id=report.venue_id,
                client_id=report.client_id,
            )
        )
        return fill

    def _tie(self, request: OcoRequest) -> None:
        limit, stop = request.limit.client_id, request.stop.client_id
        self._siblings |= {limit: stop, stop: limit}

    def _end_sibling(self, client_id: str) -> None:
        if client_id in self._siblings:
            self._end(self._siblings[client_id])

    def _end(self, client_id: str) -> None:
        report = self.orders[client_id]
        if report.state in WORKING:
            cancelled = report.model_copy(update={"state": OrderState.CANCELLED})
            self.orders[client_id] = cancelled

    def _check_up(self) -> None:
        if self.is_down:
            raise BrokerUnavailable("no connection")
        if self.is_denied:
            raise AccessDenied("invalid API key")
