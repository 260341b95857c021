"""A thousand running paper bots on one-minute candles in one engine."""

import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.client import Client, eventually
from tests.support.processes import Copy, copy_as_delivered

BOTS = 1_000
MEASURED_S = 190
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT", "DOGE/USDT", "AAPL", "MSFT", "TSLA")
STRATEGIES = ("rsi", "ma_cross", "macd", "bollinger")


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Copy]:
    """An engine with a thousand running bots."""
    with copy_as_delivered(tmp_path / "data", QUARTERDECK_PAPER_BALANCE="10000000") as copy:
        copy.start_engine()
        client = Client(copy)
        for number in range(BOTS):
            bot = client.create_bot(
                name=f"bot {number}", symbol=SYMBOLS[number % len(SYMBOLS)], timeframe="1m",
                interval_s=60, strategy=STRATEGIES[number % len(STRATEGIES)], params={},
            )  # fmt: skip
            client.post(f"/bots/{bot['id']}/start")
        yield copy


def test_a_thousand_bots_fit_into_one_engine(crowd: Copy) -> None:
    client = Client(crowd)
    eventually(lambda: client.get("/stats")["live_bots"], lambda live: live == BOTS, timeout_s=60)
    assert crowd.engine is not None
    engine = psutil.Process(crowd.engine.pid)
    begun, before = time.monotonic(), _cpu_s(engine)
    cycles = client.get("/stats")["cycles_run"]
    time.sleep(MEASURED_S)
    stats = client.get("/stats")
    lasted_s = time.monotonic() - begun
    whole = [engine, *engine.children(recursive=True)]
    engine_mb = engine.memory_info().rss / 1e6
    all_mb = sum(process.memory_info().rss for process in whole) / 1e6
    share = (_cpu_s(engine) - before) / lasted_s
    print(
        f"\n{BOTS} bots, {stats['cycles_run'] - cycles} cycles in {lasted_s:.0f} s: "
        f"engine {engine_mb:.0f} MB ({all_mb:.0f} MB with strategy workers), "
        f"{share:.1%} of one core\n"
        f"jobs   late p50 {stats['jobs']['p50_s']:.3f} s, p99 {stats['jobs']['p99_s']:.3f} s, "
        f"worst {stats['jobs']['worst_s']:.3f} s\n"
        f"cycles done p50 {stats['cycles']['p50_s']:.3f} s, p99 {stats['cycles']['p99_s']:.3f} s"
    )
    assert stats["cycles_run"] - cycles >= 3 * BOTS, "every bot is checked every minute"
    assert all(bot["state"] == "running" for bot in client.get("/bots"))
    assert engine_mb < 500
    assert stats["jobs"]["p99_s"] < 1


def _cpu_s(engine: psutil.Process) -> float:
    """Processor seconds of the engine and its strategy workers so far."""
    times = [process.cpu_times() for process in (engine, *engine.children(recursive=True))]
    return float(sum(one.user + one.system for one in times))
