"""Parity over whole files: what ``tests/integration/test_parity.py`` does with pieces of them.

Every strategy on every candle of ETH-BTC.5m, BTC-USD.1m, SPY.1h and EUR-USD.1h, by the engine's own
services and by the backtest: the same trades to the last digit. About two million decisions; with
``python run.py bench tests/bench/test_parity_full.py -n 2`` a quarter of an hour on two cores.
"""

import time
from pathlib import Path

import pytest

from engine.adapters.strategies.loader import load
from tests.fakes.strategy_host import STRATEGIES
from tests.integration.test_parity import FILES, NAMES, needs_market
from tests.support.parity import MARKET, assert_equal, compare


@needs_market
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("name", NAMES)
def test_every_strategy_on_every_candle(
    name: str, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _start, amount = FILES[file]
    begun = time.perf_counter()
    strategy = load(STRATEGIES / f"{name}.py")()
    found = compare(strategy, MARKET / file, tmp_path, amount=amount, direction="both")
    assert_equal(found)
    with capsys.disabled():
        print(f"\n{name} on {file}: {len(found.tested.time):,} candles,"
              f" {len(found.tested.trades):,} trades equal to the last digit,"
              f" {time.perf_counter() - begun:.0f} s")  # fmt: skip
