"""Live public data, through ccxt itself, against a loopback server that answers like Binance."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from engine.adapters.clock.system import SystemClock
from engine.adapters.market_data.ccxt_public import CcxtPublicMarket
from engine.domain.money import to_epoch_ms
from engine.errors import DataError, NotFound
from engine.links.binance import test_addresses as addresses_of
from engine.links.pause import Pause
from engine.ports import BulkMarket, SeparateMarket
from tests.fakes.binance_public import BinancePublic, binance_public
from tests.fakes.clock import FakeClock


@pytest.fixture
def server() -> Iterator[BinancePublic]:
    with binance_public() as server:
        yield server


def connected(server: BinancePublic, clock: FakeClock | None = None) -> CcxtPublicMarket:
    monotonic = (clock or FakeClock()).monotonic
    return CcxtPublicMarket(
        "ccxt:binance",
        SystemClock(),
        base_url=server.url,
        timeout_ms=400,
        pause=Pause(monotonic),
    )


def test_only_active_spot_symbols_are_listed_with_their_rules(server: BinancePublic) -> None:
    market = connected(server)
    assert [instrument.symbol for instrument in market.instruments()] == ["BTC/USDT", "ETH/BTC"]
    instrument = market.instrument("BTC/USDT")
    assert instrument.price_tick == Decimal("0.01")
    assert instrument.quantity_step == instrument.min_quantity == Decimal("0.00001")
    assert instrument.min_notional == 5
    assert server.requests == ["/api/v3/time", "/api/v3/exchangeInfo"]  # and kept


def test_a_long_window_is_read_in_pages(server: BinancePublic) -> None:
    candles = connected(server).candles("BTC/USDT", "1m", limit=2300)
    assert len(candles) == 2300
    assert (np.diff(candles.time) == 60_000).all()
    assert server.requests.count("/api/v3/klines") == 3


def test_the_unfinished_candle_is_left_out_by_the_exchanges_clock(server: BinancePublic) -> None:
    server.clock_lead_ms = 3_600_000
    market = connected(server)
    candles = market.candles("BTC/USDT", "1m", limit=5)
    assert candles.last_close_time <= market.now()
    lead = market.now() - SystemClock().now()
    assert abs(lead - timedelta(hours=1)) < timedelta(seconds=5)


@pytest.mark.parametrize("correction_s", [3000, -3000, 2, -2])
def test_row_20_a_corrected_machine_moves_no_time_of_the_exchange(
    server: BinancePublic, correction_s: int
) -> None:
    """Else the candle of four hours that is under way would count as closed."""
    clock = FakeClock()
    market = CcxtPublicMarket("ccxt:binance", clock, base_url=server.url, timeout_ms=400)
    market.instruments()
    told = market.now()
    clock.current += timedelta(seconds=correction_s)
    assert market.now() == told
    clock.advance(1)
    assert market.now() == told + timedelta(seconds=1)
    market.instruments()
    assert server.requests.count("/api/v3/time") == 2, "asked anew: the machine may have slept"


def test_a_gap_ends_the_window(server: BinancePublic) -> None:
    market = connected(server)
    market.instruments()
    newest = to_epoch_ms(market.now()) // 3_600_000 * 3_600_000 - 3_600_000
    server.missing = {newest - 7 * 3_600_000}
    candles = market.candles("BTC/USDT", "1h", limit=20)
    assert len(candles) == 7
    assert int(candles.time[-1]) == newest


def test_a_test_network_has_prices_of_its_own(server: BinancePublic) -> None:
    network = CcxtPublicMarket(
        "testnet:binance", SystemClock(), addresses=addresses_of(server.url), timeout_ms=400
    )
    assert isinstance(network, SeparateMarket)
    assert network.has_prices_of_its_own
    assert not connected(server).has_prices_of_its_own


def test_many_tickers_are_one_request(server: BinancePublic) -> None:
    market = connected(server)
    market.instruments()
    server.requests.clear()
    quotes = market.quotes(["BTC/USDT", "ETH/BTC", "NO/PE"])
    assert server.requests == ["/api/v3/ticker/24hr"]
    assert list(quotes) == ["BTC/USDT", "ETH/BTC"], "what is not listed has no price"
    assert quotes["ETH/BTC"].last == Decimal("50000.1")
    assert isinstance(market, BulkMarket)
    server.outage = "500"
    with pytest.raises(DataError):
        market.quotes(["BTC/USDT", "ETH/BTC"])


def test_the_ticker_becomes_a_quote(server: BinancePublic) -> None:
    quote = connected(server).quote("BTC/USDT", seen_price=Decimal(1))
    assert (quote.bid, quote.ask) == (Decimal(50_000), Decimal("50000.2"))
    assert (quote.last, quote.volume) == (Decimal("50000.1"), Decimal(1))


def test_a_ticker_without_a_price_is_an_error(server: BinancePublic) -> None:
    server.ticker = {"bidPrice": "0.0", "askPrice": None}
    with pytest.raises(DataError, match="no price"):
        connected(server).quote("BTC/USDT")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("429", "fewer requests"),
        ("418", "fewer requests"),
        ("500", "refused|does not answer"),
        ("timeout", "does not answer"),
        ("junk", "no candles|cannot be read"),
    ],
)
def test_a_fault_is_one_sentence_and_passes(server: BinancePublic, fault: str, words: str) -> None:
    clock = FakeClock()
    market = connected(server, clock)
    market.instruments()
    server.faults.append(fault)
    with pytest.raises(DataError, match=words):
        market.candles("BTC/USDT", "1m", limit=5)
    clock.advance(1)
    assert len(market.candles("BTC/USDT", "1m", limit=5)) == 5


@pytest.mark.parametrize("fault", ["429", "418"])
def test_nothing_is_asked_before_the_pause_is_over(server: BinancePublic, fault: str) -> None:
    clock = FakeClock()
    market = connected(server, clock)
    market.instruments()
    server.faults.append(fault)
    with pytest.raises(DataError):
        market.quote("BTC/USDT")
    asked = len(server.requests)
    clock.advance(0.9)
    with pytest.raises(DataError, match="pause"):
        market.quote("BTC/USDT")
    assert len(server.requests) == asked
    clock.advance(0.1)
    assert market.quote("BTC/USDT").last > 0


def test_an_exchange_that_is_down_lists_nothing(server: BinancePublic) -> None:
    server.faults.extend(["500", "500"])
    with pytest.raises(DataError):
        connected(server).instruments()


def test_an_unknown_exchange_is_not_found() -> None:
    with pytest.raises(NotFound, match="no exchange 'nowhere'"):
        CcxtPublicMarket("ccxt:nowhere", SystemClock())


def test_the_order_book_is_exact_and_the_best_level_is_first(server: BinancePublic) -> None:
    market = connected(server)
    depth = market.depth("BTC/USDT", 1)
    assert depth.bids == ((Decimal("62000.1"), Decimal("0.5")),)
    assert depth.asks == ((Decimal("62000.3"), Decimal("0.25")),)
    assert abs(market.now() - depth.time) < timedelta(seconds=5)  # Binance tells no time of it
    assert len(market.depth("BTC/USDT", 5).asks) == 2


@pytest.mark.parametrize(
    ("side", "levels"),
    [
        ("asks", [["61000", "1"]]),
        ("asks", [["0", "1"]]),
        ("bids", [["62000", "-1"]]),
        ("bids", [["x", "1"]]),
        ("bids", [[]]),
    ],
)
def test_an_order_book_that_makes_no_sense_is_refused(
    server: BinancePublic, side: str, levels: list[list[str]]
) -> None:
    server.book[side] = levels
    with pytest.raises(DataError, match=r"order book|cannot be read"):
        connected(server).depth("BTC/USDT", 5)
