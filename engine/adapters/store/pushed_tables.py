"""The tables of what Expert Advisors push, and of the orders that wait for them."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Index

from engine.adapters.store.columns import Row, amount, json, moment, text


class PushedBarRow(Row, table=True):
    """A closed bar."""

    __tablename__ = "pushed_bars"
    __table_args__ = (Index(None, "account", "symbol", "timeframe", "time"),)

    id: str = text(primary_key=True)
    account: str = text()
    symbol: str = text()
    timeframe: str = text()
    time: datetime = moment()
    open: Decimal = amount()
    high: Decimal = amount()
    low: Decimal = amount()
    close: Decimal = amount()
    volume: Decimal = amount()
    changes: int


class PushedPriceRow(Row, table=True):
    """The newest prices of a symbol."""

    __tablename__ = "pushed_prices"

    id: str = text(primary_key=True)
    account: str = text(index=True)
    symbol: str = text()
    timeframes: list[str] = json()
    bid: Decimal = amount()
    ask: Decimal = amount()
    sent_at: datetime = moment()
    received_at: datetime = moment()
    digits: int
    facts: dict[str, Any] | None = json(default=None)
    indicators: dict[str, Any] = json()
    received: int


class TerminalRow(Row, table=True):
    """An account with an Expert Advisor."""

    __tablename__ = "terminals"

    account: str = text(primary_key=True)
    server: str = text()
    source: str = text()
    seen_at: datetime = moment()
    state: dict[str, Any] | None = json(default=None)
    positions: list[Any] | None = json(default=None)
    state_at: datetime | None = moment(default=None)
    polled_at: datetime | None = moment(default=None)
    magic: str | None = text(default=None)
    received: int


class BoxOrderRow(Row, table=True):
    """An order for an Expert Advisor; its bot may be gone."""

    __tablename__ = "box_orders"
    __table_args__ = (
        Index(None, "account_id", "client_id"),
        Index(None, "account", "end"),
        Index(None, "account_id", "symbol", "touched_at"),
    )

    id: str = text(primary_key=True)
    account: str = text()
    magic: str = text()
    account_id: str = text()
    client_id: str = text()
    part: int
    parts: int
    comment: str = text()
    symbol: str = text()
    side: str = text()
    type: str = text()
    lots: Decimal = amount()
    contract: Decimal = amount()
    price: Decimal | None = amount(default=None)
    stop_price: Decimal | None = amount(default=None)
    position: str = text()
    reduces: bool
    valid_until: datetime | None = moment(default=None)
    created_at: datetime = moment()
    touched_at: datetime = moment()
    offered_at: datetime | None = moment(default=None)
    is_cancel_wanted: bool
    is_refusal_told: bool
    is_reported: bool
    end: str = text()
    retcode: int
    reason: str = text()
    order: str = text()
    unknown_since: datetime | None = moment(default=None)
    denied_at: datetime | None = moment(default=None)
    deals: list[Any] = json()
