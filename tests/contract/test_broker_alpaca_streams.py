"""What Alpaca tells by itself: hints that make things faster, and never the only source."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal as D

import msgpack
import pytest

from engine.adapters.brokers.alpaca.price_stream import AlpacaStreamingMarket
from engine.domain.instruments import Quote
from engine.domain.orders import OrderReport, OrderState
from engine.errors import NotFound
from engine.links.alpaca import end_stream
from engine.ports import StreamingMarket
from tests.contract.alpaca_account import Account, open_account, order, resting
from tests.contract.alpaca_venue import SYMBOLS

PATIENCE_S = 10.0


class Ear:
    """An ``OrderListener`` that notes what it hears."""

    def __init__(self) -> None:
        self.reports: list[OrderReport] = []
        self.connected = 0
        self.disconnected: list[str] = []

    def on_report(self, report: OrderReport) -> None:
        self.reports.append(report)

    def on_connected(self) -> None:
        self.connected += 1

    def on_disconnected(self, reason: str) -> None:
        self.disconnected.append(reason)


def wait_for(is_so: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.005)


@pytest.fixture
def account() -> Iterator[Account]:
    with open_account() as account:
        yield account


@pytest.fixture
def ear(account: Account) -> Iterator[Ear]:
    ear = Ear()
    end = account.broker.listen(ear)
    wait_for(lambda: ear.connected and account.exchange.listeners)
    yield ear
    end()
    assert not [one for one in threading.enumerate() if one.name == "alpaca-trade-updates"]


def test_a_fill_is_told_with_the_trades_as_they_are_listed(account: Account, ear: Ear) -> None:
    account.broker.submit(resting())
    account.exchange.set_price("AAPL", 149)
    wait_for(lambda: ear.reports and ear.reports[-1].state is OrderState.FILLED)
    assert ear.reports[-1] == account.broker.find_order("r", "AAPL")
    assert not ear.reports[-1].fills[0].trade_id.startswith("stream")


def test_a_cut_stream_is_connected_anew_and_both_are_told(account: Account, ear: Ear) -> None:
    cut = account.exchange.fault("disconnect_stream")
    wait_for(lambda: ear.disconnected)
    account.exchange.release(cut)
    wait_for(lambda: ear.connected == account.exchange.listeners == 2)
    account.broker.submit(order())
    wait_for(lambda: ear.reports)
    assert ear.connected == 2
    assert ear.reports[0].symbol == "AAPL"


def test_an_event_that_cannot_be_looked_up_is_left_to_the_next_look(
    account: Account, ear: Ear, caplog: pytest.LogCaptureFixture
) -> None:
    account.broker.submit(resting())
    wait_for(lambda: len(ear.reports) == 2)  # on its way to the market, and there
    account.exchange.fault("status", on="GET /v2/orders/{id}", times=1)
    account.exchange.set_price("AAPL", 149)
    wait_for(lambda: "left to the next look" in caplog.text)
    assert len(ear.reports) == 2
    assert account.broker.find_order("r", "AAPL") is not None


def test_orders_of_the_other_kind_are_not_told(account: Account, ear: Ear) -> None:
    account.exchange.by_hand("BTC/USD", "buy", "0.1")
    account.exchange.by_hand("F", "buy", 1)
    wait_for(lambda: ear.reports)
    assert {report.symbol for report in ear.reports} == {"F"}


def test_a_cancellation_that_the_sdk_swallows_ends_the_stream_all_the_same() -> None:
    """As in asyncio.wait_for before Python 3.12, when a message comes in that moment."""

    class Deaf:
        closed = False

        async def consume(self) -> None:
            while not self.closed:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(0.001)

        async def close(self) -> None:
            self.closed = True

    async def run() -> bool:
        client = Deaf()
        consuming = asyncio.create_task(client.consume())
        await asyncio.sleep(0)
        await asyncio.wait_for(end_stream(client, consuming), 5)
        return consuming.done()

    assert asyncio.run(run())


def test_a_wrong_key_is_no_connection(account: Account) -> None:
    account.exchange.secret = "another"
    ear = Ear()
    end = account.broker.listen(ear)
    wait_for(lambda: account.exchange.streams_refused >= 2)
    end()
    assert ear.connected == 0


# --- prices --------------------------------------------------------------------------------------


def asked_for_prices(account: Account) -> int:
    return sum(1 for one in account.exchange.requests if one.endpoint.endswith("/snapshots"))


@pytest.fixture(params=list(SYMBOLS.items()), ids=["stock", "crypto"])
def watched(request: pytest.FixtureRequest) -> Iterator[tuple[Account, str, list[Quote]]]:
    """An account whose symbol's price is watched."""
    kind, symbol = request.param
    with open_account(kind) as account:
        assert isinstance(account.market, StreamingMarket)
        quotes: list[Quote] = []
        end = account.market.watch(symbol, quotes.append)
        wait_for(lambda: len(quotes) == 2)  # the book and the last trade as they are
        yield account, symbol, quotes
        end()
        assert not [one for one in threading.enumerate() if one.name.endswith(" prices")]


def test_prices_are_told_and_need_not_be_asked_for(
    watched: tuple[Account, str, list[Quote]],
) -> None:
    account, symbol, quotes = watched
    before = asked_for_prices(account)
    account.clock.advance(1)
    account.exchange.set_price(symbol, "21.5")
    wait_for(lambda: len(quotes) == 4)
    told = account.market.quote(symbol)
    assert (told.bid, told.last, told.ask) == (D("21.49"), D("21.5"), D("21.51"))
    assert told == quotes[-1]
    assert told.time == account.clock.now()
    assert asked_for_prices(account) == before


def test_while_the_stream_is_gone_prices_are_asked_for(
    watched: tuple[Account, str, list[Quote]],
) -> None:
    account, symbol, quotes = watched
    cut = account.exchange.fault("disconnect_stream")
    account.exchange.set_price(symbol, 30)
    wait_for(lambda: account.market.quote(symbol).last == 30)
    told = len(quotes)
    account.exchange.release(cut)
    wait_for(lambda: len(quotes) > told)
    assert quotes[-1].symbol == symbol


def test_what_is_watched_may_change_and_end(watched: tuple[Account, str, list[Quote]]) -> None:
    account, symbol, _quotes = watched
    assert isinstance(account.market, StreamingMarket)
    other = {"F": "AAPL", "BTC/USD": "ETH/USD"}[symbol]
    more: list[Quote] = []
    end = account.market.watch(other, more.append)
    wait_for(lambda: more)
    end()
    wait_for(lambda: account.exchange.watched == [symbol])
    with pytest.raises(NotFound):
        account.market.watch("NO/PE", more.append)


def test_a_price_that_came_late_or_is_none_is_left(
    watched: tuple[Account, str, list[Quote]], caplog: pytest.LogCaptureFixture
) -> None:
    account, symbol, quotes = watched
    market = account.market
    assert isinstance(market, AlpacaStreamingMarket)
    late = msgpack.Timestamp.from_datetime(account.clock.now() - timedelta(seconds=5))
    now = msgpack.Timestamp.from_datetime(account.clock.now())
    for message in (
        {"T": "t", "S": symbol, "p": 1.0, "t": late},
        {"T": "t", "S": symbol, "p": float("nan"), "t": now},
        {"T": "t", "S": symbol, "p": None, "t": now},
        {"T": "q", "S": symbol, "bp": -1.0, "ap": 2.0, "t": now},
        {"T": "q", "t": now},
    ):
        asyncio.run(market._on_message(message))
    assert len(quotes) == 2
    assert caplog.text.count("cannot be read") == 4
