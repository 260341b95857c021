"""Connections to added accounts: one an account, opened once, opened anew when it has to be."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from engine.bootstrap_accounts import account_brokers, account_markets
from engine.domain.instruments import Depth, Quote
from engine.domain.venue_accounts import Mode, SealedSecret, VenueAccount
from engine.errors import ConfigError, NotFound
from engine.ports import (
    AccountAccess,
    Broker,
    BulkMarket,
    DepthMarket,
    MarketData,
    SparseMarket,
    StreamingMarket,
    VenueConnection,
)
from engine.services.connections import Connections
from engine.services.lane_calls import LaneCalls
from engine.services.lanes import Lanes
from engine.services.paper_prices import MORE, prices_of
from engine.services.registry import VenueRegistry
from tests.fakes.broker import ScriptedBroker
from tests.fakes.clock import START, FakeClock
from tests.fakes.market import FakeMarket
from tests.fakes.memory_store import MemoryStore
from tests.fakes.vault import FakeVault
from tests.fakes.venue_adapter import FakeVenue


@dataclass
class Setting:
    """Connections over a store in memory."""

    store: MemoryStore
    venue: FakeVenue
    connections: Connections
    venues: VenueRegistry
    hidden: list[str]

    def keep(self, account_id: str = "a1", mode: Mode = Mode.TEST, **changes: Any) -> VenueAccount:
        """An account as it is in the database."""
        fields: dict[str, Any] = {
            "id": account_id, "name": f"Account {account_id}", "venue": "fake", "mode": mode,
            "created_at": START, "updated_at": START,
        }  # fmt: skip
        account = VenueAccount(**(fields | changes))
        with self.store.transaction() as tx:
            tx.venue_accounts.add(account)
            for name in ("key", "secret"):
                sealed = FakeVault().seal(account_id, name, f"{name}-of-{account_id}")
                tx.secrets.add(
                    SealedSecret(id=f"{account_id}/{name}", account_id=account_id, name=name,
                                 sealed=sealed, updated_at=START)
                )  # fmt: skip
        return account


def other_test_account(account_id: str, _market: MarketData) -> Broker:
    """What the settings' own test account is made by."""
    return ScriptedBroker(account_id)


@pytest.fixture
def setting() -> Setting:
    store, venue, hidden = MemoryStore(), FakeVenue(), list[str]()
    adapters = {"fake": venue.adapter()}
    connections = Connections(store, FakeVault(), adapters, FakeClock(), hidden.append)
    brokers = account_brokers(connections, other_test_account)
    brokers["paper"] = lambda account_id, _market: ScriptedBroker(account_id)
    venues = VenueRegistry(account_markets(connections), brokers)
    return Setting(store, venue, connections, venues, hidden)


def test_market_broker_and_prices_share_one_connection(setting: Setting) -> None:
    account = setting.keep(mode=Mode.LIVE)
    assert setting.venues.market_ids() == ["account:a1", "prices:a1"]
    market = setting.venues.market("account:a1")
    assert setting.venues.account_of("account:a1", "b") == account.trading_id == "live:a1"
    broker = setting.venues.broker("live:a1", market)
    assert (market.market_id, broker.account_id) == ("account:a1", "live:a1")
    prices = setting.venues.market("prices:a1")
    assert (prices.market_id, setting.venues.account_of("prices:a1", "b")) == (
        "prices:a1", "paper:prices:a1"
    )  # fmt: skip
    assert prices.quote("BTC/USDT") == market.quote("BTC/USDT")
    assert len(setting.venue.opened) == 1
    assert setting.venue.opened[0].secrets == {"key": "key-of-a1", "secret": "secret-of-a1"}
    assert set(setting.hidden) == {"key-of-a1", "secret-of-a1"}
    assert "secret-of-a1" not in repr(setting.venue.opened[0])


def test_no_account_is_reached_under_another_mode_or_market(setting: Setting) -> None:
    setting.keep()
    setting.keep("a2", Mode.LIVE)
    market = setting.venues.market("account:a1")
    for trading_id in ("live:a1", "live:a3"):
        with pytest.raises(NotFound, match=f"no account '{trading_id}'"):
            setting.venues.broker(trading_id, market)
    with pytest.raises(NotFound, match="does not trade on 'account:a1'"):
        setting.venues.broker("live:a2", market)
    with pytest.raises(NotFound, match="no account 'a3'"):
        setting.venues.market("account:a3")
    with pytest.raises(NotFound, match="no account 'a3'"):
        setting.venues.account_of("account:a3", "b")
    elsewhere = setting.venues.broker("test:binance", FakeMarket())
    assert elsewhere.account_id == "test:binance"
    assert len(setting.venue.opened) == 1


def test_a_disabled_account_is_not_offered_and_still_there_for_its_exits(setting: Setting) -> None:
    setting.keep(is_enabled=False)
    assert setting.venues.market_ids() == []
    market = setting.venues.market("account:a1")
    assert setting.venues.broker("test:a1", market).balances() is not None


def test_many_threads_open_an_account_once(setting: Setting) -> None:
    setting.keep()
    gate, inner = threading.Barrier(8), setting.connections.adapters["fake"].open

    def slow_open(access: AccountAccess) -> VenueConnection:
        threading.Event().wait(0.02)  # as long as a library is loaded
        return inner(access)

    adapters = {"fake": replace(setting.connections.adapters["fake"], open=slow_open)}
    setting.connections.adapters = adapters

    def open_it(_number: int) -> VenueConnection:
        gate.wait(5)
        return setting.connections.open("a1")

    with ThreadPoolExecutor(8) as pool:
        assert len({id(one) for one in pool.map(open_it, range(8))}) == 1
    assert len(setting.venue.opened) == 1


def test_a_closed_connection_is_opened_anew_and_the_registry_forgets_it(setting: Setting) -> None:
    account = setting.keep()
    market = setting.venues.market("account:a1")
    broker = setting.venues.broker("test:a1", market)
    prices = setting.venues.market("prices:a1")
    setting.connections.close("a1")
    setting.venues.renew(account.market_ids, account.trading_id)
    assert setting.venue.closed == ["test:a1"]
    fresh = setting.venues.market("account:a1")
    assert fresh is not market
    assert setting.venues.market("prices:a1") is not prices
    assert setting.venues.broker("test:a1", fresh) is not broker
    setting.connections.close_all()
    setting.connections.close_all()
    assert setting.venue.closed == ["test:a1"] * 2


def test_a_market_made_while_it_was_renewed_is_not_kept(setting: Setting) -> None:
    account = setting.keep()
    inner = setting.connections.adapters["fake"].open

    def renewed_meanwhile(access: AccountAccess) -> VenueConnection:
        setting.venues.renew(account.market_ids, account.trading_id)
        return inner(access)

    adapter = replace(setting.connections.adapters["fake"], open=renewed_meanwhile)
    setting.connections.adapters = {"fake": adapter}
    stale = setting.venues.market("account:a1")
    setting.connections.adapters = {"fake": replace(adapter, open=inner)}
    setting.connections.close("a1")
    assert setting.venues.market("account:a1") is not stale


def test_what_is_gone_or_broken_is_a_sentence(setting: Setting) -> None:
    setting.keep(options={"window_s": 0})
    setting.keep("a2", venue="closed")
    with pytest.raises(ConfigError, match="window_s") as caught:
        setting.connections.open("a1")
    assert caught.value.field == "options.window_s"
    with pytest.raises(NotFound, match="no venue 'closed'; there are: fake"):
        setting.connections.open("a2")


def test_a_connection_that_cannot_be_closed_is_logged_and_left(
    setting: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    setting.keep()
    inner = setting.connections.adapters["fake"].open

    def fail() -> None:
        raise RuntimeError("stuck")

    def open_it(access: AccountAccess) -> VenueConnection:
        return replace(inner(access), close=fail)

    adapter = replace(setting.connections.adapters["fake"], open=open_it)
    setting.connections.adapters = {"fake": adapter}
    setting.connections.open("a1")
    setting.connections.close("a1")
    assert "not closed" in caplog.text
    setting.connections.open("a1")
    assert len(setting.venue.opened) == 2


# --- prices on paper --------------------------------------------------------------------------


class Everything(FakeMarket):
    """A market that does all that a market may do beside."""

    has_empty_bars_left_out = True

    def watch(self, symbol: str, on_quote: Callable[[Quote], None]) -> Callable[[], None]:
        on_quote(self.quote(symbol))
        return lambda: None

    def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        return {symbol: self.quote(symbol) for symbol in symbols}

    def depth(self, symbol: str, levels: int) -> Depth:
        raise NotFound(f"{symbol} {levels}")


def test_prices_do_what_their_market_does_and_no_more() -> None:
    plain = prices_of(FakeMarket(), "prices:a1")
    assert not any(isinstance(plain, protocol) for protocol in MORE)
    market = Everything()
    market.history("BTC/USDT", [100, 101, 102])
    full = prices_of(market, "prices:a1")
    assert isinstance(full, StreamingMarket)
    assert isinstance(full, BulkMarket)
    assert isinstance(full, DepthMarket)
    assert isinstance(full, SparseMarket)
    told: list[Quote] = []
    full.watch("BTC/USDT", told.append)()
    assert told == [market.quote("BTC/USDT")]
    assert full.quotes(["BTC/USDT"]) == {"BTC/USDT": told[0]}
    assert full.has_empty_bars_left_out
    with pytest.raises(NotFound, match="BTC/USDT 5"):
        full.depth("BTC/USDT", 5)
    assert (full.market_id, full.now()) == ("prices:a1", market.now())
    assert full.instruments() == market.instruments()
    assert full.instrument("BTC/USDT") == market.instrument("BTC/USDT")
    assert full.timeframes() == market.timeframes()
    assert len(full.candles("BTC/USDT", "1m", limit=2)) == 2
    assert len(full.candles("BTC/USDT", "1m", limit=9, before=START)) == 0
    assert full.quote("BTC/USDT", seen_price=Decimal(1)) == market.quote("BTC/USDT")
    assert len(full.bars_since("BTC/USDT", datetime(2020, 1, 1, tzinfo=UTC))) == 3


# --- calls that are carried out for certain -----------------------------------------------------


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join(60)
    loop.close()


def test_what_must_be_finished_is_finished_behind_a_call_that_hangs(
    loop: asyncio.AbstractEventLoop,
) -> None:
    lanes, release, done = Lanes(), threading.Event(), threading.Event()
    calls = LaneCalls(lanes, loop, patience_s=0.02)
    calls.finish("a1", release.wait, 5)
    calls.finish("a1", done.set)  # waits behind it, and is not given up
    assert not done.is_set()
    release.set()
    assert done.wait(60)
    lanes.close()


def test_the_thread_of_an_account_that_is_gone_is_given_back(
    loop: asyncio.AbstractEventLoop,
) -> None:
    lanes, release, done = Lanes(), threading.Event(), threading.Event()
    calls = LaneCalls(lanes, loop, patience_s=0.02)
    calls.finish("a1", release.wait, 5)
    calls.finish("a1", done.set)
    calls.retire("a1")
    release.set()
    assert done.wait(60)  # what was asked before is done all the same
    assert calls.run("a1", lambda: 7, look_at="Nothing") == 7  # and a later call has another
    lanes.close()


def test_what_goes_wrong_meanwhile_is_raised(loop: asyncio.AbstractEventLoop) -> None:
    def fail() -> None:
        raise ConfigError("no")

    lanes = Lanes()
    with pytest.raises(ConfigError, match="no"):
        LaneCalls(lanes, loop).finish("a1", fail)
    lanes.close()
