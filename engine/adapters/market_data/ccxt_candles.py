"""Past candles of any exchange that ccxt knows: public, without a key."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np

from engine.adapters.market_data.ccxt_public import CcxtPublicMarket
from engine.domain.candle_checks import RawCandles, clean_page
from engine.domain.candle_sets import AS_GIVEN, is_symbol
from engine.domain.instruments import InstrumentKind
from engine.domain.money import from_epoch_ms, to_epoch_ms
from engine.domain.timeframes import timeframe_s
from engine.errors import ConfigError, DataError, SourceBusy
from engine.ports import CandlePage, SourceSymbol


class CcxtCandles:
    """Implements ``CandleSource`` over an exchange's public market, which paces the requests.

    Exchanges differ in what they answer for a time before a symbol was listed: some begin with its
    first candle, some say nothing. So an empty page only moves on by a page.
    """

    prices = AS_GIVEN

    def __init__(self, market: CcxtPublicMarket) -> None:
        self.source_id = market.market_id
        self._market = market

    def timeframes(self) -> Sequence[str]:
        """What the exchange gives."""
        return self._market.timeframes()

    def resolve(self, symbol: str) -> SourceSymbol:
        """``BTC/USDT``, also written with a dash. Raises ConfigError."""
        name = symbol.strip().upper().replace("-", "/")
        if name.count("/") != 1 or not is_symbol(name):
            raise ConfigError(f"'{symbol}' is not a symbol such as BTC/USDT.", field="symbol")
        return SourceSymbol(name, name, InstrumentKind.CRYPTO)

    def fetch(
        self, symbol: SourceSymbol, timeframe: str, since: datetime, until: datetime
    ) -> Iterator[CandlePage]:
        """One request a page. Raises NotFound, ConfigError, SourceBusy."""
        try:
            yield from self._pages(symbol.name, timeframe, to_epoch_ms(since), to_epoch_ms(until))
        except SourceBusy:
            raise
        except DataError as error:
            raise SourceBusy(error.message, retry_after_s=self._market.pause_s()) from error

    def _pages(
        self, symbol: str, timeframe: str, since_ms: int, until_ms: int
    ) -> Iterator[CandlePage]:
        self._market.instrument(symbol)  # tells an unknown symbol, and the exchange's time
        length_ms = timeframe_s(timeframe) * 1000
        closed_ms = to_epoch_ms(self._market.now()) // length_ms * length_ms
        end_ms = min(until_ms, closed_ms)
        size = self._market.page_size(symbol)
        while since_ms < end_ms:
            limit = min(size, -(-(end_ms - since_ms) // length_ms))
            rows = self._market.page(symbol, timeframe, since_ms, limit)
            try:
                table = np.array(rows, dtype=np.float64).reshape(len(rows), 6)
                page = clean_page(_raw(table), timeframe, since_ms, end_ms)
            except (TypeError, ValueError) as error:
                raise DataError(f"{self.source_id} gave candles that cannot be read.") from error
            since_ms = int(page.time[-1]) + length_ms if len(page) else since_ms + size * length_ms
            yield CandlePage(page, from_epoch_ms(min(since_ms, end_ms)))


def _raw(table: np.ndarray) -> RawCandles:
    time = np.nan_to_num(table[:, 0], nan=-1).astype(np.int64)
    opened, high, low, close, volume = np.ascontiguousarray(table[:, 1:].T)
    return RawCandles(time, opened, high, low, close, volume, np.zeros(len(table), dtype=np.int64))
