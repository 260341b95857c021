"""The broker over ccxt's unified interface: what its contract does not say."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import ccxt
import pytest

from engine.adapters.brokers.ccxt_reports import Unreadable
from engine.adapters.brokers.ccxt_unified import reading
from engine.adapters.brokers.ccxt_unified.broker import UnifiedBroker
from engine.adapters.brokers.ccxt_unified.client import Keys, said
from engine.adapters.brokers.ccxt_unified.habits import habits_of
from engine.adapters.clock.system import SystemClock
from engine.domain.orders import OrderState, OrderType, Side
from engine.errors import (
    AccessDenied,
    BrokerUnavailable,
    InsufficientFunds,
    OrderRejected,
    OrderStateUnknown,
)
from engine.links.http import Answer
from tests.contract.brokers import VenueAtExchange, ccxt_venue
from tests.contract.ccxt_venues import okx, unified_binance
from tests.fakes.okx import PASSPHRASE

JSON = '{"code":"51008","msg":"no"}'


@pytest.fixture(params=[okx, unified_binance])
def venue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VenueAtExchange]:
    venue = request.param(tmp_path)
    yield venue
    venue.close()


@pytest.fixture
def at_okx(tmp_path: Path) -> Iterator[VenueAtExchange]:
    venue = okx(tmp_path)
    assert isinstance(venue, VenueAtExchange)
    yield venue
    venue.close()


def broker_of(venue: VenueAtExchange) -> UnifiedBroker:
    """The broker under test, with its own type."""
    assert isinstance(venue.broker, UnifiedBroker)
    return venue.broker


@pytest.mark.parametrize(
    ("error", "status", "text", "meaning"),
    [
        ("InsufficientFunds", 200, JSON, InsufficientFunds),
        ("InvalidOrder", 400, JSON, OrderRejected),
        ("BadRequest", 400, JSON, OrderRejected),
        ("BadSymbol", 200, JSON, OrderRejected),
        ("MarketClosed", 200, JSON, OrderRejected),
        ("RestrictedLocation", 451, JSON, OrderRejected),
        ("OrderNotFillable", 200, JSON, OrderRejected),
        ("InvalidOrder", 400, '{"msg":"Duplicate order sent."}', OrderStateUnknown),
        ("InvalidOrder", 200, '{"msg":"Client order ID already exists."}', OrderStateUnknown),
        ("DuplicateOrderId", 400, JSON, OrderStateUnknown),
        ("OrderNotFound", 400, JSON, OrderStateUnknown),
        ("InsufficientFunds", 502, JSON, OrderStateUnknown),
        ("AuthenticationError", 503, JSON, OrderStateUnknown),
        ("ExchangeError", 400, JSON, OrderStateUnknown),
        ("ExchangeNotAvailable", 400, JSON, OrderStateUnknown),
        ("ExchangeNotAvailable", 404, JSON, OrderStateUnknown),
        ("RequestTimeout", 504, "", OrderStateUnknown),
        ("BadResponse", 200, "<html>", OrderStateUnknown),
        ("NullResponse", 200, "", OrderStateUnknown),
        ("NetworkError", 200, JSON, OrderStateUnknown),
        ("AuthenticationError", 200, JSON, AccessDenied),
        ("PermissionDenied", 403, JSON, AccessDenied),
        ("AccountSuspended", 200, JSON, AccessDenied),
        ("DDoSProtection", 401, JSON, AccessDenied),
        ("RateLimitExceeded", 429, JSON, BrokerUnavailable),
        ("DDoSProtection", 403, "<html>", BrokerUnavailable),
        ("ExchangeError", 418, JSON, BrokerUnavailable),
        ("InvalidNonce", 400, JSON, BrokerUnavailable),
    ],
)
def test_only_what_is_sure_refuses_an_order(
    at_okx: VenueAtExchange, error: str, status: int, text: str, meaning: type[Exception]
) -> None:
    client = broker_of(at_okx).client
    client._answers.last = Answer(status, text)
    found = client._meaning(getattr(ccxt, error)("okx and the address"), is_order=True)
    assert type(found) is meaning or (type(found).__mro__[1] is meaning)
    assert "the address" not in str(found)


@pytest.mark.parametrize("error", ["InvalidOrder", "ArgumentsRequired", "NotSupported"])
def test_what_ccxt_itself_does_not_send_is_refused(at_okx: VenueAtExchange, error: str) -> None:
    client = broker_of(at_okx).client
    client._answers.last = None
    found = client._meaning(getattr(ccxt, error)("needs a price"), is_order=True)
    assert type(found) is OrderRejected
    assert isinstance(client._meaning(ccxt.RequestTimeout(""), is_order=True), OrderStateUnknown)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"code":"1","msg":"All operations failed","data":[{"sMsg":"Insufficient funds."}]}',
         "Insufficient funds"),
        ('{"error":["EOrder:Insufficient funds"]}', "EOrder:Insufficient funds"),
        ('{"error":{"code":20001,"message":"Insufficient funds"}}', "Insufficient funds"),
        ('{"label":"BALANCE_NOT_ENOUGH","message":"Not enough balance"}', "Not enough balance"),
        ("<html>", "HTTP 400"),
        ("[1, 2]", "HTTP 400"),
        ('{"a":{"b":[]}}', "HTTP 400"),
    ],
)  # fmt: skip
def test_the_exchanges_own_words_are_told(text: str, words: str) -> None:
    assert said(Answer(400, text)) == words


def test_an_answer_that_is_junk_is_not_believed(at_okx: VenueAtExchange) -> None:
    at_okx.exchange.fault("junk_after_accept", on="POST trade/batch-orders")
    with pytest.raises(OrderStateUnknown):
        at_okx.buy("lost")
    assert at_okx.found("lost").state is OrderState.FILLED
    at_okx.exchange.fault("junk_after_accept", on="GET account/balance")
    with pytest.raises(BrokerUnavailable):
        at_okx.broker.balances()


def test_an_order_that_was_taken_and_cannot_be_seen_is_unknown(at_okx: VenueAtExchange) -> None:
    assert at_okx.last
    at_okx.exchange.fault("status_5xx", on="GET trade/order")
    with pytest.raises(OrderStateUnknown, match="took seen"):
        at_okx.buy("seen")
    assert at_okx.found("seen").state is OrderState.FILLED


def test_trades_of_many_pages_are_all_there(
    venue: VenueAtExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OKX gives the newest of more than a page, Binance the oldest."""
    venue.exchange.rules("BTCUSDT").market_fills = 40  # all of one moment
    bought = []
    for number in range(4):
        bought.append(venue.ask(f"many{number}", quantity=D("0.1")))
        venue.exchange.advance(1)
    told = [fill.trade_id for report in bought for fill in report.fills]
    assert len(told) == 160
    monkeypatch.setitem(
        broker_of(venue).client.exchange.features["spot"]["fetchMyTrades"], "limit", 100
    )
    whole = venue.broker.executions(venue.symbol, venue.market.now() - timedelta(days=1))
    assert sorted(trade.trade_id for trade in whole) == sorted(told)


def test_an_order_that_rested_for_weeks_gets_its_trades_where_a_list_of_them_spans_days(
    at_okx: VenueAtExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = 7  # as at Bybit and KuCoin
    features = broker_of(at_okx).client.exchange.features["spot"]["fetchMyTrades"]
    monkeypatch.setitem(features, "untilDays", days)
    at_okx.exchange.trades_span_ms = days * 86_400_000
    resting = at_okx.rest("patient")
    assert resting.price is not None
    at_okx.exchange.advance(20 * 86_400)
    at_okx.exchange.set_price("BTCUSDT", resting.price)
    found = at_okx.found("patient")
    assert (found.state, found.filled) == (OrderState.FILLED, resting.quantity)
    [trade] = at_okx.broker.executions(at_okx.symbol, at_okx.market.now() - timedelta(days=30))
    assert trade.trade_id == found.fills[0].trade_id
    monkeypatch.setitem(features, "daysBack", 10)
    asked = len(at_okx.exchange.requests)
    assert at_okx.found("patient") == found
    fills = [one for one in at_okx.exchange.requests[asked:] if "fills" in one.endpoint]
    assert len(fills) == 2, "nothing is asked of days that are not kept"
    monkeypatch.setitem(features, "untilDays", 0.01)
    with pytest.raises(BrokerUnavailable, match="cannot be read"):
        at_okx.found("patient")


def test_an_order_above_the_largest_is_refused_unsent(tmp_path: Path) -> None:
    venue = ccxt_venue(tmp_path)
    try:
        most = venue.instrument.max_market_quantity
        assert most == 1000
        assert venue.instrument.largest(is_market=False) == 9000
        limited = {"quantity": D(9001), "type": OrderType.LIMIT, "price": venue.near("0.9")}
        cases: list[tuple[dict[str, Any], str]] = [
            ({"quantity": most + 1}, "1000"),
            (limited, "9000"),
        ]
        for fields, limit in cases:
            with pytest.raises(OrderRejected, match=f"above the largest order .* {limit}"):
                venue.ask(**fields)
        assert venue.broker.find_order("a", venue.symbol) is None
    finally:
        venue.close()


def test_where_market_orders_buy_by_cost_a_limit_stands_for_them(at_okx: VenueAtExchange) -> None:
    broker = broker_of(at_okx)
    spot = broker.client.exchange.features["spot"]
    spot["createOrder"] = {**spot["createOrder"], "marketBuyRequiresPrice": True}
    report = at_okx.buy()
    assert (report.state, report.type, report.price) == (
        OrderState.FILLED, OrderType.LIMIT, D("50500"),
    )  # fmt: skip
    assert all(fill.price == 50_000 for fill in report.fills)
    [request] = [one for one in at_okx.exchange.requests if one.endpoint.startswith("POST")]
    assert request.sent["ordType"] == "ioc"
    sold = at_okx.ask("b", Side.SELL, quantity=at_okx.sellable())
    assert sold.type is OrderType.MARKET


def test_where_orders_are_not_found_by_their_id_the_lists_are_looked_through(
    at_okx: VenueAtExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = broker_of(at_okx)
    broker = UnifiedBroker(
        "test:lists", at_okx.market, SystemClock(),  # type: ignore[arg-type]
        Keys(at_okx.exchange.key, at_okx.exchange.secret, PASSPHRASE),
        habits=replace(habits_of("okx"), finds_by_id=False), is_paced=False,
    )  # fmt: skip
    reports = [at_okx.buy("filled"), at_okx.rest("open"), at_okx.rest("cancelled")]
    reports[2] = first.cancel("cancelled", at_okx.symbol)
    found = [broker.find_order(report.client_id, at_okx.symbol) for report in reports]
    assert found == reports
    assert broker.find_order("never", at_okx.symbol) is None
    asked = [one.endpoint for one in at_okx.exchange.requests][-3:]
    assert asked == ["GET trade/orders-pending", *["GET trade/orders-history"] * 2]
    spot = broker.client.exchange.features["spot"]
    monkeypatch.setitem(spot, "fetchOpenOrders", {"limit": 1})
    assert broker.find_order("open", at_okx.symbol) == reports[1]
    with pytest.raises(BrokerUnavailable, match="too many orders to find one"):
        broker.find_order("never", at_okx.symbol)
    with pytest.raises(BrokerUnavailable, match="more orders than one answer holds"):
        broker.open_orders()
    broker.client.close()


LINE = {
    "id": "1", "clientOrderId": "a", "symbol": "BTC/USDT", "side": "buy", "type": "limit",
    "status": "open", "amount": "2", "filled": "0", "price": "10", "timestamp": 1_700_000_000_000,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, OrderState.OPEN),
        ({"filled": "1"}, OrderState.OPEN),  # its trades are not listed yet
        ({"status": "closed", "filled": "2"}, OrderState.OPEN),
        ({"status": "canceled", "filled": "1"}, OrderState.OPEN),
        ({"status": "closed"}, OrderState.EXPIRED),
        ({"status": "canceled"}, OrderState.CANCELLED),
        ({"status": "canceled", "timeInForce": "IOC"}, OrderState.EXPIRED),
        ({"status": "rejected"}, OrderState.REJECTED),
    ],
)
def test_an_order_is_not_done_before_its_trades_are_there(
    changes: dict[str, Any], state: OrderState
) -> None:
    assert reading.report({**LINE, **changes}, [], str).state is state


@pytest.mark.parametrize(
    "changes",
    [{"amount": None}, {"amount": "NaN"}, {"amount": 2.0}, {"amount": "0"}, {"filled": "3"},
     {"filled": "-1"}, {"status": "odd"}, {"side": None}, {"id": ""}, {"timestamp": None},
     {"timestamp": True}, {"price": "1e99"}],
)  # fmt: skip
def test_an_order_that_makes_no_sense_is_not_read(changes: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        reading.report({**LINE, **changes}, [], str)
