"""Accounts at venues for the API: forms out, secrets in and never out again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr

from engine.contracts import AccountBot
from engine.contracts.venue_accounts import (
    LoginPage,
    SecretFieldView,
    VenueAccountChanges,
    VenueAccountRequest,
    VenueAccountView,
    VenueView,
)
from engine.domain.venue_accounts import VenueAccount
from engine.ports import VenueAdapter
from engine.services.books import Books
from engine.services.connections import Connections
from engine.services.venue_accounts import NewAccount, VenueAccounts


class VenueAccountServices(Protocol):
    """What the API asks about accounts. ``key`` is an account's id or name; all but ``venues``,
    ``list`` and ``add`` raise NotFound for one that is not there."""

    def venues(self) -> Sequence[VenueView]:
        """Every venue that there is an adapter for, in order of their titles."""
        ...

    def list(self) -> Sequence[VenueAccountView]:
        """In the order in which they were added."""
        ...

    def get(self, key: str) -> VenueAccountView:
        """One."""
        ...

    def add(self, request: VenueAccountRequest, actor: str) -> VenueAccountView:
        """Test and keep one. Raises ConfigError naming the field, also for a key that can
        withdraw; Conflict (name taken); NotFound (venue)."""
        ...

    def change(self, key: str, changes: VenueAccountChanges, actor: str) -> VenueAccountView:
        """Test and keep what is new. Raises like ``add``."""
        ...

    def test(self, key: str, actor: str) -> VenueAccountView:
        """Ask its venue now. Raises BrokerUnavailable, OrderStateUnknown, ConfigError."""
        ...

    def enable(self, key: str, actor: str) -> VenueAccountView:
        """Raises Conflict until a test has gone well."""
        ...

    def disable(self, key: str, confirm: bool, actor: str) -> VenueAccountView:
        """Raises Conflict without a confirmation while bots of it trade."""
        ...

    def delete(self, key: str, actor: str) -> None:
        """Raises Conflict while a bot uses it."""
        ...

    def login_page(self, key: str) -> LoginPage:
        """Raises Conflict where no login is needed."""
        ...

    def log_in(self, key: str, answer: str, actor: str) -> VenueAccountView:
        """Raises ConfigError for what is no answer, AccessDenied, BrokerUnavailable."""
        ...


@dataclass(frozen=True)
class VenueAccountDesk:
    """Implements ``VenueAccountServices`` over the service."""

    books: Books
    accounts: VenueAccounts
    connections: Connections

    def venues(self) -> Sequence[VenueView]:
        """Every venue there is."""
        return [_venue_view(adapter) for adapter in self.connections.adapters.values()]

    def list(self) -> Sequence[VenueAccountView]:
        """In the order in which they were added."""
        return [self._view(account) for account in self.accounts.all()]

    def get(self, key: str) -> VenueAccountView:
        """One."""
        return self._view(self.accounts.get(key))

    def add(self, request: VenueAccountRequest, actor: str) -> VenueAccountView:
        """Test and keep one."""
        asked = NewAccount(
            name=request.name, venue=request.venue, mode=request.mode, options=request.options,
            secrets=_plain(request.secrets),
        )  # fmt: skip
        return self._view(self.accounts.add(asked, actor))

    def change(self, key: str, changes: VenueAccountChanges, actor: str) -> VenueAccountView:
        """Test and keep what is new."""
        changed = self.accounts.change(
            key, actor, name=changes.name, options=changes.options,
            secrets=_plain(changes.secrets),
        )  # fmt: skip
        return self._view(changed)

    def test(self, key: str, actor: str) -> VenueAccountView:
        """Ask its venue now."""
        return self._view(self.accounts.test(key, actor))

    def enable(self, key: str, actor: str) -> VenueAccountView:
        """Let it take entries."""
        return self._view(self.accounts.enable(key, actor))

    def disable(self, key: str, confirm: bool, actor: str) -> VenueAccountView:
        """Let it take no entries; exits go on."""
        return self._view(self.accounts.disable(key, actor, is_confirmed=confirm))

    def delete(self, key: str, actor: str) -> None:
        """Remove it with its secrets."""
        self.accounts.delete(key, actor)

    def login_page(self, key: str) -> LoginPage:
        """Where a person logs in."""
        return LoginPage(url=self.accounts.login_url(key))

    def log_in(self, key: str, answer: str, actor: str) -> VenueAccountView:
        """Keep the token that a login gave."""
        return self._view(self.accounts.complete_login(key, answer, actor))

    def _view(self, account: VenueAccount) -> VenueAccountView:
        adapter = self.connections.adapters.get(account.venue)
        with self.books.store.reading() as tx:
            kept = tx.secrets.values("name", account_id=account.id)
        return VenueAccountView(
            **account.model_dump(),
            venue_title=adapter.title if adapter else account.venue,
            market_id=account.market_id,
            prices_id=account.prices_id,
            trading_id=account.trading_id,
            secrets=tuple(sorted(name for (name,) in kept)),
            is_usable=account.inspection is not None and account.inspection.is_usable,
            has_login=adapter is not None and adapter.login is not None,
            objection=account.objection(self.books.clock.now()),
            trouble=self.accounts.trouble(account),
            bots=tuple(
                AccountBot(id=bot.id, name=bot.config.name, symbol=bot.config.symbol)
                for bot in self.accounts.bots_of(account)
            ),
        )


def _venue_view(adapter: VenueAdapter) -> VenueView:
    return VenueView(
        id=adapter.id,
        title=adapter.title,
        summary=adapter.summary,
        kinds=adapter.kinds,
        modes=adapter.modes,
        options=adapter.options.model_json_schema(),
        secrets=tuple(
            SecretFieldView(
                name=field.name, title=field.title, description=field.description,
                is_optional=field.is_optional,
            )
            for field in adapter.secrets
            if not field.is_kept_by_login
        ),
        has_login=adapter.login is not None,
    )  # fmt: skip


def _plain(secrets: Mapping[str, SecretStr]) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in secrets.items()}
