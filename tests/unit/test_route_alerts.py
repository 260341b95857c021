"""Which channels an alert goes through, when, in how many messages, and who takes over."""

from datetime import UTC, datetime, time
from decimal import Decimal

import pytest
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from engine.domain.alerts import (
    AlertKind,
    AlertState,
    Channel,
    ChannelKind,
    DeliveryState,
    QuietHours,
)
from engine.domain.delivery_rules import retry_after_s
from engine.domain.digests import MOST_MEMBERS
from engine.domain.records import Level
from engine.services.route_alerts import AlertRouter
from engine.services.send_rates import SendRates
from tests.fakes.clock import FakeClock
from tests.fakes.memory_store import MemoryStore
from tests.support.alert_room import MAIL, PHONE, AlertRoom, channel

S = DeliveryState
NIGHT = QuietHours(start=time(22), end=time(7))
SID = {"account_sid": "AC1"}


@pytest.fixture
def room() -> AlertRoom:
    """No channel yet."""
    return AlertRoom(MemoryStore())


def test_the_matrix_and_the_bots_decide(room: AlertRoom) -> None:
    room.add(
        channel("ch-a", kinds=(AlertKind.MANUAL,)),
        channel("ch-b", kinds=(AlertKind.PRICE,)),
        channel("ch-c", bots=("b1",)),
        channel("ch-d", is_enabled=False),
    )
    room.tell(bot_id="b1")
    room.tell(bot_id="b2")
    room.tell()
    room.round()
    told = [(one.channel_id, one.bot_id) for one in room.deliveries()]
    assert told == [
        ("ch-a", "b1"), ("ch-c", "b1"), ("ch-a", "b2"), ("ch-a", None), ("ch-c", None),
    ], "what is of no bot goes to all"  # fmt: skip


def test_an_alert_without_a_channel_is_done(room: AlertRoom) -> None:
    room.tell()
    room.round()
    with room.store.reading() as tx:
        assert tx.alerts.count(state=AlertState.NEW) == 0


def test_errors_go_before_what_is_older(room: AlertRoom) -> None:
    room.add(channel())
    room.tell("old")
    room.tell("bad", level=Level.ERROR)
    room.tell("new")
    room.round()
    assert [one.splitlines()[0] for one in room.provider.texts()] == ["bad", "old", "new"]


def test_a_storm_is_one_message(room: AlertRoom) -> None:
    room.add(channel(digest_above=5))
    for number in range(6):
        room.tell(str(number))
    room.round()
    assert len(room.provider.arrivals) == 1
    digest, *members = room.deliveries(order_by="state", is_descending=True)
    assert digest.state is S.SENT
    assert {(one.state, one.digest_id) for one in members} == {(S.DIGESTED, digest.id)}
    assert room.provider.arrivals[0].message.title == "6 alerts"


def test_in_a_storm_of_hundreds_the_error_is_in_the_first_message(room: AlertRoom) -> None:
    room.add(channel(digest_above=5))
    for number in range(MOST_MEMBERS + 30):
        room.tell(str(number))
    room.tell("bad", level=Level.ERROR, kind="bot.faulted")
    room.round()
    titles = [one.message.title for one in room.provider.arrivals]
    assert titles == ["250 alerts, 1 error", "31 alerts"]
    assert "12:00 Bot faulted" in room.provider.texts()[0]


def test_up_to_so_many_within_the_window_go_each_for_itself(room: AlertRoom) -> None:
    room.add(channel(digest_above=3, digest_window_s=60))
    for number in range(3):
        room.tell(str(number))
        room.round(1)
    assert len(room.provider.arrivals) == 3
    room.tell("4")
    room.tell("5")
    room.round(1)
    assert room.provider.arrivals[-1].message.title == "2 alerts"
    room.clock.advance(70)
    room.tell("6")
    room.tell("7")
    room.round()
    assert len(room.provider.arrivals) == 6, "the window is over"


def test_a_long_outage_ends_in_three_messages(room: AlertRoom) -> None:
    """The one that was tried, those that waited behind it, and those that came after."""
    room.add(channel(digest_above=2, kinds=(AlertKind.MANUAL,)))
    room.provider.script.extend(["busy"] * 100)
    for _ in range(40):
        room.tell()
        room.round(200)
    room.provider.script.clear()
    room.rounds(5, 900)
    titles = sorted(one.message.title for one in room.provider.arrivals)
    assert len(titles) == 3
    assert titles[2] == "Message"
    assert sum(int(one.partition(" ")[0]) for one in titles[:2]) == 39
    assert {one.state for one in room.deliveries()} == {S.SENT, S.DIGESTED}


def test_what_was_tried_goes_again_as_it_was(room: AlertRoom) -> None:
    room.add(channel(digest_above=2))
    room.provider.script.append("busy")  # of several numbers, some may have it
    first = room.tell("first")
    room.round()
    for number in range(4):
        room.tell(str(number))
    room.round(5)
    assert [one.message.title for one in room.provider.arrivals] == ["4 alerts", "Message"]
    assert room.provider.references()[1] == f"{first.id}:{PHONE}"


def test_what_comes_at_night_is_told_in_one_message_in_the_morning() -> None:
    clock = FakeClock(datetime(2026, 3, 2, 23, 0, tzinfo=UTC))
    room = AlertRoom(MemoryStore(), clock)
    room.add(channel(quiet=NIGHT))
    room.tell("one")
    room.tell("two", level=Level.WARNING)
    room.tell("three", level=Level.ERROR)
    room.rounds(7, 3600)
    assert [one.splitlines()[0] for one in room.provider.texts()] == ["three"]
    room.round(3600)
    assert room.provider.arrivals[-1].message.title == "2 alerts"
    assert clock.now().hour == 7
    room.rounds(5, 3600)
    assert len(room.provider.arrivals) == 2


def test_quiet_hours_that_are_taken_back_hold_nothing_any_more() -> None:
    room = AlertRoom(MemoryStore(), FakeClock(datetime(2026, 3, 2, 23, 0, tzinfo=UTC)))
    room.add(channel(quiet=NIGHT))
    room.tell("one")
    room.tell("two")
    room.round(60)
    room.change(PHONE, name="Another", updated_at=room.clock.advance(60))
    room.rounds(3, 1)
    assert not room.provider.arrivals, "it is another change"
    room.change(PHONE, quiet=None, updated_at=room.clock.advance(60))
    room.rounds(2, 1)
    assert [one.message.title for one in room.provider.arrivals] == ["2 alerts"]


def test_a_retry_does_not_ring_at_night() -> None:
    clock = FakeClock(datetime(2026, 3, 2, 21, 59, 58, tzinfo=UTC))
    room = AlertRoom(MemoryStore(), clock)
    room.add(channel(quiet=NIGHT))
    room.provider.script.append("busy")
    room.tell()
    room.round()
    room.round(10)
    [delivery] = room.deliveries()
    assert delivery.due_at == datetime(2026, 3, 3, 7, 0, tzinfo=UTC)
    room.round(9 * 3600)
    assert room.states() == [S.SENT]


@pytest.mark.parametrize("step", ["refused", "unsure-before"])
def test_a_failure_is_told_through_the_next_channel_once(room: AlertRoom, step: str) -> None:
    room.add(channel(escalate_to=MAIL), channel(MAIL, kinds=()))
    room.provider.can_find = False
    room.provider.script.append(step)
    alert = room.tell(level=Level.WARNING)
    room.rounds(4, 1)
    assert room.provider.references(MAIL) == [f"{alert.id}:{MAIL}"]
    [made] = room.deliveries(channel_id=MAIL)
    assert made.escalated_from == f"{alert.id}:{PHONE}"
    [late] = room.deliveries(channel_id=PHONE, kind="manual")
    assert late.is_escalated


def test_what_takes_too_long_is_told_there_as_well(room: AlertRoom) -> None:
    room.add(channel(escalate_to=MAIL, escalate_after_s=300), channel(MAIL, kinds=()))
    room.rates.allowed = 0
    room.tell("info")
    room.tell("warning", level=Level.WARNING)
    room.round()
    room.round(299)
    assert not room.deliveries(channel_id=MAIL)
    room.round(1)
    assert [one.text.splitlines()[0] for one in room.deliveries(channel_id=MAIL)] == ["warning"]


def test_a_digest_that_fails_hands_over_what_matters_in_it(room: AlertRoom) -> None:
    room.add(channel(escalate_to=MAIL, digest_above=2), channel(MAIL, kinds=()))
    room.provider.script.append("refused")
    for level in (Level.INFO, Level.WARNING, Level.ERROR):
        room.tell(str(level), level=level)
    room.rounds(3, 1)
    told = [one.text.splitlines()[0] for one in room.deliveries(channel_id=MAIL)]
    assert sorted(told) == ["error", "warning"]
    assert room.escalator.escalate() == 0


def test_channels_that_take_over_from_one_another_end(room: AlertRoom) -> None:
    room.add(channel(escalate_to=MAIL), channel(MAIL, kinds=(), escalate_to=PHONE))
    room.provider.script.extend(["refused"] * 10)
    room.tell(level=Level.ERROR)
    room.rounds(20, 10)
    assert room.provider.sends.total() == len(room.provider.sends)
    assert len(room.events("channel.failed")) == 2, "one each"


def test_a_channel_that_is_switched_off_or_deleted_drops_what_waits(room: AlertRoom) -> None:
    room.add(channel(), channel(MAIL))
    room.rates.allowed = 0
    room.tell()
    room.round()
    room.change(PHONE, is_enabled=False)
    room.delete(MAIL)
    room.round()
    assert [(one.state, one.error) for one in room.deliveries(order_by="channel_id")] == [
        (S.DROPPED, "Its channel was deleted."),
        (S.DROPPED, "Its channel was switched off."),
    ]


def test_what_was_on_the_wire_when_its_channel_was_deleted_is_uncertain(room: AlertRoom) -> None:
    room.add(channel())
    room.provider.script.append("unsure-after")
    room.tell()
    room.round()
    room.delete(PHONE)
    room.round(31)
    assert room.states() == [S.UNCERTAIN]


def test_channels_of_one_account_share_its_rate() -> None:
    rates = SendRates(MovingWindowRateLimiter(MemoryStorage()))
    sms = {"kind": ChannelKind.SMS, "settings": SID, "most_per_minute": 4}
    one, two = channel("ch-1", **sms), channel("ch-2", **sms)
    other = channel("ch-3", **{**sms, "settings": {"account_sid": "AC2"}})
    every = [one, two, other]
    assert [rates.take(one, every) for _ in range(3)] == [True] * 3
    assert [rates.take(two, every) for _ in range(2)] == [True, False]
    assert [rates.take(other, every) for _ in range(5)] == [True] * 4 + [False]


def test_what_went_before_a_start_counts_for_a_minute(room: AlertRoom) -> None:
    room.add(channel(most_per_minute=3), channel(MAIL, most_per_minute=3, kinds=()))
    room.provider.can_find = False
    room.provider.script.extend(["ok", "unsure-after"])  # which may have arrived, and counts
    for number in range(2):
        room.tell(str(number))
    room.round()
    with room.store.reading() as tx:
        phone, mail = tx.channels.get(PHONE), tx.channels.get(MAIL)

    def may_go(one: Channel) -> int:
        room.restart()
        rates = SendRates(MovingWindowRateLimiter(MemoryStorage()))
        rates.recall(room.outbox, room.clock.now())
        return sum(rates.take(one, [phone, mail]) for _ in range(5))

    assert (may_go(phone), may_go(mail)) == (1, 3)
    room.clock.advance(61)
    assert may_go(phone) == 3


def test_retries_double_and_are_spread() -> None:
    assert [retry_after_s(one, 0, 1.0) for one in (1, 2, 3, 9, 99)] == [5, 10, 20, 900, 900]
    assert retry_after_s(3, 0, 0.0) == 10
    assert retry_after_s(1, 60, 1.0) == 60
    assert retry_after_s(1, 99_999, 1.0) == 3_600


def test_segments_and_cost_are_counted_and_summed(room: AlertRoom) -> None:
    room.add(channel(
        kind=ChannelKind.SMS, segment_price=Decimal("0.0079"),
        settings={**SID, "to": "+49151000001, +49151000002"},
    ))  # fmt: skip
    room.tell("я" * 100)
    room.round()
    [delivery] = room.deliveries()
    assert (delivery.segments, delivery.cost) == (4, Decimal("0.0316"))
    room.clock.advance(86_400)
    room.provider.segments = 2  # the provider tells it, of both numbers
    room.tell("short")
    room.round()
    figures = room.figures.read().channels[PHONE]
    assert (figures.segments_today, figures.segments_month) == (2, 6)
    assert (figures.cost_today, figures.cost_month) == (Decimal("0.0158"), Decimal("0.0474"))
    assert (figures.sent_today, figures.failed_today, figures.waiting) == (1, 0, 0)


def test_figures_say_what_waits_and_since_when(room: AlertRoom) -> None:
    room.add(channel())
    room.rates.allowed = 0
    room.tell()
    room.round()
    room.clock.advance(90)
    room.tell()
    figures = room.figures.read()
    assert (figures.new_alerts, figures.waiting, figures.oldest_age_s) == (1, 1, 90)


def test_clean_masks_what_a_person_wrote() -> None:
    room = AlertRoom(MemoryStore())
    room.add(channel())
    room.router = AlertRouter(
        room.store, room.clock, "UTC", lambda text: text.replace("hunter2", "[hidden]")
    )
    room.change(PHONE, kind=ChannelKind.SMS)
    room.tell(f"hunter2 {'a' * 600} hunter2")
    room.tell(f"{'a' * 135}hunter2", kind="order.rejected")
    room.round()
    manual, cut = room.provider.texts()
    assert manual == f"12:00 Message: [hidden] {'a' * 600} [hidden]"
    assert cut == f"12:00 Order rejected: {'a' * 135}..."
