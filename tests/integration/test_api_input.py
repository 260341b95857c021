"""Bad input over HTTP: refused with one plain sentence a field, and nothing is changed."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.fakes.services import FakeServices
from tests.support.client import RSI_DEMO
from tests.support.fake_api import API, api_over, error_of

SERVICES = FakeServices(2, 5, 20)


@pytest.fixture(scope="module")
def api() -> Iterator[httpx.Client]:
    with api_over(SERVICES) as client:
        yield client


BAD_FIELDS: list[tuple[str, Any, int, str]] = [
    # field, value, status, words of the message
    ("symbol", "NOPE/USDT", 404, "NOPE/USDT"),
    ("symbol", "", 422, "must not be empty"),
    ("market", "nasdaq", 404, "nasdaq"),
    ("strategy", "nope", 404, "nope"),
    ("strategy", "../rsi", 422, "not allowed"),
    ("strategy", "broken", 422, "SyntaxError"),
    ("amount", "0", 422, "greater than 0"),
    ("amount", "-100", 422, "greater than 0"),
    ("amount", "1e12", 422, "at most 1000000000"),
    ("amount", "99999999", 422, "holds"),
    ("amount", "0.01", 422, "at least 10 USDT"),
    ("amount", "NaN", 422, "finite"),
    ("amount", "Infinity", 422, "finite"),
    ("amount", "1e-400", 422, "digits"),
    ("amount", "a lot", 422, "must be a number"),
    ("amount", None, 422, "must be a number"),
    ("amount", [], 422, "must be a number"),
    ("stop_loss", "1.01", 422, "less than 1"),
    ("stop_loss", 100, 422, "less than 1"),
    ("stop_loss", "0", 422, "greater than 0"),
    ("take_profit", "-0.1", 422, "greater than 0"),
    ("take_profit", "11", 422, "at most 10"),
    ("trailing_stop", "1", 422, "less than 1"),
    ("time_limit_s", 0, 422, "at least 1"),
    ("time_limit_s", 1.5, 422, "whole number"),
    ("interval_s", 0, 422, "at least 1"),
    ("interval_s", 10**30, 422, "at most 604800"),
    ("max_entries", 21, 422, "at most 20"),
    ("timeframe", "7m", 422, "unknown timeframe"),
    ("direction", "up", 422, "'long', 'short' or 'both'"),
    ("direction", "short", 422, "sold short"),
    ("name", "", 422, "must not be empty"),
    ("name", "<script>alert(1)</script>", 422, "not allowed"),
    ("name", "a\u0000b", 422, "not allowed"),
    ("name", "=cmd()", 422, "not allowed"),
    ("name", "../etc/passwd", 422, "not allowed"),
    ("name", "n" * 41, 422, "at most 40 characters"),
    ("name", "btc-rsi", 409, "already"),
    ("name", "BTC-RSI", 409, "already"),
    ("name", 5, 422, "must be text"),
    ("params", {"period": 0}, 422, "between 2 and 200"),
    ("params", {"period": "many"}, 422, "between 2 and 200"),
    ("params", {"speed": 3}, 422, "not a parameter"),
    ("params", [1], 422, "must be an object"),
    ("roi_steps", [{"after_s": -1, "profit": "0.1"}], 422, "at least 0"),
    ("roi_steps", [{"after_s": 1, "profit": "1e-9999999"}], 422, "digits"),
    ("roi_steps", "soon", 422, "must be a list"),
    ("active_hours", {"start": "25:00", "end": "08:00"}, 422, "such as 08:00"),
    ("leverage", 100, 422, "not a known field"),
]


@pytest.mark.parametrize(("field", "value", "status", "words"), BAD_FIELDS)
def test_a_bad_field_is_named_and_nothing_is_created(
    api: httpx.Client, field: str, value: Any, status: int, words: str
) -> None:
    count, recorded = len(SERVICES.bots), len(SERVICES.audit_log)
    for path in ("/bots", "/bots/preview"):
        response = api.post(f"{API}{path}", json=RSI_DEMO | {field: value})
        error = error_of(response)
        assert response.status_code == status, response.text
        assert words in error["message"]
        assert error["details"][0]["field"].split(".")[0] == field
    assert (len(SERVICES.bots), len(SERVICES.audit_log)) == (count, recorded)


def test_what_is_missing_is_said_field_by_field(api: httpx.Client) -> None:
    error = error_of(api.post(f"{API}/bots", json={}))
    told = {row["field"]: row["message"] for row in error["details"]}
    assert told == dict.fromkeys(("name", "market", "symbol", "strategy", "amount"), "is missing")
    assert "(and 2 more)" in error["message"]


def test_what_was_sent_is_not_repeated_in_the_answer(api: httpx.Client) -> None:
    secret = "sk-live-0123456789"
    body = RSI_DEMO | {"amount": secret, "interval_s": secret, "reinvest": secret}
    response = api.post(f"{API}/bots", json=body)
    assert response.status_code == 422
    assert secret not in response.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'name': 'x'}",
        b"\xff\xfe",
        b'{"name": "demo", "amount": NaN}',
        b'{"name": "demo", "amount": -Infinity}',
        b"[" * 200_000,
        b'{"amount": ' + b"9" * 10_000 + b"}",
    ],
)
def test_malformed_json_is_400(api: httpx.Client, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    response = api.post(f"{API}/bots", content=body, headers=headers)
    # No body at all is well-formed HTTP: then it is the body that is missing.
    assert response.status_code == (422 if not body else 400)
    assert error_of(response)["message"]


@pytest.mark.parametrize("body", ["null", "[]", "3", '"bot"', "true"])
def test_json_that_is_no_object_is_refused(api: httpx.Client, body: str) -> None:
    headers = {"Content-Type": "application/json"}
    response = api.post(f"{API}/bots", content=body, headers=headers)
    assert response.status_code == 422
    assert error_of(response)["code"] == "invalid"


def test_lone_surrogates_do_no_harm(api: httpx.Client) -> None:
    headers = {"Content-Type": "application/json"}
    for field in ("name", "symbol", "market"):
        body = json.dumps(RSI_DEMO | {field: "\ud800"})
        response = api.post(f"{API}/bots", content=body, headers=headers)
        assert response.status_code == 422, field
    body = json.dumps(RSI_DEMO | {"params": {"\ud800": "\udfff"}})
    response = api.post(f"{API}/bots", content=body, headers=headers)
    assert response.status_code == 422


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/trades?limit=0", "limit"),
        ("/trades?limit=5001", "limit"),
        ("/trades?offset=-1", "offset"),
        ("/trades?side=up", "side"),
        ("/trades?since=yesterday", "since"),
        ("/trades?since=2026-01-31T08:00:00", "since"),
        ("/trades?since=2026-02-01T00:00:00Z&until=2026-01-01T00:00:00Z", ""),
        ("/trades?bot=x", "bot"),
        ("/trades.csv?side=up", "side"),
        ("/events?level=loud", "level"),
        ("/events?limit=x", "limit"),
        (f"/events?search={'a' * 201}", "search"),
        ("/audit?limit=0", "limit"),
        ("/symbols", "market"),
        ("/symbols?market=simulated&limit=100000", "limit"),
        ("/bots/btc-rsi/chart?limit=5001", "limit"),
        ("/bots/btc-rsi/decisions?action=buy", "action"),
        ("/bots/btc-rsi/orders?limit=-1", "limit"),
        ("/bots/btc-rsi/fills?limit=1e3", "limit"),
        ("/bots/btc-rsi/equity?limit=999999", "limit"),
        (f"/bots/{'b' * 65}", "key"),
    ],
)
def test_parameters_have_bounds(api: httpx.Client, path: str, field: str) -> None:
    response = api.get(f"{API}{path}")
    assert response.status_code == 422
    assert [row["field"] for row in error_of(response)["details"]] == [field]


@pytest.mark.parametrize("path", ["/bots/%00", "/events?search=a%00b", "/symbols?market=%00"])
def test_a_null_character_is_malformed(api: httpx.Client, path: str) -> None:
    response = api.get(f"{API}{path}")
    assert response.status_code == 400
    assert error_of(response)["code"] == "malformed"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/bots/nobody", None),
        ("PUT", "/bots/nobody", RSI_DEMO),
        ("DELETE", "/bots/nobody", None),
        ("POST", "/bots/nobody/start", None),
        ("POST", "/bots/nobody/pause", None),
        ("POST", "/bots/nobody/stop", {"close_position": True}),
        ("POST", "/bots/nobody/clone", {"name": "copy"}),
        ("GET", "/bots/nobody/chart", None),
        ("GET", "/bots/nobody/decisions", None),
        ("GET", "/bots/nobody/orders", None),
        ("GET", "/bots/nobody/fills", None),
        ("GET", "/bots/nobody/equity", None),
        ("GET", "/bots/..%2f..%2fetc", None),
        ("GET", "/symbols?market=nasdaq", None),
        ("POST", "/controls", {"scope": "bot", "key": "nobody", "level": "none"}),
        ("POST", "/controls", {"scope": "account", "key": "paper:x", "level": "close_all"}),
    ],
)
def test_what_is_not_there_is_404(api: httpx.Client, method: str, path: str, body: Any) -> None:
    response = api.request(method, f"{API}{path}", json=body)
    assert response.status_code == 404
    assert error_of(response)["code"] == "not_found"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/kill", {"level": "everything"}, "level"),
        ("/kill", {}, "level"),
        ("/kill", {"level": "none", "force": True}, "force"),
        ("/controls", {"scope": "planet", "level": "close_all"}, "scope"),
        ("/controls", {"scope": "bot", "level": "close_all"}, "key"),
        ("/controls", {"scope": "symbol", "key": " ", "level": "close_all"}, "key"),
        ("/controls", {"scope": "everything", "level": "gently"}, "level"),
        ("/controls", {"scope": "everything"}, "level"),
        ("/controls", {"level": "close_all"}, "scope"),
        ("/controls", {"scope": "everything", "level": "none", "force": True}, "force"),
        ("/controls", {"scope": "bot", "key": "x" * 601, "level": "none"}, "key"),
        ("/controls", {"scope": "bot", "key": 7, "level": "none"}, "key"),
        ("/controls", {"scope": "everything", "level": "none", "reason": "x" * 301}, "reason"),
        ("/bots/btc-rsi/stop", {"close_position": "perhaps"}, "close_position"),
        ("/bots/btc-rsi/stop", {"close": True}, "close"),
        ("/bots/btc-rsi/clone", {"name": 7}, "name"),
        ("/bots/btc-rsi/clone", {"name": "<b>"}, "name"),
    ],
)
def test_commands_refuse_what_they_do_not_know(
    api: httpx.Client, path: str, body: dict[str, Any], field: str
) -> None:
    before = SERVICES.switch
    response = api.post(f"{API}{path}", json=body)
    assert response.status_code == 422
    assert error_of(response)["details"][0]["field"] == field
    assert SERVICES.switch == before
