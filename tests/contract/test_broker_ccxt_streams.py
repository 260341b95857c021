"""What the venue tells by itself: hints that come soon, and whose loss never matters."""

import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from queue import SimpleQueue

import pytest

from engine.domain.instruments import Quote
from engine.domain.orders import OrderReport, OrderRequest, OrderState, OrderType, Side
from engine.ports import StreamingBroker, StreamingMarket
from tests.contract.exchange_venue import ExchangeVenue, exchange_venue

BTC = "BTC/USDT"
D = Decimal
PATIENCE_S = 20


class Heard:
    """An OrderListener that keeps what it hears."""

    def __init__(self) -> None:
        self.reports: SimpleQueue[OrderReport] = SimpleQueue()
        self.connections: SimpleQueue[str] = SimpleQueue()

    def on_report(self, report: OrderReport) -> None:
        """Keep it."""
        self.reports.put(report)

    def on_connected(self) -> None:
        """Keep it."""
        self.connections.put("connected")

    def on_disconnected(self, reason: str) -> None:
        """Keep it."""
        self.connections.put("disconnected")

    def until(self, state: OrderState) -> list[OrderReport]:
        """The reports up to the one that says so. Fails when it does not come."""
        found: list[OrderReport] = []
        while not found or found[-1].state is not state:
            found.append(self.reports.get(timeout=PATIENCE_S))
        return found


@pytest.fixture
def venue() -> Iterator[ExchangeVenue]:
    with exchange_venue() as venue:
        yield venue


@pytest.fixture
def heard(venue: ExchangeVenue) -> Iterator[Heard]:
    heard = Heard()
    stop = venue.broker.listen(heard)
    assert heard.connections.get(timeout=PATIENCE_S) == "connected"
    yield heard
    stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "binance-user-stream"]


def rest(venue: ExchangeVenue, client_id: str = "a") -> OrderReport:
    """A limit order below the price."""
    return venue.broker.submit(
        OrderRequest(client_id=client_id, symbol=BTC, side=Side.BUY, type=OrderType.LIMIT,
                     quantity=D("0.1"), price=D(49_000))
    )  # fmt: skip


def test_each_change_of_an_order_is_told_with_its_newest_fill(
    venue: ExchangeVenue, heard: Heard
) -> None:
    assert isinstance(venue.broker, StreamingBroker)
    resting = rest(venue)
    assert heard.until(OrderState.OPEN) == [resting]
    trade = venue.exchange.fill("a", "0.03")
    (part,) = heard.until(OrderState.PARTLY_FILLED)
    assert (part.filled, part.symbol) == (D("0.03"), BTC)
    assert [fill.trade_id for fill in part.fills] == [f"BTCUSDT-{trade.id}"]
    assert part.fills[0].fee == trade.commission
    venue.broker.cancel("a", BTC)
    ended = heard.until(OrderState.CANCELLED)[-1]
    assert (ended.client_id, ended.filled) == ("a", D("0.03"))  # not the id of the cancellation


def test_a_stream_that_is_cut_comes_back_and_says_so(venue: ExchangeVenue, heard: Heard) -> None:
    cut = venue.exchange.fault("disconnect_stream")
    assert heard.connections.get(timeout=PATIENCE_S) == "disconnected"
    rest(venue, "missed")
    venue.exchange.release(cut)
    assert heard.connections.get(timeout=PATIENCE_S) == "connected"
    rest(venue, "heard")
    assert [report.client_id for report in heard.until(OrderState.OPEN)] == ["heard"]
    assert {report.client_id for report in venue.broker.open_orders()} == {"missed", "heard"}


def test_frames_that_are_lost_are_found_by_asking(venue: ExchangeVenue, heard: Heard) -> None:
    lost = venue.exchange.fault("drop_frames")
    rest(venue)
    venue.exchange.set_price("BTCUSDT", 48_900)
    venue.exchange.set_price("BTCUSDT", 50_000)
    venue.exchange.release(lost)
    rest(venue, "b")
    assert [report.client_id for report in heard.until(OrderState.OPEN)] == ["b"]
    report = venue.broker.find_order("a", BTC)
    assert report is not None
    assert report.state is OrderState.FILLED


def test_doubled_frames_name_the_same_trade(venue: ExchangeVenue, heard: Heard) -> None:
    venue.exchange.fault("duplicate_fill")
    rest(venue)
    venue.exchange.set_price("BTCUSDT", 48_900)
    filled = heard.until(OrderState.FILLED)[-1]
    found = venue.broker.find_order("a", BTC)
    assert found is not None
    assert filled.fills == found.fills


# --- prices --------------------------------------------------------------------------------------


def watched(
    venue: ExchangeVenue, symbol: str = BTC
) -> tuple[SimpleQueue[Quote], Callable[[], None]]:
    """The quotes of a symbol as they come, and how to end them."""
    quotes: SimpleQueue[Quote] = SimpleQueue()
    return quotes, venue.market.watch(symbol, quotes.put)


def until_price(quotes: SimpleQueue[Quote], last: int) -> Quote:
    """The first quote with this price. Fails when it does not come."""
    while True:
        quote = quotes.get(timeout=PATIENCE_S)
        if quote.last == last:
            return quote


def test_prices_are_told_and_answered_from_the_stream_while_it_is_fresh(
    venue: ExchangeVenue,
) -> None:
    assert isinstance(venue.market, StreamingMarket)
    venue.exchange.rules("BTCUSDT").half_spread = D("0.5")
    quotes, stop = watched(venue)
    ether, stop_ether = watched(venue, "ETH/USDT")
    assert until_price(ether, 3000).symbol == "ETH/USDT"
    until_price(quotes, 50_000)
    venue.exchange.set_price("BTCUSDT", 51_000)
    quote = until_price(quotes, 51_000)
    assert (quote.bid, quote.ask) == (D("50999.5"), D("51000.5"))
    asked = len(venue.exchange.requests)
    assert venue.market.quote(BTC) == quote
    assert len(venue.exchange.requests) == asked
    stop()
    assert venue.market.quote(BTC).last == 51_000
    assert venue.exchange.requests[-1].endpoint == "GET ticker/24hr"
    stop_ether()
    assert not [thread for thread in threading.enumerate() if "prices" in thread.name]


def test_without_the_stream_prices_are_asked_for_and_it_comes_back(venue: ExchangeVenue) -> None:
    quotes, stop = watched(venue)
    until_price(quotes, 50_000)
    cut = venue.exchange.fault("disconnect_stream")
    venue.exchange.set_price("BTCUSDT", 47_000)
    while venue.market.quote(BTC).last != 47_000:
        """Until the market has seen that its stream is gone: then it asks."""
    venue.exchange.release(cut)
    assert until_price(quotes, 47_000).symbol == BTC
    stop()
