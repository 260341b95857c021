"""Public endpoints: time, listing, klines, tickers."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.fakes.exchange.checks import whole
from tests.fakes.exchange.exchange import BinanceExchange
from tests.fakes.exchange.frames import book_ticker, day_ticker
from tests.fakes.exchange.records import Refused, SymbolRules, money

INTERVALS_MS = {
    "1s": 1000, "1m": 60_000, "3m": 180_000, "5m": 300_000, "15m": 900_000, "30m": 1_800_000,
    "1h": 3_600_000, "2h": 7_200_000, "4h": 14_400_000, "6h": 21_600_000, "8h": 28_800_000,
    "12h": 43_200_000, "1d": 86_400_000,
}  # fmt: skip
MOST_KLINES = 1000
Sent = dict[str, str]


def _time(exchange: BinanceExchange, _sent: Sent) -> Any:
    return {"serverTime": exchange.now_ms()}


def _exchange_info(exchange: BinanceExchange, sent: Sent) -> Any:
    symbols = exchange.matching.symbols
    wanted = [symbols[sent["symbol"]]] if "symbol" in sent else list(symbols.values())
    return {
        "timezone": "UTC", "serverTime": exchange.now_ms(),
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1,
             "limit": exchange.weight_limit},
        ],
        "exchangeFilters": [], "symbols": [rules.listing() for rules in wanted],
    }  # fmt: skip


def _klines(exchange: BinanceExchange, sent: Sent) -> Any:
    length = INTERVALS_MS.get(sent["interval"])
    if length is None:
        raise Refused(-1120, "Invalid interval.")
    limit = min(whole(sent, "limit", 500), MOST_KLINES)
    now = exchange.now_ms()
    end = min(whole(sent, "endTime", now), now)
    start = whole(sent, "startTime", end - (limit - 1) * length)
    start = -(-start // length) * length
    rows: list[list[Any]] = []
    while start <= end and len(rows) < limit:
        if start not in exchange.missing_klines:
            rows.append(kline(exchange.rules(sent["symbol"]), start, length))
        start += length
    return rows


def kline(rules: SymbolRules, open_ms: int, length_ms: int) -> list[Any]:
    """One kline; its prices follow from its time and the price that the symbol was listed at."""
    unit = rules.listed_at / 50_000
    low, high = rules.listed_at - unit * 5 / 2, rules.listed_at + unit * 3
    shift = unit * (open_ms // length_ms % 100)
    prices = (rules.listed_at, high, low, rules.listed_at + unit * Decimal("1.25"))
    return [
        open_ms, *(money(price + shift) for price in prices), "12.50000000",
        open_ms + length_ms - 1, "625000.00000000", 100, "6.00000000", "300000.00000000", "0",
    ]  # fmt: skip


def _each(make: Callable[[SymbolRules, int], Any]) -> Callable[[BinanceExchange, Sent], Any]:
    """A ticker of one symbol, or a list of those asked for, or of all."""

    def answer(exchange: BinanceExchange, sent: Sent) -> Any:
        now = exchange.now_ms()
        if "symbol" in sent:
            return make(exchange.rules(sent["symbol"]), now)
        named = json.loads(sent["symbols"]) if "symbols" in sent else exchange.matching.symbols
        return [make(exchange.rules(name), now) for name in named]

    return answer


def _day(rules: SymbolRules, now_ms: int) -> Any:
    frame = day_ticker(rules, now_ms)
    names = {
        "symbol": "s", "priceChange": "p", "priceChangePercent": "P", "weightedAvgPrice": "w",
        "prevClosePrice": "x", "lastPrice": "c", "lastQty": "Q", "bidPrice": "b", "bidQty": "B",
        "askPrice": "a", "askQty": "A", "openPrice": "o", "highPrice": "h", "lowPrice": "l",
        "volume": "v", "quoteVolume": "q", "openTime": "O", "closeTime": "C", "firstId": "F",
        "lastId": "L", "count": "n",
    }  # fmt: skip
    return {name: frame[short] for name, short in names.items()}


def _book(rules: SymbolRules, now_ms: int) -> Any:
    frame = book_ticker(rules, now_ms)
    names = {"symbol": "s", "bidPrice": "b", "bidQty": "B", "askPrice": "a", "askQty": "A"}
    return {name: frame[short] for name, short in names.items()}


def _price(rules: SymbolRules, _now_ms: int) -> Any:
    return {"symbol": rules.name, "price": money(rules.price)}


MARKET_VIEWS: dict[str, Callable[[BinanceExchange, Sent], Any]] = {
    "GET ping": lambda _exchange, _sent: {},
    "GET time": _time,
    "GET exchangeInfo": _exchange_info,
    "GET klines": _klines,
    "GET ticker/24hr": _each(_day),
    "GET ticker/bookTicker": _each(_book),
    "GET ticker/price": _each(_price),
}
