"""A million candles judged, and sweeps that share their indicators.

Times are shown; what is asserted are ratios within one run.
"""

import time
from collections.abc import Callable

import pytest
import talib

from engine.domain.sharing import shared_indicators
from tests.fakes.candles import random_candles
from tests.unit.test_strategies import FILES, make

COUNT = 1_000_000
SLOWEST = 150
"""In simple averages of the same candles."""


def best_s(call: Callable[[], object], rounds: int = 3) -> float:
    """The quickest of some rounds."""
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return min(taken)


def test_a_million_candles_are_judged_in_a_few_averages_of_them() -> None:
    candles = random_candles(COUNT, 1)
    average = best_s(lambda: talib.SMA(candles.close, 20))
    taken = {}
    for name in FILES:
        strategy = make(name)
        taken[name] = best_s(lambda strategy=strategy: strategy.signals(candles))  # type: ignore[misc]
        print(
            f"\n{name}: {taken[name] * 1000:.0f} ms, {taken[name] / average:.0f} averages", end=""
        )
    assert max(taken.values()) < SLOWEST * average
    assert taken["ma_cross"] < 15 * average
    assert taken["rsi"] < 10 * average


@pytest.mark.parametrize("count", [100_000])
def test_a_sweep_computes_each_average_once(count: int) -> None:
    candles = random_candles(count, 2)
    pairs = [make("ma_cross", fast=fast, slow=slow)
             for fast in range(5, 45, 2) for slow in range(50, 250, 10)]  # fmt: skip

    def sweep() -> None:
        for strategy in pairs:
            strategy.signals(candles)

    def shared_sweep() -> None:
        with shared_indicators():
            sweep()

    apart, together = best_s(sweep, 2), best_s(shared_sweep, 2)
    print(f"\n{len(pairs)} combinations: {apart:.2f} s apart, {together:.2f} s together")
    assert together < apart
