"""The commands as a person and a script run them: real processes against a real server."""

import csv
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.api.auth import ensure_token
from engine.cli.latch import read_latch
from engine.contracts.conversion import BaseTotals, LeftOut
from tests.fakes.serve import serving
from tests.fakes.services import FakeServices
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
DEMO = [
    "--name", "demo", "--market", "simulated", "--symbol", "BTC/USDT", "--strategy", "rsi",
    "--param", "period=14", "--timeframe", "1s", "--interval", "1", "--amount", "100",
    "--stop-loss", "0.02", "--take-profit", "0.05",
]  # fmt: skip


@dataclass(frozen=True)
class Shell:
    """Runs ``python -m engine`` for one data folder and port."""

    data: Path
    port: int
    services: FakeServices | None = None

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """One command to its end."""
        environment = {
            **os.environ, "QUARTERDECK_DATA": str(self.data),
            "QUARTERDECK_API_PORT": str(self.port), **variables,
        }  # fmt: skip
        return subprocess.run(
            [sys.executable, "-m", "engine", *arguments],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def json(self, *arguments: str, code: int = 0) -> Any:
        """The one JSON document a command prints; stderr must be empty."""
        done = self.run(*arguments, "--json")
        assert (done.returncode, done.stderr) == (code, ""), done
        return json.loads(done.stdout)

    def said(self, *arguments: str, code: int) -> str:
        """The one sentence a failing command says; stdout must be empty."""
        done = self.run(*arguments)
        assert (done.returncode, done.stdout) == (code, ""), done
        assert done.stderr.count("\n") == 1, done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr.strip()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    services = FakeServices()
    with serving(services, ensure_token(tmp_path / "api.token")) as served:
        yield Shell(tmp_path, served.port, services)


@pytest.fixture
def off(tmp_path: Path) -> Shell:
    """Nobody listens here."""
    return Shell(tmp_path / "data", free_port())


def test_the_life_of_a_bot(shell: Shell) -> None:
    created = shell.json("bots", "create", *DEMO)
    config = created["config"]
    assert created["state"] == "stopped"
    assert (config["timeframe"], config["interval_s"], config["amount"]) == ("1s", 1, "100")
    assert config["params"]["period"] == 14

    assert shell.json("bots", "start", "demo")["state"] == "running"
    assert shell.json("bots", "pause", created["id"])["desired"] == "paused"
    assert shell.json("bots", "stop", "demo", "--close")["state"] == "stopped"
    edited = shell.json(
        "bots", "edit", "demo", "--amount", "250.5", "--interval", "15m", "--stop-loss", "none",
        "--roi", "10m:0.01", "--roi", "1h:0", "--hours", "08:00-20:00", "--param", "oversold=25",
    )["config"]  # fmt: skip
    assert (edited["amount"], edited["interval_s"], edited["stop_loss"]) == ("250.5", 900, None)
    assert edited["roi_steps"][0] == {"after_s": 600, "profit": "0.01"}
    assert edited["active_hours"] == {
        "start": "08:00:00",
        "end": "20:00:00",
        "zone": "UTC",
        "weekdays": [],
    }
    assert edited["params"] == {"period": 14, "oversold": 25, "overbought": 70.0}

    assert shell.json("bots", "clone", "demo", "twin")["config"]["amount"] == "250.5"
    assert shell.json("bots", "delete", "demo") == {"deleted": "demo"}
    names = [bot["config"]["name"] for bot in shell.json("bots", "list")]
    assert "twin" in names and "demo" not in names
    assert shell.services is not None
    assert {entry.actor.split(":")[0] for entry in shell.services.audit_log} == {"cli"}


def test_create_with_start_starts(shell: Shell) -> None:
    done = shell.run("--json", "bots", "create", *DEMO, "--start")
    assert json.loads(done.stdout)["state"] == "running"


def test_another_strategy_takes_its_own_parameters(shell: Shell) -> None:
    edited = shell.json("bots", "edit", "doge-idle", "--strategy", "ma_cross", "--param", "fast=5")
    assert edited["config"]["params"] == {"fast": 5, "slow": 50}


def test_trades_as_csv_are_all_that_match(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "out" / "trades.csv"
    assert "cannot be written" in shell.said("trades", "--csv", str(file), code=2)
    file.parent.mkdir()
    answer = shell.json("trades", "--csv", str(file), "--bot", "btc-rsi", "--limit", "1")
    assert answer == {"file": str(file), "count": 12}
    assert list(file.parent.iterdir()) == [file]
    assert shell.services is not None
    wanted = {one.id: one.pnl for one in shell.services.trades_made if one.bot_name == "btc-rsi"}
    with file.open(newline="") as text:
        rows = {row["id"]: Decimal(row["pnl"]) for row in csv.DictReader(text)}
    assert rows == wanted


def test_text_for_people_is_plain(shell: Shell) -> None:
    done = shell.run("bots", "list")
    assert (done.returncode, done.stderr) == (0, "")
    assert "btc-rsi" in done.stdout
    assert "\x1b" not in done.stdout


def test_status_and_lists_are_json(shell: Shell) -> None:
    status = shell.json("status")
    assert status["health"]["engine_id"] == "fake"
    assert sum(status["states"].values()) == 9
    assert shell.json("trades", "--side", "short")["items"][0]["side"] == "short"
    assert len(shell.json("logs", "--limit", "3")) == 3


def test_status_adds_up_in_the_base_currency_and_says_what_it_is_without(
    shell: Shell,
) -> None:
    assert shell.services is not None
    shell.services.base = BaseTotals(
        currency="USD", value=Decimal("1234.5"), today_pnl=Decimal(-2), unrealised_pnl=Decimal(0),
        stale=("EUR",), left_out=(LeftOut(asset="XYZ", amount=Decimal("0.3")),),
        declared=("USDT counted as USD",), simulated=("JPY",),
        as_of=datetime(2026, 3, 2, tzinfo=UTC),
    )  # fmt: skip
    assert shell.json("status")["base"]["left_out"] == [{"asset": "XYZ", "amount": "0.3"}]
    shown = shell.run("status").stdout
    assert "total in USD: equity 1,234.50, today -2.00, open +0.00" in shown
    assert "without 0.30000000 XYZ: no rate" in shown
    assert "old rates: EUR" in shown
    assert "rates as of 2026-03-02 00:00:00 UTC" in shown
    shell.services.base = BaseTotals(currency="EUR", value=None)
    assert "total in EUR: not known" in shell.run("status").stdout


def test_kill_pauses_and_cancels_unless_told_otherwise(shell: Shell) -> None:
    assert shell.json("kill")["level"] == "cancel_orders"
    assert shell.json("kill", "--level", "close_all")["level"] == "close_all"
    assert shell.json("kill", "--release")["level"] == "none"
    assert not (shell.data / "KILL").exists()


def test_a_control_on_a_part_is_set_listed_and_released(shell: Shell) -> None:
    reason = ("--reason", "too hot")
    switch = shell.json("kill", "--bot", "btc-rsi", "--level", "reduce_only", *reason)
    assert (switch["scope"], switch["key"], switch["reason"]) == ("bot", "b0001", "too hot")
    assert shell.json("kill", "--symbol", "btc/usdt")["key"] == "BTC/USDT"
    listed = shell.json("controls")
    assert [(one["key"], one["level"]) for one in listed] == [
        ("b0001", "reduce_only"), ("BTC/USDT", "cancel_orders"),
    ]  # fmt: skip
    assert shell.json("status")["controls"] == listed
    assert "reduce only" in shell.run("controls").stdout
    said = shell.run("kill", "--bot", "btc-rsi", "--release").stdout
    assert said == "The control on the bot b0001 is released.\n"
    assert [one["key"] for one in shell.json("controls")] == ["BTC/USDT"]
    assert shell.json("status")["kill"]["level"] == "none", "the rest trades on"


# --- the engine is not running


def test_without_an_engine_the_exit_code_is_3(off: Shell) -> None:
    sentence = off.said("bots", "create", *DEMO, code=3)
    assert "is not running" in sentence and "python run.py" in sentence
    assert off.json("status", code=3)["error"]["code"] == "engine_off"
    assert not off.data.exists()


def test_kill_without_an_engine_latches_for_the_next_start(off: Shell) -> None:
    assert "latched" in off.said("kill", "--level", "close_all", code=3)
    latch = json.loads((off.data / "KILL").read_text())
    [switch] = latch["controls"]
    assert (switch["level"], switch["actor"]) == ("close_all", "cli")
    off.said("kill", code=3)
    assert json.loads((off.data / "KILL").read_text()) == latch, "a weaker level changes nothing"
    assert [path.name for path in off.data.iterdir()] == ["KILL"]


def test_controls_without_an_engine_are_latched_beside_one_another(off: Shell) -> None:
    off.said("kill", "--bot", "btc-rsi", "--level", "pause_entries", code=3)
    off.said("kill", "--account", "paper:simulated", code=3)
    assert "'close all' is latched" in off.said("kill", "--level", "close_all", code=3)
    latch = json.loads((off.data / "KILL").read_text())["controls"]
    assert [(one["scope"], one["key"], one["level"]) for one in latch] == [
        ("bot", "btc-rsi", "pause_entries"), ("account", "paper:simulated", "cancel_orders"),
        ("everything", "", "close_all"),
    ]  # fmt: skip
    told = off.said("controls", code=3)
    assert "Latched in the data folder" in told and "btc-rsi" in told


def test_an_engine_that_takes_calls_and_never_answers_is_latched_past(tmp_path: Path) -> None:
    ensure_token(tmp_path / "api.token")
    with socket.create_server(("127.0.0.1", 0)) as hung:  # nobody ever accepts
        shell = Shell(tmp_path, hung.getsockname()[1])
        told = shell.said("kill", "--level", "close_all", code=3)
    assert "does not answer" in told and "'close all' is latched" in told
    assert [one.level.value for one in read_latch(tmp_path)] == ["close_all"]


def test_the_engine_of_another_data_folder_is_told_apart(shell: Shell, tmp_path: Path) -> None:
    other = Shell(tmp_path / "other", shell.port)
    ensure_token(other.data / "api.token")
    assert "another data folder" in other.said("bots", "list", code=3)


# --- bad input


def test_bad_input_is_one_sentence_and_2(shell: Shell) -> None:
    said = shell.said("bots", "create", *DEMO, "--name", "<script>", "--amount", "-1", code=2)
    assert said == "name: has characters that are not allowed here; amount: must be greater than 0"
    error = shell.json("bots", "create", *DEMO, "--symbol", "NOPE/USDT", code=2)["error"]
    assert error["details"][0]["field"] == "symbol"
    usage = shell.json("bots", "create", "--colour", "red", code=2)["error"]
    assert usage["code"] == "usage" and "--colour" in usage["message"]


def test_a_wrong_variable_is_one_sentence(off: Shell) -> None:
    done = off.run("status", QUARTERDECK_API_PORT="many")
    assert (done.returncode, done.stdout) == (2, "")
    assert "QUARTERDECK_API_PORT" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_reader_that_goes_away_is_no_crash(shell: Shell) -> None:
    environment = os.environ | {
        "QUARTERDECK_DATA": str(shell.data), "QUARTERDECK_API_PORT": str(shell.port)
    }  # fmt: skip
    command = [sys.executable, "-m", "engine", "bots", "list"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""


def test_commands_load_nothing_slow() -> None:
    code = "import sys, engine.cli; print([m for m in sys.modules if m in %r])"
    slow = ["fastapi", "sqlmodel", "sqlalchemy", "ccxt", "numpy", "talib", "pandas", "apscheduler",
            "influxdb_client", "prometheus_client"]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code % slow], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
