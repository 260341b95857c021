"""The markets there are, and the accounts that trade on them."""

from engine.adapters.brokers.paper import PaperBroker
from engine.adapters.clock.system import SystemClock
from engine.adapters.market_data.pushed import PushedMarket
from engine.adapters.market_data.replay import ReplayMarket, find_replays
from engine.adapters.market_data.simulated import SimulatedMarket
from engine.adapters.store.paper_book import SqlPaperBook
from engine.adapters.store.store import SqlStore
from engine.bootstrap_accounts import account_brokers, account_markets
from engine.bootstrap_candles import (
    OFFERED_EXCHANGES,
)  # fmt: skip
from engine.domain.pushed import MARKET_KIND, market_of
from engine.errors import NotFound
from engine.links.binance import test_addresses
from engine.links.pause import Pause
from engine.ports import Broker, MarketData, Terminals
from engine.services.connections import Connections
from engine.services.registry import (
    PAPER,
    BrokerFactory,
    MarketFactory,
    MarketKind,
    VenueRegistry,
)
from engine.settings import Settings

TESTNET = "testnet:binance"


def build_venues(
    settings: Settings, store: SqlStore, clock: SystemClock, connections: Connections,
    terminals: Terminals,
) -> VenueRegistry:  # fmt: skip
    """The markets there are, paper accounts over each of them, and the accounts a person added."""
    book = SqlPaperBook(store.database)
    candles = settings.data / "candles"

    def simulated(_market_id: str) -> MarketData:
        return SimulatedMarket(settings.simulation_seed, clock)

    def paper(account_id: str, market: MarketData) -> Broker:
        return PaperBroker(
            account_id,
            market,
            book,
            opening_balance=settings.paper_balance,
            fee_bps=settings.paper_fee_bps,
            slippage_bps=settings.paper_slippage_bps,
            volume_cap=settings.paper_volume_cap,
        )

    def ccxt(market_id: str) -> MarketData:
        from engine.adapters.market_data.ccxt_streams import CcxtStreamingMarket

        return CcxtStreamingMarket(market_id, clock)

    def pushed(market_id: str) -> MarketData:
        account = market_id.partition(":")[2]
        if account not in terminals.accounts():
            raise NotFound(
                f"No prices were pushed for '{market_id}' yet: see docs/metatrader.md.",
                field="market",
            )
        return PushedMarket(market_id, account, terminals, clock)

    test_market, test_account = binance_test_network(settings, clock)
    kinds = {
        "simulated": MarketKind(simulated, lambda: ["simulated"]),
        "replay": MarketKind(
            ReplayMarket, lambda: find_replays(candles),
            is_stepped=True,
        ),
        "ccxt": MarketKind(ccxt, lambda: list(OFFERED_EXCHANGES)),
        "testnet": MarketKind(
            test_market, lambda: [TESTNET] if settings.keys else [], account_kind="test"
        ),
        MARKET_KIND: MarketKind(
            pushed, lambda: [market_of(account) for account in terminals.accounts()]
        ),
        **account_markets(connections),
    }  # fmt: skip
    return VenueRegistry(kinds, {PAPER: paper, **account_brokers(connections, test_account)})


def binance_test_network(
    settings: Settings, clock: SystemClock
) -> tuple[MarketFactory, BrokerFactory]:
    """The market and the account of Binance's test network."""
    pause = Pause(clock.monotonic)  # both speak from one address

    def make_market(market_id: str) -> MarketData:
        from engine.adapters.market_data.ccxt_streams import CcxtStreamingMarket

        if market_id != TESTNET:
            raise NotFound(f"There is no market '{market_id}'.", field="market")
        addresses = test_addresses(settings.binance_test_url)
        return CcxtStreamingMarket(
            market_id, clock, addresses=addresses, can_short=False, pause=pause
        )

    def make_account(account_id: str, market: MarketData) -> Broker:
        from engine.adapters.brokers.ccxt_spot import CcxtSpotBroker
        from engine.adapters.market_data.ccxt_streams import CcxtStreamingMarket

        if market.market_id != TESTNET or not isinstance(market, CcxtStreamingMarket):
            raise NotFound(f"'{account_id}' does not trade on '{market.market_id}'.")
        if not settings.keys:
            raise NotFound(
                f"'{account_id}' has no key: set QUARTERDECK_BINANCE_TEST_KEY and _SECRET."
            )
        key, secret = settings.keys
        return CcxtSpotBroker(
            account_id, market, clock, key=key, secret=secret,
            addresses=test_addresses(settings.binance_test_url),
            refresh_listing=market.refresh, pause=pause,
        )  # fmt: skip

    return make_market, make_account
