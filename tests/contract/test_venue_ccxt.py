"""Any exchange as the account form offers it: by ccxt's name, opened, looked over."""

from collections.abc import Iterator
from typing import Any

import ccxt
import pytest
from pydantic import ValidationError

from engine.adapters.brokers.ccxt_inspect import Findings
from engine.adapters.brokers.ccxt_reports import Unreadable
from engine.adapters.brokers.ccxt_unified.habits import HABITS, Habits, habits_of
from engine.adapters.brokers.ccxt_unified.inspection import KEY_QUESTIONS
from engine.adapters.brokers.venues import find_adapters
from engine.adapters.clock.system import SystemClock
from engine.domain.orders import OrderState, OrderType, TimeInForce
from engine.domain.venue_accounts import Grade, Inspection, Mode
from engine.errors import ConfigError, NotFound
from engine.ports import AccountAccess, VenueConnection
from tests.contract.brokers import Venue
from tests.contract.exchange_venue import SYMBOL
from tests.contract.test_venue_binance import failed
from tests.fakes.exchange import BinanceExchange, binance_exchange
from tests.fakes.okx import PASSPHRASE, okx_exchange

ADAPTER = find_adapters()["ccxt"]
SIMPLE = {OrderType.MARKET, OrderType.LIMIT}
DESK_IDS = ("qd-0a1b2c3d-1700000000-e", "qd-0a1b2c3d-1700000000-x.12", "qd-close-0a1b2c3d4e5f-0")


@pytest.fixture
def exchange() -> Iterator[BinanceExchange]:
    with okx_exchange() as exchange:
        yield exchange


def opened(exchange_id: str, url: str, mode: Mode = Mode.LIVE, **secrets: str) -> VenueConnection:
    """An account as the engine opens it."""
    options = ADAPTER.check_options({"exchange": exchange_id, "address": url})
    given = {"key": "none", "secret": "none"} | secrets
    return ADAPTER.open(
        AccountAccess(f"{mode}:mine", "account:mine", mode, options, given, SystemClock())
    )


def at_okx(exchange: BinanceExchange, **secrets: str) -> VenueConnection:
    """The account at the loopback OKX."""
    keys = {"key": exchange.key, "secret": exchange.secret, "password": PASSPHRASE}
    return opened("okx", exchange.url, Mode.LIVE, **(keys | secrets))


def inspected(exchange: BinanceExchange, **secrets: str) -> Inspection:
    """What a look at the account finds."""
    connection = at_okx(exchange, **secrets)
    try:
        return connection.inspect()
    finally:
        connection.close()


def test_a_sound_account_is_usable(exchange: BinanceExchange) -> None:
    found = inspected(exchange)
    assert {check.grade for check in found.checks} == {Grade.OK}
    assert (found.is_usable, found.can_withdraw) == (True, False)
    assert {asset: int(total) for asset, total in found.balances.items()} == {
        "USDT": 100_000, "BTC": 10,
    }  # fmt: skip
    assert found.clock_skew_s == pytest.approx(0, abs=0.5)


def test_an_account_trades_and_its_orders_are_found(exchange: BinanceExchange) -> None:
    connection = at_okx(exchange)
    venue = Venue(
        connection.broker, connection.market, SYMBOL, lambda: None, lambda: connection.broker
    )
    report = venue.buy("qd-0a1b2c3d-1700000000-x.1")
    assert report.state is OrderState.FILLED
    assert report.client_id == "qd-0a1b2c3d-1700000000-x.1"
    [order] = exchange.orders
    assert order.client_id == "qdZ0a1b2c3dZ1700000000ZxY1"
    assert venue.found(report.client_id) == report
    connection.close()


def test_an_order_by_hand_has_the_id_of_the_exchange(exchange: BinanceExchange) -> None:
    connection = at_okx(exchange)
    exchange.order_by_hand("BTCUSDT", "BUY", "0.01", "40000")
    [order] = connection.broker.open_orders()
    assert order.client_id == f"#{order.venue_id}"
    cancelled = connection.broker.cancel(order.client_id, SYMBOL)
    assert cancelled.state is OrderState.CANCELLED
    connection.close()


def test_a_key_that_can_withdraw_is_refused(exchange: BinanceExchange) -> None:
    exchange.may["enableWithdrawals"] = True
    found = inspected(exchange)
    assert (found.can_withdraw, found.is_usable) == (True, False)


def test_a_key_that_may_not_trade_is_refused(exchange: BinanceExchange) -> None:
    exchange.may["enableSpotAndMarginTrading"] = False
    assert "may not trade" in failed(inspected(exchange))["Key"]


def test_a_wrong_passphrase_is_said(exchange: BinanceExchange) -> None:
    assert "PASSPHRASE" in failed(inspected(exchange, password="another"))["Permissions"]


def test_an_exchange_that_does_not_answer_fails_every_check(exchange: BinanceExchange) -> None:
    exchange.fault("html", times=100)
    found = inspected(exchange)
    assert set(failed(found)) == {"Clock", "Permissions", "Minimums"}


def test_an_exchange_of_which_little_is_known_is_warned_of() -> None:
    with binance_exchange() as exchange:  # as an exchange that is like Binance, and has no tests
        keys = {"key": exchange.key, "secret": exchange.secret}
        connection = opened("binanceus", exchange.url, Mode.LIVE, **keys)
        found = connection.inspect()
        connection.close()
    grades = {check.name: check.grade for check in found.checks}
    assert grades["Exchange"] is Grade.WARNING
    assert grades["Withdrawals"] is Grade.UNKNOWN
    assert (found.is_usable, found.can_withdraw) == (True, None)


def test_every_exchange_that_ccxt_lists_can_be_opened_or_is_refused_with_a_reason() -> None:
    opens, refused = 0, 0
    for exchange_id in ccxt.exchanges:
        try:
            connection = opened(exchange_id, "")
        except ConfigError as error:
            assert error.field == "exchange"
            assert "Choose another exchange" in error.message
            refused += 1
        else:
            assert OrderType.LIMIT in connection.broker.capabilities.order_types
            connection.close()
            opens += 1
    assert opens > refused > 0


@pytest.mark.parametrize(
    ("exchange_id", "mode", "words"),
    [
        ("nosuch", Mode.LIVE, "knows no exchange 'nosuch'"),
        ("kraken", Mode.LIVE, "18 characters"),
        ("bitvavo", Mode.LIVE, "UUIDs"),
        ("kucoin", Mode.TEST, "no network for tests"),
    ],
)
def test_an_exchange_that_cannot_be_used_is_refused_with_the_reason(
    exchange_id: str, mode: Mode, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        opened(exchange_id, "", mode)


def test_test_accounts_are_at_the_exchanges_own_network_for_tests() -> None:
    connection = opened("bybit", "", Mode.TEST)
    urls = str(connection.broker.client.exchange.urls["api"])  # type: ignore[attr-defined]
    connection.close()
    assert "testnet" in urls


@pytest.mark.parametrize(
    "options",
    [
        {"exchange": "OKX!"},
        {"exchange": "okx", "address": "x"},
        {"exchange": "okx", "address": "https://www.okx.com"},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.check_options(options)


@pytest.mark.parametrize("exchange_id", sorted(HABITS))
def test_the_desks_ids_can_be_said_everywhere_and_come_back_the_same(exchange_id: str) -> None:
    habits = habits_of(exchange_id)
    for client_id in DESK_IDS:
        spelled = habits.venue_id(client_id)
        assert spelled is not None
        assert len(spelled) <= habits.longest_id
        assert habits.client_id(habits.id_prefix + spelled) == client_id


def test_an_id_that_cannot_come_back_the_same_is_not_said() -> None:
    letters = Habits(is_letters_only=True)
    assert letters.venue_id("qdZ1") is None
    assert letters.venue_id("a/b") is None
    assert Habits(longest_id=3).venue_id("abcd") is None
    assert letters.client_id("somebodysZorder") == "somebodysZorder"


@pytest.mark.parametrize(
    ("exchange_id", "types", "is_resting"),
    [
        ("okx", {OrderType.MARKET, OrderType.LIMIT}, False),
        (
            "binance",
            {OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT},
            True,
        ),
    ],
)
def test_what_an_exchange_takes_follows_from_ccxts_description(
    exchange_id: str, types: set[OrderType], is_resting: bool
) -> None:
    connection = opened(exchange_id, "http://127.0.0.1:9")
    capabilities = connection.broker.capabilities
    connection.close()
    assert capabilities.order_types == types
    assert capabilities.rests_protection is is_resting
    assert capabilities.times_in_force >= {TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK}


@pytest.mark.parametrize(
    ("exchange_id", "answer", "told"),
    [
        ("okx", {"data": [{"perm": "read_only"}]}, (False, False)),
        ("okx", {"data": [{"perm": "read_only,trade,withdraw"}]}, (True, True)),
        ("bybit", {"result": {"readOnly": 0, "permissions": {"Spot": ["SpotTrade"], "Wallet": []}}},
         (True, False)),
        ("bybit", {"result": {"readOnly": 1, "permissions": {"Spot": ["SpotTrade"],
                                                             "Wallet": ["Withdraw"]}}},
         (False, True)),
    ],
)  # fmt: skip
def test_what_a_key_may_do_is_read_as_each_exchange_tells_it(
    exchange_id: str, answer: dict[str, Any], told: tuple[bool, bool]
) -> None:
    assert KEY_QUESTIONS[exchange_id][1](answer) == told


@pytest.mark.parametrize("exchange_id", sorted(KEY_QUESTIONS))
@pytest.mark.parametrize("answer", [None, {}, {"data": []}, {"result": {}}, {"data": [{}]}])
def test_what_a_key_may_do_is_not_guessed(exchange_id: str, answer: Any) -> None:
    with pytest.raises(Unreadable):
        KEY_QUESTIONS[exchange_id][1](answer)


def test_a_check_that_fails_does_not_end_the_look() -> None:
    findings = Findings()

    def fails() -> int:
        raise NotFound("there is nothing")

    assert findings.asked("First", fails) is None
    assert findings.asked("Second", lambda: 2) == 2
    [check] = findings.inspection().checks
    assert (check.name, check.grade, check.detail) == ("First", Grade.FAILED, "there is nothing")
