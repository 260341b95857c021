"""Prices of a second exchange: its stream, what is done without one, and candles over pages."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from queue import SimpleQueue
from typing import Any

import ccxt.pro
import pytest

from engine.adapters.clock.system import SystemClock
from engine.adapters.market_data.ccxt_streams import CcxtStreamingMarket
from engine.domain.instruments import Quote
from engine.domain.money import from_epoch_ms
from engine.errors import DataError
from tests.contract.ccxt_venues import open_okx_market
from tests.fakes.exchange import BinanceExchange
from tests.fakes.okx import okx_exchange

BTC = "BTC/USDT"
PATIENCE_S = 10


@pytest.fixture
def exchange() -> Iterator[BinanceExchange]:
    with okx_exchange() as exchange:
        yield exchange


@pytest.fixture
def market(exchange: BinanceExchange) -> Iterator[CcxtStreamingMarket]:
    market = open_okx_market(exchange, SystemClock())
    yield market
    market.close()


@pytest.mark.parametrize("ahead_s", [-3600, 3600])
def test_where_an_exchange_has_no_time_to_ask_for_the_dates_of_its_answers_tell_it(
    exchange: BinanceExchange, market: CcxtStreamingMarket, ahead_s: int
) -> None:
    market._exchange.has = {**market._exchange.has, "fetchTime": False}
    exchange.advance(ahead_s)
    market.instruments()
    assert "GET public/time" not in [one.endpoint for one in exchange.requests]
    off = market.now() - from_epoch_ms(exchange.now_ms())
    assert abs(off) < timedelta(minutes=1), "a machine that is busy is no fault"
    assert market.candles(BTC, "1m", limit=1).last_close_time <= from_epoch_ms(exchange.now_ms())


def watched(market: CcxtStreamingMarket) -> tuple[SimpleQueue[Quote], Callable[[], None]]:
    """The quotes as they come, and how to end them."""
    quotes: SimpleQueue[Quote] = SimpleQueue()
    return quotes, market.watch(BTC, quotes.put)


def until_price(quotes: SimpleQueue[Quote], last: int) -> Quote:
    """The first quote with this price. Fails when it does not come."""
    while True:
        quote = quotes.get(timeout=PATIENCE_S)
        if quote.last == last:
            return quote


def test_a_stream_that_drops_is_stood_in_for_by_asking_and_comes_back(
    exchange: BinanceExchange, market: CcxtStreamingMarket
) -> None:
    quotes, stop = watched(market)
    until_price(quotes, 50_000)
    exchange.set_price("BTCUSDT", 51_000)
    until_price(quotes, 51_000)
    asked = len(exchange.requests)
    assert market.quote(BTC).last == 51_000
    assert len(exchange.requests) == asked, "told, not asked for"
    cut = exchange.fault("disconnect_stream")
    exchange.set_price("BTCUSDT", 47_000)
    while market.quote(BTC).last != 47_000:
        """Until the market has seen that its stream is gone: then it asks."""
    assert exchange.requests[-1].endpoint == "GET market/ticker"
    exchange.release(cut)
    exchange.set_price("BTCUSDT", 48_000)
    assert until_price(quotes, 48_000).symbol == BTC
    stop()
    assert not [thread for thread in threading.enumerate() if "prices" in thread.name]


class Mute(ccxt.pro.okx):  # type: ignore[misc]
    """An exchange whose prices ccxt cannot watch."""

    def describe(self) -> Any:
        return self.deep_extend(super().describe(), {"has": {"watchTicker": False}})


@pytest.mark.parametrize("client", [Mute, None])
def test_without_a_stream_prices_are_asked_for(
    exchange: BinanceExchange,
    market: CcxtStreamingMarket,
    client: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ccxt.pro, "okx", client)
    quotes, stop = watched(market)
    exchange.set_price("BTCUSDT", 52_000)
    assert market.quote(BTC).last == 52_000
    stop()
    assert quotes.empty()
    assert not [thread for thread in threading.enumerate() if "prices" in thread.name]


@pytest.mark.parametrize("fault", ["junk_after_accept", "nan_json", "html"])
def test_what_cannot_be_read_is_not_an_exchange_without_symbols(
    exchange: BinanceExchange, market: CcxtStreamingMarket, fault: str
) -> None:
    exchange.fault(fault, on="GET public/instruments")
    with pytest.raises(DataError, match=r"cannot be read|does not answer|fewer requests|refused"):
        market.instruments()


def test_an_empty_listing_is_not_believed_and_the_last_one_kept(
    exchange: BinanceExchange, market: CcxtStreamingMarket
) -> None:
    symbols, exchange.matching.symbols = exchange.matching.symbols, {}
    with pytest.raises(DataError, match="lists no symbols"):
        market.instruments()
    exchange.matching.symbols = symbols
    known = market.instruments()
    assert known
    exchange.matching.symbols = {}
    market.refresh()
    assert market.instruments() == known


def test_candles_of_more_than_a_page_are_whole(market: CcxtStreamingMarket) -> None:
    candles = market.candles(BTC, "1m", limit=750)
    assert len(candles) == 750
    assert candles.last_close_time <= market.now()
    assert len(market.bars_since(BTC, market.now() - timedelta(hours=3))) in (179, 180)
