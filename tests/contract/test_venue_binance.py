"""Binance as the account form offers it: opened by mode, looked over, and what it finds."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from engine.adapters.brokers.venues import find_adapters
from engine.adapters.clock.system import SystemClock
from engine.domain.orders import OrderState
from engine.domain.venue_accounts import Grade, Inspection, Mode
from engine.errors import ConfigError
from engine.links.binance import LIVE_URL, TEST_URL, addresses_for
from engine.ports import AccountAccess, VenueConnection
from tests.contract.brokers import Venue
from tests.contract.exchange_venue import SYMBOL
from tests.fakes.exchange import BinanceExchange, binance_exchange

ADAPTER = find_adapters()["binance"]


@pytest.fixture
def exchange() -> Iterator[BinanceExchange]:
    with binance_exchange() as exchange:
        yield exchange


def opened(exchange: BinanceExchange, mode: Mode = Mode.LIVE, **secrets: str) -> VenueConnection:
    """The account as the engine opens it, at the stand-in."""
    return ADAPTER.open(
        AccountAccess(
            f"{mode}:mine",
            "account:mine",
            mode,
            ADAPTER.check_options({"address": exchange.url}),
            {"key": exchange.key, "secret": exchange.secret} | secrets,
            SystemClock(),
        )
    )


def inspected(exchange: BinanceExchange, mode: Mode = Mode.LIVE, **secrets: str) -> Inspection:
    """What a look at the account finds."""
    connection = opened(exchange, mode, **secrets)
    try:
        return connection.inspect()
    finally:
        connection.close()


def failed(found: Inspection) -> dict[str, str]:
    """What failed and why; each failure says what to do."""
    checks = [check for check in found.checks if check.grade is Grade.FAILED]
    assert all(check.advice for check in checks)
    return {check.name: check.detail for check in checks}


@pytest.mark.parametrize("mode", [Mode.TEST, Mode.LIVE])
def test_a_sound_account_is_usable(exchange: BinanceExchange, mode: Mode) -> None:
    found = inspected(exchange, mode)
    assert {check.grade for check in found.checks} == {Grade.OK}
    assert found.is_usable
    assert {asset: int(total) for asset, total in found.balances.items()} == {
        "USDT": 100_000, "BTC": 10,
    }  # fmt: skip
    assert found.clock_skew_s == pytest.approx(0, abs=0.5)
    details = {check.name: check.detail for check in found.checks}
    assert "BTC/USDT 5 USDT" in details["Minimums"]
    assert "100000 USDT" in details["Balance"]


def test_an_account_trades_and_its_orders_are_found(exchange: BinanceExchange) -> None:
    connection = opened(exchange)
    venue = Venue(
        connection.broker, connection.market, SYMBOL, lambda: None, lambda: connection.broker
    )
    report = venue.buy()
    assert report.state is OrderState.FILLED
    assert venue.found() == report
    assert connection.market.market_id == "account:mine"
    assert connection.broker.account_id == "live:mine"
    connection.close()


def test_only_the_exchange_itself_is_asked_what_a_key_may_do(exchange: BinanceExchange) -> None:
    inspected(exchange, Mode.TEST)
    assert not any("/sapi" in request.endpoint for request in exchange.requests)
    inspected(exchange, Mode.LIVE)
    assert any("/sapi" in request.endpoint for request in exchange.requests)


def test_a_key_that_can_withdraw_is_refused(exchange: BinanceExchange) -> None:
    exchange.may["enableWithdrawals"] = True
    found = inspected(exchange)
    assert (found.can_withdraw, found.is_usable) == (True, False)
    assert "can withdraw" in failed(found)["Withdrawals"]


def test_a_key_without_the_right_to_trade_is_refused(exchange: BinanceExchange) -> None:
    exchange.may["enableSpotAndMarginTrading"] = False
    assert "may not trade" in failed(inspected(exchange))["Key"]


def test_an_account_that_may_not_trade_is_refused(exchange: BinanceExchange) -> None:
    exchange.can_trade = False
    assert "may not trade" in failed(inspected(exchange))["Permissions"]


def test_what_a_key_may_do_is_not_guessed(exchange: BinanceExchange) -> None:
    del exchange.may["enableWithdrawals"]
    found = inspected(exchange)
    assert "cannot be read" in failed(found)["Key"]
    assert found.can_withdraw is None


def test_a_key_for_every_address_is_warned_of(exchange: BinanceExchange) -> None:
    exchange.may["ipRestrict"] = False
    found = inspected(exchange)
    [warning] = [check for check in found.checks if check.grade is Grade.WARNING]
    assert warning.name == "Addresses"
    assert found.is_usable


@pytest.mark.parametrize(
    ("seconds", "grade"),
    [(0.4, Grade.OK), (-3, Grade.WARNING), (5, Grade.WARNING), (-60, Grade.FAILED)],
)
def test_a_clock_that_is_off_is_told(
    exchange: BinanceExchange, seconds: float, grade: Grade
) -> None:
    exchange.fault("clock_skew", value=seconds)
    found = inspected(exchange)
    assert {check.grade for check in found.checks if check.name == "Clock"} == {grade}
    assert found.clock_skew_s == pytest.approx(-seconds, abs=0.5)


def test_a_wrong_key_is_said_with_what_to_do(exchange: BinanceExchange) -> None:
    found = inspected(exchange, key="not-the-key-at-all")
    assert "does not accept the key" in failed(found)["Permissions"]
    assert not found.is_usable


def test_an_empty_account_is_warned_of(exchange: BinanceExchange) -> None:
    exchange.deposit("USDT", -100_000)
    exchange.deposit("BTC", -10)
    found = inspected(exchange)
    assert [check.name for check in found.checks if check.grade is Grade.WARNING] == ["Balance"]
    assert found.balances == {}


@pytest.mark.parametrize("fault", [("status_5xx", {}), ("html", {}), ("cut", {})])
def test_a_venue_that_does_not_answer_fails_every_check_with_advice(
    exchange: BinanceExchange, fault: tuple[str, dict[str, Any]]
) -> None:
    exchange.fault(fault[0], times=100, **fault[1])
    found = inspected(exchange)
    assert set(failed(found)) == {"Clock", "Permissions", "Minimums"}


def test_addresses_follow_the_mode() -> None:
    live, test = addresses_for(Mode.LIVE, ""), addresses_for(Mode.TEST, "")
    assert (live.rest, test.rest) == (LIVE_URL, TEST_URL)
    assert live.market_streams.startswith("wss://stream.binance.com")
    assert live.name != test.name
    assert test.wallet == ""
    for mode, url in [(Mode.LIVE, TEST_URL), (Mode.TEST, LIVE_URL), (Mode.PAPER, "")]:
        with pytest.raises(ConfigError, match=r"\w"):
            addresses_for(mode, url)


@pytest.mark.parametrize(
    "address",
    ["https://api.binance.com.evil.example", "http://10.0.0.7:80", "http://127.0.0.1:1/path",
     "ftp://127.0.0.1", "http://user@127.0.0.1:1"],
)  # fmt: skip
def test_an_address_elsewhere_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="not an address of this machine"):
        ADAPTER.check_options({"address": address})


def test_secrets_are_in_no_text(exchange: BinanceExchange) -> None:
    connection = opened(exchange)
    told = f"{connection!r} {connection.inspect()!r} {vars(connection.broker)!r}"
    connection.close()
    assert exchange.secret not in told
