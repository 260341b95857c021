"""The paper broker's own rules: touches, gaps, caps, collateral, and its one commit a change."""

from decimal import Decimal

import pytest

from engine.adapters.brokers.paper import PaperBroker
from engine.domain.orders import OrderState, OrderType, Side
from engine.errors import BrokerUnavailable, DataError, InsufficientFunds, StoreError
from tests.fakes.paper_desk import PaperDesk

D = Decimal


@pytest.fixture
def desk() -> PaperDesk:
    return PaperDesk()


def test_a_buy_pays_the_ask_with_slippage_and_a_sale_gets_the_bid() -> None:
    desk = PaperDesk(slippage_bps=D(10))
    desk.market.set_price("BTC/USDT", "100", bid="99.90", ask="100.10")
    bought = desk.send("a", Side.BUY, "1")
    sold = desk.send("b", Side.SELL, "1", reduce_only=True)
    assert bought.fills[0].price == D("100.21")  # 100.2001, rounded against the buyer
    assert sold.fills[0].price == D("99.80")  # 99.8001, rounded against the seller
    assert bought.fills[0].fee == D("0.10021")
    assert desk.money() == 1000 - D("100.21") - D("0.10021") + D("99.80") - D("0.0998")


def test_the_fee_is_rounded_up_to_eight_decimals() -> None:
    desk = PaperDesk(fee_bps=D("7.5"))
    desk.market.set_price("BTC/USDT", "33.33")
    assert desk.send("a", Side.BUY, "0.33333").fills[0].fee == D("0.00833242")  # ...2417


def test_the_volume_cap_leaves_the_rest_working_until_newer_time(desk: PaperDesk) -> None:
    desk.market.set_price("BTC/USDT", "100", volume="8")
    report = desk.send("a", Side.BUY, "5")
    assert (report.state, report.filled) == (OrderState.PARTLY_FILLED, D(2))
    assert desk.found("a").filled == 2  # the same second is not matched twice
    desk.market.clock.advance(1)
    assert desk.found("a").filled == 4
    assert desk.found("a").filled == 4
    desk.market.clock.advance(1)
    done = desk.found("a")
    assert (done.state, done.filled) == (OrderState.FILLED, D(5))
    assert [fill.trade_id for fill in done.fills] == ["a-1", "a-2", "a-3"]
    assert desk.broker.balances()["USDT"].locked == 0


def test_an_amount_of_quote_is_never_overspent_when_the_price_rises(desk: PaperDesk) -> None:
    desk.market.set_price("BTC/USDT", "100", volume="8")
    desk.send("a", Side.BUY, quote_amount=D(500))
    desk.market.clock.advance(1)
    desk.market.set_price("BTC/USDT", "140", volume="80")
    report = desk.found("a")
    assert report.state is OrderState.FILLED
    assert report.quantity == report.filled
    spent = sum(fill.price * fill.quantity + fill.fee for fill in report.fills)
    assert 499 < spent <= 500
    assert desk.money() == 1000 - spent


def test_what_the_funds_no_longer_cover_is_cancelled(desk: PaperDesk) -> None:
    desk.market.set_price("BTC/USDT", "100", volume="8")
    desk.send("a", Side.BUY, "9")
    desk.market.clock.advance(1)
    desk.market.set_price("BTC/USDT", "200")
    report = desk.found("a")
    assert report.state is OrderState.CANCELLED
    assert "funds" in report.reason
    balance = desk.broker.balances()["USDT"]
    assert balance.locked == 0
    assert 0 <= balance.free < D("0.01")


def test_a_cancel_frees_what_was_not_traded(desk: PaperDesk) -> None:
    desk.send("held", Side.BUY, "5")
    desk.market.set_price("BTC/USDT", "100", volume="8")
    assert desk.send("a", Side.SELL, "5", reduce_only=True).filled == 2
    assert desk.broker.balances()["BTC"].locked == 3
    cancelled = desk.broker.cancel("a", "BTC/USDT")
    assert (cancelled.state, cancelled.filled) == (OrderState.CANCELLED, D(2))
    balance = desk.broker.balances()["BTC"]
    assert (balance.free, balance.locked) == (D(3), D(0))


@pytest.mark.parametrize(
    ("bar", "expected"),
    [
        ((99, 101, 96, 100), "95"),  # not touched
        ((99, 101, 95, 100), "95"),
        ((99, 101, 90, 100), "95"),
        ((94, 101, 90, 100), "94"),  # a gap fills at the open
    ],
)
def test_a_limit_buy_fills_when_a_bar_touches_it(
    desk: PaperDesk, bar: tuple[float, float, float, float], expected: str
) -> None:
    desk.send("a", Side.BUY, "1", "95", type=OrderType.LIMIT)
    desk.market.add_bar("BTC/USDT", *bar)
    report = desk.found("a")
    is_touched = bar[2] <= 95
    assert [fill.price for fill in report.fills] == ([D(expected)] if is_touched else [])
    assert desk.broker.balances()["USDT"].locked == (0 if is_touched else D("95.095"))


@pytest.mark.parametrize(
    ("side", "price", "bar", "expected"),
    [
        (Side.SELL, "95", (99, 101, 95.5, 98), None),
        (Side.SELL, "95", (99, 101, 94, 98), "94.99"),
        (Side.SELL, "95", (93, 94, 90, 92), "92.99"),
        (Side.BUY, "105", (101, 104, 100, 103), None),
        (Side.BUY, "105", (101, 106, 100, 103), "105.02"),
        (Side.BUY, "105", (107, 108, 106, 107), "107.02"),
    ],
)
def test_a_stop_fills_at_its_price_or_worse(
    side: Side, price: str, bar: tuple[float, float, float, float], expected: str | None
) -> None:
    desk = PaperDesk(slippage_bps=D(1))
    desk.send("held", Side.BUY, "1")
    desk.send("a", side, "1", stop_price=D(price), type=OrderType.STOP,
              reduce_only=side is Side.SELL)  # fmt: skip
    assert desk.found("a").state is OrderState.OPEN
    desk.market.add_bar("BTC/USDT", *bar)
    assert [str(fill.price) for fill in desk.found("a").fills] == ([expected] if expected else [])


def test_a_triggered_stop_goes_on_at_the_next_opens(desk: PaperDesk) -> None:
    desk.send("held", Side.BUY, "3")
    desk.send("a", Side.SELL, "3", stop_price=D(95), type=OrderType.STOP, reduce_only=True)
    desk.market.add_bar("BTC/USDT", 96, 97, 94, 96, 4)
    desk.market.add_bar("BTC/USDT", 98, 99, 97, 98, 8)
    fills = desk.found("a").fills
    assert [(fill.price, fill.quantity) for fill in fills] == [(D(95), D(1)), (D(98), D(2))]


def test_a_bar_is_matched_once(desk: PaperDesk) -> None:
    desk.send("a", Side.BUY, "5", "95", type=OrderType.LIMIT)
    desk.market.add_bar("BTC/USDT", 99, 99, 94, 99, 8)
    assert [desk.found("a").filled for _ in range(3)] == [2, 2, 2]


def test_a_sale_beyond_holdings_needs_a_market_that_lends(desk: PaperDesk) -> None:
    with pytest.raises(InsufficientFunds, match="ETH"):
        desk.send("a", Side.SELL, "1", symbol="ETH/USDT")
    assert desk.send("b", Side.SELL, "1").state is OrderState.FILLED


def test_shorts_keep_twice_their_value_from_other_spending(desk: PaperDesk) -> None:
    desk.send("a", Side.SELL, "5")  # 499.5 received; 1000 of 1499.5 is kept back
    with pytest.raises(InsufficientFunds):
        desk.send("b", Side.SELL, "5")
    with pytest.raises(InsufficientFunds):
        desk.send("c", Side.BUY, "5", symbol="ETH/USDT")
    assert desk.send("d", Side.BUY, "4.9", symbol="ETH/USDT").state is OrderState.FILLED
    covered = desk.send("e", Side.BUY, "5", reduce_only=True)
    assert covered.state is OrderState.FILLED
    assert desk.broker.balances()["BTC"].total == 0


def test_two_resting_covers_cannot_cross_zero(desk: PaperDesk) -> None:
    desk.send("short", Side.SELL, "2")
    for name in ("a", "b"):
        desk.send(name, Side.BUY, "2", "90", type=OrderType.LIMIT, reduce_only=True)
    desk.market.add_bar("BTC/USDT", 95, 96, 89, 90)
    assert desk.found("a").filled == 2
    assert (desk.found("b").state, desk.found("b").filled) == (OrderState.CANCELLED, D(0))
    assert desk.broker.balances()["BTC"].total == 0
    assert desk.broker.balances()["USDT"].locked == 0


def test_every_change_is_one_commit_and_looking_is_none(desk: PaperDesk) -> None:
    desk.broker.balances()
    assert desk.book.commits == 1  # opened
    desk.send("a", Side.BUY, "1")
    desk.send("b", Side.BUY, "1", "95", type=OrderType.LIMIT)
    assert desk.book.commits == 3
    desk.found("b")
    desk.market.add_bar("BTC/USDT", 99, 99, 98, 99)
    desk.found("b")
    assert desk.book.commits == 3
    desk.market.add_bar("BTC/USDT", 99, 99, 94, 99)
    desk.found("b")
    assert desk.book.commits == 4


def test_a_commit_that_fails_leaves_everything_as_it_was(desk: PaperDesk) -> None:
    before = desk.broker.balances()
    desk.book.failure = StoreError("the disk is full")
    with pytest.raises(StoreError):
        desk.send("a", Side.BUY, "1")
    assert desk.broker.balances() == before
    assert desk.broker.find_order("a", "BTC/USDT") is None
    assert desk.send("a", Side.BUY, "1").state is OrderState.FILLED


def test_a_commit_that_fails_after_writing_is_found_in_the_book(desk: PaperDesk) -> None:
    desk.broker.balances()
    desk.book.late_failure = StoreError("the connection was lost")
    with pytest.raises(StoreError):
        desk.send("a", Side.BUY, "1")
    assert desk.found("a").state is OrderState.FILLED
    assert desk.money() == 1000 - D("100.1")
    assert desk.send("a", Side.BUY, "1") == desk.found("a")


def test_the_opening_balance_is_credited_once(desk: PaperDesk) -> None:
    desk.send("a", Side.BUY, "1")
    after = desk.broker.balances()
    again = PaperBroker("paper:x", desk.market, desk.book, **desk.terms)
    assert again.balances() == after
    other = PaperBroker("paper:y", desk.market, desk.book, **desk.terms)
    assert other.balances()["USDT"].free == 1000


def test_without_prices_nothing_is_accepted_and_resting_orders_wait(desk: PaperDesk) -> None:
    desk.send("a", Side.BUY, "1", "95", type=OrderType.LIMIT)
    desk.market.add_bar("BTC/USDT", 99, 99, 94, 99)
    desk.market.failure = DataError("the venue does not answer")
    assert desk.found("a").state is OrderState.OPEN
    with pytest.raises(DataError):
        desk.send("b", Side.BUY, "1")
    desk.market.failure = None
    assert desk.broker.find_order("b", "BTC/USDT") is None
    assert desk.found("a").state is OrderState.FILLED


def test_an_account_cannot_be_opened_without_its_market(desk: PaperDesk) -> None:
    desk.market.failure = DataError("the venue does not answer")
    with pytest.raises(BrokerUnavailable):
        desk.broker.balances()
    assert desk.book.commits == 0
