"""Instruments, candles and prices of a described platform."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from threading import RLock
from typing import Any

import numpy as np
from pydantic import ValidationError

from engine.adapters.brokers.rest.answers import At, rows_of
from engine.adapters.brokers.rest.client import RestClient
from engine.adapters.brokers.rest.endpoints import Endpoint
from engine.adapters.brokers.rest.requests import Values
from engine.adapters.brokers.rest.signatures import TimeFormat
from engine.adapters.brokers.rest.words import Unreadable
from engine.domain.candles import Candles, empty_candles
from engine.domain.instruments import Instrument, Quote
from engine.domain.money import ONE, ZERO, from_epoch_ms, to_epoch_ms
from engine.domain.timeframes import SECONDS, timeframe_s
from engine.errors import BrokerError, DataError, NotFound

log = logging.getLogger("quarterdeck.rest")

LISTING_AGE_S = 3600.0
MOST_PAGES = 50
MOST_DIGITS = 18


class RestMarket:
    """Implements ``MarketData``. Candles count as closed by the platform's time only."""

    def __init__(self, market_id: str, client: RestClient) -> None:
        self.market_id = market_id
        self._client = client
        self._told = client.description
        self._lock = RLock()
        self._instruments: dict[str, Instrument] = {}
        self._codes: dict[str, str] = {}  # ours: the platform's
        self._listed_at: datetime | None = None

    def now(self) -> datetime:
        """The platform's time, as far as it is known; a correction of ours does not move it."""
        return self._client.time.now()

    def instruments(self) -> Sequence[Instrument]:
        """Active symbols; asked for once an hour. Raises DataError."""
        with self._lock:
            is_fresh = self._listed_at is not None and self._client.time.is_known
            if not is_fresh or self.now() - (self._listed_at or self.now()) >= timedelta(
                seconds=LISTING_AGE_S
            ):
                self._list()
            return list(self._instruments.values())

    def instrument(self, symbol: str) -> Instrument:
        """Raises NotFound, DataError."""
        with self._lock:
            self.instruments()
            try:
                return self._instruments[symbol]
            except KeyError:
                raise NotFound(
                    f"{self._client.name} has no symbol '{symbol}'.", field="symbol"
                ) from None

    def refresh(self) -> None:
        """Ask for the symbols anew when they are next needed: their rules may have changed."""
        self._listed_at = None

    def listed(self, symbol: str) -> tuple[Instrument, dict[str, str]]:
        """A symbol's rules and its placeholders. Raises NotFound, DataError."""
        instrument = self.instrument(symbol)
        names = {"symbol": self._codes[symbol], "base": instrument.base, "quote": instrument.quote}
        return instrument, names

    def symbol_of(self, code: str) -> str:
        """What we call a symbol; the platform's name for one that is not listed (any more).

        Raises DataError."""
        self.instruments()
        return next((ours for ours, theirs in self._codes.items() if theirs == code), code)

    def timeframes(self) -> Sequence[str]:
        """Those that the description names, shortest first."""
        return [name for name in SECONDS if name in self._told.endpoints.candles.timeframes]

    def candles(
        self, symbol: str, timeframe: str, *, limit: int, before: datetime | None = None
    ) -> Candles:
        """The newest closed candles without a gap: the unbroken run that ends with the newest.

        Raises NotFound, DataError.
        """
        _, names = self.listed(symbol)
        length_ms = timeframe_s(timeframe) * 1000
        end_ms = to_epoch_ms(before or self.now()) // length_ms * length_ms
        found = self._fetch(names, timeframe, end_ms - max(limit, 0) * length_ms, end_ms)
        if limit > 0 and not len(found):
            raise DataError(f"{self._client.name} gave no candles of {symbol}.")
        gaps = np.flatnonzero(np.diff(found.time) != length_ms)
        return found[int(gaps[-1]) + 1 :] if len(gaps) else found

    def quote(self, symbol: str, *, seen_price: Decimal | None = None) -> Quote:
        """The platform's price now; ``seen_price`` is ignored. Raises NotFound, DataError."""
        endpoint = self._told.endpoints.quote
        _, names = self.listed(symbol)
        answer = self._ask(endpoint, names)
        fields = endpoint.fields
        try:
            row = At(endpoint.row.find(answer), "endpoints.quote", self._times(endpoint))
            return Quote(
                symbol=symbol,
                bid=row.amount(fields.bid, is_positive=True),
                ask=row.amount(fields.ask, is_positive=True),
                last=row.amount(fields.last, is_positive=True),
                time=row.moment(fields.time) if fields.time else self.now(),
            )
        except (ValueError, ValidationError) as error:
            raise self._odd(error) from error

    def bars_since(self, symbol: str, after: datetime) -> Candles:
        """The finest closed candles of which one answer holds all. Raises NotFound, DataError."""
        (_, names), timeframes = self.listed(symbol), self.timeframes()
        after_ms, now_ms = to_epoch_ms(after), to_epoch_ms(self.now())
        page = self._told.endpoints.candles.page
        fits = [name for name in timeframes if now_ms - after_ms <= page * timeframe_s(name) * 1000]
        timeframe = fits[0] if fits else timeframes[-1]
        length_ms = timeframe_s(timeframe) * 1000
        start_ms = -(-after_ms // length_ms) * length_ms
        return self._fetch(names, timeframe, start_ms, now_ms // length_ms * length_ms)

    # --- requests ------------------------------------------------------------------------------

    def _ask(self, endpoint: Endpoint, values: Values) -> Any:
        try:
            return self._client.ask(endpoint, values, signed=False)
        except (BrokerError, NotFound) as error:
            raise DataError(error.message) from error

    def _list(self) -> None:
        """Read the platform's clock and symbols; a listing known before is kept on failure."""
        endpoint = self._told.endpoints.instruments
        try:
            self._client.sync_clock()
            answer = self._client.ask(endpoint, signed=False)
            rows = rows_of(answer, endpoint.rows, "endpoints.instruments")
            found = [one for row in rows if (one := self._read(row)) is not None]
        except (BrokerError, NotFound, ValueError) as error:
            if not self._instruments:
                raise self._odd(error) from error
            log.warning("kept the symbols known before: %s", error)
        else:
            self._instruments = {instrument.symbol: instrument for instrument, _ in found}
            self._codes = {instrument.symbol: code for instrument, code in found}
        self._listed_at = self.now()

    def _read(self, row: Any) -> tuple[Instrument, str] | None:
        """A row's rules and the platform's name of it; None when it is not traded now."""
        endpoint = self._told.endpoints.instruments
        fields, at = endpoint.fields, At(row, "endpoints.instruments", self._times(endpoint))
        if fields.is_active is not None and not at.flag(fields.is_active):
            return None
        code, base, quote = at.words(fields.code), at.words(fields.base), at.words(fields.quote)
        tick = self._step(at.amount(fields.price_tick))
        step = self._step(at.amount(fields.quantity_step))
        instrument = Instrument(
            symbol=str(endpoint.symbol.fill({"code": code, "base": base, "quote": quote})),
            name=at.words_or_empty(fields.name) or f"{base} in {quote}",
            kind=self._told.kind,
            base=base,
            quote=quote,
            price_tick=tick,
            quantity_step=step,
            min_quantity=at.amount_or_none(fields.min_quantity) or ZERO,
            min_notional=at.amount_or_none(fields.min_notional) or ZERO,
            calendar=self._told.calendar,
        )
        return instrument, code

    def _step(self, told: Decimal) -> Decimal:
        if self._told.endpoints.instruments.steps == "size":
            return told
        if told != int(told) or told > MOST_DIGITS:
            raise Unreadable(f"{told} is no number of decimals: is 'steps: size' meant?")
        return ONE.scaleb(-int(told))

    def _fetch(
        self, names: Mapping[str, str], timeframe: str, start_ms: int, end_ms: int
    ) -> Candles:
        """Closed candles that open in [start, end), however many requests that takes."""
        endpoint = self._told.endpoints.candles
        if timeframe not in endpoint.timeframes:
            raise DataError(f"{self._client.name} has no candles of {timeframe}.")
        length_ms = timeframe_s(timeframe) * 1000
        found: dict[int, tuple[float, ...]] = {}
        since = start_ms
        for _ in range(MOST_PAGES):
            wanted = min((end_ms - since) // length_ms, endpoint.page)
            if wanted <= 0:
                break
            page = self._page(names, timeframe, since, wanted)
            fresh = {moment: row for moment, row in page.items() if since <= moment < end_ms}
            if not fresh:
                break
            found |= fresh
            since = max(fresh) + length_ms
        return _candles(timeframe, found)

    def _page(
        self, names: Mapping[str, str], timeframe: str, since_ms: int, limit: int
    ) -> dict[int, tuple[float, ...]]:
        """One answer, by the moment at which each candle opens."""
        endpoint = self._told.endpoints.candles
        length_ms = timeframe_s(timeframe) * 1000
        answer = self._ask(endpoint, {
            **names, "timeframe": str(endpoint.timeframes[timeframe].source), "limit": limit,
            "start": from_epoch_ms(since_ms),
            "end": from_epoch_ms(since_ms + limit * length_ms),
        })  # fmt: skip
        fields, found = endpoint.fields, {}
        prices = (fields.open, fields.high, fields.low, fields.close)
        try:
            for row in rows_of(answer, endpoint.rows, "endpoints.candles"):
                at = At(row, "endpoints.candles", self._times(endpoint))
                numbers = [at.amount(path, is_positive=True) for path in prices]
                opened_ms = to_epoch_ms(at.moment(fields.time))
                if opened_ms % length_ms:
                    raise Unreadable(f"a candle of {timeframe} opens at {opened_ms}, off its grid")
                if opened_ms in found:
                    raise Unreadable(f"two candles open at {opened_ms}")
                values = (*numbers, at.amount(fields.volume))
                found[opened_ms] = tuple(float(value) for value in values)
        except Unreadable as error:
            raise self._odd(error) from error
        return found

    def _times(self, endpoint: Endpoint) -> TimeFormat:
        return endpoint.times or self._told.times

    def _odd(self, error: Exception) -> DataError:
        if isinstance(error, BrokerError | NotFound):
            return DataError(error.message)
        return DataError(f"{self._client.name} gave an answer that cannot be read: {error}.")


def _candles(timeframe: str, found: Mapping[int, tuple[float, ...]]) -> Candles:
    if not found:
        return empty_candles(timeframe)
    time = np.array(sorted(found), dtype=np.int64)
    table = np.array([found[moment] for moment in sorted(found)], dtype=np.float64)
    return Candles(timeframe, time, *np.ascontiguousarray(table.T))
