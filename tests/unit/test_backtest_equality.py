"""Three ways to one result: the compiled loop, the exact booking, and a plain loop written here."""

from dataclasses import dataclass, field
from decimal import Decimal as D

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.backtest import Leg, backtest
from engine.domain.backtests import LONG, BacktestResult, BacktestTerms
from engine.domain.bots import Direction, ExitRules, RoiStep
from engine.domain.candles import Bar, Candles
from engine.domain.exact_backtest import exact_backtest
from engine.domain.strategy import Signals
from tests.support.plans import candles_of

TICK = D("0.01")


def walk(seed: int, count: int, volume: float) -> Candles:
    """Candles of a lively random walk, on the tick."""
    random = np.random.default_rng(seed)
    close = np.round(100 * np.exp(np.cumsum(random.normal(0, 0.01, count))), 2)
    opened = np.round(np.r_[100.0, close[:-1]] * (1 + random.normal(0, 0.003, count)), 2)
    high = np.round(np.maximum(opened, close) * (1 + np.abs(random.normal(0, 0.005, count))), 2)
    low = np.round(np.minimum(opened, close) * (1 - np.abs(random.normal(0, 0.005, count))), 2)
    return candles_of(list(zip(opened, high, low, close, strict=True)), volume)


def chances(seed: int, count: int, share: float, *, has_size: bool) -> Signals:
    """Signals at random."""
    random = np.random.default_rng(seed)
    long, out, short, back = (random.random(count) < share for _ in range(4))
    size = np.round(random.uniform(0.1, 1.0, count), 3) if has_size else None
    return Signals(long, out, short, back, size=size)


FRACTIONS = st.none() | st.integers(5, 60).map(lambda n: D(n) / 1000)
ROI = st.sampled_from([
    (),
    (RoiStep(after_s=0, profit=D("0.02")), RoiStep(after_s=600, profit=D("0"))),
    (RoiStep(after_s=300, profit=D("0.01")), RoiStep(after_s=900, profit=D("-0.01"))),
])  # fmt: skip
EXITS = st.builds(
    ExitRules, stop_loss=FRACTIONS, take_profit=FRACTIONS, trailing_stop=FRACTIONS,
    time_limit_s=st.none() | st.sampled_from([60, 600, 1800]), roi_steps=ROI,
)  # fmt: skip
TERMS = st.builds(
    BacktestTerms,
    amount=st.none() | st.just(D(1_000)), reinvest=st.booleans(),
    direction=st.sampled_from(Direction), can_short=st.booleans(), max_entries=st.integers(1, 3),
    fee_bps=st.sampled_from([D(0), D(10)]), slippage_bps=st.sampled_from([D(0), D(7)]),
    spread_bps=st.sampled_from([D(0), D(4)]), price_tick=st.just(TICK),
    quantity_step=st.sampled_from([D("1e-8"), D("0.01")]),
    min_notional=st.sampled_from([D(0), D(10)]),
    volume_cap=st.none() | st.just(D("0.25")), exits=EXITS,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(terms=TERMS, seed=st.integers(0, 10_000), share=st.sampled_from([0.02, 0.1, 0.4]),
       volume=st.sampled_from([0.0, 40.0, 400.0]), has_size=st.booleans())  # fmt: skip
def test_the_loop_and_the_exact_booking_agree(
    terms: BacktestTerms, seed: int, share: float, volume: float, has_size: bool
) -> None:
    leg = Leg("ABC/USDT", walk(seed, 150, volume), chances(seed, 150, share, has_size=has_size))
    fast, exact = backtest([leg], terms), exact_backtest(leg, terms)
    same_events(fast, exact)
    scale = float(terms.cash)
    for name in ("quantity", "entry_value", "fees", "pnl"):
        np.testing.assert_allclose(getattr(fast.trades, name), getattr(exact.trades, name),
                                   rtol=1e-3, atol=scale * 1e-4, err_msg=name)  # fmt: skip
    np.testing.assert_allclose(fast.equity, exact.equity, rtol=1e-3)


@settings(max_examples=100, deadline=None)
@given(terms=TERMS, seed=st.integers(0, 10_000), share=st.sampled_from([0.05, 0.3]))
def test_the_account_adds_up(terms: BacktestTerms, seed: int, share: float) -> None:
    """At the end the equity is the cash, what was realised and what is open; every trade's profit
    is what its prices say, to the last digit where the booking is exact."""
    leg = Leg("ABC/USDT", walk(seed, 120, 0.0), chances(seed, 120, share, has_size=True))
    result = exact_backtest(leg, terms)
    open_pnl = sum(held.unrealised_pnl for held in result.open_positions)
    total = float(terms.cash) + result.trades.pnl.sum() + open_pnl
    assert result.equity[-1] == pytest.approx(total, rel=1e-12)
    for trade in result.exact_trades:
        gross = trade.exit_value - trade.entry_value
        assert trade.pnl == (gross if trade.side.value == "long" else -gross) - trade.fees
        assert trade.exit_time >= trade.entry_time


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.sampled_from([0.03, 0.1, 0.4]),
       stop=FRACTIONS, target=FRACTIONS, fee=st.sampled_from([0, 10]),
       direction=st.sampled_from(Direction))  # fmt: skip
def test_the_plain_defaults_agree_with_a_plain_loop(
    seed: int, share: float, stop: D | None, target: D | None, fee: int, direction: Direction
) -> None:
    candles = walk(seed, 200, 0.0)
    signals = chances(seed, 200, share, has_size=False)
    exits = ExitRules(stop_loss=stop, take_profit=target)
    terms = BacktestTerms(fee_bps=D(fee), exits=exits, direction=direction)
    result = backtest([Leg("ABC", candles, signals)], terms)
    plain = PlainLoop(candles, signals, direction, fee / 10_000, float(stop or 0),
                      float(target or 0))  # fmt: skip
    plain.run()
    table = result.trades
    found = list(zip(table.side, table.entry_index, table.exit_index, strict=True))
    assert [tuple(map(int, row)) for row in found] == [trade[:3] for trade in plain.trades]
    profits = [trade[3] for trade in plain.trades]
    np.testing.assert_allclose(table.pnl, profits, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(result.equity, plain.equity, rtol=1e-9)


def same_events(one: BacktestResult, other: BacktestResult) -> None:
    """The same trades at the same bars, for the same reasons."""
    for name in ("side", "entry_index", "exit_index", "entry_count", "reason"):
        left, right = getattr(one.trades, name), getattr(other.trades, name)
        assert left.tolist() == right.tolist(), name
    np.testing.assert_allclose(one.trades.entry_price, other.trades.entry_price, rtol=1e-3)
    np.testing.assert_allclose(one.trades.exit_price, other.trades.exit_price, rtol=1e-3)
    assert [held.entry_index for held in one.open_positions] == [
        held.entry_index for held in other.open_positions
    ]
    assert dict(one.refused) == dict(other.refused)


@dataclass
class PlainLoop:
    """The rules of the defaults as one would write them down, a bar after the other."""

    candles: Candles
    signals: Signals
    direction: Direction
    fee: float
    stop: float
    target: float
    side: int = 0
    cash: float = 10_000.0
    quantity: float = 0.0
    entry: float = 0.0
    entered: int = 0
    trades: list[tuple[int, int, int, float]] = field(default_factory=list)
    equity: list[float] = field(default_factory=list)

    def run(self) -> None:
        """Every bar: fills at the open, levels, the decision at the close."""
        wanted, is_leaving = 0, False
        for i in range(len(self.candles)):
            bar = self.candles.bar(i)
            if is_leaving and self.side:
                self._leave(i, bar.open)
            if wanted and not self.side and self.cash > 0:
                self.side, self.entry, self.entered = wanted, bar.open, i
                unit = bar.open * (1 + (self.fee if wanted == LONG else 0))
                self.quantity = self.cash / unit
            if self.side:
                self._levels(i, bar)
            held = 0.0
            if self.side:
                move = self.side * (bar.close - self.entry) - self.fee * self.entry
                held = self.quantity * move
            self.equity.append(self.cash + held)
            wanted, is_leaving = self._wants(i)

    def _leave(self, i: int, price: float) -> None:
        fees = self.fee * self.quantity * (price + self.entry)
        pnl = self.side * self.quantity * (price - self.entry) - fees
        self.trades.append((self.side, self.entered, i, pnl))
        self.cash, self.side = self.cash + pnl, 0

    def _levels(self, i: int, bar: Bar) -> None:
        side, nowhere = self.side, float("nan")
        stop = self.entry * (1 - side * self.stop) if self.stop else nowhere
        target = self.entry * (1 + side * self.target) if self.target else nowhere
        worst, best = (bar.low, bar.high) if side == LONG else (bar.high, bar.low)
        if side * (bar.open - stop) <= 0 or side * (bar.open - target) >= 0:
            self._leave(i, bar.open)
        elif side * (worst - stop) <= 0:
            self._leave(i, stop)
        elif side * (best - target) >= 0:
            self._leave(i, target)

    def _wants(self, i: int) -> tuple[int, bool]:
        """The side to enter at the next open, and whether to leave first."""
        signals, side = self.signals, self.side
        both = bool(signals.enter_long[i] and signals.enter_short[i])
        is_long = bool(signals.enter_long[i]) and not both
        is_short = bool(signals.enter_short[i]) and not both
        is_long = is_long and self.direction is not Direction.SHORT
        is_short = is_short and self.direction is not Direction.LONG
        if side == 1 and (signals.exit_long[i] or is_short):
            return (-1 if is_short else 0), True
        if side == -1 and (signals.exit_short[i] or is_long):
            return (1 if is_long else 0), True
        if side:
            return 0, False
        return (1 if is_long else -1 if is_short else 0), False
