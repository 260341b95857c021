"""Connections to the accounts that a person added: opened on first use, kept while in use."""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from engine.domain.api_usage import ApiUsage
from engine.domain.venue_accounts import VenueAccount
from engine.errors import ConfigError, NotFound
from engine.ports import (
    AccountAccess,
    Broker,
    Clock,
    MarketData,
    Store,
    Terminals,
    Vault,
    VenueAdapter,
    VenueConnection,
)
from engine.services.paper_prices import prices_of

log = logging.getLogger("quarterdeck.connections")


class Connections:
    """One connection an account, shared by its market and its broker. Thread-safe.

    ``hide`` is told of every secret before an adapter gets it, so that no log ever shows it.
    ``data`` is the user's data folder, ``terminals`` what Expert Advisors push and fetch.
    """

    def __init__(
        self,
        store: Store,
        vault: Vault,
        adapters: Mapping[str, VenueAdapter],
        clock: Clock,
        hide: Callable[[str], None],
        data: Path = Path("data"),
        terminals: Terminals | None = None,
    ) -> None:
        self._store = store
        self._vault = vault
        self.adapters = adapters
        self._clock = clock
        self._hide = hide
        self._data = data
        self._terminals = terminals
        self._opened: dict[str, VenueConnection] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()

    # --- accounts as they are kept --------------------------------------------------------------

    def account(self, account_id: str) -> VenueAccount:
        """Raises NotFound."""
        account = self._find(account_id)
        if account is None:
            raise NotFound(f"There is no account '{account_id}'.", field="account")
        return account

    def adapter(self, venue: str) -> VenueAdapter:
        """Raises NotFound."""
        adapter = self.adapters.get(venue)
        if adapter is None:
            known = ", ".join(self.adapters) or "none"
            raise NotFound(f"There is no venue '{venue}'; there are: {known}.", field="venue")
        return adapter

    def secrets(self, account_id: str) -> dict[str, str]:
        """The account's secrets by name, in the clear. Raises ConfigError."""
        with self._store.reading() as tx:
            kept = tx.secrets.select(account_id=account_id)
        return {one.name: self._vault.open(account_id, one.name, one.sealed) for one in kept}

    def access(self, account: VenueAccount, secrets: Mapping[str, str]) -> AccountAccess:
        """What an adapter gets to see of an account. Raises ConfigError for options that its
        model refuses, NotFound for a venue that is gone."""
        for value in secrets.values():
            self._hide(value)
        return AccountAccess(
            account_id=account.trading_id,
            market_id=account.market_id,
            mode=account.mode,
            options=checked_options(self.adapter(account.venue), account.options),
            secrets=dict(secrets),
            clock=self._clock,
            data=self._data,
            terminals=self._terminals,
        )

    # --- connections ----------------------------------------------------------------------------

    def open(self, account_id: str) -> VenueConnection:
        """The account's connection. Raises NotFound, ConfigError; asks the venue nothing yet."""
        found = self._opened.get(account_id)
        if found is not None:
            return found
        with self._lock_of(account_id):  # a vendor's library is slow to load: others do not wait
            found = self._opened.get(account_id)
            if found is None:
                account = self.account(account_id)
                found = self.connect(account, self.secrets(account_id))
                self._opened[account_id] = found
            return found

    def connect(self, account: VenueAccount, secrets: Mapping[str, str]) -> VenueConnection:
        """A connection that is the caller's own, to close. Raises ConfigError, NotFound."""
        return self.adapter(account.venue).open(self.access(account, secrets))

    def close(self, account_id: str) -> None:
        """Close an account's connection, if it is open; the next ``open`` makes a new one."""
        with self._lock_of(account_id):
            found = self._opened.pop(account_id, None)
        if found is not None:
            close_quietly(found)

    def usage(self, account_id: str) -> Sequence[ApiUsage]:
        """How much of its allowances an account has used; empty while it is not open."""
        found = self._opened.get(account_id)
        return found.usage() if found is not None else ()

    def close_all(self) -> None:
        """Close every connection."""
        for account_id in list(self._opened):
            self.close(account_id)

    # --- as markets and brokers -----------------------------------------------------------------

    def offered_markets(self) -> list[str]:
        """The market ids of accounts that are enabled, in the order in which they were added."""
        return [market_id for one in self._enabled() for market_id in one.market_ids
                if market_id == one.market_id]  # fmt: skip

    def offered_prices(self) -> list[str]:
        """The ids of their prices, for paper."""
        return [one.prices_id for one in self._enabled()]

    def market(self, market_id: str) -> MarketData:
        """The market of ``account:<id>`` or ``prices:<id>``. Raises NotFound, ConfigError."""
        account = self.account(market_id.partition(":")[2])
        if market_id not in account.market_ids:
            raise NotFound(f"There is no market '{market_id}'.", field="market")
        market = self.open(account.id).market
        return market if market_id == account.market_id else prices_of(market, market_id)

    def broker(self, trading_id: str, market: MarketData) -> Broker:
        """The broker of ``test:<id>`` or ``live:<id>``. Raises NotFound, ConfigError."""
        account = self._find(trading_id.partition(":")[2])
        if account is None or account.trading_id != trading_id:
            raise NotFound(f"There is no account '{trading_id}'.", field="account")
        if market.market_id != account.market_id:
            raise NotFound(f"'{trading_id}' does not trade on '{market.market_id}'.")
        return self.open(account.id).broker

    def trading_id(self, market_id: str) -> str:
        """The account that trades on ``account:<id>``. Raises NotFound."""
        return self.account(market_id.partition(":")[2]).trading_id

    def _find(self, account_id: str) -> VenueAccount | None:
        with self._store.reading() as tx:
            return tx.venue_accounts.find(account_id)

    def _enabled(self) -> list[VenueAccount]:
        with self._store.reading() as tx:
            return list(tx.venue_accounts.select(is_enabled=True))

    def _lock_of(self, account_id: str) -> threading.Lock:
        with self._lock:
            return self._locks[account_id]


def checked_options(adapter: VenueAdapter, given: Mapping[str, Any]) -> BaseModel:
    """The options by the adapter's model. Raises ConfigError naming ``options.<field>``."""
    try:
        return adapter.check_options(given)
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(str(part) for part in problem["loc"])
        words = problem["msg"].removeprefix("Value error, ").rstrip(".")
        name = field or "The options"
        raise ConfigError(f"{name}: {words}.", field=f"options.{field}") from None


def close_quietly(connection: VenueConnection) -> None:
    """Close a connection that nobody needs any more; what goes wrong is logged."""
    try:
        connection.close()
    except Exception:  # a vendor's own, and nothing is left to be done about it
        log.exception("a connection was not closed")
