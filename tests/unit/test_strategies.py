"""Every file in strategies/, the template too: no look-ahead, sound signals, sound parameters."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.adapters.strategies.loader import build, describe, load
from engine.domain import indicators
from engine.domain.candles import BoolArray, Candles, FloatArray
from engine.domain.decisions import Intent
from engine.domain.strategy import Signals, Strategy
from engine.errors import ConfigError
from tests.fakes.candles import candle_files, flat_candles, random_candles, read_candles

FOLDER = Path(__file__).resolve().parents[2] / "strategies"
FILES = sorted(path.stem for path in FOLDER.glob("*.py"))
SHIPPED = {
    "rsi", "ma_cross", "macd", "bollinger", "volatile_coins", "simple_profitable", "enhanced",
    "breakout", "trend_following", "mean_reversion", "momentum", "donchian", "supertrend", "grid",
    "dca", "signals_only", "_template",
}  # fmt: skip
SILENT = {"signals_only"}
"""Strategies that say nothing: others decide."""

LONG_FILES = ("ETH-BTC.5m", "SPY.1h", "GBP-USD.1d")
LIVELY: dict[str, dict[str, Any]] = {
    "breakout": {"consolidation": 3.0, "volume_factor": 1.0},  # a random walk is hardly ever calm
}
"""Parameters with which a strategy trades on the random walks, where it does not as it is."""


@cache
def strategy_class(name: str) -> type[Strategy]:
    return load(FOLDER / f"{name}.py")


def make(name: str, **params: Any) -> Strategy:
    return build(strategy_class(name), params)


def at_bounds(name: str) -> list[Strategy]:
    """The strategy with each parameter in turn at each of its bounds, where the rules allow."""
    variants = []
    for field, rules in strategy_class(name).model_json_schema()["properties"].items():
        for bound in (rules.get("minimum"), rules.get("maximum"), *rules.get("enum", ())):
            if bound is not None:
                try:
                    variants.append(make(name, **{field: bound}))
                except ConfigError as error:
                    assert "must be" in error.message  # a rule between two parameters
    return variants


def told(signals: Signals, until: int) -> list[Any]:
    """Everything that signals say about the candles before ``until``."""
    arrays: list[BoolArray | FloatArray]
    arrays = [signals.enter_long, signals.exit_long, signals.enter_short, signals.exit_short]
    arrays += [array for array in (signals.confidence, signals.size) if array is not None]
    arrays += [plot.values for plot in signals.plots.values()]
    return [np.nan_to_num(array[:until], nan=-1e300).tolist() for array in arrays]


def as_table(signals: Signals) -> BoolArray:
    return np.array(
        [signals.enter_long, signals.exit_long, signals.enter_short, signals.exit_short]
    )


def test_the_promised_strategies_are_there() -> None:
    assert set(FILES) >= SHIPPED


def test_every_shipped_strategy_is_in_the_catalogues() -> None:
    documented = (FOLDER.parent / "docs" / "strategies.md").read_text("utf-8")
    listed = (FOLDER / "README.md").read_text("utf-8")
    for name in SHIPPED:
        assert f"| `{name}.py` |" in listed
        assert name.startswith("_") or f"| `{name}` |" in documented


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("seed", [1, 2])
def test_no_look_ahead_on_random_walks(name: str, seed: int) -> None:
    strategy, candles = make(name), random_candles(420, seed)
    whole = strategy.signals(candles)
    for until in (*range(strategy.warmup, 420, 29), 419):
        part = strategy.signals(candles[:until])
        assert told(part, until) == told(whole, until)
        assert part.reason(until - 1) == whole.reason(until - 1)


@pytest.fixture(scope="module")
def histories() -> list[Candles]:
    """The shared real candles; where they are not at hand, long random walks in their place."""
    real = [read_candles(path, most=1200) for path in candle_files()]
    return real or [random_candles(1200, seed) for seed in range(11, 19)]


@pytest.mark.parametrize("name", FILES)
def test_no_look_ahead_on_real_candles(name: str, histories: list[Candles]) -> None:
    strategy = make(name)
    for candles in histories:
        whole = strategy.signals(candles)
        for until in range(strategy.warmup, len(candles), 131):
            assert told(strategy.signals(candles[:until]), until) == told(whole, until)


@pytest.mark.parametrize("name", FILES)
def test_a_live_decision_on_recent_history_equals_the_whole(name: str) -> None:
    """The parity of live and backtest: ``history`` candles are enough to decide the same."""
    strategy = make(name)
    candles = random_candles(strategy.history + 1500, 9)
    whole = as_table(strategy.signals(candles))
    for until in range(strategy.history, len(candles), 97):
        recent = strategy.decide(candles[until - strategy.history : until])
        wanted = recent.enter_long, recent.exit_long, recent.enter_short, recent.exit_short
        assert wanted == tuple(whole[:, until - 1])


@pytest.fixture(scope="module")
def long_histories() -> list[Candles]:
    """Real candles of three kinds of market; where they are not at hand, random walks."""
    real = [path for path in candle_files() if path.stem in LONG_FILES]
    return [read_candles(path, most=5000) for path in real] or [
        random_candles(4000, seed) for seed in (21, 22, 23)
    ]


@pytest.mark.parametrize("name", FILES)
def test_a_live_decision_equals_the_whole_on_real_candles(
    name: str, long_histories: list[Candles]
) -> None:
    """Indices at which something happens, and others; nights and weekends are cut out."""
    strategy = make(name, **LIVELY.get(name, {}))
    for candles in long_histories:
        whole = as_table(strategy.signals(candles))
        eventful = np.flatnonzero(whole.any(axis=0)) + 1
        indices = {*eventful[::67].tolist(), *range(strategy.history, len(candles), 411)}
        for until in (one for one in indices if one >= strategy.history):
            recent = strategy.decide(candles[until - strategy.history : until])
            wanted = recent.enter_long, recent.exit_long, recent.enter_short, recent.exit_short
            assert wanted == tuple(whole[:, until - 1])


@pytest.mark.parametrize("name", FILES)
def test_decide_is_the_last_of_signals(name: str) -> None:
    strategy = make(name)
    for seed in range(20):
        candles = random_candles(250, seed)
        signals, intent = strategy.signals(candles), strategy.decide(candles)
        assert intent == Intent(
            enter_long=signals.enter_long[-1],
            exit_long=signals.exit_long[-1],
            enter_short=signals.enter_short[-1],
            exit_short=signals.exit_short[-1],
            confidence=1.0 if signals.confidence is None else signals.confidence[-1],
            size=1.0 if signals.size is None else signals.size[-1],
            reason=signals.reason(249),
            values={
                plot: None if np.isnan(series.values[-1]) else series.values[-1]
                for plot, series in signals.plots.items()
            },
        )


@pytest.mark.parametrize("name", [name for name in FILES if name not in SILENT])
def test_it_trades_both_ways_and_never_contradicts_itself(name: str) -> None:
    strategy = make(name, **LIVELY.get(name, {}))
    for seed in range(4):
        signals = strategy.signals(random_candles(3000, seed, volatility=0.02))
        enter_long, exit_long, enter_short, exit_short = as_table(signals)
        assert not (enter_long & exit_long).any()
        assert not (enter_short & exit_short).any()
        assert not (enter_long & enter_short).any()
        assert enter_long.any()
        assert exit_long.any()
        assert enter_short.any()
        assert exit_short.any()


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_said_before_the_warm_up_and_reasons_have_numbers(name: str) -> None:
    strategy, candles = make(name), random_candles(600, 4)
    signals = strategy.signals(candles)
    assert not as_table(signals)[:, : strategy.warmup - 1].any()
    assert all(np.isfinite(p.values[strategy.warmup - 1 :]).all() for p in signals.plots.values())
    for index in range(strategy.warmup - 1, 600):
        reason = signals.reason(index)
        assert any(character.isdigit() for character in reason)
        assert "nan" not in reason
    early = strategy.decide(candles[: strategy.warmup - 1])
    assert early == Intent(
        reason=f"warming up: {strategy.warmup - 1} of {strategy.warmup} candles", confidence=0
    )


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "candles",
    [
        flat_candles(0), flat_candles(1), flat_candles(400), flat_candles(400, 1e-9),
        flat_candles(400, 1e12), random_candles(400, 1, price=1e13),
        random_candles(400, 1, price=1e-10), random_candles(400, 1, volatility=0.3),
    ],
    ids=["none", "one", "flat", "flat-tiny", "flat-huge", "huge", "tiny", "wild"],
)  # fmt: skip
def test_odd_markets_are_answered(name: str, candles: Candles) -> None:
    strategy = make(name)
    signals = strategy.signals(candles)
    signals.check(len(candles))
    for index in range(len(candles)):
        assert signals.reason(index)
    assert isinstance(strategy.decide(candles), Intent)


@pytest.mark.parametrize("name", FILES)
def test_a_price_that_never_moves_is_never_bought(name: str) -> None:
    signals = make(name).signals(flat_candles(500))
    assert not signals.enter_long.any()
    assert not signals.enter_short.any()


@pytest.mark.parametrize("name", FILES)
def test_parameters_at_their_bounds_work(name: str) -> None:
    candles = random_candles(1500, 6)
    variants = at_bounds(name)
    assert variants
    for strategy in variants:
        signals = strategy.signals(candles)
        signals.check(len(candles))
        assert not (signals.enter_long & signals.exit_long).any()
        assert not as_table(signals)[:, : strategy.warmup - 1].any()
        assert isinstance(strategy.decide(candles), Intent)
        assert strategy.warmup <= strategy.history


@pytest.mark.parametrize("name", FILES)
def test_it_is_described_for_the_form(name: str) -> None:
    info = describe(name, FOLDER / f"{name}.py", strategy_class(name))
    assert info["title"]
    assert info["summary"].endswith(".")
    for heading in ("What it does.", "When it works.", "When it loses.", "Source:"):
        assert heading in info["doc"]
    for field, rules in info["parameters"]["properties"].items():
        assert rules["title"], field
        assert rules["description"], field
        assert "default" in rules, field
        assert "enum" in rules or {"minimum", "maximum"} <= rules.keys(), field


def test_rsi_is_in_while_below_and_out_while_above() -> None:
    candles = random_candles(800, 2)
    index = indicators.rsi(candles.close, 10)
    signals = make("rsi", period=10, oversold=25, overbought=75).signals(candles)
    assert signals.enter_long.tolist() == (index < 25).tolist()
    assert signals.exit_long.tolist() == (index > 75).tolist()
    assert signals.enter_short.tolist() == signals.exit_long.tolist()
    last = int(np.flatnonzero(signals.enter_long)[-1])
    assert signals.reason(last) == f"RSI {index[last]:.1f} is below 25: oversold"


@pytest.mark.parametrize("name", sorted(SILENT))
def test_what_leaves_it_to_others_says_nothing(name: str) -> None:
    for seed in range(4):
        signals = make(name).signals(random_candles(3000, seed, volatility=0.02))
        assert not as_table(signals).any()
        assert signals.reason(2999).startswith("it waits for a signal from outside")


def test_ma_cross_trades_on_the_bar_that_crosses() -> None:
    candles = random_candles(800, 2)
    signals = make("ma_cross", fast=5, slow=12).signals(candles)
    expected = []
    for i in range(12, 800):
        fast, slow = candles.close[i - 4 : i + 1].mean(), candles.close[i - 11 : i + 1].mean()
        was_fast, was_slow = candles.close[i - 5 : i].mean(), candles.close[i - 12 : i].mean()
        expected.append(
            (fast > slow and was_fast <= was_slow, fast < slow and was_fast >= was_slow)
        )
    said = zip(signals.enter_long[12:], signals.exit_long[12:], strict=True)
    assert list(said) == expected


def test_bollinger_enters_on_the_return_and_exits_at_the_chosen_band() -> None:
    candles = random_candles(2000, 8)
    windows = np.lib.stride_tricks.sliding_window_view(candles.close, 20)
    middle, spread = windows.mean(axis=1), 2 * windows.std(axis=1)
    close = candles.close[19:]
    to_middle, to_far = (
        make("bollinger", exit_at=band).signals(candles) for band in ("middle", "far")
    )
    assert to_middle.exit_long[20:].tolist() == (close >= middle)[1:].tolist()
    assert to_far.exit_long[20:].tolist() == (close >= middle + spread)[1:].tolist()
    lower = middle - spread
    returned = np.r_[False, (close[1:] > lower[1:]) & (close[:-1] <= lower[:-1])]
    assert to_far.enter_long[19:].tolist() == (returned & ~to_far.exit_long[19:]).tolist()


def test_volatile_coins_needs_its_votes_and_enough_volatility() -> None:
    candles = random_candles(3000, 3, volatility=0.02)
    counts = [
        int(make("volatile_coins", votes_needed=votes).signals(candles).enter_long.sum())
        for votes in (1, 2, 3)
    ]
    assert counts[0] > counts[1] > counts[2]
    quiet = make("volatile_coins", least_volatility=50).signals(candles)
    assert not quiet.enter_long.any()
    assert quiet.exit_long.any()


def test_enhanced_sizes_entries_by_volatility() -> None:
    signals = make("enhanced", target_volatility=1.0, smallest_size=0.2).signals(
        random_candles(2000, 3, volatility=0.02)
    )
    volatility = signals.plots["Volatility %"].values[100:]
    assert signals.size is not None
    np.testing.assert_allclose(signals.size[100:], np.clip(1 / volatility, 0.2, 1))
    assert len(np.unique(signals.size)) > 100


@pytest.mark.parametrize(
    ("name", "params", "field", "sentence"),
    [
        ("rsi", {"period": 1}, "params.period", "period: must be at least 2"),
        ("rsi", {"period": 1000}, "params.period", "period: must be at most 200"),
        ("rsi", {"period": True}, "params.period", "period: must be a whole number"),
        ("rsi", {"period": "ten"}, "params.period", "period: must be a whole number"),
        ("rsi", {"period": 14.5}, "params.period", "period: must be a whole number"),
        ("rsi", {"period": None}, "params.period", "period: must be a whole number"),
        ("rsi", {"oversold": False}, "params.oversold", "oversold: must be a number"),
        ("rsi", {"oversold": "nan"}, "params.oversold", "oversold: must be a finite number"),
        ("rsi", {"oversold": float("inf")}, "params.oversold", "oversold: must be a finite number"),
        ("rsi", {"oversold": 80}, "params", "oversold must be less than overbought"),
        ("rsi", {"speed": 1}, "params.speed", "speed: is not a parameter of this strategy"),
        ("ma_cross", {"fast": 50}, "params",
         "the fast average must be shorter than the slow average"),
        ("bollinger", {"exit_at": "up"}, "params.exit_at",
         "exit_at: must be one of 'middle' or 'far'"),
    ],
)  # fmt: skip
def test_wrong_parameters_are_named(
    name: str, params: dict[str, Any], field: str, sentence: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        make(name, **params)
    assert (caught.value.field, caught.value.message) == (field, sentence)


def test_numbers_may_come_as_text() -> None:
    assert make("rsi", period="21", oversold="25.5").model_dump() == {
        "period": 21,
        "oversold": 25.5,
        "overbought": 70.0,
    }


def test_signals_of_the_wrong_shape_or_type_are_refused() -> None:
    yes = np.ones(5, dtype=np.bool_)
    with pytest.raises(ValueError, match=r"exit_long has the shape \(4,\), expected \(5,\)"):
        Signals(yes, yes[:4], yes, yes).check(5)
    with pytest.raises(ValueError, match="size must be a numpy array of float64"):
        Signals(yes, yes, yes, yes, size=np.ones(5, dtype=np.float32)).check(5)
