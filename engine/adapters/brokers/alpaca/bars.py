"""Closed candles from Alpaca, page by page: of sessions, with the gaps between those."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from engine.adapters.brokers.alpaca import reading as read
from engine.adapters.brokers.alpaca.client import NAME
from engine.adapters.brokers.alpaca.reading import Row, priced
from engine.adapters.brokers.alpaca.sessions import SessionDays
from engine.domain.candles import Candles, empty_candles
from engine.domain.instruments import InstrumentKind
from engine.domain.money import from_epoch_ms, to_epoch_ms, utc_text
from engine.domain.timeframes import timeframe_s
from engine.errors import DataError

PAGE = 10_000
MOST_PAGES = 20
UNITS = {"m": "Min", "h": "Hour", "d": "Day"}
TIMEFRAMES = {
    # Longer ones of stocks begin with the exchange's day, which is no grid of UTC.
    InstrumentKind.STOCK: ("1m", "3m", "5m", "15m", "30m", "1h", "1d"),
    InstrumentKind.CRYPTO: ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d"),
}
SPARSE = {InstrumentKind.STOCK: 8, InstrumentKind.CRYPTO: 2}
"""How much longer than its candles a stretch of time may be: stocks trade 6.5 hours a day, on five
days a week."""

LEAST_MS = 5 * 86_400_000  # over any weekend with holidays
DAY_MS = 86_400_000
OUT_OF_HOURS = 3
"""Stocks have bars of 16 hours around a session of 6.5: so many times more are asked for."""

LONGEST_OUT_MS = 13 * 3_600_000
"""From a session, of a half-day even, to the next there are bars of no more than this."""


class BarReader:
    """Reads the bars of one of the two addresses. Prices are not adjusted: they are traded at."""

    def __init__(
        self,
        ask: Callable[..., Any],
        path: str,
        kind: InstrumentKind,
        feed: Mapping[str, str],
        sessions: SessionDays,
    ) -> None:
        self._ask = ask
        self._sessions = sessions
        self._path = path
        self._kind = kind
        raw = {"adjustment": "raw"} if kind is InstrumentKind.STOCK else {}
        self._always = {**feed, **raw}

    def newest(self, symbol: str, timeframe: str, limit: int, end_ms: int) -> Candles:
        """At most ``limit`` candles that are closed by ``end_ms``, oldest first. Raises DataError.

        They are asked for newest first, so that nights and weekends need not be counted.
        """
        if not limit:
            return empty_candles(timeframe)
        length_ms = timeframe_s(timeframe) * 1000
        reach_ms = LEAST_MS + limit * length_ms * SPARSE[self._kind]
        is_crypto = self._kind is InstrumentKind.CRYPTO
        most = limit if is_crypto else limit * OUT_OF_HOURS + LONGEST_OUT_MS // length_ms
        found = self._read(symbol, timeframe, end_ms - reach_ms, end_ms, most, "desc")
        return found[max(len(found) - limit, 0) :]

    def between(self, symbol: str, timeframe: str, start_ms: int, end_ms: int) -> Candles:
        """All that open in [start, end). Raises DataError."""
        return self._read(symbol, timeframe, start_ms, end_ms, PAGE * MOST_PAGES, "asc")

    def _read(
        self, symbol: str, timeframe: str, start_ms: int, end_ms: int, most: int, order: str
    ) -> Candles:
        if start_ms >= end_ms:
            return empty_candles(timeframe)
        asked: dict[str, Any] = {
            "symbols": symbol, "timeframe": f"{timeframe[:-1]}{UNITS[timeframe[-1]]}",
            "start": utc_text(from_epoch_ms(start_ms)), "sort": order,
            "end": utc_text(from_epoch_ms(end_ms - 1)), **self._always,
        }  # fmt: skip
        found: list[Row] = []
        for _ in range(MOST_PAGES):
            answer = self._ask(self._path, limit=min(most - len(found), PAGE), **asked)
            page, token = priced(_page, answer, symbol)
            found += page
            if token is None or len(found) >= most:
                return self._in_session(priced(_candles, timeframe, found, start_ms, end_ms))
            asked["page_token"] = token
        raise DataError(f"{NAME} has more candles of {symbol} than can be read.")

    def _in_session(self, candles: Candles) -> Candles:
        """Without those of stocks that lie wholly before or after hours. Raises DataError."""
        length_ms = timeframe_s(candles.timeframe) * 1000
        if self._kind is InstrumentKind.CRYPTO or length_ms >= DAY_MS:
            return candles
        kept = self._sessions.trades_in(candles.time, length_ms)
        return Candles(
            candles.timeframe, candles.time[kept], candles.open[kept], candles.high[kept],
            candles.low[kept], candles.close[kept], candles.volume[kept],
        )  # fmt: skip


def _page(answer: Any, symbol: str) -> tuple[list[Row], str | None]:
    told = read.row(answer)
    bars = told.get("bars")
    lines = bars.get(symbol) if isinstance(bars, dict) else bars
    token = told.get("next_page_token")
    if not (lines is None or isinstance(lines, list)) or not (token is None or token):
        raise read.Unreadable("no list of bars")
    return list(read.rows(lines or [])), None if token is None else read.words(
        told, "next_page_token"
    )


def _candles(timeframe: str, bars: list[Row], start_ms: int, end_ms: int) -> Candles:
    """Bars of either order as candles; a day's begins at midnight in UTC. Raises Unreadable."""
    length_ms = timeframe_s(timeframe) * 1000
    rows = sorted((_row(bar) for bar in bars), key=lambda one: one[0])
    table = np.array(rows, dtype=np.float64).reshape(len(rows), 6)
    time = table[:, 0].astype(np.int64)
    if length_ms == DAY_MS:
        time -= time % DAY_MS  # told as midnight in New York
    if (time % length_ms).any():
        raise read.Unreadable("candles that are off their grid")
    if (np.diff(time) <= 0).any():
        raise read.Unreadable("two candles of one time")
    kept = (time >= start_ms) & (time + length_ms <= end_ms)
    columns = np.ascontiguousarray(table[kept, 1:].T)
    return Candles(timeframe, time[kept], *columns)


def _row(bar: Row) -> tuple[float, ...]:
    prices = [read.positive(bar, name) for name in "ohlc"]
    opened, high, low, close = prices
    if not low <= min(opened, close) <= max(opened, close) <= high:
        raise read.Unreadable("a candle whose prices contradict one another")
    moment = to_epoch_ms(read.moment(bar, "t"))
    return (float(moment), *(float(price) for price in prices), float(read.amount(bar, "v")))
