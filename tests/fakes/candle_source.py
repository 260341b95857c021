"""A source of candles that misbehaves when it is told to."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import numpy as np

from engine.domain.candle_sets import AS_GIVEN, is_symbol
from engine.domain.instruments import InstrumentKind
from engine.domain.money import from_epoch_ms, to_epoch_ms
from engine.domain.timeframes import timeframe_s
from engine.errors import ConfigError, NotFound, QuarterdeckError
from engine.ports import CandlePage, SourceSymbol
from tests.support.candle_rows import candles_of, without

PAGE = 10


class FakeCandleSource:
    """Implements ``CandleSource``: one price an hour, its number since the epoch.

    ``faults`` are raised one a page, None standing for a page that goes well; ``gate`` holds every
    page while it is clear; ``asked`` are the begins of all calls of ``fetch``; symbols that are not
    in ``listed`` are unknown, nothing is there before ``first_ms``, nor the opens (ms) in
    ``missing``; ``now`` tells what is finished.
    """

    prices = AS_GIVEN

    def __init__(
        self, source_id: str = "ccxt:fake", now: Callable[[], datetime] | None = None
    ) -> None:
        self.now = now or (lambda: datetime.max.replace(tzinfo=UTC))
        self.missing: set[int] = set()
        self.source_id = source_id
        self.listed = {"BTC/USDT", "ETH/USDT"}
        self.faults: deque[QuarterdeckError | Exception | None] = deque()
        self.gate = threading.Event()
        self.gate.set()
        self.arrived = threading.Event()  # somebody waits at the gate
        self.asked: list[datetime] = []
        self.first_ms = 0

    def timeframes(self) -> Sequence[str]:
        """An hour and a day."""
        return ("1h", "1d")

    def resolve(self, symbol: str) -> SourceSymbol:
        """With a slash."""
        name = symbol.upper().replace("-", "/")
        if name.count("/") != 1 or not is_symbol(name):
            raise ConfigError(f"'{symbol}' is not a symbol such as BTC/USDT.", field="symbol")
        return SourceSymbol(name, name, InstrumentKind.CRYPTO)

    def fetch(
        self, symbol: SourceSymbol, timeframe: str, since: datetime, until: datetime
    ) -> Iterator[CandlePage]:
        """``PAGE`` candles a page."""
        self.asked.append(since)
        if symbol.name not in self.listed:
            raise NotFound(f"There is no symbol '{symbol.name}'.", field="symbol")
        length_ms = timeframe_s(timeframe) * 1000
        start, end = -(-to_epoch_ms(since) // length_ms), to_epoch_ms(until) // length_ms
        end = min(end, to_epoch_ms(self.now()) // length_ms)
        while start < end:
            self.arrived.set()
            self.gate.wait(10)
            fault = self.faults.popleft() if self.faults else None
            if fault is not None:
                raise fault
            stop = min(start + PAGE, end)
            first = max(start, -(-self.first_ms // length_ms))
            page = candles_of([float(one) for one in range(first, stop)], timeframe,
                              first * length_ms)  # fmt: skip
            page = without(page, *np.flatnonzero(np.isin(page.time, list(self.missing))))
            yield CandlePage(page, from_epoch_ms(stop * length_ms))
            start = stop
