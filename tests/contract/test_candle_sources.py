"""Sources of candles through the vendors' own SDKs, against servers that answer as documented."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from engine.adapters.candles.alpaca_source import AlpacaCandles
from engine.adapters.candles.yahoo_source import YahooCandles
from engine.adapters.market_data.ccxt_candles import CcxtCandles
from engine.adapters.market_data.ccxt_public import CcxtPublicMarket
from engine.domain.candles import Candles
from engine.domain.instruments import InstrumentKind
from engine.domain.money import from_epoch_ms, to_epoch_ms
from engine.errors import AccessDenied, ConfigError, DataError, NotFound, SourceBusy
from engine.ports import CandlePage, CandleSource
from tests.fakes.binance_public import binance_public
from tests.fakes.candle_source import FakeCandleSource
from tests.fakes.candle_vendors import KEYS, CandleVendors, candle_vendors
from tests.fakes.clock import FakeClock

NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
HOUR_MS = 3_600_000


@contextmanager
def ccxt() -> Iterator[tuple[CandleSource, str, Any]]:
    with binance_public() as server:
        server.now_ms = lambda: to_epoch_ms(NOW)  # type: ignore[method-assign]
        market = CcxtPublicMarket(
            "ccxt:binance", FakeClock(NOW), base_url=server.url, is_paced=False
        )
        yield CcxtCandles(market), "BTC/USDT", server


@contextmanager
def alpaca() -> Iterator[tuple[CandleSource, str, Any]]:
    with candle_vendors() as server:
        yield AlpacaCandles("alpaca", KEYS, server.url, FakeClock(NOW)), "AAPL", server


@contextmanager
def alpaca_crypto() -> Iterator[tuple[CandleSource, str, Any]]:
    with candle_vendors() as server:
        yield AlpacaCandles("alpaca", (), server.url, FakeClock(NOW)), "BTC/USD", server


@contextmanager
def yahoo() -> Iterator[tuple[CandleSource, str, Any]]:
    with candle_vendors() as server:
        yield YahooCandles("yahoo", server.url, FakeClock(NOW)), "AAPL", server


@contextmanager
def fake() -> Iterator[tuple[CandleSource, str, Any]]:
    source = FakeCandleSource(now=lambda: NOW)
    yield source, "BTC/USDT", source


SOURCES: dict[str, Callable[[], Any]] = {
    "ccxt": ccxt, "alpaca": alpaca, "alpaca crypto": alpaca_crypto, "yahoo": yahoo, "fake": fake,
}  # fmt: skip
VENDORS = [name for name in SOURCES if name != "fake"]


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> Iterator[tuple[CandleSource, str, Any]]:
    with SOURCES[request.param]() as made:
        yield made


@pytest.fixture(params=list(SOURCES))
def subject(request: pytest.FixtureRequest) -> Iterator[tuple[CandleSource, str, Any]]:
    with SOURCES[request.param]() as made:
        yield made


def pages(
    source: CandleSource, symbol: str, hours: float, timeframe: str = "1h",
    until: datetime = NOW + timedelta(days=1),
) -> list[CandlePage]:  # fmt: skip
    since = NOW - timedelta(hours=hours)
    return list(source.fetch(source.resolve(symbol), timeframe, since, until))


def one(found: list[CandlePage]) -> Candles:
    columns = ("time", "open", "high", "low", "close", "volume")
    parts = [page.candles for page in found]
    return Candles(parts[0].timeframe, *(np.concatenate([getattr(part, name) for part in parts])
                                         for name in columns))  # fmt: skip


# --- what is true of all


def test_closed_candles_come_in_order_and_the_unfinished_one_never(
    subject: tuple[CandleSource, str, Any],
) -> None:
    source, symbol, _ = subject
    found = pages(source, symbol, 48)
    candles = one(found)
    assert (np.diff(candles.time) == HOUR_MS).all()
    assert from_epoch_ms(int(candles.time[0])) == datetime(2026, 2, 28, 13, tzinfo=UTC)
    newest = from_epoch_ms(int(candles.time[-1]))
    assert newest + timedelta(hours=1) <= NOW
    assert newest >= NOW - timedelta(hours=2.5)
    assert [page.until for page in found] == sorted(page.until for page in found)
    assert candles.timeframe == "1h"


def test_the_end_is_exclusive_and_an_empty_time_is_no_error(
    subject: tuple[CandleSource, str, Any],
) -> None:
    source, symbol, _ = subject
    until = NOW.replace(minute=0) - timedelta(hours=4)
    candles = one(pages(source, symbol, 9, until=until))
    assert from_epoch_ms(int(candles.time[-1])) == until - timedelta(hours=1)
    assert pages(source, symbol, -2) == []


def test_a_hole_stays_a_hole(subject: tuple[CandleSource, str, Any]) -> None:
    source, symbol, server = subject
    lost = int(datetime(2026, 3, 1, 20, tzinfo=UTC).timestamp())
    server.missing.add(lost if isinstance(server, CandleVendors) else lost * 1000)
    candles = one(pages(source, symbol, 48))
    assert int(np.diff(candles.time).max()) == 2 * HOUR_MS
    assert lost * 1000 not in candles.time


@pytest.mark.parametrize("fault", ["429", "500", "junk", "cut"])
def test_a_fault_passes_or_says_that_the_answer_cannot_be_read(
    vendor: tuple[CandleSource, str, Any], fault: str
) -> None:
    source, symbol, server = vendor
    is_ccxt = not isinstance(server, CandleVendors)
    pages(source, symbol, 3)
    server.retry_after = "7"
    server.faults.append(int(fault) if fault.isdigit() and not is_ccxt else fault)
    with pytest.raises(DataError) as error:
        pages(source, symbol, 3)
    assert error.value.message
    if fault == "429":
        assert isinstance(error.value, SourceBusy)
        assert error.value.retry_after_s == pytest.approx(1 if is_ccxt else 7)


def test_an_unknown_symbol_is_told_or_gives_nothing(subject: tuple[CandleSource, str, Any]) -> None:
    source, symbol, _ = subject
    unknown = "NOPE/USD" if "/" in symbol else "NOPE"
    if source.source_id == "alpaca":  # Alpaca answers with no bars
        assert all(not len(page.candles) for page in pages(source, unknown, 5))
        return
    with pytest.raises(NotFound, match="NOPE"):
        pages(source, unknown, 5)


@pytest.mark.parametrize("symbol", ["", "   ", "a b", "DROP;TABLE", "../x"])
def test_what_cannot_be_a_symbol_is_refused_unasked(
    subject: tuple[CandleSource, str, Any], symbol: str
) -> None:
    with pytest.raises(ConfigError) as refusal:
        subject[0].resolve(symbol)
    assert refusal.value.field == "symbol"


# --- ccxt


def test_an_exchange_is_paged_without_a_seam_and_doubles_are_dropped() -> None:
    with ccxt() as (source, symbol, server):
        server.edit = lambda rows: [*rows[:1], *rows]  # an exchange that repeats its first candle
        found = pages(source, symbol, 40, "1m")
        candles = one(found)
        assert len(found) > 2
        assert len(candles) == 2400
        assert (np.diff(candles.time) == 60_000).all()


def test_an_exchange_that_is_silent_about_the_time_before_a_listing_is_asked_on() -> None:
    with ccxt() as (source, symbol, server):
        listed = to_epoch_ms(NOW) - 3_600_000 * 5
        server.edit = lambda rows: [row for row in rows if row[0] >= listed]
        found = pages(source, symbol, 40, "1m")
        assert [len(page.candles) for page in found] == [0, 0, 300]


def test_a_page_is_as_large_as_the_exchange_says() -> None:
    sizes = {}
    for name in ("binance", "coinbase", "kraken", "bitfinex"):
        market = CcxtPublicMarket(f"ccxt:{name}", FakeClock(NOW))
        market._exchange.markets = {"BTC/USDT": {"type": "spot", "subType": None}}
        market._exchange.market = market._exchange.markets.__getitem__
        sizes[name] = market.page_size("BTC/USDT")
    assert sizes == {"binance": 1000, "coinbase": 300, "kraken": 720, "bitfinex": 1000}


def test_ccxts_clock_is_near_the_time_and_never_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some exchanges choose by it where to ask for old candles."""
    market = CcxtPublicMarket("ccxt:okx", FakeClock(NOW))
    told = market._exchange.milliseconds()
    assert abs(told - time.time() * 1000) < 10_000
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert market._exchange.milliseconds() >= told


def test_candles_without_prices_are_refused() -> None:
    with ccxt() as (source, symbol, server):
        server.edit = lambda rows: [[row[0], "0", "0", "0", "0", "0", *row[6:]] for row in rows]
        with pytest.raises(SourceBusy, match="cannot be read"):
            pages(source, symbol, 3)


# --- Alpaca


def test_alpaca_joins_the_parts_of_a_page_and_begins_at_the_first_bar() -> None:
    with alpaca() as (source, symbol, server):
        server.page = 7
        server.first_s = int((NOW - timedelta(hours=30)).timestamp())
        candles = one(pages(source, symbol, 100))
        assert (np.diff(candles.time) == HOUR_MS).all()
        assert len(candles) == 29
        assert all(query["adjustment"] == "raw" for query in server.asked)


def test_alpaca_pages_of_ten_thousand_follow_each_other() -> None:
    with alpaca_crypto() as (source, symbol, _):
        found = pages(source, symbol, 200, "1m")
        candles = one(found)
        assert len(found) == 2
        assert (np.diff(candles.time) == 60_000).all()
        assert len(candles) == 12_000


def test_alpaca_without_or_with_a_wrong_key_says_what_to_do() -> None:
    with candle_vendors() as server:
        for keys, words in (((), "QUARTERDECK_ALPACA_KEY"), (("AK-OTHER", "x"), "forbidden")):
            source = AlpacaCandles("alpaca", keys, server.url, FakeClock(NOW))
            with pytest.raises(AccessDenied, match=words):
                pages(source, "AAPL", 5)


def test_alpaca_adjusts_stocks_only() -> None:
    with candle_vendors() as server:
        source = AlpacaCandles("alpaca:adjusted", KEYS, server.url, FakeClock(NOW))
        raw = AlpacaCandles("alpaca", KEYS, server.url, FakeClock(NOW))
        assert source.prices == "adjusted"
        adjusted, plain = one(pages(source, "AAPL", 5)), one(pages(raw, "AAPL", 5))
        assert (adjusted.open * 2 == plain.open).all()
        with pytest.raises(ConfigError, match="never adjusted"):
            source.resolve("BTC/USD")


def test_a_vendors_refusal_is_passed_on() -> None:
    with alpaca() as (source, _, server):
        server.faults.append(422)
        with pytest.raises(ConfigError, match="Alpaca refuses the request: no"):
            pages(source, "AAPL", 5)


# --- Yahoo


def nulls(result: dict[str, Any]) -> None:
    for column in result["indicators"]["quote"][0].values():
        column[1] = None


def with_live_row(result: dict[str, Any]) -> None:
    result["timestamp"].append(to_epoch_ms(NOW) // 1000 - 7_000 + 13)
    for column in result["indicators"]["quote"][0].values():
        column.append(1.0)


def shorter(result: dict[str, Any]) -> None:
    result["indicators"]["quote"][0]["close"].pop()


def negative(result: dict[str, Any]) -> None:
    result["indicators"]["quote"][0]["low"][0] = -1.0


def nothing(result: dict[str, Any]) -> None:
    del result["timestamp"]
    result["indicators"] = {"quote": [{}]}


def test_yahoos_nulls_and_the_price_of_this_moment_are_no_candles() -> None:
    with yahoo() as (source, symbol, server):
        server.edit = nulls
        assert int(np.diff(one(pages(source, symbol, 9)).time).max()) == 2 * HOUR_MS
        server.edit = with_live_row
        assert (np.diff(one(pages(source, symbol, 9)).time) == HOUR_MS).all()
        server.edit = nothing
        assert [len(page.candles) for page in pages(source, symbol, 9)] == [0]


@pytest.mark.parametrize("edit", [shorter, negative])
def test_yahoos_half_or_impossible_candles_are_refused(edit: Callable[..., None]) -> None:
    with yahoo() as (source, symbol, server):
        server.edit = edit
        with pytest.raises(DataError, match=r"cannot be (read|:)|cannot be:"):
            pages(source, symbol, 9)


def test_yahoos_days_are_given_the_midnight_of_their_date() -> None:
    with candle_vendors() as server:
        split = YahooCandles("yahoo", server.url, FakeClock(NOW))
        full = YahooCandles("yahoo:adjusted", server.url, FakeClock(NOW))
        days, adjusted = (one(pages(each, "AAPL", 240, "1d")) for each in (split, full))
        assert (days.time % 86_400_000 == 0).all()
        assert from_epoch_ms(int(days.time[-1])) == datetime(2026, 3, 1, tzinfo=UTC)
        assert (adjusted.close * 2 == days.close).all()
        assert (split.prices, full.prices) == ("split-adjusted", "adjusted")
        assert full.timeframes() == ("1d",)


def test_yahoos_short_candles_are_asked_for_a_week_at_a_time() -> None:
    with yahoo() as (source, symbol, server):
        found = pages(source, symbol, 24 * 15, "1m")
        assert len(found) == 3
        assert (np.diff(one(found).time) == 60_000).all()
        assert all("Mozilla" not in str(query) for query in server.asked)


def test_yahoo_says_why_it_refuses() -> None:
    with yahoo() as (source, symbol, server):
        server.faults.append(401)
        with pytest.raises(AccessDenied, match="refuses requests"):
            pages(source, symbol, 3)
        server._yahoo = lambda *_: (
            422, {"chart": {"result": None, "error": {"code": "X", "description": "60 days only"}}}
        )  # fmt: skip
        with pytest.raises(ConfigError, match="60 days only"):
            pages(source, symbol, 3)


@pytest.mark.parametrize(
    ("typed", "name", "symbol", "kind"),
    [
        ("aapl", "AAPL", "AAPL", InstrumentKind.STOCK),
        ("BRK-B", "BRK-B", "BRK.B", InstrumentKind.STOCK),
        ("^GSPC", "^GSPC", "^GSPC", InstrumentKind.STOCK),
        ("BTC-USD", "BTC-USD", "BTC/USD", InstrumentKind.CRYPTO),
        ("BTC/USD", "BTC-USD", "BTC/USD", InstrumentKind.CRYPTO),
        ("EURUSD=X", "EURUSD=X", "EUR/USD", InstrumentKind.FOREX),
        ("EUR/USD", "EURUSD=X", "EUR/USD", InstrumentKind.FOREX),
    ],
)
def test_yahoos_names(typed: str, name: str, symbol: str, kind: InstrumentKind) -> None:
    found = YahooCandles("yahoo", "http://127.0.0.1:9", FakeClock(NOW)).resolve(typed)
    assert (found.name, found.symbol, found.kind) == (name, symbol, kind)


def test_nobody_there_is_busy() -> None:
    server = CandleVendors()
    server.url = "http://127.0.0.1:9"
    for source in (
        YahooCandles("yahoo", server.url, FakeClock(NOW)),
        AlpacaCandles("alpaca", KEYS, server.url, FakeClock(NOW)),
    ):
        with pytest.raises(SourceBusy, match="does not answer"):
            pages(source, "AAPL", 3)
