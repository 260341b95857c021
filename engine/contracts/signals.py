"""Signals from outside: what is asked about the inbox, and what is answered."""

from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from engine.contracts.base import Contract
from engine.domain.money import UtcDatetime
from engine.domain.signals import (
    Expected,
    QuantityKind,
    Signal,
    SignalAction,
    SignalConfig,
    SignalKind,
    SignalOrder,
    SignalSource,
    SignalState,
    Signature,
)

# With the words of the domain that the panel speaks too: it imports nothing else of the engine.
__all__ = [
    "MAX_SIGNAL_BYTES", "Expected", "QuantityKind", "ReplayRequest", "RotateRequest", "Signal",
    "SignalAction", "SignalAnswer", "SignalConfig", "SignalDetail", "SignalFilter", "SignalKind",
    "SignalLine", "SignalOrder", "SignalPage", "SignalSource", "SignalState", "Signature",
    "TestSignalRequest", "WebhookAddress", "WebhookSecrets", "WebhookView",
]  # fmt: skip

MAX_SIGNAL_BYTES = 65_536
"""The largest body that the inbox takes."""


class SignalFilter(Contract):
    """Which signals; an empty field does not narrow. Times are those of arrival.

    ``since`` is inclusive, ``until`` exclusive. ``bot`` is an id or a name; ``search`` a
    case-insensitive part of body, outcome or sender.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: SignalSource | None = None
    kind: SignalKind | None = None
    state: SignalState | None = None
    bot: str | None = Field(default=None, max_length=64)
    sender: str | None = Field(default=None, max_length=200)
    search: str = Field(default="", max_length=200)
    since: UtcDatetime | None = None
    until: UtcDatetime | None = None
    limit: int = Field(default=100, ge=1, le=1000)
    offset: int = Field(default=0, ge=0, le=10_000_000)

    @model_validator(mode="after")
    def _since_before_until(self) -> Self:
        if self.since and self.until and self.since >= self.until:
            raise ValueError("since must be before until")
        return self


class SignalLine(Contract):
    """A signal in the list: all but its body, of which ``excerpt`` is the beginning.

    ``bot_name`` is empty when it is nobody's, or its bot is gone. ``copies`` counts further
    deliveries of the same.
    """

    id: str
    source: SignalSource
    kind: SignalKind
    sender: str
    bot_id: str | None
    bot_name: str = ""
    state: SignalState
    outcome: str
    received_at: UtcDatetime
    sent_at: UtcDatetime | None
    acted_at: UtcDatetime | None
    order: SignalOrder | None
    decision_id: str
    order_ids: tuple[str, ...]
    copies: int
    replay_of: str
    excerpt: str


class SignalPage(Contract):
    """Signals, newest first; ``count`` is how many match."""

    now: UtcDatetime
    items: tuple[SignalLine, ...]
    count: int


class SignalDetail(Contract):
    """One signal with its raw body. ``replays`` are the ids of its replays, newest first;
    ``objection`` is why a replay needs ``force`` or cannot be had; None: nothing speaks against.
    """

    signal: Signal
    bot_name: str = ""
    replays: tuple[str, ...] = ()
    objection: str | None = None
    can_replay: bool = True


class ReplayRequest(Contract):
    """``force`` acts once more on what was acted on already."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    force: bool = False


class TestSignalRequest(Contract):
    """A body, as a sender would post it, for a bot (id or name)."""

    __test__ = False  # not a test case of pytest's

    model_config = ConfigDict(frozen=True, extra="forbid")

    bot: str = Field(min_length=1, max_length=64)
    body: str = Field(min_length=1, max_length=MAX_SIGNAL_BYTES)
    content_type: Literal["application/json", "text/plain"] = "application/json"


class SignalAnswer(Contract):
    """What a sender is told: the signal is kept under ``id``. ``is_copy``: it was here already."""

    id: str
    is_copy: bool = False
    message: str = ""


class WebhookAddress(Contract):
    """Where a bot's signals can be posted to.

    ``public``: as the world reaches it (setting ``inbox_public_url``). ``inbox``: the port that
    takes signals and nothing else. ``local``: the engine itself, for programs on this machine.
    """

    kind: Literal["public", "inbox", "local"]
    url: str


class WebhookView(Contract):
    """A bot's address, its key masked. ``is_open``: signals are taken. ``objection`` is why a
    signal would be refused as things are, with what to do; None: nothing."""

    bot_id: str
    bot_name: str
    is_open: bool
    addresses: tuple[WebhookAddress, ...] = ()
    config: SignalConfig | None = None
    created_at: UtcDatetime | None = None
    last_signal_at: UtcDatetime | None = None
    missed_since: UtcDatetime | None = None
    objection: str | None = None


class WebhookSecrets(Contract):
    """A bot's address with its key, and what signs its signals. Shown on request only; each
    showing is in the audit trail."""

    bot_id: str
    key: str = Field(repr=False)
    signing_secret: str = Field(repr=False)
    addresses: tuple[WebhookAddress, ...] = Field(repr=False)


class RotateRequest(Contract):
    """What is made anew; the old one ends at once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: bool = Field(default=True, description="a new address")
    secret: bool = Field(default=True, description="a new signing secret")

    @model_validator(mode="after")
    def _anything(self) -> Self:
        if not (self.key or self.secret):
            raise ValueError("choose the key, the secret or both")
        return self
