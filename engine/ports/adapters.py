"""What makes a venue usable: one ``VenueAdapter`` a venue, found in ``adapters/brokers/venues``.

See docs/adding-a-broker.md.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel

from engine.domain.api_usage import ApiUsage
from engine.domain.instruments import InstrumentKind
from engine.domain.venue_accounts import Inspection, Mode
from engine.ports.brokers import Broker
from engine.ports.market_data import Clock, MarketData
from engine.ports.terminals import Terminals


def nothing() -> None:
    """What a connection that holds nothing open does at its end."""


@dataclass(frozen=True)
class SecretField:
    """A secret that the form asks for; it is written and never shown again."""

    name: str
    title: str
    description: str = ""
    is_optional: bool = False
    is_kept_by_login: bool = field(default=False, kw_only=True)
    """Not in the form: a login puts it there."""


@dataclass(frozen=True)
class AccountAccess:
    """What it takes to open an account. ``options`` are of the adapter's model, checked; never
    print or log ``secrets``."""

    account_id: str
    market_id: str
    mode: Mode
    options: BaseModel
    secrets: Mapping[str, str] = field(repr=False)
    clock: Clock
    data: Path = field(default=Path("data"), kw_only=True)
    """The user's data folder, for adapters with files there."""
    terminals: Terminals | None = field(default=None, kw_only=True, repr=False)
    """What Expert Advisors push and fetch, for adapters that trade through one."""


@dataclass(frozen=True)
class VenueConnection:
    """An opened account: its prices and its orders share one client, one pause, one pace.

    ``inspect`` asks the venue what the key may do, its time, balances and minimums; what fails is
    a failed check with advice, so it raises nothing of the venue's.
    """

    market: MarketData
    broker: Broker
    inspect: Callable[[], Inspection]
    close: Callable[[], None] = nothing
    usage: Callable[[], Sequence[ApiUsage]] = tuple
    """How much of its allowances is used, from the answers so far; asks nothing."""


@dataclass(frozen=True)
class SessionToken:
    """What a login gave: secrets to keep, and until when they hold."""

    secrets: Mapping[str, str] = field(repr=False)
    expires_at: datetime


class DailyLogin(Protocol):
    """A venue whose keys hold for a day, and are given after a login in the browser."""

    def url(self, access: AccountAccess) -> str:
        """Where a person logs in."""
        ...

    def complete(self, access: AccountAccess, answer: str) -> SessionToken:
        """``answer`` is the address (or the token in it) the browser was sent back to. Raises
        ConfigError for what is no answer, AccessDenied, BrokerUnavailable."""
        ...


@dataclass(frozen=True)
class VenueAdapter:
    """A venue as the account form offers it, and how its accounts are opened.

    ``options`` is a frozen pydantic model whose fields (title, description, default, bounds) make
    the form; it validates addresses: the vendor's over https, or this machine's. ``open`` imports
    the vendor's SDK, connects to nothing yet, and raises ConfigError for what cannot be right.
    """

    id: str
    title: str
    summary: str
    kinds: tuple[InstrumentKind, ...]
    modes: tuple[Mode, ...]
    options: type[BaseModel]
    secrets: tuple[SecretField, ...]
    open: Callable[[AccountAccess], VenueConnection]
    login: DailyLogin | None = None

    def check_options(self, given: Mapping[str, Any]) -> BaseModel:
        """The options, validated. Raises pydantic's ValidationError."""
        return self.options.model_validate(dict(given))
