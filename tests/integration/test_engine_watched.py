"""A real engine and those who watch it: its heartbeat, the dead-man service, systemd."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.fakes.dead_man import PATH, DeadManService, serving_dead_man
from tests.support.client import eventually
from tests.support.ports import free_port
from tests.support.processes import Copy, copy_of_quarterdeck


class Watched(NamedTuple):
    """A running engine, the socket it notifies, its dead-man service, its second port."""

    copy: Copy
    heard: socket.socket
    service: DeadManService
    inbox: str

    def hear(self) -> str:
        """What it notifies next."""
        return self.heard.recv(4096).decode()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder, port = tmp_path_factory.mktemp("w"), free_port()
    with (
        serving_dead_man() as service,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard,
        copy_of_quarterdeck(
            folder / "data",
            NOTIFY_SOCKET=str(folder / "notify"),
            WATCHDOG_USEC="2000000",
            QUARTERDECK_DEADMAN_URL=service.url,
            QUARTERDECK_DEADMAN_EVERY_S="10",
            QUARTERDECK_INBOX_PORT=str(port),
            QUARTERDECK_LOG_LEVEL="DEBUG",
        ) as copy,
    ):
        heard.bind(str(folder / "notify"))
        heard.settimeout(90)
        copy.start_engine()
        yield Watched(copy, heard, service, f"http://127.0.0.1:{port}")


def test_an_engine_that_is_well_says_so_to_all(watched: Watched) -> None:
    assert watched.hear() == "READY=1"
    status, beat = watched.hear().split("\n")
    assert status.startswith("STATUS=well, heartbeat ")
    assert beat == "WATCHDOG=1"
    for address in (watched.copy.engine_url, watched.inbox):
        answer = httpx.get(f"{address}/heartbeat", trust_env=False, timeout=30)
        assert answer.status_code == 200
        assert set(answer.json()) == {"status", "beat_age_s", "write_age_s", "reason"}
        assert answer.json()["status"] == "ok"
    eventually(lambda: watched.service.pings, bool)


def test_the_dead_mans_address_is_in_no_log(watched: Watched) -> None:
    eventually(lambda: watched.service.pings, bool)
    logs: Path = watched.copy.place.data / "logs"
    texts = [file.read_text("utf-8") for file in logs.rglob("*") if file.is_file()]
    assert any("ping" in text or "HTTP" in text for text in texts)
    assert all(PATH not in text for text in texts)


def test_an_engine_that_hangs_does_not_answer(watched: Watched) -> None:
    pid = watched.copy.engine.pid if watched.copy.engine else 0
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(httpx.TimeoutException):
            httpx.get(f"{watched.copy.engine_url}/heartbeat", trust_env=False, timeout=0.5)
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_stop_on_purpose_is_told(watched: Watched) -> None:
    assert watched.copy.stop_engine() == 0
    told = eventually(watched.hear, lambda word: word.startswith("STOPPING"))
    assert told == "STOPPING=1"
