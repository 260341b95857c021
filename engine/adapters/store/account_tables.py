"""The tables of accounts: what the venue and the books say of each, and what paper venues keep."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Index, UniqueConstraint

from engine.adapters.store.columns import Row, amount, json, moment, sequence, text


class AccountRow(Row, table=True):
    """What the last reconciliation of an account said."""

    __tablename__ = "accounts"

    account_id: str = text(primary_key=True)
    health: str = text()
    detail: str = text()
    checked_at: datetime | None = moment(default=None)
    trades_until: datetime | None = moment(default=None)


class AccountLineRow(Row, table=True):
    """An amount that came to an account or went without a trade."""

    __tablename__ = "account_lines"

    seq: int | None = sequence()
    id: str = text(unique=True)
    account_id: str = text(index=True)
    asset: str = text()
    amount: Decimal = amount()
    kind: str = text()
    bot_id: str = text()
    note: str = text()
    time: datetime = moment()


class FindingRow(Row, table=True):
    """A difference between the books and a venue, and what became of it."""

    __tablename__ = "findings"
    __table_args__ = (Index(None, "account_id", "state"),)

    id: str = text(primary_key=True)
    account_id: str = text()
    kind: str = text()
    subject: str = text()
    symbol: str = text()
    bot_id: str = text()
    books: str = text()
    venue: str = text()
    amount: Decimal = amount()
    detail: str = text()
    is_blocking: bool
    state: str = text()
    first_seen: datetime = moment()
    last_seen: datetime = moment(index=True)
    resolved_by: str = text()


class PaperAccountRow(Row, table=True):
    """A paper account that was opened."""

    __tablename__ = "paper_accounts"

    account_id: str = text(primary_key=True)


class PaperBalanceRow(Row, table=True):
    """One asset of a paper account."""

    __tablename__ = "paper_balances"

    account_id: str = text(primary_key=True)
    asset: str = text(primary_key=True)
    free: Decimal = amount()
    locked: Decimal = amount()


class PaperOrderRow(Row, table=True):
    """An order in a paper venue's own book."""

    __tablename__ = "paper_orders"
    __table_args__ = (
        UniqueConstraint("account_id", "client_id"),
        Index(None, "account_id", "is_open"),
        Index(None, "account_id", "symbol", "traded_at"),
    )

    seq: int | None = sequence()
    account_id: str = text()
    client_id: str = text()
    symbol: str = text()
    is_open: bool
    traded_at: datetime | None = moment(default=None)
    request: dict[str, Any] = json()
    report: dict[str, Any] = json()
    locked_asset: str = text()
    locked_amount: Decimal = amount()
    matched_until: datetime | None = moment(default=None)
    is_triggered: bool
