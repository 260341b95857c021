"""Right input for the form of every kind of channel, made from the forms themselves."""

from collections.abc import Mapping

from engine.domain.alerts import ChannelKind
from engine.domain.channel_forms import FORMS

SID = "AC" + "0123456789abcdef" * 2
TOKEN = "55555:" + "Telegram-token-of-a-test-" + "x" * 10

RIGHT: Mapping[ChannelKind, Mapping[str, str]] = {
    ChannelKind.SMS: {
        "account_sid": SID, "auth_token": "twilio-token-1", "sender": "+15005550006",
        "to": "+4915112345678, +4915112345679",
    },
    ChannelKind.TELEGRAM: {"token": TOKEN, "chat": "-100123"},
    ChannelKind.EMAIL: {
        "host": "127.0.0.1", "user": "me", "password": "mail-password-1",
        "sender": "quarterdeck@example.org", "to": "me@example.org",
    },
    ChannelKind.DISCORD: {"webhook": "https://discord.com/api/webhooks/1234567/Discord-hook-1"},
    ChannelKind.APPRISE: {"url": "ntfys://me:Apprise-password-1@ntfy.example.org/topic"},
}  # fmt: skip
"""By the kind of channel."""


def right_fields(kind: ChannelKind, **changes: str) -> dict[str, str]:
    """What the form of ``kind`` takes."""
    return {**RIGHT[kind], **changes}


def secrets_of(kind: ChannelKind) -> list[str]:
    """The names of its secret fields."""
    return [field.name for field in FORMS[kind].fields if field.is_secret]
