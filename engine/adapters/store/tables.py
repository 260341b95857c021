"""The tables. A column is named as the domain's field is, and reads well in any database browser.

Bots own their decisions, equity points and configurations, which go when a bot is deleted. Orders,
fills, positions, trades, events and the audit trail are history: they keep the id of a bot that is
no more and have no foreign key to it, because nulling the id would tear one bot's history apart.

``seq`` counts rows as they were written: the order of what happened at the same instant.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, UniqueConstraint
from sqlmodel import Field, SQLModel

from engine.adapters.store.types import ExactDecimal, FiniteFloat, JsonText, PlainText, UtcTime

NAMES = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
}


class Row(SQLModel):
    """Base of all tables."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=NAMES)


def table_of(row: type[Row]) -> Table:
    """The SQLAlchemy table behind a class."""
    return Row.metadata.tables[str(row.__tablename__)]


def _text(**options: Any) -> Any:
    return Field(sa_type=PlainText, **options)


def _amount(**options: Any) -> Any:
    return Field(sa_type=ExactDecimal, **options)


def _moment(**options: Any) -> Any:
    return Field(sa_type=UtcTime, **options)


def _number() -> Any:
    return Field(sa_type=FiniteFloat)


def _json() -> Any:
    return Field(sa_type=JsonText)


def _sequence() -> Any:
    kind = BigInteger().with_variant(Integer(), "sqlite")
    return Field(default=None, sa_column=Column(kind, primary_key=True, autoincrement=True))


def _owner(**options: Any) -> Any:
    """The bot that owns the row and takes it along when it is deleted."""
    return Field(sa_type=PlainText, foreign_key="bots.id", ondelete="CASCADE", **options)


class BotRow(Row, table=True):
    """A bot; what its configuration is searched by has columns of its own."""

    __tablename__ = "bots"

    id: str = _text(primary_key=True)
    name: str = _text()
    name_key: str = _text(unique=True)  # the name without case
    market: str = _text()
    symbol: str = _text()
    strategy: str = _text()
    timeframe: str = _text()
    config: dict[str, Any] = _json()
    account_id: str = _text()
    desired: str = _text()
    state: str = _text()
    reason: str = _text()
    close_on_stop: bool
    created_at: datetime = _moment(index=True)
    updated_at: datetime = _moment()
    started_at: datetime | None = _moment(default=None)
    decided_until: datetime | None = _moment(default=None)
    checked_at: datetime | None = _moment(default=None)
    strategy_errors: int
    realised_pnl: Decimal = _amount()
    trade_count: int
    win_count: int


class ConfigurationRow(Row, table=True):
    """One version of a bot's settings."""

    __tablename__ = "strategy_configurations"
    __table_args__ = (UniqueConstraint("bot_id", "version"),)

    id: str = _text(primary_key=True)
    bot_id: str = _owner()
    version: int
    strategy: str = _text()
    params: dict[str, Any] = _json()
    settings: dict[str, Any] = _json()
    created_at: datetime = _moment()


class InstrumentRow(Row, table=True):
    """A market's rules for one symbol, as they were when a bot was checked by them."""

    __tablename__ = "instruments"

    market: str = _text(primary_key=True)
    symbol: str = _text(primary_key=True)
    name: str = _text()
    kind: str = _text()
    base: str = _text()
    quote: str = _text()
    price_tick: Decimal = _amount()
    quantity_step: Decimal = _amount()
    min_quantity: Decimal = _amount()
    min_notional: Decimal = _amount()
    can_short: bool


class OrderRow(Row, table=True):
    """An order in the desk's books."""

    __tablename__ = "orders"
    __table_args__ = (Index(None, "bot_id", "created_at"),)

    client_id: str = _text(primary_key=True)
    bot_id: str = _text()
    account_id: str = _text()
    symbol: str = _text()
    side: str = _text()
    type: str = _text()
    purpose: str = _text()
    state: str = _text(index=True)
    quantity: Decimal | None = _amount(default=None)
    quote_amount: Decimal | None = _amount(default=None)
    price: Decimal | None = _amount(default=None)
    seen_price: Decimal | None = _amount(default=None)
    filled: Decimal = _amount()
    venue_id: str = _text()
    reason: str = _text()
    error: str = _text()
    after_client_id: str | None = _text(default=None)
    position_id: str | None = _text(default=None, index=True)
    decided_at: datetime = _moment()
    created_at: datetime = _moment()
    updated_at: datetime = _moment()


class FillRow(Row, table=True):
    """An execution; a venue's trade id is booked once in an account."""

    __tablename__ = "fills"
    __table_args__ = (UniqueConstraint("account_id", "trade_id"), Index(None, "bot_id", "time"))

    seq: int | None = _sequence()
    id: str = _text(unique=True)
    account_id: str = _text()
    trade_id: str = _text()
    client_id: str = _text()
    bot_id: str = _text()
    position_id: str = _text()
    symbol: str = _text()
    side: str = _text()
    purpose: str = _text()
    price: Decimal = _amount()
    quantity: Decimal = _amount()
    fee: Decimal = _amount()
    fee_asset: str = _text()
    time: datetime = _moment()


class PositionRow(Row, table=True):
    """What a bot holds, or held."""

    __tablename__ = "positions"
    __table_args__ = (Index(None, "bot_id", "opened_at"),)

    id: str = _text(primary_key=True)
    bot_id: str = _text()
    account_id: str = _text()
    symbol: str = _text()
    side: str = _text()
    quantity: Decimal = _amount()
    entry_quantity: Decimal = _amount()
    entry_value: Decimal = _amount()
    exit_quantity: Decimal = _amount()
    exit_value: Decimal = _amount()
    fees: Decimal = _amount()
    entry_count: int
    best_price: Decimal = _amount()
    stop_price: Decimal | None = _amount(default=None)
    target_price: Decimal | None = _amount(default=None)
    opened_at: datetime = _moment()
    closed_at: datetime | None = _moment(default=None)
    watched_until: datetime = _moment()
    is_open: bool = Field(index=True)
    exit_reason: str = _text()


class EntryRow(Row, table=True):
    """One entry of a position."""

    __tablename__ = "position_entries"

    id: str = _text(primary_key=True)
    position_id: str = _text(index=True)
    bot_id: str = _text()
    client_id: str = _text()
    quantity: Decimal = _amount()
    value: Decimal = _amount()
    fee: Decimal = _amount()
    time: datetime = _moment()


class TradeRow(Row, table=True):
    """A closed position, as people read and export it."""

    __tablename__ = "trades"
    __table_args__ = (Index(None, "bot_id", "exit_time"),)

    id: str = _text(primary_key=True)
    bot_id: str = _text()
    bot_name: str = _text()
    account_id: str = _text()
    market: str = _text()
    symbol: str = _text()
    strategy: str = _text()
    side: str = _text()
    quantity: Decimal = _amount()
    entry_time: datetime = _moment()
    entry_price: Decimal = _amount()
    entry_value: Decimal = _amount()
    exit_time: datetime = _moment(index=True)
    exit_price: Decimal = _amount()
    exit_value: Decimal = _amount()
    fees: Decimal = _amount()
    pnl: Decimal = _amount()
    return_fraction: Decimal = _amount()
    entry_count: int
    exit_reason: str = _text()


class DecisionRow(Row, table=True):
    """What was decided on a candle, once for each bot and candle."""

    __tablename__ = "decisions"
    __table_args__ = (UniqueConstraint("bot_id", "candle_time"),)

    seq: int | None = _sequence()
    id: str = _text(unique=True)
    bot_id: str = _owner()
    candle_time: datetime = _moment(index=True)
    decided_at: datetime = _moment()
    action: str = _text()
    reason: str = _text()
    price: float = _number()
    confidence: float = _number()
    trace: list[Any] = _json()


class EquityRow(Row, table=True):
    """What a bot, or all of them, was worth at a moment."""

    __tablename__ = "equity_points"
    __table_args__ = (Index(None, "bot_id", "time"),)

    seq: int | None = _sequence()
    id: str = _text(unique=True)
    bot_id: str | None = _owner(default=None)
    quote: str = _text()
    time: datetime = _moment(index=True)
    equity: Decimal = _amount()
    realised: Decimal = _amount()
    unrealised: Decimal = _amount()


class EventRow(Row, table=True):
    """Something that happened."""

    __tablename__ = "events"
    __table_args__ = (Index(None, "bot_id", "time"),)

    seq: int | None = _sequence()
    id: str = _text(unique=True)
    time: datetime = _moment(index=True)
    level: str = _text()
    kind: str = _text()
    message: str = _text()
    bot_id: str | None = _text(default=None)
    data: dict[str, Any] = _json()


class AuditRow(Row, table=True):
    """Who did what; ``seq`` is the order of the chain of digests, whatever the clock did."""

    __tablename__ = "audit_entries"

    seq: int | None = _sequence()
    id: str = _text(unique=True)
    time: datetime = _moment(index=True)
    actor: str = _text()
    action: str = _text()
    subject: str = _text()
    detail: dict[str, Any] = _json()
    previous_digest: str = _text()
    digest: str = _text()


class SettingRow(Row, table=True):
    """A small value kept by name."""

    __tablename__ = "settings"

    key: str = _text(primary_key=True)
    value: str = _text()


class LeaseRow(Row, table=True):
    """Which engine owns the database."""

    __tablename__ = "leases"

    name: str = _text(primary_key=True)
    owner: str = _text()
    term: int
    detail: str = _text()
    expires_at: datetime = _moment()


class PaperAccountRow(Row, table=True):
    """A paper account that was opened."""

    __tablename__ = "paper_accounts"

    account_id: str = _text(primary_key=True)


class PaperBalanceRow(Row, table=True):
    """One asset of a paper account."""

    __tablename__ = "paper_balances"

    account_id: str = _text(primary_key=True)
    asset: str = _text(primary_key=True)
    free: Decimal = _amount()
    locked: Decimal = _amount()


class PaperOrderRow(Row, table=True):
    """An order in a paper venue's own book."""

    __tablename__ = "paper_orders"
    __table_args__ = (
        UniqueConstraint("account_id", "client_id"),
        Index(None, "account_id", "is_open"),
    )

    seq: int | None = _sequence()
    account_id: str = _text()
    client_id: str = _text()
    is_open: bool
    request: dict[str, Any] = _json()
    report: dict[str, Any] = _json()
    locked_asset: str = _text()
    locked_amount: Decimal = _amount()
    matched_until: datetime | None = _moment(default=None)


class WebhookRow(Row, table=True):
    """A signal as it came in, committed before it is answered."""

    __tablename__ = "webhook_log"

    seq: int | None = _sequence()
    id: str = _text(unique=True)
    received_at: datetime = _moment(index=True)
    sender: str = _text()
    content_type: str = _text()
    body: str = _text()
    state: str = _text(index=True)
    detail: str = _text()
