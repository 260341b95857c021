"""Past candles of stocks and crypto from Alpaca, through alpaca-py."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import requests

from engine.adapters.candles.vendor_pages import busy, page_of
from engine.domain.candle_sets import AS_GIVEN, is_symbol
from engine.domain.instruments import InstrumentKind
from engine.domain.money import from_epoch_ms, to_epoch_ms
from engine.domain.timeframes import timeframe_s
from engine.errors import (
    AccessDenied,
    ConfigError,
    DataError,
    NotFound,
    QuarterdeckError,
    SourceBusy,
)
from engine.links.alpaca import tame
from engine.ports import CandlePage, Clock, SourceSymbol

PAGE = 10_000  # bars of one request, the most that Alpaca gives
TIMEOUT_S = 20.0
RECENT_MS = 16 * 60_000
"""Without a subscription the newest 15 minutes of stocks are refused."""

UNITS = {"m": "Minute", "h": "Hour", "d": "Day"}
TIMEFRAMES = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d")


class AlpacaCandles:
    """Implements ``CandleSource`` for ``alpaca`` and ``alpaca:adjusted``, whose stock prices take
    splits and dividends into account. Stocks need ``keys`` (key and secret), crypto none."""

    def __init__(
        self, source_id: str, keys: tuple[str, str] | tuple[()], url: str, clock: Clock
    ) -> None:
        self.source_id = source_id
        self._keys = keys
        self._url = url
        self._clock = clock
        self._is_adjusted = source_id.endswith(":adjusted")
        self.prices = "adjusted" if self._is_adjusted else AS_GIVEN
        self._clients: dict[InstrumentKind, Any] = {}

    def timeframes(self) -> Sequence[str]:
        """Of stocks and crypto alike."""
        return TIMEFRAMES

    def resolve(self, symbol: str) -> SourceSymbol:
        """A ticker is a stock, ``BTC/USD`` a pair of crypto. Raises ConfigError."""
        name = symbol.strip().upper()
        if not is_symbol(name):
            raise ConfigError(f"'{symbol}' is not a symbol such as AAPL or BTC/USD.",
                              field="symbol")  # fmt: skip
        kind = InstrumentKind.CRYPTO if "/" in name else InstrumentKind.STOCK
        if kind is InstrumentKind.CRYPTO and self._is_adjusted:
            raise ConfigError("Prices of crypto are never adjusted: choose alpaca.", field="source")
        return SourceSymbol(name, name, kind)

    def fetch(
        self, symbol: SourceSymbol, timeframe: str, since: datetime, until: datetime
    ) -> Iterator[CandlePage]:
        """One request a page, or a few when Alpaca parts it. Raises as the port says."""
        length_ms = timeframe_s(timeframe) * 1000
        is_stock = symbol.kind is InstrumentKind.STOCK
        late_ms = to_epoch_ms(self._clock.now()) - (RECENT_MS if is_stock else 0)
        since_ms, end_ms = to_epoch_ms(since), min(to_epoch_ms(until), late_ms - length_ms + 1)
        while since_ms < end_ms:
            bars = self._ask(symbol, timeframe, since_ms, end_ms)
            page = self._page(bars, timeframe, since_ms, end_ms)
            # Alpaca begins with the first bar there is, so that a short page is the last one.
            is_last = len(bars) < PAGE or not len(page)
            since_ms = end_ms if is_last else int(page.time[-1]) + length_ms
            yield CandlePage(page, from_epoch_ms(min(since_ms, end_ms)))

    def _page(self, bars: list[Any], timeframe: str, since_ms: int, end_ms: int) -> Any:
        try:
            time = np.array([_epoch_ms(bar["t"]) for bar in bars], dtype=np.int64)
            numbers = [np.array([bar[key] for bar in bars], dtype=np.float64) for key in "ohlcv"]
        except (KeyError, TypeError, ValueError) as error:
            raise DataError("Alpaca gave candles that cannot be read.") from error
        return page_of("Alpaca", timeframe, time, numbers, since_ms, end_ms)

    def _ask(self, symbol: SourceSymbol, timeframe: str, since_ms: int, end_ms: int) -> list[Any]:
        from alpaca.common.exceptions import APIError
        from alpaca.data.enums import Adjustment
        from alpaca.data.requests import CryptoBarsRequest, StockBarsRequest
        from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

        client = self._client(symbol.kind)
        frame = TimeFrame(int(timeframe[:-1]), TimeFrameUnit[UNITS[timeframe[-1]]])
        asked: dict[str, Any] = {
            "symbol_or_symbols": symbol.name, "timeframe": frame, "limit": PAGE,
            "start": from_epoch_ms(since_ms), "end": from_epoch_ms(end_ms - 1),
        }  # fmt: skip
        try:
            if symbol.kind is InstrumentKind.CRYPTO:
                answer = client.get_crypto_bars(CryptoBarsRequest(**asked))
            else:
                adjustment = Adjustment.ALL if self._is_adjusted else Adjustment.RAW
                answer = client.get_stock_bars(StockBarsRequest(**asked, adjustment=adjustment))
        except APIError as error:
            raise self._refusal(error, symbol.name) from error
        except requests.JSONDecodeError as error:
            raise DataError("Alpaca gave an answer that cannot be read.") from error
        except requests.RequestException as error:
            raise SourceBusy(f"Alpaca does not answer ({type(error).__name__}).") from error
        except (AttributeError, TypeError, ValueError) as error:
            raise DataError("Alpaca gave an answer that cannot be read.") from error
        bars = answer.get(symbol.name) or []
        return list(bars)

    def _client(self, kind: InstrumentKind) -> Any:
        """The SDK's client; its own pauses between attempts know no Retry-After and no cancel."""
        from alpaca.data.historical import CryptoHistoricalDataClient, StockHistoricalDataClient

        if kind is InstrumentKind.STOCK and not self._keys:
            raise AccessDenied(
                "Candles of stocks need a key: set QUARTERDECK_ALPACA_KEY and"
                " QUARTERDECK_ALPACA_SECRET in .env, and start anew."
            )
        if kind not in self._clients:
            make = (StockHistoricalDataClient if kind is InstrumentKind.STOCK
                    else CryptoHistoricalDataClient)  # fmt: skip
            key, secret = self._keys or (None, None)
            client: Any = make(key, secret, raw_data=True, url_override=self._url)
            tame(client, TIMEOUT_S)
            self._clients[kind] = client
        return self._clients[kind]

    def _refusal(self, error: Any, symbol: str) -> QuarterdeckError:
        status, response = error.status_code or 0, error.response
        if status in (401, 403):
            return AccessDenied(f"Alpaca refuses the key or what it asks for: {_told(error)}")
        if status == 404:
            return NotFound(f"Alpaca knows no symbol '{symbol}'.", field="symbol")
        if status == 429 or status >= 500:
            told = response.headers.get("Retry-After") if response is not None else None
            return busy("Alpaca", status, told, self._clock.now())
        return ConfigError(f"Alpaca refuses the request: {_told(error)}", field="symbol")


def _epoch_ms(stamp: str) -> int:
    return to_epoch_ms(datetime.fromisoformat(stamp).astimezone(UTC))


def _told(error: Any) -> str:
    """The message of an error's body, which is JSON as a rule."""
    try:
        return str(error.message)
    except (KeyError, TypeError, ValueError):
        return f"status {error.status_code}"
