"""The tables of accounts that a person adds, and of their secrets, which are sealed elsewhere."""

from datetime import datetime
from typing import Any

from engine.adapters.store.columns import Row, json, moment, text


class VenueAccountRow(Row, table=True):
    """An account at a venue, without its secrets."""

    __tablename__ = "venue_accounts"

    id: str = text(primary_key=True)
    name: str = text()
    name_key: str = text(unique=True)
    venue: str = text()
    mode: str = text()
    options: dict[str, Any] = json()
    is_enabled: bool
    created_at: datetime = moment()
    updated_at: datetime = moment()
    tested_at: datetime | None = moment(default=None)
    inspection: dict[str, Any] | None = json(default=None)
    expires_at: datetime | None = moment(default=None)


class AccountSecretRow(Row, table=True):
    """One secret of an account, as ciphertext."""

    __tablename__ = "account_secrets"

    id: str = text(primary_key=True)
    account_id: str = text(index=True)
    name: str = text()
    sealed: str = text()
    updated_at: datetime = moment()
