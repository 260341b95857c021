"""Random orders, cancels, bars and restarts: the paper account's sums stay exact."""

from decimal import Decimal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.adapters.brokers.paper import PaperBroker
from engine.domain.money import ZERO
from engine.domain.orders import (
    NEEDS_PRICE,
    NEEDS_STOP_PRICE,
    TERMINAL,
    OrderReport,
    OrderRequest,
    OrderType,
    Side,
    TimeInForce,
)
from engine.errors import OrderRejected
from tests.fakes.market import BTC, INSTRUMENTS, SPOT, FakeMarket
from tests.fakes.paper_book import FakePaperBook

OPENING = Decimal(10_000)
SYMBOLS = st.sampled_from([BTC.symbol, SPOT.symbol])
TICKS = st.integers(min_value=5_000, max_value=15_000)
STEPS = st.integers(min_value=0, max_value=3_000_000)
VOLUMES = st.sampled_from(["0", "0.00003", "1.5", "8", "400"])


class PaperAccount(RuleBasedStateMachine):
    """One paper account over a market moved at random."""

    def __init__(self) -> None:
        super().__init__()
        self.market = FakeMarket()
        self.book = FakePaperBook()
        for instrument in INSTRUMENTS:
            self.market.set_price(instrument.symbol, "100", volume="8")
        self.reports: dict[str, OrderReport] = {}
        self.sent = 0
        self.reopen()

    @rule()
    def reopen(self) -> None:
        self.broker = PaperBroker("paper:x", self.market, self.book, opening_balance=OPENING)

    @rule(
        symbol=SYMBOLS, side=st.sampled_from(list(Side)), type_=st.sampled_from(list(OrderType)),
        steps=STEPS, ticks=TICKS, stop=TICKS, trail=st.integers(min_value=1, max_value=3_000),
        lasting=st.sampled_from(TimeInForce), reduce_only=st.sampled_from([False, False, True]),
        is_amount=st.booleans(),
    )  # fmt: skip
    def submit(
        self, symbol: str, side: Side, type_: OrderType, steps: int, ticks: int, stop: int,
        trail: int, lasting: TimeInForce, reduce_only: bool, is_amount: bool,
    ) -> None:  # fmt: skip
        self.sent += 1
        quantity = (steps + 1) * BTC.quantity_step
        request = OrderRequest(
            client_id=f"c{self.sent}",
            symbol=symbol,
            side=side,
            type=type_,
            quantity=None if is_amount else quantity,
            quote_amount=quantity * 100 if is_amount else None,
            price=ticks * BTC.price_tick if type_ in NEEDS_PRICE else None,
            stop_price=stop * BTC.price_tick if type_ in NEEDS_STOP_PRICE else None,
            trail_bps=Decimal(trail) if type_ is OrderType.TRAILING_STOP else None,
            time_in_force=lasting,
            reduce_only=reduce_only,
        )
        before = self.broker.balances()
        try:
            report = self.broker.submit(request)
        except OrderRejected:
            assert self.broker.balances() == before
            assert self.broker.find_order(request.client_id, symbol) is None
        else:
            assert self.broker.submit(request) == report
            self._saw(report)

    @precondition(lambda self: self.reports)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        report = self.reports[data.draw(st.sampled_from(sorted(self.reports)))]
        self._saw(self.broker.cancel(report.client_id, report.symbol))
        assert self.reports[report.client_id].state in TERMINAL

    @rule(symbol=SYMBOLS, prices=st.lists(TICKS, min_size=4, max_size=4), volume=VOLUMES)
    def bar(self, symbol: str, prices: list[int], volume: str) -> None:
        opened, closed, *rest = (ticks / 100 for ticks in prices)
        extremes = (opened, closed, *rest)
        self.market.add_bar(symbol, opened, max(extremes), min(extremes), closed, float(volume))
        self.market.set_price(symbol, str(closed), volume=volume)

    @rule()
    def look(self) -> None:
        working = {report.client_id for report in self.broker.open_orders()}
        for client_id, known in list(self.reports.items()):
            report = self.broker.find_order(client_id, known.symbol)
            assert report is not None
            self._saw(report)
            assert (report.state not in TERMINAL) == (client_id in working)

    def _saw(self, report: OrderReport) -> None:
        """Keep the newest report; an order never goes back, and ended orders rest."""
        before = self.reports.get(report.client_id)
        if before is not None:
            assert report.fills[: len(before.fills)] == before.fills
            assert before.state not in TERMINAL or report == before
        self.reports[report.client_id] = report

    @invariant()
    def sums_are_exact(self) -> None:
        stored = [order.report for order in self.book.orders.values()]
        expected = {"USDT": OPENING, "BTC": ZERO, "ETH": ZERO}
        for report in stored:
            sign = 1 if report.side is Side.BUY else -1
            for fill in report.fills:
                expected["USDT"] -= sign * fill.price * fill.quantity + fill.fee
                expected[report.symbol.partition("/")[0]] += sign * fill.quantity
        balances = self.broker.balances()
        totals = {asset: balances[asset].total if asset in balances else ZERO for asset in expected}
        assert totals == expected

    @invariant()
    def nothing_is_overdrawn(self) -> None:
        for asset, balance in self.broker.balances().items():
            assert balance.locked >= 0
            assert balance.free >= 0 or asset == BTC.base
        rows = self.book.rows["paper:x"]
        locked = sum((row.locked for row in rows.values()), ZERO)
        working = [o for o in self.book.orders.values() if o.report.state not in TERMINAL]
        assert locked == sum((order.locked_amount for order in working), ZERO)

    @invariant()
    def fills_add_up_on_the_grid(self) -> None:
        seen: set[str] = set()
        for order in self.book.orders.values():
            report = order.report
            assert report.filled == sum((fill.quantity for fill in report.fills), ZERO)
            assert report.filled <= report.quantity
            for fill in report.fills:
                assert fill.price % BTC.price_tick == 0
                assert fill.quantity % BTC.quantity_step == 0
                assert fill.trade_id not in seen
                seen.add(fill.trade_id)


TestPaperAccount = PaperAccount.TestCase
TestPaperAccount.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
