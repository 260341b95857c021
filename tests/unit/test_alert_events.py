"""Which events are alerts, and that they say what a person wants to know."""

import re
from contextlib import AbstractContextManager
from datetime import timedelta
from decimal import Decimal as D

import pytest

from engine.domain.alert_kinds import BY_EVENT, BY_FACT, WORDS, alert_kind
from engine.domain.alerts import Alert, AlertKind
from engine.domain.orders import Purpose
from engine.domain.records import Event, Level
from engine.domain.venue_accounts import Mode, VenueAccount
from engine.errors import Conflict
from engine.ports import Transaction
from engine.services.tell_start import tell_start
from engine.services.watch_logins import LoginWatcher
from tests.fakes.broker import Fault, VenueFault
from tests.fakes.clock import START
from tests.unit.conftest import Room
from tooling.place import ROOT

K = AlertKind
WRITTEN_ELSEWHERE = {"engine.down", "backup.failed", "channel.failed"}
"""By the watchdog, the backup and the deliverer."""


def alerts(room: Room) -> list[Alert]:
    """All alerts, oldest first."""
    with room.store.reading() as tx:
        return list(tx.alerts.select())


def event(kind: str, **data: str) -> Event:
    """An event of a kind with facts."""
    return Event(id="e", time=START, level=Level.INFO, kind=kind, message="", data=dict(data))


def test_every_kind_has_words_and_an_event() -> None:
    assert set(WORDS) == set(K)
    told = set(BY_EVENT.values()) | {
        kind for _, others in BY_FACT.values() for kind in others.values()
    }
    assert told - {None} == set(K)
    assert BY_FACT.keys() <= BY_EVENT.keys()


def test_every_event_that_is_an_alert_is_written_somewhere() -> None:
    source = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "engine").rglob("*.py")
        if path.name != "alert_kinds.py"
    )  # fmt: skip
    made_of_words = re.findall(r'f"([a-z]+)\.(?:[a-z0-9]+_)?\{', source)
    for kind in BY_EVENT.keys() - WRITTEN_ELSEWHERE:
        is_written = f'"{kind}"' in source or kind.partition(".")[0] in made_of_words
        assert is_written, kind


@pytest.mark.parametrize(
    ("happened", "kind"),
    [
        (event("position.closed", reason="stop_loss"), K.STOP_HIT),
        (event("position.closed", reason="trailing_stop"), K.STOP_HIT),
        (event("position.closed", reason="roi"), K.TARGET_HIT),
        (event("position.closed", reason="signal"), K.POSITION_CLOSED),
        (event("bot.running", before="starting"), K.BOT_STARTED),
        (event("bot.running", before="running"), None),
        (event("bot.running", before="sleeping"), K.BOT_SLEEPING),
        (event("bot.sleeping", before="sleeping"), None),
        (event("bot.sleeping", before="running"), K.BOT_SLEEPING),
        (event("reconcile.clean", before="unchecked"), None),
        (event("reconcile.clean", before="mismatch"), K.MISMATCH),
        (event("reconcile.clean", before="denied"), K.ACCOUNT_TROUBLE),
        (event("order.filled"), None),
    ],
)
def test_an_event_s_facts_may_say_what_it_is(happened: Event, kind: AlertKind | None) -> None:
    assert alert_kind(happened) is kind


def test_a_position_is_told_when_it_opens_and_once_when_it_closes(room: Room) -> None:
    room.enter()
    room.clock.advance(3 * 3600 + 300)
    room.broker.now = room.clock.now()
    room.broker.price = D(110)
    room.close("take_profit")
    opened, closed = alerts(room)
    assert (opened.kind, opened.title) == (K.POSITION_OPENED, "demo: position opened")
    assert opened.text == "Bought 1 BTC at 100 USDT, stop 98, target 105"
    assert (closed.kind, closed.title) == (K.TARGET_HIT, "demo: target hit")
    assert closed.text == "Closed long BTC/USDT: +10 USDT (+10%) after 3 h 5 min: take profit"
    assert closed.data["pnl"] == "10"


def test_an_entry_in_parts_opens_once_and_says_how_much_is_to_come(room: Room) -> None:
    room.broker.faults.append(Fault.HALF)
    room.enter()
    [entry] = room.working(Purpose.ENTRY)
    room.broker.fill(entry.client_id, D("0.5"))
    room.advance(1)
    assert room.position.quantity == 1
    texts = [one.text for one in alerts(room) if one.kind is K.POSITION_OPENED]
    assert texts == ["Bought 0.5 BTC (of 1) at 100 USDT, stop 98, target 105"]


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (Fault.REJECTED, K.ORDER_REJECTED, "entry (buy BTC/USDT) was rejected: the venue does not"),
        (Fault.NO_FUNDS, K.ORDER_REJECTED, "needs 100 USDT, has 3 USDT"),
        (Fault.LOST_BEFORE, K.ORDER_UNKNOWN, "became of the entry (buy BTC/USDT), qd-"),
        (VenueFault.DENIED, K.ACCOUNT_TROUBLE, "the venue refuses the key: invalid API key"),
    ],
)
def test_what_goes_wrong_with_an_order_is_told_once(
    room: Room, fault: Fault | VenueFault, kind: AlertKind, words: str
) -> None:
    room.broker.faults.append(fault)
    room.enter()
    room.advance(1)
    [told] = [one for one in alerts(room) if one.kind is kind]
    assert words in told.text


def test_an_event_s_own_name_is_used_once(room: Room) -> None:
    with room.books.writing() as writing:
        writing.event(Level.INFO, "alert.manual", "Hello.", event_id="e-1")
    with pytest.raises(Conflict), room.books.writing() as writing:
        writing.event(Level.INFO, "alert.manual", "Hello again.", event_id="e-1")
    assert [one.text for one in alerts(room)] == ["Hello."]


def test_an_event_and_its_alert_are_one_transaction(room: Room) -> None:
    with room.store.transaction() as tx:
        tx.alerts.add(
            Alert.of(event("alert.manual").model_copy(update={"id": "e-1"}), K.MANUAL, "")
        )
    with pytest.raises(Conflict), room.books.writing() as writing:
        writing.event(Level.INFO, "alert.manual", "Its alert cannot be written.", event_id="e-1")
    assert room.events() == []
    transaction, begun = room.store.transaction, 0

    def counted() -> AbstractContextManager[Transaction]:
        nonlocal begun
        begun += 1
        return transaction()

    room.store.transaction = counted  # type: ignore[method-assign]
    with room.books.writing() as writing:
        writing.event(Level.INFO, "alert.manual", "Both or none.")
    assert begun == 1


def test_a_login_that_has_ended_is_told_once_and_anew_after_the_next(room: Room) -> None:
    def log_in(hours: float) -> None:
        ends = room.clock.now() + timedelta(hours=hours)
        with room.books.writing() as writing:
            writing.put_venue_account(
                VenueAccount(id="k1", name="kite", venue="zerodha", mode=Mode.LIVE,
                             created_at=START, updated_at=START, expires_at=ends),
                is_new="k1" not in room.books.venue_accounts,
            )  # fmt: skip

    log_in(1)
    for hours in (0.5, 0.5, 1):
        room.clock.advance(hours * 3600)
        LoginWatcher(room.books).check()  # as after a crash: it remembers nothing
    watcher = LoginWatcher(room.books)
    for _ in range(2):
        watcher.check()
    assert [one.kind for one in alerts(room)] == [K.ACCOUNT_TROUBLE]
    assert "log in again" in alerts(room)[0].text.lower()
    log_in(1)
    watcher.check()
    room.clock.advance(3600)
    watcher.check()
    assert len(alerts(room)) == 2


def test_a_start_after_a_crash_says_so(room: Room) -> None:
    room.enter()
    tell_start(room.books)
    room.clock.advance(125)
    tell_start(room.books)
    with room.books.writing() as writing:
        writing.event(Level.INFO, "engine.stopped", "The engine has stopped.")
    room.clock.advance(5)
    tell_start(room.books)
    first, crashed, clean = [one for one in alerts(room) if one.kind is K.ENGINE_STARTED]
    assert (first.level, clean.level) == (Level.INFO, Level.INFO)
    assert clean.text == "The engine has started; open positions: 1."
    assert crashed.level is Level.WARNING
    assert crashed.text.endswith(
        "did not stop properly: it was last heard of 2 min ago, at 2026-03-02 12:00:00 UTC."
    )


def test_the_page_of_events_has_them_all() -> None:
    page = (ROOT / "docs" / "alert-events.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("|")]
    told = [re.findall(r"`([a-z_0-9.]+)`", row.split("|")[2]) for row in rows[2:]]
    assert all(len(names) == 1 for names in told)
    assert sorted(name for names in told for name in names) == sorted(BY_EVENT)
    titles = {part for row in rows[2:] for part in row.split("|")[1].strip().split(", ")}
    assert {words.title for words in WORDS.values()} <= titles | {"Kill switch, pauses"}
