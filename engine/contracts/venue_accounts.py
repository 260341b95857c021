"""Accounts at venues: what the form needs, what is shown, what is asked. No answer has a secret."""

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, Field, SecretStr

from engine.contracts.accounts import AccountBot
from engine.contracts.base import Contract
from engine.domain.bots import BotName
from engine.domain.instruments import InstrumentKind
from engine.domain.money import UtcDatetime
from engine.domain.venue_accounts import AccountCheck, Grade, Inspection, Mode

__all__ = [
    "AccountCheck", "Grade", "Inspection", "LoginAnswer", "LoginPage", "Mode", "SecretFieldView",
    "VenueAccountChanges", "VenueAccountRequest", "VenueAccountView", "VenueView",
]  # fmt: skip

Secrets = Mapping[str, SecretStr]


class SecretFieldView(Contract):
    """A secret that the form asks for; it is written and never shown again."""

    name: str
    title: str
    description: str = ""
    is_optional: bool = False


class VenueView(Contract):
    """A venue that accounts can be added at. ``options`` is a JSON schema that makes the form."""

    id: str
    title: str
    summary: str
    kinds: tuple[InstrumentKind, ...]
    modes: tuple[Mode, ...]
    options: dict[str, Any]
    secrets: tuple[SecretFieldView, ...]
    has_login: bool = False


class VenueAccountView(Contract):
    """An account as it is shown. ``secrets`` names those that are set.

    ``objection`` is why it takes no entries, ``trouble`` why it cannot be opened here at all:
    a lost key, a venue that is gone. ``bots`` are those on its markets, paper included.
    """

    id: str
    name: str
    venue: str
    venue_title: str
    mode: Mode
    market_id: str
    prices_id: str
    trading_id: str
    options: dict[str, Any]
    secrets: tuple[str, ...]
    is_enabled: bool
    created_at: UtcDatetime
    updated_at: UtcDatetime
    tested_at: UtcDatetime | None = None
    inspection: Inspection | None = None
    is_usable: bool = Field(default=False, description="the last test went well")
    has_login: bool = False
    expires_at: UtcDatetime | None = None
    objection: str | None = None
    trouble: str = ""
    bots: tuple[AccountBot, ...] = ()


class VenueAccountRequest(Contract):
    """A new account."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: BotName
    venue: str = Field(min_length=1, max_length=40)
    mode: Mode
    options: dict[str, Any] = Field(default_factory=dict, max_length=50)
    secrets: dict[str, SecretStr] = Field(default_factory=dict, max_length=20)


class VenueAccountChanges(Contract):
    """What is to be otherwise; what is not given stays. Secrets that are not given stay, too."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: BotName | None = None
    options: dict[str, Any] | None = Field(default=None, max_length=50)
    secrets: dict[str, SecretStr] = Field(default_factory=dict, max_length=20)


class DisableRequest(Contract):
    """``confirm``: also while bots of it trade; their exits go on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    confirm: bool = False


class LoginPage(Contract):
    """Where a person logs in."""

    url: str


class LoginAnswer(Contract):
    """The address that the browser was sent back to after a login, or the token in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    answer: SecretStr = Field(min_length=1, max_length=4000)
