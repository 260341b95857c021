"""Measuring a million bars, reading a hundred thousand trades, simulating ten thousand paths.

Times are shown; what is asserted are ratios within one run, and memory.
"""

import time
import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np

from engine.adapters.store.store import SqlStore
from engine.domain.monte_carlo import Method, Plan, monte_carlo
from engine.domain.performance import analyse, history_of, measure
from engine.services.books import Books
from engine.services.instrument_book import InstrumentBook
from engine.services.performance import COLUMNS, PerformanceReader, Scope
from tests.contract.store_samples import trade
from tests.fakes.clock import START, FakeClock
from tests.support.performance import MINUTE, backtest_result

TRADES = 100_000


def best_s(call: Callable[[], object], rounds: int = 3) -> float:
    """The quickest of some rounds."""
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return min(taken)


def test_a_million_bars_cost_no_more_than_a_few_passes_over_them() -> None:
    one = history_of(backtest_result(1_000_000, 20_000, bar=MINUTE))
    whole = best_s(lambda: measure(one))
    everything = best_s(lambda: analyse(one))
    once = best_s(lambda: np.maximum.accumulate(one.equity))
    print(f"\n1M bars, 20k trades: metrics {whole * 1000:.0f} ms, analysis {everything * 1000:.0f}"
          f" ms, one pass {once * 1000:.1f} ms")  # fmt: skip
    assert whole < 150 * once
    assert everything < 3 * whole


def test_ten_thousand_paths_of_twenty_thousand_trades_stay_small() -> None:
    returns = np.random.default_rng(0).normal(0.0001, 0.003, 20_000)
    for method in Method:
        tracemalloc.start()
        started = time.perf_counter()
        monte_carlo(Plan(returns, 10_000, method))
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        print(f"\n{method}: {time.perf_counter() - started:.1f} s, {peak:.0f} MB")
        assert peak < 200


def test_performance_costs_little_more_than_reading_the_trades(tmp_path: Path) -> None:
    store = SqlStore.open(f"sqlite:///{tmp_path / 'state.db'}")
    sample = trade()
    for first in range(0, TRADES, 5_000):
        with store.transaction() as tx:
            tx.trades.add(
                *(
                    sample.model_copy(update={
                        "id": f"t{number}", "bot_id": f"b{number % 100}",
                        "exit_time": START - timedelta(minutes=number),
                        "entry_time": START - timedelta(minutes=number + 3),
                        "pnl": Decimal(number % 97 - 48),
                    })
                    for number in range(first, first + 5_000)
                )
            )  # fmt: skip
    reader = PerformanceReader(Books(store, FakeClock()), InstrumentBook(store))

    def read() -> object:
        with store.reading() as tx:
            return tx.trades.values(*COLUMNS)

    plain = best_s(read)
    whole = best_s(lambda: [analyse(one.history) for one in reader.histories(Scope())])
    store.close()
    print(f"\n{TRADES:,} trades: read {plain:.2f} s, read and analysed {whole:.2f} s")
    assert whole < 3 * plain
