"""Time, candles and prices."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol, TypeGuard, runtime_checkable

from engine.domain.candles import Candles
from engine.domain.instruments import Depth, Instrument, Quote


class Clock(Protocol):
    """The machine's time."""

    def now(self) -> datetime:
        """Aware UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an unknown beginning, which nobody can set: for waits that must not end
        early because the machine's time was corrected."""
        ...


class MarketData(Protocol):
    """Candles and prices of one market. Only closed candles, as of ``now()``, are ever given."""

    market_id: str

    def now(self) -> datetime:
        """The market's own time: the wall clock, or a replay's."""
        ...

    def instruments(self) -> Sequence[Instrument]:
        """Everything that can be traded. Raises DataError when the venue does not answer."""
        ...

    def instrument(self, symbol: str) -> Instrument:
        """Raises NotFound for an unknown symbol, DataError when the venue does not answer."""
        ...

    def timeframes(self) -> Sequence[str]:
        """The candle lengths this market gives, shortest first."""
        ...

    def candles(
        self, symbol: str, timeframe: str, *, limit: int, before: datetime | None = None
    ) -> Candles:
        """The newest ``limit`` candles closed by ``before`` (default ``now()``), oldest first.

        Fewer when history is shorter. Raises NotFound, or DataError for gaps that cannot be read.
        """
        ...

    def quote(self, symbol: str, *, seen_price: Decimal | None = None) -> Quote:
        """The price at ``now()``. A market of bars answers ``seen_price`` when it lies in the bar
        that just closed. Raises NotFound, DataError."""
        ...

    def bars_since(self, symbol: str, after: datetime) -> Candles:
        """The finest closed candles that opened at or after ``after``, to match and watch by."""
        ...


@runtime_checkable
class SteppedMarket(MarketData, Protocol):
    """A market whose time is moved by its only bot: a replay."""

    def next_step(self, timeframe: str, after: datetime | None) -> datetime | None:
        """Close of the next candle of ``timeframe`` closing later than ``after`` (None: the
        first). None at the end of the file."""
        ...

    def seek(self, moment: datetime) -> None:
        """Set ``now()``."""
        ...

    def pause_s(self, timeframe: str) -> float:
        """Wall seconds between two steps at the replay's speed; 0 is full speed."""
        ...


def has_steps(market: MarketData) -> TypeGuard[SteppedMarket]:
    """Whether it is a ``SteppedMarket``: asked at every order, and ``isinstance`` with a protocol
    compares every attribute."""
    return hasattr(market, "next_step")


@runtime_checkable
class DepthMarket(MarketData, Protocol):
    """A market that tells more of its order book than the best prices."""

    def depth(self, symbol: str, levels: int) -> Depth:
        """The best ``levels`` of each side. Raises NotFound, DataError."""
        ...


@runtime_checkable
class StreamingMarket(MarketData, Protocol):
    """A market that tells prices by itself; ``quote`` answers from the stream while it is fresh."""

    def watch(self, symbol: str, on_quote: Callable[[Quote], None]) -> Callable[[], None]:
        """Call ``on_quote`` with each new price, from a thread of the adapter's, until the answer
        is called. Reconnects by itself; silent while the stream is down."""
        ...


@runtime_checkable
class BulkMarket(MarketData, Protocol):
    """A market that tells the prices of many symbols in one request."""

    def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """By symbol; one that has no price now is left out. Raises DataError when the venue does
        not answer."""
        ...


@runtime_checkable
class SparseMarket(MarketData, Protocol):
    """A market that says whether it leaves out candles in which nothing traded. One that does not
    say it is taken to where it has hours, and not to where it never closes."""

    has_empty_bars_left_out: bool


@runtime_checkable
class SeparateMarket(MarketData, Protocol):
    """A market that says whether its prices are nobody else's: a test network's are made up, and no
    other source stands in for them."""

    has_prices_of_its_own: bool
