"""Those outside hear of the engine while it is well, and only then."""

import asyncio
import os

import pytest

from engine.adapters.watchers.dead_man import HttpDeadMan
from engine.adapters.watchers.systemd import Systemd
from engine.domain.vital_signs import VitalSigns, read_signs
from engine.errors import ChannelBusy, ChannelError, ChannelRefused
from engine.services.books import Books
from engine.services.lanes import Lanes
from engine.services.tell_alive import DeadManPings, ManagerWatchdog
from tests.fakes.clock import FakeClock
from tests.fakes.dead_man import PATH, serving_dead_man
from tests.fakes.memory_store import MemoryStore


class Signs:
    """As a test sets them."""

    def __init__(self) -> None:
        self.reason = ""

    def read(self) -> VitalSigns:
        return VitalSigns(beat_age_s=0.5, write_age_s=1.0, reason=self.reason)


@pytest.mark.parametrize(
    ("beat", "write", "words"),
    [
        (9.9, 29.0, ""),
        (-5.0, -5.0, ""),  # the clock was set back
        (11.0, 0.0, "the scheduler's last heartbeat is 11 s old"),
        (1.0, 31.0, "the database took the last write 31 s ago"),
    ],
)
def test_an_engine_is_well_while_it_beats_and_writes(beat: float, write: float, words: str) -> None:
    signs = read_signs(beat, write, lease_ttl_s=30.0)
    assert (signs.reason, signs.is_well) == (words, not words)
    assert signs.beat_age_s >= 0 <= signs.write_age_s


def test_the_dead_man_is_pinged_while_the_engine_is_well_and_trouble_is_said_once() -> None:
    clock, signs = FakeClock(), Signs()
    books = Books(MemoryStore(clock.now), clock)
    with serving_dead_man() as service:
        pings = DeadManPings(HttpDeadMan(service.url), signs, books, Lanes())  # type: ignore[arg-type]

        def ping() -> list[str]:
            asyncio.run(pings.ping())
            with books.store.reading() as tx:
                return [event.kind for event in tx.events.select()]

        assert ping() == []
        assert (service.pings, pings.state.pinged_at) == (1, clock.now())
        signs.reason = "it is not well"
        ping()
        assert service.pings == 1
        signs.reason, service.status = "", 503
        ping()
        assert ping() == ["deadman.failed"]
        assert pings.state.error == "The dead-man service answers 503 Service Unavailable."
        service.status = 200
        ping()
        assert ping() == ["deadman.failed", "deadman.back"]
        assert not pings.state.error


def test_without_an_address_nobody_is_pinged() -> None:
    clock = FakeClock()
    pings = DeadManPings(None, Signs(), Books(MemoryStore(clock.now), clock), Lanes())  # type: ignore[arg-type]
    asyncio.run(pings.ping())
    assert not pings.state.is_set


def test_failures_say_what_to_do_and_never_the_address() -> None:
    with serving_dead_man() as service:
        failures: list[ChannelError] = []
        for status, kind in ((404, ChannelRefused), (429, ChannelBusy), (0, ChannelBusy)):
            service.status = status
            with pytest.raises(kind) as failed:
                HttpDeadMan(service.url).ping()
            failures.append(failed.value)
    with pytest.raises(ChannelBusy) as failed:
        HttpDeadMan(service.url).ping()  # it is gone
    failures.append(failed.value)
    assert "QUARTERDECK_DEADMAN_URL" in failures[0].message
    for one in failures:
        assert PATH not in f"{one.message} {one.answer} {one.__cause__}"
    assert PATH not in repr(HttpDeadMan(service.url))


def test_the_manager_hears_nothing_of_an_engine_that_is_not_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[str] = []

    class Manager:
        watchdog_s: float | None = 30.0

        def ready(self) -> None:
            heard.append("ready")

        def alive(self, status: str) -> None:
            heard.append(status)

        def stopping(self) -> None:
            heard.append("stopping")

    signs = Signs()
    watchdog = ManagerWatchdog(Manager(), signs)  # type: ignore[arg-type]
    assert watchdog.every_s == 10
    asyncio.run(watchdog.tell())
    signs.reason = "hangs"
    asyncio.run(watchdog.tell())
    assert heard == ["well, heartbeat 0.5 s ago"]


def test_the_watchdog_of_another_process_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    assert Systemd().watchdog_s is None
    monkeypatch.setenv("WATCHDOG_USEC", "6000000")
    assert Systemd().watchdog_s == 6.0
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid() + 1))
    assert Systemd().watchdog_s is None
