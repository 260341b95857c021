"""Tokens and the stream with the engine's own services: prices and fills of a bot that trades, and
what a token leaves behind."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from engine.adapters.clock.system import SystemClock
from engine.adapters.store.store import SqlStore
from engine.domain.tokens import Scope
from engine.services.api_tokens import ApiTokens
from engine.services.books import Books
from tests.fakes.strategy_files import write_strategy
from tests.support.live_engine import LiveEngine, live_engine

OLD: dict[str, str] = {}
"""The header with a token that was made before the engine has started."""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveEngine]:
    folder = tmp_path_factory.mktemp("programs")
    (folder / "strategies").mkdir()
    write_strategy(folder / "strategies", "busy", act="above = candles.time // 1000 % 4 < 2")
    store = SqlStore.open(f"sqlite:///{folder / 'state.db'}")
    _, text = ApiTokens(Books(store, SystemClock())).create("old", [Scope.READ], "test")
    store.close()
    OLD["Authorization"] = f"Bearer {text}"
    with live_engine(folder, strategies=folder / "strategies") as engine:
        yield engine


def made(live: LiveEngine, name: str, *scopes: str) -> dict[str, str]:
    """A new token; the header that shows it."""
    answer = live.http.post("/api/v1/tokens", json={"name": name, "scopes": list(scopes)})
    return {"Authorization": f"Bearer {answer.raise_for_status().json()['text']}"}


def first_of_each(response: httpx.Response, wanted: set[str]) -> dict[str, Any]:
    """The first message of each kind, once there is one of all that are wanted."""
    seen: dict[str, Any] = {}
    kind = ""
    for line in response.iter_lines():
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            seen.setdefault(kind, json.loads(value))
        if seen.keys() >= wanted:
            break
    return seen


def test_a_token_of_the_run_before_holds(live: LiveEngine) -> None:
    assert live.http.get("/bots", headers=OLD).status_code == 200


def test_a_program_sees_what_its_bot_does_as_it_happens(live: LiveEngine) -> None:
    headers = made(live, "watcher", "read", "trade")
    bot = {"name": "nervous", "market": "simulated", "symbol": "BTC/USDT", "strategy": "busy",
           "timeframe": "1s", "interval_s": 1, "amount": "100"}  # fmt: skip
    live.http.post("/api/create-bot", json=bot, headers=headers).raise_for_status()
    wanted = {"hello", "bot", "price", "decision", "order", "fill", "position"}
    with live.http.stream("GET", "/api/stream?bot=nervous", headers=headers) as response:
        with httpx.Client(base_url=live.url, headers=headers, trust_env=False) as other:
            other.post("/api/bot/nervous/start", timeout=90).raise_for_status()
        seen = first_of_each(response, wanted)
    assert seen["price"]["symbol"] == "BTC/USDT"
    assert seen["fill"]["bot_id"] == seen["bot"]["bot_id"]
    assert seen["decision"]["reason"]
    assert live.http.post("/api/bot/nervous/stop", headers=headers).status_code == 200
    actors = {one["actor"] for one in live.http.get("/api/v1/audit").json()
              if one["action"].startswith("bot.")}  # fmt: skip
    assert actors == {"token:watcher"}


def test_what_the_gate_notes_is_written_down_by_a_job(live: LiveEngine) -> None:
    headers = made(live, "seen", "read")
    assert live.http.get("/bots", headers=headers).status_code == 200
    for _ in range(5):
        live.http.get("/bots", headers={"Authorization": "Bearer wrong"})
    job = next(job for job in live.engine.jobs if job.id == "tokens")
    live.do(job.service())
    with live.engine.facade.books.store.reading() as tx:
        [kept] = tx.tokens.select(name="seen")
    assert kept.last_used_at is not None
    [event] = live.http.get("/api/logs?kind=api.login_failures").json()
    assert "5 requests came with a wrong API token" in event["message"]
