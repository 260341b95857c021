"""An account at Alpaca beyond what every broker promises: sending once, and what it has."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D

import pytest

from engine.adapters.brokers.alpaca import order_book
from engine.domain.accounts import LineKind
from engine.domain.instruments import InstrumentKind
from engine.domain.orders import OrderState, OrderType, Side
from engine.errors import (
    AccessDenied,
    BrokerUnavailable,
    OrderRejected,
    OrderStateUnknown,
)
from tests.contract.alpaca_account import (
    LONG_AGO,
    PLACE,
    Account,
    found,
    open_account,
    order,
    resting,
)
from tests.contract.alpaca_venue import alpaca_venue


@pytest.fixture
def account() -> Iterator[Account]:
    with open_account() as account:
        yield account


@pytest.fixture
def crypto() -> Iterator[Account]:
    with open_account(InstrumentKind.CRYPTO) as account:
        yield account


# --- sending once --------------------------------------------------------------------------------


def test_row_05_after_a_504_nothing_is_posted_again_and_the_order_is_found(
    account: Account,
) -> None:
    account.exchange.fault("status_504_after_accept", on=PLACE, times=9)
    with pytest.raises(OrderStateUnknown):
        account.broker.submit(order())
    assert account.exchange.posts() == 1
    assert len(account.exchange.orders_of("a")) == 1
    assert found(account, "a").state is OrderState.FILLED


def test_row_05_an_sdk_that_posts_again_by_itself_makes_one_order(account: Account) -> None:
    """What alpaca-py does when it is left alone, with the client id that always goes along."""
    from alpaca.common.exceptions import APIError
    from alpaca.trading.client import TradingClient

    exchange = account.exchange
    exchange.fault("status_504_after_accept", on=PLACE)
    untamed = TradingClient(exchange.key, exchange.secret, raw_data=True, url_override=exchange.url)
    untamed._retry_wait = 0
    body = {"symbol": "AAPL", "qty": "10", "side": "buy", "type": "market",
            "time_in_force": "day", "client_order_id": "a"}  # fmt: skip
    with pytest.raises(APIError, match="must be unique"):
        untamed.post("/orders", body)
    untamed._session.close()
    assert exchange.posts() == 2
    assert len(exchange.orders_of("a")) == 1
    with pytest.raises(OrderStateUnknown, match="already"):  # never taken for a refusal
        account.broker.submit(order())
    assert found(account, "a").filled == 10


def test_a_refusal_in_new_words_under_a_taken_id_is_no_refusal(account: Account) -> None:
    account.broker.submit(resting())
    account.exchange.fault("error", on=PLACE, value="422 40010001 this id, we have seen before")
    with pytest.raises(OrderStateUnknown):
        account.broker.submit(resting())
    account.exchange.fault("error", on=PLACE, value="422 40010001 qty is wrong")
    with pytest.raises(OrderRejected, match="qty is wrong"):
        account.broker.submit(resting("never"))


def test_a_refusal_that_cannot_be_checked_is_unknown(account: Account) -> None:
    account.exchange.fault("error", on=PLACE, value="422 40010001 something is wrong")
    account.exchange.fault("status", on="GET /v2/orders:by_client_order_id")
    with pytest.raises(OrderStateUnknown, match=r"something is wrong.*HTTP 503"):
        account.broker.submit(order())


def test_an_order_that_lands_late_is_found_when_it_has(account: Account) -> None:
    late = account.exchange.fault("lands_late", on=PLACE)
    with pytest.raises(OrderStateUnknown):
        account.broker.submit(order())
    assert account.broker.find_order("a", "AAPL") is None
    account.exchange.release(late)
    assert found(account, "a").state is OrderState.FILLED


def test_row_16_a_pause_is_kept_by_all_that_ask_there_and_prices_go_on(account: Account) -> None:
    account.exchange.fault("rate_limit_429", on=PLACE, value=30)
    with pytest.raises(BrokerUnavailable) as refusal:
        account.broker.submit(order())
    assert refusal.value.retry_after_s == 30
    asked = len(account.exchange.requests)
    account.clock.advance(29)
    for ask in (account.broker.balances, lambda: account.broker.submit(order())):
        with pytest.raises(BrokerUnavailable, match="another 1 s"):
            ask()
    assert len(account.exchange.requests) == asked
    assert account.market.quote("AAPL").last == 200  # another of its hosts, another limit
    account.clock.advance(2)
    assert account.broker.submit(order()).state is OrderState.FILLED


def test_row_19_a_revoked_key_is_said_and_nothing_is_lost(account: Account) -> None:
    account.broker.submit(order())
    revoked = account.exchange.fault("key_revoked")
    for ask in (
        account.broker.balances,
        account.broker.open_orders,
        lambda: account.broker.find_order("a", "AAPL"),
        lambda: account.broker.submit(order("out", side=Side.SELL, reduce_only=True)),
    ):
        with pytest.raises(AccessDenied, match="Check the key"):
            ask()
    account.exchange.release(revoked)
    sold = account.broker.submit(order("out", side=Side.SELL, reduce_only=True))
    assert sold.state is OrderState.FILLED


def test_row_26_without_a_network_nothing_was_sent_for_certain() -> None:
    with alpaca_venue() as venue:
        connection = venue.connect()
        connection.market.instruments()
        connection.broker.submit(order())
    with pytest.raises(BrokerUnavailable, match=r"cannot be reached.*network"):
        connection.broker.submit(order("b"))
    with pytest.raises(BrokerUnavailable, match="cannot be reached"):
        connection.broker.balances()
    connection.close()


def test_row_27_a_hanging_alpaca_is_waited_for_no_longer_than_its_timeout() -> None:
    with alpaca_venue() as venue:
        connection = venue.connect(timeout_s=0.1)
        connection.market.instruments()
        venue.exchange.fault("timeout_before_accept", on="*", times=99)
        begun = datetime.now(UTC)
        with pytest.raises(BrokerUnavailable):
            connection.broker.balances()
        with pytest.raises(OrderStateUnknown):
            connection.broker.submit(order(reduce_only=True))
        assert datetime.now(UTC) - begun < timedelta(seconds=5)
        connection.close()


# --- what the account has ------------------------------------------------------------------------


def test_orders_and_trades_of_somebody_else_are_told_with_the_id_they_have(
    account: Account,
) -> None:
    stranger = account.exchange.by_hand("AAPL", "buy", 3)
    waiting = account.exchange.by_hand("F", "buy", 2, limit=D(15))
    [report] = account.broker.open_orders()
    assert (report.client_id, report.symbol) == (waiting.client_id, "F")
    [trade] = account.broker.executions("AAPL", account.clock.now() - LONG_AGO)
    assert (trade.client_id, trade.quantity) == (stranger.client_id, 3)


def test_what_belongs_to_the_other_kind_is_another_accounts(crypto: Account) -> None:
    crypto.exchange.hold("AAPL", 7)
    crypto.exchange.hold("BTC", "0.5")
    crypto.exchange.by_hand("F", "buy", 2, limit=D(15))
    held = crypto.broker.balances()
    assert {asset: one.total for asset, one in held.items()} == {
        "USD": D(100_000), "BTC": D("0.5"),
    }  # fmt: skip
    assert list(crypto.broker.open_orders()) == []


def test_row_17_the_fee_of_crypto_is_taken_from_what_is_received(crypto: Account) -> None:
    bought = crypto.broker.submit(order(symbol="BTC/USD", quantity=D("0.1")))
    [fill] = bought.fills
    assert (fill.fee, fill.fee_asset) == (D("0.00025"), "BTC")
    assert crypto.broker.balances()["BTC"].total == D("0.09975")
    sold = crypto.broker.submit(
        order("out", symbol="BTC/USD", side=Side.SELL, quantity=D("0.09975"), reduce_only=True)
    )
    assert sold.fills[0].fee_asset == "USD"
    assert "BTC" not in crypto.broker.balances()


def test_row_17_a_limit_order_that_has_waited_pays_the_fee_of_a_maker(crypto: Account) -> None:
    crypto.broker.submit(
        order(symbol="BTC/USD", type=OrderType.LIMIT, quantity=D("0.1"), price=D(49_000))
    )
    crypto.clock.advance(60)
    crypto.exchange.set_price("BTC/USD", 48_990)
    [trade] = crypto.broker.executions("BTC/USD", crypto.clock.now() - LONG_AGO)
    assert (trade.fee, trade.fee_asset) == (D("0.00015"), "BTC")
    assert crypto.broker.balances()["BTC"].total == D("0.09985")


def test_many_trades_are_read_page_by_page_each_once(account: Account) -> None:
    account.exchange.matching.cash = D(10_000_000)
    with account.exchange.lock:
        for _ in range(230):
            account.exchange.by_hand("F", "buy", 1)
            account.clock.advance(1)
    since = account.clock.now() - timedelta(seconds=200)
    trades = account.broker.executions("F", since)
    assert len({trade.trade_id for trade in trades}) == len(trades) == 200
    assert min(trade.time for trade in trades) == since
    assert len({trade.client_id for trade in trades}) == 200
    asked = [one.endpoint for one in account.exchange.requests]
    assert asked.count("GET /v2/orders/{id}") == 0  # orders are listed, not asked for one by one


def test_a_list_of_orders_is_read_page_by_page_or_not_at_all(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_book, "PAGE", 2)
    for number in range(5):
        account.clock.advance(1)
        account.broker.submit(resting(f"r{number}", quantity=D(1)))
    told = [one.client_id for one in account.broker.open_orders()]
    assert told == [f"r{number}" for number in range(5)]
    for number in range(5, 8):  # more of one moment than a page holds
        account.broker.submit(resting(f"r{number}", quantity=D(1)))
    with pytest.raises(BrokerUnavailable, match="more orders than can be read"):
        account.broker.open_orders()


def test_what_moved_cash_without_a_trade_is_a_flow_and_the_rest_is_none(account: Account) -> None:
    add = account.exchange.add_activity
    add("CSD", "5000", "1")
    add("CSW", "-20", "2")
    add("DIV", "1.02", "3", symbol="AAPL")
    add("INT", "-0.5", "4")
    add("FEE", "-0.01", "5")
    add("CFEE", "-0.25", "6", symbol="BTCUSD")  # in the fills already
    add("SPLIT", "0", "7", symbol="AAPL")
    add("CSD", "9", "8", status="canceled")
    flows = account.broker.flows(account.clock.now())
    assert [(one.amount, one.kind) for one in flows] == [
        (D(5000), LineKind.DEPOSIT), (D(-20), LineKind.WITHDRAWAL),
        (D("1.02"), LineKind.INTEREST), (D("-0.5"), LineKind.INTEREST),
        (D("-0.01"), LineKind.ADJUSTMENT),
    ]  # fmt: skip
    assert {one.asset for one in flows} == {"USD"}
    assert len({one.id for one in flows}) == 5
    assert flows[2].symbol == "AAPL"


def test_a_loan_is_owed_cash(account: Account) -> None:
    account.exchange.matching.cash = D("-250.5")
    assert account.broker.balances()["USD"].free == D("-250.5")
    assert account.broker.balances()["USD"].locked == 0


def test_trades_that_are_not_listed_yet_are_waited_for_and_never_made_up(
    account: Account,
) -> None:
    behind = account.exchange.fault("activities_behind")
    first = account.broker.submit(order())
    assert (first.state, first.fills) == (OrderState.OPEN, ())
    with pytest.raises(BrokerUnavailable, match="list of trades"):
        account.broker.find_order("a", "AAPL")
    account.exchange.release(behind)
    assert found(account, "a").filled == 10


def test_an_order_filled_before_it_could_be_cancelled_is_told_as_filled(account: Account) -> None:
    account.broker.submit(resting())
    account.exchange.fault(
        "error",
        on="DELETE /v2/orders/{id}",
        value='422 42210000 order is already in "filled" state',
    )
    assert account.broker.cancel("r", "AAPL").state is OrderState.OPEN  # as Alpaca has it
    account.exchange.set_price("AAPL", 149)
    assert account.broker.cancel("r", "AAPL").state is OrderState.FILLED


def test_a_sale_says_that_it_only_closes(account: Account) -> None:
    account.broker.submit(order())
    account.broker.submit(order("out", side=Side.SELL, reduce_only=True))
    bodies = [one.sent for one in account.exchange.requests if one.endpoint == PLACE]
    assert [body.get("position_intent") for body in bodies] == [None, "sell_to_close"]
    assert all(isinstance(value, str) for body in bodies for value in body.values())


def test_a_standing_order_for_a_part_of_a_share_is_one_for_the_day() -> None:
    with alpaca_venue(is_fractional=True) as venue:
        connection = venue.connect()
        connection.broker.submit(resting(quantity=D("1.5")))
        connection.broker.submit(resting("whole", quantity=D(2)))
        told = {one.client_id: one.lasting for one in venue.exchange.orders}
        assert told == {"r": "day", "whole": "gtc"}
        assert not connection.broker.capabilities.rests_protection
        connection.close()
