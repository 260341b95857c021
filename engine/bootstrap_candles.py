"""The parts of the candle library, put together: files need no engine, downloads run in one."""

import asyncio
from collections.abc import Callable

from engine.adapters.candles.parquet_library import ParquetLibrary
from engine.adapters.candles.text_reader import TextReader
from engine.adapters.clock.system import SystemClock
from engine.api.market_words import CCXT_TIMEFRAMES
from engine.ports import CandleLibrary, CandleSource, Clock
from engine.services.candle_imports import CandleImports
from engine.services.candle_sources import CandleSources, SourceKind
from engine.services.lanes import Lanes
from engine.settings import Settings

OFFERED_EXCHANGES = ("ccxt:binance", "ccxt:coinbase", "ccxt:kraken", "ccxt:bybit", "ccxt:okx")
ALPACA_TIMEFRAMES = ("1m", "5m", "15m", "30m", "1h", "4h", "1d")


def build_candles(
    settings: Settings, clock: Clock | None = None
) -> tuple[CandleLibrary, CandleImports]:
    """The candle library, and what imports into it; by the machine's time unless told another."""
    folder = settings.data / "candles"
    library = ParquetLibrary(folder)
    return library, CandleImports(folder, library, TextReader(), clock or SystemClock())


def build_candle_sources(settings: Settings, clock: Clock) -> CandleSources:
    """Where candles can be downloaded. A vendor's SDK is loaded when it is first asked."""

    def ccxt(source_id: str) -> CandleSource:
        from engine.adapters.market_data.ccxt_candles import CcxtCandles
        from engine.adapters.market_data.ccxt_public import CcxtPublicMarket

        return CcxtCandles(CcxtPublicMarket(source_id, clock))

    def alpaca(source_id: str) -> CandleSource:
        from engine.adapters.candles.alpaca_source import AlpacaCandles

        return AlpacaCandles(source_id, settings.alpaca_keys, settings.alpaca_data_url, clock)

    def yahoo(source_id: str) -> CandleSource:
        from engine.adapters.candles.yahoo_source import YahooCandles

        return YahooCandles(source_id, settings.yahoo_url, clock)

    exchanges = {one: one.partition(":")[2].capitalize() for one in OFFERED_EXCHANGES}
    needs = "" if settings.alpaca_keys else "a key for stocks (QUARTERDECK_ALPACA_KEY, _SECRET)"
    return CandleSources(
        {
            "ccxt": SourceKind(
                ccxt, exchanges, "crypto through ccxt; public, no key; as BTC/USDT",
                CCXT_TIMEFRAMES,
            ),
            "alpaca": SourceKind(
                alpaca, {"alpaca": "Alpaca"}, "US stocks and crypto, as AAPL or BTC/USD",
                ALPACA_TIMEFRAMES, needs,
            ),
            "alpaca:adjusted": SourceKind(
                alpaca, {"alpaca:adjusted": "Alpaca, adjusted"}, "US stocks, adjusted for splits"
                " and dividends", ALPACA_TIMEFRAMES, needs,
            ),
            "yahoo": SourceKind(
                yahoo, {"yahoo": "Yahoo"}, "stocks, indices, forex, crypto, as AAPL, ^GSPC,"
                " EURUSD=X or BTC-USD; adjusted for splits; candles shorter than a day are kept for"
                " some weeks only", ("1m", "5m", "15m", "30m", "1h", "1d"),
            ),
            "yahoo:adjusted": SourceKind(
                yahoo, {"yahoo:adjusted": "Yahoo, adjusted"}, "days, adjusted for dividends too",
                ("1d",),
            ),
        }
    )  # fmt: skip


def spawner(
    lanes: Lanes, loop: asyncio.AbstractEventLoop
) -> Callable[[str, Callable[[], None]], None]:
    """Runs calls in the background on a lane, from whatever thread they come."""

    def spawn(lane: str, call: Callable[[], None]) -> None:
        asyncio.run_coroutine_threadsafe(lanes.run(lane, call), loop)

    return spawn
