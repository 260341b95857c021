"""The gate in front of the API: token, host, size, type, and how failures are told."""

import logging
import re
import socket
import stat
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute

from engine.api.app import create_app
from engine.api.auth import MAX_BODY_BYTES, ensure_token
from engine.api.server import bind_loopback
from engine.contracts import BotView, Overview, Trade, TradeFilter
from engine.errors import (
    BrokerUnavailable,
    ConfigError,
    Conflict,
    DataError,
    InsufficientFunds,
    LeaseLost,
    NotFound,
    OrderStateUnknown,
    QuarterdeckError,
    StoreError,
    StrategyError,
)
from tests.fakes.serve import TEST_TOKEN
from tests.fakes.services import FakeServices
from tests.support.client import RSI_DEMO
from tests.support.fake_api import API, api_over, error_of
from tests.support.loopback import NO_TLS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def api() -> Iterator[httpx.Client]:
    with api_over(FakeServices()) as client:
        yield client


def routes() -> list[tuple[str, str]]:
    """(method, path) of all that the application serves, the OpenAPI document too."""
    found = []
    for path, operations in create_app(FakeServices(0), TEST_TOKEN).openapi()["paths"].items():
        found += [(method.upper(), path) for method in operations]
    return [*found, ("GET", "/openapi.json")]


# --- the token


def test_every_route_but_health_and_webhooks_demands_a_token(api: httpx.Client) -> None:
    assert len(routes()) > 30
    for method, path in [*routes(), ("GET", "/"), ("GET", "/no/such/page")]:
        bare = httpx.request(method, f"{api.base_url}{path}", verify=NO_TLS, trust_env=False)
        if path in ("/health", "/heartbeat"):
            assert bare.status_code == 200
        elif path == "/webhook/{key}":
            assert error_of(bare)["code"] == "unknown_key", "what opens it is in the address"
        else:
            assert error_of(bare)["code"] == "unauthorized", path
            assert bare.status_code == 401
            assert bare.headers["www-authenticate"].startswith("Bearer")


def test_no_route_is_hidden_from_the_openapi_document() -> None:
    app = create_app(FakeServices(0), TEST_TOKEN)
    routes = [one for one in app.routes if isinstance(one, APIRoute)]
    assert routes
    assert [one for one in routes if not one.include_in_schema] == []


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer wrong",
        f"Basic {TEST_TOKEN}",
        TEST_TOKEN,
        f"Bearer {TEST_TOKEN}x",
        f"Bearer {TEST_TOKEN[:-1]}",
        f"Bearer {TEST_TOKEN.upper()}",
        f"Bearer {TEST_TOKEN} {TEST_TOKEN}",
        "Bearer \xff\xfe",
        "Bearer " + "a" * 5000,
    ],
)
def test_a_wrong_token_opens_nothing(api: httpx.Client, header: str) -> None:
    headers = {b"Authorization": header.encode("latin-1")}
    response = httpx.get(
        f"{api.base_url}{API}/bots", headers=headers, verify=NO_TLS, trust_env=False
    )
    assert response.status_code == 401
    assert TEST_TOKEN not in response.text


def test_an_application_without_a_token_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs a token"):
        create_app(FakeServices(0), "")


def test_the_token_file_is_private_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "new" / "api.token"
    token = ensure_token(path)
    assert len(token) >= 43
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ensure_token(path) == token


def test_a_token_that_others_could_read_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "api.token"
    token = ensure_token(path)
    path.chmod(0o644)
    assert ensure_token(path) != token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"\n ", b"\xff\xfe"])
def test_an_empty_or_broken_token_file_is_made_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "api.token"
    path.write_bytes(content)
    path.chmod(0o600)
    assert len(ensure_token(path)) >= 43


def test_a_linked_token_file_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("chosen-by-somebody-else")
    elsewhere.chmod(0o600)
    path = tmp_path / "api.token"
    path.symlink_to(elsewhere)
    assert ensure_token(path) != "chosen-by-somebody-else"
    assert elsewhere.read_text() == "chosen-by-somebody-else"


def test_a_token_file_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "api.token").mkdir(mode=0o700)
    with pytest.raises(ConfigError, match="token file"):
        ensure_token(tmp_path / "api.token")


# --- host, size, type


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8710", "127.0.0.1.evil.example", "192.168.1.5", "", "["]
)
def test_another_host_name_is_refused_before_the_token_is_looked_at(
    api: httpx.Client, host: str
) -> None:
    response = api.get("/health", headers={"Host": host})
    # h11 itself turns some of these away
    assert response.status_code in (400, 421)
    if response.status_code == 421:
        assert error_of(response)["code"] == "wrong_host"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8710", "127.0.0.1", "[::1]:8710"])
def test_names_of_this_machine_pass(api: httpx.Client, host: str) -> None:
    assert api.get(f"{API}/kill", headers={"Host": host}).status_code == 200


def test_a_body_that_is_too_large_is_refused(api: httpx.Client) -> None:
    body = b'"' + b"a" * MAX_BODY_BYTES + b'"'
    headers = {"Content-Type": "application/json"}
    for content in (body, iter([body[:500_000], body[500_000:]])):
        response = api.post(f"{API}/bots", content=content, headers=headers)
        assert response.status_code == 413
        assert error_of(response)["code"] == "too_large"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_that_is_not_declared_json_is_refused(api: httpx.Client, kind: str) -> None:
    headers = {"Content-Type": kind} if kind else {}
    response = api.post(f"{API}/kill", content=b'{"level":"none"}', headers=headers)
    assert response.status_code == 415
    assert error_of(response)["code"] == "wrong_type"


def test_json_may_name_its_charset(api: httpx.Client) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    response = api.post(f"{API}/kill", content=b'{"level":"none"}', headers=headers)
    assert response.status_code == 200


def test_no_page_of_another_origin_is_let_in(api: httpx.Client) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    response = api.options(f"{API}/kill", headers=headers)
    assert response.status_code == 405
    assert not [name for name in response.headers if name.startswith("access-control")]


# --- how failures are told


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("There is no bot 'x'."), 404),
        (Conflict("Stop the bot first."), 409),
        (ConfigError("The amount is wrong.", field="amount"), 422),
        (StrategyError("rsi.py, line 3: division by zero"), 422),
        (InsufficientFunds("The account holds 3 USDT."), 422),
        (DataError("Binance does not answer."), 503),
        (StoreError("The database is locked."), 503),
        (LeaseLost("Another engine took over."), 503),
        (BrokerUnavailable("The broker does not answer."), 503),
        (OrderStateUnknown("The order may have arrived."), 503),
        (QuarterdeckError("Something else."), 500),
    ],
)
def test_each_error_of_the_tree_has_its_status(error: QuarterdeckError, status: int) -> None:
    class Failing(FakeServices):
        def list_bots(self) -> Sequence[BotView]:
            raise error

    with api_over(Failing(0)) as api:
        response = api.get(f"{API}/bots")
    assert response.status_code == status
    told = error_of(response)
    assert (told["code"], told["message"]) == (error.code, error.message)
    fields = [row["field"] for row in told["details"]]
    assert fields == ([error.field] if error.field else [])


def test_an_unexpected_failure_tells_an_incident_and_no_secret(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(FakeServices):
        def overview(self) -> Overview:
            raise ZeroDivisionError("hunter2")

    with caplog.at_level(logging.ERROR), api_over(Broken(0)) as api:
        response = api.get(f"{API}/overview")
    assert response.status_code == 500
    message = error_of(response)["message"]
    assert "hunter2" not in response.text
    assert response.headers["x-content-type-options"] == "nosniff"
    incident = message.split()[-1].rstrip(".")
    logged = [one for one in caplog.records if incident in one.getMessage()]
    assert len(logged) == 1
    assert logged[0].exc_info is not None
    assert logged[0].exc_info[0] is ZeroDivisionError


def test_csv_answers_503_when_the_database_fails_at_once() -> None:
    class Failing(FakeServices):
        def iter_trades(self, chosen: TradeFilter) -> Iterator[Trade]:
            raise StoreError("The database is locked.")

    with api_over(Failing(1)) as api:
        assert error_of(api.get(f"{API}/trades.csv"))["code"] == "store"


def test_csv_that_breaks_half_way_is_not_taken_for_whole() -> None:
    class Failing(FakeServices):
        def iter_trades(self, chosen: TradeFilter) -> Iterator[Trade]:
            yield from self.trades_made
            raise StoreError("The disk is gone.")

    with api_over(Failing(1, 450)) as api, pytest.raises(httpx.RemoteProtocolError):
        api.get(f"{API}/trades.csv")


def test_the_kill_switch_works_while_every_thread_waits() -> None:
    gate, stuck = threading.Event(), threading.Semaphore(0)

    class Stuck(FakeServices):
        def list_bots(self) -> Sequence[BotView]:
            stuck.release()
            gate.wait(20)
            return []

    services = Stuck(0)
    with api_over(services) as api, ThreadPoolExecutor(60) as pool:
        waiting = [pool.submit(api.get, f"{API}/bots", timeout=120) for _ in range(60)]
        try:
            assert all(stuck.acquire(timeout=60) for _ in range(40)), "the pool has 40 threads"
            answer = api.post(f"{API}/kill", json={"level": "close_all"}, timeout=30)
            assert answer.status_code == 200
            assert services.switch.level == "close_all"
            assert api.get("/health", timeout=30).status_code == 200
            assert not any(one.done() for one in waiting)
        finally:
            gate.set()
        assert all(one.result().status_code == 200 for one in waiting)


def test_a_taken_port_is_one_sentence() -> None:
    with bind_loopback(0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"Port {port} is used"):
            bind_loopback(port)


def test_the_engine_listens_on_loopback_only() -> None:
    with bind_loopback(0) as listener:
        assert listener.family is socket.AF_INET
        assert listener.getsockname()[0] == "127.0.0.1"


# --- the document


def test_docs_api_md_lists_exactly_the_routes_there_are() -> None:
    text = (ROOT / "docs" / "api.md").read_text("utf-8")
    documented = set(re.findall(r"^\| `([A-Z]+) (/\S*)`", text, flags=re.MULTILINE))
    served = {(method, re.sub(r"\{\w+\}", "{id}", path)) for method, path in routes()}
    assert documented == served - {("GET", "/openapi.json")}


def test_every_operation_has_a_tag_and_a_summary() -> None:
    document = create_app(FakeServices(0), TEST_TOKEN).openapi()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert len(operation["tags"]) == 1, path
            assert operation["summary"], path


def test_unknown_addresses_and_methods_are_told_apart(api: httpx.Client) -> None:
    assert error_of(api.get(f"{API}/nothing"))["code"] == "not_found"
    assert api.get(f"{API}/nothing").status_code == 404
    response = api.patch(f"{API}/bots", json=RSI_DEMO)
    assert (response.status_code, error_of(response)["code"]) == (405, "method_not_allowed")
