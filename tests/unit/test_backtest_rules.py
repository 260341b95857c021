"""The rules of the backtest, each on bars that can be reckoned by hand."""

from collections.abc import Sequence
from decimal import Decimal as D
from typing import Any

import numpy as np
import pytest

from engine.domain.backtest import Leg, backtest
from engine.domain.backtests import BacktestResult, BacktestTerms, trade_rows
from engine.domain.bots import Direction, ExitRules, RoiStep
from engine.domain.candles import Candles, resample
from engine.domain.exact_backtest import exact_backtest, simulate
from tests.support.plans import BEGIN_MS, MINUTE_MS, candles_of, signals_of, terms_of

Bars = Sequence[tuple[float, ...]]
FLAT = (100.0, 100.0, 100.0, 100.0)


def run(bars: Bars, plan: str, *, exits: dict[str, Any] | None = None, volume: float = 0.0,
        is_exact: bool = False, **terms: Any) -> BacktestResult:  # fmt: skip
    """Simulate bars (open, high, low, close) and a plan such as ``0L 3l``."""
    rules = ExitRules(**({"stop_loss": None, "take_profit": None} | (exits or {})))
    candles = candles_of(bars, volume)
    leg = Leg("ABC/USDT", candles, signals_of(plan, len(bars)))
    if is_exact:
        return exact_backtest(leg, terms_of(exits=rules, **terms))
    return backtest([leg], BacktestTerms(exits=rules, **terms))


@pytest.fixture(params=[False, True], ids=["float", "exact"], autouse=True)
def both(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every rule holds for both ways of booking."""
    plain = run
    if request.param:
        monkeypatch.setitem(globals(), "run", lambda *a, **k: plain(*a, **(k | {"is_exact": True})))


def only(result: BacktestResult) -> dict[str, Any]:
    [row] = trade_rows(result)
    return row


def test_a_signal_fills_at_the_next_open_with_all_the_cash() -> None:
    bars = [FLAT, (200.0, 210.0, 190.0, 205.0), (220.0, 220.0, 220.0, 220.0), (250.0,) * 4]
    result = run(bars, "0L 2l")
    trade = only(result)
    assert (trade["entry_price"], trade["exit_price"]) == (200.0, 250.0)
    assert trade["quantity"] == 50.0
    assert trade["pnl"] == 2_500.0
    assert trade["entry_time"] == "2026-01-01T00:01:00Z"
    assert trade["exit_time"] == "2026-01-01T00:03:00Z"
    assert trade["exit_reason"] == "signal"
    assert result.equity.tolist() == [10_000.0, 10_250.0, 11_000.0, 12_500.0]


def test_the_fee_of_both_fills_comes_out_of_the_cash() -> None:
    bars = [FLAT, (100.0,) * 4, (110.0,) * 4, (110.0,) * 4]
    trade = only(run(bars, "0L 1l", fee_bps=D(100)))
    quantity = 10_000 / 101
    assert trade["quantity"] == pytest.approx(quantity, rel=1e-9)
    assert trade["fee"] == pytest.approx(quantity * (1.00 + 1.10), rel=1e-9)
    assert trade["pnl"] == pytest.approx(quantity * 10 - quantity * 2.10, rel=1e-7)


def test_slippage_and_half_the_spread_are_against_every_fill() -> None:
    bars = [FLAT, (100.0,) * 4, (100.0,) * 4]
    trade = only(run(bars, "0L 1l", slippage_bps=D(100), spread_bps=D(200)))
    assert trade["entry_price"] == pytest.approx(102.01)
    assert trade["exit_price"] == pytest.approx(98.01)


def test_an_order_of_the_last_candle_is_never_filled_and_nothing_is_forced_shut() -> None:
    bars = [FLAT, (100.0,) * 4, (110.0,) * 4]
    result = run(bars, "0L 2l")
    assert len(result.trades) == 0
    [held] = result.open_positions
    assert (held.quantity, held.entry_price, held.unrealised_pnl) == (100.0, 100.0, 1_000.0)
    assert run(bars, "2L").open_positions == ()


@pytest.mark.parametrize(
    ("bar", "reason", "price"),
    [
        ((100.0, 104.0, 98.0, 101.0), "stop_loss", 98.0),
        ((100.0, 105.0, 99.0, 101.0), "take_profit", 105.0),
        ((100.0, 106.0, 97.0, 101.0), "stop_loss", 98.0),
        ((95.0, 106.0, 94.0, 101.0), "stop_loss", 95.0),
        ((107.0, 108.0, 97.0, 101.0), "take_profit", 107.0),
    ],
    ids=[
        "stop",
        "target",
        "both touched: the stop",
        "gap through the stop",
        "gap through the target",
    ],
)
def test_levels_inside_a_bar(bar: tuple[float, ...], reason: str, price: float) -> None:
    bars = [FLAT, FLAT, bar, FLAT]
    trade = only(run(bars, "0L", exits={"stop_loss": D("0.02"), "take_profit": D("0.05")}))
    assert (trade["exit_reason"], trade["exit_price"]) == (reason, price)
    assert trade["exit_time"] == "2026-01-01T00:02:00Z"


def test_a_short_mirrors_all_of_it() -> None:
    bars = [FLAT, FLAT, (100.0, 103.0, 94.0, 100.0), FLAT]
    exits = {"stop_loss": D("0.02"), "take_profit": D("0.05")}
    trade = only(run(bars, "0S", exits=exits, direction=Direction.SHORT))
    assert (trade["side"], trade["exit_reason"], trade["exit_price"]) == ("short", "stop_loss", 102)
    assert trade["pnl"] == pytest.approx(-200.0)


def test_levels_count_from_the_bar_of_the_entry_on() -> None:
    bars = [FLAT, (100.0, 100.0, 97.0, 99.0), FLAT]
    trade = only(run(bars, "0L", exits={"stop_loss": D("0.02")}))
    assert trade["entry_time"] == trade["exit_time"] == "2026-01-01T00:01:00Z"
    assert trade["exit_price"] == 98.0


def test_a_trailing_stop_hangs_from_the_best_price_before_the_bar() -> None:
    bars = [FLAT, FLAT, (100.0, 120.0, 100.0, 118.0), (118.0, 119.0, 107.0, 110.0), FLAT]
    trade = only(run(bars, "0L", exits={"trailing_stop": D("0.1")}))
    assert (trade["exit_reason"], trade["exit_price"]) == ("trailing_stop", 108.0)
    assert trade["exit_time"] == "2026-01-01T00:03:00Z"


def test_a_time_limit_leaves_at_the_open_of_the_bar_that_reaches_it() -> None:
    bars = [FLAT, FLAT, FLAT, (101.0, 102.0, 100.0, 101.0), FLAT]
    trade = only(run(bars, "0L", exits={"time_limit_s": 120}))
    assert (trade["exit_reason"], trade["exit_price"]) == ("time_limit", 101.0)


def test_roi_steps_ask_for_less_as_a_position_gets_older() -> None:
    steps = (RoiStep(after_s=0, profit=D("0.1")), RoiStep(after_s=120, profit=D("0.01")))
    bars = [FLAT, (100.0, 105.0, 100.0, 100.0), (100.0, 105.0, 100.0, 100.0),
            (100.0, 105.0, 100.0, 100.0), FLAT]  # fmt: skip
    trade = only(run(bars, "0L", exits={"roi_steps": steps}))
    assert (trade["exit_reason"], trade["exit_price"]) == ("roi", 101.0)
    assert trade["exit_time"] == "2026-01-01T00:03:00Z"


def test_a_reversal_leaves_and_enters_at_one_open() -> None:
    bars = [FLAT, FLAT, (110.0,) * 4, (100.0,) * 4, (100.0,) * 4]
    result = run(bars, "0L 1S 2s", direction=Direction.BOTH)
    first, second = trade_rows(result)
    assert (first["side"], first["exit_price"], first["pnl"]) == ("long", 110.0, 1_000.0)
    assert (second["side"], second["entry_price"], second["pnl"]) == ("short", 110.0, 1_000.0)
    assert second["quantity"] == 100.0, "the proceeds of the first trade were used"


def test_further_entries_share_the_cash_and_leave_together() -> None:
    bars = [FLAT, FLAT, (200.0,) * 4, (400.0,) * 4, (400.0,) * 4]
    trade = only(run(bars, "0L 1L 2L 3l", max_entries=2))
    assert (trade["entry_count"], trade["quantity"]) == (2, 75.0)
    assert trade["entry_price"] == pytest.approx(10_000 / 75)
    assert trade["pnl"] == pytest.approx(20_000.0)


def test_without_reinvesting_every_entry_is_as_large_as_the_first() -> None:
    bars = [FLAT, FLAT, (200.0,) * 4, (200.0,) * 4, (200.0,) * 4]
    plan = "0L 1l 2L 3l"
    assert [row["quantity"] for row in trade_rows(run(bars, plan, amount=D(1_000)))] == [10.0, 10.0]
    result = run(bars, plan, amount=D(1_000), reinvest=False)
    assert [row["quantity"] for row in trade_rows(result)] == [10.0, 5.0]


def test_contradictory_entries_cancel_each_other_out() -> None:
    result = run([FLAT] * 4, "0L 0S", direction=Direction.BOTH)
    assert not result.open_positions and not len(result.trades)


def test_an_entry_below_the_minimum_is_refused_and_counted() -> None:
    result = run([FLAT] * 4, "0L 1L", cash=D(5), min_notional=D(10))
    assert dict(result.refused) == {"below the minimum": 2}
    assert result.equity.tolist() == [5.0] * 4


def test_a_volume_cap_fills_the_rest_at_the_next_opens() -> None:
    bars = [FLAT, FLAT, (110.0,) * 4, (120.0,) * 4, (120.0,) * 4]
    result = run(bars, "0L", volume=80.0, volume_cap=D("0.5"), cash=D(10_000))
    [held] = result.open_positions
    # 40 at 100 and 40 at 110; the 1,600 that are left buy 13.33 at 120.
    assert held.quantity == pytest.approx(40 + 40 + 1_600 / 120, rel=1e-7)


def test_finer_candles_tell_which_level_was_touched_first() -> None:
    fine = [FLAT, FLAT, FLAT, FLAT, (100.0, 106.0, 100.0, 100.0), (100.0, 100.0, 97.0, 100.0),
            FLAT, FLAT]  # fmt: skip
    small = candles_of(fine)
    large = resample(small, "3m")[:2]
    exits = ExitRules(stop_loss=D("0.02"), take_profit=D("0.05"))
    signals = signals_of("0L", len(large))
    coarse = backtest([Leg("ABC", large, signals)], BacktestTerms(exits=exits))
    assert only(coarse)["exit_reason"] == "stop_loss"
    inside = backtest([Leg("ABC", large, signals, small)], BacktestTerms(exits=exits))
    assert only(inside)["exit_reason"] == "take_profit"
    exact = exact_backtest(Leg("ABC", large, signals, small), terms_of(exits=exits))
    assert only(exact) == only(inside)


def test_several_symbols_share_one_account_and_exits_pay_for_entries() -> None:
    bars = [FLAT, FLAT, (200.0,) * 4, FLAT, FLAT]
    other = [(10.0,) * 4] * 5
    legs = [
        Leg("A", candles_of(bars), signals_of("0L 1l", 5)),
        Leg("B", candles_of(other), signals_of("0L 1L", 5)),
    ]
    result = backtest(legs, BacktestTerms())
    [trade] = trade_rows(result)
    assert (trade["symbol"], trade["quantity"], trade["pnl"]) == ("A", 50.0, 5_000.0)
    [held] = result.open_positions
    assert (held.symbol, held.quantity) == ("B", 500.0)
    assert result.equity.tolist() == [10_000.0, 10_000.0, 15_000.0, 15_000.0, 15_000.0]


def test_symbols_whose_candles_are_not_of_the_same_moments() -> None:
    first, second = candles_of([FLAT] * 6), candles_of([FLAT] * 6)
    holes = np.array([0, 1, 4, 5])
    gapped = Candles("1m", *(getattr(second, name)[holes] for name in
                             ("time", "open", "high", "low", "close", "volume")))  # fmt: skip
    legs = [Leg("A", first, signals_of("0L 3l", 6)), Leg("B", gapped, signals_of("1L 2l", 4))]
    table = backtest(legs, BacktestTerms()).trades
    assert table.symbol.tolist() == [0, 1]
    assert ((table.entry_ms - BEGIN_MS) // MINUTE_MS).tolist() == [1, 4]
    assert ((table.exit_ms - BEGIN_MS) // MINUTE_MS).tolist() == [4, 5]


def test_a_lost_account_enters_no_more() -> None:
    bars = [FLAT, FLAT, (300.0,) * 4, (300.0,) * 4, FLAT]
    result = run(bars, "0S 1s 2S", direction=Direction.SHORT)
    assert [row["pnl"] for row in trade_rows(result)] == [-20_000.0]
    assert result.refused, "nothing is left to enter with"
    assert not result.open_positions


def test_nothing_is_decided_while_a_strategy_warms_up() -> None:
    leg = Leg("ABC/USDT", candles_of([FLAT] * 5), signals_of("0L 1L 2l", 5), warmup=3)
    assert not simulate([leg], BacktestTerms()).open_positions
    assert simulate([leg], terms_of()).trades.pnl.tolist() == []


def test_no_candles_and_signals_that_do_not_fit_are_refused() -> None:
    none = candles_of([])
    with pytest.raises(ValueError, match="at least one candle"):
        run([], "")
    with pytest.raises(ValueError, match="at least one candle"):
        backtest([Leg("A", none, signals_of("", 0))], BacktestTerms())
    odd = signals_of("", 3)
    with pytest.raises(ValueError, match="expected"):
        simulate([Leg("A", candles_of([FLAT] * 2), odd)], terms_of())
    with pytest.raises(ValueError, match="price tick"):
        exact_backtest(Leg("A", candles_of([FLAT]), signals_of("", 1)), BacktestTerms())
