"""What is Zerodha's own: labels for ids, a book of the day, orders that are decided later, two
products, exact words on the wire, and sure refusals that are few."""

import logging
import string
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters.brokers.zerodha.broker import ZerodhaBroker
from engine.adapters.brokers.zerodha.client import KiteClient
from engine.adapters.brokers.zerodha.errors import Verdict, judge
from engine.adapters.brokers.zerodha.market import ZerodhaMarket
from engine.adapters.brokers.zerodha.options import Exchange
from engine.adapters.brokers.zerodha.tags import LONGEST, find_client_id, tag_of
from engine.domain.orders import OrderReport, OrderRequest, OrderState, OrderType, Side, TimeInForce
from engine.errors import (
    BrokerError,
    BrokerUnavailable,
    InsufficientFunds,
    OrderRejected,
    OrderStateUnknown,
)
from engine.links.http import Answer
from tests.contract.kite_venue import SYMBOL, KiteVenue, kite_venue
from tests.fakes.kite import API_KEY

PLACE = "POST /orders/regular"
ENTRY = "qd-1a2b3c4d-1772434830-e"
D = Decimal


@pytest.fixture
def venue() -> Iterator[KiteVenue]:
    with kite_venue() as venue:
        yield venue


def order(client_id: str = ENTRY, **fields: Any) -> OrderRequest:
    """Ten shares at the market, for the day, unless told otherwise."""
    told: dict[str, Any] = {
        "symbol": SYMBOL, "side": Side.BUY, "quantity": D(10), "time_in_force": TimeInForce.DAY,
    }  # fmt: skip
    return OrderRequest(client_id=client_id, **(told | fields))


def resting(client_id: str = ENTRY, **fields: Any) -> OrderRequest:
    """A limit order that waits."""
    return order(client_id, type=OrderType.LIMIT, price=D("10.05"), **fields)


def found(venue: KiteVenue, client_id: str = ENTRY) -> OrderReport:
    report = venue.broker.find_order(client_id, SYMBOL)
    assert report is not None
    return report


# --- labels ---------------------------------------------------------------------------------------

LEGS = st.sampled_from(["e", "x", "x.1", "x.12", "w0", "m12", "p0s", "p1t", "p0s.1"])
BOTS = st.integers(0, 2**32 - 1).map(lambda number: f"{number:08x}")
DIGESTS = st.integers(0, 2**40 - 1).map(lambda number: f"{number:010x}")
TIMES = st.integers(0, 10**10 - 1).map(lambda number: f"{number:010d}")
OURS = st.one_of(
    st.builds("qd-{}-{}-{}".format, BOTS, TIMES, LEGS),
    st.builds("qd-{}-{}-{}".format, BOTS, DIGESTS, LEGS),
    st.builds("qd-close-{}-{}".format, DIGESTS, st.integers(0, 99)),
    st.builds("qd-{}.{}".format, DIGESTS, st.integers(1, 99)),
)


@given(OURS)
def test_the_desks_ids_can_be_read_from_their_labels(client_id: str) -> None:
    tag = tag_of(client_id)
    assert len(tag) <= LONGEST
    assert tag.isascii()
    assert tag.isalnum()
    assert find_client_id(tag) == client_id


@given(st.text(string.printable, min_size=1, max_size=36))
def test_any_id_has_a_label_that_kite_takes(client_id: str) -> None:
    tag = tag_of(client_id)
    assert 1 <= len(tag) <= LONGEST
    assert tag.isascii()
    assert tag.isalnum()
    assert find_client_id(tag) in (client_id, None)


@given(st.text(string.printable, max_size=20))
def test_no_label_of_somebody_elses_is_taken_for_another_id(tag: str) -> None:
    client_id = find_client_id(tag)
    assert client_id is None or tag_of(client_id) == tag


def test_an_id_too_long_to_be_read_back_is_still_found_and_known_once_asked_for(
    venue: KiteVenue,
) -> None:
    long = "an-id-of-somebody-elses-making-00001"
    venue.broker.submit(resting(long))
    again = venue.reopen()
    [unknown] = again.open_orders()
    assert unknown.client_id == unknown.venue_id
    assert again.find_order(long, SYMBOL) is not None
    [known] = again.open_orders()
    assert known.client_id == long


# --- on the wire ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, {"order_type": "MARKET", "market_protection": "-1", "validity": "DAY"}),
        ({"time_in_force": TimeInForce.GTC}, {"order_type": "MARKET", "validity": "DAY"}),
        ({"type": OrderType.LIMIT, "price": D("12.10")}, {"order_type": "LIMIT", "price": "12.1"}),
        (
            {"type": OrderType.LIMIT, "price": D("12.10"), "time_in_force": TimeInForce.IOC},
            {"order_type": "LIMIT", "validity": "IOC"},
        ),
        (
            {"type": OrderType.STOP, "stop_price": D("12.75")},
            {"order_type": "SL-M", "trigger_price": "12.75", "market_protection": "-1"},
        ),
        (
            {"type": OrderType.STOP_LIMIT, "stop_price": D("12.75"), "price": D("12.80")},
            {"order_type": "SL", "trigger_price": "12.75", "price": "12.8"},
        ),
    ],
)
def test_an_order_is_told_exactly_and_with_nothing_more(
    venue: KiteVenue, fields: dict[str, Any], told: dict[str, str]
) -> None:
    venue.broker.submit(order(**fields))
    [sent] = [one.sent for one in venue.kite.requests if one.endpoint == PLACE]
    assert told.items() <= sent.items()
    assert (sent["quantity"], sent["product"], sent["exchange"]) == ("10", "CNC", "NSE")
    assert find_client_id(sent["tag"]) == ENTRY
    assert ("market_protection" in sent) is (sent["order_type"] in ("MARKET", "SL-M"))
    assert set(sent) >= {"price"} or sent["order_type"] in ("MARKET", "SL-M")


def test_the_accounts_own_protection_is_told() -> None:
    with kite_venue(market_protection=2) as venue:
        venue.broker.submit(order())
        assert venue.kite.requests[-1].endpoint.endswith("/trades")
        [sent] = [one.sent for one in venue.kite.requests if one.endpoint == PLACE]
        assert sent["market_protection"] == "2"


@pytest.mark.parametrize("lasting", [TimeInForce.GTC, TimeInForce.FOK])
def test_an_order_that_outlasts_the_day_is_refused_in_words(
    venue: KiteVenue, lasting: TimeInForce
) -> None:
    with pytest.raises(OrderRejected, match="lasts for the day"):
        venue.broker.submit(resting(time_in_force=lasting))
    assert venue.kite.count(PLACE) == 0


def test_neither_key_nor_token_is_in_any_log_or_error(
    venue: KiteVenue, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("kiteconnect").setLevel(logging.DEBUG)
    logging.getLogger("urllib3").setLevel(logging.DEBUG)
    broker = venue.reopen()  # which silences them again
    broker.submit(order())
    venue.kite.fault("logged_out")
    with pytest.raises(BrokerError) as told:
        broker.balances()
    everything = caplog.text + repr(told.value) + str(told.value) + repr(broker)
    assert API_KEY not in everything
    assert venue.kite.token not in everything


def test_questions_keep_the_pace_that_kite_documents(venue: KiteVenue) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        venue.clock.advance(seconds)

    client = KiteClient(API_KEY, venue.kite.token, venue.kite.url, venue.clock, sleep=sleep)
    for _ in range(3):
        client.ask("quote", [f"NSE:{SYMBOL}"])
        client.ask("orders")
    assert slept == [1.0, 1.0]
    venue.clock.advance(0.75)
    client.ask("quote", [f"NSE:{SYMBOL}"])
    assert slept[2:] == [0.25]
    venue.clock.advance(1)
    for number in range(25):  # an order book with many fills is asked about line by line
        client.ask("orders" if number % 2 else "trades")
    assert slept[3:] == [1.0, 1.0]


def test_an_order_waits_for_no_question_that_keeps_its_pace(venue: KiteVenue) -> None:
    sleeping, go_on = threading.Event(), threading.Event()

    def sleep(_seconds: float) -> None:
        sleeping.set()
        assert go_on.wait(60)

    client = KiteClient(API_KEY, venue.kite.token, venue.kite.url, venue.clock, sleep=sleep)
    market = ZerodhaMarket("m", client, venue.clock.monotonic, Exchange.NSE, can_short=False)
    broker = ZerodhaBroker("test:zerodha", market, client, venue.options)
    market.quote(SYMBOL)
    venue.clock.elapsed_s += 0.5
    asking = threading.Thread(target=lambda: market.quote("INFY"))
    asking.start()
    assert sleeping.wait(60)
    assert broker.submit(order()).state is OrderState.FILLED
    go_on.set()
    asking.join(60)


# --- orders that are decided later ----------------------------------------------------------------


def test_an_order_on_its_way_is_open_and_filled_when_the_book_says_so(venue: KiteVenue) -> None:
    slow = venue.kite.fault("slow_oms")
    report = venue.broker.submit(order())
    assert (report.state, report.fills) == (OrderState.OPEN, ())
    venue.kite.release(slow)
    report = found(venue)
    assert (report.state, report.filled) == (OrderState.FILLED, D(10))


def test_an_order_that_cannot_be_taken_back_yet_says_so_and_stays(venue: KiteVenue) -> None:
    venue.kite.fault("slow_oms")
    venue.broker.submit(order())
    with pytest.raises(OrderRejected, match="being processed"):
        venue.broker.cancel(ENTRY, SYMBOL)
    assert found(venue).state is OrderState.OPEN


def test_an_order_that_ended_while_it_was_to_be_taken_back_is_told_as_it_is(
    venue: KiteVenue,
) -> None:
    venue.broker.submit(resting())
    venue.kite.fault("error", on="DELETE", value="400 OrderException Order is complete already.")

    def fill_meanwhile(endpoint: str) -> None:
        if endpoint.startswith("DELETE"):
            venue.kite.set_price(SYMBOL, "10.00")

    venue.kite.before = fill_meanwhile
    assert venue.broker.cancel(ENTRY, SYMBOL).state is OrderState.FILLED


def test_a_cancel_whose_answer_is_lost_may_be_asked_for_again(venue: KiteVenue) -> None:
    venue.broker.submit(resting())
    venue.kite.fault("cut_after_accept", on="DELETE")
    with pytest.raises(BrokerUnavailable):
        venue.broker.cancel(ENTRY, SYMBOL)
    assert venue.broker.cancel(ENTRY, SYMBOL).state is OrderState.CANCELLED


def test_an_order_that_was_taken_is_not_in_doubt_for_want_of_news(venue: KiteVenue) -> None:
    def go_down_after_the_order(endpoint: str) -> None:
        if endpoint == PLACE:
            venue.kite.fault("status", on="GET /orders", value="503")

    venue.kite.before = go_down_after_the_order
    report = venue.broker.submit(order())
    assert (report.state, report.fills) == (OrderState.OPEN, ())
    assert found(venue).venue_id == report.venue_id


def test_an_older_order_of_the_same_id_is_not_taken_for_the_new_one(venue: KiteVenue) -> None:
    first = venue.broker.submit(order())
    venue.kite.fault("invisible")
    again = venue.broker.submit(order())
    assert again.venue_id != first.venue_id
    assert (again.state, again.fills) == (OrderState.OPEN, ())


# --- the book -------------------------------------------------------------------------------------


def test_an_order_that_works_already_is_not_posted_again(venue: KiteVenue) -> None:
    venue.kite.fault("gateway_504_after_accept", on=PLACE)
    with pytest.raises(OrderStateUnknown):
        venue.broker.submit(resting())
    with pytest.raises(OrderStateUnknown, match="already"):
        venue.reopen().submit(resting())
    assert venue.kite.count(PLACE) == 1


def test_nothing_is_posted_when_the_book_cannot_be_read(venue: KiteVenue) -> None:
    venue.market.instruments()
    venue.kite.fault("status", on="GET /orders", value="502")
    with pytest.raises(BrokerUnavailable):
        venue.broker.submit(order())
    assert venue.kite.count(PLACE) == 0


def test_an_order_of_yesterday_is_in_no_book_and_what_it_bought_is_held(venue: KiteVenue) -> None:
    venue.broker.submit(order())
    venue.kite.next_day()
    assert venue.broker.find_order(ENTRY, SYMBOL) is None
    assert venue.broker.open_orders() == []
    assert venue.broker.executions(SYMBOL, datetime(2020, 1, 1, tzinfo=UTC)) == []
    assert venue.broker.balances()[SYMBOL].total == 10


def test_somebody_elses_order_is_known_by_kites_number(venue: KiteVenue) -> None:
    theirs = venue.kite.order_by_hand(SYMBOL, "BUY", 3, "10.00")
    [report] = venue.broker.open_orders()
    assert (report.client_id, report.venue_id) == (theirs.order_id, theirs.order_id)
    assert found(venue, theirs.order_id) == report
    assert venue.broker.cancel(theirs.order_id, SYMBOL).state is OrderState.CANCELLED


def test_orders_of_another_product_or_exchange_are_another_accounts(venue: KiteVenue) -> None:
    theirs = venue.kite.order_by_hand(SYMBOL, "BUY", 3, "10.00")
    theirs.product = "MIS"
    assert venue.broker.open_orders() == []
    theirs.product, theirs.exchange = "CNC", "BSE"
    assert venue.broker.open_orders() == []


def test_row_17_shares_sold_from_holdings_leave_exactly_the_rest(venue: KiteVenue) -> None:
    venue.kite.holdings[SYMBOL] = D(100)
    venue.broker.submit(order(side=Side.SELL, quantity=D(30)))
    venue.broker.submit(order("qd-1a2b3c4d-1772434830-x", side=Side.SELL, quantity=D(20),
                              type=OrderType.LIMIT, price=D("14.00")))  # fmt: skip
    balance = venue.broker.balances()[SYMBOL]
    assert (balance.free, balance.locked) == (D(50), D(20))


def test_a_status_that_kite_does_not_document_is_not_guessed(venue: KiteVenue) -> None:
    venue.broker.submit(resting())
    next(iter(venue.kite.orders.values())).status = "SOMETHING NEW"
    with pytest.raises(BrokerUnavailable, match="SOMETHING NEW"):
        venue.broker.find_order(ENTRY, SYMBOL)


@pytest.mark.parametrize("field", ["exchange", "product", "symbol", "order_id"])
def test_a_line_that_does_not_say_whose_it_is_hides_no_order(venue: KiteVenue, field: str) -> None:
    venue.broker.submit(resting())
    setattr(next(iter(venue.kite.orders.values())), field, "")
    with pytest.raises(BrokerUnavailable, match="is ''"):
        venue.broker.find_order(ENTRY, SYMBOL)


def test_trades_that_do_not_add_up_are_not_booked(venue: KiteVenue) -> None:
    venue.broker.submit(order())
    venue.kite.fault("error", on="GET /orders/", value="500 GeneralException Try again.")
    with pytest.raises(BrokerUnavailable):
        venue.broker.find_order(ENTRY, SYMBOL)
    assert found(venue).filled == 10


# --- intraday -------------------------------------------------------------------------------------


@pytest.fixture
def intraday() -> Iterator[KiteVenue]:
    with kite_venue(product="MIS") as venue:
        yield venue


def test_intraday_a_short_is_owed_and_bought_back(intraday: KiteVenue) -> None:
    assert intraday.broker.capabilities.has_shorting
    assert intraday.market.instrument(SYMBOL).can_short
    intraday.broker.submit(order(side=Side.SELL))
    assert intraday.broker.balances()[SYMBOL].total == -10
    intraday.broker.submit(order("qd-1a2b3c4d-1772434830-x", reduce_only=True))
    assert SYMBOL not in intraday.broker.balances()


@pytest.mark.parametrize("side", list(Side))
def test_intraday_a_closing_order_never_crosses_zero(intraday: KiteVenue, side: Side) -> None:
    opening = Side.BUY if side is Side.SELL else Side.SELL
    intraday.broker.submit(order(side=opening))
    with pytest.raises(InsufficientFunds, match="less of IDEA"):
        intraday.broker.submit(
            order("qd-1a2b3c4d-1772434830-x", side=side, quantity=D(11), reduce_only=True)
        )
    assert intraday.kite.count(PLACE) == 1


def test_intraday_shares_held_for_delivery_are_not_counted(intraday: KiteVenue) -> None:
    intraday.kite.holdings[SYMBOL] = D(100)
    assert SYMBOL not in intraday.broker.balances()


# --- what an answer says --------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 302, 401, 402, 404, 405, 410, 500, 502, 503, 504])
@pytest.mark.parametrize(
    "kind", ["InputException", "OrderException", "MarginException", "HoldingException", "Else"]
)
def test_only_a_400_of_a_listed_kind_refuses_for_certain(status: int, kind: str) -> None:
    told = f'{{"status": "error", "error_type": "{kind}", "message": "No."}}'
    assert judge(Answer(status, told)).verdict is Verdict.UNKNOWN
    is_listed = kind != "Else"
    is_refused = judge(Answer(400, told)).verdict in (Verdict.REJECTED, Verdict.NO_FUNDS)
    assert is_refused is is_listed


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"status": "error"}', "<html>", "1"])
def test_what_is_no_error_answer_says_nothing(text: str) -> None:
    for status in (200, 400, 403):
        assert judge(Answer(status, text)).verdict is Verdict.UNKNOWN
    assert judge(None).verdict is Verdict.UNKNOWN
