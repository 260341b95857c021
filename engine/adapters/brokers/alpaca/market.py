"""Prices and listings at Alpaca: of stocks, or of crypto."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from threading import RLock
from typing import Any, TypeVar

from engine.adapters.brokers.alpaca import reading as read
from engine.adapters.brokers.alpaca.bars import TIMEFRAMES, BarReader
from engine.adapters.brokers.alpaca.client import NAME, AlpacaClient
from engine.adapters.brokers.alpaca.listing import instruments_of, tick_at
from engine.adapters.brokers.alpaca.quotes import quote_in, quotes_in
from engine.adapters.brokers.alpaca.reading import priced
from engine.adapters.brokers.alpaca.sessions import SessionDays
from engine.domain.candles import Candles
from engine.domain.instruments import Instrument, InstrumentKind, Quote
from engine.domain.money import to_epoch_ms
from engine.domain.timeframes import timeframe_s
from engine.errors import BrokerError, DataError, NotFound
from engine.ports import Clock

log = logging.getLogger("quarterdeck.alpaca")

T = TypeVar("T")
LISTING_AGE_S = 3600.0
MOST_BARS = 10_000  # that many are asked for at once
MOST_AT_ONCE = 100  # symbols of one request
PATHS = {InstrumentKind.STOCK: "/stocks", InstrumentKind.CRYPTO: "/crypto/us"}
ASSETS = {InstrumentKind.STOCK: "us_equity", InstrumentKind.CRYPTO: "crypto"}


class AlpacaMarket:
    """Implements ``BulkMarket`` and ``SparseMarket``. ``trading`` lists the assets, ``data`` tells
    prices; ``feed`` is where those of stocks come from. Candles of stocks are those of sessions."""

    has_empty_bars_left_out = True

    def __init__(
        self,
        market_id: str,
        kind: InstrumentKind,
        trading: AlpacaClient,
        data: AlpacaClient,
        clock: Clock,
        *,
        feed: str = "iex",
        is_fractional: bool = False,
    ) -> None:
        self.market_id = market_id
        self.kind = kind
        self._trading = trading
        self._data = data
        self._clock = clock
        self._is_fractional = is_fractional
        self._feed = {"feed": feed} if kind is InstrumentKind.STOCK else {}
        sessions = SessionDays(self._asked_at_home)
        self._bars = BarReader(self._asked, f"{PATHS[kind]}/bars", kind, self._feed, sessions)
        self._lock = RLock()
        self._instruments: dict[str, Instrument] = {}
        self._by_short_name: dict[str, str] = {}
        self._listed_s: float | None = None

    def now(self) -> datetime:
        """Alpaca's time, as far as it is known: by ours a candle could be over too early."""
        return self._data.now()

    def instruments(self) -> Sequence[Instrument]:
        """Active, tradable assets; asked for once an hour. Raises DataError."""
        return list(self._listed().values())

    def instrument(self, symbol: str) -> Instrument:
        """Raises NotFound, DataError."""
        found = self._listed().get(symbol)
        if found is None:
            raise NotFound(
                f"{NAME} does not trade '{symbol}' ({ASSETS[self.kind]}).", field="symbol"
            )
        return found

    def timeframes(self) -> Sequence[str]:
        """What Alpaca gives, shortest first."""
        return TIMEFRAMES[self.kind]

    def candles(
        self, symbol: str, timeframe: str, *, limit: int, before: datetime | None = None
    ) -> Candles:
        """The newest closed candles, gaps of the session included. Raises NotFound, DataError."""
        self.instrument(symbol)
        length_ms = timeframe_s(timeframe) * 1000
        end_ms = to_epoch_ms(before or self.now()) // length_ms * length_ms
        return self._bars.newest(symbol, timeframe, max(limit, 0), end_ms)

    def quote(self, symbol: str, *, seen_price: Decimal | None = None) -> Quote:
        """The newest trade and the best prices; ``seen_price`` is ignored. Raises NotFound,
        DataError."""
        self.instrument(symbol)
        answer = self._asked(f"{PATHS[self.kind]}/snapshots", symbols=symbol, **self._feed)
        told = priced(quote_in, answer, symbol, self.now())
        self._fit_tick(symbol, told.last)
        return told

    def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """Those that have a price, by few requests. Raises DataError."""
        listed = self._listed()
        wanted = [symbol for symbol in symbols if symbol in listed]
        found: dict[str, Quote] = {}
        for start in range(0, len(wanted), MOST_AT_ONCE):
            batch = wanted[start : start + MOST_AT_ONCE]
            path = f"{PATHS[self.kind]}/snapshots"
            answer = self._asked(path, symbols=",".join(batch), **self._feed)
            found |= priced(quotes_in, answer, batch, self.now())
        for symbol, told in found.items():
            self._fit_tick(symbol, told.last)
        return found

    def bars_since(self, symbol: str, after: datetime) -> Candles:
        """The finest closed candles of which one request holds all. Raises NotFound, DataError."""
        self.instrument(symbol)
        after_ms, now_ms = to_epoch_ms(after), to_epoch_ms(self.now())
        for timeframe in self.timeframes():
            length_ms = timeframe_s(timeframe) * 1000
            if now_ms - after_ms <= MOST_BARS * length_ms or timeframe == self.timeframes()[-1]:
                start_ms = -(-after_ms // length_ms) * length_ms
                return self._bars.between(
                    symbol, timeframe, start_ms, now_ms // length_ms * length_ms
                )
        raise DataError(f"{NAME} gives no candles.")

    # --- names ---------------------------------------------------------------------------------

    def symbol_of(self, name: str) -> str:
        """BTCUSD as BTC/USD; what is not listed (any more) stays as it is. Raises DataError."""
        with self._lock:
            if self.kind is InstrumentKind.CRYPTO and "/" not in name:
                self._listed()
            return self._by_short_name.get(read.short(name), name)

    def rules_of(self, symbol: str) -> Instrument:
        """A symbol's rules, or what its name tells of one that is not traded (any more)."""
        with self._lock:
            known = self._instruments.get(symbol)
        return known if known is not None else _delisted(symbol, self.kind)

    # --- requests ------------------------------------------------------------------------------

    def _listed(self) -> Mapping[str, Instrument]:
        """The assets by symbol, asked for again when they are an hour old. Raises DataError."""
        with self._lock:
            now_s = self._clock.monotonic()
            if self._listed_s is None or now_s - self._listed_s > LISTING_AGE_S:
                self._list()
                self._listed_s = now_s
            return self._instruments

    def _list(self) -> None:
        """Read the assets; a listing known before is kept on failure."""
        try:
            answer = self._asked_at_home("/assets", status="active", asset_class=ASSETS[self.kind])
            found = priced(instruments_of, answer, self.kind, is_fractional=self._is_fractional)
        except DataError as error:
            if not self._instruments:
                raise
            log.warning("kept the assets known before: %s", error)
            return
        ticks = {name: one.price_tick for name, one in self._instruments.items()}
        self._instruments = {
            one.symbol: one.model_copy(update={"price_tick": ticks.get(one.symbol, one.price_tick)})
            if self.kind is InstrumentKind.STOCK else one
            for one in found
        }  # fmt: skip
        self._by_short_name = {read.short(one.symbol): one.symbol for one in found}

    def _fit_tick(self, symbol: str, price: Decimal) -> None:
        """Below a dollar the tick of a stock is finer, which only its price tells."""
        if self.kind is not InstrumentKind.STOCK:
            return
        with self._lock:
            known, tick = self._instruments[symbol], tick_at(price)
            if known.price_tick != tick:
                self._instruments[symbol] = known.model_copy(update={"price_tick": tick})

    def _asked(self, path: str, **parameters: Any) -> Any:
        return self._call(lambda: self._data.ask(path, **parameters))

    def _asked_at_home(self, path: str, **parameters: Any) -> Any:
        return self._call(lambda: self._trading.ask(path, **parameters))

    def _call(self, asking: Callable[[], T]) -> T:
        try:
            return asking()
        except BrokerError as error:
            raise DataError(error.message) from error


def _delisted(symbol: str, kind: InstrumentKind) -> Instrument:
    base, _, quote = symbol.partition("/")
    finest = Decimal("1e-9")
    return Instrument(
        symbol=symbol, kind=kind, base=base, quote=quote or "USD", price_tick=finest,
        quantity_step=finest,
    )  # fmt: skip
