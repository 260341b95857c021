"""Accounts of the fake engine: the real services over memory, a fake vault and a fake venue."""

from collections.abc import Callable, Sequence
from datetime import datetime

from engine.api.market_views import market_views
from engine.api.venue_account_desk import VenueAccountDesk
from engine.bootstrap_accounts import account_markets
from engine.contracts import MarketView
from engine.domain.bots import Bot, BotConfig
from engine.domain.venue_accounts import Mode, mode_of
from engine.services.books import Books
from engine.services.bots import require_name
from engine.services.connections import Connections
from engine.services.registry import VenueRegistry
from engine.services.venue_accounts import VenueAccounts
from tests.fakes.accounts import ACCOUNT
from tests.fakes.candle_desk import NowClock
from tests.fakes.lane_calls import InlineCalls
from tests.fakes.memory_store import MemoryStore
from tests.fakes.vault import FakeVault
from tests.fakes.venue_adapter import FakeVenue


class FakeVenueAccounts(VenueAccountDesk):
    """Implements ``VenueAccountServices``. ``venue``, ``vault`` and ``calls`` can be read and set
    by a test; ``hidden`` are the secrets that the logs were told of."""

    venue: FakeVenue
    vault: FakeVault
    calls: InlineCalls
    hidden: set[str]

    def markets(self) -> Sequence[MarketView]:
        """Those of the accounts that are enabled."""
        return market_views(VenueRegistry(account_markets(self.connections), {}), self.connections)

    def account_of(self, market_id: str) -> str:
        """The account of a bot on a market. Raises NotFound."""
        kind = market_id.partition(":")[0]
        if kind == "account":
            return self.connections.trading_id(market_id)
        return f"paper:{market_id}" if kind == "prices" else ACCOUNT

    def name_of(self, market_id: str) -> str:
        """What the account of a market is called; empty for other markets."""
        kind, _, account_id = market_id.partition(":")
        added = self.books.venue_accounts.get(account_id)
        return added.name if added is not None and kind in ("account", "prices") else ""

    def confirmed_account(self, config: BotConfig, typed: str) -> str:
        """The same, once it is confirmed where it has real money. Raises like the engine."""
        account_id = self.account_of(config.market)
        if mode_of(account_id) == Mode.LIVE:
            require_name(config.name, typed)
        return account_id


def fake_venue_accounts(
    now: Callable[[], datetime], bots: dict[str, Bot] | None = None
) -> FakeVenueAccounts:
    """A desk without an account, with a venue that has a key and one that has a daily login;
    ``bots`` are those that may use its accounts."""
    clock, vault, calls = NowClock(now), FakeVault(), InlineCalls()
    venue, hidden = FakeVenue(), set[str]()
    store = MemoryStore(now)
    books = Books(store, clock)
    if bots is not None:
        books.bots = bots
    adapters = {
        "fake": venue.adapter(),
        "fakedaily": venue.adapter(has_login=True, title="Venue with a login"),
    }
    connections = Connections(store, vault, adapters, clock, hidden.add)
    accounts = VenueAccounts(books, connections, vault, calls)
    desk = FakeVenueAccounts(books, accounts, connections)
    for name, value in (("venue", venue), ("vault", vault), ("calls", calls), ("hidden", hidden)):
        object.__setattr__(desk, name, value)
    return desk
