"""The market of prices that a MetaTrader terminal, or a script of one's own, pushes."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from engine.domain.candles import Candles, empty_candles, resample
from engine.domain.instruments import Instrument, Quote
from engine.domain.money import to_epoch_ms
from engine.domain.pushed import SILENT_AFTER, PushedBar, PushedPrice
from engine.domain.pushed_instruments import instrument_of
from engine.domain.timeframes import floor_time, timeframe_delta, timeframe_s
from engine.errors import DataError, NotFound
from engine.ports import Clock, PushedMarkets

LONGER = ("1h", "2h", "4h", "6h", "12h", "1d")
"""What is joined from shorter bars where it was not pushed itself."""

MOST_BARS = 50_000
A_MOMENT = timedelta(microseconds=1)


class PushedMarket:
    """Implements ``MarketData`` over what was pushed for one account.

    Candles are of bid prices, with ticks for volume. Once nothing has been heard of a symbol for
    ``silent_after`` there are neither new candles nor a price of it.
    """

    has_empty_bars_left_out = True  # a bar is made of ticks

    def __init__(
        self, market_id: str, account: str, pushed: PushedMarkets, clock: Clock, *,
        silent_after: timedelta = SILENT_AFTER,
    ) -> None:  # fmt: skip
        self.market_id = market_id
        self.account = account
        self._pushed = pushed
        self._clock = clock
        self._silent_after = silent_after

    def now(self) -> datetime:
        """Our own time."""
        return self._clock.now()

    # --- symbols --------------------------------------------------------------------------------

    def instruments(self) -> Sequence[Instrument]:
        """The symbols that were ever pushed."""
        currency = self._currency()
        return [instrument_of(price, currency) for price in self._pushed.prices(self.account)]

    def instrument(self, symbol: str) -> Instrument:
        """Raises NotFound."""
        return instrument_of(self.price(symbol), self._currency())

    def price(self, symbol: str) -> PushedPrice:
        """What was told of a symbol last, however old. Raises NotFound."""
        price = self._pushed.price(self.account, symbol)
        if price is None:
            raise NotFound(
                f"No prices of '{symbol}' were pushed for account {self.account}: add it to the"
                " Symbols of the Expert Advisor.",
                field="symbol",
            )  # fmt: skip
        return price

    def _currency(self) -> str:
        terminal = self._pushed.terminal(self.account)
        return terminal.state.currency if terminal and terminal.state else ""

    # --- prices ---------------------------------------------------------------------------------

    def quote(self, symbol: str, *, seen_price: Decimal | None = None) -> Quote:
        """The newest prices; ``seen_price`` is ignored. Raises NotFound, DataError."""
        price = self._heard(symbol)
        return Quote(
            symbol=symbol, bid=price.bid, ask=price.ask, last=price.bid, time=price.received_at
        )

    def _heard(self, symbol: str) -> PushedPrice:
        """Raises NotFound, DataError for a symbol of which nothing has been heard lately."""
        price = self.price(symbol)
        if self.now() - price.received_at > self._silent_after:
            raise DataError(
                f"Nothing was heard of {symbol} since {price.received_at:%Y-%m-%d %H:%M:%S} UTC."
                f" Is the terminal of account {self.account} running, and the Expert Advisor on"
                " its chart?"
            )
        return price

    # --- candles --------------------------------------------------------------------------------

    def timeframes(self) -> Sequence[str]:
        """Those of which bars were pushed, and longer ones; shortest first. Before the first bar
        those of a minute are expected."""
        prices = self._pushed.prices(self.account)
        own = {name for price in prices for name in price.timeframes} or {"1m"}
        longer = {name for name in LONGER if any(_joins(short, name) for short in own)}
        return sorted({*own, *longer}, key=timeframe_s)

    def candles(
        self, symbol: str, timeframe: str, *, limit: int, before: datetime | None = None
    ) -> Candles:
        """The newest closed candles; closed hours leave gaps. Raises NotFound, DataError."""
        price = self.price(symbol) if before else self._heard(symbol)
        if limit <= 0:
            return empty_candles(timeframe)
        source = _source(price, timeframe)
        if source is None:
            raise DataError(
                f"Waiting for the first {timeframe} candles of {symbol}: the Expert Advisor sends"
                " each bar when it has closed."
            )
        times = timeframe_s(timeframe) // timeframe_s(source)
        end = before or self.now()
        found = self._pushed.bars(
            self.account, symbol, source, limit=min((limit + 1) * times, MOST_BARS),
            until=_opened_by(end, source),
        )  # fmt: skip
        joined = resample(_as_candles(found, source), timeframe)
        if (
            len(joined) <= limit
            and len(joined)
            and int(joined.time[0]) != to_epoch_ms(found[0].time)
        ):
            joined = joined[slice(1, None)]  # its beginning was never pushed
        return joined[slice(-limit, None)]

    def bars_since(self, symbol: str, after: datetime) -> Candles:
        """The finest closed candles of a symbol. Raises NotFound."""
        own = self.price(symbol).timeframes
        if not own:
            return empty_candles("1m")
        found = self._pushed.bars(
            self.account, symbol, own[0], since=after, until=_opened_by(self.now(), own[0])
        )
        return _as_candles(found, own[0])


def _source(price: PushedPrice, timeframe: str) -> str | None:
    """The pushed bars of which a candle is made: its own, or the longest that make it up."""
    own = price.timeframes
    if timeframe in own:
        return timeframe
    return next((name for name in reversed(own) if _joins(name, timeframe)), None)


def _joins(short: str, long: str) -> bool:
    return timeframe_s(long) > timeframe_s(short) and timeframe_s(long) % timeframe_s(short) == 0


def _opened_by(end: datetime, timeframe: str) -> datetime:
    """Bars that opened before this have closed by ``end``."""
    return floor_time(end, timeframe_s(timeframe)) - timeframe_delta(timeframe) + A_MOMENT


def _as_candles(bars: Sequence[PushedBar], timeframe: str) -> Candles:
    table = np.array(
        [(bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in bars], dtype=np.float64
    ).reshape(len(bars), 5)
    times = np.array([to_epoch_ms(bar.time) for bar in bars], dtype=np.int64)
    opened, high, low, close, volume = np.ascontiguousarray(table.T)
    return Candles(timeframe, times, opened, high, low, close, volume)
