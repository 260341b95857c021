"""Who sends, who signed, and when: the sentences of what is refused before it is read."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from engine.domain.signals import Signature
from engine.errors import SignalRefused
from engine.services.signal_checks import (
    Addresses,
    Delivery,
    Proof,
    check_age,
    check_signature,
    hmac_of,
    text_of,
)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # the example of Standard Webhooks
BODY = b'{"action": "open"}'
NOW = datetime.now(UTC)


def delivery(peer: str = "203.0.113.9", body: bytes | None = BODY, **headers: str) -> Delivery:
    """Headers by their names with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Delivery(peer, {"content-type": "application/json"} | named, body)


def signed(
    headers: dict[str, str] | None = None, *, secret: str = SECRET, at: datetime = NOW,
    body: bytes = BODY,
) -> Delivery:  # fmt: skip
    """Signed as Standard Webhooks, by their own library; ``headers`` are put in the place of the
    right ones."""
    signature = Webhook(secret).sign("msg_1", at, body.decode())
    told = {"webhook-id": "msg_1", "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signature}  # fmt: skip
    return Delivery("203.0.113.9", told | (headers or {}), body)


def refusal_of(call: Any, *arguments: Any) -> tuple[str, str]:
    """The code and the sentence of a refusal."""
    with pytest.raises(SignalRefused) as caught:
        call(*arguments)
    return caught.value.code, caught.value.message


# --- addresses -----------------------------------------------------------------------------------

ADDRESSES = Addresses.of(("10.0.0.0/8", "127.0.0.1"), ("52.89.214.238",))


@pytest.mark.parametrize(
    ("peer", "forwarded", "sender"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "52.89.214.238", "203.0.113.9"),  # a stranger may write anything
        ("10.0.0.1", "52.89.214.238", "52.89.214.238"),
        ("::ffff:10.0.0.1", "52.89.214.238", "52.89.214.238"),
        ("10.0.0.1", "52.89.214.238, 203.0.113.9", "203.0.113.9"),  # the last one wrote the first
        ("10.0.0.1", "203.0.113.9, 52.89.214.238, 10.7.7.7", "52.89.214.238"),
        ("10.0.0.1", "52.89.214.238, nonsense", "nonsense"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.2, 127.0.0.1", "10.0.0.1"),
        ("10.0.0.1", " , ", "10.0.0.1"),
        ("", "", ""),
    ],
)
def test_the_sender_is_the_last_that_no_trusted_proxy_is(
    peer: str, forwarded: str, sender: str
) -> None:
    assert ADDRESSES.sender(delivery(peer, x_forwarded_for=forwarded)) == sender


@pytest.mark.parametrize(
    ("address", "is_theirs"),
    [("52.89.214.238", True), ("::ffff:52.89.214.238", True), ("52.89.214.239", False),
     ("nonsense", False), ("", False)],
)  # fmt: skip
def test_tradingviews_addresses_are_known(address: str, is_theirs: bool) -> None:
    assert ADDRESSES.is_tradingview(address) == is_theirs


def test_without_a_trusted_proxy_it_is_said_what_to_set() -> None:
    assert ADDRESSES.objection() is None
    objection = Addresses.of((), ("52.89.214.238",)).objection()
    assert objection is not None
    assert "QUARTERDECK_TRUSTED_PROXIES" in objection


# --- bodies --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"body": None}, "too_large", "65536 bytes"),
        ({"content_type": ""}, "wrong_type", "application/json or text/plain"),
        ({"content_type": "text/html"}, "wrong_type", "application/json or text/plain"),
        ({"body": b"buy \xff"}, "not_utf8", "byte 5"),
        ({"body": b" \n"}, "empty", "empty"),
    ],
)
def test_what_is_no_text_is_refused(changes: dict[str, Any], code: str, words: str) -> None:
    told, message = refusal_of(text_of, delivery(**changes), 65_536)
    assert told == code
    assert words in message


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Text/Plain"])
def test_a_content_type_may_have_parameters(content_type: str) -> None:
    assert text_of(delivery(content_type=content_type, body="ä".encode()), 10) == "ä"


# --- signatures ----------------------------------------------------------------------------------


def test_without_a_signature_nothing_is_proved() -> None:
    assert check_signature(Signature.NONE, "", delivery(), NOW) == Proof()


@pytest.mark.parametrize("form", ["{}", "sha256={}", " {} "])
def test_the_hmac_of_the_body_opens(form: str) -> None:
    header = form.format(hmac_of(SECRET, BODY))
    proof = check_signature(Signature.HMAC, SECRET, delivery(x_signature=header), NOW)
    assert proof == Proof()


def test_the_hmac_is_that_of_other_programs() -> None:
    # printf body | openssl dgst -sha256 -hmac secret
    assert hmac_of("secret", b"body") == (
        "dc46983557fea127b43af721467eb9b3fde2338fe3e14f51952aa8478c13d355"
    )


@pytest.mark.parametrize(
    ("header", "code"),
    [("", "unsigned"), ("0" * 64, "wrong_signature"), ("ä", "wrong_signature"),
     (hmac_of("another", BODY), "wrong_signature"), (hmac_of(SECRET, b"x"), "wrong_signature")],
)  # fmt: skip
def test_any_other_hmac_is_refused(header: str, code: str) -> None:
    told, message = refusal_of(
        check_signature, Signature.HMAC, SECRET, delivery(x_signature=header), NOW
    )
    assert told == code
    assert "X-Signature" in message
    assert SECRET not in message


def test_a_standard_webhook_proves_id_and_time() -> None:
    proof = check_signature(Signature.STANDARD, SECRET, signed(), NOW)
    assert proof == Proof("msg_1", NOW.replace(microsecond=0))


def test_the_example_of_the_standard_opens() -> None:
    """The vector of the specification, whose time is long past."""
    body = json.dumps({"test": 2432232314}).encode()
    sent_at = datetime.fromtimestamp(1614265330, UTC)
    signature = Webhook(SECRET).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", sent_at, body.decode())
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("age_s", [-200, 0, 200])
def test_some_minutes_on_either_side_are_taken(age_s: int) -> None:
    sent = signed(at=NOW - timedelta(seconds=age_s))
    assert check_signature(Signature.STANDARD, SECRET, sent, NOW).identity == "msg_1"


@pytest.mark.parametrize(("age_s", "words"), [(301, "301 s ago"), (-302, "302 s from now")])
def test_more_than_five_minutes_are_stale(age_s: int, words: str) -> None:
    whole = NOW.replace(microsecond=0)
    sent = signed(at=whole - timedelta(seconds=age_s))
    code, message = refusal_of(check_signature, Signature.STANDARD, SECRET, sent, whole)
    assert code == "stale"
    assert words in message


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"webhook-id": ""}, "unsigned"),
        ({"webhook-id": "x" * 257}, "unsigned"),
        ({"webhook-signature": ""}, "unsigned"),
        ({"webhook-timestamp": ""}, "unsigned"),
        ({"webhook-timestamp": "nan"}, "unsigned"),
        ({"webhook-timestamp": "9" * 40}, "unsigned"),
        ({"webhook-timestamp": "2026-01-01"}, "unsigned"),
        ({"webhook-id": "msg_2"}, "wrong_signature"),
        ({"webhook-timestamp": str(int(NOW.timestamp()) - 1)}, "wrong_signature"),
        ({"webhook-signature": "v1"}, "wrong_signature"),
        ({"webhook-signature": "v1,%%%"}, "wrong_signature"),
        ({"webhook-signature": "v1,,,"}, "wrong_signature"),
        ({"webhook-signature": "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
         "wrong_signature"),
    ],
)  # fmt: skip
def test_any_other_standard_webhook_is_refused(headers: dict[str, str], code: str) -> None:
    told, message = refusal_of(check_signature, Signature.STANDARD, SECRET, signed(headers), NOW)
    assert told == code
    assert "webhook-" in message


def test_another_body_or_secret_is_refused() -> None:
    other = "whsec_" + "A" * 32
    changed = Delivery("", signed().headers, b'{"action": "flat"}')
    for sent in (signed(secret=other), changed):
        code, _ = refusal_of(check_signature, Signature.STANDARD, SECRET, sent, NOW)
        assert code == "wrong_signature"


# --- age -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("age_s", [None, 0, 60, -300])
def test_what_is_not_too_old_is_taken(age_s: int | None) -> None:
    check_age(None if age_s is None else NOW - timedelta(seconds=age_s), NOW, 60)


@pytest.mark.parametrize(("age_s", "words"), [(61, "61 s ago"), (-301, "301 s from now")])
def test_what_is_too_old_is_refused(age_s: int, words: str) -> None:
    code, message = refusal_of(check_age, NOW - timedelta(seconds=age_s), NOW, 60)
    assert code == "stale"
    assert words in message
