"""A venue's prices under a market id of their own, to be traded on paper."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import cast

from engine.domain.candles import Candles
from engine.domain.instruments import Depth, Instrument, Quote
from engine.ports import BulkMarket, DepthMarket, MarketData, SparseMarket, StreamingMarket


class Prices:
    """Implements ``MarketData`` by asking another market."""

    def __init__(self, market: MarketData, market_id: str) -> None:
        self.market_id = market_id
        self._market = market

    def now(self) -> datetime:
        """The market's own time."""
        return self._market.now()

    def instruments(self) -> Sequence[Instrument]:
        """Everything that can be traded."""
        return self._market.instruments()

    def instrument(self, symbol: str) -> Instrument:
        """Raises NotFound, DataError."""
        return self._market.instrument(symbol)

    def timeframes(self) -> Sequence[str]:
        """The candle lengths, shortest first."""
        return self._market.timeframes()

    def candles(
        self, symbol: str, timeframe: str, *, limit: int, before: datetime | None = None
    ) -> Candles:
        """The newest closed candles."""
        return self._market.candles(symbol, timeframe, limit=limit, before=before)

    def quote(self, symbol: str, *, seen_price: Decimal | None = None) -> Quote:
        """The price now."""
        return self._market.quote(symbol, seen_price=seen_price)

    def bars_since(self, symbol: str, after: datetime) -> Candles:
        """The finest closed candles from then on."""
        return self._market.bars_since(symbol, after)


class _Streaming(Prices):
    def watch(self, symbol: str, on_quote: Callable[[Quote], None]) -> Callable[[], None]:
        """Call ``on_quote`` with each new price."""
        return cast(StreamingMarket, self._market).watch(symbol, on_quote)


class _Bulk(Prices):
    def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """The prices of several symbols."""
        return cast(BulkMarket, self._market).quotes(symbols)


class _Deep(Prices):
    def depth(self, symbol: str, levels: int) -> Depth:
        """The best levels of the book."""
        return cast(DepthMarket, self._market).depth(symbol, levels)


class _Sparse(Prices):
    @property
    def has_empty_bars_left_out(self) -> bool:
        """Whether candles in which nothing traded are missing."""
        return cast(SparseMarket, self._market).has_empty_bars_left_out


MORE: Mapping[type, type[Prices]] = {
    StreamingMarket: _Streaming, BulkMarket: _Bulk, DepthMarket: _Deep, SparseMarket: _Sparse,
}  # fmt: skip
"""What a market may do beside, and who hands it on."""


def prices_of(market: MarketData, market_id: str) -> MarketData:
    """``market`` as ``market_id``: the same prices through the same connection, and all that the
    market does beside."""
    parts = tuple(part for protocol, part in MORE.items() if isinstance(market, protocol))
    kind: type[Prices] = type("Prices", (*parts, Prices), {})
    return kind(market, market_id)
