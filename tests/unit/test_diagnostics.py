"""How everything is judged, that a broken look shows, that nothing secret leaves in a bundle."""

import io
import json
import socket
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.adapters.machine.local import LocalMachine
from engine.adapters.store.store import SqlStore
from engine.domain.alerts import AlertKind, Channel, ChannelKind, Delivery, DeliveryState
from engine.domain.api_usage import ApiUsage, usage_of
from engine.domain.diagnostics import (
    GIB,
    Area,
    Check,
    check_of,
    graded,
    judge_beat,
    judge_disk,
    judge_skew,
    judge_usage,
    worst,
)
from engine.domain.masking import without_people
from engine.domain.records import Level
from engine.domain.venue_accounts import AccountCheck, Grade, Inspection, Mode, VenueAccount
from engine.errors import ChannelRefused, DataError, StoreError
from engine.logs import Redaction
from engine.ports.machine import Room
from engine.services.books import Books
from engine.services.bundle import MOST_LOG_BYTES, Bundle
from engine.services.diagnose import Diagnostics, Probe, ProbeSource
from engine.services.lanes import Lanes
from engine.services.probe_engine import (
    DatabaseProbes,
    EngineProbes,
    MachineProbes,
    StrategyProbes,
)
from engine.services.probe_outside import BrokerProbes, ChannelProbes, ModelProbes
from engine.services.pulse import Pulse
from tests.fakes.clock import START, FakeClock
from tests.fakes.machine import FakeMachine
from tests.fakes.memory_store import MemoryStore
from tests.fakes.notifier import FakeNotifiers
from tests.fakes.strategy_host import FakeStrategyHost

NTP_EPOCH_S = 2_208_988_800  # from 1900 to 1970


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def books(clock: FakeClock) -> Books:
    return Books(MemoryStore(clock.now), clock)


def look(clock: FakeClock, *sources: ProbeSource, deep: bool = False) -> dict[str, Check]:
    found = Diagnostics(clock, FakeMachine(), sources).run(is_deep=deep)
    names = [check.name for check in found.checks]
    assert len(names) == len(set(names))
    return {check.name: check for check in found.checks}


@pytest.mark.parametrize(
    ("check", "grade"),
    [
        (judge_skew(Area.MACHINE, "Clock", 0.4), Grade.OK),
        (judge_skew(Area.MACHINE, "Clock", -1.0), Grade.WARNING),
        (judge_skew(Area.MACHINE, "Clock", 5.0), Grade.FAILED),
        (judge_disk(2 * GIB + 1, 9 * GIB, "it"), Grade.OK),
        (judge_disk(2 * GIB, 9 * GIB, "it"), Grade.WARNING),
        (judge_disk(GIB // 2, 9 * GIB, "it"), Grade.FAILED),
        (judge_beat(4.9), Grade.OK),
        (judge_beat(30.0), Grade.FAILED),
        (judge_usage(Area.BROKERS, "w", 4_199, 6_000), Grade.OK),
        (judge_usage(Area.BROKERS, "w", 4_200, 6_000), Grade.WARNING),
        (judge_usage(Area.BROKERS, "w", 5_700, 6_000), Grade.FAILED),
    ],
)
def test_limits_belong_to_the_worse_side(check: Check, grade: Grade) -> None:
    assert check.grade is grade
    assert bool(check.advice) is (grade is not Grade.OK)


def test_lower_is_worse_when_the_limits_say_so() -> None:
    assert [graded(value, 2, 1) for value in (3, 2, 1)] == [Grade.OK, Grade.WARNING, Grade.FAILED]
    assert worst([Grade.UNKNOWN, Grade.OK]) is Grade.OK
    assert worst([Grade.WARNING, Grade.FAILED, Grade.OK]) is Grade.FAILED


def test_a_look_that_breaks_is_a_failed_check_and_stops_no_other(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    def refuses() -> Iterator[Check]:
        raise StoreError("The database is locked.")

    def breaks() -> Iterator[Check]:
        yield check_of(Area.ENGINE, "first", Grade.OK, "fine")
        raise ZeroDivisionError("by nothing")

    found = look(clock, lambda _deep: (
        Probe(Area.MODELS, "broken", breaks), Probe(Area.DATABASE, "locked", refuses),
        Probe(Area.ENGINE, "well", lambda: [check_of(Area.ENGINE, "well", Grade.OK, "fine")]),
    ))  # fmt: skip
    assert {name: check.grade for name, check in found.items()} == {
        "well": Grade.OK, "locked": Grade.FAILED, "broken": Grade.FAILED,
    }  # fmt: skip
    assert found["locked"].detail == "The database is locked."
    assert "ZeroDivisionError: by nothing" in found["broken"].detail
    assert "the probe 'broken' failed" in caplog.text


def test_the_engine_is_judged_by_its_beat_its_lateness_and_what_waits(
    clock: FakeClock, books: Books
) -> None:
    pulse, lanes = Pulse(START, START), Lanes()
    probes = EngineProbes(books, pulse, lanes)
    assert look(clock, probes)["Jobs late"].grade is Grade.UNKNOWN
    pulse.job_lateness_s.extend([0.01] * 95 + [20.0] * 5)
    clock.advance(60)
    found = look(clock, probes)
    assert found["Heartbeat"].detail == "60.0 s ago"
    assert found["Heartbeat"].grade is Grade.FAILED
    assert found["Jobs late"].detail == "p50 0.01 s, p99 20.00 s over 100"
    assert found["Waiting calls"].detail == "nothing waits"


def test_the_database_is_really_written_to(clock: FakeClock, tmp_path: Path) -> None:
    store = SqlStore.open(f"sqlite:///{tmp_path / 'state.db'}")
    try:
        probes = DatabaseProbes(store, Books(store, clock), store.facts)
        found = look(clock, probes, deep=True)
        assert found["Database"].grade is found["Write"].grade is Grade.OK
        assert found["Database"].detail.startswith("SQLite 3.")
        with store.reading() as tx:
            assert tx.find_setting("diagnostics.written_at") == clock.now().isoformat()
    finally:
        store.close()
    assert "Database" in look(clock, probes)
    with pytest.raises(StoreError):
        damaged(tmp_path / "state.db").facts(is_deep=True)


def damaged(file: Path) -> SqlStore:
    """The same database with pages overwritten."""
    content = bytearray(file.read_bytes())
    content[8192:16384] = b"\x00" * 8192
    file.write_bytes(content)
    return SqlStore.open(f"sqlite:///{file}")


def test_disk_memory_and_clock(clock: FakeClock, tmp_path: Path) -> None:
    machine = FakeMachine()
    probes = MachineProbes(machine, tmp_path)
    assert set(look(clock, probes)) == {"Disk", "Memory"}
    assert look(clock, probes, deep=True)["Clock"].grade is Grade.UNKNOWN
    machine.lead_s, machine.disk_room, machine.memory_room = -9.0, Room(0, GIB), Room(GIB, 2 * GIB)
    found = look(clock, probes, deep=True)
    assert found["Clock"].detail == "9.00 s behind it"
    assert found["Disk"].grade is Grade.FAILED
    assert found["Memory"].grade is Grade.OK


def test_workers_that_died_and_strategies_that_are_broken(clock: FakeClock) -> None:
    machine = FakeMachine()
    machine.processes = {1: 200 * 1024**2}
    probes = StrategyProbes(machine, FakeStrategyHost().list, lambda: {1, 2}, 1_024)
    found = look(clock, probes)
    assert found["Workers"].detail == "1 run, the largest of 200 MiB; 1 have just died"
    assert found["Workers"].grade is Grade.WARNING
    assert found["Strategies"].grade is Grade.OK


def account(**changes: object) -> VenueAccount:
    fields: dict[str, object] = {
        "id": "a1", "name": "Main", "venue": "binance", "mode": Mode.TEST, "is_enabled": False,
        "created_at": START, "updated_at": START,
    }  # fmt: skip
    return VenueAccount.model_validate(fields | changes)


def test_brokers_are_known_by_their_last_test_or_asked(clock: FakeClock, books: Books) -> None:
    checks = (AccountCheck(name="Permissions", grade=Grade.FAILED, detail="may withdraw",
                           advice="Make a new key."),)  # fmt: skip
    tested = account(inspection=Inspection(checks=checks, clock_skew_s=-6.0))
    asked: list[str] = []

    def test(key: str, actor: str) -> VenueAccount:
        asked.append(f"{key} by {actor}")
        return tested

    usage: Callable[[str], list[ApiUsage]] = lambda _key: [ApiUsage("Request weight", 5_900, 6_000)]  # noqa: E731
    probes = BrokerProbes(books, test, usage)
    assert look(clock, probes)["Accounts"].grade is Grade.OK
    books.venue_accounts["a1"] = account()
    known = look(clock, probes)
    assert "has not been tested" in known["Main"].detail
    assert known["Main: Request weight"].grade is Grade.FAILED
    assert not asked
    found = look(clock, probes, deep=True)
    assert asked == ["a1 by diagnostics"]
    assert found["Main: Permissions"].advice == "Make a new key."
    assert found["Main: our clock"].detail == "6.00 s behind it"


def channel() -> Channel:
    return Channel(id="c1", name="Phone", kind=ChannelKind.SMS, created_at=START, updated_at=START)


def delivery(state: DeliveryState, error: str = "") -> Delivery:
    return Delivery(
        id=f"x:{state}", alert_id="x", channel_id="c1", channel_name="Phone", title="t", text="t",
        channel_kind=ChannelKind.SMS, kind=AlertKind.MANUAL, level=Level.INFO, state=state,
        error=error, created_at=START, due_at=START, changed_at=START,
    )  # fmt: skip


def test_channels_by_their_last_message_and_by_their_provider(
    clock: FakeClock, books: Books
) -> None:
    notifiers = FakeNotifiers()
    refusals: list[ChannelRefused] = []

    class Asked:
        def verify(self) -> str:
            if refusals:
                raise refusals[0]
            return "The account is active."

    probes = ChannelProbes(books.store, lambda _one: Asked())  # type: ignore[arg-type,return-value]
    assert look(clock, probes)["Channels"].grade is Grade.WARNING
    with books.store.transaction() as tx:
        tx.channels.add(channel())
    assert look(clock, probes)["Phone"].grade is Grade.UNKNOWN
    tried = delivery(DeliveryState.WAITING, "Nobody answers.").model_copy(update={"id": "tried"})
    with books.store.transaction() as tx:
        tx.deliveries.add(tried)
    down = look(clock, probes)["Phone"]
    assert (down.grade, down.detail) == (
        Grade.FAILED, "the last message: Nobody answers.; 1 wait",
    )  # fmt: skip
    with books.store.transaction() as tx:
        tx.deliveries.delete("tried")
    with books.store.transaction() as tx:
        tx.deliveries.add(delivery(DeliveryState.WAITING), delivery(DeliveryState.FAILED, "Gone."))
    found = look(clock, probes, deep=True)
    assert found["Phone"].detail == "the last message: Gone.; 1 wait"
    assert found["Phone: credentials"].detail == "The account is active."
    refusals.append(ChannelRefused("The token is wrong."))
    assert look(clock, probes, deep=True)["Phone: credentials"].grade is Grade.FAILED
    assert not notifiers.sent


def test_a_model_matters_only_to_those_who_ask_one(clock: FakeClock) -> None:
    probes = ModelProbes(lambda: False, lambda: "There is no key.")
    assert look(clock, probes)["Model"].grade is Grade.OK
    probes = ModelProbes(lambda: True, lambda: "There is no key.")
    assert look(clock, probes)["Model"].detail == "There is no key."


def test_allowances_are_read_from_headers() -> None:
    headers = {
        "x-mbx-used-weight-1m": "120", "x-mbx-order-count-10s": "junk",
        "x-ratelimit-limit": "200", "x-ratelimit-remaining": "150",
    }  # fmt: skip
    assert usage_of(headers) == [
        ApiUsage("Request weight in a minute", 120, 6_000), ApiUsage("Requests", 50, 200),
    ]  # fmt: skip
    assert usage_of({"date": "now"}) == []


# --- the clock ------------------------------------------------------------------------------------


@contextmanager
def time_server(ahead_s: float, *, answers: bool = True) -> Iterator[str]:
    """Speaks NTP (RFC 5905) on loopback, its time ``ahead_s`` of ours."""
    import ntplib

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            question, client = server.recvfrom(512)
            asked = ntplib.NTPPacket()
            asked.from_data(question)
            told = ntplib.NTPPacket(version=4, mode=4, tx_timestamp=asked.tx_timestamp + ahead_s)
            told.stratum, told.orig_timestamp = 1, asked.tx_timestamp
            told.recv_timestamp = asked.tx_timestamp + ahead_s
            server.sendto(told.to_data() if answers else b"junk", client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_a_time_server_says_how_far_our_clock_is_off() -> None:
    with time_server(ahead_s=-7.0) as address:
        assert LocalMachine(address).clock_lead_s() == pytest.approx(7.0, abs=1.0)


def test_a_time_server_that_does_not_answer_is_named() -> None:
    with time_server(0, answers=False) as address, pytest.raises(DataError, match=r"127\.0\.0\.1"):
        LocalMachine(address).clock_lead_s()
    with pytest.raises(DataError, match="QUARTERDECK_TIME_SERVER"):
        LocalMachine("").clock_lead_s()


# --- the bundle -----------------------------------------------------------------------------------


def test_a_bundle_has_what_a_report_needs_and_nothing_that_is_secret(
    clock: FakeClock, books: Books, tmp_path: Path
) -> None:
    canary, redaction = "canary-7f3a9", Redaction()
    redaction.hide(canary)
    (tmp_path / "engine.log").write_text(
        f"first\nkey {canary} of ann@example.org at /home/ann/data, call +49 151 1234567\n"
    )
    with books.writing() as writing:
        writing.event(Level.ERROR, "channel.failed", f"{canary} was refused for +4915112345678.")
    found = Diagnostics(clock, FakeMachine(), ()).run(is_deep=False)
    settings = {"log_level": "INFO", "gemini_key": "(set)"}
    packed = Bundle(books, tmp_path, lambda: settings, redaction.clean_text).make(found)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert set(archive.namelist()) == {
            "README.txt", "diagnosis.json", "settings.json", "events.jsonl", "bots.json",
            "logs/engine.log",
        }  # fmt: skip
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    everything = "\n".join(texts.values())
    for secret in (canary, "ann@", "/home/ann", "1234567", "15112345678"):
        assert secret not in everything, secret
    assert "[hidden] was refused for [phone]." in texts["events.jsonl"]
    assert texts["logs/engine.log"] == (
        "first\nkey [hidden] of [email] at /home/[user]/data, call [phone]\n"
    )
    assert json.loads(texts["diagnosis.json"])["versions"]["python"] == "3.11"


def test_of_a_long_log_the_end_is_taken_by_whole_lines(books: Books, tmp_path: Path) -> None:
    line = "x" * 99 + "\n"
    (tmp_path / "engine.log").write_text(line * (MOST_LOG_BYTES // 100 + 50))
    found = Diagnostics(FakeClock(), FakeMachine(), ()).run(is_deep=False)
    packed = Bundle(books, tmp_path, dict, str).make(found)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        log = archive.read("logs/engine.log").decode()
    assert log.startswith(line)
    assert MOST_LOG_BYTES - 100 <= len(log) < MOST_LOG_BYTES


def test_amounts_and_times_are_no_telephone_numbers() -> None:
    text = "+12.34 USDT at 2026-11-26T06:00:00+00:00, +1 2, sold +100000.5"
    assert without_people(text) == text
