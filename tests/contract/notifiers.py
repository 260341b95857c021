"""Every kind of channel with its provider on the loopback: what the contract is tested on."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from engine.adapters.notify.registry import NotifierRegistry
from engine.domain.alerts import ChannelKind
from engine.domain.records import Level
from engine.errors import ChannelBusy, ChannelError, ChannelRefused, ChannelUnsure
from engine.ports.notify import Message, Notifier
from tests.fakes import hook_server, mail_server, telegram_server, twilio_server
from tests.fakes.discord_server import TOKEN as DISCORD_TOKEN
from tests.fakes.discord_server import discord_server

PATIENT_S = 30.0
"""For what is answered: no busy machine is as slow as that."""
HASTY_S = 0.4
"""For what is never answered."""
CLOSED_PORT = 9
NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Case:
    """What goes wrong, and what is to be said of it: in our words, and in the provider's."""

    fault: str
    value: str
    error: type[ChannelError]
    words: str
    answer: str = ""


@dataclass
class Subject:
    """One kind of channel and its provider. ``texts`` are what people have got."""

    kind: ChannelKind
    provider: Any
    fields: Mapping[str, str]
    texts: Callable[[], list[str]]
    attempts: Callable[[], int]
    secrets: tuple[str, ...]
    registry: Callable[[float], NotifierRegistry]
    away: tuple[Mapping[str, str], str]
    """Fields and address of a provider that is not there."""
    wrong: Mapping[str, str]
    """Fields of credentials that the provider does not know."""

    def notifier(self, timeout_s: float = PATIENT_S, changes: Mapping[str, str] = NONE) -> Notifier:
        """For this provider."""
        return self.registry(timeout_s).make(self.kind, {**self.fields, **changes}, {})

    def far_away(self) -> Notifier:
        """For a provider that cannot be reached."""
        changes, url = self.away
        registry = NotifierRegistry(twilio_url=url, telegram_url=url, timeout_s=PATIENT_S)
        return registry.make(self.kind, {**self.fields, **changes}, {})


def message(text: str = "Bought 0.5 BTC at 64 000 USDT.", **changes: Any) -> Message:
    """An alert."""
    given: dict[str, Any] = {"reference": "e1:c1", "title": "Grid opened a position", "text": text,
             "level": Level.INFO, "written_at": datetime.now(UTC)}  # fmt: skip
    return Message(**(given | changes))


@contextmanager
def sms(_folder: Path) -> Iterator[Subject]:
    """Twilio."""
    with twilio_server.twilio_server() as server:
        yield Subject(
            ChannelKind.SMS, server, twilio_server.settings(),
            texts=lambda: [text for _, text in server.texts],
            attempts=lambda: sum(one.method == "POST" for one in server.requests),
            secrets=(twilio_server.TOKEN,),
            registry=lambda wait_s: NotifierRegistry(twilio_url=server.url, timeout_s=wait_s),
            away=({}, f"http://127.0.0.1:{CLOSED_PORT}"),
            wrong={"auth_token": "a-token-that-is-wrong"},
        )  # fmt: skip


@contextmanager
def telegram(_folder: Path) -> Iterator[Subject]:
    """A bot and its chat."""
    with telegram_server.telegram_server() as server:
        yield Subject(
            ChannelKind.TELEGRAM, server, telegram_server.settings(),
            texts=lambda: [text for _, text in server.texts],
            attempts=lambda: sum(server.sends(one) for one in server.requests),
            secrets=(telegram_server.TOKEN, telegram_server.TOKEN.partition(":")[2]),
            registry=lambda wait_s: NotifierRegistry(telegram_url=server.url, timeout_s=wait_s),
            away=({}, f"http://127.0.0.1:{CLOSED_PORT}"),
            wrong={"token": "987654321:a-token-that-is-wrong-wrong-wrong-wrong"},
        )  # fmt: skip


@contextmanager
def email(folder: Path) -> Iterator[Subject]:
    """A mail server with STARTTLS and a user."""
    with mail_server.mail_server(folder) as server:
        yield Subject(
            ChannelKind.EMAIL, server, server.settings(),
            texts=lambda: [f"{one['Subject']}\n{one.get_content()}" for one in server.mails],
            attempts=lambda: server.begun, secrets=(mail_server.PASSWORD,),
            registry=lambda wait_s: NotifierRegistry(timeout_s=wait_s),
            away=({"port": str(CLOSED_PORT)}, ""),
            wrong={"password": "a-password-that-is-wrong"},
        )  # fmt: skip


@contextmanager
def discord(_folder: Path) -> Iterator[Subject]:
    """A webhook."""
    far = f"http://127.0.0.1:{CLOSED_PORT}/api/webhooks/1/{DISCORD_TOKEN}"
    with discord_server() as server:
        yield Subject(
            ChannelKind.DISCORD, server, {"webhook": server.webhook}, texts=lambda: server.texts,
            attempts=lambda: sum(one.method == "POST" for one in server.requests),
            secrets=(DISCORD_TOKEN,), registry=lambda wait_s: NotifierRegistry(timeout_s=wait_s),
            away=({"webhook": far}, ""),
            wrong={"webhook": f"{server.webhook}-wrong"},
        )  # fmt: skip


@contextmanager
def apprise(_folder: Path) -> Iterator[Subject]:
    """A service of Apprise's."""
    with hook_server.hook_server() as server:
        yield Subject(
            ChannelKind.APPRISE, server, {"url": server.apprise_url}, texts=lambda: server.texts,
            attempts=lambda: sum(one.method == "POST" for one in server.requests),
            secrets=(hook_server.TOKEN,),
            registry=lambda wait_s: NotifierRegistry(timeout_s=wait_s),
            away=({"url": f"json://127.0.0.1:{CLOSED_PORT}/{hook_server.TOKEN}"}, ""),
            wrong={"url": f"{server.apprise_url}-wrong"},
        )  # fmt: skip


SUBJECTS = {
    ChannelKind.SMS: sms,
    ChannelKind.TELEGRAM: telegram,
    ChannelKind.EMAIL: email,
    ChannelKind.DISCORD: discord,
    ChannelKind.APPRISE: apprise,
}
R, B, U = ChannelRefused, ChannelBusy, ChannelUnsure
CASES: Mapping[ChannelKind, tuple[Case, ...]] = {
    ChannelKind.SMS: (
        Case("error", "21211", R, "is no valid number", "error 21211"),
        Case("error", "21608", R, "Verified Caller IDs", "error 21608"),
        Case("error", "21610", R, "must text START", "error 21610"),
        Case("error", "21408", R, "Geo permissions", "error 21408"),
        Case("error", "21614", R, "no mobile number", "error 21614"),
        Case("error", "21606", R, "one of the account's that can", "error 21606"),
        Case("error", "21659", R, "one of the account's own", "error 21659"),
        Case("error", "21617", R, "twilio.com/docs/api/errors/21617", "error 21617"),
        Case("error", "29999", R, "twilio.com/docs/api/errors/29999", "error 29999"),
        Case("suspended", "", R, "not active", "error 20005"),
        Case("rate_limited", "7", B, "asks for a pause", "429"),
        Case("queue_full", "", B, "asks for a pause", "error 21611"),
        Case("down", "", B, "nothing was sent", "503"),
        Case("broken", "", U, "may have taken it", "500"),
        Case("cut", "", U, "the connection was cut"),
    ),
    ChannelKind.TELEGRAM: (
        Case("wrong_number", "", R, "write to the bot once", "chat not found"),
        Case("blocked", "", R, "unblock it", "blocked by the user"),
        Case("kicked", "", R, "add it again", "kicked"),
        Case("too_long", "", R, "too long", "message is too long"),
        Case("migrated", "-100123", R, "-100123", "upgraded"),
        Case("unknown", "", R, "nobody has heard of", "400"),
        Case("rate_limited", "7", B, "asks for a pause", "retry after 7"),
        Case("down", "", B, "nothing was sent", "503"),
        Case("broken", "", U, "may have taken it", "500"),
        Case("bad_gateway", "", U, "may have taken it", "502"),
        Case("cut", "", U, "the connection was cut"),
    ),
    ChannelKind.EMAIL: (
        Case("wrong_password", "", R, "app password", "535 5.7.8"),
        Case("app_password", "", R, "make an app password", "534 5.7.9"),
        Case("wrong_sender", "", R, "one of the user's own", "553 5.7.1"),
        Case("wrong_number", "", R, "correct or remove them", "550 5.1.1"),
        Case("spam", "", R, "refuses the mail itself", "554 5.7.1"),
        Case("greylisted", "", B, "try later", "450 4.2.0"),
        Case("full", "", B, "try later", "452 4.2.2"),
        Case("down", "", B, "try later", "421 4.3.2"),
        Case("cut", "", B, "Nothing was sent"),
    ),
    ChannelKind.DISCORD: (
        Case("wrong_form", "", R, "the message's form", "50035"),
        Case("moved", "", R, "has moved"),
        Case("rate_limited", "7", B, "for this webhook", "rate limited"),
        Case("rate_limited_everywhere", "7", B, "from this machine's address", "rate limited"),
        Case("down", "", B, "nothing was sent", "503"),
        Case("broken", "", U, "may have taken it", "500"),
        Case("bad_gateway", "", U, "may have taken it", "502"),
        Case("cut", "", U, "the connection was cut"),
    ),
    ChannelKind.APPRISE: (
        Case("refused", "", R, "Check the parts of the URL", "error=403"),
        Case("moved", "", R, "Check the parts of the URL", "error=301"),
        Case("rate_limited", "7", B, "try later", "slow down"),
        Case("down", "", B, "Nothing was sent", "error=503"),
        Case("broken", "", U, "may have arrived", "error=500"),
        Case("cut", "", U, "may have arrived", "Connection aborted"),
    ),
}
