"""The venue 'rest' as the account form opens it: a file of the data folder, and its secrets."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from engine.adapters.brokers.rest.loading import EXAMPLE_FILE
from engine.adapters.brokers.venues.rest import ADAPTER
from engine.adapters.clock.system import SystemClock
from engine.domain.orders import OrderRequest, OrderState, Side
from engine.domain.venue_accounts import Mode
from engine.errors import AccessDenied, ConfigError
from engine.ports import AccountAccess, Broker, MarketData, VenueConnection
from engine.services.books import Books
from engine.services.connections import Connections
from engine.services.venue_accounts import NewAccount, VenueAccounts
from tests.fakes.lane_calls import InlineCalls
from tests.fakes.memory_store import MemoryStore
from tests.fakes.rest_exchange import KEY, SECRET, ExampleExchange, example_exchange
from tests.fakes.vault import FakeVault

SECRETS = {"key": KEY, "secret": SECRET}


@pytest.fixture
def exchange() -> Iterator[ExampleExchange]:
    with example_exchange() as exchange:
        yield exchange


@pytest.fixture
def data(exchange: ExampleExchange, tmp_path: Path) -> Path:
    """A data folder with a description of the exchange, which has no sandbox."""
    write(tmp_path, exchange)
    return tmp_path


def write(data: Path, exchange: ExampleExchange, *changes: tuple[str, str]) -> None:
    """Describe the exchange in a data folder."""
    text = EXAMPLE_FILE.read_text("utf-8")
    test = "  test: https://api.sandbox.exchange.example\n"
    told = (test, ""), ("https://api.exchange.example", exchange.url), *changes
    for old, new in told:
        assert old in text
        text = text.replace(old, new)
    (data / "brokers").mkdir(exist_ok=True)
    (data / "brokers" / "mine.yaml").write_text(text)


def opened(
    data: Path, mode: Mode = Mode.LIVE, name: str = "mine", secrets: Mapping[str, str] = SECRETS
) -> Any:
    """The connection as the engine asks for it."""
    access = AccountAccess(
        f"{mode.value}:mine", "account:mine", mode, ADAPTER.check_options({"description": name}),
        secrets, SystemClock(), data=data,
    )  # fmt: skip
    return ADAPTER.open(access)


def test_an_account_is_opened_inspected_and_closed(data: Path, exchange: ExampleExchange) -> None:
    connection: VenueConnection = opened(data)
    assert exchange.requests == []  # nothing was asked yet
    broker: Broker = connection.broker
    market: MarketData = connection.market
    assert (broker.account_id, market.market_id) == ("live:mine", "account:mine")
    assert broker.capabilities.quiet_period_s == 20
    assert connection.inspect().is_usable
    connection.close()


def test_prices_need_no_key_and_nothing_is_signed_without_one(data: Path) -> None:
    connection = opened(data, Mode.PAPER, secrets={})
    assert connection.market.quote("BTC/USDT").last == 50_000
    with pytest.raises(AccessDenied, match="the account has no key and no secret; type it in"):
        connection.broker.balances()
    connection.close()


def test_what_cannot_be_opened_is_told_with_what_to_do(
    data: Path, exchange: ExampleExchange
) -> None:
    with pytest.raises(ConfigError, match=r"no description 'other' .*\(mine\): write one there"):
        opened(data, name="other")
    with pytest.raises(ConfigError, match="no address for test accounts: add it under addresses"):
        opened(data, Mode.TEST)
    with pytest.raises(ConfigError, match="needs the key and the secret of the account") as raised:
        opened(data, secrets={})
    assert raised.value.field == "key"
    write(data, exchange, ("  algorithm: sha256", "  secret_encoding: base64\n  algorithm: sha256"))
    with pytest.raises(ConfigError, match="The secret is no base64") as raised:
        opened(data, secrets={"key": KEY, "secret": "not !! base64"})
    assert "not !!" not in str(raised.value)


@pytest.mark.parametrize("name", ["../state", "a/b", "", "x" * 41, "mine.yaml"])
def test_the_name_of_a_description_is_no_path(name: str) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.check_options({"description": name})


def test_the_pace_of_the_description_is_kept(data: Path, exchange: ExampleExchange) -> None:
    write(data, exchange, ("requests_per_s: 10 ", "requests_per_s: 20 "))
    connection = opened(data)
    clock = SystemClock()
    connection.market.instruments()  # two requests
    before = clock.monotonic()
    for _ in range(3):
        connection.market.quote("BTC/USDT")
    assert clock.monotonic() - before >= 3 * 0.05 - 0.01
    connection.close()


def test_an_account_is_added_tested_and_traded_by_the_engines_own_services(
    data: Path, exchange: ExampleExchange
) -> None:
    clock, vault, hidden = SystemClock(), FakeVault(), set[str]()
    store = MemoryStore(clock.now)
    connections = Connections(store, vault, {"rest": ADAPTER}, clock, hidden.add, data)
    accounts = VenueAccounts(
        Books(store, clock), connections, vault, InlineCalls(), lambda _account: None
    )
    added = accounts.add(
        NewAccount(
            name="Mine", venue="rest", mode=Mode.LIVE, options={"description": "mine"},
            secrets=SECRETS,
        ),
        "me",
    )  # fmt: skip
    assert added.is_enabled
    assert added.inspection is not None
    assert added.inspection.is_usable
    market = connections.market(added.market_id)
    broker = connections.broker(added.trading_id, market)
    order = OrderRequest(client_id="a", symbol="BTC/USDT", side=Side.BUY, quantity=Decimal("0.1"))
    assert broker.submit(order).state is OrderState.FILLED
    assert len(exchange.orders_of("a")) == 1
    connections.close_all()
    assert {KEY, SECRET} <= hidden
