"""How the engine comes to its test account: settings, addresses, secrets that stay secret."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.adapters.clock.system import SystemClock
from engine.adapters.store.store import SqlStore
from engine.api.settings_view import SettingsDesk
from engine.bootstrap_venues import TESTNET, build_venues
from engine.domain.orders import OrderRequest, OrderState, Side
from engine.errors import BrokerError, ConfigError, NotFound
from engine.links.binance import test_addresses as addresses_of
from engine.ports import StreamingBroker, StreamingMarket
from engine.services.books import Books
from engine.services.connections import Connections
from engine.services.registry import VenueRegistry
from engine.services.terminals import TerminalBooks
from engine.settings import Settings, load_settings
from tests.contract.exchange_venue import ExchangeVenue, exchange_venue
from tests.fakes.exchange import KEY, SECRET, BinanceExchange, binance_exchange
from tests.fakes.vault import FakeVault

ACCOUNT = "test:binance"
BUY = OrderRequest(client_id="a", symbol="BTC/USDT", side=Side.BUY, quantity=Decimal("0.1"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    store = SqlStore.open(f"sqlite:///{tmp_path / 'state.db'}")
    yield store
    store.close()


@pytest.fixture
def exchange() -> Iterator[BinanceExchange]:
    with binance_exchange() as exchange:
        yield exchange


@pytest.fixture
def venue() -> Iterator[ExchangeVenue]:
    with exchange_venue() as venue:
        yield venue


def settings_of(folder: Path, url: str, **told: Any) -> Settings:
    """Settings of an engine whose test network is the loopback exchange."""
    keys = {"binance_test_key": KEY, "binance_test_secret": SECRET, "binance_test_url": url}
    return Settings(data=folder, **(keys | told))


def venues_of(settings: Settings, store: SqlStore) -> VenueRegistry:
    """The venues as the engine builds them."""
    clock = SystemClock()
    connections = Connections(store, FakeVault(), {}, clock, lambda _secret: None)
    return build_venues(settings, store, clock, connections, TerminalBooks(store))


def test_with_a_key_the_test_network_is_a_market_with_an_account_that_trades(
    tmp_path: Path, store: SqlStore, exchange: BinanceExchange
) -> None:
    venues = venues_of(settings_of(tmp_path, exchange.url), store)
    assert TESTNET in venues.market_ids()
    assert venues.account_of(TESTNET, "bot") == ACCOUNT
    market = venues.market(TESTNET)
    broker = venues.broker(ACCOUNT, market)
    assert isinstance(market, StreamingMarket)
    assert isinstance(broker, StreamingBroker)
    assert market.instrument("BTC/USDT").can_short is False
    assert broker.capabilities.is_paper is False
    assert broker.submit(BUY).state is OrderState.FILLED
    exchange.fault("step_change", value="BTCUSDT 0.5")
    with pytest.raises(BrokerError, match="LOT_SIZE"):
        broker.submit(BUY)
    assert market.instrument("BTC/USDT").quantity_step == Decimal("0.5")


@pytest.mark.parametrize(
    "missing", [{"binance_test_key": None}, {"binance_test_secret": " "}], ids=["key", "secret"]
)
def test_without_a_key_it_is_not_offered_and_trades_nothing(
    tmp_path: Path, store: SqlStore, exchange: BinanceExchange, missing: dict[str, Any]
) -> None:
    venues = venues_of(settings_of(tmp_path, exchange.url, **missing), store)
    assert TESTNET not in venues.market_ids()
    with pytest.raises(NotFound, match="has no key"):
        venues.broker(ACCOUNT, venues.market(TESTNET))


def test_the_account_trades_on_its_own_market_only(
    tmp_path: Path, store: SqlStore, exchange: BinanceExchange
) -> None:
    venues = venues_of(settings_of(tmp_path, exchange.url), store)
    with pytest.raises(NotFound, match="does not trade on 'simulated'"):
        venues.broker(ACCOUNT, venues.market("simulated"))
    with pytest.raises(NotFound, match="no account 'live:binance'"):
        venues.broker("live:binance", venues.market(TESTNET))
    with pytest.raises(NotFound, match="no market 'testnet:kraken'"):
        venues.market("testnet:kraken")


# --- no real money -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://api.binance.com", "https://api1.binance.com", "http://testnet.binance.vision",
        "https://testnet.binance.vision.example.com", "https://testnet.binance.vision@1.2.3.4",
        "https://testnet.binance.vision:444", "http://127.0.0.1.example.com", "http://10.0.0.1:80",
        "https://127.0.0.1:1", "http://user@127.0.0.1:1", "http://127.0.0.1:1/api", "", "ftp://::1",
    ],
)  # fmt: skip
def test_an_address_where_money_may_be_real_is_refused(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    with pytest.raises(ConfigError, match="test network only"):
        addresses_of(url)
    monkeypatch.setenv("QUARTERDECK_BINANCE_TEST_URL", url)
    with pytest.raises(ConfigError, match="QUARTERDECK_BINANCE_TEST_URL cannot be used"):
        load_settings()


@pytest.mark.parametrize(
    "url", ["https://testnet.binance.vision", "https://testnet.binance.vision/",
            "http://127.0.0.1:8123", "http://localhost:8123", "http://[::1]:8123"],
)  # fmt: skip
def test_the_test_network_and_this_machine_are_taken(url: str) -> None:
    addresses = addresses_of(url)
    assert addresses.rest == url.rstrip("/")
    assert addresses.user_stream.endswith("/ws-api/v3")


def test_nothing_but_the_given_address_is_ever_asked(venue: ExchangeVenue) -> None:
    """Every address that ccxt could send a request to is the exchange's own."""
    told = str(venue.broker._client._exchange.urls["api"])
    assert "binance.com" not in told
    assert told.count(venue.exchange.url.removeprefix("http://")) == told.count("://")


# --- secrets -------------------------------------------------------------------------------------


def test_key_and_secret_are_shown_nowhere(tmp_path: Path, store: SqlStore) -> None:
    settings = settings_of(tmp_path, "http://127.0.0.1:1")
    assert settings.keys == (KEY, SECRET)
    views = SettingsDesk(Books(store, SystemClock()), settings).views()
    shown = {view.key: view.value for view in views if "binance_test" in view.key}
    assert shown == {
        "binance_test_key": "(set)",
        "binance_test_secret": "(set)",
        "binance_test_url": "http://127.0.0.1:1",
    }
    for text in (repr(settings), str(settings), settings.model_dump_json(), repr(views)):
        assert KEY not in text
        assert SECRET not in text


def test_neither_a_log_nor_an_error_has_a_key_or_a_signature(
    venue: ExchangeVenue, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told = []
    for fault in ("cut", "nan_json", "status_5xx", "error", "key_revoked"):
        scripted = venue.exchange.fault(fault, on="POST order")
        with pytest.raises(BrokerError) as raised:
            venue.broker.submit(BUY)
        venue.exchange.release(scripted)
        told.append(f"{raised.value} {raised.value!r}")
    venue.broker.executions("BTC/USDT", datetime.now(UTC))
    sent = [request.sent["signature"] for request in venue.exchange.requests
            if "signature" in request.sent]  # fmt: skip
    said = "\n".join([*told, *(record.getMessage() for record in caplog.records)])
    assert sent
    assert not [secret for secret in (KEY, SECRET, *sent) if secret in said]
