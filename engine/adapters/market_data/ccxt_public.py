"""Live public prices of any exchange that ccxt knows; no account and no key."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from threading import RLock
from typing import Any, TypeVar

import numpy as np

from engine.adapters.market_data.ccxt_reading import (
    JUNK,
    candles_of,
    depth_of,
    instrument_of,
    quote_of,
    redirected,
)
from engine.domain.candles import Candles
from engine.domain.instruments import Depth, Instrument, Quote
from engine.domain.money import from_epoch_ms, to_epoch_ms
from engine.domain.timeframes import SECONDS, timeframe_s
from engine.errors import ConfigError, DataError, NotFound
from engine.links.answered_time import AnsweredTime
from engine.links.binance import SPOT_ONLY, TEST_NAME, Addresses, point
from engine.links.ccxt import refuse_text
from engine.links.http import BoundedAnswers
from engine.links.pause import Pause
from engine.ports import Clock

log = logging.getLogger("quarterdeck.ccxt")

TIMEOUT_MS = 10_000
MOST_BYTES = 64 * 1024 * 1024  # the listing of a large exchange is some 20 MB
PAUSE_S = 10.0  # when an exchange asks for fewer requests without saying for how long
PAGE = 1000  # candles of one request, the most that Binance gives
SMALL_PAGE = 100  # of an exchange of which ccxt does not say it
MOST_PAGES = 50
LISTING_AGE = timedelta(hours=1)
JUMP_S = 1.0  # more than a clock is slowed or hurried within an hour
T = TypeVar("T")


class CcxtPublicMarket:
    """Implements ``MarketData`` for ``KIND:EXCHANGE``, as in ``ccxt:binance``; ``exchange`` names
    it where the market's id does not.

    ccxt is imported when the market is first made. One request at a time: its synchronous client
    is not thread-safe. ``base_url`` replaces scheme and host of every address, for tests;
    ``addresses`` are those of Binance, ``is_sandbox`` is the exchange's own place for tests.
    ``can_short`` is whether the accounts that trade here may sell what they do not have: paper can.
    Raises NotFound for an exchange that ccxt does not know, ConfigError for one without a sandbox.
    """

    def __init__(
        self,
        market_id: str,
        clock: Clock,
        *,
        exchange: str = "",
        base_url: str | None = None,
        addresses: Addresses | None = None,
        is_sandbox: bool = False,
        can_short: bool = True,
        timeout_ms: int = TIMEOUT_MS,
        is_paced: bool = True,
        pause: Pause | None = None,
    ) -> None:
        import ccxt

        name = exchange or market_id.partition(":")[2]
        if name not in ccxt.exchanges:
            raise NotFound(f"ccxt knows no exchange '{name}'.", field="market")
        self.market_id = market_id
        self.exchange_id = self._name = name
        self._is_sandbox = is_sandbox
        is_test = addresses is not None and addresses.name == TEST_NAME
        self.has_prices_of_its_own = is_sandbox or is_test
        self._ccxt = ccxt
        self._clock = clock
        self._lock = RLock()
        self._base_url = base_url
        self._addresses = addresses
        self._can_short = can_short
        self._exchange: Any = getattr(ccxt, name)(
            {"enableRateLimit": is_paced, "timeout": timeout_ms, "options": self.options()}
        )
        if is_sandbox and not self._exchange.urls.get("test"):
            raise ConfigError(
                f"{self._exchange.name} has no network for tests. Choose a live account, or let "
                "the bot trade on paper at its prices.",
                field="mode",
            )
        # ccxt paces requests by the wall clock: set back by an hour, it would sleep for an hour.
        # It is the wall clock's time all the same: by it some exchanges choose where to ask for
        # old candles.
        ahead_s = time.time() - time.monotonic()
        self._exchange.milliseconds = lambda: int((time.monotonic() + ahead_s) * 1000)
        self._answers = BoundedAnswers(self._exchange.session, MOST_BYTES, 3 * timeout_ms / 1000)
        refuse_text(self._exchange, ccxt.BadResponse)
        self._pause = pause or Pause(clock.monotonic)
        self.point(self._exchange)
        self._instruments: dict[str, Instrument] = {}
        self._listed_at: datetime | None = None
        # The exchange's time as it was told, and ours at that moment.
        self._venue_time = self._heard_at = clock.now()
        self._heard_at_s = clock.monotonic()

    @staticmethod
    def options() -> dict[str, Any]:
        """ccxt's settings of an exchange: spot only, and no call that needs a key."""
        return dict(SPOT_ONLY)

    def point(self, exchange: Any) -> None:
        """Send a client of ccxt's where this market is."""
        # Currencies are asked for with a key, or are megabytes; none of ours needs them.
        exchange.has = {**exchange.has, "fetchCurrencies": False}
        if self._is_sandbox:
            exchange.set_sandbox_mode(True)
        if self._addresses is not None:
            point(exchange, self._addresses)
        elif self._base_url is not None:
            exchange.urls["api"] = redirected(exchange.urls["api"], self._base_url)

    def close(self) -> None:
        """Let go of the connections."""
        self._exchange.session.close()

    def listed(self) -> Any:
        """The symbols as ccxt lists them. Raises DataError."""
        with self._lock:
            self.instruments()
            return self._exchange.markets

    def refresh(self) -> None:
        """Ask for the symbols anew when they are next needed: their rules have changed."""
        self._listed_at = None

    def now(self) -> datetime:
        """The exchange's time, as far as it is known; a correction of ours does not move it."""
        return self._venue_time + timedelta(seconds=self._clock.monotonic() - self._heard_at_s)

    def instruments(self) -> Sequence[Instrument]:
        """Active spot symbols; asked for once an hour. Raises DataError."""
        with self._lock:
            age = self._clock.now() - self._listed_at if self._listed_at else LISTING_AGE
            if age >= LISTING_AGE or self._has_jumped():
                self._list()
            return list(self._instruments.values())

    def instrument(self, symbol: str) -> Instrument:
        """Raises NotFound, DataError."""
        with self._lock:
            self.instruments()
            try:
                return self._instruments[symbol]
            except KeyError:
                raise NotFound(f"{self._name} has no symbol '{symbol}'.", field="symbol") from None

    def timeframes(self) -> Sequence[str]:
        """What both the exchange and Quarterdeck know, shortest first."""
        offered = self._exchange.timeframes or {}
        return [name for name in SECONDS if name in offered]

    def candles(
        self, symbol: str, timeframe: str, *, limit: int, before: datetime | None = None
    ) -> Candles:
        """The newest closed candles without a gap: the unbroken run that ends with the newest.

        Raises NotFound, DataError.
        """
        self.instrument(symbol)
        length_ms = timeframe_s(timeframe) * 1000
        end_ms = to_epoch_ms(before or self.now()) // length_ms * length_ms
        found = self._fetch(symbol, timeframe, end_ms - max(limit, 0) * length_ms, end_ms)
        if limit > 0 and not len(found):
            raise DataError(f"{self._name} gave no candles of {symbol}.")
        gaps = np.flatnonzero(np.diff(found.time) != length_ms)
        return found[int(gaps[-1]) + 1 :] if len(gaps) else found

    def quote(self, symbol: str, *, seen_price: Decimal | None = None) -> Quote:
        """The exchange's ticker; ``seen_price`` is ignored. Raises NotFound, DataError."""
        self.instrument(symbol)
        ticker = self._call(self._exchange.fetch_ticker, symbol)
        return quote_of(symbol, ticker, self.now())

    def depth(self, symbol: str, levels: int) -> Depth:
        """The best levels of the exchange's order book. Raises NotFound, DataError."""
        self.instrument(symbol)
        book = self._call(self._exchange.fetch_order_book, symbol, levels)
        return depth_of(symbol, book, levels, self.now())

    def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """Many tickers in one request, where the exchange has that. Raises DataError."""
        listed = {one.symbol for one in self.instruments()}
        asked = [one for one in symbols if one in listed]
        if len(asked) < 2 or not self._exchange.has.get("fetchTickers"):
            return self._one_by_one(asked)
        tickers = self._call(self._exchange.fetch_tickers, asked)
        found = {}
        for symbol in asked:
            try:
                found[symbol] = quote_of(symbol, tickers[symbol], self.now())
            except (DataError, *JUNK) as error:
                log.warning("%s told no price of %s: %s", self._name, symbol, error)
        return found

    def _one_by_one(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        return {symbol: self.quote(symbol) for symbol in symbols}

    def bars_since(self, symbol: str, after: datetime) -> Candles:
        """The finest closed candles of which one request holds all. Raises NotFound, DataError."""
        self.instrument(symbol)
        after_ms, now_ms = to_epoch_ms(after), to_epoch_ms(self.now())
        timeframes = self.timeframes()
        for timeframe in timeframes:
            length_ms = timeframe_s(timeframe) * 1000
            if now_ms - after_ms <= PAGE * length_ms or timeframe == timeframes[-1]:
                start_ms = -(-after_ms // length_ms) * length_ms
                return self._fetch(symbol, timeframe, start_ms, now_ms // length_ms * length_ms)
        raise DataError(f"{self._name} gives no candles.")

    def page(self, symbol: str, timeframe: str, since_ms: int, limit: int) -> list[list[Any]]:
        """One request for past candles from a moment on, as ccxt tells them: time, open, high,
        low, close, volume. Raises NotFound, DataError."""
        with self._lock:
            rows: list[list[Any]] = self._call(
                self._exchange.fetch_ohlcv, symbol, timeframe, since_ms, limit
            )
        return rows

    def page_size(self, symbol: str) -> int:
        """How many candles of a symbol one request gives; it must be listed."""
        told = self._exchange.feature_value(symbol, "fetchOHLCV", "limit", SMALL_PAGE)
        return min(int(told or SMALL_PAGE), PAGE)

    def pause_s(self) -> float:
        """How long the exchange wants to be left alone."""
        return self._pause.left_s()

    # --- requests ------------------------------------------------------------------------------

    def _has_jumped(self) -> bool:
        """Whether our time was corrected, or the machine slept, since the exchange told its own."""
        passed = self._clock.now() - self._heard_at
        return abs(passed.total_seconds() - (self._clock.monotonic() - self._heard_at_s)) > JUMP_S

    def _list(self) -> None:
        """Read the exchange's clock and symbols; a listing known before is kept on failure."""
        try:
            has_time = self._exchange.has.get("fetchTime") is True
            if has_time:
                self._hear(from_epoch_ms(int(self._call(self._exchange.fetch_time))))
            markets = self._call(self._exchange.load_markets, True)
            if not has_time:
                self._hear(self._dated())
            if not markets:
                raise DataError(f"{self._name} lists no symbols.")
        except DataError as error:
            if not self._instruments:
                raise
            log.warning("kept the symbols known before: %s", error)
        else:
            mode = self._exchange.precisionMode
            is_ticks = mode == self._ccxt.TICK_SIZE
            self._instruments = {
                market["symbol"]: instrument_of(
                    market, is_ticks=is_ticks, can_short=self._can_short
                )
                for market in markets.values()
                if market.get("spot") and market.get("active") is not False
            }
        self._listed_at = self._clock.now()

    def _hear(self, told: datetime) -> None:
        self._venue_time, self._heard_at = told, self._clock.now()
        self._heard_at_s = self._clock.monotonic()

    def _dated(self) -> datetime:
        """The exchange's time by the date of its last answer; ours where that had none."""
        time = AnsweredTime(self._clock.now, self._clock.monotonic)
        if self._answers.last is not None:
            time.hear(self._answers.last.headers)
        return time.now()

    def _fetch(self, symbol: str, timeframe: str, start_ms: int, end_ms: int) -> Candles:
        """Closed candles that open in [start, end), however many requests that takes."""
        length_ms = timeframe_s(timeframe) * 1000
        rows: list[list[Any]] = []
        since = start_ms
        for _ in range(MOST_PAGES):
            wanted = min((end_ms - since) // length_ms, PAGE)
            if wanted <= 0:
                break
            page = self._call(self._exchange.fetch_ohlcv, symbol, timeframe, since, wanted)
            fresh = [row for row in page if since <= row[0] < end_ms]
            if not fresh:
                break
            rows += fresh
            since = int(fresh[-1][0]) + length_ms
        return candles_of(timeframe, rows)

    def _call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Ask the exchange, unless it asked for a pause: going on is answered with a ban of the
        whole address. Raises NotFound, DataError in place of ccxt's own errors."""
        try:
            with self._lock:
                if self._pause.left_s():
                    raise DataError(f"{self._name} asks for fewer requests; there is a pause.")
                return function(*arguments)
        except self._ccxt.BadSymbol as error:
            raise NotFound(f"{self._name} has no such symbol: {error}", field="symbol") from error
        except (self._ccxt.DDoSProtection, self._ccxt.RateLimitExceeded) as error:
            told = self._answers.last.retry_after_s if self._answers.last else None
            self._pause.ask(PAUSE_S if told is None else told)
            raise DataError(f"{self._name} asks for fewer requests; it is tried again.") from error
        except self._ccxt.NetworkError as error:
            raise DataError(f"{self._name} does not answer ({type(error).__name__}).") from error
        except self._ccxt.BadResponse as error:
            raise DataError(f"{self._name} gave an answer that cannot be read.") from error
        except self._ccxt.BaseError as error:
            raise DataError(f"{self._name} refused: {error}") from error
        except JUNK as error:
            raise DataError(f"{self._name} gave an answer that cannot be read.") from error
