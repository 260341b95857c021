"""The gateway on its own: whom it lets in, what it lends, and that it sends an order once."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from engine.adapters.brokers import mt5_gateway
from engine.adapters.brokers.mt5.addresses import gateway_url
from engine.adapters.brokers.mt5.remote import RemoteTerminal
from engine.adapters.brokers.mt5.terminal import AnswerLost, LocalTerminal
from engine.adapters.brokers.mt5_gateway import (
    CLAIM_S,
    MOST_BYTES,
    MOST_CONNECTIONS,
    Gateway,
    Refusal,
    TerminalDesk,
    read_token,
)
from engine.errors import AccessDenied, BrokerUnavailable, ConfigError, OrderRejected
from tests.contract.mt5_venue import TIMEOUT_S, TOKEN, RunningGateway, gateway, self_signed
from tests.fakes.clock import FakeClock
from tests.fakes.metatrader5 import StandIn, stocked
from tests.support.strategy_hosts import until

REQUEST = {
    "action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0, "price": 1.2, "type_filling": 1,
}  # fmt: skip
SCRIPT = Path(mt5_gateway.__file__)


@pytest.fixture
def stand_in() -> StandIn:
    found = stocked(FakeClock().now)
    found.initialize()
    return found


@pytest.fixture
def running(stand_in: StandIn, tmp_path: Path) -> Iterator[RunningGateway]:
    with gateway(stand_in, tmp_path) as found:
        yield found


@pytest.fixture
def client(running: RunningGateway) -> Iterator[httpx.Client]:
    context = ssl.create_default_context(cafile=running.ca_file)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=running.url, verify=context, headers=headers) as found:
        yield found


def call(client: httpx.Client, function: str, **fields: Any) -> httpx.Response:
    return client.post("/call", json={"function": function, **fields})


# --- who is let in -------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer x", f"Bearer {TOKEN}x", f"Basic {TOKEN}"])
def test_another_token_is_refused_before_anything_is_asked(
    client: httpx.Client, stand_in: StandIn, token: str
) -> None:
    stand_in.called.clear()
    answer = client.post(
        "/call", json={"function": "account_info"}, headers={"Authorization": token}
    )
    assert (answer.status_code, answer.json()["refused"]) == (401, "token")
    assert stand_in.called == []


def test_plain_http_is_not_answered(running: RunningGateway) -> None:
    with pytest.raises(httpx.HTTPError):
        httpx.post(running.url.replace("https", "http") + "/call", json={}, timeout=TIMEOUT_S)


def test_without_tls_it_listens_on_this_machine_only(stand_in: StandIn) -> None:
    desk = TerminalDesk(stand_in)
    for host in ("0.0.0.0", "192.0.2.1", ""):  # noqa: S104 - that is what is refused
        with pytest.raises(SystemExit, match="this machine only"):
            Gateway((host, 0), desk, TOKEN, None)
    Gateway(("127.0.0.1", 0), desk, TOKEN, None).server_close()


def test_a_short_token_is_refused(stand_in: StandIn) -> None:
    with pytest.raises(SystemExit, match="--new-token"):
        Gateway(("127.0.0.1", 0), TerminalDesk(stand_in), "short", None)


def test_a_new_token_is_long_private_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "token.txt"
    token = read_token(path, is_new=True)
    assert len(token) >= 40
    assert path.stat().st_mode & 0o077 == 0
    assert read_token(path, is_new=False) == token
    with pytest.raises(SystemExit, match="there already"):
        read_token(path, is_new=True)
    with pytest.raises(SystemExit, match="cannot be read"):
        read_token(tmp_path / "none", is_new=False)


def test_a_crowd_is_turned_away_and_leaves_room_again(stand_in: StandIn) -> None:
    server = Gateway(("127.0.0.1", 0), TerminalDesk(stand_in), TOKEN, None)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    address = ("127.0.0.1", int(server.server_address[1]))
    crowd = [socket.create_connection(address, TIMEOUT_S) for _ in range(MOST_CONNECTIONS)]
    with socket.create_connection(address, TIMEOUT_S) as one_more:
        assert one_more.recv(1) == b""
    for each in crowd:
        each.close()
    terminal = RemoteTerminal(f"http://127.0.0.1:{address[1]}", TOKEN, timeout_s=TIMEOUT_S)
    assert until(lambda: _answers(terminal), 5)
    terminal.close()
    server.shutdown()
    server.server_close()


def _answers(terminal: RemoteTerminal) -> bool:
    try:
        return bool(terminal.call("terminal_info").result)
    except (AnswerLost, BrokerUnavailable):
        return False


# --- what is lent --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function", ["login", "copy_ticks_from", "Buy", "Close", "__getattr__", "last_error", "crash"]
)
def test_only_the_functions_of_the_list_are_lent(client: httpx.Client, function: str) -> None:
    answer = call(client, function)
    assert (answer.status_code, answer.json()["refused"]) == (403, "function")


def test_no_program_can_be_started_from_outside(client: httpx.Client, stand_in: StandIn) -> None:
    stand_in.called.clear()
    named = call(client, "initialize", named={"path": "C:\\Windows\\System32\\cmd.exe"})
    placed = call(client, "initialize", arguments=["C:\\Windows\\System32\\cmd.exe"])
    assert (named.status_code, placed.status_code) == (403, 403)
    assert stand_in.called == []


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"nonsense", b'{"function": 1}', b'{"arguments": []}',
        b'{"function": "account_info", "more": 1}', b'{"function": "account_info", "named": []}',
        b'{"function": "symbol_info", "arguments": [1, 2, 3, 4]}',
        b'{"function": "order_send", "arguments": [{}]}',
        b'{"function": "account_info", "request_id": "x"}', b"[" * 50_000,
    ],
)  # fmt: skip
def test_a_request_that_is_none_is_refused(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/call", content=body)
    assert answer.status_code in (400, 403)
    assert answer.json()["words"]
    assert call(client, "account_info").status_code == 200  # and it goes on


def test_a_request_has_a_length_and_is_not_too_long(client: httpx.Client) -> None:
    assert client.post("/call", content=b" " * (MOST_BYTES + 1)).status_code == 413
    assert client.post("/call", content=iter([b"{}"])).status_code == 411
    assert client.post("/other", json={}).status_code == 404
    assert client.get("/call").status_code == 501


def test_answers_are_plain_data(client: httpx.Client) -> None:
    account = call(client, "account_info").json()
    assert account["result"]["currency"] == "USD"
    assert account["error"] == [1, "Success"]
    rates = call(client, "copy_rates_from_pos", arguments=["EURUSD", 1, 0, 3]).json()["result"]
    assert [len(row) for row in rates] == [8, 8, 8]
    missing = call(client, "symbol_info", arguments=["NOPE"]).json()
    assert (missing["result"], missing["error"][0]) == (None, -4)


# --- one account, one order ----------------------------------------------------------------------


def test_an_order_is_sent_once_for_each_request_id(client: httpx.Client, stand_in: StandIn) -> None:
    first = call(client, "order_send", arguments=[REQUEST], request_id="one").json()
    again = call(client, "order_send", arguments=[REQUEST], request_id="one").json()
    other = call(client, "order_send", arguments=[REQUEST], request_id="two").json()
    assert first == again
    assert first["result"]["order"] != other["result"]["order"]
    assert len(stand_in.trading.requests) == 2


def test_nothing_is_asked_of_another_account(client: httpx.Client, stand_in: StandIn) -> None:
    answer = call(
        client,
        "order_send",
        arguments=[REQUEST],
        request_id="one",
        account=stand_in.world.login + 1,
    )
    assert (answer.status_code, answer.json()["refused"]) == (409, "account")
    assert stand_in.trading.requests == []


def _log_in(desk: TerminalDesk, login: int) -> object:
    return desk.call("initialize", (), {"login": login, "server": "StandIn-Demo"})["result"]


def test_the_first_account_keeps_the_terminal_for_as_long_as_it_uses_it(stand_in: StandIn) -> None:
    clock = FakeClock()
    desk = TerminalDesk(stand_in, monotonic=clock.monotonic)
    first = stand_in.world.login
    assert _log_in(desk, 5) is False  # a login that failed claims nothing
    assert _log_in(desk, first) is True
    assert _log_in(desk, first) is True
    for _ in range(3):
        clock.advance(CLAIM_S - 1)
        desk.call("account_info", account=first)
    with pytest.raises(Refusal, match="gateway of its own"):
        _log_in(desk, 7)
    clock.advance(CLAIM_S)
    stand_in.world.login = 7
    assert _log_in(desk, 7) is True
    with pytest.raises(Refusal, match="logged in to account 7"):
        desk.call("order_send", [REQUEST], account=first, request_id="one")
    assert stand_in.trading.requests == []


def test_two_accounts_of_this_process_share_its_one_package(stand_in: StandIn) -> None:
    for login in (stand_in.world.login, 7):
        local = LocalTerminal(lambda: stand_in)
        named = {"login": login, "server": stand_in.world.server}
        if login == 7:
            with pytest.raises(ConfigError, match="gateway of its own"):
                local.call("initialize", (), named)
        else:
            local.call("initialize", (), named)


def test_which_terminal_is_started_is_said_where_it_runs() -> None:
    started: list[object] = []
    package = SimpleNamespace(
        initialize=lambda *arguments, **named: started.append((arguments, named)),
        last_error=lambda: (1, "Success"),
    )
    TerminalDesk(package, path="D:\\MT5\\terminal64.exe").call("initialize", (), {"login": 5})
    assert started == [(("D:\\MT5\\terminal64.exe",), {"login": 5})]


def test_where_the_package_does_not_exist_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "MetaTrader5", None)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(ConfigError, match=r"Windows only: use the gateway \(docs/metatrader.md\)"):
        LocalTerminal().call("account_info")
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(ConfigError, match="pip install MetaTrader5"):
        LocalTerminal().call("account_info")


# --- the client ----------------------------------------------------------------------------------


def _fingerprint(folder: Path) -> str:
    return sha256(ssl.PEM_cert_to_DER_cert((folder / "cert.pem").read_text())).hexdigest()


def test_a_certificate_is_trusted_by_its_fingerprint_however_it_is_written(
    running: RunningGateway, tmp_path: Path
) -> None:
    digits = _fingerprint(tmp_path)
    pairs = ":".join(re.findall("..", digits.upper()))
    for told in (digits, pairs):
        terminal = RemoteTerminal(running.url, TOKEN, fingerprint=told, timeout_s=TIMEOUT_S)
        assert terminal.call("terminal_info").result["connected"] is True
        terminal.close()


def test_a_certificate_that_a_person_made_is_trusted_by_its_fingerprint_alone(
    stand_in: StandIn, tmp_path: Path
) -> None:
    with gateway(stand_in, tmp_path, certificates=self_signed) as running:
        by_print = RemoteTerminal(running.url, TOKEN, fingerprint=_fingerprint(tmp_path))
        assert by_print.call("terminal_info").result["connected"] is True
        by_print.close()
        otherwise = RemoteTerminal(running.url, TOKEN)
        with pytest.raises(BrokerUnavailable, match="set its fingerprint"):
            otherwise.call("terminal_info")
        otherwise.close()


def test_a_refusal_has_the_meaning_that_nothing_was_sent(running: RunningGateway) -> None:
    terminal = RemoteTerminal(running.url, TOKEN, ca_file=running.ca_file, timeout_s=TIMEOUT_S)
    with pytest.raises(ConfigError, match="not lent"):
        terminal.call("login")
    with pytest.raises(OrderRejected):
        terminal.call("order_send", [REQUEST])
    with pytest.raises(AccessDenied, match="logged in to account"):
        terminal.call("positions_get", account=7)
    with pytest.raises(ConfigError, match="no file"):
        RemoteTerminal(running.url, TOKEN, ca_file="/no/such/file").call("account_info")
    terminal.close()


@pytest.mark.parametrize(
    ("status", "text"),
    [(200, "junk"), (200, "[]"), (200, '{"result": 1}'), (500, "{}"), (400, "{}"), (302, ""),
     (200, '{"result": 1, "error": ["1", 2]}'), (503, "<html>")],
)  # fmt: skip
def test_an_answer_that_is_not_the_gateway_s_leaves_it_open_what_happened(
    status: int, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = RemoteTerminal("http://127.0.0.1:1", TOKEN)
    transport = httpx.MockTransport(lambda _request: httpx.Response(status, text=text))
    monkeypatch.setattr(terminal, "_opened", lambda: httpx.Client(transport=transport))
    with pytest.raises(AnswerLost):
        terminal.call("order_send", [REQUEST], request_id="x")


def test_the_token_is_in_no_error_and_no_representation(running: RunningGateway) -> None:
    terminal = RemoteTerminal(running.url, TOKEN, timeout_s=TIMEOUT_S)
    with pytest.raises(BrokerUnavailable) as refused:
        terminal.call("account_info")
    assert TOKEN not in f"{refused.getrepr()}{terminal!r}"


@pytest.mark.parametrize(
    "url",
    ["http://192.0.2.1:8443", "ftp://127.0.0.1", "https://", "https://a:b@host", "8443",
     "https://host/path", "http://127.0.0.1.example.com"],
)  # fmt: skip
def test_an_address_that_would_show_the_token_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="no address of a gateway"):
        gateway_url(url)


def test_addresses_of_gateways_are_taken() -> None:
    assert gateway_url(" https://192.0.2.1:8443/ ") == "https://192.0.2.1:8443"
    assert gateway_url("http://127.0.0.1:8443") == "http://127.0.0.1:8443"


# --- the file on its own -------------------------------------------------------------------------


def test_the_one_file_runs_alone_with_python_s_library_only(tmp_path: Path) -> None:
    """Copied away and run without site-packages: a module MetaTrader5 is all that it needs."""
    script = tmp_path / "mt5_gateway.py"
    script.write_bytes(SCRIPT.read_bytes())
    (tmp_path / "MetaTrader5.py").write_text(
        "from collections import namedtuple\n"
        "def account_info(): return namedtuple('Account', 'login balance')(5, 1.5)\n"
        "def last_error(): return (1, 'Success')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-S", "-s", "mt5_gateway.py", "--port", "0", "--token-file", "t.txt",
         "--new-token"],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": ""},
    )  # fmt: skip
    try:
        assert process.stderr is not None
        told = process.stderr.readline()
        url = re.search(r"http://127\.0\.0\.1:\d+", told)
        assert url is not None, told
        terminal = RemoteTerminal(url[0], (tmp_path / "t.txt").read_text().strip())
        assert terminal.call("account_info").result == {"login": 5, "balance": 1.5}
        terminal.close()
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    assert process.returncode == 0


def test_it_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = tmp_path / "t.txt"
    token.write_text(TOKEN)
    with pytest.raises(SystemExit, match="belong together"):
        mt5_gateway.main(["--token-file", str(token), "--cert", "c.pem"])
    with pytest.raises(SystemExit, match="cannot be used"):
        mt5_gateway.main(["--token-file", str(token), "--cert", "c.pem", "--key", "k.pem"])
    monkeypatch.setitem(sys.modules, "MetaTrader5", None)
    with pytest.raises(SystemExit, match="pip install MetaTrader5"):
        mt5_gateway.main(["--token-file", str(token)])


def test_its_answers_are_json_whatever_the_package_gives(stand_in: StandIn) -> None:
    desk = TerminalDesk(stand_in)
    for function in ("symbols_get", "positions_get", "terminal_info"):
        assert json.loads(json.dumps(desk.call(function)))["result"] is not None
