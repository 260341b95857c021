"""Accounts at Alpaca as a person has them: one of stocks and one of crypto, tested when added."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from engine.adapters.brokers.venues import find_adapters
from engine.domain.orders import OrderRequest, OrderState, Side
from engine.domain.venue_accounts import Mode, VenueAccount
from engine.services.books import Books
from engine.services.connections import Connections
from engine.services.venue_accounts import NewAccount, VenueAccounts
from tests.contract.alpaca_venue import TRADING_HOURS
from tests.fakes.alpaca import SECRET, AlpacaExchange, alpaca_exchange
from tests.fakes.clock import FakeClock
from tests.fakes.lane_calls import InlineCalls
from tests.fakes.memory_store import MemoryStore
from tests.fakes.vault import FakeVault


@dataclass
class Desk:
    """The accounts' service over the real adapter, and Alpaca behind it."""

    exchange: AlpacaExchange
    store: MemoryStore
    connections: Connections
    accounts: VenueAccounts

    def add(self, name: str, secret: str = SECRET, **options: Any) -> VenueAccount:
        """An account at the stand-in."""
        url = self.exchange.url
        asked = NewAccount(
            name=name, venue="alpaca", mode=Mode.TEST,
            options={"trading_url": url, "data_url": url} | options,
            secrets={"key": self.exchange.key, "secret": secret},
        )  # fmt: skip
        return self.accounts.add(asked, "me")


@pytest.fixture
def desk() -> Iterator[Desk]:
    clock = FakeClock(TRADING_HOURS)
    with alpaca_exchange(clock.now) as exchange:
        store, vault = MemoryStore(clock.now), FakeVault()
        connections = Connections(store, vault, find_adapters(), clock, lambda _secret: None)
        accounts = VenueAccounts(Books(store, clock), connections, vault, InlineCalls())
        yield Desk(exchange, store, connections, accounts)


def test_one_key_serves_an_account_of_stocks_and_one_of_crypto(desk: Desk) -> None:
    stocks, crypto = desk.add("Stocks"), desk.add("Crypto", trades="crypto")
    for account, symbol, quantity in ((stocks, "AAPL", "3"), (crypto, "BTC/USD", "0.1")):
        assert account.inspection is not None
        assert account.inspection.is_usable
        broker = desk.connections.open(account.id).broker
        assert broker.account_id == f"test:{account.id}"
        request = OrderRequest(
            client_id=f"in-{account.id}", symbol=symbol, side=Side.BUY, quantity=Decimal(quantity)
        )
        assert broker.submit(request).state is OrderState.FILLED
    held = [set(desk.connections.open(one.id).broker.balances()) for one in (stocks, crypto)]
    assert held == [{"USD", "AAPL"}, {"USD", "BTC"}]


def test_a_wrong_key_is_told_at_once_with_what_to_do(desk: Desk) -> None:
    account = desk.add("Wrong", secret="another")
    assert not account.is_enabled
    assert account.inspection is not None
    [check] = account.inspection.checks
    assert "does not accept the key" in check.detail
    assert "Make a new key" in check.advice


def test_no_secret_is_kept_in_the_clear_or_told_in_an_event(desk: Desk) -> None:
    desk.add("Stocks")
    tables = ("venue_accounts", "account_secrets", "audit_entries", "events")
    assert SECRET not in "".join(str(desk.store.rows(name)) for name in tables)
