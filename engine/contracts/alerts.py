"""Alerts: channels and their forms, the matrix, the delivery log, price alerts.

No answer has a secret of a channel: they come in only, and are shown as set or not set.
"""

from decimal import Decimal
from typing import Annotated, Self

from pydantic import ConfigDict, Field, SecretStr, model_validator

from engine.contracts.base import Contract
from engine.contracts.thin import AlertRequest
from engine.domain.alerts import (
    AlertKind,
    AlertState,
    ChannelKind,
    CrossDirection,
    Delivery,
    DeliveryState,
    PriceAlert,
    QuietHours,
)
from engine.domain.bots import BotName
from engine.domain.money import UtcDatetime
from engine.domain.records import Level

# With the words of the domain that the panel speaks too: it imports nothing else of the engine.
__all__ = [
    "AlertFilter", "AlertKind", "AlertPage", "AlertRequest", "AlertState", "AlertView",
    "ChannelChanges", "ChannelFieldView", "ChannelFormView", "ChannelKind", "ChannelRequest",
    "ChannelSpend", "ChannelTest", "ChannelView", "CostView", "CrossDirection", "Delivery",
    "DeliveryFilter", "DeliveryPage", "DeliveryState", "DeliveryView", "KindView", "Level",
    "MatrixCell", "MatrixUpdate", "PreviewRequest", "PreviewView", "PriceAlert",
    "PriceAlertChanges", "PriceAlertRequest", "PriceAlertView", "QuietHours", "ToldBy",
]  # fmt: skip

MOST_CELLS = 2_000
MOST_BOTS = 1_000

FieldName = Annotated[str, Field(min_length=1, max_length=40)]
FieldValue = Annotated[SecretStr, Field(max_length=2_000)]
Fields = Annotated[dict[FieldName, FieldValue], Field(max_length=20)]
"""What the form of a channel gave. All of it is kept out of logs: a token may be in the wrong
row."""


class _Between(Contract):
    """A page of what lies between two times. ``since`` is inclusive, ``until`` exclusive."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: UtcDatetime | None = None
    until: UtcDatetime | None = None
    limit: int = Field(default=100, ge=1, le=1_000)
    offset: int = Field(default=0, ge=0, le=10_000_000)

    @model_validator(mode="after")
    def _since_before_until(self) -> Self:
        if self.since and self.until and self.since >= self.until:
            raise ValueError("since must be before until")
        return self


# --- alerts ---------------------------------------------------------------------------------------


class KindView(Contract):
    """A row of the matrix."""

    kind: AlertKind
    title: str
    group: str
    help: str


class AlertFilter(_Between):
    """Which alerts; an empty field does not narrow. ``level`` is the least that is shown, ``bot``
    an id or a name, ``search`` a case-insensitive part of title or text."""

    kind: AlertKind | None = None
    level: Level | None = None
    bot: str | None = Field(default=None, max_length=64)
    search: str = Field(default="", max_length=200)


class ToldBy(Contract):
    """How far an alert came through one channel."""

    delivery_id: str
    channel_id: str
    channel_name: str
    state: DeliveryState


class AlertView(Contract):
    """An alert with the channels that it went to. ``bot_name`` is empty when its bot is gone."""

    id: str
    kind: AlertKind
    kind_title: str
    level: Level
    time: UtcDatetime
    title: str
    text: str
    bot_id: str | None
    bot_name: str = ""
    state: AlertState
    told_by: tuple[ToldBy, ...] = ()


class AlertPage(Contract):
    """Alerts, newest first; ``count`` is how many match."""

    now: UtcDatetime
    items: tuple[AlertView, ...]
    count: int


# --- channels -------------------------------------------------------------------------------------


class ChannelFieldView(Contract):
    """A row of a channel's form. A secret is written and never shown again."""

    name: str
    title: str
    help: str
    default: str = ""
    is_secret: bool = False
    is_optional: bool = False
    options: tuple[str, ...] = ()


class ChannelFormView(Contract):
    """A kind of channel. ``kinds`` is what a new one tells unless it is told otherwise."""

    kind: ChannelKind
    title: str
    help: str
    fields: tuple[ChannelFieldView, ...]
    kinds: tuple[AlertKind, ...]


class ChannelTest(Contract):
    """What a provider said when it was asked (``verify``) or given a test message (``test``).

    ``answer`` is in its own words, ``error`` says what is wrong and what to do; ``state`` is what
    became of a test message, None after ``verify``; ``at`` is when it was sent.
    """

    channel_id: str
    channel_name: str
    is_ok: bool
    answer: str = ""
    error: str = ""
    state: DeliveryState | None = None
    delivery_id: str = ""
    segments: int = 0
    cost: Decimal | None = None
    at: UtcDatetime | None = None


class ChannelView(Contract):
    """A channel as it is shown. ``secrets`` names those that are set; ``trouble`` is why it cannot
    be used here, with what to do: a lost key, a field that no longer fits. ``waiting`` counts
    deliveries that are due or wait."""

    id: str
    name: str
    kind: ChannelKind
    kind_title: str
    settings: dict[str, str]
    secrets: tuple[str, ...]
    is_enabled: bool
    kinds: tuple[AlertKind, ...]
    bots: tuple[str, ...] = Field(description="ids; empty: it tells of all")
    quiet: QuietHours | None
    most_per_minute: int
    digest_above: int
    digest_window_s: int
    escalate_to: str = Field(description="a channel's id; empty: none")
    escalate_to_name: str = ""
    escalate_after_s: int
    segment_price: Decimal | None
    created_at: UtcDatetime
    updated_at: UtcDatetime
    trouble: str = ""
    waiting: int = 0
    last_sent_at: UtcDatetime | None = None
    last_error: str = Field(default="", description="of its newest try, if that failed")
    last_test: ChannelTest | None = Field(default=None, description="the newest test message")


class ChannelRequest(Contract):
    """A new channel. ``fields`` are those of its form, secrets among them; ``kinds`` None: what
    such a channel usually tells. ``bots`` are ids or names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: BotName
    kind: ChannelKind
    fields: Fields = Field(default_factory=dict)
    is_enabled: bool = True
    kinds: tuple[AlertKind, ...] | None = Field(default=None, max_length=len(AlertKind))
    bots: tuple[str, ...] = Field(default=(), max_length=MOST_BOTS)
    quiet: QuietHours | None = None
    most_per_minute: int = Field(default=6, ge=1, le=600)
    digest_above: int = Field(default=5, ge=1, le=1_000)
    digest_window_s: int = Field(default=60, ge=5, le=86_400)
    escalate_to: str = Field(default="", max_length=64, description="a channel's id or name")
    escalate_after_s: int = Field(default=300, ge=10, le=86_400)
    segment_price: Decimal | None = Field(
        default=None, ge=0, le=100, max_digits=12, description="of a segment, in US dollars"
    )


class ChannelChanges(Contract):
    """What is to be otherwise; what is not given stays. An empty secret keeps the one that is set;
    ``quiet`` and ``segment_price`` given as null are removed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: BotName | None = None
    fields: Fields = Field(default_factory=dict)
    is_enabled: bool | None = None
    kinds: tuple[AlertKind, ...] | None = Field(default=None, max_length=len(AlertKind))
    bots: tuple[str, ...] | None = Field(default=None, max_length=MOST_BOTS)
    quiet: QuietHours | None = None
    most_per_minute: int | None = Field(default=None, ge=1, le=600)
    digest_above: int | None = Field(default=None, ge=1, le=1_000)
    digest_window_s: int | None = Field(default=None, ge=5, le=86_400)
    escalate_to: str | None = Field(default=None, max_length=64)
    escalate_after_s: int | None = Field(default=None, ge=10, le=86_400)
    segment_price: Decimal | None = Field(default=None, ge=0, le=100, max_digits=12)


class MatrixCell(Contract):
    """Whether a channel tells a kind. ``channel`` empty: every channel; ``kind`` None: every
    kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channel: str = Field(default="", max_length=64, description="an id or a name")
    kind: AlertKind | None = None
    is_on: bool


class MatrixUpdate(Contract):
    """Cells, in their order: all of them are set, or none is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cells: tuple[MatrixCell, ...] = Field(min_length=1, max_length=MOST_CELLS)


# --- deliveries -----------------------------------------------------------------------------------


class DeliveryFilter(_Between):
    """Which deliveries; an empty field does not narrow. ``channel`` is an id or a name, also of
    one that is gone; ``search`` a case-insensitive part of title, text, answer or error."""

    state: DeliveryState | None = None
    channel: str | None = Field(default=None, max_length=64)
    kind: AlertKind | None = None
    search: str = Field(default="", max_length=200)


class DeliveryView(Delivery):
    """A line of the log. ``can_send_again``: a person may ask for it, as it is final and did not,
    or may not have, arrived."""

    bot_name: str = ""
    kind_title: str = ""
    can_send_again: bool = False


class ChannelSpend(Contract):
    """What went out through a channel, today and in this month (UTC). Costs in US dollars are
    sums of those that are known, None where none is."""

    channel_id: str
    channel_name: str
    channel_kind: ChannelKind
    sent_today: int = 0
    segments_today: int = 0
    cost_today: Decimal | None = None
    sent_month: int = 0
    segments_month: int = 0
    cost_month: Decimal | None = None


class DeliveryPage(Contract):
    """Deliveries, newest first; ``count`` is how many match. ``spent`` is of all channels."""

    now: UtcDatetime
    items: tuple[DeliveryView, ...]
    count: int
    spent: tuple[ChannelSpend, ...]


class PreviewRequest(Contract):
    """A text that might be sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(max_length=4_000)


class CostView(Contract):
    """What a text costs through one SMS channel; ``cost`` None: its price is not set."""

    channel_id: str
    channel_name: str
    recipients: int
    segments: int = Field(description="to all recipients together")
    cost: Decimal | None


class PreviewView(Contract):
    """How an SMS carries a text; ``text`` is what is sent of it, with time and title, cut where it
    is too long. ``encoding`` is GSM-7 or UCS-2."""

    text: str
    characters: int
    encoding: str
    segments: int
    costs: tuple[CostView, ...] = Field(description="of every SMS channel")


# --- price alerts ---------------------------------------------------------------------------------


class PriceAlertRequest(Contract):
    """A level to watch a symbol's last price for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    market: str = Field(default="simulated", min_length=1, max_length=500)
    symbol: str = Field(min_length=1, max_length=40)
    direction: CrossDirection
    price: Decimal = Field(gt=0, max_digits=30)
    note: str = Field(default="", max_length=200)
    is_repeating: bool = False


class PriceAlertChanges(Contract):
    """What is to be otherwise; what is not given stays. Any change arms it again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    direction: CrossDirection | None = None
    price: Decimal | None = Field(default=None, gt=0, max_digits=30)
    note: str | None = Field(default=None, max_length=200)
    is_repeating: bool | None = None
    is_enabled: bool | None = None


class PriceAlertView(PriceAlert):
    """A price alert. ``state``: ``armed``, ``fired`` or ``disabled``; ``quote`` is what its price
    is in, empty when the symbol is not known (yet)."""

    state: str
    quote: str = ""
