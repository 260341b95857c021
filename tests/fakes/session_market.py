"""A market of stocks with hours: it has candles of its sessions only, and its price is set by a
test."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from engine.domain.candle_grid import expected_opens
from engine.domain.candles import Candles
from engine.domain.instruments import Instrument, InstrumentKind, Quote
from engine.domain.money import to_epoch_ms
from engine.domain.sessions import calendar_of
from engine.domain.timeframes import SECONDS, timeframe_s
from engine.errors import DataError, NotFound, QuarterdeckError
from engine.ports import Calendars
from tests.fakes.calendars import FakeCalendars
from tests.fakes.clock import FakeClock

CRYPTO = InstrumentKind.CRYPTO
LOOK_BACK = timedelta(days=60)


def stock(symbol: str, calendar: str = "") -> Instrument:
    """A share, in dollars."""
    return Instrument(
        symbol=symbol, kind=InstrumentKind.STOCK, base=symbol, quote="USD",
        price_tick=Decimal("0.01"), quantity_step=Decimal("0.0001"), calendar=calendar,
        can_short=True,
    )  # fmt: skip


@dataclass(frozen=True)
class Request:
    """One question for candles."""

    symbol: str
    timeframe: str
    limit: int


def steady(_opened_ms: int) -> float:
    """The same price at all times."""
    return 100.0


class SessionMarket:
    """Implements ``BulkMarket`` by session hours.

    ``failure``, while set, is raised by every question for candles or prices; ``edit`` makes others
    of the candles; ``hidden`` candles, the newest, are not published yet. ``requests`` and
    ``quote_requests`` list what was asked; ``has_empty_bars_left_out`` is what it says of itself.
    """

    def __init__(
        self,
        clock: FakeClock,
        *,
        instruments: Sequence[Instrument] = (stock("AAPL"), stock("MSFT")),
        calendars: Calendars | None = None,
        market_id: str = "stocks",
        price: Callable[[int], float] = steady,
    ) -> None:
        self.market_id = market_id
        self.clock = clock
        self.failure: QuarterdeckError | None = None
        self.edit: Callable[[Candles], Candles] = lambda candles: candles
        self.hidden = 0
        self.has_empty_bars_left_out = any(one.kind is not CRYPTO for one in instruments)
        self.requests: list[Request] = []
        self.quote_requests: list[tuple[str, ...]] = []
        self.price = price
        self._instruments = {one.symbol: one for one in instruments}
        self._calendars = calendars or FakeCalendars()

    def now(self) -> datetime:
        """The clock's time."""
        return self.clock.now()

    def instruments(self) -> Sequence[Instrument]:
        """Those it was made with."""
        return list(self._instruments.values())

    def instrument(self, symbol: str) -> Instrument:
        """Raises NotFound."""
        try:
            return self._instruments[symbol]
        except KeyError:
            raise NotFound(f"There is no symbol '{symbol}'.", field="symbol") from None

    def timeframes(self) -> Sequence[str]:
        """All."""
        return list(SECONDS)

    def candles(
        self, symbol: str, timeframe: str, *, limit: int, before: datetime | None = None
    ) -> Candles:
        """Closed candles of the sessions, from each opening on. Raises NotFound, DataError."""
        self.requests.append(Request(symbol, timeframe, limit))
        if self.failure is not None:
            raise self.failure
        now = before or self.now()
        timetable = self._calendars.timetable(
            calendar_of(self.instrument(symbol)), now - LOOK_BACK, now + LOOK_BACK
        )
        length_ms = timeframe_s(timeframe) * 1000
        opens = expected_opens(
            timetable, length_ms, to_epoch_ms(now - LOOK_BACK), to_epoch_ms(now) - length_ms,
            is_by_session=not timetable.is_always_open,
        )  # fmt: skip
        opens = opens[: len(opens) - self.hidden][-limit:]
        price = np.array([self.price(int(one)) for one in opens])
        return self.edit(
            Candles(timeframe, opens, price, price, price, price, np.full(len(opens), 1e6))
        )

    def quote(self, symbol: str, *, seen_price: Decimal | None = None) -> Quote:
        """The price of this moment. Raises NotFound, DataError."""
        self.quote_requests.append((symbol,))
        return self._quote(symbol)

    def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """All in one request. Raises DataError."""
        self.quote_requests.append(tuple(symbols))
        return {symbol: self._quote(symbol) for symbol in symbols}

    def bars_since(self, symbol: str, after: datetime) -> Candles:
        """None: nothing rests at this market."""
        raise DataError(f"{self.market_id} tells no bars of {symbol} since {after}.")

    def _quote(self, symbol: str) -> Quote:
        if self.failure is not None:
            raise self.failure
        self.instrument(symbol)
        last = Decimal(str(self.price(to_epoch_ms(self.now()))))
        return Quote(symbol=symbol, bid=last, ask=last, last=last, time=self.now(),
                     volume=Decimal(10**6))  # fmt: skip
