"""The command line over the real engine, each command as its own process where that matters."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer

from engine.cli import main
from engine.cli.entry import build
from tests.support.books import rows
from tests.support.client import Client, eventually
from tests.support.processes import Copy, copy_of_quarterdeck
from tests.support.scripted import planned_bot, write_planned
from tooling.place import ROOT

OK, BAD_INPUT, NOT_RUNNING = 0, 2, 3


class Engine(NamedTuple):
    """A running engine with a replay that was played and two trades in its books."""

    copy: Copy
    client: Client
    folder: Path


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("cli")
    write_planned(folder / "strategies")
    with copy_of_quarterdeck(
        folder / "data", QUARTERDECK_STRATEGIES=str(folder / "strategies")
    ) as copy:
        copy.start_engine()
        client = Client(copy)
        bars = [(100.0,), (100.0,), (107.3,), (99.1,), (99.1,), (101.7,), (101.7,)]
        bot_id = planned_bot(client, folder / "played", bars, plan="0L 1l 3L 4l", amount="777")
        client.wait_for_state(bot_id, "stopped")
        yield Engine(copy, client, folder)


Run = Callable[..., Any]


@pytest.fixture
def run(engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command with ``--json`` in this process; its document."""
    monkeypatch.setenv("QUARTERDECK_DATA", str(engine.copy.place.data))
    monkeypatch.setenv("QUARTERDECK_API_PORT", str(engine.copy.place.api_port))

    def run(*arguments: str, code: int = OK) -> Any:
        assert main([*arguments, "--json"]) == code
        out, err = capsys.readouterr()
        assert err == ""
        document = json.loads(out)
        if code == OK:
            assert main(arguments) == OK  # and as text, which nobody parses
            text, _ = capsys.readouterr()
            assert text.strip()
        return document

    return run


def command(copy: Copy, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m engine`` as a process of its own."""
    environment = {
        **os.environ,
        "QUARTERDECK_DATA": str(copy.place.data),
        "QUARTERDECK_API_PORT": str(copy.place.api_port),
    }
    return subprocess.run(
        [sys.executable, "-m", "engine", *arguments], cwd=ROOT, env=environment, text=True,
        capture_output=True, timeout=30, check=False,
    )  # fmt: skip


READING: dict[tuple[str, ...], type] = {
    ("status",): dict,
    ("trades",): dict,
    ("strategies",): list,
    ("markets",): list,
    ("symbols",): list,
    ("logs",): list,
    ("accounts",): list,
    ("news",): dict,
    ("reconcile",): list,
    ("bots", "list"): list,
    ("bots", "show", "played"): dict,
    ("bots", "orders", "played"): list,
}
ELSEWHERE = {"run", "kill", "controls", "findings", "resolve", *(f"bots {verb}" for verb in (
    "create", "edit", "clone", "start", "pause", "stop", "delete"
)), *(f"candles {verb}" for verb in ("list", "import", "download", "check", "delete")),
    *(f"accounts {verb}" for verb in ("add", "list", "venues", "test", "rename", "secrets",
      "options", "login", "enable", "disable", "delete")),
    *(f"signals {verb}" for verb in ("list", "show", "send", "replay", "webhook")),
    *(f"tokens {verb}" for verb in ("list", "create", "revoke")),
    *(f"ai {verb}" for verb in ("status", "advice", "dry-run")),
    *(f"alerts {verb}" for verb in ("channels", "matrix", "price", "list", "log", "again", "send")),
    "brokers check", "brokers example", "backtest", "tune", "doctor",
    "backup", "backups list", "restore", "verify", "watcher"}  # fmt: skip
"""In the tests below, and in test_cli_accounts, _alerts, _backups, _brokers, _candles, _backtest,
_doctor and _tokens, test_engine_inbox, test_engine_models, test_tune_cli and test_watcher."""


def test_every_command_of_the_help_is_exercised_here() -> None:
    group = typer.main.get_command(build())
    names = set()
    for name, one in group.commands.items():  # type: ignore[attr-defined]
        inner = getattr(one, "commands", None)
        names |= {f"{name} {verb}" for verb in inner or ()}
        if inner is None or one.invoke_without_command:
            names.add(name)
    assert (
        names
        == {" ".join(words[:2]) if words[0] == "bots" else words[0] for words in READING}
        | ELSEWHERE
    )


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_what_reads_gives_one_document(run: Run, words: tuple[str, ...]) -> None:
    document = run(*words)
    assert isinstance(document, READING[words])
    assert document


def test_the_documents_are_those_of_the_api(engine: Engine, run: Run) -> None:
    # A sample of the equity may be taken between the two.
    eventually(lambda: run("bots", "list"), lambda told: told == engine.client.get("/bots"))
    assert run("trades") == engine.client.get("/trades", limit=50)
    assert run("strategies") == engine.client.get("/strategies")
    assert run("symbols", "BTC", "--limit", "3") == engine.client.get(
        "/symbols", market="simulated", search="BTC", limit=3
    )
    assert run("logs", "--bot", "played", "--kind", "order") == engine.client.get(
        "/events", bot_id="played", kind="order", limit=50
    )
    assert run("status")["states"]["stopped"] == 1


def test_a_bots_whole_life(engine: Engine, run: Run) -> None:
    created = json.loads(command(
        engine.copy, "bots", "create", "--name", "lively", "--symbol", "eth/usdt".upper(),
        "--strategy", "planned", "--param", "plan=0L", "--timeframe", "1s", "--interval", "1",
        "--amount", "123.45", "--stop-loss", "0.01", "--take-profit", "none", "--roi", "1m:0.02",
        "--hours", "00:00-23:59", "--no-reinvest", "--max-entries", "2", "--time-limit", "2h",
        "--json",
    ).stdout)  # fmt: skip
    config = created["config"]
    assert created["state"] == "stopped"
    assert (config["amount"], config["stop_loss"], config["take_profit"]) == (
        "123.45",
        "0.01",
        None,
    )
    assert config["roi_steps"] == [{"after_s": 60, "profit": "0.02"}]
    assert (config["time_limit_s"], config["reinvest"], config["max_entries"]) == (7200, False, 2)

    code = main(["bots", "edit", "lively", "--amount", "200", "--hours", "none", "--json"])
    edited = engine.client.bot("lively")["config"]
    assert code == OK
    assert edited == config | {"amount": "200", "active_hours": None}
    for verb, state in (("start", "running"), ("pause", "paused"), ("start", "running")):
        assert main(["bots", verb, "LIVELY"]) == OK
        engine.client.wait_for_state("lively", state)
    assert main(["bots", "edit", "lively", "--amount", "1"]) == BAD_INPUT, "it runs"
    assert main(["bots", "delete", "lively"]) == BAD_INPUT
    assert main(["bots", "clone", "lively", "twin"]) == OK
    assert engine.client.bot("twin")["config"] == edited | {"name": "twin"}
    assert main(["bots", "stop", "lively", "--close"]) == OK
    engine.client.wait_for_state("lively", "stopped")
    for name in ("lively", "twin"):
        assert main(["bots", "delete", name]) == OK
        assert engine.client.ask("GET", f"/bots/{name}").status_code == 404


def test_the_csv_is_the_database_to_the_last_digit(engine: Engine, run: Run) -> None:
    file = engine.folder / "trades.csv"
    document = run("trades", "--csv", str(file))
    with file.open(encoding="utf-8", newline="") as opened:
        exported = list(csv.DictReader(opened))
    stored = rows(engine.copy.place.data, "SELECT * FROM trades ORDER BY exit_time DESC")
    assert len(exported) == len(stored) == 2
    assert document == {"file": str(file.resolve()), "count": 2}
    for text, row in zip(exported, stored, strict=True):
        assert set(text) == set(row)
        for name, value in row.items():
            if name.endswith("_time"):
                assert datetime.fromisoformat(text[name]) == datetime.fromisoformat(value)
            elif name in ("pnl", "fees", "quantity", "return_fraction") or name.endswith(
                ("_price", "_value")
            ):
                assert Decimal(text[name]) == Decimal(value)
                assert "E" not in text[name]
            else:
                assert text[name] == str(value)
    pnl = sum(Decimal(text["pnl"]) for text in exported)
    assert pnl == Decimal(engine.client.bot("played")["realised_pnl"])

    assert run("trades", "--csv", str(file), "--side", "short")
    assert len(file.read_text("utf-8").splitlines()) == 1, "the header alone"
    assert list(engine.folder.glob("*.part")) == []


def test_logs_are_json_by_the_line_and_know_no_token(engine: Engine) -> None:
    data, bot = engine.copy.place.data, engine.client.bot("played")
    files = [data / "logs" / "engine.log", data / "logs" / "bots" / f"{bot['id']}.log"]
    for file in files:
        lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        assert lines
        assert all({"event", "level", "timestamp"} <= set(line) for line in lines)
    own = [json.loads(line) for line in files[1].read_text("utf-8").splitlines()]
    assert {line["bot_id"] for line in own} == {bot["id"]}
    assert {"order.filled", "position.closed", "replay.ended"} <= {line["kind"] for line in own}
    token = engine.copy.token.encode()
    holding = [path for path in data.rglob("*") if path.is_file() and token in path.read_bytes()]
    assert holding == [data / "api.token"]


def test_the_kill_switch_with_the_engine_up_and_down(tmp_path: Path) -> None:
    with copy_of_quarterdeck(tmp_path / "data") as copy:
        off = command(copy, "status")
        assert (off.returncode, off.stdout) == (NOT_RUNNING, "")
        assert len(off.stderr.splitlines()) == 1

        copy.start_engine()
        client = Client(copy)
        bot = client.create_bot()
        client.post(f"/bots/{bot['id']}/start")
        client.wait_for_state("demo", "running")
        pulled = command(copy, "kill", "--json")
        assert pulled.returncode == OK
        assert json.loads(pulled.stdout)["level"] == client.get("/kill")["level"] == "cancel_orders"
        assert (copy.place.data / "KILL").exists()
        [listed] = json.loads(command(copy, "controls", "--json").stdout)
        assert listed == json.loads(pulled.stdout)
        released = command(copy, "kill", "--release")
        assert (released.returncode, released.stdout) == (OK, "The kill switch is released.\n")
        assert client.get("/kill")["level"] == "none"
        assert not (copy.place.data / "KILL").exists()

        copy.kill_engine()
        latched = command(copy, "kill", "--level", "close_all", "--json")
        assert (latched.returncode, latched.stderr) == (NOT_RUNNING, "")
        assert "'close all' is latched" in json.loads(latched.stdout)["error"]["message"]
        weaker = command(copy, "kill", "--level", "pause_entries")
        assert "'close all' is latched" in weaker.stderr, "never weaker than what is latched"
        command(copy, "kill", "--bot", "demo", "--level", "pause_entries")
        assert command(copy, "kill", "--release").returncode == NOT_RUNNING

        copy.start_engine()
        assert client.get("/kill")["level"] == "close_all"
        by_name = client.get("/controls")[1]
        assert (by_name["scope"], by_name["key"]) == ("bot", bot["id"]), "looked up at the start"
        entries = [one for one in client.get("/bots/demo/orders") if one["purpose"] == "entry"]
        eventually(lambda: client.bot("demo")["position"], lambda position: position is None)
        client.wait_for_state("demo", "running")
        after = [one for one in client.get("/bots/demo/orders") if one["purpose"] == "entry"]
        assert after == entries, "no entry while it is pulled"
        copy.stop_engine()
        copy.start_engine()
        assert client.get("/kill")["level"] == "close_all", "it latches through restarts"
        assert command(copy, "kill", "--release").returncode == OK
        assert client.get("/kill")["level"] == "none"
