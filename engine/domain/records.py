"""What the engine writes down: events, audit entries, equity, switches, its lease."""

import hashlib
import json
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.money import ZERO, UtcDatetime


class Level(StrEnum):
    """How much an event matters."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Event(BaseModel):
    """Something that happened, in words a user reads on the Logs page."""

    model_config = ConfigDict(frozen=True)

    id: str
    time: UtcDatetime
    level: Level
    kind: str = Field(description="dotted name, as in order.filled")
    message: str
    bot_id: str | None = None
    data: dict[str, Any] = Field(default_factory=dict)


class AuditEntry(BaseModel):
    """Who did what. ``digest`` chains over the entry before it, so that tampering shows."""

    model_config = ConfigDict(frozen=True)

    id: str
    time: UtcDatetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any] = Field(default_factory=dict)
    previous_digest: str = ""
    digest: str = ""


def entry_digest(entry: AuditEntry) -> str:
    """SHA-256 over the entry before and this entry's content."""
    content = entry.model_dump(mode="json", exclude={"digest"})
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


class EquityPoint(BaseModel):
    """What a bot was worth at a moment, in quote. ``bot_id`` None is the sum of all bots."""

    model_config = ConfigDict(frozen=True)

    id: str
    bot_id: str | None
    quote: str
    time: UtcDatetime
    equity: Decimal
    realised: Decimal
    unrealised: Decimal = ZERO


class KillLevel(StrEnum):
    """How far a control goes; each level includes those before it.

    ``pause_entries``: bots open nothing new. ``reduce_only``: nobody does, a person neither.
    ``cancel_orders``: what is not filled of entries is taken back. ``close_all``: positions go.
    """

    NONE = "none"
    PAUSE_ENTRIES = "pause_entries"
    REDUCE_ONLY = "reduce_only"
    CANCEL_ORDERS = "cancel_orders"
    CLOSE_ALL = "close_all"

    @property
    def strength(self) -> int:
        """Its place in the order of levels; 0 is none."""
        return list(KillLevel).index(self)


class ScopeKind(StrEnum):
    """What a control is about."""

    EVERYTHING = "everything"
    ACCOUNT = "account"
    BOT = "bot"
    SYMBOL = "symbol"


class KillSwitch(BaseModel):
    """One latched control: how far it goes, and on what. The kill switch is the one on everything.

    ``key`` is an account's or a bot's id or a symbol; empty for everything.
    """

    model_config = ConfigDict(frozen=True)

    scope: ScopeKind = ScopeKind.EVERYTHING
    key: str = ""
    level: KillLevel = KillLevel.NONE
    actor: str = ""
    since: datetime | None = None
    reason: str = ""


class Lease(BaseModel):
    """Which engine owns the database, until when. ``term`` rises with every new owner."""

    model_config = ConfigDict(frozen=True)

    owner: str
    term: int
    expires_at: UtcDatetime
    detail: str = ""


class StrategyConfiguration(BaseModel):
    """One version of a bot's strategy and settings; a new one is kept at every edit."""

    model_config = ConfigDict(frozen=True)

    id: str
    bot_id: str
    version: int
    strategy: str
    params: dict[str, Any]
    settings: dict[str, Any] = Field(description="the whole BotConfig, as JSON")
    created_at: UtcDatetime


class PaperBalance(BaseModel):
    """One asset of a paper account. ``free`` may be negative in a base asset sold short."""

    model_config = ConfigDict(frozen=True)

    asset: str
    free: Decimal = ZERO
    locked: Decimal = ZERO
