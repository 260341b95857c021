"""Prices of a MetaTrader terminal: its symbols, ticks and bars, in UTC."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from threading import RLock
from typing import Any

import numpy as np
from pydantic import ValidationError

from engine.adapters.brokers.mt5 import codes
from engine.adapters.brokers.mt5 import reading as read
from engine.adapters.brokers.mt5.server_time import ServerTime
from engine.adapters.brokers.mt5.session import NAME, Session, believed
from engine.adapters.brokers.mt5.symbols import Listing, is_offered, listing, tick_times
from engine.domain.candles import Candles, empty_candles, resample
from engine.domain.instruments import Instrument, Quote
from engine.domain.money import to_epoch_ms
from engine.domain.timeframes import SECONDS, timeframe_s
from engine.errors import BrokerError, DataError, NotFound
from engine.ports import Clock

log = logging.getLogger("quarterdeck.mt5")

LISTING_AGE_S = 3600.0
TIMEFRAMES = (*codes.TIMEFRAMES, *("2h", "4h", "6h", "12h", "1d"))
MOST_BARS = 50_000  # of one question; a terminal gives what its chart holds
BARS_SINCE = 1000
SURE_MS = 5_000
"""How far our clock may be ahead of the server's, which tells its time by prices only: after this
a bar is over without a newer one, too."""

COLUMNS = 8  # time, open, high, low, close, tick_volume, spread, real_volume


class Mt5Market:
    """Implements ``MarketData`` over the terminal's Market Watch.

    Candles are of bid prices, with ticks for volume. The terminal's own bars longer than an hour
    begin by its server's clock; those here are joined from shorter ones and begin by UTC.
    """

    has_empty_bars_left_out = True  # a bar is made of ticks

    def __init__(
        self, market_id: str, session: Session, server_time: ServerTime, clock: Clock, *,
        suffix: str = "",
    ) -> None:  # fmt: skip
        self.market_id = market_id
        self.server_time = server_time
        self._session = session
        self._clock = clock
        self._suffix = suffix
        self._lock = RLock()
        self._listings: dict[str, Listing] = {}
        self._currency = ""
        self._listed_at_s: float | None = None

    def now(self) -> datetime:
        """Our own time: the terminal tells none but that of prices."""
        return self._clock.now()

    # --- symbols -------------------------------------------------------------------------------

    def instruments(self) -> Sequence[Instrument]:
        """The symbols that are shown in Market Watch and can be traded. Raises DataError."""
        with self._lock:
            self._list()
            return [
                each.instrument
                for each in self._listings.values()
                if each.trade_mode != codes.TRADE_DISABLED
            ]

    def instrument(self, symbol: str) -> Instrument:
        """Raises NotFound, DataError."""
        return self.listing(symbol).instrument

    def listing(self, symbol: str) -> Listing:
        """A symbol with its lots; one that is not in Market Watch yet is put there. Raises
        NotFound, DataError."""
        with self._lock:
            self._list()
            found = self._listings.get(symbol) or self._shown(symbol)
            if found is None:
                raise NotFound(f"{NAME} has no symbol '{symbol}'.", field="symbol")
            self._listings[symbol] = found
            return found

    def refresh(self) -> None:
        """Ask for the symbols anew when they are next needed: their rules have changed."""
        self._listed_at_s = None

    def _list(self) -> None:
        now_s = self._clock.monotonic()
        if self._listed_at_s is not None and now_s - self._listed_at_s < LISTING_AGE_S:
            return
        account = self._ask("account_info")
        found = self._ask("symbols_get")
        with believed(DataError):
            self._currency = read.words(read.row(account), "currency")
            sources = read.rows(found)
        listed = {}
        for source in sources:
            try:
                if is_offered(source):
                    listed[source["name"]] = listing(source, self._currency, self._suffix)
            except (read.Unreadable, ValidationError) as error:
                log.warning("the symbol %.40r is left out: %s", source.get("name"), error)
        self._listings, self._listed_at_s = listed, now_s

    def _shown(self, symbol: str) -> Listing | None:
        found = self._ask("symbol_info", symbol)
        if found is None or not self._ask("symbol_select", symbol, True):
            return None
        shown = self._ask("symbol_info", symbol)
        with believed(DataError):
            return listing(read.row(shown), self._currency, self._suffix)

    # --- prices --------------------------------------------------------------------------------

    def quote(self, symbol: str, *, seen_price: Decimal | None = None) -> Quote:
        """The newest tick; ``seen_price`` is ignored. Raises NotFound, DataError."""
        listed = self.listing(symbol)
        tick = self._ask("symbol_info_tick", symbol)
        if tick is None:
            raise DataError(f"{NAME} gave no price of {symbol}.")
        with believed(DataError):
            return self._quote(symbol, listed, read.row(tick))

    def _quote(self, symbol: str, listed: Listing, tick: read.Row) -> Quote:
        tick_ms = tick_times(tick)
        self.server_time.hear(symbol, tick_ms)
        bid = read.positive(tick, "bid", listed.digits)
        ask = read.positive(tick, "ask", listed.digits)
        if bid > ask:
            raise read.Unreadable(f"the bid {bid} is above the ask {ask}")
        last = read.amount(tick, "last", listed.digits)  # zero where only dealers' prices exist
        return Quote(
            symbol=symbol,
            bid=bid,
            ask=ask,
            last=min(max(last or bid, bid), ask),
            time=self.server_time.to_utc(tick_ms),
        )

    # --- candles -------------------------------------------------------------------------------

    def timeframes(self) -> Sequence[str]:
        """What the terminal has, and what is joined from it; shortest first."""
        return TIMEFRAMES

    def candles(
        self, symbol: str, timeframe: str, *, limit: int, before: datetime | None = None
    ) -> Candles:
        """The newest closed candles; closed hours leave gaps. Raises NotFound, DataError."""
        self.listing(symbol)
        length_ms = self._length_ms(timeframe)
        if limit <= 0:
            return empty_candles(timeframe)
        end = before or self.now()
        source = self._source(timeframe)
        times = length_ms // (SECONDS[source] * 1000)
        count = min((limit + 1) * times + times, MOST_BARS)
        found = self._ask(
            "copy_rates_from", symbol, codes.TIMEFRAMES[source],
            self.server_time.to_server_s(end), count,
        )  # fmt: skip
        candles = self._closed(found, symbol, source, to_epoch_ms(end))
        joined = resample(candles, timeframe)[-limit:]
        if not len(joined):
            raise DataError(f"{NAME} gave no candles of {symbol}.")
        return joined

    def bars_since(self, symbol: str, after: datetime) -> Candles:
        """The finest closed candles of which there are not too many. Raises NotFound, DataError."""
        self.listing(symbol)
        now, after_ms = self.now(), to_epoch_ms(after)
        now_ms = to_epoch_ms(now)
        timeframe = next(
            (name for name in codes.TIMEFRAMES
             if now_ms - after_ms <= BARS_SINCE * SECONDS[name] * 1000),
            "1h",
        )  # fmt: skip
        if after >= now:
            return empty_candles(timeframe)
        found = self._ask(
            "copy_rates_range", symbol, codes.TIMEFRAMES[timeframe],
            self.server_time.to_server_s(after), self.server_time.to_server_s(now),
        )  # fmt: skip
        candles = self._closed(found, symbol, timeframe, now_ms)
        return candles[int(np.searchsorted(candles.time, after_ms)) :]

    def _source(self, timeframe: str) -> str:
        """The terminal's bars of which a candle is made: longer ones begin by its server's clock,
        and an hour too where that is half an hour off."""
        if self._length_ms(timeframe) < SECONDS["1h"] * 1000:
            return timeframe
        is_whole = not self.server_time.offset % timedelta(hours=1)
        return "1h" if is_whole else "30m"

    def _length_ms(self, timeframe: str) -> int:
        if timeframe not in TIMEFRAMES:
            raise DataError(f"{NAME} has no candles of {timeframe}.")
        return timeframe_s(timeframe) * 1000

    def _closed(self, found: Any, symbol: str, timeframe: str, end_ms: int) -> Candles:
        """The bars that are over: by our clock, and by a newer one or some seconds more."""
        if found is None:
            raise DataError(f"{NAME} gave no candles of {symbol}; it may still be loading them.")
        with believed(DataError):
            candles = rates(found, timeframe, self.server_time)
        closes = candles.time + timeframe_s(timeframe) * 1000
        closed = int((closes <= end_ms).sum())
        has_newer = closed < len(candles)
        if closed and not has_newer and closes[-1] + SURE_MS > to_epoch_ms(self.now()):
            closed -= 1
        return candles[:closed]

    # --- asking --------------------------------------------------------------------------------

    def _ask(self, function: str, *arguments: Any, **named: Any) -> Any:
        try:
            return self._session.ask(function, *arguments, **named)
        except BrokerError as error:
            raise DataError(error.message) from error


def rates(found: Any, timeframe: str, server_time: ServerTime) -> Candles:
    """Bars of ``copy_rates_*`` with times in UTC. Raises Unreadable.

    When the server's clock is set back, an hour of it is told twice: the first is kept.
    """
    try:
        table = np.array(found, dtype=np.float64).reshape(len(found), COLUMNS)
    except (TypeError, ValueError) as error:
        raise read.Unreadable("bars without numbers") from error
    if not len(table):
        return empty_candles(timeframe)
    prices = table[:, 1:5]
    is_sound = np.isfinite(table).all() and (prices > 0).all() and (table[:, 5] >= 0).all()
    if not is_sound or not (table[:, 0].min() > 0 and table[:, 0].max() * 1000 < read.LAST_MS):
        raise read.Unreadable("bars that cannot be")
    time = _utc_ms(table[:, 0].astype(np.int64) * 1000, server_time)
    is_newer = np.r_[True, time[1:] > np.maximum.accumulate(time)[:-1]]
    opened, high, low, close, volume = np.ascontiguousarray(table[is_newer, 1:6].T)
    return Candles(timeframe, time[is_newer], opened, high, low, close, volume)


def _utc_ms(server_ms: Any, server_time: ServerTime) -> Any:
    """Each time in UTC; the offset is asked for once a day of them."""
    days = server_ms // 3_600_000
    offsets: Mapping[int, int] = {
        int(day): int(day) * 3_600_000 - to_epoch_ms(server_time.to_utc(int(day) * 3_600_000))
        for day in np.unique(days)
    }
    return server_ms - np.array([offsets[int(day)] for day in days], dtype=np.int64)
