"""Bars of the stand-in: a function of symbol and minute, by the server's clock."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tests.fakes.metatrader5.records import RATES
from tests.fakes.metatrader5.world import Symbol, World

MINUTE = 60
HOUR_FLAG = 0x4000


def seconds_of(timeframe: int) -> int:
    """Length of one of the package's timeframes up to a day."""
    return (timeframe & 0xFF) * (3600 if timeframe & HOUR_FLAG else MINUTE)


def bars(world: World, symbol: Symbol, length_s: int, starts: range) -> NDArray[np.void]:
    """Those of the bars that begin at ``starts`` in which there was trading, the unfinished one
    included, as the terminal gives them."""
    now_s = world.server_ms() // 1000
    found = [
        bar
        for start in starts
        if start <= now_s and world.is_open(symbol, start * 1000)
        for bar in [_bar(symbol, start, min(length_s, now_s - start + MINUTE))]
    ]
    return np.array(found, dtype=RATES)


def back_from(world: World, symbol: Symbol, length_s: int, newest: int, count: int) -> range:
    """The starts of the newest ``count`` bars that begin by ``newest``."""
    last = min(newest, world.server_ms() // 1000) // length_s * length_s
    start, left = last, count
    while left > 0 and start > 0:
        left -= world.is_open(symbol, start * 1000)
        start -= length_s
    return range(start + length_s, last + 1, length_s)


def _bar(symbol: Symbol, start: int, length_s: int) -> tuple[float, ...]:
    minutes = list(_minutes(symbol, start, length_s))
    prices = [price for pair in minutes for price in pair]
    return (
        start, prices[0], max(prices), min(prices), prices[-1], 10 * len(minutes),
        symbol.spread, 0,
    )  # fmt: skip


def _minutes(symbol: Symbol, start: int, length_s: int) -> Iterator[tuple[float, float]]:
    """Open and close of each minute: a walk that comes back every 97 minutes."""
    for minute in range(start // MINUTE, (start + length_s - 1) // MINUTE + 1):
        yield _price(symbol, minute), _price(symbol, minute + 1)


def _price(symbol: Symbol, minute: int) -> float:
    return float(symbol.price + (minute * 37 % 97 - 48) * symbol.point)
