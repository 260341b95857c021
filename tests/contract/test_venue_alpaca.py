"""Alpaca as the account form offers it: its options, what a test of a key finds, and opening."""

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from engine.adapters.brokers.alpaca.addresses import addresses_of
from engine.adapters.brokers.alpaca.broker import AlpacaBroker
from engine.adapters.brokers.venues import find_adapters
from engine.adapters.brokers.venues.alpaca import ADAPTER, AlpacaOptions
from engine.domain.instruments import InstrumentKind
from engine.domain.orders import OrderReport, OrderRequest, OrderState, Side
from engine.domain.venue_accounts import Grade, Inspection, Mode
from engine.errors import ConfigError
from engine.ports import AccountAccess, VenueConnection
from tests.contract.alpaca_venue import AlpacaVenue, alpaca_venue
from tests.fakes.alpaca import SECRET


@pytest.fixture
def venue() -> Iterator[AlpacaVenue]:
    with alpaca_venue() as venue:
        yield venue


class Heard:
    """An ``OrderListener`` that waits for the stream."""

    def __init__(self) -> None:
        self.is_connected = threading.Event()

    def on_report(self, report: OrderReport) -> None:
        """Not waited for."""

    def on_connected(self) -> None:
        self.is_connected.set()

    def on_disconnected(self, reason: str) -> None:
        """Not waited for."""


def access(venue: AlpacaVenue, **options: Any) -> AccountAccess:
    url = venue.exchange.url
    given = {"trading_url": url, "data_url": url} | options
    return AccountAccess(
        account_id="test:mine", market_id="account:mine", mode=Mode.TEST,
        options=ADAPTER.check_options(given),
        secrets={"key": venue.exchange.key, "secret": venue.exchange.secret}, clock=venue.clock,
    )  # fmt: skip


def opened(venue: AlpacaVenue, **options: Any) -> VenueConnection:
    return ADAPTER.open(access(venue, **options))


def inspected(venue: AlpacaVenue, **options: Any) -> Inspection:
    connection = opened(venue, **options)
    found = connection.inspect()
    connection.close()
    return found


def grades(found: Inspection) -> dict[str, Grade]:
    return {check.name: check.grade for check in found.checks}


def sentence(found: Inspection, name: str) -> str:
    [check] = [check for check in found.checks if check.name == name]
    return f"{check.detail} {check.advice}"


# --- options and addresses -----------------------------------------------------------------------


def test_it_is_among_the_venues() -> None:
    assert find_adapters()["alpaca"] is ADAPTER
    assert ADAPTER.modes == (Mode.TEST, Mode.LIVE)
    assert {field.name for field in ADAPTER.secrets} == {"key", "secret"}


def test_every_option_is_explained() -> None:
    for name, field in AlpacaOptions.model_fields.items():
        assert field.title and field.description, name


@pytest.mark.parametrize(
    "given",
    [
        {"feed": "opra"},
        {"trades": "options"},
        {"crypto_fee_bps": -1},
        {"unknown": 1},
        {"trading_url": "https://api.alpaca.markets"},
        {"trading_url": "https://evil.example"},
        {"data_url": "http://10.0.0.1:80"},
        {"data_url": "http://127.0.0.1:80/path"},
        {"data_url": "http://user:word@127.0.0.1"},
        {"data_url": "ftp://127.0.0.1"},
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.check_options(given)


@pytest.mark.parametrize(
    ("mode", "trading", "stream"),
    [
        (Mode.TEST, "https://paper-api.alpaca.markets", "wss://paper-api.alpaca.markets/stream"),
        (Mode.LIVE, "https://api.alpaca.markets", "wss://api.alpaca.markets/stream"),
    ],
)
def test_without_stand_ins_it_is_alpaca_itself(mode: Mode, trading: str, stream: str) -> None:
    addresses = addresses_of(mode)
    assert (addresses.trading, addresses.trading_stream) == (trading, stream)
    assert addresses.data == "https://data.alpaca.markets"


def test_a_stand_in_takes_all_of_its_addresses(venue: AlpacaVenue) -> None:
    options = ADAPTER.check_options({"trading_url": "http://localhost:8000/"})
    assert isinstance(options, AlpacaOptions)
    assert addresses_of(Mode.LIVE, options.trading_url).trading_stream == (
        "ws://localhost:8000/stream"
    )


# --- opening -------------------------------------------------------------------------------------


def test_opening_connects_to_nothing_and_then_trades(venue: AlpacaVenue) -> None:
    connection = opened(venue)
    assert venue.exchange.requests == []
    assert (connection.broker.account_id, connection.market.market_id) == (
        "test:mine", "account:mine",
    )  # fmt: skip
    report = connection.broker.submit(
        OrderRequest(client_id="a", symbol="AAPL", side=Side.BUY, quantity=Decimal(1))
    )
    assert report.state in (OrderState.OPEN, OrderState.FILLED)
    connection.close()


def test_an_account_of_crypto_is_one_of_crypto(venue: AlpacaVenue) -> None:
    connection = opened(venue, trades="crypto", crypto_fee_bps="20", is_fractional=True)
    assert {one.kind for one in connection.market.instruments()} == {InstrumentKind.CRYPTO}
    assert connection.broker.capabilities.fee_bps == 20
    connection.close()


def test_nothing_shows_the_secret(venue: AlpacaVenue, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        connection = opened(venue)
        found = connection.inspect()
        assert isinstance(connection.broker, AlpacaBroker)
        heard = Heard()
        end = connection.broker.listen(heard)
        assert heard.is_connected.wait(60)
        end()
        venue.exchange.fault("key_revoked")
        again = connection.inspect()
        connection.close()
    shown = f"{access(venue)!r} {connection!r} {found!r} {again!r} {caplog.text}"
    assert SECRET not in shown
    assert venue.exchange.key not in shown


@pytest.mark.parametrize("name", ["key", "secret"])
def test_an_account_without_a_secret_says_what_is_missing(venue: AlpacaVenue, name: str) -> None:
    whole = access(venue)
    part = replace(whole, secrets={**whole.secrets, name: ""})
    with pytest.raises(ConfigError, match=f"no {name}: enter it anew"):
        ADAPTER.open(part)


# --- the test of a key ---------------------------------------------------------------------------


def test_a_good_account_is_all_well(venue: AlpacaVenue) -> None:
    venue.exchange.hold("AAPL", 3)
    found = inspected(venue)
    assert set(grades(found).values()) == {Grade.OK}
    assert {"Permissions", "Balance", "Clock", "Prices", "Withdrawals", "Buying power",
            "Day trading", "Shorts"} == set(grades(found))  # fmt: skip
    assert found.is_usable
    assert found.can_withdraw is None
    assert found.balances == {"USD": 100_000, "AAPL": 3}
    assert found.clock_skew_s == 0
    assert "no money can be moved out" in sentence(found, "Withdrawals")


def test_by_night_it_says_when_the_market_opens(venue: AlpacaVenue) -> None:
    venue.clock.advance(8 * 3600)
    assert "closed until 2026-03-03T14:30:00Z" in sentence(inspected(venue), "Clock")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("status", "ACCOUNT_UPDATED", "its status is ACCOUNT_UPDATED"),
        ("trading_blocked", True, "blocked its trading"),
        ("account_blocked", True, "has blocked it"),
        ("trade_suspended_by_user", True, "owner has suspended"),
    ],
)
def test_an_account_that_cannot_trade_is_not_usable(
    venue: AlpacaVenue, name: str, value: object, words: str
) -> None:
    venue.exchange.account[name] = value
    found = inspected(venue)
    assert words in sentence(found, "Permissions")
    assert not found.is_usable


def test_crypto_has_a_status_of_its_own(venue: AlpacaVenue) -> None:
    venue.exchange.account["status"] = "LIMITED"
    assert inspected(venue, trades="crypto").is_usable
    venue.exchange.account["crypto_status"] = "INACTIVE"
    assert "its status is INACTIVE" in sentence(inspected(venue, trades="crypto"), "Permissions")


def test_a_pattern_day_trader_with_little_equity_is_warned(venue: AlpacaVenue) -> None:
    venue.exchange.matching.cash /= 10
    venue.exchange.account["pattern_day_trader"] = True
    found = inspected(venue)
    assert grades(found)["Day trading"] is Grade.WARNING
    assert "with only 10000 USD" in sentence(found, "Day trading")
    assert found.is_usable
    venue.exchange.matching.cash *= 10
    assert grades(inspected(venue))["Day trading"] is Grade.OK


def test_where_the_rule_of_day_traders_has_ended_there_is_no_check_of_it(
    venue: AlpacaVenue,
) -> None:
    del venue.exchange.account["pattern_day_trader"]
    assert "Day trading" not in grades(inspected(venue))


def test_a_clock_that_is_off_is_told_in_seconds(venue: AlpacaVenue) -> None:
    venue.exchange.fault("clock_skew", value=-3600)
    found = inspected(venue)
    assert found.clock_skew_s == 3600
    assert grades(found)["Clock"] is Grade.WARNING
    assert "NTP" in sentence(found, "Clock")


def test_a_wrong_key_is_one_failed_check_with_advice(venue: AlpacaVenue) -> None:
    connection = opened(venue)
    venue.exchange.secret = "another"
    found = connection.inspect()
    connection.close()
    assert grades(found) == {"Key": Grade.FAILED}
    assert "Make a new key" in sentence(found, "Key")
    assert not found.is_usable


@pytest.mark.parametrize(
    ("on", "name"),
    [
        ("GET /v2/positions", "Balance"),
        ("GET /v2/clock", "Clock"),
        ("GET /v2/stocks/snapshots", "Prices"),
    ],
)
def test_what_does_not_answer_is_a_failed_check(venue: AlpacaVenue, on: str, name: str) -> None:
    venue.exchange.fault("html", on=on, times=9)
    found = inspected(venue)
    assert grades(found)[name] is Grade.FAILED
    assert not found.is_usable


def test_a_feed_without_a_subscription_is_a_failed_check(venue: AlpacaVenue) -> None:
    found = inspected(venue, feed="sip")
    assert grades(found)["Prices"] is Grade.FAILED
    assert "'iex' comes with every account" in sentence(found, "Prices")


def test_an_account_that_cannot_be_read_is_a_failed_check(venue: AlpacaVenue) -> None:
    venue.exchange.account["trading_blocked"] = "perhaps"
    assert "cannot be read" in sentence(inspected(venue), "Key")
