"""A market whose prices a test sets by hand."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from engine.domain.candles import Candles, resample
from engine.domain.instruments import Instrument, Quote
from engine.domain.money import to_epoch_ms
from engine.domain.timeframes import timeframe_s
from engine.errors import DataError, NotFound, QuarterdeckError
from tests.fakes.clock import FakeClock

BTC = Instrument(
    symbol="BTC/USDT",
    name="Bitcoin",
    base="BTC",
    quote="USDT",
    price_tick=Decimal("0.01"),
    quantity_step=Decimal("0.00001"),
    min_quantity=Decimal("0.00001"),
    min_notional=Decimal(5),
    can_short=True,
)
SPOT = BTC.model_copy(update={"symbol": "ETH/USDT", "base": "ETH", "can_short": False})
INSTRUMENTS = (BTC, SPOT)
Row = tuple[int, float, float, float, float, float]


class FakeMarket:
    """Implements ``MarketData`` over bars of ``timeframe`` that are added by hand.

    ``set_price`` sets what ``quote`` answers; ``add_bar`` appends a closed bar, moves the clock to
    its close and the price to its close. ``failure``, while set, is raised by every question.
    """

    def __init__(
        self,
        clock: FakeClock | None = None,
        *,
        instruments: Sequence[Instrument] = INSTRUMENTS,
        timeframe: str = "1m",
        market_id: str = "fake",
    ) -> None:
        self.market_id = market_id
        self.clock = clock or FakeClock()
        self.timeframe = timeframe
        self.failure: QuarterdeckError | None = None
        self._instruments = {instrument.symbol: instrument for instrument in instruments}
        self._bars: dict[str, list[Row]] = {symbol: [] for symbol in self._instruments}
        self._prices: dict[str, tuple[Decimal, Decimal, Decimal, Decimal]] = {}

    def set_price(
        self, symbol: str, last: str, *, bid: str = "", ask: str = "", volume: str = "0"
    ) -> None:
        """What the next quotes say; bid and ask are ``last`` unless given."""
        self._prices[symbol] = (
            Decimal(bid or last), Decimal(ask or last), Decimal(last), Decimal(volume)
        )  # fmt: skip

    def add_bar(
        self, symbol: str, open_: float, high: float, low: float, close: float, volume: float = 0
    ) -> None:
        """A bar that opens now and is closed when this returns."""
        opened = to_epoch_ms(self.clock.now())
        self._bars[symbol].append((opened, open_, high, low, close, volume))
        self.clock.advance(timeframe_s(self.timeframe))
        self.set_price(symbol, str(close))

    def now(self) -> datetime:
        """The clock's time."""
        return self.clock.now()

    def instruments(self) -> Sequence[Instrument]:
        """Those it was made with."""
        self._check()
        return list(self._instruments.values())

    def instrument(self, symbol: str) -> Instrument:
        """Raises NotFound."""
        self._check()
        try:
            return self._instruments[symbol]
        except KeyError:
            raise NotFound(f"There is no symbol '{symbol}'.", field="symbol") from None

    def timeframes(self) -> Sequence[str]:
        """The bars' own, and two longer ones."""
        return [self.timeframe, "5m", "1h"]

    def candles(
        self, symbol: str, timeframe: str, *, limit: int, before: datetime | None = None
    ) -> Candles:
        """Closed bars, joined."""
        end = to_epoch_ms(before or self.now())
        bars = resample(self._candles(symbol), timeframe)
        closed = int((bars.time + timeframe_s(timeframe) * 1000 <= end).sum())
        return bars[slice(max(closed - max(limit, 0), 0), closed)]

    def quote(self, symbol: str, *, seen_price: Decimal | None = None) -> Quote:
        """The price set last, at the present second. Raises DataError before the first."""
        self.instrument(symbol)
        if symbol not in self._prices:
            raise DataError(f"{symbol} has no price yet.")
        bid, ask, last, volume = self._prices[symbol]
        return Quote(symbol=symbol, bid=bid, ask=ask, last=last, time=self.now(), volume=volume)

    def bars_since(self, symbol: str, after: datetime) -> Candles:
        """Bars that opened at or after ``after``."""
        bars = self._candles(symbol)
        return bars[slice(int((bars.time < to_epoch_ms(after)).sum()), None)]

    def history(self, symbol: str, closes: Sequence[float], volume: float = 1000.0) -> None:
        """Add one bar a close, each from the close before it."""
        before = closes[0]
        for close in closes:
            self.add_bar(symbol, before, max(before, close), min(before, close), close, volume)
            before = close

    def start_of(self, symbol: str) -> datetime:
        """When the first bar opened."""
        return self.now() - timedelta(seconds=timeframe_s(self.timeframe) * len(self._bars[symbol]))

    def _candles(self, symbol: str) -> Candles:
        self.instrument(symbol)
        rows = np.array(self._bars[symbol], dtype=np.float64).reshape(-1, 6)
        return Candles(self.timeframe, rows[:, 0].astype(np.int64), *rows[:, 1:].T)

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure
