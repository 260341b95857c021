"""Bad input on the real engine, through the API and the command line alike: nothing is created."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from engine.cli import main
from tests.support.books import rows
from tests.support.client import RSI_DEMO, Client
from tests.support.loopback import NO_TLS
from tests.support.processes import Copy, copy_of_quarterdeck

OPTIONS = {
    "name": "--name", "market": "--market", "symbol": "--symbol", "strategy": "--strategy",
    "timeframe": "--timeframe", "interval_s": "--interval", "amount": "--amount",
    "stop_loss": "--stop-loss", "take_profit": "--take-profit",
    "trailing_stop": "--trailing-stop", "time_limit_s": "--time-limit",
    "direction": "--direction", "max_entries": "--max-entries",
}  # fmt: skip


class Engine(NamedTuple):
    """A running engine with one bot, "Demo", and the folder of its test."""

    copy: Copy
    client: Client
    folder: Path


class Bad(NamedTuple):
    """What is wrong with a bot's configuration, and the field that must be named."""

    changes: dict[str, Any]
    field: str
    status: int = 422


BAD: dict[str, Bad] = {
    "unknown symbol": Bad({"symbol": "NOPE/USDT"}, "symbol", 404),
    "empty symbol": Bad({"symbol": ""}, "symbol"),
    "symbol of formula": Bad({"symbol": "=cmd|'/c calc'!A1"}, "symbol", 404),
    "unknown market": Bad({"market": "mars"}, "market", 404),
    "no exchange": Bad({"market": "ccxt:nowhere"}, "market", 404),
    "unknown strategy": Bad({"strategy": "alchemy"}, "strategy", 404),
    "strategy is a path": Bad({"strategy": "../rsi"}, "strategy"),
    "strategy is hidden": Bad({"strategy": "_template"}, "strategy"),
    "unknown timeframe": Bad({"timeframe": "7m"}, "timeframe"),
    "empty timeframe": Bad({"timeframe": ""}, "timeframe"),
    "zero amount": Bad({"amount": "0"}, "amount"),
    "negative amount": Bad({"amount": "-5"}, "amount"),
    "amount NaN": Bad({"amount": "NaN"}, "amount"),
    "amount Infinity": Bad({"amount": "Infinity"}, "amount"),
    "amount 1e300": Bad({"amount": "1e300"}, "amount"),
    "amount 1e-300": Bad({"amount": "1e-300"}, "amount"),
    "amount too precise": Bad({"amount": "100." + "1" * 60}, "amount"),
    "amount words": Bad({"amount": "a lot"}, "amount"),
    "amount empty": Bad({"amount": ""}, "amount"),
    "below the minimum": Bad({"amount": "0.5"}, "amount"),
    "above the balance": Bad({"amount": "100001"}, "amount"),
    "stop loss 1": Bad({"stop_loss": "1"}, "stop_loss"),
    "stop loss 1.5": Bad({"stop_loss": "1.5"}, "stop_loss"),
    "stop loss -0.1": Bad({"stop_loss": "-0.1"}, "stop_loss"),
    "stop loss 0": Bad({"stop_loss": "0"}, "stop_loss"),
    "take profit 0": Bad({"take_profit": "0"}, "take_profit"),
    "take profit 11": Bad({"take_profit": "11"}, "take_profit"),
    "trailing stop 2": Bad({"trailing_stop": "2"}, "trailing_stop"),
    "time limit 0": Bad({"time_limit_s": 0}, "time_limit"),
    "interval 0": Bad({"interval_s": 0}, "interval"),
    "interval of years": Bad({"interval_s": 999_999_999}, "interval"),
    "entries 0": Bad({"max_entries": 0}, "max_entries"),
    "entries 1000": Bad({"max_entries": 1000}, "max_entries"),
    "sideways": Bad({"direction": "sideways"}, "direction"),
    "name taken": Bad({"name": "Demo"}, "name", 409),
    "name taken but for case": Bad({"name": "dEMO"}, "name", 409),
    "script as name": Bad({"name": "<script>alert(1)</script>"}, "name"),
    "path as name": Bad({"name": "../x"}, "name"),
    "long name": Bad({"name": "x" * 200}, "name"),
    "empty name": Bad({"name": ""}, "name"),
    "blank name": Bad({"name": "   "}, "name"),
    "name with a space behind": Bad({"name": "demo two "}, "name"),
    "formula as name": Bad({"name": "=1+1"}, "name"),
    "name with a line break": Bad({"name": "two\nlines"}, "name"),
    "parameter below": Bad({"params": {"period": 1}}, "period"),
    "parameter above": Bad({"params": {"period": 10**9}}, "period"),
    "parameter of no kind": Bad({"params": {"period": "often"}}, "period"),
    "parameter true": Bad({"params": {"period": True}}, "period"),
    "fractional parameter": Bad({"params": {"period": 14.5}}, "period"),
    "unknown parameter": Bad({"params": {"perriod": 14}}, "perriod"),
    "missing replay": Bad({"market": "replay:/no/such/ABC-USDT.1m.csv"}, "market"),
    "replay of a folder": Bad({"market": "replay:{folder}"}, "market"),
    "replay of no candles": Bad({"market": "replay:{folder}/ABC-USDT.1m.csv"}, "market"),
    "replay of bytes": Bad({"market": "replay:{folder}/RAW-USDT.1m.csv"}, "market"),
    "replay of an empty file": Bad({"market": "replay:{folder}/NIL-USDT.1m.csv"}, "market"),
    "replay of false parquet": Bad({"market": "replay:{folder}/ABC-USDT.1m.parquet"}, "market"),
    "replay of nothing": Bad({"market": "replay:"}, "market"),
    "replay too slow": Bad({"market": "replay:{folder}/ABC-USDT.1m.csv?speed=-1"}, "market"),
}  # fmt: skip

API_ONLY: dict[str, Bad] = {
    "unknown field": Bad({"leverage": 100}, "leverage"),
    "no name": Bad({"name": None}, "name"),
    "name is a list": Bad({"name": ["demo"]}, "name"),
    "params is a list": Bad({"params": [1]}, "params"),
    "interval in words": Bad({"interval_s": "soon"}, "interval_s"),
    "half an interval": Bad({"interval_s": 1.5}, "interval_s"),
    "ROI out of order": Bad(
        {"roi_steps": [{"after_s": 60, "profit": "0.1"}, {"after_s": 0, "profit": "0.2"}]}, "ROI"
    ),
    "hours of no day": Bad({"active_hours": {"start": "25:00", "end": "08:00"}}, "active_hours"),
    "deep parameter": Bad({"params": {"period": {"a": {"b": [1]}}}}, "period"),
    "surrogate": Bad({"name": "\ud800"}, "name"),
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("input")
    (folder / "ABC-USDT.1m.csv").write_text("these,are\nno,candles\n")
    (folder / "RAW-USDT.1m.csv").write_bytes(bytes(range(256)) * 8)
    (folder / "NIL-USDT.1m.csv").write_text("")
    (folder / "ABC-USDT.1m.parquet").write_bytes(b"PAR1 and no more")
    with copy_of_quarterdeck(folder / "data") as copy:
        copy.start_engine()
        client = Client(copy)
        client.create_bot(name="Demo")
        yield Engine(copy, client, folder)


@pytest.fixture
def untouched(engine: Engine) -> Iterator[None]:
    """Nothing was created, changed or written but what the engine itself notes."""
    before = inventory(engine)
    yield
    assert inventory(engine) == before


def inventory(engine: Engine) -> list[list[dict[str, Any]]]:
    """The rows that bad input must leave alone."""
    data = engine.copy.place.data
    tables = ("bots", "strategy_configurations", "orders", "audit_entries")
    return [rows(data, f"SELECT * FROM {table}") for table in tables]  # noqa: S608


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line against the running engine: exit code, stdout, stderr."""
    monkeypatch.setenv("QUARTERDECK_DATA", str(engine.copy.place.data))
    monkeypatch.setenv("QUARTERDECK_API_PORT", str(engine.copy.place.api_port))

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def fitted(changes: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The changes with the folder filled in."""
    return {
        name: value.replace("{folder}", str(folder)) if isinstance(value, str) else value
        for name, value in changes.items()
    }


def send(engine: Engine, method: str, path: str, body: bytes) -> httpx.Response:
    """Call the API with any bytes as JSON."""
    headers = {
        "Authorization": f"Bearer {engine.copy.token}", "Content-Type": "application/json",
    }  # fmt: skip
    url = f"{engine.copy.engine_url}/api/v1{path}"
    return httpx.request(
        method, url, content=body, headers=headers, timeout=20, verify=NO_TLS, trust_env=False
    )


def error_of(response: httpx.Response, status: int) -> dict[str, Any]:
    """The error of a refused call."""
    assert response.status_code == status, response.text
    error: dict[str, Any] = response.json()["error"]
    assert error["message"] and "\n" not in error["message"] and len(error["message"]) < 500
    assert "Traceback" not in error["message"]
    return error


@pytest.mark.parametrize("name", [*BAD, *API_ONLY])
@pytest.mark.parametrize("path", ["/bots", "/bots/preview"])
def test_the_api_names_the_field(engine: Engine, untouched: None, name: str, path: str) -> None:
    bad = (BAD | API_ONLY)[name]
    body = RSI_DEMO | {"name": "another"} | fitted(bad.changes, engine.folder)
    content = json.dumps({key: value for key, value in body.items() if value is not None})
    response = send(engine, "POST", path, content.encode())
    error = error_of(response, bad.status)
    named = [detail["field"] for detail in error["details"]] + [error["message"]]
    assert any(bad.field in words for words in named), error


@pytest.mark.parametrize("name", BAD)
def test_the_command_line_says_the_same(
    engine: Engine, untouched: None, run: Run, name: str
) -> None:
    changes = RSI_DEMO | {"name": "another"} | fitted(BAD[name].changes, engine.folder)
    arguments = ["bots", "create"]
    for key, value in changes.items():
        if key == "params":
            for param, given in value.items():
                arguments += ["--param", f"{param}={json.dumps(given).strip(chr(34))}"]
        else:
            arguments += [OPTIONS[key], str(value)]
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    [sentence] = err.splitlines()
    code, out, err = run(*arguments, "--json")
    assert (code, err) == (2, "")
    error = json.loads(out)["error"]
    assert error["message"] == sentence
    named = [sentence.replace("-", "_"), *(detail["field"] for detail in error["details"])]
    assert any(BAD[name].field in words for words in named), error


MALFORMED = {
    "no object": b"[1, 2]",
    "text": b'"bot"',
    "half": b'{"name": "x"',
    "NaN": b'{"name": "x", "amount": NaN}',
    "bytes": b"\xff\xfe{}",
    "empty": b"",
    "null": b"null",
    "deep": b"[" * 20_000,
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_json_is_refused(engine: Engine, untouched: None, name: str) -> None:
    for method, path in (
        ("POST", "/bots"), ("POST", "/bots/preview"), ("PUT", "/bots/Demo"),
        ("POST", "/bots/Demo/clone"), ("POST", "/kill"), ("PUT", "/settings"),
    ):  # fmt: skip
        response = send(engine, method, path, MALFORMED[name])
        assert response.status_code in (400, 422), (method, path, response.text)
        error_of(response, response.status_code)
    assert engine.client.get("/kill")["level"] == "none"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic {token}"},
        {"Authorization": "Bearer {token}x"},
        {"Authorization": "Bearer {upper}"},
        {"X-Token": "{token}"},
    ],
)
def test_without_the_token_nothing_is_told_or_done(
    engine: Engine, untouched: None, headers: dict[str, str]
) -> None:
    token = engine.copy.token
    sent = {
        name: value.format(token=token, upper=token.swapcase()) for name, value in headers.items()
    }
    for method, path in (
        ("GET", "/bots"), ("GET", "/nowhere"), ("POST", "/bots"), ("POST", "/kill"),
        ("POST", "/shutdown"), ("DELETE", "/bots/Demo"), ("GET", "/trades.csv"),
    ):  # fmt: skip
        url = f"{engine.copy.engine_url}/api/v1{path}"
        response = httpx.request(
            method, url, headers=sent, params={"token": "x"}, verify=NO_TLS, trust_env=False
        )
        assert error_of(response, 401)["message"] == "The API token is missing or wrong."
        assert token not in response.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/bots/nobody", 404),
        ("GET", "/bots/%00", 400),
        ("GET", "/bots/" + "x" * 300, 422),
        ("POST", "/bots/nobody/start", 404),
        ("POST", "/bots/nobody/stop", 404),
        ("DELETE", "/bots/nobody", 404),
        ("GET", "/bots/Demo/chart?limit=0", 422),
        ("GET", "/bots/Demo/chart?limit=99999999", 422),
        ("GET", "/bots/Demo/decisions?action=dance", 422),
        ("GET", "/trades?limit=-1", 422),
        ("GET", "/trades?since=yesterday", 422),
        ("GET", "/trades?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", 422),
        ("GET", "/trades?side=up", 422),
        ("GET", "/trades?colour=red", 422),
        ("GET", "/trades.csv?since=2026-01-01T00:00:00", 422),
        ("GET", "/events?level=loud", 422),
        ("GET", "/events?bot_id=nobody", 404),
        ("GET", "/symbols?market=mars", 404),
        ("GET", "/nowhere", 404),
        ("PATCH", "/bots", 405),
    ],
)  # fmt: skip
def test_bad_addresses_and_queries_are_refused(
    engine: Engine, untouched: None, method: str, path: str, status: int
) -> None:
    assert error_of(engine.client.ask(method, path), status)["message"]


def test_settings_are_refused_all_or_none(engine: Engine, untouched: None) -> None:
    before = engine.client.get("/settings")
    for values in (
        {"paper_fee_bps": "-1"}, {"paper_fee_bps": "NaN"}, {"no_such_setting": "1"},
        {"data": "/tmp/elsewhere"}, {"paper_slippage_bps": "2", "paper_fee_bps": "much"},
    ):  # fmt: skip
        response = engine.client.ask("PUT", "/settings", json={"values": values})
        error_of(response, 422)
    assert engine.client.get("/settings") == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["bots"], ["bots", "dance"], ["dance"], ["--nonsense"], ["status", "extra"],
        ["bots", "show"], ["bots", "show", "nobody"], ["bots", "start", "nobody"],
        ["bots", "stop", ""], ["bots", "delete", ".."], ["bots", "create"],
        ["bots", "create", "--name", "x"], ["bots", "edit", "Demo"],
        ["bots", "edit", "Demo", "--amount", "-1"], ["bots", "clone", "Demo", "demo"],
        ["bots", "clone", "Demo", "<b>"], ["trades", "--limit", "0"],
        ["trades", "--limit", "many"], ["trades", "--since", "yesterday"],
        ["trades", "--csv", "/"], ["trades", "--csv", "/no/such/folder/trades.csv"],
        ["logs", "--level", "loud"], ["logs", "--bot", "nobody"],
        ["kill", "--level", "gently"], ["symbols", "--market", "mars"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_bad_commands_are_one_sentence(
    engine: Engine, untouched: None, run: Run, arguments: list[str]
) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    [sentence] = err.splitlines()
    code, out, err = run(*arguments, "--json")
    assert (code, err) == (2, "")
    assert json.loads(out)["error"]["message"] == sentence
