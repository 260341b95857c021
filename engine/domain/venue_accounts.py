"""Accounts at venues that a person adds: where they are, and what a test of them found."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.bots import BotName
from engine.domain.money import UtcDatetime


class Mode(StrEnum):
    """What an account's orders move. A bot's account id begins with it."""

    PAPER = "paper"
    TEST = "test"
    LIVE = "live"


def mode_of(account_id: str) -> str:
    """What an account's orders move: ``paper``, ``test`` or ``live`` money. Its mode is in its id,
    so that this is known with the venue down; the registry makes no broker of another for it."""
    return account_id.partition(":")[0]


class Grade(StrEnum):
    """How a check of an account ended. ``UNKNOWN``: the venue does not tell."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"


class AccountCheck(BaseModel):
    """One thing that was looked at. ``advice`` says what to do when it is not well."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="as in 'Permissions', 'Clock', 'Balance', 'Minimums'")
    grade: Grade
    detail: str
    advice: str = ""


class Inspection(BaseModel):
    """What a venue says of an account and its key."""

    model_config = ConfigDict(frozen=True)

    checks: tuple[AccountCheck, ...]
    balances: Mapping[str, Decimal] = Field(default_factory=dict, description="total by asset")
    can_withdraw: bool | None = Field(
        default=None, description="None: the venue does not tell; True: the key is refused"
    )
    clock_skew_s: float | None = Field(
        default=None, description="our clock less the venue's; None: the venue does not tell"
    )

    @property
    def is_usable(self) -> bool:
        """Whether bots may trade with it: nothing failed, and it cannot withdraw."""
        has_failed = any(check.grade is Grade.FAILED for check in self.checks)
        return not has_failed and not self.can_withdraw


class SealedSecret(BaseModel):
    """One secret of an account, as ciphertext that only the engine's key opens."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="'<account>/<name>'")
    account_id: str
    name: str
    sealed: str = Field(repr=False)
    updated_at: UtcDatetime


class VenueAccount(BaseModel):
    """An account as it is kept: all of it but its secrets, which are kept apart and encrypted.

    Bots trade on the market ``account:<id>`` with the account ``<mode>:<id>``, or on paper at the
    venue's prices on the market ``prices:<id>``.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    name: BotName
    venue: str = Field(description="the adapter's id")
    mode: Mode
    options: Mapping[str, Any] = Field(default_factory=dict, description="of the adapter's model")
    is_enabled: bool = True
    created_at: UtcDatetime
    updated_at: UtcDatetime
    tested_at: UtcDatetime | None = None
    inspection: Inspection | None = Field(default=None, description="of the last test")
    expires_at: UtcDatetime | None = Field(
        default=None, description="when a token that is given for a day ends"
    )

    @property
    def trading_id(self) -> str:
        """The id under which bots, orders and books know the account."""
        return f"{self.mode.value}:{self.id}"

    @property
    def market_id(self) -> str:
        """The market its bots trade on."""
        return f"account:{self.id}"

    @property
    def prices_id(self) -> str:
        """The market of its venue's prices, traded on paper."""
        return f"prices:{self.id}"

    @property
    def market_ids(self) -> tuple[str, ...]:
        """All markets that are its own."""
        return (self.prices_id,) if self.mode is Mode.PAPER else (self.market_id, self.prices_id)

    def objection(self, now: datetime) -> str | None:
        """Why it takes no entries at ``now``, or None. Exits always go."""
        if not self.is_enabled and self.inspection is None:
            return f"the account '{self.name}' has not been tested: test it on the Accounts page"
        if not self.is_enabled and self.inspection is not None and not self.inspection.is_usable:
            return (
                f"the last test of the account '{self.name}' failed: its checks on the Accounts"
                " page say what to do"
            )
        if not self.is_enabled:
            return f"the account '{self.name}' is disabled: enable it on the Accounts page"
        if self.expires_at is not None and now >= self.expires_at:
            return (
                f"the login of the account '{self.name}' has ended: log in again on the Accounts"
                " page"
            )
        return None
