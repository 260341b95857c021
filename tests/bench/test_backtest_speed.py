"""The backtester beside its peers, in one run on the same candles: backtesting.py and vectorbt,
installed there and then into an environment of their own.

Goals: the same trades; on a million one-minute bars signals and simulation at least 50 times faster
than the faster peer, a full report under a second, at most 600 MB; 400 combinations on 100,000 bars
at least 20 times faster than the faster peer. ``QUARTERDECK_BENCH_BARS`` makes it smaller.
"""

import json
import os
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from decimal import Decimal as D
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.adapters.compute.process_pool import ProcessPool
from engine.adapters.strategies.loader import load
from engine.domain.backtest import Leg, backtest
from engine.domain.backtests import BacktestResult, BacktestTerms
from engine.domain.bots import ExitRules
from engine.domain.candles import Candles
from engine.domain.strategy import Strategy
from engine.domain.sweeps import sweep
from engine.ports import Outcome
from strategies.ma_cross import MovingAverageCross
from tests.bench import peers
from tests.fakes.strategy_host import STRATEGIES
from tooling.place import ROOT

BARS = int(os.environ.get("QUARTERDECK_BENCH_BARS", "1000000"))
SIZES = tuple(size for size in (10_000, 100_000, 1_000_000) if size <= BARS)
PEERS = ("backtesting", "vectorbt")
PACKAGES = ("backtesting==0.6.6", "vectorbt==1.2.0", "TA-Lib")
FEE = D(10)
CROSS = {"fast": peers.FAST, "slow": peers.SLOW}
NO_LEVELS = ExitRules(stop_loss=None, take_profit=None)
LEVELS = ExitRules(stop_loss=D("0.02"), take_profit=D("0.05"))
RUNS = 5
CHUNKS = 8


def candles_of(count: int) -> Candles:
    """One-minute candles of a seeded random walk, in all digits: on a tick, averages are now and
    then equal, and each program breaks such a tie in its own way."""
    random = np.random.default_rng(20260101)
    close = 10_000 * np.exp(np.cumsum(random.normal(0, 0.0007, count)))
    opened = np.r_[10_000, close[:-1]] * (1 + random.normal(0, 0.0001, count))
    spread = 1 + np.abs(random.normal(0, 0.0003, (2, count)))
    high, low = np.maximum(opened, close) * spread[0], np.minimum(opened, close) / spread[1]
    time_ms = 1_577_836_800_000 + 60_000 * np.arange(count, dtype=np.int64)
    return Candles("1m", time_ms, opened, high, low, close, np.full(count, 1e6))


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The Python of an environment with the peers in it."""
    folder = tmp_path_factory.mktemp("peers")
    venv.create(folder, with_pip=True)
    found = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    subprocess.run([found, "-m", "pip", "install", "-q", *PACKAGES], check=True)
    yield found


def ask_peer(python: Path, peer: str, candles: Candles, folder: Path, task: str) -> dict[str, Any]:
    """What a peer took, and its trades."""
    path = folder / "candles.npz"
    names = ("time", "open", "high", "low", "close", "volume")
    np.savez(path, **{name: getattr(candles, name) for name in names})
    script = ROOT / "tests" / "bench" / "peers.py"
    done = subprocess.run([python, script, peer, path, task], capture_output=True, text=True,
                          check=True, timeout=3_000)  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@cache
def class_of(task: str) -> type[Strategy]:
    """Ours, loaded once, as a worker does."""
    return load(STRATEGIES / ("rsi.py" if task == "rsi" else "ma_cross.py"))


def ours(candles: Candles, task: str) -> tuple[float, BacktestResult]:
    """The fastest of some runs of signals and simulation, after one that compiles."""
    strategy = class_of(task)(**({} if task == "rsi" else CROSS))
    terms = BacktestTerms(fee_bps=FEE, exits=LEVELS if task == "rsi" else NO_LEVELS)
    times = []
    for _ in range(RUNS + 1):
        begun = time.perf_counter()
        signals = strategy.signals(candles)
        result = backtest([Leg("X", candles, signals, warmup=strategy.warmup)], terms)
        times.append(time.perf_counter() - begun)
    return min(times[1:]), result


def same_share(result: BacktestResult, trades: list[list[float]]) -> float:
    """The share of our trades that the peer has too: the same bars at the same prices."""
    table = result.trades
    mine = {
        (int(table.entry_index[k]), int(table.exit_index[k]), round(float(table.entry_price[k]), 4),
         round(float(table.exit_price[k]), 4))
        for k in range(len(table))
    }  # fmt: skip
    theirs = {(int(a), int(b), round(c, 4), round(d, 4)) for a, b, c, d in trades}
    return len(mine & theirs) / max(len(mine | theirs), 1)


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("bars", SIZES)
@pytest.mark.parametrize("task", ["cross", "rsi"])
def test_beside_its_peers(
    task: str, bars: int, python: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    candles = candles_of(bars)
    took_s, result = ours(candles, task)
    found = {peer: ask_peer(python, peer, candles, tmp_path, task) for peer in PEERS}
    fastest = min(found.values(), key=lambda one: float(one["s"]))
    with capsys.disabled():
        print(f"\n{task} on {bars:,} bars: Quarterdeck {took_s:.4f} s, {len(result.trades)} trades")
        for peer, one in found.items():
            print(f"  {peer}: {one['s']:.3f} s, {one['s'] / took_s:.0f} times as long,"
                  f" {same_share(result, one['trades']):.1%} of all trades the same")  # fmt: skip
    assert max(same_share(result, one["trades"]) for one in found.values()) == 1.0
    if bars == 1_000_000:
        assert fastest["s"] / took_s >= 50


def swept(shared: tuple[type[Strategy], Candles], part: list[dict[str, int]]) -> list[list[float]]:
    """One worker's part of a sweep: the scores of each combination."""
    chosen, candles = shared
    rows: list[list[float]] = sweep(chosen, part, candles, BacktestTerms(fee_bps=FEE)).tolist()
    return rows


@pytest.mark.timeout(3_600)
def test_a_sweep_beside_its_peers(
    python: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """400 combinations: by this process alone, by the processes that a study has, and by each
    peer's own way. Ours are scored, too; all compile before they are timed."""
    candles = candles_of(min(BARS, 100_000))
    grid = [{"fast": fast, "slow": slow} for fast in peers.GRID_FAST for slow in peers.GRID_SLOW]
    shared = (MovingAverageCross, candles)
    swept(shared, grid[:2])
    begun = time.perf_counter()
    alone = swept(shared, grid)
    alone_s = time.perf_counter() - begun
    processors = os.cpu_count() or 1
    with ProcessPool(processors).crew(shared) as crew:
        crew.run(swept, [grid[:2]] * 2 * processors, on_result=lambda _index, _found: None)
        parts = [grid[first::CHUNKS] for first in range(CHUNKS)]
        found: dict[int, Outcome[list[list[float]]]] = {}
        begun = time.perf_counter()
        crew.run(swept, parts, on_result=found.__setitem__)
        together_s = time.perf_counter() - begun
    for first in range(CHUNKS):
        assert found[first].value == alone[first::CHUNKS]
    theirs = {peer: ask_peer(python, peer, candles, tmp_path, "sweep")["s"] for peer in PEERS}
    with capsys.disabled():
        print(f"\n400 combinations on {len(candles):,} bars: Quarterdeck {alone_s:.3f} s alone,"
              f" {together_s:.3f} s on {processors} processes")  # fmt: skip
        for peer, took_s in theirs.items():
            print(f"  {peer}: {took_s:.1f} s, {took_s / alone_s:.0f} and"
                  f" {took_s / together_s:.0f} times as long")  # fmt: skip
    assert min(theirs.values()) / together_s >= 20


REPORT = """
import json, resource, sys, time
import numpy as np
from engine.domain.performance import analyse, history_of
from tests.bench.test_backtest_speed import candles_of, ours
candles = candles_of(int(sys.argv[1]))
_, result = ours(candles, sys.argv[2])
analyse(history_of(result))
begun = time.perf_counter()
analyse(history_of(result))
print(json.dumps({"s": time.perf_counter() - begun,
                  "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the peak of memory is read the POSIX way")
@pytest.mark.parametrize("task", ["cross", "rsi"])
def test_a_full_report_and_the_memory_of_it(task: str, capsys: pytest.CaptureFixture[str]) -> None:
    done = subprocess.run([sys.executable, "-c", REPORT, str(BARS), task], cwd=ROOT, check=True,
                          capture_output=True, text=True)  # fmt: skip
    found = json.loads(done.stdout)
    with capsys.disabled():
        print(f"\n{task}: a full report on {BARS:,} bars in {found['s']:.3f} s, peak memory"
              f" {found['mb']:.0f} MB")  # fmt: skip
    assert found["s"] < 1
    assert found["mb"] < 600
