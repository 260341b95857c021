"""Trials: the figures of the real metrics, windows that are warmed up, sweeps, look-ahead."""

import math
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import Field

from engine.adapters.strategies.loader import load, load_source
from engine.domain.backtest import Leg, backtest
from engine.domain.backtests import BacktestTerms
from engine.domain.candles import Candles
from engine.domain.judgement import luck_of, one_after_another
from engine.domain.look_ahead import find_look_ahead
from engine.domain.objectives import OBJECTIVES
from engine.domain.performance import history_of, measure
from engine.domain.scores import NO_SCORES, Ruler, Scores
from engine.domain.strategy import Signals, Strategy
from engine.domain.studies import figures, scores_of
from engine.domain.study_kinds import ObjectiveKey
from engine.domain.sweeps import sweep
from engine.domain.trials import Bench, TrialOutcome, TrialTask, inspect, try_many
from engine.domain.unfit import Unfit
from engine.domain.walk_forward import Window
from tests.fakes.candles import random_candles
from tests.fakes.strategy_host import STRATEGIES

PATH = STRATEGIES / "ma_cross.py"
MA: Any = load(PATH)
COSTS = BacktestTerms(fee_bps="10", slippage_bps="5")  # type: ignore[arg-type]


def bench(candles: Candles, path: Any = PATH, **changes: Any) -> Bench:
    fields: dict[str, Any] = {
        "path": str(path), "source": path.read_bytes(), "load": load_source, "symbol": "X",
        "candles": candles, "terms": COSTS, "objective": ObjectiveKey.SHARPE, "min_trades": 1,
    }  # fmt: skip
    return Bench(**(fields | changes))


@pytest.mark.parametrize(("count", "frame"), [(400, "1h"), (3_000, "1h"), (200, "1d"), (40, "1m")])
def test_scores_are_the_metrics_to_the_last_digit(count: int, frame: str) -> None:
    candles = random_candles(count, 3, volatility=0.02, timeframe=frame)
    strategy, other = (MA(fast=f, slow=s) for f, s in ((3, 11), (5, 30)))
    ruler = None
    for one in (strategy, other):
        result = backtest([Leg("X", candles, one.signals(candles), warmup=one.warmup)], COSTS)
        ruler = ruler or Ruler(result)
        metrics = measure(history_of(result)).model_dump()
        for name, value in figures(ruler.scores(result)).items():
            wanted = metrics[name]
            assert value == (wanted if wanted is None else pytest.approx(wanted, rel=1e-12)), name


def test_figures_and_scores_are_one_another() -> None:
    found = Scores(*range(9))._replace(calmar=math.nan)
    assert scores_of(figures(found))[:4] == found[:4]
    assert figures(found)["calmar"] is None


def test_an_objective_needs_trades_and_a_value() -> None:
    sharpe = OBJECTIVES[ObjectiveKey.SHARPE]
    good = NO_SCORES._replace(sharpe=1.5, trades=10.0)
    assert sharpe.value(good, 10) == (1.5, "")
    assert sharpe.value(good, 11) == (None, "10 trades, fewer than 11")
    assert sharpe.value(NO_SCORES._replace(trades=3.0), 1)[0] is None
    penalised = NO_SCORES._replace(total_return=0.3, max_drawdown=0.1, trades=1.0)
    assert OBJECTIVES[ObjectiveKey.PENALISED].value(penalised, 1)[0] == pytest.approx(0.1)
    assert set(OBJECTIVES) == set(ObjectiveKey)


def test_a_window_sees_what_came_before_it_and_nothing_after() -> None:
    candles = random_candles(1_200, 4, volatility=0.01, timeframe="1h")
    own, strategy = bench(candles), MA(fast=5, slow=20)
    whole = strategy.signals(candles)
    leg = own.leg(strategy, Window(600, 900), lead=500)
    assert len(leg.candles) == 300
    assert leg.warmup == 0
    np.testing.assert_array_equal(leg.signals.enter_long, whole.enter_long[600:900])
    first = own.leg(strategy, Window(0, 300), lead=500)
    assert first.warmup == strategy.warmup
    np.testing.assert_array_equal(first.signals.exit_long, whole.exit_long[:300])


def test_what_a_strategy_refuses_or_breaks_is_an_outcome() -> None:
    candles = random_candles(300, 5, timeframe="1h")
    own = pickle.loads(pickle.dumps(bench(candles, min_trades=10**6)))  # noqa: S301  as a worker gets it
    window = Window(0, 300)
    refused, rare = try_many(
        own,
        [TrialTask({"fast": 30, "slow": 10}, {}, window, window),
         TrialTask({"fast": 5, "slow": 10}, {}, window, window)],
    )  # fmt: skip
    assert refused.outcome is TrialOutcome.REFUSED
    assert "shorter" in refused.note or "fast" in refused.note
    assert rare.outcome is TrialOutcome.INELIGIBLE
    assert "fewer than 1000000" in rare.note
    assert len(rare.slices) == 64
    assert sum(rare.slices) == pytest.approx(rare.inside.total_return)


def test_exits_of_a_trial_replace_those_of_the_terms() -> None:
    candles = random_candles(600, 6, volatility=0.02, timeframe="1h")
    window = Window(0, 600)
    plain, stopped = try_many(
        bench(candles),
        [TrialTask({"fast": 5, "slow": 20}, exits, window, window)
         for exits in ({}, {"stop_loss": 0.005, "time_limit_s": 7200})],
    )  # fmt: skip
    assert stopped.inside.max_drawdown < plain.inside.max_drawdown


def test_a_sweep_is_many_single_backtests() -> None:
    candles = random_candles(500, 7, volatility=0.02, timeframe="1h")
    strategy = MA
    combinations = [{"fast": f, "slow": s} for f in (3, 8, 20) for s in (10, 30)]
    found = sweep(strategy, combinations, candles, COSTS)
    assert found.shape == (6, len(Scores._fields))
    for row, params in zip(found, combinations, strict=True):
        if params["fast"] >= params["slow"]:
            assert np.isnan(row).all()
            continue
        one = strategy(**params)
        result = backtest([Leg("X", candles, one.signals(candles), warmup=one.warmup)], COSTS)
        np.testing.assert_array_equal(row, Ruler(result).scores(result))


class Peeking(Strategy):
    """Sees ``ahead`` candles of the future, now and then."""

    title = "Peeking"
    summary = "Cheats."
    ahead: int = Field(default=1, ge=0, le=50)

    @property
    def warmup(self) -> int:
        return 1

    def signals(self, candles: Candles) -> Signals:
        future = np.append(candles.close[self.ahead :], np.full(self.ahead, candles.close[-1]))
        rises = future[: len(candles)] > candles.close * 1.0 + 0.5 * (self.ahead == 0)
        none = np.zeros(len(candles), dtype=np.bool_)
        return Signals(rises, ~rises & (np.arange(len(candles)) % 7 == 0), none, none)


@pytest.mark.parametrize("ahead", [1, 3, 20])
def test_a_glance_at_the_future_is_found_and_the_candle_named(ahead: int) -> None:
    candles = random_candles(400, 8, timeframe="1h")
    found = find_look_ahead(Peeking(ahead=ahead), candles)
    assert found is not None
    assert 0 < found.known - found.index <= ahead
    assert f"number {found.index}" in found.sentence
    assert "sees the future: 'e" in found.sentence


def test_no_shipped_strategy_looks_ahead() -> None:
    candles = random_candles(700, 9, volatility=0.02)
    for path in sorted(STRATEGIES.glob("[a-z]*.py")):
        assert find_look_ahead(load(path)(), candles) is None, path.stem


def test_an_inspection_takes_the_longest_warm_up_that_is_accepted() -> None:
    own = bench(random_candles(300, 1, timeframe="1h"))
    found = inspect(own, [{"fast": 5, "slow": 80}, {"fast": 50, "slow": 10}, {"slow": 90}])
    assert found.warmup >= 90
    assert found.history >= found.warmup
    assert found.refusal == ""
    with pytest.raises(Unfit, match="refuses these parameters"):
        inspect(own, [{"fast": 50, "slow": 10}])


def test_histories_one_after_another_compound() -> None:
    candles = random_candles(600, 2, volatility=0.02, timeframe="1h")
    own, strategy = bench(candles), MA(fast=5, slow=20)
    parts = [history_of(own.simulate(strategy, COSTS, window, 100))
             for window in (Window(0, 300), Window(300, 600))]  # fmt: skip
    joined = one_after_another(parts)
    growth = [part.final_equity / part.starting_cash for part in parts]
    assert joined.final_equity == pytest.approx(parts[0].starting_cash * growth[0] * growth[1])
    assert len(joined.trades) == sum(len(part.trades) for part in parts)
    assert measure(joined).trades == len(joined.trades)
    with pytest.raises(ValueError, match="no history"):
        one_after_another([])


def test_luck_knows_noise_from_an_edge() -> None:
    random = np.random.default_rng(1)
    candles = random_candles(900, 2, timeframe="1h")
    result = bench(candles).simulate(MA(fast=5, slow=20), COSTS, Window(0, 900), 0)
    history = history_of(result)
    noise = random.normal(0, 1, (60, 64))
    worthless = luck_of(history, [0.1] * 60, noise)
    edge = luck_of(history, [0.1] * 60, noise + np.linspace(0, 3, 60)[:, None])
    assert worthless.pbo is not None
    assert edge.pbo is not None
    assert worthless.pbo > 0.3 > edge.pbo
    assert "PBO" in worthless.verdict[0]
    alone = luck_of(history, [0.1], noise[:1])
    assert alone.pbo is None
    assert "at least 2 trials" in alone.verdict[0]


def test_luck_says_when_the_history_is_short_for_so_many_trials() -> None:
    """A month with a gain that the best of 60 worthless trials would show, too."""
    candles, random = random_candles(900, 2, timeframe="1h"), np.random.default_rng(1)
    history = history_of(bench(candles).simulate(MA(), COSTS, Window(0, 900), 0))
    steps, noise = random.normal(0, 0.004, 900), random.normal(0, 1, (60, 64))
    gaining, losing = (
        replace(history, equity=history.starting_cash * np.cumprod(1 + steps - steps.mean() + each))
        for each in (0.0002, -0.0002)
    )
    assert "0.1 years in sample are few" in luck_of(gaining, [0.1] * 60, noise).verdict[-1]
    for one in (luck_of(gaining, [0.1], noise[:1]), luck_of(losing, [0.1] * 60, noise)):
        assert not any("are few" in words for words in one.verdict)
