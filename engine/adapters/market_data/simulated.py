"""The simulated market: a dozen symbols that trade day and night, without network or key."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from threading import Lock

import numpy as np

from engine.domain.candles import Candles, empty_candles, resample
from engine.domain.instruments import Instrument, InstrumentKind, Quote
from engine.domain.money import ceil_to, exact, floor_to, from_epoch_ms, to_epoch_ms
from engine.domain.sessions import ALWAYS
from engine.domain.simulation import DAY_MS, Character, PriceProcess
from engine.domain.timeframes import SECONDS, timeframe_s
from engine.errors import NotFound
from engine.ports import Clock

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
SECOND_BLOCK = 10  # minutes of 1s candles computed together
DAYS_AT_ONCE = 32  # of minutes: what stays within a processor's cache
KEPT_MINUTE_DAYS, KEPT_HOUR_DAYS, KEPT_SECOND_BLOCKS = 256, 8192, 512  # about 40 MB in all
LONGEST_LOOK_BACK = 3600  # candles that bars_since gives at the most
KINDS = {"crypto": InstrumentKind.CRYPTO, "stock": InstrumentKind.STOCK,
         "forex": InstrumentKind.FOREX}  # fmt: skip
MIN_NOTIONAL = {"USDT": Decimal(5), "USD": Decimal(1), "JPY": Decimal(150)}

# symbol, name, kind, base, quote, price, volatility a year, volume a minute, price decimals,
# quantity step, half of the spread in basis points
_TABLE = (
    ("BTC/USDT", "Bitcoin", "crypto", "BTC", "USDT", 62_000.0, 0.60, 18.0, 2, "0.00001", "0.5"),
    ("ETH/USDT", "Ether", "crypto", "ETH", "USDT", 3_100.0, 0.68, 260.0, 2, "0.0001", "0.5"),
    ("SOL/USDT", "Solana", "crypto", "SOL", "USDT", 145.0, 0.85, 4_200.0, 3, "0.001", "1"),
    ("XRP/USDT", "XRP", "crypto", "XRP", "USDT", 1.15, 0.75, 310_000.0, 5, "0.1", "1"),
    ("DOGE/USDT", "Dogecoin", "crypto", "DOGE", "USDT", 0.17, 0.85, 1_500_000.0, 6, "1", "1"),
    ("AAPL", "Apple", "stock", "AAPL", "USD", 215.0, 0.26, 38_000.0, 2, "0.0001", "0.3"),
    ("MSFT", "Microsoft", "stock", "MSFT", "USD", 420.0, 0.24, 16_000.0, 2, "0.0001", "0.3"),
    ("NVDA", "Nvidia", "stock", "NVDA", "USD", 125.0, 0.45, 210_000.0, 2, "0.0001", "0.3"),
    ("TSLA", "Tesla", "stock", "TSLA", "USD", 250.0, 0.50, 70_000.0, 2, "0.0001", "0.3"),
    ("SPY", "S&P 500 fund", "stock", "SPY", "USD", 550.0, 0.16, 60_000.0, 2, "0.0001", "0.1"),
    ("EUR/USD", "Euro", "forex", "EUR", "USD", 1.09, 0.08, 2_600_000.0, 5, "1", "0.3"),
    ("GBP/USD", "Pound sterling", "forex", "GBP", "USD", 1.28, 0.09, 1_400_000.0, 5, "1", "0.4"),
    ("USD/JPY", "US dollar in yen", "forex", "USD", "JPY", 149.0, 0.10, 2_200_000.0, 3, "1", "0.3"),
)


@dataclass(frozen=True, slots=True)
class _Listing:
    instrument: Instrument
    character: Character
    half_spread: Decimal  # as a fraction of the price


def _listings() -> dict[str, _Listing]:
    listings = {}
    for (symbol, name, kind, base, quote, price, volatility, volume, digits, step,
         half_spread_bps) in _TABLE:  # fmt: skip
        instrument = Instrument(
            symbol=symbol,
            name=name,
            kind=KINDS[kind],
            base=base,
            quote=quote,
            price_tick=Decimal(1).scaleb(-digits),
            quantity_step=Decimal(step),
            min_quantity=Decimal(step),
            min_notional=MIN_NOTIONAL[quote],
            can_short=True,
            calendar=ALWAYS,
        )
        character = Character(price, volatility, volume, digits)
        listings[symbol] = _Listing(instrument, character, Decimal(half_spread_bps) / 10_000)
    return listings


class SimulatedMarket:
    """Implements ``MarketData``. Prices depend on nothing but seed, symbol and time.

    Every symbol trades 24 hours on 7 days, stocks and currencies too, and may be sold short.
    Safe to share between threads.
    """

    def __init__(self, seed: int, clock: Clock) -> None:
        self.market_id = "simulated"
        self._clock = clock
        self._listings = _listings()
        self._processes = {
            symbol: PriceProcess(seed, symbol, listing.character)
            for symbol, listing in self._listings.items()
        }
        self._lock = Lock()
        self._minutes = _Blocks(KEPT_MINUTE_DAYS)
        self._hours = _Blocks(KEPT_HOUR_DAYS)
        self._seconds = _Blocks(KEPT_SECOND_BLOCKS)

    def now(self) -> datetime:
        """The wall clock."""
        return self._clock.now()

    def instruments(self) -> Sequence[Instrument]:
        """All symbols."""
        return [listing.instrument for listing in self._listings.values()]

    def instrument(self, symbol: str) -> Instrument:
        """Raises NotFound."""
        return self._listing(symbol).instrument

    def timeframes(self) -> Sequence[str]:
        """Every known one, from a second up."""
        return list(SECONDS)

    def candles(
        self, symbol: str, timeframe: str, *, limit: int, before: datetime | None = None
    ) -> Candles:
        """The newest closed candles; history has no beginning. Raises NotFound."""
        self._listing(symbol)
        length_ms = timeframe_s(timeframe) * 1000
        end_ms = to_epoch_ms(before or self.now()) // length_ms * length_ms
        return self._window(symbol, timeframe, end_ms - max(limit, 0) * length_ms, end_ms)

    def quote(self, symbol: str, *, seen_price: Decimal | None = None) -> Quote:
        """The price at the start of the present second; ``seen_price`` is ignored.

        ``volume`` is that of the last closed minute. Raises NotFound.
        """
        listing = self._listing(symbol)
        tick = listing.instrument.price_tick
        second_ms = to_epoch_ms(self.now()) // 1000 * 1000
        minute_ms = second_ms // MINUTE_MS * MINUTE_MS
        with self._lock:
            seconds = self._second_block(symbol, second_ms // (SECOND_BLOCK * MINUTE_MS))
            last_minute = self._minute_day(symbol, (minute_ms - MINUTE_MS) // DAY_MS)
        last = exact(seconds.open[second_ms // 1000 % (SECOND_BLOCK * 60)])
        volume = last_minute.volume[(minute_ms - MINUTE_MS) % DAY_MS // MINUTE_MS]
        half = last * listing.half_spread
        bid = max(floor_to(last - half, tick), tick)
        return Quote(
            symbol=symbol,
            bid=bid,
            ask=max(ceil_to(last + half, tick), bid + tick),
            last=last,
            time=from_epoch_ms(second_ms),
            volume=exact(volume),
        )

    def bars_since(self, symbol: str, after: datetime) -> Candles:
        """Closed 1s candles, the newest hour at the most. Raises NotFound."""
        self._listing(symbol)
        end_ms = to_epoch_ms(self.now()) // 1000 * 1000
        start_ms = -(-to_epoch_ms(after) // 1000) * 1000
        return self._window(symbol, "1s", max(start_ms, end_ms - LONGEST_LOOK_BACK * 1000), end_ms)

    def _listing(self, symbol: str) -> _Listing:
        try:
            return self._listings[symbol]
        except KeyError:
            raise NotFound(
                f"The simulated market has no symbol '{symbol}'.", field="symbol"
            ) from None

    # --- windows out of blocks -----------------------------------------------------------------

    def _window(self, symbol: str, timeframe: str, start_ms: int, end_ms: int) -> Candles:
        """Candles that open in [start, end); both are multiples of the timeframe."""
        if start_ms >= end_ms:
            return empty_candles(timeframe)
        length_ms = timeframe_s(timeframe) * 1000
        span_ms = SECOND_BLOCK * MINUTE_MS if length_ms < MINUTE_MS else DAY_MS
        places = range(start_ms // span_ms, -(-end_ms // span_ms))
        with self._lock:
            if length_ms < MINUTE_MS:
                blocks = [self._second_block(symbol, place) for place in places]
            elif length_ms < HOUR_MS:
                blocks = [self._minute_day(symbol, place) for place in places]
            else:
                blocks = self._hour_days(symbol, places)
        return resample(_cut(blocks, places[0] * span_ms, start_ms, end_ms), timeframe)

    def _second_block(self, symbol: str, block: int) -> Candles:
        known = self._seconds.find(symbol, block)
        if known is None:
            first = block * SECOND_BLOCK
            day = self._minute_day(symbol, first * MINUTE_MS // DAY_MS)
            place = first % (DAY_MS // MINUTE_MS)
            minutes = day[place : place + SECOND_BLOCK]
            known = self._seconds.put(symbol, block, self._processes[symbol].seconds(minutes))
        return known

    def _minute_day(self, symbol: str, day: int) -> Candles:
        known = self._minutes.find(symbol, day)
        if known is None:
            known = self._minutes.put(symbol, day, self._processes[symbol].minutes(day, 1))
        return known

    def _hour_days(self, symbol: str, days: range) -> list[Candles]:
        """1h candles by day; missing days are computed many together, which is much faster."""
        known = {day: self._hours.find(symbol, day) for day in days}
        missing = [day for day, block in known.items() if block is None]
        while missing:
            first = missing[0]
            count = sum(1 for day in missing if day < first + DAYS_AT_ONCE)
            span = missing[count - 1] - first + 1
            hours = resample(self._processes[symbol].minutes(first, span), "1h")
            for day in missing[:count]:
                place = (day - first) * 24
                known[day] = self._hours.put(symbol, day, hours[place : place + 24])
            missing = missing[count:]
        return [block for block in known.values() if block is not None]


def _cut(blocks: Sequence[Candles], begin_ms: int, start_ms: int, end_ms: int) -> Candles:
    """The candles of consecutive blocks, the first from ``begin``, that open in [start, end)."""
    length_ms = timeframe_s(blocks[0].timeframe) * 1000
    first = (start_ms - begin_ms) // length_ms
    window = slice(first, first + (end_ms - start_ms) // length_ms)
    if len(blocks) == 1:
        return blocks[0][window]
    return Candles(
        blocks[0].timeframe,
        np.concatenate([block.time for block in blocks])[window],
        np.concatenate([block.open for block in blocks])[window],
        np.concatenate([block.high for block in blocks])[window],
        np.concatenate([block.low for block in blocks])[window],
        np.concatenate([block.close for block in blocks])[window],
        np.concatenate([block.volume for block in blocks])[window],
    )


class _Blocks:
    """The blocks used last, by symbol and place."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._blocks: OrderedDict[tuple[str, int], Candles] = OrderedDict()

    def find(self, symbol: str, place: int) -> Candles | None:
        key = (symbol, place)
        block = self._blocks.get(key)
        if block is not None:
            self._blocks.move_to_end(key)
        return block

    def put(self, symbol: str, place: int, block: Candles) -> Candles:
        for array in (block.time, block.open, block.high, block.low, block.close, block.volume):
            array.flags.writeable = False  # shared with every caller
        self._blocks[(symbol, place)] = block
        if len(self._blocks) > self._kept:
            self._blocks.popitem(last=False)
        return block
