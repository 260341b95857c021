"""The inbox of a real engine: its own port, its commands, and kill -9 right after an answer."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import httpx
import pytest

from engine.cli import main
from tests.support.books import rows
from tests.support.client import Client
from tests.support.ports import free_port
from tests.support.processes import Copy, copy_of_quarterdeck

OK, BAD_INPUT = 0, 2
OPEN = {"action": "open", "side": "long", "symbol": "BTCUSDT"}


class Inbox(NamedTuple):
    """A running engine with a port for signals, and a stopped bot that listens."""

    copy: Copy
    client: Client
    url: str
    bot_id: str
    key: str

    def post(self, body: dict[str, Any]) -> httpx.Response:
        """Post a signal to the inbox's own port."""
        return httpx.post(f"{self.url}/webhook/{self.key}", json=body, timeout=30)


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inbox]:
    port = free_port()
    with copy_of_quarterdeck(
        tmp_path_factory.mktemp("inbox") / "data",
        QUARTERDECK_INBOX_PORT=str(port),
        QUARTERDECK_INBOX_PUBLIC_URL="https://signals.example.org/",
        QUARTERDECK_LOG_LEVEL="DEBUG",
    ) as copy:
        copy.start_engine()
        client = Client(copy)
        bot_id = client.create_bot(name="listener", signals={"rate_per_minute": 10_000})["id"]
        key = client.post(f"/bots/{bot_id}/webhook")["key"]
        yield Inbox(copy, client, f"http://127.0.0.1:{port}", bot_id, key)


Run = Callable[..., Any]


@pytest.fixture
def run(inbox: Inbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command with ``--json`` in this process; its document."""
    monkeypatch.setenv("QUARTERDECK_DATA", str(inbox.copy.place.data))
    monkeypatch.setenv("QUARTERDECK_API_PORT", str(inbox.copy.place.api_port))

    def run(*arguments: str, code: int = OK) -> Any:
        assert main(["signals", *arguments, "--json"]) == code
        return json.loads(capsys.readouterr().out)

    return run


def test_the_inbox_has_a_port_of_its_own_for_signals_alone(inbox: Inbox) -> None:
    answer = inbox.post(OPEN | {"id": "port-1"})
    assert answer.status_code == 200
    kept = inbox.client.get(f"/signals/{answer.json()['id']}")
    assert kept["signal"]["bot_id"] == inbox.bot_id
    assert httpx.get(f"{inbox.url}/api/v1/bots").status_code == 401
    assert httpx.get(f"{inbox.url}/openapi.json").status_code == 401
    local = f"{inbox.copy.engine_url}/webhook/{inbox.key}"
    assert httpx.post(local, json=OPEN | {"id": "local-1"}).status_code == 200


def test_an_address_forged_in_a_header_is_not_believed(inbox: Inbox) -> None:
    """Uvicorn would believe X-Forwarded-For of whoever connects from this machine."""
    forged = {"x-forwarded-for": "52.89.214.238"}
    url = f"{inbox.url}/webhook/{inbox.key}"
    answer = httpx.post(url, json=OPEN | {"id": "forged-1"}, headers=forged)
    signal = inbox.client.get(f"/signals/{answer.json()['id']}")["signal"]
    assert (signal["address"], signal["source"]) == ("127.0.0.1", "webhook")


def test_the_addresses_are_told_the_widest_first(inbox: Inbox) -> None:
    told = inbox.client.get(f"/bots/{inbox.bot_id}/webhook")
    assert told["is_open"]
    assert [one["url"] for one in told["addresses"]] == [
        f"{place}/webhook/…"
        for place in ("https://signals.example.org", inbox.url, inbox.copy.engine_url)
    ]


def test_signals_are_sent_shown_and_replayed_by_commands(
    inbox: Inbox, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = run("send", "listener", json.dumps(OPEN | {"id": "cli-1"}))
    assert run("send", "listener", json.dumps(OPEN | {"id": "cli-1"}))["is_copy"]
    page = run("list", "--bot", "listener", "--search", '"cli-1"', "--source", "panel")
    assert [one["id"] for one in page["items"]] == [sent["id"]]
    shown = run("show", sent["id"])
    assert (shown["signal"]["source"], shown["signal"]["copies"]) == ("panel", 1)
    assert run("send", "listener", "hodl", code=BAD_INPUT) is not None
    assert run("show", "../kill", code=BAD_INPUT) is not None
    assert main(["signals", "list"]) == OK
    assert sent["id"] in capsys.readouterr().out
    assert main(["signals", "show", sent["id"]]) == OK
    assert "BTCUSDT" in capsys.readouterr().out


def test_a_replay_by_command_is_a_signal_of_its_own(inbox: Inbox, run: Run) -> None:
    stale = OPEN | {"id": "late-1", "sent_at": "2020-01-01T00:00:00Z"}
    assert inbox.post(stale).status_code == 400
    first = run("list", "--search", "late-1")["items"][0]["id"]
    assert run("replay", first, code=BAD_INPUT)["error"]["code"] == "conflict"
    again = run("replay", first, "--force")
    assert run("show", again["id"])["signal"]["replay_of"] == first
    assert run("show", first)["replays"] == [again["id"]]


def test_key_and_secret_are_shown_and_renewed_by_command(inbox: Inbox, run: Run) -> None:
    hidden = run("webhook", "listener")
    assert inbox.key not in json.dumps(hidden)
    shown = run("webhook", "listener", "--show")
    assert shown["key"] == inbox.key
    assert shown["signing_secret"].startswith("whsec_")
    renewed = run("webhook", "listener", "--new-secret")
    assert renewed["key"] == inbox.key
    assert renewed["signing_secret"] != shown["signing_secret"]
    logs = [path.read_text("utf-8") for path in inbox.copy.place.logs.rglob("*") if path.is_file()]
    for secret in (inbox.key, shown["signing_secret"], renewed["signing_secret"]):
        assert not any(secret in text for text in logs)


def test_row_30_kill_nine_right_after_the_answer_loses_nothing(inbox: Inbox) -> None:
    """The last test: the engine is gone afterwards."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda number: inbox.post(OPEN | {"id": f"kill-{number}"}), range(60))
        )
        inbox.copy.kill_engine()
    accepted = {one.json()["id"] for one in answers}
    assert len(accepted) == 60
    kept = {row["id"] for row in rows(inbox.copy.place.data, "SELECT id FROM signals")}
    assert accepted <= kept
    inbox.copy.start_engine()
    assert inbox.post(OPEN | {"id": "kill-0"}).json()["is_copy"], "the same address, the same inbox"
