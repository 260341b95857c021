"""What is done very often or waited for by a person: prices of the simulated market, CLI calls.

Times are shown; what is asserted are ratios within one run, so that a slow machine is no failure.
"""

import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from engine.adapters.market_data.simulated import SimulatedMarket
from tests.fakes.clock import FakeClock
from tests.support.processes import Copy
from tooling.place import ROOT


def best_s(call: Callable[[], object], rounds: int) -> float:
    """The quickest of some rounds."""
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return min(taken)


@pytest.mark.parametrize("timeframe", ["1s", "1m", "1h", "1d"])
def test_candles_that_were_asked_for_before_cost_next_to_nothing(timeframe: str) -> None:
    market = SimulatedMarket(7, FakeClock())

    def ask() -> object:
        return market.candles("BTC/USDT", timeframe, limit=500)

    cold, warm = best_s(ask, 1), best_s(ask, 20)
    print(f"\n500 x {timeframe}: cold {cold * 1000:.1f} ms, warm {warm * 1000:.2f} ms")
    assert warm < cold


def test_a_command_starts_in_a_few_times_what_python_itself_takes(quarterdeck: Copy) -> None:
    def run(*arguments: str) -> None:
        environment = {
            "QUARTERDECK_DATA": str(quarterdeck.place.data),
            "QUARTERDECK_API_PORT": str(quarterdeck.place.api_port),
        }
        subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=environment, check=True, capture_output=True
        )

    quarterdeck.start_engine()
    bare = best_s(lambda: run("-c", "import pydantic, httpx"), 5)
    status = best_s(lambda: run("-m", "engine", "status"), 5)
    print(f"\npython with pydantic and httpx {bare:.2f} s, 'engine status' {status:.2f} s")
    assert status < 5 * bare
