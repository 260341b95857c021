"""Backtests in a real engine: through the API, in processes of their own, over kills."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.client import Client, eventually
from tests.support.market import eth_btc
from tests.support.processes import Copy, copy_of_quarterdeck

FILE = "ETH-BTC.5m.csv"
SLOW = '''
"""Takes its time."""
import time
from pydantic import Field
from engine.domain.candles import Candles
from engine.domain.strategy import Signals, Strategy
import numpy as np


class Slow(Strategy):
    """Sleeps, then says nothing."""

    title = "Slow"
    summary = "Sleeps."
    seconds: float = Field(default=60.0, ge=0, le=600)

    @property
    def warmup(self) -> int:
        return 1

    def signals(self, candles: Candles) -> Signals:
        time.sleep(self.seconds)
        none = np.zeros(len(candles), dtype=np.bool_)
        return Signals(none, none, none, none)
'''


def request(**changes: Any) -> dict[str, Any]:
    """The file's backtest with everything at its default."""
    return {
        "strategy": "rsi", "source": {"kind": "files", "files": [FILE]}, "timeframe": "15m",
        "terms": {"cash": "10", "fee_bps": "10"},
    } | changes  # fmt: skip


def finished(client: Client, run: dict[str, Any], timeout_s: float = 60) -> dict[str, Any]:
    """The run once it has ended."""
    report = eventually(
        lambda: client.get(f"/backtests/{run['id']}"),
        lambda found: found["run"]["state"] not in ("queued", "running"),
        timeout_s=timeout_s,
    )
    found: dict[str, Any] = report["run"]
    return found


def benches(deck: Copy) -> list[psutil.Process]:
    """The processes of backtests under way."""
    assert deck.engine is not None
    children = psutil.Process(deck.engine.pid).children(recursive=True)
    return [one for one in children if is_bench(one)]


def is_bench(process: psutil.Process) -> bool:
    """Whether it is one that has not ended."""
    try:
        return "engine.adapters.strategies.bench" in process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """One engine for the module, with a candle file and a slow strategy."""
    data = tmp_path_factory.mktemp("deck") / "data"
    strategies = data.parent / "strategies"
    shutil.copytree(Path("strategies"), strategies)
    (strategies / "slow.py").write_text(SLOW)
    (data / "candles").mkdir(parents=True)
    shutil.copy(eth_btc(data.parent), data / "candles" / FILE)
    with copy_of_quarterdeck(data, QUARTERDECK_STRATEGIES=str(strategies)) as copy:
        copy.start_engine()
        yield copy


def test_a_file_is_tested_and_everything_about_it_is_told(deck: Copy) -> None:
    client = Client(deck)
    preview = client.post("/backtests/preview", request())
    [coverage] = preview["coverage"]
    assert (coverage["symbol"], coverage["read_timeframe"], coverage["bars"]) == (
        "ETH/BTC", "5m", 1_920,
    )  # fmt: skip
    assert preview["terms"]["price_tick"] is not None
    run = client.post("/backtests", request(name="first"))
    done = finished(client, run)
    assert (done["state"], done["error"]) == ("done", "")
    report = client.get(f"/backtests/{run['id']}")
    assert report["analysis"]["metrics"]["trades"] == done["trade_count"] > 0
    page = client.get(f"/backtests/{run['id']}/trades", limit=5, order="best")
    assert page["count"] == done["trade_count"]
    gains = [one["pnl"] for one in page["items"]]
    assert gains == sorted(gains, reverse=True)
    csv = client.call("GET", f"/backtests/{run['id']}/trades.csv").text.splitlines()
    assert len(csv) == done["trade_count"] + 1
    assert csv[0].startswith("number,symbol,side,entry_time")
    html = client.call("GET", f"/backtests/{run['id']}/report.html").text
    assert "first" in html and "<script" not in html
    chart = client.get(f"/backtests/{run['id']}/chart", at=page["items"][0]["entry_time"])
    assert len(chart["time"]) == 300
    assert page["items"][0]["entry_time"] in [one["time"] for one in chart["markers"]]
    assert chart["series"]
    assert client.get("/backtests", strategy="rsi", search="FIRST")["count"] == 1


def test_a_market_is_tested_and_compared_with_another_run(deck: Copy) -> None:
    client = Client(deck)
    source = {"kind": "market", "market": "simulated", "symbols": ["BTC/USDT"]}
    asked = request(source=source, timeframe="1h", since="2026-01-01T00:00:00Z",
                    until="2026-02-01T00:00:00Z", terms={})  # fmt: skip
    first = client.post("/backtests", asked)
    second = client.post("/backtests", {**asked, "params": {"period": 7}})
    assert [finished(client, run)["state"] for run in (first, second)] == ["done", "done"]
    compared = client.get("/backtests/compare", ids=f"{first['id']},{second['id']}")
    assert compared["differences"] == [{"name": "params.period", "values": [14, 7]}]
    again = client.post(f"/backtests/{first['id']}/again")
    repeated = finished(client, again)
    original = client.get(f"/backtests/{first['id']}")["run"]
    assert repeated["candles_sha256"] == original["candles_sha256"]
    assert repeated["metrics"] == original["metrics"]
    assert repeated["warnings"] == original["warnings"]


def test_a_paper_bot_is_made_of_a_run(deck: Copy) -> None:
    client = Client(deck)
    run = client.post("/backtests", request(terms={"cash": "10", "max_entries": 4}))
    finished(client, run)
    bot = client.post(f"/backtests/{run['id']}/bot", {"name": "from a test", "speed": "600"})
    config = bot["config"]
    assert config["market"].startswith("replay:") and config["market"].endswith("?speed=600")
    assert (config["amount"], config["max_entries"], config["timeframe"]) == ("2.5", 4, "15m")
    assert (bot["mode"], bot["state"]) == ("paper", "stopped")
    client.ask("DELETE", f"/bots/{bot['id']}")


def test_a_running_and_a_waiting_backtest_are_cancelled_while_they_are_at_it(deck: Copy) -> None:
    client = Client(deck)
    running = client.post("/backtests", request(strategy="slow"))
    waiting = client.post("/backtests", request(strategy="slow"))
    eventually(lambda: benches(deck), bool)
    [bench] = benches(deck)
    assert bench.nice() > psutil.Process().nice()
    assert not [name for name in bench.environ() if name.startswith("QUARTERDECK")]
    for run in (waiting, running):
        assert client.post(f"/backtests/{run['id']}/cancel")["state"] == "cancelled"
    eventually(lambda: benches(deck), lambda found: not found)
    assert client.ask("POST", f"/backtests/{running['id']}/cancel").status_code == 409
    assert client.ask("GET", f"/backtests/{running['id']}/trades").status_code == 409
    for run in (waiting, running):
        assert client.ask("DELETE", f"/backtests/{run['id']}").status_code == 204
        assert client.ask("GET", f"/backtests/{run['id']}").status_code == 404


def test_a_killed_engine_leaves_an_interrupted_run_that_can_be_run_again(deck: Copy) -> None:
    client = Client(deck)
    running = client.post("/backtests", request(strategy="slow", params={"seconds": 300}))
    waiting = client.post("/backtests", request(name="waited"))
    eventually(lambda: benches(deck), bool)
    [bench] = benches(deck)
    deck.kill_engine()
    deck.start_engine()
    client = Client(deck)
    interrupted = client.get(f"/backtests/{running['id']}")["run"]
    assert (interrupted["state"], interrupted["stage"]) == ("interrupted", "signals")
    assert "Run it again" in interrupted["error"]
    eventually(bench.is_running, lambda is_running: not is_running)
    assert finished(client, waiting)["state"] == "done"
    again = client.post(f"/backtests/{running['id']}/again")
    client.post(f"/backtests/{again['id']}/cancel")
