"""Past candles from Yahoo Finance's chart address, which is public but promised by nobody."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np

from engine.adapters.candles.vendor_pages import busy, page_of
from engine.domain.candle_sets import is_symbol, kind_of
from engine.domain.candles import Candles
from engine.domain.instruments import InstrumentKind
from engine.domain.money import from_epoch_ms, to_epoch_ms
from engine.domain.timeframes import timeframe_s
from engine.errors import AccessDenied, ConfigError, DataError, NotFound, SourceBusy
from engine.ports import CandlePage, Clock, SourceSymbol

DAY_MS = 86_400_000
INTERVALS = {
    # our name: Yahoo's name, the days that one request may span
    "1m": ("1m", 7), "5m": ("5m", 30), "15m": ("15m", 30), "30m": ("30m", 30),
    "1h": ("60m", 365), "1d": ("1d", 3650),
}  # fmt: skip
TIMEOUT = httpx.Timeout(15.0, connect=10.0)
# Without the name of a browser Yahoo answers 429 to everybody.
HEADERS = {"User-Agent": "Mozilla/5.0 (quarterdeck)", "Accept": "application/json"}
PRICES = ("open", "high", "low", "close")


class YahooCandles:
    """Implements ``CandleSource`` for ``yahoo`` and ``yahoo:adjusted``.

    Yahoo's prices take splits into account, always; the adjusted ones dividends too, by the ratio
    of its adjusted close to its close (daily candles only). A day's candle is given the midnight
    (UTC) of its date, since Yahoo's own times move with the clocks of the exchange.
    """

    def __init__(self, source_id: str, url: str, clock: Clock) -> None:
        self.source_id = source_id
        self._clock = clock
        self._is_adjusted = source_id.endswith(":adjusted")
        self.prices = "adjusted" if self._is_adjusted else "split-adjusted"
        self._http = httpx.Client(base_url=url, timeout=TIMEOUT, headers=HEADERS)

    def timeframes(self) -> Sequence[str]:
        """Adjusted prices are daily."""
        return ("1d",) if self._is_adjusted else tuple(INTERVALS)

    def resolve(self, symbol: str) -> SourceSymbol:
        """``AAPL``, ``BRK-B``, ``^GSPC``, ``BTC-USD``, ``EURUSD=X``, also ``EUR/USD``. Raises
        ConfigError."""
        name = symbol.strip().upper()
        found = _named(name)
        if not is_symbol(found.symbol):
            raise ConfigError(f"'{symbol}' is not a symbol such as AAPL or BTC-USD.",
                              field="symbol")  # fmt: skip
        return found

    def fetch(
        self, symbol: SourceSymbol, timeframe: str, since: datetime, until: datetime
    ) -> Iterator[CandlePage]:
        """One request a page, of as many days as Yahoo gives at once. Raises as the port says."""
        span_ms = INTERVALS[timeframe][1] * DAY_MS
        closed_ms = to_epoch_ms(self._clock.now()) - timeframe_s(timeframe) * 1000 + 1
        since_ms, end_ms = to_epoch_ms(since), min(to_epoch_ms(until), closed_ms)
        while since_ms < end_ms:
            until_ms = min(since_ms + span_ms, end_ms)
            answer = self._ask(symbol.name, timeframe, since_ms, until_ms)
            page = self._page(answer, timeframe, since_ms, until_ms)
            since_ms = until_ms
            yield CandlePage(page, from_epoch_ms(until_ms))

    def _ask(self, symbol: str, timeframe: str, since_ms: int, until_ms: int) -> Mapping[str, Any]:
        query: dict[str, str | int] = {
            "interval": INTERVALS[timeframe][0], "period1": since_ms // 1000,
            "period2": -(-until_ms // 1000), "events": "div,splits", "includePrePost": "false",
        }  # fmt: skip
        try:
            response = self._http.get(f"/v8/finance/chart/{quote(symbol, safe='')}", params=query)
        except httpx.HTTPError as error:
            raise SourceBusy(f"Yahoo does not answer ({type(error).__name__}).") from error
        status = response.status_code
        if status == 429 or status >= 500:
            raise busy("Yahoo", status, response.headers.get("retry-after"), self._clock.now())
        if status in (401, 403):
            raise AccessDenied("Yahoo refuses requests from this machine.")
        try:
            chart = response.json()["chart"]
            refusal, results = chart.get("error"), chart.get("result")
        except (AttributeError, KeyError, TypeError, ValueError) as junk:
            raise DataError("Yahoo gave an answer that cannot be read.") from junk
        if refusal:
            told = str(refusal.get("description") or refusal.get("code"))
            if status == 404 or refusal.get("code") == "Not Found":
                raise NotFound(f"Yahoo has no '{symbol}': {told}.", field="symbol")
            raise ConfigError(f"Yahoo refuses the request: {told}", field="timeframe")
        if not results:
            raise DataError("Yahoo gave an answer without a result.")
        result: Mapping[str, Any] = results[0]
        return result

    def _page(
        self, answer: Mapping[str, Any], timeframe: str, since_ms: int, until_ms: int
    ) -> Candles:
        try:
            stamps = np.array(answer.get("timestamp") or [], dtype=np.int64)
            quoted = answer["indicators"]["quote"][0]
            numbers = [_column(quoted.get(name), len(stamps)) for name in (*PRICES, "volume")]
            if self._is_adjusted:
                told = answer["indicators"]["adjclose"][0]["adjclose"]
                ratio = _column(told, len(stamps)) / numbers[3]
                numbers[:4] = [price * ratio for price in numbers[:4]]
            if timeframe == "1d":
                offset_s = int(answer["meta"].get("gmtoffset", 0))
                stamps = (stamps + offset_s) // 86_400 * 86_400
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise DataError("Yahoo gave candles that cannot be read.") from error
        is_told = np.isfinite(np.stack(numbers[:4])).all(axis=0)  # a halted market is told as null
        is_told &= stamps % 60 == 0  # the price of this very moment comes as a last row
        volume = np.nan_to_num(numbers[4], nan=0.0)
        columns = [one[is_told] for one in (*numbers[:4], volume)]
        time = stamps[is_told] * 1000
        return page_of("Yahoo", timeframe, time, _widened(columns), since_ms, until_ms)


def _named(name: str) -> SourceSymbol:
    """Yahoo's name and the library's, whichever of the two it is."""
    if name.endswith("=X") and len(name) == 8:
        return SourceSymbol(name, f"{name[:3]}/{name[3:6]}", InstrumentKind.FOREX)
    name = name.replace("/", "-")
    base, dash, quoted = name.partition("-")
    if not dash or len(quoted) < 3:  # BRK-B is a class of shares
        plain = name.replace("-", ".").replace("=", ".")
        return SourceSymbol(name, plain, InstrumentKind.STOCK)
    kind = kind_of(f"{base}/{quoted}")
    asked = f"{base}{quoted}=X" if kind is InstrumentKind.FOREX else name
    return SourceSymbol(asked, f"{base}/{quoted}", kind)


def _column(values: Sequence[float | None] | None, count: int) -> np.ndarray:
    if values is None and count == 0:
        return np.empty(0)
    column = np.array(values, dtype=np.float64)  # None becomes NaN
    if column.shape != (count,):
        raise ValueError("columns of different lengths")
    return column


def _widened(columns: list[np.ndarray]) -> list[np.ndarray]:
    """High and low with open and close in them: Yahoo's differ by the last digit of a float32."""
    opened, high, low, close, volume = columns
    close_to = 1e-6 * close
    top, bottom = np.maximum(opened, close), np.minimum(opened, close)
    high = np.where((high < top) & (top - high < close_to), top, high)
    low = np.where((low > bottom) & (low - bottom < close_to), bottom, low)
    return [opened, high, low, close, volume]
