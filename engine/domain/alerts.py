"""Alerts: what is worth telling a person, through which channels, and what became of it."""

from collections.abc import Mapping
from datetime import time
from decimal import Decimal
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator

from engine.domain.bots import BotName
from engine.domain.money import UtcDatetime
from engine.domain.records import Event, Level

MOST_TITLE = 120
MOST_TEXT = 4_000
DIGEST_PREFIX = "digest-"


class AlertKind(StrEnum):
    """What an alert is about: a row of the matrix on the Alerts page."""

    BOT_STARTED = "bot_started"
    BOT_STOPPED = "bot_stopped"
    BOT_FAULTED = "bot_faulted"
    BOT_SLEEPING = "bot_sleeping"
    POSITION_OPENED = "position_opened"
    POSITION_CLOSED = "position_closed"
    STOP_HIT = "stop_hit"
    TARGET_HIT = "target_hit"
    ORDER_REJECTED = "order_rejected"
    ORDER_UNKNOWN = "order_unknown"
    UNPROTECTED = "unprotected"
    DAILY_LOSS = "daily_loss"
    DRAWDOWN = "drawdown"
    CONTROL = "control"
    MISMATCH = "mismatch"
    ACCOUNT_TROUBLE = "account_trouble"
    SIGNAL_MISSING = "signal_missing"
    AI_UNAVAILABLE = "ai_unavailable"
    ENGINE_STARTED = "engine_started"
    ENGINE_DOWN = "engine_down"
    LOGIN_FAILURES = "login_failures"
    BACKUP_FAILED = "backup_failed"
    CHANNEL_FAILED = "channel_failed"
    PRICE = "price"
    MANUAL = "manual"
    SUMMARY_6H = "summary_6h"
    SUMMARY_DAILY = "summary_daily"
    SUMMARY_WEEKLY = "summary_weekly"


class AlertState(StrEnum):
    """``NEW``: no channel was chosen yet; ``ROUTED``: its deliveries are written, if any."""

    NEW = "new"
    ROUTED = "routed"


class Alert(BaseModel):
    """One thing to tell. It is written with the event it is of, in one transaction, so that
    neither is without the other; ``id`` is that event's."""

    model_config = ConfigDict(frozen=True)

    id: str
    kind: AlertKind
    level: Level
    time: UtcDatetime = Field(description="when it happened")
    title: str = Field(max_length=MOST_TITLE, description="one line, with the bot's name")
    text: str = Field(max_length=MOST_TEXT)
    bot_id: str | None = None
    data: Mapping[str, Any] = Field(default_factory=dict, description="the event's facts")
    state: AlertState = AlertState.NEW

    @classmethod
    def of(cls, event: Event, kind: AlertKind, title: str) -> "Alert":
        """Of an event, whose message is its text."""
        return cls(
            id=event.id, kind=kind, level=event.level, time=event.time, title=title[:MOST_TITLE],
            text=event.message[:MOST_TEXT], bot_id=event.bot_id, data=event.data,
        )  # fmt: skip


class ChannelKind(StrEnum):
    """The ways to a person."""

    SMS = "sms"
    TELEGRAM = "telegram"
    EMAIL = "email"
    DISCORD = "discord"
    APPRISE = "apprise"


class QuietHours(BaseModel):
    """When a channel is silent: from ``start`` to ``end``, over midnight when that is earlier.

    What comes meanwhile waits for the end. ``lets_errors``: what is of level error goes at once.
    """

    model_config = ConfigDict(frozen=True)

    start: time
    end: time
    zone: str = Field(default="UTC", description="as in Europe/Berlin")
    lets_errors: bool = True

    @field_validator("zone")
    @classmethod
    def _is_known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"'{zone}' is no time zone such as Europe/Berlin") from error
        return zone


class Channel(BaseModel):
    """A way to a person, with the column of the matrix that is its own.

    ``settings`` and ``sealed`` are the fields of its kind (``domain.channel_forms``): the latter
    are ciphertext that only the engine's key opens.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    name: BotName
    kind: ChannelKind
    settings: Mapping[str, str] = Field(default_factory=dict)
    sealed: Mapping[str, str] = Field(default_factory=dict, repr=False)
    is_enabled: bool = True
    kinds: tuple[AlertKind, ...] = Field(default=(), description="what it tells")
    bots: tuple[str, ...] = Field(default=(), description="of these bots alone; empty: of all")
    quiet: QuietHours | None = None
    most_per_minute: int = Field(default=6, ge=1, le=600)
    digest_above: int = Field(
        default=5, ge=1, le=1_000,
        description="more alerts than this within digest_window_s are told in one message",
    )  # fmt: skip
    digest_window_s: int = Field(default=60, ge=5, le=86_400)
    escalate_to: str = Field(default="", description="the channel that takes over; empty: none")
    escalate_after_s: int = Field(
        default=300, ge=10, le=86_400,
        description="so long an alert of level warning or error is tried here before it is told "
        "there as well",
    )  # fmt: skip
    segment_price: Decimal | None = Field(
        default=None, ge=0, description="of a segment of an SMS, in US dollars"
    )
    created_at: UtcDatetime
    updated_at: UtcDatetime


class DeliveryState(StrEnum):
    """``WAITING``: due at ``due_at``. ``SENDING``: on the wire, or the engine died meanwhile.
    ``UNCERTAIN``: it may have arrived, so it is not sent again. ``DIGESTED``: told in another
    message, ``digest_id``. ``SENT``, ``FAILED``, ``DROPPED`` (its channel is gone or disabled) are
    final too."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    DIGESTED = "digested"
    DROPPED = "dropped"


class Delivery(BaseModel):
    """One alert on its way through one channel; the outbox and the delivery log in one."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="'<alert>:<channel>': one each, whatever happens")
    alert_id: str
    channel_id: str
    channel_name: str
    channel_kind: ChannelKind
    kind: AlertKind
    level: Level
    bot_id: str | None = None
    title: str
    text: str
    state: DeliveryState = DeliveryState.WAITING
    attempts: int = 0
    created_at: UtcDatetime
    due_at: UtcDatetime
    changed_at: UtcDatetime
    sent_at: UtcDatetime | None = None
    provider_id: str = Field(default="", description="as in Twilio's SM… or Telegram's message id")
    answer: str = Field(default="", description="what the provider said, shortened")
    error: str = Field(default="", description="why it is not sent, and what to do")
    segments: int = Field(default=0, description="of an SMS")
    cost: Decimal | None = Field(default=None, description="in US dollars, where it is known")
    digest_id: str = Field(default="", description="the delivery that told it")
    escalated_from: str = Field(default="", description="the delivery that it stands in for")
    is_escalated: bool = Field(default=False, description="another channel was asked as well")
    is_test: bool = False

    @property
    def reference(self) -> str:
        """Names this message at the provider where it can carry a name; the same at each try."""
        return self.id

    @property
    def is_digest(self) -> bool:
        """Whether it tells others, which carry its id as their ``digest_id``."""
        return self.alert_id.startswith(DIGEST_PREFIX)


class CrossDirection(StrEnum):
    """Which way a price goes through a level."""

    ABOVE = "above"
    BELOW = "below"


class PriceAlert(BaseModel):
    """Tells when a symbol's last price is at or beyond a level, once; ``fired_at`` None: armed."""

    model_config = ConfigDict(frozen=True)

    id: str
    market: str
    symbol: str
    direction: CrossDirection
    price: Decimal = Field(gt=0, description="in the symbol's quote asset")
    note: str = Field(default="", max_length=200)
    is_repeating: bool = Field(
        default=False, description="armed again once the price was on the other side"
    )
    is_enabled: bool = True
    created_at: UtcDatetime
    fired_at: UtcDatetime | None = None
    fired_price: Decimal | None = None
