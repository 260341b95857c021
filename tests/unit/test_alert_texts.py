"""Alerts and digests in words, as long as each kind of channel takes them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.alert_texts import LONGEST, words_of
from engine.domain.alerts import Alert, AlertKind, ChannelKind, Delivery
from engine.domain.digests import MOST_LINES, SMS_SEGMENTS, digest_id, digest_of
from engine.domain.records import Level
from engine.domain.sms import size_of
from tests.fakes.clock import START
from tests.support.alert_room import PHONE, channel

K = AlertKind


def alert(text: str = "Sold ½ BTC at 1.10, +2.30 USDT", **changes: object) -> Alert:
    """A closed position."""
    fields: dict[str, object] = {
        "id": "a1", "kind": K.POSITION_CLOSED, "level": Level.INFO, "time": START,
        "title": "First: position closed", "text": text,
    }  # fmt: skip
    return Alert.model_validate(fields | changes)


def waiting(number: int, **changes: object) -> Delivery:
    """A delivery, ``number`` minutes after the start."""
    at = START + timedelta(minutes=number)
    fields: dict[str, object] = {
        "id": f"a{number}:{PHONE}", "alert_id": f"a{number}", "channel_id": PHONE,
        "channel_name": "Phone", "channel_kind": ChannelKind.TELEGRAM, "kind": K.POSITION_CLOSED,
        "level": Level.INFO, "title": f"Bot {number}: position closed", "text": "Sold",
        "created_at": at, "due_at": at, "changed_at": at,
    }  # fmt: skip
    return Delivery.model_validate(fields | changes)


def test_an_sms_is_one_plain_segment_with_its_time() -> None:
    words = words_of(alert(), ChannelKind.SMS, "Europe/Berlin")
    assert words.text == "13:00 First: position closed: Sold 1/2 BTC at 1.10, +2.30 USDT"
    assert size_of(words.text).segments == 1


@pytest.mark.parametrize(("text", "segments"), [("a" * 900, 1), ("я" * 900, 2)])
def test_a_long_one_is_cut_and_a_persons_message_is_not(text: str, segments: int) -> None:
    cut = words_of(alert(text), ChannelKind.SMS, "UTC").text
    assert size_of(cut).segments == segments
    manual = words_of(alert("a" * 600, kind=K.MANUAL), ChannelKind.SMS, "UTC").text
    assert manual.endswith("a" * 600)


def test_other_channels_get_the_whole_text_with_its_moment() -> None:
    words = words_of(alert(), ChannelKind.EMAIL, "Europe/Berlin")
    assert words.title == "First: position closed"
    assert words.text == "Sold ½ BTC at 1.10, +2.30 USDT\n2026-03-02 13:00:00 Europe/Berlin"


@given(st.sampled_from(ChannelKind), st.text(max_size=4_000), st.text(max_size=120))
def test_no_channel_gets_more_than_it_takes(kind: ChannelKind, text: str, title: str) -> None:
    words = words_of(alert(text, title=title), kind, "UTC")
    length = len(words.text) + (0 if kind is ChannelKind.SMS else len(words.title))
    assert length <= LONGEST[kind]


def test_a_digest_counts_kinds_and_tells_errors_first_then_the_newest() -> None:
    members = [waiting(number) for number in range(1, 4)]
    members.append(waiting(0, level=Level.ERROR, kind=K.BOT_FAULTED, title="Bot 0: bot faulted"))
    digest = digest_of(channel(), members, START + timedelta(hours=1), "UTC")
    assert digest.title == "4 alerts, 1 error"
    assert digest.text == (
        "3 position closed, 1 bot faulted\n"
        "12:00 Bot 0: bot faulted\n"
        "12:03 Bot 3: position closed\n"
        "12:02 Bot 2: position closed\n"
        "12:01 Bot 1: position closed"
    )
    assert (digest.level, digest.kind, digest.is_digest) == (Level.ERROR, K.POSITION_CLOSED, True)


@pytest.mark.parametrize("kind", list(ChannelKind))
def test_a_digest_of_many_says_how_many_it_leaves_out(kind: ChannelKind) -> None:
    members = [waiting(number, title="x" * 120) for number in range(300)]
    digest = digest_of(channel(kind=kind), members, START, "UTC")
    if kind is ChannelKind.SMS:
        assert size_of(digest.text).segments <= SMS_SEGMENTS
        assert digest.text.startswith("300 alerts: 300 position closed\n16:59 x")
        return
    assert len(digest.title) + len(digest.text) <= LONGEST[kind]
    told = digest.text.count("x" * 120)
    assert 1 < told <= MOST_LINES
    assert digest.text.endswith(f"\nand {300 - told} more: see the Alerts page")


def test_the_same_members_make_the_same_digest() -> None:
    assert digest_id(PHONE, ["b", "a"]) == digest_id(PHONE, ["a", "b"])
    assert digest_id(PHONE, ["a"]) != digest_id(PHONE, ["b"])
    assert digest_id(PHONE, ["a"]) != digest_id("ch-mail", ["a"])
