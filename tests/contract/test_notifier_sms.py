"""SMS: several numbers, what is found and what is not, trial accounts, costs."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from engine.adapters.notify.registry import NotifierRegistry
from engine.domain.alerts import ChannelKind
from engine.errors import ChannelBusy, ChannelRefused, ChannelUnsure
from engine.ports.notify import Notifier
from tests.contract.notifiers import message
from tests.fakes.twilio_server import PHONE, SENDER, SERVICE, TwilioServer, settings, twilio_server

OTHER, THIRD = "+4915187654321", "+4366412345678"


@pytest.fixture
def twilio() -> Iterator[TwilioServer]:
    with twilio_server() as server:
        yield server


def notifier(twilio: TwilioServer, **changes: str) -> Notifier:
    registry = NotifierRegistry(twilio_url=twilio.url, timeout_s=30)
    return registry.make(ChannelKind.SMS, settings(**changes), {})


def sent_to(twilio: TwilioServer) -> list[str]:
    return [number for number, _ in twilio.texts]


# --- several numbers


def test_each_number_gets_it_once(twilio: TwilioServer) -> None:
    receipt = notifier(twilio, to=f"{PHONE}, {OTHER},{PHONE}").send(message())
    assert sent_to(twilio) == [PHONE, OTHER]
    assert receipt.provider_id.split(",") == [one["sid"] for one in twilio.messages]
    assert receipt.segments == 2


def test_a_wrong_number_keeps_the_others_from_nothing_and_is_told(twilio: TwilioServer) -> None:
    twilio.wrong.append(PHONE)
    with pytest.raises(ChannelRefused) as caught:
        notifier(twilio, to=f"{PHONE},{OTHER}").send(message())
    assert PHONE in caught.value.message
    assert f"Sent to {OTHER}." in caught.value.message
    assert sent_to(twilio) == [OTHER]


@pytest.mark.parametrize("fault", ["rate_limited", "cut_after_accept", "cut"])
def test_what_got_through_to_some_is_not_sent_to_them_again(
    twilio: TwilioServer, fault: str
) -> None:
    twilio.faults = [("", ""), (fault, "")]
    three = notifier(twilio, to=f"{PHONE},{OTHER},{THIRD}")
    with pytest.raises((ChannelBusy, ChannelUnsure)):
        three.send(message(is_first=True))
    assert three.find(message()) is None
    receipt = three.send(message())
    assert sent_to(twilio) == [PHONE, OTHER, THIRD]
    assert three.find(message()) == receipt


def test_an_account_that_is_refused_is_asked_once(twilio: TwilioServer) -> None:
    twilio.fail("suspended")
    with pytest.raises(ChannelRefused, match="not active"):
        notifier(twilio, to=f"{PHONE},{OTHER}").send(message(is_first=True))
    assert len(twilio.requests) == 1


# --- finding


@pytest.mark.parametrize("fault", ["cut_after_accept", "garbage"])
def test_what_was_taken_without_a_word_is_found_and_sent_no_more(
    twilio: TwilioServer, fault: str
) -> None:
    one = notifier(twilio)
    twilio.fail(fault)
    with pytest.raises(ChannelUnsure):
        one.send(message())
    found = one.find(message())
    assert found is not None
    assert found.provider_id == twilio.messages[0]["sid"]
    assert one.send(message()) == found
    assert len(twilio.messages) == 1


def test_what_was_not_taken_is_not_found_and_may_be_sent(twilio: TwilioServer) -> None:
    one = notifier(twilio)
    twilio.fail("cut")
    with pytest.raises(ChannelUnsure):
        one.send(message())
    assert one.find(message()) is None
    one.send(message())
    assert len(twilio.messages) == 1


def test_of_two_with_the_same_words_each_is_found_as_itself(twilio: TwilioServer) -> None:
    one, first, second = notifier(twilio), message(), message(reference="e2:c1")
    receipt = one.send(replace(first, is_first=True))
    others = frozenset({receipt.provider_id})
    assert one.find(replace(second, others=others)) is None, "the first was taken for the second"
    one.send(replace(second, others=others))
    assert len(twilio.messages) == 2
    found = one.find(replace(second, others=others))
    assert found is not None
    assert found.provider_id == twilio.messages[1]["sid"]


def test_of_two_with_the_same_words_to_several_too(twilio: TwilioServer) -> None:
    one, second = notifier(twilio, to=f"{PHONE},{OTHER}"), message(reference="e2:c1")
    receipt = one.send(message(is_first=True))
    assert one.find(replace(second, others=frozenset({receipt.provider_id}))) is None
    assert one.find(second) is not None


@pytest.mark.parametrize(
    "changes", [{"text": "Other words."}, {"written_at": datetime.now(UTC) + timedelta(hours=1)}]
)
def test_other_words_and_older_messages_are_not_it(
    twilio: TwilioServer, changes: dict[str, Any]
) -> None:
    one = notifier(twilio)
    one.send(message())
    assert one.find(message(**changes)) is None


def test_it_is_found_on_a_later_page(twilio: TwilioServer) -> None:
    one = notifier(twilio)
    one.send(message())
    for number in range(60):
        twilio.messages.append(twilio.messages[0] | {"sid": f"SMx{number}", "body": str(number)})
    found = one.find(message())
    assert found is not None
    assert found.provider_id == twilio.messages[0]["sid"]
    reads = [asked for asked in twilio.requests if asked.method == "GET"]
    assert [asked.query.get("Page", "0") for asked in reads[-2:]] == ["0", "1"]


def test_the_list_is_read_no_further_back_than_it_can_be(twilio: TwilioServer) -> None:
    one = notifier(twilio)
    one.send(message())
    old = twilio.messages[0] | {"date_created": "Sun, 01 Feb 2026 00:00:00 +0000", "body": "old"}
    twilio.messages[:0] = [old | {"sid": f"SMx{number}"} for number in range(300)]
    twilio.requests.clear()
    assert one.find(message()) is not None
    assert len(twilio.requests) == 1


def test_what_twilio_could_not_deliver_is_told(twilio: TwilioServer) -> None:
    one = notifier(twilio, to=f"{PHONE},{OTHER}")
    one.send(message())
    twilio.messages[0] |= {"status": "undelivered", "error_code": 30003}
    with pytest.raises(ChannelRefused) as caught:
        one.find(message())
    assert f"{PHONE} could not be reached" in caught.value.message
    assert f"Sent to {OTHER}." in caught.value.message


@pytest.mark.parametrize("fault", ["down", "broken", "cut", "garbage"])
def test_a_list_that_cannot_be_read_is_no_empty_list(
    twilio: TwilioServer, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = notifier(twilio)
    monkeypatch.setattr(twilio, "sends", lambda _asked: True)
    twilio.fail(fault)
    with pytest.raises(ChannelBusy):
        one.find(message())
    twilio.fail(fault)
    with pytest.raises(ChannelBusy):
        one.send(message())
    assert not twilio.messages, "it was sent without knowing"


# --- the account


def test_a_trial_account_is_told_apart(twilio: TwilioServer) -> None:
    twilio.is_trial = True
    one = notifier(twilio)
    with pytest.raises(ChannelRefused, match="Verified Caller IDs"):
        one.verify()
    with pytest.raises(ChannelRefused, match="is not verified"):
        one.send(message())
    twilio.verified.append(PHONE)
    assert "a trial account" in one.verify()
    receipt = one.send(message())
    assert twilio.texts[0][1].startswith("Sent from your Twilio trial account - ")
    assert one.find(message()) == receipt


def test_verifying_tells_the_balance(twilio: TwilioServer) -> None:
    assert "14.50 USD" in notifier(twilio).verify()


@pytest.mark.parametrize(
    ("sender", "words"),
    [("+15005550001", "not a number of this account"), (SERVICE[:-1] + "9", "messaging service")],
)
def test_a_sender_of_somebody_else_is_seen_without_sending(
    twilio: TwilioServer, sender: str, words: str
) -> None:
    with pytest.raises(ChannelRefused, match=words) as caught:
        notifier(twilio, sender=sender).verify()
    assert caught.value.field == "sender"


def test_the_environment_does_not_say_where_twilio_is(
    twilio: TwilioServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"TWILIO_EDGE": "dublin", "TWILIO_REGION": "ie1"}.items():
        monkeypatch.setenv(name, value)
    assert SERVICE in notifier(twilio, sender=SERVICE).verify()
    notifier(twilio).send(message())
    assert len(twilio.messages) == 1


def test_a_messaging_service_sends_too(twilio: TwilioServer) -> None:
    one = notifier(twilio, sender=SERVICE)
    assert SERVICE in one.verify()
    receipt = one.send(message())
    assert receipt.segments == 0, "Twilio counts them once it has chosen a number"
    assert twilio.messages[0]["messaging_service_sid"] == SERVICE


def test_an_account_that_is_closed_is_seen_without_sending(twilio: TwilioServer) -> None:
    twilio.status = "suspended"
    with pytest.raises(ChannelRefused, match="not active"):
        notifier(twilio).verify()


@pytest.mark.parametrize(
    ("text", "segments"), [("Sold.", 1), ("Sold. " * 30, 2), ("🚀" * 36, 2), ("Größe €" * 22, 2)]
)
def test_segments_and_cost_are_twilios(twilio: TwilioServer, text: str, segments: int) -> None:
    assert notifier(twilio).send(message(text, title="", is_first=True)).cost is None
    twilio.price = "0.0075"
    receipt = notifier(twilio).send(message(text, title="", is_first=True))
    assert receipt.segments == segments
    assert receipt.cost == Decimal("0.00750") * segments
    assert twilio.messages[0]["from"] == SENDER
