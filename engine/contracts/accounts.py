"""Accounts: balances, both sides of each, and decisions about what differs."""

from decimal import Decimal

from pydantic import ConfigDict, Field

from engine.contracts.base import Contract
from engine.contracts.conversion import BaseWorth
from engine.domain.accounts import AccountHealth, Finding, FindingState, Resolution
from engine.domain.money import ZERO, UtcDatetime


class AccountView(Contract):
    """An account's balances by asset, as the venue tells them."""

    account_id: str
    mode: str
    free: dict[str, Decimal]
    locked: dict[str, Decimal]
    error: str = ""


class AssetRow(Contract):
    """One asset of an account, both sides. Owned, reserved and unassigned are what the books'
    amount is made of; ``venue`` and ``difference`` are None while the venue does not tell."""

    asset: str
    books: Decimal
    venue: Decimal | None
    difference: Decimal | None = Field(description="venue less books")
    owned: Decimal = Field(description="held by bots as positions")
    reserved: Decimal = Field(description="promised to entries that work")
    unassigned: Decimal = Field(description="nobody's")
    dust: Decimal = Field(default=ZERO, description="too little to trade, left by closed positions")


class AccountBot(Contract):
    """A bot that trades with an account."""

    id: str
    name: str
    symbol: str


class AccountReport(Contract):
    """What the books and the venue say of one account, as of ``checked_at``.

    ``objection`` is why the account takes no entries; None: it does. ``findings`` are the open
    ones, those that block first. ``worth`` is what all its assets are worth: the venue's side
    where it is known, else the books'. ``account_name`` is what a person calls an account at a
    venue.
    """

    account_id: str
    account_name: str = ""
    mode: str
    health: AccountHealth
    detail: str = ""
    checked_at: UtcDatetime | None = None
    objection: str | None = None
    assets: tuple[AssetRow, ...] = ()
    findings: tuple[Finding, ...] = ()
    bots: tuple[AccountBot, ...] = ()
    worth: BaseWorth | None = None


class CheckRequest(Contract):
    """Which account to compare with its venue now."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account_id: str = Field(min_length=1, max_length=600)


class FindingFilter(Contract):
    """Which findings; an empty field does not narrow."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account_id: str | None = Field(default=None, max_length=600)
    state: FindingState | None = None
    limit: int = Field(default=200, ge=1, le=5000)


class ResolveRequest(Contract):
    """What to do about a finding; ``bot_id`` names the bot that adopts an order or a trade."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    finding_id: str = Field(min_length=1, max_length=1000)
    resolution: Resolution
    bot_id: str | None = Field(default=None, max_length=64)
