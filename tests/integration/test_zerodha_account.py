"""An account at Zerodha as a person has it: added, logged in for the day, and again the next."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import pytest

from engine.adapters.brokers.venues import find_adapters
from engine.domain.orders import OrderRequest, OrderState, Side
from engine.domain.venue_accounts import Mode, VenueAccount
from engine.errors import AccessDenied, ConfigError, Conflict
from engine.services.books import Books
from engine.services.connections import Connections
from engine.services.venue_accounts import NewAccount, VenueAccounts
from tests.contract.kite_venue import NOON, SYMBOL
from tests.fakes.clock import FakeClock
from tests.fakes.kite import API_KEY, API_SECRET, Kite, kite_server
from tests.fakes.kite.kite import REQUEST_TOKEN
from tests.fakes.lane_calls import InlineCalls
from tests.fakes.memory_store import MemoryStore
from tests.fakes.vault import FakeVault

NEXT_TOKEN = "requesttokenofthenextday00000002"


@dataclass
class Desk:
    """The accounts' service over the real adapter, and Kite behind it."""

    kite: Kite
    clock: FakeClock
    store: MemoryStore
    connections: Connections
    accounts: VenueAccounts

    def add(self) -> VenueAccount:
        """An account at the stand-in."""
        asked = NewAccount(
            name="Kite", venue="zerodha", mode=Mode.TEST, options={"address": self.kite.url},
            secrets={"api_key": API_KEY, "api_secret": API_SECRET},
        )  # fmt: skip
        return self.accounts.add(asked, "me")

    def log_in(self, account: VenueAccount, token: str = REQUEST_TOKEN) -> VenueAccount:
        """Give the address that the browser ended on."""
        answer = f"http://127.0.0.1/?action=login&status=success&request_token={token}"
        return self.accounts.complete_login(account.id, answer, "me")

    def buy(self, account: VenueAccount, client_id: str) -> OrderState:
        """One share."""
        broker = self.connections.open(account.id).broker
        request = OrderRequest(
            client_id=client_id, symbol=SYMBOL, side=Side.BUY, quantity=Decimal(1)
        )
        return broker.submit(request).state


@pytest.fixture
def desk() -> Iterator[Desk]:
    clock = FakeClock(NOON)
    with kite_server(clock.now) as kite:
        store, vault = MemoryStore(clock.now), FakeVault()
        books = Books(store, clock)
        connections = Connections(store, vault, find_adapters(), clock, lambda _secret: None)
        accounts = VenueAccounts(books, connections, vault, InlineCalls())
        yield Desk(kite, clock, store, connections, accounts)


def test_an_account_waits_for_its_login_and_then_trades(desk: Desk) -> None:
    account = desk.add()
    assert account.inspection is None
    with pytest.raises(Conflict, match="Log in"):
        desk.accounts.test(account.id, "me")
    assert API_KEY in desk.accounts.login_url(account.id)
    account = desk.log_in(account)
    assert account.inspection is not None
    assert account.inspection.is_usable
    assert account.expires_at is not None
    assert f"{account.expires_at:%d %H:%M}" == "03 00:30"
    assert desk.buy(account, "a") is OrderState.FILLED


def test_the_next_day_needs_the_next_login_and_goes_on_with_it(desk: Desk) -> None:
    account = desk.log_in(desk.add())
    desk.buy(account, "a")
    desk.kite.next_day()
    desk.clock.advance(86_400)
    desk.kite.token, desk.kite.request_tokens = "tokenofthenextday", {NEXT_TOKEN}
    with pytest.raises(AccessDenied, match="log in again on the Accounts page"):
        desk.connections.open(account.id).broker.balances()
    account = desk.log_in(account, NEXT_TOKEN)
    assert account.inspection is not None
    assert account.inspection.balances[SYMBOL] == 1
    assert desk.buy(account, "b") is OrderState.FILLED


def test_a_login_that_fails_leaves_the_account_as_it_was(desk: Desk) -> None:
    account = desk.log_in(desk.add())
    with pytest.raises(AccessDenied, match="does not accept this login"):
        desk.log_in(account)  # the token was used
    with pytest.raises(ConfigError, match="request_token"):
        desk.accounts.complete_login(account.id, "http://127.0.0.1/", "me")
    assert desk.buy(account, "a") is OrderState.FILLED


def test_no_secret_is_kept_in_the_clear_or_told_in_an_event(desk: Desk) -> None:
    desk.log_in(desk.add())
    tables = ("venue_accounts", "account_secrets", "audit_entries", "events")
    kept = "".join(str(desk.store.rows(name)) for name in tables)
    for secret in (API_SECRET, REQUEST_TOKEN, desk.kite.token):
        assert secret not in kept
