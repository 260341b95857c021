"""Alpaca's snapshots as quotes: the newest trade, and the best prices where there are some."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from engine.adapters.brokers.alpaca import reading as read
from engine.adapters.brokers.alpaca.reading import Row
from engine.domain.instruments import Quote
from engine.domain.money import ZERO


def quote_in(answer: Any, symbol: str, now: datetime) -> Quote:
    """The quote of one symbol. Raises Unreadable, also when there is none."""
    found = quotes_in(answer, [symbol], now)
    if symbol not in found:
        raise read.Unreadable(f"{symbol} has no price yet")
    return found[symbol]


def quotes_in(answer: Any, symbols: Sequence[str], now: datetime) -> Mapping[str, Quote]:
    """Those of ``symbols`` that have traded. Raises Unreadable.

    Snapshots of crypto are under 'snapshots', those of stocks at the top.
    """
    found = read.row(answer)
    found = found["snapshots"] if isinstance(found.get("snapshots"), dict) else found
    quotes = {}
    for symbol in symbols:
        snapshot = found.get(symbol)
        if isinstance(snapshot, dict) and snapshot.get("latestTrade") is not None:
            quotes[symbol] = _quote(snapshot, symbol, now)
    return quotes


def _quote(snapshot: Row, symbol: str, now: datetime) -> Quote:
    """Outside of hours a side of the book may be empty: then the last trade stands for it."""
    trade = read.row(snapshot.get("latestTrade"))
    last = read.positive(trade, "p")
    times = [read.moment(trade, "t")]
    bid = ask = None
    book = snapshot.get("latestQuote")
    if isinstance(book, dict):
        bid, ask = read.maybe(book, "bp"), read.maybe(book, "ap")
        times.append(read.moment(book, "t"))
    bar = snapshot.get("minuteBar")
    return Quote(
        symbol=symbol, bid=bid or last, ask=ask or last, last=last, time=min(max(times), now),
        volume=read.amount(bar, "v") if isinstance(bar, dict) else ZERO,
    )  # fmt: skip
