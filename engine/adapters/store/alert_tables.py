"""The tables of alerts: what is to be told, the channels, the deliveries, price alerts."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Index

from engine.adapters.store.columns import Row, amount, json, moment, sequence, text


class AlertRow(Row, table=True):
    """An alert; its bot may be gone."""

    __tablename__ = "alerts"

    seq: int | None = sequence()
    id: str = text(unique=True)
    kind: str = text(index=True)
    level: str = text()
    time: datetime = moment(index=True)
    title: str = text()
    bot_id: str | None = text(default=None, index=True)
    data: dict[str, Any] = json()
    state: str = text(index=True)
    text: str = text()  # last: it hides the function


class ChannelRow(Row, table=True):
    """A channel."""

    __tablename__ = "channels"

    id: str = text(primary_key=True)
    name: str = text()
    name_key: str = text(unique=True)
    kind: str = text()
    settings: dict[str, str] = json()
    sealed: dict[str, str] = json()
    is_enabled: bool
    kinds: list[str] = json()
    bots: list[str] = json()
    quiet: dict[str, Any] | None = json(default=None)
    most_per_minute: int
    digest_above: int
    digest_window_s: int
    escalate_to: str = text()
    escalate_after_s: int
    segment_price: Decimal | None = amount(default=None)
    created_at: datetime = moment()
    updated_at: datetime = moment()


class DeliveryRow(Row, table=True):
    """An alert on its way through a channel; the channel may be gone."""

    __tablename__ = "deliveries"
    __table_args__ = (
        Index(None, "state", "due_at"),
        Index(None, "channel_id", "created_at"),
    )

    seq: int | None = sequence()
    id: str = text(unique=True)
    alert_id: str = text(index=True)
    channel_id: str = text()
    channel_name: str = text()
    channel_kind: str = text()
    kind: str = text()
    level: str = text()
    bot_id: str | None = text(default=None)
    title: str = text()
    state: str = text()
    attempts: int
    created_at: datetime = moment(index=True)
    due_at: datetime = moment()
    changed_at: datetime = moment()
    sent_at: datetime | None = moment(default=None)
    provider_id: str = text()
    answer: str = text()
    error: str = text()
    segments: int
    cost: Decimal | None = amount(default=None)
    digest_id: str = text()
    escalated_from: str = text()
    is_escalated: bool
    is_test: bool
    text: str = text()  # last: it hides the function


class PriceAlertRow(Row, table=True):
    """A level that a price is watched for."""

    __tablename__ = "price_alerts"

    id: str = text(primary_key=True)
    market: str = text()
    symbol: str = text()
    direction: str = text()
    price: Decimal = amount()
    note: str = text()
    is_repeating: bool
    is_enabled: bool
    created_at: datetime = moment()
    fired_at: datetime | None = moment(default=None)
    fired_price: Decimal | None = amount(default=None)
