"""Accounts at venues that a person adds: where they are, and what a test of them found."""

from collections.abc import Mapping
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
