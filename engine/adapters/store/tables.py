"""The tables of bots, orders and records.

A column is named as the domain's field is, and reads well in any database browser.

Bots own their decisions, equity points and configurations, which go when a bot is deleted. Orders,
fills, positions, trades, events and the audit trail are history: they keep the id of a bot that is
no more and have no foreign key to it, because nulling the id would tear one bot's history apart.

``seq`` counts rows as they were written: the order of what happened at the same instant.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from engine.adapters.store.columns import (
    Row,
    amount,
    json,
    moment,
    number,
    owning_bot,
    sequence,
    text,
)


class BotRow(Row, table=True):
    """A bot; what its configuration is searched by has columns of its own."""

    __tablename__ = "bots"

    id: str = text(primary_key=True)
    name: str = text()
    name_key: str = text(unique=True)  # the name without case
    market: str = text()
    symbol: str = text()
    strategy: str = text()
    timeframe: str = text()
    config: dict[str, Any] = json()
    account_id: str = text()
    place: dict[str, Any] | None = json(default=None)
    desired: str = text()
    state: str = text()
    reason: str = text()
    close_on_stop: bool
    created_at: datetime = moment(index=True)
    updated_at: datetime = moment()
    started_at: datetime | None = moment(default=None)
    decided_until: datetime | None = moment(default=None)
    checked_at: datetime | None = moment(default=None)
    strategy_errors: int
    realised_pnl: Decimal = amount()
    trade_count: int
    win_count: int


class ConfigurationRow(Row, table=True):
    """One version of a bot's settings."""

    __tablename__ = "strategy_configurations"
    __table_args__ = (UniqueConstraint("bot_id", "version"),)

    id: str = text(primary_key=True)
    bot_id: str = owning_bot()
    version: int
    strategy: str = text()
    params: dict[str, Any] = json()
    settings: dict[str, Any] = json()
    created_at: datetime = moment()


class InstrumentRow(Row, table=True):
    """A market's rules for one symbol, as they were when a bot was checked by them."""

    __tablename__ = "instruments"

    market: str = text(primary_key=True)
    symbol: str = text(primary_key=True)
    name: str = text()
    kind: str = text()
    base: str = text()
    quote: str = text()
    price_tick: Decimal = amount()
    quantity_step: Decimal = amount()
    min_quantity: Decimal = amount()
    min_notional: Decimal = amount()
    max_quantity: Decimal | None = amount(default=None)
    max_market_quantity: Decimal | None = amount(default=None)
    can_short: bool
    calendar: str = text()


class OrderRow(Row, table=True):
    """An order in the desk's books."""

    __tablename__ = "orders"
    __table_args__ = (
        Index(None, "bot_id", "created_at"),
        Index(None, "account_id", "venue_id"),
    )

    client_id: str = text(primary_key=True)
    bot_id: str = text()
    account_id: str = text()
    symbol: str = text()
    side: str = text()
    type: str = text()
    purpose: str = text()
    state: str = text(index=True)
    quantity: Decimal | None = amount(default=None)
    quote_amount: Decimal | None = amount(default=None)
    stake_share: Decimal | None = amount(default=None)
    price: Decimal | None = amount(default=None)
    stop_price: Decimal | None = amount(default=None)
    trail_bps: Decimal | None = amount(default=None)
    time_in_force: str = text()
    expires_at: datetime | None = moment(default=None)
    seen_price: Decimal | None = amount(default=None)
    filled: Decimal = amount()
    venue_id: str = text()
    reason: str = text()
    error: str = text()
    after_client_id: str | None = text(default=None)
    position_id: str | None = text(default=None, index=True)
    replaces_client_id: str | None = text(default=None)
    oco_id: str | None = text(default=None)
    level_stop: Decimal | None = amount(default=None)
    level_target: Decimal | None = amount(default=None)
    is_cancel_wanted: bool
    routing: dict[str, Any] | None = json(default=None)
    sent_at: datetime | None = moment(default=None)
    decided_at: datetime = moment()
    created_at: datetime = moment()
    updated_at: datetime = moment()


class FillRow(Row, table=True):
    """An execution; a venue's trade id is booked once in an account."""

    __tablename__ = "fills"
    __table_args__ = (
        UniqueConstraint("account_id", "trade_id"),
        Index(None, "bot_id", "time"),
        Index(None, "account_id", "time"),
    )

    seq: int | None = sequence()
    id: str = text(unique=True)
    account_id: str = text()
    trade_id: str = text()
    client_id: str = text(index=True)
    bot_id: str = text()
    position_id: str = text()
    symbol: str = text()
    base: str = text()
    quote: str = text()
    side: str = text()
    purpose: str = text()
    price: Decimal = amount()
    quantity: Decimal = amount()
    fee: Decimal = amount()
    fee_asset: str = text()
    fee_value: Decimal = amount()
    time: datetime = moment()


class PositionRow(Row, table=True):
    """What a bot holds, or held."""

    __tablename__ = "positions"
    __table_args__ = (Index(None, "bot_id", "opened_at"),)

    id: str = text(primary_key=True)
    bot_id: str = text()
    account_id: str = text()
    symbol: str = text()
    side: str = text()
    quantity: Decimal = amount()
    entry_quantity: Decimal = amount()
    entry_value: Decimal = amount()
    exit_quantity: Decimal = amount()
    exit_value: Decimal = amount()
    fees: Decimal = amount()
    funding: Decimal = amount()
    dust: Decimal = amount()
    entry_count: int
    best_price: Decimal = amount()
    stop_price: Decimal | None = amount(default=None)
    target_price: Decimal | None = amount(default=None)
    protected_at: datetime | None = moment(default=None)
    unprotected_since: datetime | None = moment(default=None)
    opened_at: datetime = moment()
    closed_at: datetime | None = moment(default=None)
    watched_until: datetime = moment()
    is_open: bool = Field(index=True)
    exit_reason: str = text()


class EntryRow(Row, table=True):
    """One entry of a position."""

    __tablename__ = "position_entries"

    id: str = text(primary_key=True)
    position_id: str = text(index=True)
    bot_id: str = text()
    client_id: str = text()
    quantity: Decimal = amount()
    value: Decimal = amount()
    fee: Decimal = amount()
    time: datetime = moment()


class TradeRow(Row, table=True):
    """A closed position, as people read and export it."""

    __tablename__ = "trades"
    __table_args__ = (Index(None, "bot_id", "exit_time"),)

    id: str = text(primary_key=True)
    bot_id: str = text()
    bot_name: str = text()
    account_id: str = text()
    market: str = text()
    symbol: str = text()
    quote: str = text()
    strategy: str = text()
    side: str = text()
    quantity: Decimal = amount()
    entry_time: datetime = moment()
    entry_price: Decimal = amount()
    entry_value: Decimal = amount()
    exit_time: datetime = moment(index=True)
    exit_price: Decimal = amount()
    exit_value: Decimal = amount()
    fees: Decimal = amount()
    funding: Decimal = amount()
    dust: Decimal = amount()
    pnl: Decimal = amount()
    return_fraction: Decimal = amount()
    entry_count: int
    exit_reason: str = text()


class DecisionRow(Row, table=True):
    """What was decided on a candle, once for each bot and candle."""

    __tablename__ = "decisions"
    __table_args__ = (UniqueConstraint("bot_id", "candle_time"),)

    seq: int | None = sequence()
    id: str = text(unique=True)
    bot_id: str = owning_bot()
    candle_time: datetime = moment(index=True)
    decided_at: datetime = moment()
    action: str = text()
    reason: str = text()
    price: float = number()
    confidence: float = number()
    trace: list[Any] = json()


class EquityRow(Row, table=True):
    """What a bot, or all of them, was worth at a moment."""

    __tablename__ = "equity_points"
    __table_args__ = (Index(None, "bot_id", "time"),)

    seq: int | None = sequence()
    id: str = text(unique=True)
    bot_id: str | None = owning_bot(default=None)
    quote: str = text()
    time: datetime = moment(index=True)
    equity: Decimal = amount()
    realised: Decimal = amount()
    unrealised: Decimal = amount()


class EventRow(Row, table=True):
    """Something that happened."""

    __tablename__ = "events"
    __table_args__ = (Index(None, "bot_id", "time"),)

    seq: int | None = sequence()
    id: str = text(unique=True)
    time: datetime = moment(index=True)
    level: str = text()
    kind: str = text()
    message: str = text()
    bot_id: str | None = text(default=None)
    data: dict[str, Any] = json()


class AuditRow(Row, table=True):
    """Who did what; ``seq`` is the order of the chain of digests, whatever the clock did."""

    __tablename__ = "audit_entries"

    seq: int | None = sequence()
    id: str = text(unique=True)
    time: datetime = moment(index=True)
    actor: str = text()
    action: str = text()
    subject: str = text()
    detail: dict[str, Any] = json()
    previous_digest: str = text()
    digest: str = text()


class SettingRow(Row, table=True):
    """A small value kept by name."""

    __tablename__ = "settings"

    key: str = text(primary_key=True)
    value: str = text()


class LeaseRow(Row, table=True):
    """Which engine owns the database."""

    __tablename__ = "leases"

    name: str = text(primary_key=True)
    owner: str = text()
    term: int
    detail: str = text()
    expires_at: datetime = moment()


class WebhookRow(Row, table=True):
    """A signal as it came in, committed before it is answered."""

    __tablename__ = "webhook_log"

    seq: int | None = sequence()
    id: str = text(unique=True)
    received_at: datetime = moment(index=True)
    sender: str = text()
    content_type: str = text()
    body: str = text()
    state: str = text(index=True)
    detail: str = text()
