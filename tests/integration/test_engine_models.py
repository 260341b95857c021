"""A bot that a model decides for, over the real engine: chat completions on the loopback, SQLite,
the API and the command line."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from engine.cli import main
from tests.fakes.chat_completions import ChatCompletions, chat_server
from tests.fakes.model_server import KEY, answer
from tests.support.books import rows
from tests.support.client import Client, eventually
from tests.support.processes import Copy, copy_of_quarterdeck
from tests.support.scripted import planned_bot, write_planned

DECIDER: dict[str, Any] = {
    "strategy": "planned", "params": {"plan": ""}, "amount": "100", "name": "decided",
    "ai": {"role": "decider", "min_confidence": 0.7, "deadline_s": 60, "ask_every_s": 86_400},
}  # fmt: skip


class Engine(NamedTuple):
    """A running engine and its model."""

    copy: Copy
    client: Client
    model: ChatCompletions
    folder: Path


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("models")
    write_planned(folder / "strategies")
    with chat_server() as model, copy_of_quarterdeck(
        folder / "data", QUARTERDECK_STRATEGIES=str(folder / "strategies"),
        QUARTERDECK_AI_PROVIDER="openai", QUARTERDECK_OPENAI_URL=model.url,
        QUARTERDECK_OPENAI_KEY=KEY, QUARTERDECK_OPENAI_MODEL=model.model,
    ) as copy:  # fmt: skip
        copy.start_engine()
        yield Engine(copy, Client(copy), model, folder)


Run = Callable[..., Any]


@pytest.fixture
def run(engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command with ``--json``; its document. As text, too."""
    monkeypatch.setenv("QUARTERDECK_DATA", str(engine.copy.place.data))
    monkeypatch.setenv("QUARTERDECK_API_PORT", str(engine.copy.place.api_port))

    def run(*arguments: str, as_text: bool = True) -> Any:
        assert main([*arguments, "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        if as_text:
            assert main(arguments) == 0
            assert capsys.readouterr().out.strip()
        return document

    return run


def test_a_decider_buys_once_and_all_of_it_is_kept(engine: Engine) -> None:
    client = engine.client
    engine.model.say(answer(action="buy", confidence=0.9, size=0.5, reasoning="It rises."))
    client.create_bot(**DECIDER)
    client.post("/bots/decided/start")
    position = eventually(lambda: client.bot("decided")["position"], bool)
    assert position["side"] == "long"
    [entry] = [one for one in client.get("/bots/decided/orders") if one["purpose"] == "entry"]
    assert entry["quote_amount"] == "50", "half of the stake, as the model wants"
    [decision] = client.get("/bots/decided/decisions", action="enter_long")
    assert [step["step"] for step in decision["trace"]] == [
        "candles", "model", "advisor", "risk", "order desk",
    ]  # fmt: skip
    page = client.get("/ai/advice", bot="decided", purpose="decide")
    [line] = page["items"]
    assert (line["decision_id"], line["verdict"]) == (decision["id"], "reduce")
    whole = client.get(f"/ai/advice/{line['id']}")
    assert whole["quote"] == "USDT"
    assert whole["advice"]["outcome_due_at"]
    assert len(engine.model.requests) == 1, "on the next candles it is not asked yet"


def test_a_killed_engine_does_not_ask_about_a_candle_again(engine: Engine) -> None:
    before = len(engine.model.requests)
    engine.copy.kill_engine()
    engine.copy.start_engine()
    engine.client.wait_for_state("decided", "running")
    held = eventually(
        lambda: engine.client.get("/bots/decided/decisions", limit=1)[0]["reason"],
        lambda reason: "at most every 86400 s" in reason,
    )
    assert held
    assert len(engine.model.requests) == before
    entries = [one for one in engine.client.get("/bots/decided/orders")
               if one["purpose"] == "entry"]  # fmt: skip
    assert len(entries) == 1


def test_a_stop_does_not_wait_for_a_model_that_hangs(engine: Engine) -> None:
    client, model = engine.client, engine.model
    model.arrived.clear()
    model.fail("slow")
    client.create_bot(**DECIDER | {"name": "slow"})
    client.post("/bots/slow/start")
    assert model.arrived.wait(90)
    client.post("/bots/slow/stop")
    client.wait_for_state("slow", "stopped")
    model.release()
    eventually(lambda: client.get("/ai/advice", bot="slow")["count"], lambda count: count == 1)
    assert client.get("/bots/slow/orders") == [], "its answer comes too late"


def test_the_command_line(engine: Engine, run: Run) -> None:
    engine.model.say(answer(action="sell", confidence=0.8, reasoning="=cmd|' /C calc'!A0"))
    made = run("ai", "dry-run", "decided", "--role", "advisor", "--instructions", "Be careful.",
               as_text=False)  # fmt: skip
    assert (made["is_supposed"], made["advice"]["purpose"]) == (True, "dry_run")
    assert made["advice"]["counsel"]["verdict"] == "veto"
    assert "Be careful." in made["advice"]["system"]
    past = made["closed_at"]
    assert run("ai", "dry-run", "decided", "--at", past)["closed_at"] == past  # twice: as text
    listed = run("ai", "advice", "--bot", "decided", "--purpose", "dry_run")
    assert listed["count"] == 3
    state = run("ai", "status")
    assert state["status"]["is_configured"]
    assert "decided" in state["status"]["bots"]
    file = engine.folder / "advice.csv"
    written = run("ai", "advice", "--csv", str(file))
    with file.open(encoding="utf-8", newline="") as opened:
        exported = list(csv.DictReader(opened))
    assert written["count"] == len(exported)
    assert exported[0]["reasoning"].startswith("'=cmd")


def test_a_replay_of_a_question_is_asked_word_for_word(engine: Engine) -> None:
    [line] = engine.client.get("/ai/advice", bot="decided", purpose="decide")["items"]
    asked = engine.client.get(f"/ai/advice/{line['id']}")["advice"]
    again = engine.client.post(f"/ai/advice/{line['id']}/replay")["advice"]
    assert (again["prompt"], again["replay_of"]) == (asked["prompt"], asked["id"])
    assert engine.client.get("/audit", limit=1)[0]["action"] == "ai.replay"


def test_a_replayed_market_refuses_a_model(engine: Engine) -> None:
    bot_id = planned_bot(engine.client, engine.folder / "candles", [(100.0,)] * 5, plan="")
    config = engine.client.bot(bot_id)["config"] | {"name": "other", "ai": DECIDER["ai"]}
    refused = engine.client.ask("POST", "/bots/preview", json=config)
    assert refused.status_code == 422
    assert "Replays ask no model" in refused.json()["error"]["message"]


def test_no_key_is_anywhere(engine: Engine) -> None:
    data = engine.copy.place.data
    assert rows(data, "SELECT * FROM advice")
    holding = [path for path in data.rglob("*") if path.is_file() and KEY.encode() in
               path.read_bytes()]  # fmt: skip
    assert holding == []
