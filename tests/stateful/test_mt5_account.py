"""Random orders, prices, lost answers and restarts on a MetaTrader account: its deals add up to
what it holds, and an order's story only goes forward."""

from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.domain.money import ZERO
from engine.domain.orders import TERMINAL, OrderReport, OrderRequest, OrderType, Side
from engine.errors import BrokerUnavailable, OrderRejected, OrderStateUnknown
from tests.contract.mt5_venue import local, opened
from tests.fakes.metatrader5 import CRYPTO, LOST

SYMBOLS = {CRYPTO: "BTC", "EURUSD": "EUR"}
LEVELS = st.integers(min_value=-30, max_value=30).filter(bool)
FAULTS: list[Any] = [10012, 10031, LOST]


class MetaTraderAccount(RuleBasedStateMachine):
    """One account, which only we trade on."""

    is_hedging = False

    def __init__(self) -> None:
        super().__init__()
        self.venue = local(is_hedging=self.is_hedging)
        self.world = self.venue.stand_in.world
        self.start = {name: self.world.symbols[name].price for name in SYMBOLS}
        self.sent: dict[str, str] = {}
        self.reports: dict[str, OrderReport] = {}

    @rule(
        symbol=st.sampled_from(list(SYMBOLS)), side=st.sampled_from(list(Side)),
        kind=st.sampled_from([OrderType.MARKET, OrderType.LIMIT, OrderType.STOP]),
        steps=st.integers(min_value=1, max_value=9), level=LEVELS, reduces=st.booleans(),
        fault=st.sampled_from([None, None, *FAULTS]),
    )  # fmt: skip
    def submit(
        self, symbol: str, side: Side, kind: OrderType, steps: int, level: int, reduces: bool,
        fault: Any,
    ) -> None:  # fmt: skip
        client_id = f"qd-1a2b3c4d-{1_764_000_000 + len(self.sent)}-e"
        instrument = self.venue.market.instrument(symbol)
        price = self.world.symbols[symbol].price + level * instrument.price_tick
        request = OrderRequest(
            client_id=client_id, symbol=symbol, side=side, type=kind, reduce_only=reduces,
            quantity=steps * instrument.quantity_step,
            price=price if kind is OrderType.LIMIT else None,
            stop_price=price if kind is OrderType.STOP else None,
        )  # fmt: skip
        accepted = self.venue.stand_in.trading.accepted_but
        accepted.extend([fault] if fault else [])
        self.sent[client_id] = symbol
        try:
            self._saw(self.venue.broker.submit(request))
        except OrderStateUnknown:
            assert self.venue.broker.find_order(client_id, symbol) is not None
        except OrderRejected:
            assert self.venue.broker.find_order(client_id, symbol) is None
            del self.sent[client_id]
        accepted.clear()

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        client_id = data.draw(st.sampled_from(sorted(self.sent)))
        report = self.venue.broker.cancel(client_id, self.sent[client_id])
        assert report.state in TERMINAL
        self._saw(report)

    @rule(symbol=st.sampled_from(list(SYMBOLS)), level=LEVELS)
    def move(self, symbol: str, level: int) -> None:
        point = self.world.symbols[symbol].point
        self.venue.clock.advance(1)
        self.world.set_price(symbol, self.start[symbol] + level * point)

    @rule()
    def start_the_terminal_again(self) -> None:
        self.venue.stand_in.crash()

    @rule()
    def start_the_engine_again(self) -> None:
        self.venue = opened(self.venue.stand_in, self.venue.clock, self.venue.terminal)

    @rule()
    def deals_are_late(self) -> None:
        self.world.hidden_deals = 1
        for client_id, symbol in self.sent.items():
            try:
                self.venue.broker.find_order(client_id, symbol)
            except BrokerUnavailable:
                continue
        self.world.hidden_deals = 0

    def _saw(self, report: OrderReport) -> None:
        before = self.reports.get(report.client_id)
        if before is not None:
            assert report.fills[: len(before.fills)] == before.fills
            assert before.state not in TERMINAL or report == before
        self.reports[report.client_id] = report

    @invariant()
    def orders_are_found_and_only_go_forward(self) -> None:
        working = {report.client_id for report in self.venue.broker.open_orders()}
        for client_id, symbol in self.sent.items():
            report = self.venue.broker.find_order(client_id, symbol)
            assert report is not None
            self._saw(report)
            assert (report.state not in TERMINAL) == (client_id in working)

    @invariant()
    def what_is_held_is_the_sum_of_the_fills(self) -> None:
        held = self.venue.broker.balances()
        for symbol, base in SYMBOLS.items():
            signed = [
                fill.quantity if report.side is Side.BUY else -fill.quantity
                for report in self.reports.values() if report.symbol == symbol
                for fill in report.fills
            ]  # fmt: skip
            total = held[base].total if base in held else ZERO
            assert total == sum(signed, ZERO)
            trades = self.venue.broker.executions(symbol, self.venue.clock.now().replace(year=2020))
            assert len(trades) == len(signed)

    @invariant()
    def exits_never_turn_a_position_round(self) -> None:
        assert all(balance.locked >= 0 for balance in self.venue.broker.balances().values())
        with_nothing = Decimal("0.001")
        request = OrderRequest(
            client_id="exit", symbol=CRYPTO, side=Side.BUY, quantity=with_nothing,
            reduce_only=True,
        )  # fmt: skip
        if not any(each.symbol == CRYPTO and each.type == 1 for each in self._positions()):
            try:
                self.venue.broker.submit(request)
            except OrderRejected:
                return
            raise AssertionError("an exit without a position was taken")

    def _positions(self) -> list[Any]:
        return list(self.world.positions.values())


class HedgingAccount(MetaTraderAccount):
    """The same, where every deal is a position."""

    is_hedging = True


_SETTINGS = settings(
    max_examples=12, stateful_step_count=12, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)  # fmt: skip
TestNetting = MetaTraderAccount.TestCase
TestNetting.settings = _SETTINGS
TestHedging = HedgingAccount.TestCase
TestHedging.settings = _SETTINGS
