"""A venue's prices under a market id of their own, to be traded on paper."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal

from engine.domain.candles import Candles
from engine.domain.instruments import Instrument, Quote
from engine.ports import MarketData, StreamingMarket


def prices_of(market: MarketData, market_id: str) -> MarketData:
    """``market`` as ``market_id``: the same prices through the same connection."""
    if isinstance(market, StreamingMarket):
        return StreamingPrices(market, market_id)
    return Prices(market, market_id)


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


class StreamingPrices(Prices):
    """Implements ``StreamingMarket``, too."""

    def __init__(self, market: StreamingMarket, market_id: str) -> None:
        super().__init__(market, market_id)
        self._stream = market

    def watch(self, symbol: str, on_quote: Callable[[Quote], None]) -> Callable[[], None]:
        """Call ``on_quote`` with each new price."""
        return self._stream.watch(symbol, on_quote)
