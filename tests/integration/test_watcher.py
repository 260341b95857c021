"""A real watcher beside a real engine that dies in many ways, and the SMS that a person gets."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.fakes.twilio_server import TOKEN, TwilioServer, settings, twilio_server
from tests.support.client import Client, eventually
from tests.support.processes import Copy, copy_of_quarterdeck
from tooling.place import ROOT
from tooling.processes import kill_group

LARGE = ("pandas", "numpy", "numba", "ccxt", "fastapi", "streamlit", "sqlalchemy",
         "twilio", "telegram", "apprise")  # fmt: skip


@dataclass
class Watched:
    """An engine, its watcher, and the provider that the watcher tells by. ``read``: so many
    messages are of tests before."""

    copy: Copy
    twilio: TwilioServer
    read: int = 0

    @property
    def texts(self) -> list[str]:
        """What arrived in this test, in order."""
        return [text for _, text in self.twilio.texts[self.read :]]

    @property
    def phone(self) -> list[str]:
        """The titles of it."""
        return [text.split(": ")[0].split(" ", 1)[1] for text in self.texts]

    @property
    def kept(self) -> dict[str, Any]:
        """The watcher's file."""
        state: dict[str, Any] = json.loads((self.copy.place.data / "watcher.json").read_text())
        return state

    def arrived(self, *titles: str) -> list[str]:
        """What has arrived, once there is so much of it."""
        return eventually(lambda: self.phone, lambda seen: len(seen) >= len(titles))

    def log(self) -> str:
        """What the watcher logged."""
        return (self.copy.place.logs / "watcher.log").read_text("utf-8")

    def waits_for_rounds(self) -> None:
        """Until the watcher has seen for a while what there is now."""
        patience = self.kept["rules"]["patience_s"]
        eventually(lambda: self.kept["watch"]["steady_s"], lambda s: s > 2 * patience)

    def engine_pid(self) -> int:
        """The engine's."""
        assert self.copy.engine is not None
        return self.copy.engine.pid


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    data = tmp_path_factory.mktemp("watcher") / "data"
    with (
        twilio_server() as twilio,
        copy_of_quarterdeck(
            data, QUARTERDECK_TWILIO_URL=twilio.url, QUARTERDECK_WATCHER_PATIENCE_S="1"
        ) as copy,
    ):
        copy.start_engine()
        Client(copy).post("/channels", {
            "name": "phone", "kind": "sms", "fields": settings(), "kinds": ["engine_down"],
        })  # fmt: skip
        copy.begin_watcher()
        watched = Watched(copy, twilio)
        eventually((data / "watcher.json").exists, bool)
        yield watched


@pytest.fixture
def watched(pair: Watched) -> Watched:
    """The engine is up, the watcher has seen it, and no message is on its way."""
    eventually(lambda: pair.kept, lambda kept: (
        kept["watch"]["sight"] == "well" and kept["watch"]["incident"] is None
        and all(one["state"] not in ("waiting", "sending") for one in kept["deliveries"])
    ))  # fmt: skip
    pair.read = len(pair.twilio.messages)
    return pair


def test_it_is_small() -> None:
    code = "import sys, engine.cli, engine.bootstrap_watcher; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not set(LARGE) & set(done.stdout.split())


def test_a_killed_engine_is_told_once_and_so_is_its_return(watched: Watched) -> None:
    watched.copy.kill_engine()
    assert watched.arrived("Engine down") == ["Engine down"]
    assert "nothing listens on port" in watched.texts[0]
    watched.waits_for_rounds()
    assert watched.phone == ["Engine down"]
    watched.copy.start_engine()
    assert watched.arrived("Engine down", "Engine back") == ["Engine down", "Engine back"]
    assert "it was down for" in watched.texts[1]


def test_a_stop_on_purpose_is_not_told(watched: Watched) -> None:
    assert watched.copy.stop_engine() == 0
    eventually(lambda: watched.kept["watch"]["stopped_term"], bool)
    watched.waits_for_rounds()
    assert watched.phone == []
    watched.copy.start_engine()


def test_an_engine_that_hangs_is_told_once(watched: Watched) -> None:
    os.kill(watched.engine_pid(), signal.SIGSTOP)
    try:
        assert watched.arrived("Engine down") == ["Engine down"]
        assert "it hangs: no answer within" in watched.texts[0]
    finally:
        os.kill(watched.engine_pid(), signal.SIGCONT)
    if watched.copy.engine and watched.copy.engine.poll() is not None:
        watched.copy.start_engine()  # its lease had run out, and it gave up
    assert watched.arrived("Engine down", "Engine back") == ["Engine down", "Engine back"]


def test_a_watcher_killed_while_it_tells_tells_it_once(watched: Watched) -> None:
    watched.twilio.fail("timeout_after_accept")
    watched.copy.kill_engine()
    watched.arrived("Engine down")
    assert watched.copy.watcher is not None
    kill_group(watched.copy.watcher)
    watched.twilio.release()
    kept = watched.kept
    assert [one["state"] for one in kept["deliveries"]][-1] == "sending"
    # As if half a minute had passed, after which it is looked up.
    for name in ("created_at", "changed_at", "due_at"):
        earlier = datetime.fromisoformat(kept["deliveries"][-1][name]) - timedelta(minutes=1)
        kept["deliveries"][-1][name] = earlier.isoformat()
    (watched.copy.place.data / "watcher.json").write_text(json.dumps(kept))
    watched.copy.begin_watcher()
    eventually(lambda: watched.kept["deliveries"][-1]["state"], lambda state: state == "sent")
    watched.waits_for_rounds()
    assert watched.phone == ["Engine down"]
    watched.copy.start_engine()
    assert watched.arrived("Engine down", "Engine back") == ["Engine down", "Engine back"]


def test_a_second_watcher_is_refused(watched: Watched) -> None:
    first = watched.copy.watcher
    second = watched.copy.begin_watcher()
    assert second.wait(60) == 2
    watched.copy.watcher = first
    said = (watched.copy.place.logs / "watcher.out").read_text()
    assert "Another watcher" in said


def test_even_without_the_database_it_is_told_once(watched: Watched) -> None:
    watched.copy.kill_engine()
    for file in watched.copy.place.data.glob("state.db*"):
        file.unlink()
    assert watched.arrived("Engine down") == ["Engine down"]
    assert "its database cannot be read" in watched.texts[0]
    watched.waits_for_rounds()
    assert watched.phone == ["Engine down"]


def test_it_ends_when_it_is_asked_and_kept_no_secret(pair: Watched) -> None:
    assert pair.copy.watcher is not None
    pair.copy.watcher.send_signal(signal.SIGTERM)
    assert pair.copy.watcher.wait(90) == 0
    assert "the watcher has stopped" in pair.log()
    file = pair.copy.place.data / "watcher.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    printed = (pair.copy.place.logs / "watcher.out").read_text("utf-8")
    for text in (file.read_text("utf-8"), pair.log(), printed):
        assert TOKEN not in text
