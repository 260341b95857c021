"""What becomes of a message, whatever its provider does."""

from datetime import timedelta

import pytest

from engine.domain.alerts import DeliveryState
from engine.domain.records import Level
from engine.errors import ConfigError, Conflict, StoreError
from tests.fakes.memory_store import MemoryStore
from tests.support.alert_room import MAIL, PHONE, AlertRoom, channel

S = DeliveryState


@pytest.fixture
def room() -> AlertRoom:
    """One channel."""
    room = AlertRoom(MemoryStore())
    room.add(channel())
    return room


def test_an_alert_is_sent_once_and_its_receipt_is_kept(room: AlertRoom) -> None:
    alert = room.tell("Hello")
    room.rounds(5, 1)
    [delivery] = room.deliveries()
    assert (delivery.state, delivery.id) == (S.SENT, f"{alert.id}:{PHONE}")
    assert (delivery.provider_id, delivery.answer, delivery.attempts) == ("p1", "queued", 1)
    assert delivery.sent_at == room.clock.now() - timedelta(seconds=4)
    assert room.provider.texts() == ["Hello\n2026-03-02 12:00:00 UTC"]


def test_what_is_busy_is_tried_again_later_and_later(room: AlertRoom) -> None:
    room.provider.script.extend(["busy"] * 3)
    room.tell()
    waits = []
    for _ in range(3):
        room.round()
        [delivery] = room.deliveries()
        assert (delivery.state, delivery.error) == (S.WAITING, "The provider is busy.")
        waits.append((delivery.due_at - room.clock.now()).total_seconds())
        room.round(waits[-1] - 0.5)
        assert room.provider.sends.total() == len(waits), "not before its time"
        room.clock.advance(0.5)
    assert waits == [5, 10, 20]
    room.round()
    assert room.states() == [S.SENT]


def test_a_provider_is_given_the_pause_it_asks_for(room: AlertRoom) -> None:
    room.provider.script.append("busy")
    room.provider.retry_after_s = 120
    room.tell()
    room.round()
    [delivery] = room.deliveries()
    assert delivery.due_at == room.clock.now() + timedelta(seconds=120)


def test_others_wait_while_their_channel_pauses_and_go_then(room: AlertRoom) -> None:
    room.provider.script.append("busy")
    room.tell("one")
    room.round()
    room.tell("two")
    room.round()
    assert room.provider.sends.total() == 1
    room.round(5)
    assert room.states() == [S.SENT, S.SENT]


def test_it_is_given_up_after_a_day_and_that_is_an_event(room: AlertRoom) -> None:
    room.provider.script.extend(["busy"] * 500)
    room.tell()
    room.rounds(100, 900)
    assert room.states()[0] is S.FAILED
    first = room.deliveries()[0]
    assert first.error == "Given up after 24 hours: The provider is busy."
    assert timedelta(hours=24) <= first.changed_at - first.created_at < timedelta(hours=25)


def test_a_refusal_is_final_and_told_through_the_others_once(room: AlertRoom) -> None:
    room.add(channel(MAIL))
    room.provider.script.extend(["ok", "refused"])  # the mail goes first
    room.tell("one")
    room.round()
    room.round()
    phone = room.deliveries(channel_id=PHONE)
    assert [one.state for one in phone] == [S.FAILED]
    assert phone[0].error == "The number is wrong: correct it."
    [event] = room.events("channel.failed")
    assert event.level is Level.ERROR
    assert event.message == ("Alerts do not get through 'Phone': The number is wrong: correct it.")
    told = [one.title for one in room.deliveries(channel_id=MAIL)]
    assert told == ["Message", "Channel failed"]
    room.provider.script.extend(["ok", "refused"])
    room.tell("two")
    room.rounds(3, 1)
    assert len(room.events("channel.failed")) == 1, "the reason is the same"
    room.restart()
    room.provider.script.extend(["ok", "refused"])
    room.tell("three")
    room.rounds(3, 1)
    assert len(room.events("channel.failed")) == 1, "also after a restart"
    room.tell("four")
    room.rounds(2, 1)
    room.provider.script.extend(["ok", "refused"])
    room.tell("five")
    room.rounds(3, 1)
    assert len(room.events("channel.failed")) == 2, "it was well in between"


def test_what_may_have_arrived_is_looked_up_and_not_sent_again(room: AlertRoom) -> None:
    room.provider.script.append("unsure-after")
    room.tell()
    room.rounds(29, 1)
    assert room.states() == [S.SENDING], "it may still be on its way"
    room.rounds(2, 1)
    assert room.states() == [S.SENT]
    assert len(room.provider.arrivals) == 1


def test_what_was_not_taken_goes_again_after_several_looks(room: AlertRoom) -> None:
    room.provider.script.append("unsure-before")
    room.tell()
    room.rounds(80, 1)
    assert room.states() == [S.SENDING]
    room.rounds(30, 1)
    assert room.states() == [S.SENT]
    assert len(room.provider.arrivals) == 1


@pytest.mark.parametrize("step", ["unsure-after", "unsure-before", "broken"])
def test_what_nobody_can_look_up_stays_uncertain(room: AlertRoom, step: str) -> None:
    room.provider.can_find = False
    room.provider.script.append(step)
    room.tell()
    room.rounds(100, 60)
    [delivery] = room.deliveries()
    assert delivery.state is S.UNCERTAIN
    assert delivery.error.endswith("It may have arrived, so it is not sent again by itself.")
    assert room.provider.sends.total() == 1


def test_a_look_up_that_is_refused_leaves_it_uncertain(room: AlertRoom) -> None:
    room.provider.script.append("unsure-before")
    room.provider.finds.extend(["busy", "refused"])
    room.tell()
    room.rounds(60, 1)
    assert room.states() == [S.UNCERTAIN]


def test_three_without_an_answer_are_trouble_of_the_channel(room: AlertRoom) -> None:
    room.provider.can_find = False
    room.provider.script.extend(["unsure-before"] * 3)
    for number in range(3):
        assert not room.events("channel.failed")
        room.tell(str(number))
        room.round(1)
    assert len(room.events("channel.failed")) == 1


def test_a_channel_that_cannot_be_opened_waits_and_is_told(room: AlertRoom) -> None:
    opened = room.provider.open

    def fail(_channel: object) -> None:
        raise ConfigError("The key that opens it is missing: set QUARTERDECK_KEY.")

    room.provider.open = fail  # type: ignore[method-assign,assignment]
    room.restart()
    room.tell()
    room.rounds(3, 10)
    assert room.states(channel_id=PHONE)[0] is S.WAITING
    assert len(room.events("channel.failed")) == 1
    room.provider.open = opened  # type: ignore[method-assign]
    room.restart()
    room.round(900)
    assert room.states(channel_id=PHONE)[0] is S.SENT


def test_what_cannot_be_written_is_written_later_and_nothing_is_sent_twice() -> None:
    store = MemoryStore()
    room = AlertRoom(store)
    room.add(channel())
    room.tell()

    def full() -> None:
        raise StoreError("The disk is full.")

    room.provider.after_send = lambda: setattr(store, "before_commit", full)
    with pytest.raises(StoreError):
        room.round()
    store.before_commit = room.provider.after_send = None
    room.rounds(200, 1)
    assert room.states() == [S.SENT]
    assert len(room.provider.arrivals) == 1


def test_a_test_message_goes_at_once_with_the_providers_answer(room: AlertRoom) -> None:
    with room.store.reading() as tx:
        phone = tx.channels.get(PHONE)
    sent = room.sender.test(phone, "anna")
    assert (sent.state, sent.answer, sent.is_test) == (S.SENT, "queued", True)
    room.provider.script.append("busy")
    failed = room.sender.test(phone, "anna")
    assert (failed.state, failed.error) == (S.FAILED, "The provider is busy.")
    room.rounds(100, 60)
    assert room.provider.sends.total() == 2, "tests are not tried again"
    assert not room.events("channel.failed")


def test_a_failed_one_is_sent_again_as_one_of_its_own(room: AlertRoom) -> None:
    room.provider.script.append("refused")
    room.tell()
    room.round()
    [failed] = room.deliveries(kind="manual")
    again = room.sender.send_again(failed.id, "anna")
    assert again.id == f"{failed.id}~1"
    with pytest.raises(Conflict, match="already"):
        room.sender.send_again(failed.id, "anna")
    room.round()
    assert room.states(kind="manual") == [S.FAILED, S.SENT]
    with pytest.raises(Conflict, match="this one is sent"):
        room.sender.send_again(again.id, "anna")


def test_a_provider_that_is_down_is_asked_less_and_less_for_what_is_in_doubt(
    room: AlertRoom,
) -> None:
    room.provider.script.append("unsure-after")
    room.provider.finds.extend(["busy"] * 3)
    room.tell()
    room.round()
    room.round(30)
    waits = []
    for _ in range(3):
        [delivery] = room.deliveries()
        waits.append((delivery.due_at - room.clock.now()).total_seconds())
        room.round(waits[-1])
    assert waits == [5, 10, 20]
    assert room.states() == [S.SENT]


def test_a_look_up_that_is_broken_keeps_nothing_back(room: AlertRoom) -> None:
    room.provider.script.append("unsure-after")
    room.provider.finds.extend(["broken"] * 500)
    room.tell("first")
    room.round()
    room.tell("second")
    room.round(30)
    assert room.states() == [S.SENDING, S.SENT]
    room.rounds(110, 900)
    assert room.states() == [S.UNCERTAIN, S.SENT]
    assert room.deliveries()[0].error.startswith("It failed while it was looked up")


def test_what_nobody_could_look_up_for_a_day_is_uncertain(room: AlertRoom) -> None:
    room.provider.script.append("unsure-after")
    room.provider.finds.extend(["busy"] * 500)
    room.tell()
    room.rounds(110, 900)
    [delivery] = room.deliveries()
    assert delivery.state is S.UNCERTAIN
    assert delivery.error.startswith("The provider is busy.")


def test_an_engine_that_was_down_for_days_still_looks_up_what_was_in_doubt(room: AlertRoom) -> None:
    room.provider.script.append("unsure-after")
    room.provider.finds.extend(["busy"] * 3)
    room.tell()
    room.round()
    room.restart()
    room.clock.advance(3 * 86_400)
    room.rounds(8, 10)
    assert room.states() == [S.SENT]
    assert len(room.provider.arrivals) == 1
