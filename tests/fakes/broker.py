"""A venue that does what a test tells it to, faults of the matrix by name."""

from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum

from engine.domain.money import ZERO, floor_to
from engine.domain.orders import OrderReport, OrderRequest, OrderState, VenueFill
from engine.errors import BrokerUnavailable, InsufficientFunds, OrderRejected, OrderStateUnknown
from engine.ports import Balance, BrokerCapabilities
from tests.fakes.clock import START


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


FILLED_SHARE: dict[Fault | None, Decimal] = {Fault.RESTS: ZERO, Fault.HALF: Decimal("0.5")}


class ScriptedBroker:
    """Fills at ``price`` at once unless ``faults`` says otherwise; ``sent`` lists every send."""

    def __init__(self, account_id: str = "paper:simulated", *, is_idempotent: bool = False) -> None:
        self.account_id = account_id
        self.capabilities = BrokerCapabilities(
            is_idempotent=is_idempotent, has_quote_amount=True, has_shorting=True, quiet_period_s=30
        )
        self.price = Decimal(100)
        self.faults: deque[Fault] = deque()
        self.sent: list[str] = []
        self.is_down = False
        self.orders: dict[str, OrderReport] = {}
        self.now = START

    def balances(self) -> Mapping[str, Balance]:
        """A fixed balance."""
        return {"USDT": Balance(asset="USDT", free=Decimal(100_000), locked=ZERO)}

    def submit(self, request: OrderRequest) -> OrderReport:
        """Record the send, then do what the next fault says."""
        self.sent.append(request.client_id)
        fault = self.faults.popleft() if self.faults else None
        if fault is Fault.REJECTED:
            raise OrderRejected("the venue does not like it")
        if fault is Fault.NO_FUNDS:
            raise InsufficientFunds("needs 100 USDT, has 3 USDT")
        if fault is Fault.NOT_SENT:
            raise BrokerUnavailable("no connection")
        if fault is Fault.LOST_BEFORE:
            raise OrderStateUnknown("timed out")
        report = self._accept(request, FILLED_SHARE.get(fault, Decimal(1)))
        if fault is Fault.LOST_AFTER:
            raise OrderStateUnknown("timed out")
        if fault is Fault.CRASHED:
            raise KeyError("orderId")
        return report

    def _accept(self, request: OrderRequest, share: Decimal) -> OrderReport:
        step = Decimal("0.00001")
        quantity = request.quantity or floor_to((request.quote_amount or ZERO) / self.price, step)
        report = OrderReport(
            client_id=request.client_id,
            venue_id=f"v{len(self.orders) + 1}",
            symbol=request.symbol,
            side=request.side,
            state=OrderState.OPEN,
            quantity=quantity,
        )
        self.orders[request.client_id] = report
        return self.fill(request.client_id, share) if share else report

    def fill(self, client_id: str, share: Decimal = Decimal(1)) -> OrderReport:
        """Fill a share of an order's quantity; the report after it."""
        report = self.orders[client_id]
        quantity = floor_to(report.quantity * share, Decimal("0.00001"))
        fill = VenueFill(
            trade_id=f"{client_id}-{len(report.fills) + 1}",
            price=self.price,
            quantity=min(quantity, report.quantity - report.filled),
            fee_asset="USDT",
            time=self.now,
        )
        filled = report.filled + fill.quantity
        is_done = filled == report.quantity
        report = report.model_copy(
            update={
                "fills": (*report.fills, fill),
                "filled": filled,
                "state": OrderState.FILLED if is_done else OrderState.PARTLY_FILLED,
            }
        )
        self.orders[client_id] = report
        return report

    def cancel(self, client_id: str, symbol: str) -> OrderReport:
        """Cancel what is left."""
        self._check_up()
        report = self.orders[client_id]
        if report.state is not OrderState.FILLED:
            report = report.model_copy(update={"state": OrderState.CANCELLED})
            self.orders[client_id] = report
        return report

    def find_order(self, client_id: str, symbol: str) -> OrderReport | None:
        """The order as it stands."""
        self._check_up()
        return self.orders.get(client_id)

    def open_orders(self, symbol: str | None = None) -> Sequence[OrderReport]:
        """Orders that are not done."""
        self._check_up()
        working = (OrderState.OPEN, OrderState.PARTLY_FILLED)
        return [report for report in self.orders.values() if report.state in working]

    def _check_up(self) -> None:
        if self.is_down:
            raise BrokerUnavailable("no connection")
