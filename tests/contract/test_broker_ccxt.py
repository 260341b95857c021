"""Orders at Binance spot, through ccxt itself, against the loopback exchange."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from engine.domain.money import text
from engine.domain.orders import (
    OcoRequest,
    OrderReport,
    OrderRequest,
    OrderState,
    OrderType,
    Side,
    TimeInForce,
)
from engine.errors import InsufficientFunds, NotFound, OrderRejected, OrderStateUnknown
from tests.contract.exchange_venue import ExchangeVenue, exchange_venue

BTC = "BTC/USDT"
D = Decimal


@pytest.fixture
def venue() -> Iterator[ExchangeVenue]:
    with exchange_venue() as venue:
        yield venue
        assert venue.exchange.imbalance() == {}


def order(client_id: str = "a", side: Side = Side.BUY, **fields: Any) -> OrderRequest:
    """An order for 0.1 BTC unless told otherwise."""
    told: dict[str, Any] = {"symbol": BTC, "quantity": D("0.1")} | fields
    return OrderRequest(client_id=client_id, side=side, **told)


def found(venue: ExchangeVenue, client_id: str = "a", symbol: str = BTC) -> OrderReport:
    report = venue.broker.find_order(client_id, symbol)
    assert report is not None
    return report


def last_sent(venue: ExchangeVenue, endpoint: str = "POST order") -> dict[str, str]:
    return [r.sent for r in venue.exchange.requests if r.endpoint == endpoint][-1]


# --- each type of order --------------------------------------------------------------------------


def test_a_market_order_fills_in_pieces_whose_fees_and_ids_are_the_venues(
    venue: ExchangeVenue,
) -> None:
    venue.exchange.rules("BTCUSDT").market_fills = 3
    report = venue.broker.submit(order())
    assert (report.state, report.filled) == (OrderState.FILLED, D("0.1"))
    assert [fill.trade_id for fill in report.fills] == ["BTCUSDT-1", "BTCUSDT-2", "BTCUSDT-3"]
    assert {fill.fee_asset for fill in report.fills} == {"BTC"}
    assert sum(fill.fee for fill in report.fills) == D("0.0001")
    assert found(venue) == report
    held = venue.broker.balances()["BTC"].total
    assert held == 10 + report.filled - sum(fill.fee for fill in report.fills)


def test_a_limit_order_rests_fills_in_part_and_is_taken_back(venue: ExchangeVenue) -> None:
    report = venue.broker.submit(order(type=OrderType.LIMIT, price=D("49000.01")))
    assert (report.state, report.price, report.fills) == (OrderState.OPEN, D("49000.01"), ())
    assert list(venue.broker.open_orders()) == list(venue.broker.open_orders(BTC)) == [report]
    assert venue.broker.balances()["USDT"].locked == D("4900.001")
    venue.exchange.fill("a", "0.04")
    part = found(venue)
    assert (part.state, part.filled) == (OrderState.PARTLY_FILLED, D("0.04"))
    assert list(venue.broker.open_orders()) == [part]
    ended = venue.broker.cancel("a", BTC)
    assert (ended.state, ended.fills) == (OrderState.CANCELLED, part.fills)
    assert found(venue).state is OrderState.CANCELLED
    assert list(venue.broker.open_orders()) == []
    assert venue.broker.balances()["USDT"].locked == 0


@pytest.mark.parametrize(
    ("time_in_force", "state", "filled"),
    [(TimeInForce.IOC, OrderState.EXPIRED, "0.03"), (TimeInForce.FOK, OrderState.EXPIRED, "0")],
)
def test_what_cannot_be_had_at_once_is_let_go(
    venue: ExchangeVenue, time_in_force: TimeInForce, state: OrderState, filled: str
) -> None:
    venue.exchange.rules("BTCUSDT").depth = D("0.03")
    report = venue.broker.submit(
        order(type=OrderType.LIMIT, price=D(50_000), time_in_force=time_in_force)
    )
    assert (report.state, report.filled, report.reason) == (state, D(filled), "expired")
    assert venue.broker.balances()["USDT"].locked == 0


def test_a_stop_sells_once_the_price_has_come_to_it(venue: ExchangeVenue) -> None:
    report = venue.broker.submit(order(side=Side.SELL, type=OrderType.STOP, stop_price=D(48_000)))
    assert (report.state, report.type, report.price) == (OrderState.OPEN, OrderType.STOP, None)
    venue.exchange.set_price("BTCUSDT", "48000.01")
    assert found(venue).state is OrderState.OPEN
    venue.exchange.set_price("BTCUSDT", 47_900)
    sold = found(venue)
    assert sold.state is OrderState.FILLED
    assert [fill.price for fill in sold.fills] == [D(47_900)]


def test_a_stop_limit_becomes_a_limit_order(venue: ExchangeVenue) -> None:
    venue.broker.submit(
        order(side=Side.SELL, type=OrderType.STOP_LIMIT, stop_price=D(48_000), price=D(47_950))
    )
    venue.exchange.set_price("BTCUSDT", 47_900)
    assert found(venue).state is OrderState.OPEN
    venue.exchange.set_price("BTCUSDT", 47_960)
    assert found(venue).fills[0].price == D(47_950)


def test_a_trailing_stop_follows_the_best_price(venue: ExchangeVenue) -> None:
    venue.broker.submit(order(side=Side.SELL, type=OrderType.TRAILING_STOP, trail_bps=D(100)))
    assert last_sent(venue)["trailingDelta"] == "100"
    for price in (52_000, 51_500):
        venue.exchange.set_price("BTCUSDT", price)
    assert found(venue).state is OrderState.OPEN
    assert found(venue).type is OrderType.TRAILING_STOP
    venue.exchange.set_price("BTCUSDT", 51_480)
    assert found(venue).state is OrderState.FILLED


def pair(side: Side = Side.SELL, limit: int = 52_000, stop: int = 48_000) -> OcoRequest:
    """A target and a stop for 0.1 BTC."""
    return OcoRequest(
        group_id="group",
        limit=order("limit", side, type=OrderType.LIMIT, price=D(limit)),
        stop=order("stop", side, type=OrderType.STOP, stop_price=D(stop)),
    )


@pytest.mark.parametrize(
    ("price", "filled", "ended"), [(52_000, "limit", "stop"), (47_000, "stop", "limit")]
)
def test_of_two_orders_the_first_to_trade_ends_the_other(
    venue: ExchangeVenue, price: int, filled: str, ended: str
) -> None:
    limit, stop = venue.broker.submit_oco(pair())
    assert (limit.state, limit.type) == (OrderState.OPEN, OrderType.LIMIT)
    assert (stop.client_id, stop.type, stop.stop_price) == ("stop", OrderType.STOP, D(48_000))
    assert venue.broker.balances()["BTC"].locked == D("0.1")  # for both together
    venue.exchange.set_price("BTCUSDT", price)
    assert found(venue, filled).state is OrderState.FILLED
    assert found(venue, ended).state is OrderState.EXPIRED


def test_a_bought_pair_has_its_stop_above_and_taking_one_back_ends_both(
    venue: ExchangeVenue,
) -> None:
    venue.broker.submit_oco(pair(Side.BUY, limit=48_000, stop=52_000))
    assert last_sent(venue, "POST orderList/oco")["aboveType"] == "STOP_LOSS"
    assert venue.broker.cancel("stop", BTC).client_id == "stop"
    assert found(venue, "limit").state is found(venue, "stop").state is OrderState.CANCELLED
    assert venue.broker.balances()["USDT"].locked == 0


def test_a_pair_on_the_wrong_side_of_the_price_is_refused_whole(venue: ExchangeVenue) -> None:
    with pytest.raises(OrderRejected, match="relationship of the prices"):
        venue.broker.submit_oco(pair(limit=49_000))
    assert venue.exchange.orders == []


# --- exactness -----------------------------------------------------------------------------------


def test_prices_of_a_millionth_go_out_and_come_back_to_the_last_digit(
    venue: ExchangeVenue,
) -> None:
    request = order(
        symbol="PEPE/USDT", quantity=D(123_456_789), price=D("0.00000999"), type=OrderType.LIMIT
    )
    report = venue.broker.submit(request)
    sent = last_sent(venue)
    assert (sent["price"], sent["quantity"]) == ("0.00000999", "123456789")
    assert (report.price, report.quantity) == (request.price, request.quantity)
    assert venue.broker.balances()["USDT"].locked == D("0.00000999") * 123_456_789


@pytest.mark.parametrize("quantity", ["0.29", "0.57", "1.13", "0.00012", "8.99999"])
def test_no_quantity_is_rounded_on_its_way(venue: ExchangeVenue, quantity: str) -> None:
    venue.exchange.deposit("USDT", 1_000_000)
    report = venue.broker.submit(order(quantity=D(quantity)))
    assert last_sent(venue)["quantity"] == text(D(quantity)) == quantity
    assert report.filled == D(quantity)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"quantity": D("0.000015")}, "step"),
        ({"type": OrderType.LIMIT, "price": D("49000.001")}, "tick"),
        ({"type": OrderType.LIMIT, "price": D(40_000), "quantity": D("0.0001")}, "below the min"),
        ({"side": Side.SELL, "type": OrderType.STOP, "stop_price": D(40_000),
          "quantity": D("0.0001"), "reduce_only": True}, "below the min"),
        ({"quantity": None, "quote_amount": D(100)}, "no amount"),
        ({"symbol": "NO/USDT"}, "no symbol"),
        ({"type": OrderType.LIMIT, "price": D(49_000), "time_in_force": TimeInForce.DAY}, "day"),
        ({"type": OrderType.LIMIT}, "needs a price"),
        ({"type": OrderType.TRAILING_STOP, "trail_bps": D("12.5")}, "whole number"),
    ],
)  # fmt: skip
def test_what_is_surely_refused_is_not_sent(
    venue: ExchangeVenue, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(OrderRejected, match=words):
        venue.broker.submit(order(**fields))
    assert not [r for r in venue.exchange.requests if r.endpoint.startswith("POST")]


# --- what the venue refuses ----------------------------------------------------------------------


def test_lack_of_funds_is_its_own_refusal(venue: ExchangeVenue) -> None:
    with pytest.raises(InsufficientFunds, match="insufficient balance"):
        venue.broker.submit(order(quantity=D(5)))
    assert venue.broker.find_order("a", BTC) is None


def test_an_order_too_small_for_the_market_is_refused_by_the_venue(venue: ExchangeVenue) -> None:
    with pytest.raises(OrderRejected, match="NOTIONAL"):
        venue.broker.submit(order(quantity=D("0.00009")))


def test_another_step_is_learnt_from_the_refusal(venue: ExchangeVenue) -> None:
    assert venue.market.instrument(BTC).quantity_step == D("0.00001")
    venue.exchange.fault("step_change", value="BTCUSDT 0.001")
    with pytest.raises(OrderRejected, match="LOT_SIZE"):
        venue.broker.submit(order(quantity=D("0.10001")))
    assert venue.market.instrument(BTC).quantity_step == D("0.001")


def test_an_id_under_way_is_not_sent_as_refused_but_unknown(venue: ExchangeVenue) -> None:
    first = venue.broker.submit(order(type=OrderType.LIMIT, price=D(49_000)))
    with pytest.raises(OrderStateUnknown, match="Duplicate order sent"):
        venue.broker.submit(order(type=OrderType.LIMIT, price=D(49_000)))
    assert list(venue.broker.open_orders()) == [first]


def test_the_newest_order_is_found_where_an_id_was_used_again(venue: ExchangeVenue) -> None:
    venue.broker.submit(order())
    again = venue.broker.submit(order())
    assert len(venue.exchange.orders_of("a")) == 2
    assert found(venue) == again


# --- looking up ----------------------------------------------------------------------------------


def test_an_order_that_never_was_is_none_and_cannot_be_taken_back(venue: ExchangeVenue) -> None:
    assert venue.broker.find_order("never", BTC) is None
    with pytest.raises(NotFound, match="never"):
        venue.broker.cancel("never", BTC)


def test_taking_back_a_filled_order_reports_it_as_it_is(venue: ExchangeVenue) -> None:
    filled = venue.broker.submit(order())
    assert venue.broker.cancel("a", BTC) == filled


def test_orders_and_trades_of_a_person_are_seen(venue: ExchangeVenue) -> None:
    since = venue.market.now() - timedelta(minutes=1)
    venue.exchange.order_by_hand("ETHUSDT", "BUY", "1", client_id="web_rests", price=2900)
    venue.exchange.order_by_hand("ETHUSDT", "BUY", "2")
    (resting,) = venue.broker.open_orders()
    assert (resting.client_id, resting.symbol) == ("web_rests", "ETH/USDT")
    (trade,) = venue.broker.executions("ETH/USDT", since)
    assert (trade.side, trade.quantity, trade.symbol) == (Side.BUY, D(2), "ETH/USDT")
    assert trade.client_id == ""
    assert venue.broker.executions(BTC, since) == []
    assert venue.broker.executions("ETH/USDT", trade.time) == [trade]
    assert venue.broker.executions("ETH/USDT", trade.time + timedelta(milliseconds=1)) == []


def test_trades_of_many_pages_are_all_read_once(venue: ExchangeVenue) -> None:
    since = venue.market.now() - timedelta(minutes=1)
    rules = venue.exchange.rules("BTCUSDT")
    rules.market_fills, rules.max_market_quantity = 2_300, D(1_000)
    venue.exchange.order_by_hand("BTCUSDT", "SELL", "5")
    found = venue.broker.executions(BTC, since)
    assert len({trade.trade_id for trade in found}) == len(found) == 2_300
    assert sum(trade.quantity for trade in found) == 5


def test_a_fee_in_a_third_asset_is_taken_from_that(venue: ExchangeVenue) -> None:
    venue.exchange.deposit("BNB", 1)
    venue.exchange.fault("commission_asset", value="BNB")
    (fill,) = venue.broker.submit(order()).fills
    assert (fill.fee, fill.fee_asset) == (D("0.01"), "BNB")
    assert venue.broker.balances()["BNB"].total == 1 - fill.fee
    assert venue.broker.balances()["BTC"].total == D("10.1")


def test_a_spot_account_has_no_flows_and_says_what_it_does(venue: ExchangeVenue) -> None:
    assert venue.broker.flows(venue.market.now()) == ()
    able = venue.reopen(quiet_period_s=25).capabilities
    assert (able.is_idempotent, able.has_oco, able.rests_protection) == (False, True, True)
    assert able.quiet_period_s == 25
    assert venue.market.instrument(BTC).can_short is False
