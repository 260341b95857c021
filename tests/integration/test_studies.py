"""Studies in a real engine: through the API, on worker processes, over kills."""

import contextlib
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
TRIALS = 48  # three batches
HEAD = '''
"""Entries by the clock."""
import time
import numpy as np
from pydantic import Field
from engine.domain.candles import Candles
from engine.domain.strategy import Signals, Strategy


class Clock(Strategy):
    """Buys every so many candles."""

    title = "Clock"
    summary = "By the clock."
    every: int = Field(default=10, ge=4, le=60)
    hold: int = Field(default=3, ge=1, le=30)

    @property
    def warmup(self) -> int:
        return 2

    def signals(self, candles: Candles) -> Signals:
        hours = candles.time // 3_600_000
        none = np.zeros(len(candles), dtype=np.bool_)
'''
SLOW = HEAD + (
    "        time.sleep(0.02)\n"
    "        return Signals(hours % self.every == 0, hours % self.every == self.hold, none, none)\n"
)
PROPHET = HEAD + (
    "        rises = np.append(candles.close[1:] > candles.close[:-1], False)\n"
    "        return Signals(rises, ~rises, none, none)\n"
)


def request(**changes: Any) -> dict[str, Any]:
    """A few trials of two averages on the file."""
    backtest = {
        "strategy": "ma_cross", "source": {"kind": "files", "files": [FILE]}, "timeframe": "1h",
        "terms": {"cash": "10", "fee_bps": "10"},
    } | changes.pop("backtest", {})  # fmt: skip
    return {
        "backtest": backtest, "trials": 20, "min_trades": 2, "paths": 100,
        "ranges": {"fast": {"low": 2, "high": 12}, "slow": {"low": 6, "high": 30}},
    } | changes  # fmt: skip


def slow_request(**changes: Any) -> dict[str, Any]:
    """Enough trials of the slow strategy to be interrupted."""
    return request(backtest={"strategy": "slow"}, ranges={}, trials=TRIALS, **changes)


def ended(client: Client, study: dict[str, Any], timeout_s: float = 60) -> dict[str, Any]:
    """The study once it has ended."""
    return eventually(
        lambda: client.get(f"/studies/{study['id']}"),
        lambda found: found["state"] not in ("queued", "running"),
        timeout_s=timeout_s,
    )


def under_way(client: Client, study: dict[str, Any]) -> dict[str, Any]:
    """The study once some of its trials are done."""
    return eventually(
        lambda: client.get(f"/studies/{study['id']}"),
        lambda found: found["progress"]["trials"] > 0,
        every_s=0.02,
    )


def trials(client: Client, study: dict[str, Any]) -> list[dict[str, Any]]:
    """All of its trials."""
    found: list[dict[str, Any]] = client.get(f"/studies/{study['id']}/trials")["items"]
    return found


def workers(deck: Copy) -> list[psutil.Process]:
    """The processes of studies under way."""
    assert deck.engine is not None
    found = []
    for one in psutil.Process(deck.engine.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it ends just now
            if "spawn_main" in " ".join(one.cmdline()):
                found.append(one)
    return found


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """One engine for the module, with a candle file, a slow strategy and one that cheats."""
    data = tmp_path_factory.mktemp("deck") / "data"
    strategies = data.parent / "strategies"
    shutil.copytree(Path("strategies"), strategies)
    (strategies / "slow.py").write_text(SLOW)
    (strategies / "prophet.py").write_text(PROPHET)
    (data / "candles").mkdir(parents=True)
    shutil.copy(eth_btc(data.parent), data / "candles" / FILE)
    with copy_of_quarterdeck(
        data, QUARTERDECK_STRATEGIES=str(strategies), QUARTERDECK_TUNE_WORKERS="1"
    ) as copy:
        copy.start_engine()
        yield copy


def test_a_study_from_its_preview_to_a_paper_bot(deck: Copy) -> None:
    client = Client(deck)
    preview = client.post("/studies/preview", request())
    assert (preview["symbol"], preview["bars"], preview["trials"]) == ("ETH/BTC", 480, 20)
    assert set(preview["searched"]) == {"fast", "slow"}
    study = ended(client, client.post("/studies", request(name="first")))
    assert (study["state"], study["error"]) == ("done", "")
    summary = study["summary"]
    assert summary["inside"]["sharpe"] == pytest.approx(summary["best_value"])
    assert summary["outside"]["trades"] >= 0
    assert summary["luck"]["trials"] > 1
    rows = trials(client, study)
    best = client.get(f"/studies/{study['id']}/trials", order="best", limit=1)["items"][0]
    assert best["values"] == summary["best"]
    assert {"sharpe", "trades"} <= set(best["outside"])
    assert sum(summary["counts"].values()) == len(rows) >= 20
    [brief] = client.get("/studies", search="FIRST")["items"]
    assert (brief["id"], brief["inside"]) == (study["id"], summary["best_value"])

    bot = client.post(f"/studies/{study['id']}/bot", {"name": "tuned", "speed": "600"})
    assert bot["config"]["params"].items() >= summary["best"].items()
    assert (bot["mode"], bot["state"]) == ("paper", "stopped")
    assert client.ask("POST", f"/studies/{study['id']}/resume").status_code == 409
    client.ask("DELETE", f"/bots/{bot['id']}")
    client.ask("DELETE", f"/studies/{study['id']}")
    assert client.ask("GET", f"/studies/{study['id']}").status_code == 404


def test_a_strategy_that_sees_the_future_is_refused(deck: Copy) -> None:
    client = Client(deck)
    asked = request(backtest={"strategy": "prophet"}, ranges={})
    study = ended(client, client.post("/studies", asked))
    assert study["state"] == "failed"
    assert "sees the future: 'enter_long' of the candle at" in study["error"]
    assert trials(client, study) == []


def test_a_study_that_is_cancelled_and_killed_ends_as_one_that_ran_through(deck: Copy) -> None:
    client = Client(deck)
    study = client.post("/studies", slow_request(name="cut"))
    under_way(client, study)
    assert client.ask("DELETE", f"/studies/{study['id']}").status_code == 409
    assert client.post(f"/studies/{study['id']}/cancel")["state"] == "cancelled"
    eventually(lambda: workers(deck), lambda left: not left)
    cancelled = trials(client, study)
    assert 0 < len(cancelled) < TRIALS

    client.post(f"/studies/{study['id']}/resume")
    eventually(lambda: trials(client, study), lambda rows: len(rows) > len(cancelled), every_s=0.02)
    left_behind = workers(deck)
    deck.kill_engine()
    deck.start_engine()
    client = Client(deck)
    interrupted = client.get(f"/studies/{study['id']}")
    assert interrupted["state"] == "interrupted"
    assert "goes on where it was" in interrupted["error"]
    before = trials(client, interrupted)
    assert before[: len(cancelled)] == cancelled
    eventually(lambda: [one for one in left_behind if one.is_running()], lambda left: not left)

    client.post(f"/studies/{study['id']}/resume")
    whole = client.post("/studies", slow_request(name="whole"))
    done, whole = ended(client, study), ended(client, whole)
    assert (done["state"], whole["state"]) == ("done", "done")
    assert trials(client, done)[: len(before)] == before
    assert trials(client, done) == trials(client, whole)
    assert done["summary"] == whole["summary"]


def test_bots_are_tuned_again_only_where_they_have_a_history(deck: Copy) -> None:
    client = Client(deck)
    bot = client.create_bot()
    assert client.get(f"/bots/{bot['id']}/retune")["settings"]["is_on"] is False
    put = client.call("PUT", f"/bots/{bot['id']}/retune", json={"is_on": True, "hour": 4}).json()
    assert put["next_at"].endswith("T04:00:00Z")
    replay = client.create_bot(
        name="replayed", market=f"replay:{deck.place.data / 'candles' / FILE}", symbol="ETH/BTC",
        timeframe="5m", interval_s=300, amount="0.1",
    )  # fmt: skip
    refused = client.ask("PUT", f"/bots/{replay['id']}/retune", json={"is_on": True})
    assert refused.status_code == 422
    assert "no history of its own" in refused.text
