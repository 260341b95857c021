"""What ccxt tells of prices and symbols, read strictly; nothing here asks anybody."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from engine.domain.candles import Candles, empty_candles
from engine.domain.instruments import Depth, Instrument, Quote
from engine.domain.money import ZERO, exact, from_epoch_ms, plain
from engine.errors import DataError

DEFAULT_TICK = Decimal("1e-8")
MINUTES_A_DAY = 1440
# What ccxt raises by itself on an answer that is not what the exchange documents.
JUNK = (AttributeError, IndexError, KeyError, TypeError, ValueError)


def quote_of(symbol: str, ticker: Any, otherwise: datetime) -> Quote:
    """A ticker as a quote, of the time ``otherwise`` when it does not tell its own.

    ``volume`` is the day's mean for a minute, since tickers do not tell that of the last one.
    Raises DataError when it has no price.
    """
    last = _positive(ticker.get("last")) or _positive(ticker.get("close"))
    if last is None:
        raise DataError(f"The exchange gave no price of {symbol}.")
    day_volume = _positive(ticker.get("baseVolume")) or ZERO
    told_ms = ticker.get("timestamp")
    return Quote(
        symbol=symbol,
        bid=_positive(ticker.get("bid")) or last,
        ask=_positive(ticker.get("ask")) or last,
        last=last,
        time=from_epoch_ms(int(told_ms)) if told_ms else otherwise,
        volume=plain(round(day_volume / MINUTES_A_DAY, 8)),
    )


def depth_of(symbol: str, book: Any, levels: int, otherwise: datetime) -> Depth:
    """An order book as ccxt tells it, of the time ``otherwise`` when it does not tell its own.

    Raises DataError for levels that cannot be read, or are not in order.
    """
    try:
        bids, asks = (
            tuple((exact(row[0]), exact(row[1])) for row in book[side][:levels])
            for side in ("bids", "asks")
        )
        told_ms = book.get("timestamp")
    except JUNK as error:
        raise DataError(f"The exchange's order book of {symbol} cannot be read.") from error
    prices = [price for price, _ in bids[::-1] + asks]
    is_sound = all(
        price.is_finite() and size.is_finite() and price > 0 and size >= 0
        for price, size in bids + asks
    )
    if not is_sound or prices != sorted(prices):
        raise DataError(f"The exchange's order book of {symbol} is not in order.")
    told = from_epoch_ms(int(told_ms)) if told_ms else otherwise
    return Depth(symbol=symbol, bids=bids, asks=asks, time=told)


def candles_of(timeframe: str, rows: list[list[Any]]) -> Candles:
    """Rows of time, open, high, low, close, volume as candles. Raises DataError for what cannot be
    true of them."""
    if not rows:
        return empty_candles(timeframe)
    try:
        table = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError("The exchange gave candles that cannot be read.") from error
    if table.shape[1] != 6 or not np.isfinite(table).all() or (table[:, 1:5] <= 0).any():
        raise DataError("The exchange gave candles without prices.")
    time = table[:, 0].astype(np.int64)
    if (np.diff(time) <= 0).any():
        raise DataError("The exchange gave candles that are not in order.")
    return Candles(timeframe, time, *np.ascontiguousarray(table[:, 1:].T))


def instrument_of(market: Any, *, is_ticks: bool, can_short: bool) -> Instrument:
    """A listed market. ``is_ticks``: precisions are steps, else counts of decimals."""
    precision, limits = market.get("precision") or {}, market.get("limits") or {}
    return Instrument(
        symbol=market["symbol"],
        name=f"{market['base']} in {market['quote']}",
        base=market["base"],
        quote=market["quote"],
        price_tick=_step(precision.get("price"), is_ticks=is_ticks),
        quantity_step=_step(precision.get("amount"), is_ticks=is_ticks),
        min_quantity=_positive((limits.get("amount") or {}).get("min")) or ZERO,
        min_notional=_positive((limits.get("cost") or {}).get("min")) or ZERO,
        max_quantity=_positive((limits.get("amount") or {}).get("max")),
        max_market_quantity=_positive((limits.get("market") or {}).get("max")),
        can_short=can_short,
    )


def _step(number: Any, *, is_ticks: bool) -> Decimal:
    """A precision as ccxt tells it: a step, or (on old adapters) a count of decimals."""
    if number is None:
        return DEFAULT_TICK
    if is_ticks:
        return _positive(number) or DEFAULT_TICK
    return Decimal(1).scaleb(-int(number))


def _positive(number: Any) -> Decimal | None:
    """An exact price or amount; None for what is missing or not above zero."""
    value = exact(float(number)) if number is not None else ZERO
    return plain(value) if value.is_finite() and value > 0 else None


def redirected(urls: Any, base_url: str) -> Any:
    """The same addresses at another host, streams included."""
    if isinstance(urls, dict):
        return {name: redirected(url, base_url) for name, url in urls.items()}
    if not isinstance(urls, str):
        return urls
    is_stream = urls.startswith("ws")
    return (base_url.replace("http", "ws", 1) if is_stream else base_url) + urlsplit(urls).path
