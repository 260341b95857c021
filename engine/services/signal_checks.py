"""What is asked of a delivery before its body is read: from where it comes, and who signed it."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Self

from standardwebhooks import Webhook

from engine.domain.signals import Signature
from engine.errors import SignalRefused

Network = IPv4Network | IPv6Network

ACCEPTED_TYPES = ("application/json", "text/plain")
TOLERANCE = timedelta(minutes=5)
"""Of Standard Webhooks: how far a timestamp may be from now, on either side."""

SIGNATURE_HEADER = "x-signature"
ID_HEADER, TIMESTAMP_HEADER = "webhook-id", "webhook-timestamp"
LONGEST_ID = 256


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came over HTTP. ``headers`` have lower-case names; ``body`` is None when it was too
    large to be read."""

    peer: str
    headers: Mapping[str, str]
    body: bytes | None

    @property
    def content_type(self) -> str:
        """Without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Proof:
    """What a signature vouches for, beside the body."""

    identity: str = ""
    sent_at: datetime | None = None


@dataclass(frozen=True)
class Addresses:
    """Who is trusted to tell who sends, and where TradingView's alerts come from."""

    trusted: tuple[Network, ...]
    tradingview: tuple[Network, ...]

    @classmethod
    def of(cls, trusted: tuple[str, ...], tradingview: tuple[str, ...]) -> Self:
        """From addresses and networks as text. Raises ValueError."""
        return cls(*(tuple(ip_network(one) for one in some) for some in (trusted, tradingview)))

    def sender(self, delivery: Delivery) -> str:
        """The address of the sender: the last one, from the engine's side, that is no trusted
        proxy's. What a stranger wrote into X-Forwarded-For does not count."""
        if not self.trusted:
            return delivery.peer
        hops = [hop.strip() for hop in delivery.headers.get("x-forwarded-for", "").split(",")]
        for hop in (delivery.peer, *reversed(hops)):
            if not hop:
                continue
            if not _is_within(hop, self.trusted):
                return hop
        return delivery.peer

    def is_tradingview(self, address: str) -> bool:
        """Whether it is one of TradingView's."""
        return _is_within(address, self.tradingview)

    def objection(self) -> str | None:
        """Why signals of TradingView alone cannot be told from others; None: they can."""
        if self.trusted:
            return None
        return (
            "This bot takes signals from TradingView's addresses only, and nobody is trusted to"
            " tell the engine who sends: set QUARTERDECK_TRUSTED_PROXIES to the address of your"
            " proxy or tunnel."
        )


def _is_within(address: str, networks: tuple[Network, ...]) -> bool:
    parsed = _parsed(address)
    return parsed is not None and any(parsed in network for network in networks)


@lru_cache(maxsize=256)
def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    """None for what is no address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    return parsed.ipv4_mapped or parsed if isinstance(parsed, IPv6Address) else parsed


def text_of(delivery: Delivery, most_bytes: int) -> str:
    """The body as text. Raises SignalRefused for one that is too large, of another type, or no
    text."""
    if delivery.body is None:
        raise SignalRefused("too_large", f"The body must not exceed {most_bytes} bytes.")
    if delivery.content_type not in ACCEPTED_TYPES:
        raise SignalRefused(
            "wrong_type", "The content type must be application/json or text/plain."
        )
    try:
        text = delivery.body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SignalRefused(
            "not_utf8", f"The body is not UTF-8: byte {error.start + 1} is no part of a letter."
        ) from error
    if not text.strip():
        raise SignalRefused("empty", "The body is empty: it has to say what is to be done.")
    return text


def check_signature(kind: Signature, secret: str, delivery: Delivery, now: datetime) -> Proof:
    """What the signature proves. Raises SignalRefused for one that is missing, wrong or stale."""
    body = delivery.body or b""
    if kind is Signature.HMAC:
        _check_hmac(secret, delivery.headers.get(SIGNATURE_HEADER, ""), body)
        return Proof()
    if kind is Signature.STANDARD:
        return _check_standard(secret, delivery.headers, body, now)
    return Proof()


def hmac_of(secret: str, body: bytes) -> str:
    """What ``X-Signature`` has to be: the hexadecimal HMAC-SHA256 of the body, keyed with the
    signing secret as it is shown."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _check_hmac(secret: str, given: str, body: bytes) -> None:
    if not given:
        raise SignalRefused(
            "unsigned", "The header X-Signature is missing: this bot takes signed signals only."
        )
    told = given.strip().lower().removeprefix("sha256=")
    if not hmac.compare_digest(told.encode("latin-1", "replace"), hmac_of(secret, body).encode()):
        raise SignalRefused(
            "wrong_signature",
            "X-Signature is not the hexadecimal HMAC-SHA256 of this body with the bot's secret.",
        )


def _check_standard(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Proof:
    identity = headers.get(ID_HEADER, "")
    if not identity or not headers.get("webhook-signature"):
        raise SignalRefused(
            "unsigned",
            "The headers webhook-id, webhook-timestamp and webhook-signature are needed: this bot"
            " takes signals signed as Standard Webhooks only.",
        )
    if len(identity) > LONGEST_ID:
        raise SignalRefused("unsigned", f"webhook-id must have at most {LONGEST_ID} characters.")
    sent_at = _told_time(headers.get(TIMESTAMP_HEADER, ""))
    if abs(now - sent_at) > TOLERANCE:
        raise SignalRefused(
            "stale",
            f"webhook-timestamp is {_distance(sent_at, now)}; at most"
            f" {TOLERANCE.total_seconds():.0f} s are taken. Look at the sender's clock.",
        )
    # The library's own verify goes by the machine's clock, not by the engine's.
    expected = Webhook(secret).sign(identity, sent_at, body.decode()).encode()
    told = headers["webhook-signature"].encode("latin-1", "replace").split()
    if not any(hmac.compare_digest(one, expected) for one in told):
        raise SignalRefused(
            "wrong_signature",
            "webhook-signature does not fit this id, timestamp and body with the bot's secret.",
        )
    return Proof(identity, sent_at)


def _told_time(text: str) -> datetime:
    if text.isascii() and text.isdecimal() and len(text) <= 12:
        return datetime.fromtimestamp(int(text), UTC)
    raise SignalRefused("unsigned", "webhook-timestamp must be the seconds since 1970 (UTC).")


def check_age(sent_at: datetime | None, now: datetime, max_lag_s: int) -> None:
    """Raises SignalRefused for what was sent longer than ``max_lag_s`` ago, or is yet to come."""
    if sent_at is None or -TOLERANCE <= now - sent_at <= timedelta(seconds=max_lag_s):
        return
    raise SignalRefused(
        "stale",
        f"The signal says that it was sent {_distance(sent_at, now)}; this bot takes none older"
        f" than {max_lag_s} s. Look at the sender's clock, or raise the bot's longest lag.",
    )


def _distance(sent_at: datetime, now: datetime) -> str:
    age_s = (now - sent_at).total_seconds()
    return f"{age_s:.0f} s ago" if age_s >= 0 else f"{-age_s:.0f} s from now"
