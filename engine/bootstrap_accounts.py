"""The accounts that a person adds: their secrets, their connections, their markets."""

from collections.abc import Callable
from pathlib import Path

from engine.adapters.brokers.venues import find_adapters
from engine.adapters.clock.system import SystemClock
from engine.adapters.secrets.aes_vault import AesVault
from engine.adapters.secrets.key_sources import KeySources, system_keyring
from engine.ports import Broker, MarketData, Store, Terminals, Vault
from engine.services.connections import Connections
from engine.services.registry import BrokerFactory, MarketKind
from engine.settings import Settings


def build_vault(settings: Settings, store: Store) -> Vault:
    """What seals secrets, of accounts and of channels; no key is looked for before it is needed."""

    def has_secrets() -> bool:
        with store.reading() as tx:
            sealed = any(fields for (fields,) in tx.channels.values("sealed"))
            return sealed or tx.secrets.count() + tx.listeners.count() > 0

    given = settings.secret_key.get_secret_value().strip() if settings.secret_key else ""
    keyring = system_keyring if settings.keyring else None
    return AesVault(KeySources(settings.data, given or None, keyring, has_secrets).find)


def build_connections(
    vault: Vault, store: Store, clock: SystemClock, hide: Callable[[str], None], data: Path,
    terminals: Terminals,
) -> Connections:  # fmt: skip
    """Connections to all venues there are adapters for."""
    return Connections(store, vault, find_adapters(), clock, hide, data, terminals)


def account_markets(connections: Connections) -> dict[str, MarketKind]:
    """The accounts' own markets, and their venues' prices for paper."""
    return {
        "account": MarketKind(
            connections.market, connections.offered_markets, account_of=connections.trading_id
        ),
        "prices": MarketKind(connections.market, connections.offered_prices),
    }


def account_brokers(connections: Connections, others: BrokerFactory) -> dict[str, BrokerFactory]:
    """Brokers by the kind of account; ``others`` makes those of test accounts that nobody added."""

    def test(account_id: str, market: MarketData) -> Broker:
        is_added = market.market_id.startswith("account:")
        return (connections.broker if is_added else others)(account_id, market)

    return {"test": test, "live": connections.broker}
