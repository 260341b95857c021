"""The replay market: one candle file, played at any speed by the one bot that watches it."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs

import numpy as np

from engine.domain.candles import Bar, Candles, empty_candles, resample
from engine.domain.instruments import Instrument, Quote
from engine.domain.money import exact, from_epoch_ms, to_epoch_ms
from engine.domain.timeframes import SECONDS, timeframe_s
from engine.errors import ConfigError, DataError, NotFound
from engine.links.candle_files import CandleFile, read_candle_file

PREFIX = "replay:"
SUFFIXES = (".csv", ".parquet")


def find_replays(folder: Path) -> list[str]:
    """The market ids of the candle files in ``folder``, by name; none when it is absent."""
    if not folder.is_dir():
        return []
    return [f"{PREFIX}{path}" for path in sorted(folder.iterdir()) if path.suffix in SUFFIXES]


class ReplayMarket:
    """Implements ``SteppedMarket`` over one file; ``market_id`` is ``replay:PATH`` with an
    optional ``?speed=60`` (times real time; 0, the default, is full speed).

    Time stands where ``seek`` put it; before that, at the first bar's open. Raises ConfigError for
    a file or a speed that cannot be used.
    """

    def __init__(self, market_id: str) -> None:
        self.market_id = market_id
        path, self._speed = _parse(market_id)
        self._file: CandleFile = read_candle_file(path)
        self._bars = self._file.candles
        self._step_ms = timeframe_s(self._bars.timeframe) * 1000
        self._closes = self._bars.time + self._step_ms
        self._joined: dict[str, Candles] = {self._bars.timeframe: self._bars}
        self._now = from_epoch_ms(int(self._bars.time[0]))

    def now(self) -> datetime:
        """The replay's time."""
        return self._now

    def seek(self, moment: datetime) -> None:
        """Set ``now()``."""
        self._now = moment

    def pause_s(self, timeframe: str) -> float:
        """Wall seconds between two candles of ``timeframe``."""
        return timeframe_s(timeframe) / self._speed if self._speed else 0.0

    def next_step(self, timeframe: str, after: datetime | None) -> datetime | None:
        """Close of the next whole candle of ``timeframe``; None at the end of the file."""
        bars = self._in(timeframe)
        closes = bars.time + timeframe_s(timeframe) * 1000
        place = 0 if after is None else int(np.searchsorted(closes, to_epoch_ms(after), "right"))
        return from_epoch_ms(int(closes[place])) if place < len(closes) else None

    def instruments(self) -> Sequence[Instrument]:
        """The file's one symbol."""
        return [self._file.instrument]

    def instrument(self, symbol: str) -> Instrument:
        """The file's symbol, also written with a dash. Raises NotFound for any other."""
        instrument = self._file.instrument
        if symbol.replace("-", "/") != instrument.symbol.replace("-", "/"):
            raise NotFound(
                f"{self._file.path.name} holds {instrument.symbol}, not '{symbol}'.",
                field="symbol",
            )
        return instrument

    def timeframes(self) -> Sequence[str]:
        """The file's own and its multiples."""
        return [name for name, seconds in SECONDS.items() if seconds * 1000 % self._step_ms == 0]

    def candles(
        self, symbol: str, timeframe: str, *, limit: int, before: datetime | None = None
    ) -> Candles:
        """The newest candles closed by ``before``. Raises NotFound; DataError for a timeframe
        that the file's candles cannot be joined to."""
        self.instrument(symbol)
        bars = self._in(timeframe)
        latest_open = to_epoch_ms(before or self._now) - timeframe_s(timeframe) * 1000
        end = int(np.searchsorted(bars.time, latest_open, "right"))
        return bars[max(end - max(limit, 0), 0) : end]

    def quote(self, symbol: str, *, seen_price: Decimal | None = None) -> Quote:
        """The open of the bar now beginning, which is what an order sent at a close gets.

        A ``seen_price`` inside the bar that just closed is the price itself, at that bar's time;
        outside it is a DataError, as is a price past the end of the file. There is no spread.
        """
        self.instrument(symbol)
        following = int(np.searchsorted(self._closes, to_epoch_ms(self._now), "right"))
        if seen_price is not None:
            return self._seen(symbol, following - 1, seen_price)
        if following >= len(self._bars):
            raise DataError("The replay has ended: there is no later price.")
        bar = self._bars.bar(following)
        return _quote(symbol, exact(bar.open), bar)

    def bars_since(self, symbol: str, after: datetime) -> Candles:
        """The file's own bars, closed by now."""
        self.instrument(symbol)
        start = int(np.searchsorted(self._bars.time, to_epoch_ms(after), "left"))
        end = int(np.searchsorted(self._closes, to_epoch_ms(self._now), "right"))
        return self._bars[start:end] if start < end else empty_candles(self._bars.timeframe)

    def _seen(self, symbol: str, closed: int, seen_price: Decimal) -> Quote:
        if closed < 0:
            raise DataError("No bar of the replay has closed yet.")
        bar = self._bars.bar(closed)
        if not exact(bar.low) <= seen_price <= exact(bar.high):
            raise DataError(f"The price {seen_price} is not inside the bar that just closed.")
        return _quote(symbol, seen_price, bar)

    def _in(self, timeframe: str) -> Candles:
        joined = self._joined.get(timeframe)
        if joined is None:
            if timeframe not in self.timeframes():
                raise DataError(
                    f"{self._file.path.name} has {self._bars.timeframe} candles; "
                    f"they cannot be joined to {timeframe}."
                )
            joined = self._joined[timeframe] = resample(self._bars, timeframe)
        return joined


def _quote(symbol: str, price: Decimal, bar: Bar) -> Quote:
    return Quote(
        symbol=symbol,
        bid=price,
        ask=price,
        last=price,
        time=from_epoch_ms(bar.open_ms),
        volume=exact(bar.volume),
    )


def _parse(market_id: str) -> tuple[Path, float]:
    """The file and the speed that a market id names."""
    name, _, query = market_id.removeprefix(PREFIX).partition("?")
    options = parse_qs(query)
    if not name or set(options) - {"speed"}:
        raise ConfigError(
            f"'{market_id}' does not name a replay; write replay:PATH or replay:PATH?speed=60.",
            field="market",
        )
    try:
        speed = float(options.get("speed", ["0"])[-1])
    except ValueError:
        speed = -1.0
    if not 0 <= speed < float("inf"):
        raise ConfigError("The replay's speed must be 0 (full speed) or more.", field="market")
    return Path(name).expanduser(), speed
