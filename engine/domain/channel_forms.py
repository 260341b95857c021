"""What each kind of channel needs to be known of it: the rows of its form, and what checks them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from engine.domain.alerts import ChannelKind

PHONE = r"\+[1-9]\d{6,14}"
HOST = r"[A-Za-z0-9.\-]{1,253}"
ADDRESS = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~\-]+@[A-Za-z0-9](?:[A-Za-z0-9.\-]*[A-Za-z0-9])?"
PORT = r"[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5]"
WEBHOOK = (
    r"(https://((ptb|canary)\.)?discord(app)?\.com|http://(127\.0\.0\.1|localhost)(:\d+)?)"
    r"/api/(v\d+/)?webhooks/\d+/[\w\-]+"
)


class FieldError(ValueError):
    """A field of a form cannot be used; ``field`` is its name."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class ChannelField:
    """A row of a form. ``pattern`` must match all of a value; ``options`` are the only ones."""

    name: str
    title: str
    help: str
    pattern: str = r".{1,300}"
    default: str = ""
    is_secret: bool = False
    is_optional: bool = False
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class ChannelForm:
    """A kind of channel."""

    kind: ChannelKind
    title: str
    help: str
    fields: tuple[ChannelField, ...]


FORMS: Mapping[ChannelKind, ChannelForm] = {
    form.kind: form
    for form in (
        ChannelForm(
            ChannelKind.SMS, "SMS by Twilio", "SID and token are on console.twilio.com.",
            (
                ChannelField("account_sid", "Account SID", "AC and 32 letters",
                             r"AC[0-9a-fA-F]{32}"),
                ChannelField("auth_token", "Auth token", "of the account", r"\S{8,100}",
                             is_secret=True),
                ChannelField("sender", "From", "a number of the account, +15005550006, or the SID "
                             "of a messaging service, MG…", rf"{PHONE}|MG[0-9a-fA-F]{{32}}"),
                ChannelField("to", "To", "numbers with their country's code, between commas",
                             rf"{PHONE}(\s*,\s*{PHONE}){{0,9}}"),
            ),
        ),
        ChannelForm(
            ChannelKind.TELEGRAM, "Telegram", "Make a bot with @BotFather, then write to it once.",
            (
                ChannelField("token", "Bot token", "from @BotFather", r"\d{5,15}:[\w\-]{30,60}",
                             is_secret=True),
                ChannelField("chat", "Chat", "number of a chat, or @name of a channel",
                             r"-?\d{1,20}|@\w{4,40}"),
                ChannelField("commands", "Commands", "whether this chat may ask, and command"
                             " the engine", default="no", options=("no", "read", "trade")),
                ChannelField("users", "Users", "numbers of those whose commands count, "
                             "between commas; empty: all", r"\d{1,20}(\s*,\s*\d{1,20})*",
                             is_optional=True),
            ),
        ),
        ChannelForm(
            ChannelKind.EMAIL, "Email", "By any SMTP server, over TLS.",
            (
                ChannelField("host", "Server", "smtp.example.org", HOST),
                ChannelField("port", "Port", "587 with STARTTLS, 465 with TLS", PORT, "587"),
                ChannelField("security", "Security", "none is for a server on this machine only",
                             default="starttls", options=("starttls", "tls", "none")),
                ChannelField("user", "User", "where the server wants one", is_optional=True),
                ChannelField("password", "Password", "often one made for this program",
                             is_secret=True, is_optional=True),
                ChannelField("sender", "From", "quarterdeck@example.org", ADDRESS),
                ChannelField("to", "To", "addresses, between commas",
                             rf"{ADDRESS}(\s*,\s*{ADDRESS}){{0,9}}"),
                ChannelField("ca_file", "Authority", "file with the certificate (PEM) of a server "
                             "of your own, on the engine's machine", is_optional=True),
            ),
        ),
        ChannelForm(
            ChannelKind.DISCORD, "Discord", "Server settings, Integrations, Webhooks.",
            (
                ChannelField("webhook", "Webhook URL", "https://discord.com/api/webhooks/…",
                             WEBHOOK, is_secret=True),
                ChannelField("username", "Name", "under which it writes", r".{1,80}", "Quarterdeck",
                             is_optional=True),
            ),
        ),
        ChannelForm(
            ChannelKind.APPRISE, "Another service (Apprise)", "More than a hundred services: "
            "github.com/caronc/apprise/wiki tells how each is written as a URL.",
            (
                ChannelField("url", "Apprise URL", "as in pover://user@token or ntfy://topic",
                             r"[a-zA-Z0-9]{2,30}s?://\S{1,1000}", is_secret=True),
            ),
        ),
    )
}  # fmt: skip


def checked_fields(
    kind: ChannelKind, given: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Settings and secrets of what a form gave, trimmed, defaults filled in.

    Raises FieldError naming the field that is unknown, missing or wrong; never with its value
    when it is a secret.
    """
    fields = {one.name: one for one in FORMS[kind].fields}
    for name in given:
        if name not in fields:
            raise FieldError(f"{FORMS[kind].title} has no field '{name}'.", name)
    settings: dict[str, str] = {}
    secrets: dict[str, str] = {}
    for name, field in fields.items():
        value = given.get(name, "").strip() or field.default
        if not value and not field.is_optional:
            raise FieldError(f"{field.title} is missing: {field.help}.", name)
        if value and field.options and value not in field.options:
            raise FieldError(f"{field.title} is one of {', '.join(field.options)}.", name)
        if value and not field.options and not re.fullmatch(field.pattern, value):
            shown = "" if field.is_secret else f" '{value[:60]}'"
            raise FieldError(f"{field.title}{shown} cannot be used: {field.help}.", name)
        (secrets if field.is_secret else settings)[name] = value
    return settings, secrets


def listed(value: str) -> tuple[str, ...]:
    """The parts of a field that takes several, each once, in order."""
    parts = (part.strip() for part in value.split(","))
    return tuple(dict.fromkeys(part for part in parts if part))
