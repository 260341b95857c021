"""Prices and candles of the shares of one exchange, through Kite; the login must be the day's."""

import csv
import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from io import StringIO
from threading import Lock, RLock
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from engine.adapters.brokers.zerodha import candles as history
from engine.adapters.brokers.zerodha import reading as read
from engine.adapters.brokers.zerodha.candles import INTERVALS, Interval, in_india
from engine.adapters.brokers.zerodha.client import NAME, KiteClient
from engine.adapters.brokers.zerodha.options import Exchange
from engine.domain.candles import Candles, empty_candles
from engine.domain.instruments import Instrument, InstrumentKind, Quote
from engine.domain.money import plain
from engine.errors import BrokerError, DataError, NotFound

log = logging.getLogger("quarterdeck.zerodha")

CALENDAR = "XBOM"
"""Both exchanges keep the same hours and holidays; exchange_calendars knows Bombay's."""

SHARE = "EQ"
MINUTES_A_DAY = 375
QUOTE_AGE_S = 1.0
"""Kite answers one question about prices a second, for up to 500 shares: all that somebody asked
for lately are asked for together."""

WATCHED_S = 60.0
LIST_AGAIN_S = 600.0
MOST_QUOTES = 500
T = TypeVar("T")


class _Listed(NamedTuple):
    instrument: Instrument
    token: int


class ZerodhaMarket:
    """Implements ``MarketData`` for the shares of one exchange, by their trading symbols.

    Symbols are asked for once a day of India's, as Kite makes the list. ``can_short`` is whether
    the accounts that trade here may sell what they do not have.
    """

    def __init__(
        self,
        market_id: str,
        client: KiteClient,
        monotonic: Callable[[], float],
        exchange: Exchange,
        *,
        can_short: bool,
        quote_age_s: float = QUOTE_AGE_S,
    ) -> None:
        self.market_id = market_id
        self._client = client
        self._monotonic = monotonic
        self._exchange = exchange.value
        self._can_short = can_short
        self._quote_age_s = quote_age_s
        self._lock = RLock()
        self._quote_lock = Lock()  # an order that asks for a symbol's rules waits for no price
        self._listed: dict[str, _Listed] = {}
        self._listed_on: date | None = None
        self._list_again_s = float("-inf")
        self._asked_s: dict[str, float] = {}
        self._quotes: dict[str, Quote] = {}
        self._quoted_s = float("-inf")

    def now(self) -> datetime:
        """Kite's time, as far as it is known."""
        return self._client.now()

    # --- symbols ---------------------------------------------------------------------------------

    def instruments(self) -> Sequence[Instrument]:
        """The exchange's shares. Raises DataError."""
        with self._lock:
            today = self.now().astimezone(read.IST).date()
            if self._listed_on != today and self._monotonic() >= self._list_again_s:
                self._list(today)
            return [listed.instrument for listed in self._listed.values()]

    def instrument(self, symbol: str) -> Instrument:
        """Raises NotFound, DataError."""
        return self._of(symbol).instrument

    def _of(self, symbol: str) -> _Listed:
        with self._lock:
            self.instruments()
            try:
                return self._listed[symbol]
            except KeyError:
                raise NotFound(
                    f"{self._exchange} lists no share '{symbol}'.", field="symbol"
                ) from None

    def _list(self, today: date) -> None:
        """Read the list; one known before is kept on failure."""
        try:
            text = _asked(lambda: self._client.ask_table("instruments", self._exchange))
            listed = {one.instrument.symbol: one for one in self._shares(text)}
            if not listed:
                raise DataError(f"{NAME}: the list of {self._exchange} has no shares.")
        except DataError as error:
            if not self._listed:
                raise
            log.warning("kept the symbols known before: %s", error)
            self._list_again_s = self._monotonic() + LIST_AGAIN_S
        else:
            self._listed, self._listed_on = listed, today

    def _shares(self, text: str) -> Iterator[_Listed]:
        """The shares in the list; bonds, indices and what is no share are left out."""
        for line in csv.DictReader(StringIO(text)):
            if line.get("instrument_type") != SHARE or line.get("segment") != self._exchange:
                continue
            try:
                tick, lot = Decimal(line["tick_size"]), Decimal(line["lot_size"])
                token, symbol = int(line["instrument_token"]), line["tradingsymbol"]
                if tick > 0 and lot > 0 and symbol:
                    yield _Listed(
                        self._instrument(symbol, line.get("name") or "", tick, lot), token
                    )
            except (ValueError, InvalidOperation, TypeError, KeyError) as error:
                raise DataError(f"{NAME}: the list of symbols cannot be read.") from error

    def _instrument(self, symbol: str, name: str, tick: Decimal, lot: Decimal) -> Instrument:
        return Instrument(
            symbol=symbol,
            name=name.title(),
            kind=InstrumentKind.STOCK,
            base=symbol,
            quote=read.CURRENCY,
            price_tick=plain(tick),
            quantity_step=plain(lot),
            min_quantity=plain(lot),
            can_short=self._can_short,
            calendar=CALENDAR,
        )

    # --- candles ---------------------------------------------------------------------------------

    def timeframes(self) -> Sequence[str]:
        """Those Kite gives, or that can be joined from them."""
        return list(INTERVALS)

    def candles(
        self, symbol: str, timeframe: str, *, limit: int, before: datetime | None = None
    ) -> Candles:
        """The newest closed candles; there are none of the hours when the market is closed.
        Raises NotFound, DataError."""
        token = self._of(symbol).token
        if timeframe not in INTERVALS:
            raise DataError(f"{NAME} gives no candles of {timeframe}.")
        if limit <= 0:
            return empty_candles(timeframe)
        end = min(before or self.now(), self.now())
        found = _asked(lambda: history.newest(self._page_of(token), timeframe, limit, end))
        if not len(found):
            raise DataError(f"{NAME} gave no candles of {symbol}.")
        return found

    def bars_since(self, symbol: str, after: datetime) -> Candles:
        """The finest closed candles of which one request holds all. Raises NotFound, DataError."""
        token, now = self._of(symbol).token, self.now()
        timeframe = history.finest(after, now)
        return _asked(lambda: history.since(self._page_of(token), timeframe, after, now))

    def _page_of(self, token: int) -> history.Ask:
        def ask(interval: Interval, start: datetime, until: datetime) -> Any:
            return self._client.ask(
                "historical_data", token, in_india(start), in_india(until), interval.kite
            )

        return ask

    # --- prices ----------------------------------------------------------------------------------

    def quote(self, symbol: str, *, seen_price: Decimal | None = None) -> Quote:
        """The last price with the best bid and ask; ``seen_price`` is ignored. Raises NotFound,
        DataError."""
        self._of(symbol)
        with self._quote_lock:
            now_s = self._monotonic()
            self._asked_s[symbol] = now_s
            if symbol not in self._quotes or now_s - self._quoted_s >= self._quote_age_s:
                self._quotes = self._ask_quotes(symbol, now_s)
                self._quoted_s = now_s
            try:
                return self._quotes[symbol]
            except KeyError:
                raise DataError(f"{NAME} gave no price of {symbol}.") from None

    def _ask_quotes(self, symbol: str, now_s: float) -> dict[str, Quote]:
        """The prices of all that were asked for lately, the one asked for now among them."""
        self._asked_s = {
            each: at_s for each, at_s in self._asked_s.items() if now_s - at_s <= WATCHED_S
        }
        others = sorted(self._asked_s, key=lambda each: -self._asked_s[each])
        names = [symbol, *(each for each in others if each != symbol)][:MOST_QUOTES]
        told = _asked(
            lambda: read.row(self._client.ask("quote", [f"{self._exchange}:{n}" for n in names]))
        )
        found = {}
        for name in names:
            line = told.get(f"{self._exchange}:{name}")
            try:
                if line is not None:
                    found[name] = _quote(name, read.row(line))
            except (read.Unreadable, ValidationError) as error:
                log.warning("the price of %s cannot be read: %s", name, error)
        return found


def _quote(symbol: str, line: read.Row) -> Quote:
    """One share's prices. ``volume`` is the day's mean for a minute. Raises Unreadable."""
    last = read.amount(line, "last_price")
    if not last:
        raise read.Unreadable("last_price is 0")
    depth = read.row(line.get("depth"))
    day_volume = read.amount(line, "volume")
    return Quote(
        symbol=symbol,
        bid=_best(depth, "buy") or last,
        ask=_best(depth, "sell") or last,
        last=last,
        time=read.moment(line, "timestamp"),
        volume=plain(round(day_volume / MINUTES_A_DAY, 8)),
    )


def _best(depth: read.Row, side: str) -> Decimal | None:
    """The best price of a side of the book; None when nobody stands there."""
    levels = read.rows(depth.get(side))
    return (read.amount(levels[0], "price") or None) if levels else None


def _asked(asking: Callable[[], T]) -> T:
    """An answer about prices. Raises NotFound, and DataError for every failure."""
    try:
        return asking()
    except BrokerError as error:
        raise DataError(error.message) from error
    except read.Unreadable as error:
        raise DataError(f"{NAME}: an answer cannot be read: {error}.") from error
