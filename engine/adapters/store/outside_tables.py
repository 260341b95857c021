"""The tables of what comes from outside: signals, listeners, advice, news; and of API tokens."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field

from engine.adapters.store.columns import Row, amount, json, moment, number, sequence, text
from engine.adapters.store.types import FiniteFloat


class SignalRow(Row, table=True):
    """A signal of the inbox; its bot may be gone."""

    __tablename__ = "signals"
    __table_args__ = (
        Index(None, "sender", "digest", "received_at"),
        Index(None, "bot_id", "received_at"),
    )

    seq: int | None = sequence()
    id: str = text(unique=True)
    source: str = text()
    kind: str = text()
    sender: str = text()
    digest: str = text()
    bot_id: str | None = text(default=None)
    state: str = text(index=True)
    outcome: str = text()
    received_at: datetime = moment(index=True)
    sent_at: datetime | None = moment(default=None)
    acted_at: datetime | None = moment(default=None)
    address: str = text()
    content_type: str = text()
    body: str = text()
    order: dict[str, Any] | None = json(default=None)
    decision_id: str = text()
    order_ids: list[str] = json()
    copies: int
    replay_of: str = text()


class ListenerRow(Row, table=True):
    """A bot's address for signals."""

    __tablename__ = "listeners"

    bot_id: str = text(primary_key=True, foreign_key="bots.id", ondelete="CASCADE")
    key_digest: str = text(unique=True)
    sealed_key: str = text()
    sealed_secret: str = text()
    created_at: datetime = moment()
    last_signal_at: datetime | None = moment(default=None)
    missed_since: datetime | None = moment(default=None)


class AdviceRow(Row, table=True):
    """A question to a model; its bot may be gone. ``action`` and ``verdict`` are those of its
    decision and its counsel, to choose by."""

    __tablename__ = "advice"
    __table_args__ = (Index(None, "bot_id", "asked_at"),)

    id: str = text(primary_key=True)
    bot_id: str = text()
    bot_name: str = text()
    role: str = text()
    purpose: str = text()
    state: str = text()
    provider: str = text()
    model: str = text()
    market: str = text()
    symbol: str = text()
    timeframe: str = text()
    candle_time: datetime = moment()
    asked_at: datetime = moment(index=True)
    latency_s: float = number()
    price: Decimal = amount()
    system: str = text()
    prompt: str = text()
    answer: str = text()
    error: str = text()
    action: str = text()
    verdict: str = text()
    decision: dict[str, Any] | None = json(default=None)
    counsel: dict[str, Any] | None = json(default=None)
    proposal: dict[str, Any] | None = json(default=None)
    decision_id: str = text(index=True)
    tokens_in: int
    tokens_out: int
    cost: Decimal = amount()
    replay_of: str = text()
    outcome: dict[str, Any] | None = json(default=None)
    outcome_due_at: datetime | None = moment(default=None, index=True)
    facts: dict[str, Any] = json()


class NewsRow(Row, table=True):
    """A piece of news."""

    __tablename__ = "news"
    __table_args__ = (Index(None, "symbol", "published_at"),)

    id: str = text(primary_key=True)
    source: str = text()
    symbol: str = text()
    published_at: datetime = moment(index=True)
    title: str = text()
    summary: str = text()
    url: str = text()
    sentiment: float | None = Field(default=None, sa_type=FiniteFloat)
    fetched_at: datetime = moment()


class TokenRow(Row, table=True):
    """A token of the API; its text is not kept."""

    __tablename__ = "api_tokens"

    id: str = text(primary_key=True)
    name: str = text()
    name_key: str = text(unique=True)
    digest: str = text(unique=True)
    scopes: list[str] = json()
    rate_per_minute: int
    created_at: datetime = moment()
    expires_at: datetime | None = moment(default=None)
    last_used_at: datetime | None = moment(default=None)
    revoked_at: datetime | None = moment(default=None)
