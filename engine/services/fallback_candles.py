"""Other sources of the same instrument, in their order, for when a market does not answer.

Only what is the same is taken: a coin against the same currency, the same share of the same
country. Prices of another venue differ a little all the same, and so it is always said whose they
are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from engine.domain.candle_grid import start_for
from engine.domain.candles import Candles
from engine.domain.instruments import Instrument, InstrumentKind
from engine.domain.sessions import Timetable, calendar_of
from engine.domain.timeframes import timeframe_s
from engine.errors import DataError, NotFound, QuarterdeckError
from engine.ports import CandleSource, MarketData, SeparateMarket
from engine.services.candle_sources import CandleSources

CRYPTO, STOCK, FOREX = InstrumentKind.CRYPTO, InstrumentKind.STOCK, InstrumentKind.FOREX
US_HOURS = frozenset({"XNYS", "XNAS"})
DOLLARS = frozenset({"USD", "USDT", "USDC"})


def _at_exchange(instrument: Instrument) -> str | None:
    pair = f"{instrument.base}/{instrument.quote}"
    return pair if instrument.kind is CRYPTO else None


def _at_alpaca(instrument: Instrument) -> str | None:
    if instrument.kind is CRYPTO and instrument.quote in DOLLARS:
        return f"{instrument.base}/{instrument.quote}"
    return _us_stock(instrument)


def _at_yahoo(instrument: Instrument) -> str | None:
    if instrument.kind is CRYPTO:
        return f"{instrument.base}-USD" if instrument.quote == "USD" else None
    if instrument.kind is FOREX:
        return f"{instrument.base}/{instrument.quote}"
    stock = _us_stock(instrument)
    return stock.replace(".", "-") if stock else None


def _us_stock(instrument: Instrument) -> str | None:
    is_us = instrument.kind is STOCK and calendar_of(instrument) in US_HOURS
    return instrument.base if is_us and instrument.quote == "USD" else None


NAMES: dict[str, Callable[[Instrument], str | None]] = {
    "ccxt": _at_exchange,
    "alpaca": _at_alpaca,
    "yahoo": _at_yahoo,
}
"""What a source calls an instrument; None when it does not have the very same."""


@dataclass(frozen=True)
class OtherSource:
    """A source that should have an instrument. ``fetch`` blocks."""

    source_id: str
    title: str
    symbol: str
    timeframe: str
    source: CandleSource

    def fetch(self, limit: int, timetable: Timetable, now: datetime) -> Candles:
        """The newest ``limit`` closed candles. Raises NotFound, ConfigError, AccessDenied,
        DataError."""
        length_ms = timeframe_s(self.timeframe) * 1000
        since = start_for(timetable, length_ms, limit, now)
        named = self.source.resolve(self.symbol)
        pages = [page.candles for page in self.source.fetch(named, self.timeframe, since, now)]
        pages = [page for page in pages if len(page)]
        if not pages:
            raise DataError(f"{self.title} gave no candles of {self.symbol}.")
        columns = ("time", "open", "high", "low", "close", "volume")
        joined = (np.concatenate([getattr(page, name) for page in pages]) for name in columns)
        return Candles(self.timeframe, *joined)[slice(-limit, None)]


class FallbackCandles:
    """The sources to ask, by the ids of ``CandleSources``; the first is asked first."""

    def __init__(self, sources: CandleSources, order: Sequence[str]) -> None:
        self._sources = sources
        self._order = tuple(order)

    def of(self, market: MarketData, symbol: str, timeframe: str) -> list[OtherSource]:
        """Those that have the symbol in this timeframe; asks nobody but the market's listing, as
        far as it is known."""
        if isinstance(market, SeparateMarket) and market.has_prices_of_its_own:
            return []
        try:
            instrument = market.instrument(symbol)
        except QuarterdeckError:
            return []  # what it is was never told, so that nothing is known to be the same
        own = market.market_id.rpartition(":")[2]
        found = []
        for source_id in self._order:
            prefix, _, name = source_id.partition(":")
            asked = NAMES[prefix](instrument) if prefix in NAMES else None
            if asked is None or name == own:
                continue
            title = name.capitalize() if prefix == "ccxt" else source_id.capitalize()
            try:
                source = self._sources.get(source_id)
            except NotFound:
                continue  # an exchange that this version of ccxt does not know
            if timeframe in source.timeframes():
                found.append(OtherSource(source_id, title, asked, timeframe, source))
        return found
