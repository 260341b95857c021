"""Alerts, channels and deliveries for the fake engine: one of a state each, or very many."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from engine.contracts.alerts import ChannelRequest, ChannelView
from engine.domain.alerts import (
    Alert,
    AlertKind,
    AlertState,
    Channel,
    ChannelKind,
    Delivery,
    DeliveryState,
)
from engine.domain.records import Level
from tests.fakes.services import FakeServices

TOKEN = "canary-auth-token"
SMS_FIELDS = {
    "account_sid": f"AC{'0' * 32}", "auth_token": TOKEN, "sender": "+15005550006",
    "to": "+15005550010, +15005550011",
}  # fmt: skip
MAIL_FIELDS = {"host": "smtp.example.org", "sender": "bot@example.org", "to": "me@example.org"}
LONG_NAME = "A channel whose name is as long as it may"

KINDS = tuple(AlertKind)
STATES = tuple(DeliveryState)
ERRORS = {
    DeliveryState.FAILED: "Twilio does not send to this number (21608): verify it first.",
    DeliveryState.UNCERTAIN: "Twilio did not answer in time; it may have arrived.",
}


def add_channel(services: FakeServices, name: str = "Phone", **given: Any) -> ChannelView:
    """An SMS channel, or what ``given`` says."""
    asked = {"name": name, "kind": ChannelKind.SMS, "fields": SMS_FIELDS} | given
    return services.channels.add(ChannelRequest.model_validate(asked), "test")


def add_delivery(
    services: FakeServices, channel: ChannelView | Channel, number: int = 0, **given: Any
) -> Delivery:
    """A delivery that was sent ``number`` minutes ago, or what ``given`` says."""
    at = services.now() - timedelta(minutes=number)
    is_sms = channel.kind is ChannelKind.SMS
    state = DeliveryState(given.get("state", DeliveryState.SENT))
    told: dict[str, Any] = {
        "id": f"a{number:05d}:{channel.id}", "alert_id": f"a{number:05d}",
        "channel_id": channel.id, "channel_name": channel.name, "channel_kind": channel.kind,
        "kind": KINDS[number % len(KINDS)], "level": Level.WARNING, "state": state,
        "title": f"Bot {number}: stop hit", "text": f"Sold at {number}.50.", "attempts": 1,
        "created_at": at, "due_at": at, "changed_at": at,
        "answer": "queued" if state is DeliveryState.SENT else "",
        "error": ERRORS.get(state, ""), "segments": int(is_sms),
        "cost": Decimal("0.0079") if is_sms else None,
        "sent_at": at if state is DeliveryState.SENT else None,
    }  # fmt: skip
    delivery = Delivery.model_validate(told | given)
    with services.fake_alerts.books.writing() as writing:
        writing.tx.deliveries.add(delivery)
    return delivery


def add_alert(services: FakeServices, number: int = 0, **given: Any) -> Alert:
    """An alert of ``number`` minutes ago."""
    told: dict[str, Any] = {
        "id": f"a{number:05d}", "kind": KINDS[number % len(KINDS)], "level": Level.WARNING,
        "time": services.now() - timedelta(minutes=number), "title": f"Bot {number}: stop hit",
        "text": f"Sold at {number}.50.", "state": AlertState.ROUTED,
    }  # fmt: skip
    alert = Alert.model_validate(told | given)
    with services.fake_alerts.books.writing() as writing:
        writing.tx.alerts.add(alert)
    return alert


def fill(services: FakeServices, channels: int = 20, deliveries: int = 200) -> None:
    """Very full."""
    added = [
        add_channel(services, f"{LONG_NAME[:37]}{number:02d}")
        if number % 2
        else add_channel(services, f"Mail {number}", kind=ChannelKind.EMAIL, fields=MAIL_FIELDS)
        for number in range(channels)
    ]
    for number in range(deliveries):
        add_alert(services, number)
        channel = added[number % channels]
        add_delivery(services, channel, number, state=STATES[number % len(STATES)])
