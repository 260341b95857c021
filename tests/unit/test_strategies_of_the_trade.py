"""The strategies of the trade against naive loops over their rules, and small tables by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.adapters.strategies.loader import build, load
from engine.domain import indicators
from engine.domain.candles import Candles, FloatArray
from engine.domain.strategy import Signals
from engine.errors import ConfigError
from tests.fakes.candles import random_candles

FOLDER = Path(__file__).resolve().parents[2] / "strategies"
COUNT = 900
Said = tuple[bool, bool, bool, bool]
"""Enter long, exit long, enter short, exit short."""


def signals_of(name: str, candles: Candles, **params: Any) -> Signals:
    return build(load(FOLDER / f"{name}.py"), params).signals(candles)


def said(signals: Signals, start: int = 0) -> list[Said]:
    columns = signals.enter_long, signals.exit_long, signals.enter_short, signals.exit_short
    return [tuple(row) for row in np.array(columns).T[start:].tolist()]


def candles_of(
    close: list[float], *, spread: float = 0.0, volume: list[float] | None = None
) -> Candles:
    """Minute candles around closes, ``spread`` to either side."""
    prices = np.array(close)
    time = np.arange(len(close), dtype=np.int64) * 60_000
    amounts = np.ones(len(close)) if volume is None else np.array(volume)
    return Candles("1m", time, prices, prices + spread, prices - spread, prices, amounts)


def check(name: str, rule: Callable[[Candles, int], Said], first: int, **params: Any) -> None:
    """Compare a strategy with a rule that looks at one candle at a time, the slow way."""
    found = 0
    for seed in (1, 2):
        candles = random_candles(COUNT, seed, volatility=0.02)
        signals = signals_of(name, candles, **params)
        expected = [rule(candles, i) for i in range(first, COUNT)]
        assert said(signals, first) == expected
        assert not any(any(row) for row in said(signals)[:first])
        found += sum(any(row) for row in expected)
    assert found > 20


# --- against their rules, candle by candle --------------------------------------------------------


def test_breakout_follows_its_rule() -> None:
    def rule(candles: Candles, i: int) -> Said:
        past, close = slice(i - 20, i), candles.close[i]
        top, bottom = candles.high[past].max(), candles.low[past].min()
        mean, volume = candles.close[past].mean(), candles.volume[past].mean()
        is_calm = 100 * candles.close[past].std() / mean <= 4.0
        may = is_calm and candles.volume[i] >= 1.2 * volume
        return (
            bool(may and close > top and close >= mean * 1.02),
            bool(close < (top + bottom) / 2),
            bool(may and close < bottom and close <= mean * 0.98),
            bool(close > (top + bottom) / 2),
        )

    check("breakout", rule, 20, consolidation=4.0, volume_factor=1.2, breakout=2.0)


def test_trend_following_follows_its_rule() -> None:
    indices: dict[int, FloatArray] = {}

    def rule(candles: Candles, i: int) -> Said:
        index = indices.setdefault(id(candles), indicators.rsi(candles.close, 14))[i]
        fast, medium, slow = (
            candles.close[i - length + 1 : i + 1].mean() for length in (10, 20, 50)
        )
        return (
            bool(fast > medium > slow and index < 70),
            bool(fast < medium),
            bool(fast < medium < slow and index > 30),
            bool(fast > medium),
        )

    check("trend_following", rule, 49)


def test_mean_reversion_follows_its_rule() -> None:
    def rule(candles: Candles, i: int) -> Said:
        window = candles.close[i - 19 : i + 1]
        score = (window[-1] - window.mean()) / window.std()
        return (
            bool(-2.5 <= score < -1.5),
            bool(score >= -0.5 or score < -2.5),
            bool(1.5 < score <= 2.5),
            bool(score <= 0.5 or score > 2.5),
        )

    check("mean_reversion", rule, 19, entry_score=1.5, exit_score=-0.5, give_up=2.5)


def test_momentum_follows_its_rule() -> None:
    def rule(candles: Candles, i: int) -> Said:
        change = 100 * (candles.close[i] / candles.close[i - 30] - 1)
        return (bool(change > 5), bool(change < 1), bool(change < -5), bool(change > -1))

    check("momentum", rule, 30, period=30, entry_level=5.0, exit_level=1.0)


def test_donchian_follows_its_rule() -> None:
    def rule(candles: Candles, i: int) -> Said:
        close, entry, leave = candles.close[i], slice(i - 20, i), slice(i - 10, i)
        return (
            bool(close > candles.high[entry].max()),
            bool(close < candles.low[leave].min()),
            bool(close < candles.low[entry].min()),
            bool(close > candles.high[leave].max()),
        )

    check("donchian", rule, 20)


def test_grid_follows_its_rule() -> None:
    lines = 1.02 ** np.arange(-400, 400)

    def rule(candles: Candles, i: int) -> Said:
        before, close = candles.close[i - 1], candles.close[i]
        window = slice(i - 99, i + 1)
        middle = (candles.high[window].max() + candles.low[window].min()) / 2
        buys = bool(((lines > close) & (lines <= before)).any() and close < middle)
        sells = bool(((lines <= close) & (lines > before)).any() and close > middle)
        return buys, sells, sells, buys

    check("grid", rule, 99, spacing=2.0)


def test_dca_follows_its_rule() -> None:
    def rule(candles: Candles, i: int) -> Said:
        is_due = int(candles.time[i]) % (24 * 60_000) == 0
        gap = 100 * (candles.close[i] / candles.close[i - 99 : i + 1].mean() - 1)
        return (is_due and gap < -1, bool(gap > 3), is_due and gap > 1, bool(gap < -3))

    check("dca", rule, 99, dip=1.0)


# --- tables by hand -------------------------------------------------------------------------------


def moments(flags: Any) -> list[int]:
    return [int(index) for index in np.flatnonzero(flags)]


def test_breakout_by_hand() -> None:
    # Ten quiet candles of 99 to 101 (highs to 101.5); then 102.5 on double volume; back below 100.
    closes = [99.0, 101.0] * 5 + [102.5, 103.0, 99.0]
    params = {"lookback": 10, "consolidation": 1.0, "breakout": 2.0, "volume_factor": 2.0}
    loud = [1.0] * 10 + [2.0, 1.0, 1.0]
    signals = signals_of("breakout", candles_of(closes, spread=0.5, volume=loud), **params)
    assert moments(signals.enter_long) == [10]
    assert moments(signals.exit_long) == [12]
    assert "a breakout" in signals.reason(10)
    quiet = signals_of("breakout", candles_of(closes, spread=0.5, volume=[1.0] * 13), **params)
    assert not quiet.enter_long.any()
    assert "not confirmed" in quiet.reason(10)
    # Closes of 99 and 101 spread by exactly 1 % of 100: a little less is not calm enough.
    stricter = params | {"consolidation": 0.99}
    assert not signals_of("breakout", candles_of(closes, volume=loud), **stricter).enter_long.any()


def test_donchian_by_hand() -> None:
    closes = [10.0, 11.0, 10.0, 11.0, 12.0, 13.0, 12.5, 11.0, 9.0]
    signals = signals_of("donchian", candles_of(closes), entry=3, exit=2)
    assert moments(signals.enter_long) == [4, 5]
    assert moments(signals.exit_long) == [7, 8]
    assert moments(signals.enter_short) == [7, 8]


def test_momentum_by_hand() -> None:
    signals = signals_of(
        "momentum", candles_of([100.0, 101.0, 102.1, 101.0, 100.0, 98.0]), period=2,
        entry_level=2.0, exit_level=0.0,
    )  # fmt: skip
    # +2.1, 0, -2.06, -2.97 percent
    assert moments(signals.enter_long) == [2]
    assert moments(signals.exit_long) == [4, 5]
    assert moments(signals.enter_short) == [4, 5]
    assert signals.reason(2).startswith("+2.10 % over 2 candles")


def test_mean_reversion_by_hand() -> None:
    # Of 10, 10, 10, 6: average 9, deviation 1.732, score -1.73; then 10: average 9, score 0.58.
    signals = signals_of(
        "mean_reversion", candles_of([10.0, 10.0, 10.0, 6.0, 10.0]), period=4, entry_score=1.5
    )
    assert moments(signals.enter_long) == [3]
    assert moments(signals.exit_long) == [4]


def test_the_supertrend_turns_on_the_hand_computed_candles() -> None:
    candles = candles_of([10.0, 10.0, 10.0, 10.0, 13.0, 13.0, 9.0], spread=1.0)
    signals = signals_of("supertrend", candles, period=2, factor=1.0)
    # The table is that of tests/unit/test_channels.py; the direction before the first turn is up,
    # as a close at the middle of its candle counts.
    assert moments(signals.exit_long) == moments(signals.enter_short) == [6]
    assert signals.plots["Supertrend"].values[6] == 12.75


def test_a_grid_buys_each_line_and_its_lines_do_not_depend_on_where_a_bot_begins() -> None:
    # Lines of 10 %: 90.9, 100, 110, 121, 133 (1.1 to a power).
    closes = [float(1.1**49.5), *(float(1.1**power) for power in (51.5, 50.5, 49.4, 48.3, 50.5))]
    signals = signals_of("grid", candles_of(closes), spacing=10.0, range=2)
    assert moments(signals.enter_long) == [2, 3, 4]
    assert moments(signals.exit_long) == [1, 5]
    later = signals_of("grid", candles_of(closes[2:]), spacing=10.0, range=2)
    assert later.enter_long.tolist()[1:] == signals.enter_long.tolist()[3:]


def test_dca_buys_once_a_stretch_also_over_a_gap() -> None:
    candles = candles_of([10.0, 10.0, *[9.0] * 10])
    signals = signals_of("dca", candles, every=4, period=12)
    assert moments(signals.enter_long) == []  # the average is there on the last candle only
    signals = signals_of("dca", candles_of([20.0 - i for i in range(12)]), every=4, period=2)
    assert moments(signals.enter_long) == [4, 8]
    gap = candles_of([20.0 - i for i in range(12)])
    gap.time[8:] += 60_000  # minutes 8 and 12 come at indices 8 (late) and 11
    assert moments(signals_of("dca", gap, every=4, period=2).enter_long) == [4, 8, 11]


CONTRADICTIONS: list[tuple[str, dict[str, Any], str]] = [
    ("trend_following", {"fast": 20}, "the fast average must be shorter"),
    ("trend_following", {"oversold": 80}, "oversold must be less"),
    ("mean_reversion", {"give_up": 2.0}, "must be more than the entry score"),
    ("mean_reversion", {"exit_score": -2.0}, "must be above minus the entry score"),
    ("momentum", {"exit_level": 2.0}, "the exit level must be at most"),
]


@pytest.mark.parametrize(("name", "params", "sentence"), CONTRADICTIONS)
def test_parameters_that_contradict_each_other_are_refused(
    name: str, params: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        build(load(FOLDER / f"{name}.py"), params)
