"""The candles of a backtest: read from files or asked of a market, cut to the period, checked."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from engine.domain.backtest_runs import BacktestRequest, Coverage, FileSource, MarketSource
from engine.domain.candle_gaps import find_gaps
from engine.domain.candles import Candles, empty_candles, resample
from engine.domain.instruments import Instrument, InstrumentKind
from engine.domain.money import from_epoch_ms, to_epoch_ms
from engine.domain.timeframes import timeframe_s
from engine.errors import ConfigError, NotFound
from engine.ports import CandleFiles, MarketData, Venues

MOST_BARS = 3_000_000
"""Candles read for one backtest, over all its symbols."""

CHUNK = 5_000
"""Candles asked of a market at a time, so that a cancelled run stops soon."""

ARRAYS = ("time", "open", "high", "low", "close", "volume")

Progress = Callable[[float], None]
"""Told how much has been read (0 to 1); may raise to end the reading."""


@dataclass(frozen=True, slots=True)
class CandleLeg:
    """One symbol with its candles: the first ``start`` of them come before the period."""

    instrument: Instrument
    market_id: str
    candles: Candles
    start: int
    fine: Candles | None
    coverage: Coverage

    @property
    def traded(self) -> Candles:
        """The candles of the period."""
        return self.candles[self.start :]


def no_progress(_share: float) -> None:
    """For readings that nobody waits for."""


class CandleReader:
    """Reads what a request names. Thread-safe."""

    def __init__(self, files: CandleFiles, venues: Venues) -> None:
        self._files = files
        self._venues = venues

    def read(
        self, request: BacktestRequest, history: int, on_progress: Progress = no_progress
    ) -> list[CandleLeg]:
        """Every symbol's candles of the period, with up to ``history`` before it.

        Raises NotFound, ConfigError with the field, DataError for a market that does not answer.
        """
        source = request.source
        if isinstance(source, FileSource):
            return self._read_files(source, request, history, on_progress)
        return self._ask_market(source, request, history, on_progress)

    def plan(self, request: BacktestRequest, history: int) -> list[CandleLeg]:
        """What ``read`` would give. Files are read; a market is not asked for candles, which may
        take minutes: its legs have none and say what is planned."""
        source = request.source
        if isinstance(source, FileSource):
            return self._read_files(source, request, history, no_progress)
        return self._planned(source, request, history, self._period(source, request))

    # --- files ----------------------------------------------------------------------------------

    def _read_files(
        self, source: FileSource, request: BacktestRequest, history: int, on_progress: Progress
    ) -> list[CandleLeg]:
        legs = []
        for number, name in enumerate(source.files):
            on_progress(number / len(source.files))
            try:
                content = self._files.read(name)
            except ConfigError as error:
                raise ConfigError(error.message, field="source.files") from error
            legs.append(
                _leg(content.instrument, content.market_id, name, content.candles, request, history)
            )
        _check_size(legs)
        return legs

    # --- markets --------------------------------------------------------------------------------

    def _ask_market(
        self, source: MarketSource, request: BacktestRequest, history: int, on_progress: Progress
    ) -> list[CandleLeg]:
        market, (first_ms, end_ms) = self._market(source), self._period(source, request)
        step_ms = timeframe_s(request.timeframe) * 1000
        planned = self._planned(source, request, history, (first_ms, end_ms))
        legs = []
        for number, plan in enumerate(planned):
            done = number / len(planned)

            def tell(share: float, done: float = done) -> None:
                on_progress(done + share / len(planned))

            found = _fetch(
                market, plan.instrument.symbol, plan.coverage.read_timeframe,
                (first_ms - history * step_ms, end_ms), tell,
            )  # fmt: skip
            legs.append(
                _leg(plan.instrument, source.market, source.market, found, request, history)
            )
        return legs

    def _period(self, source: MarketSource, request: BacktestRequest) -> tuple[int, int]:
        """From the first open to the last close that is asked for, in epoch ms, on the grid of
        the timeframe. Raises ConfigError."""
        if self._is_replay(source.market):
            raise ConfigError(
                "A replay is a candle file: choose the file itself.", field="source.market"
            )
        if request.since is None:
            raise ConfigError("Say from when: a market has no first candle.", field="since")
        now = self._market(source).now()
        step_ms = timeframe_s(request.timeframe) * 1000
        first_ms = -(-to_epoch_ms(request.since) // step_ms) * step_ms
        end_ms = to_epoch_ms(min(request.until or now, now)) // step_ms * step_ms
        if end_ms <= first_ms:
            raise ConfigError(
                f"No {request.timeframe} candle closes between from and to.", field="since"
            )
        return first_ms, end_ms

    def _planned(
        self,
        source: MarketSource,
        request: BacktestRequest,
        history: int,
        period: tuple[int, int],
    ) -> list[CandleLeg]:
        """A leg without candles for each symbol."""
        market = self._market(source)
        _check_timeframes(market, source, request.timeframe)
        read_timeframe = source.fine_timeframe or request.timeframe
        step_ms = timeframe_s(request.timeframe) * 1000
        bars = (period[1] - period[0]) // step_ms
        fine = bars * step_ms // (timeframe_s(read_timeframe) * 1000)
        legs = []
        for symbol in source.symbols:
            try:
                instrument = market.instrument(symbol)
            except NotFound as error:
                raise NotFound(error.message, field="source.symbols") from error
            coverage = Coverage(
                symbol=instrument.symbol, source=source.market, read_timeframe=read_timeframe,
                timeframe=request.timeframe, bars=bars, warmup_bars=history,
                fine_bars=fine if fine > bars else 0, first=from_epoch_ms(period[0]),
                last=from_epoch_ms(period[1] - step_ms), is_planned=True,
            )  # fmt: skip
            nothing = empty_candles(request.timeframe)
            legs.append(CandleLeg(instrument, source.market, nothing, 0, None, coverage))
        _check_size(legs)
        return legs

    def _is_replay(self, market_id: str) -> bool:
        try:
            return self._venues.is_stepped(market_id)
        except NotFound as error:
            raise NotFound(error.message, field="source.market") from error

    def _market(self, source: MarketSource) -> MarketData:
        try:
            return self._venues.market(source.market)
        except (NotFound, ConfigError) as error:
            raise type(error)(error.message, field="source.market") from error


def fingerprint(legs: Iterable[CandleLeg]) -> str:
    """SHA-256 over every candle that a run uses, symbol by symbol."""
    digest = hashlib.sha256()
    for leg in legs:
        for candles in (leg.candles, leg.fine):
            if candles is None:
                continue
            digest.update(f"{leg.instrument.symbol} {candles.timeframe}\n".encode())
            for name in ARRAYS:
                digest.update(np.ascontiguousarray(getattr(candles, name)).tobytes())
    return digest.hexdigest()


def _check_timeframes(market: MarketData, source: MarketSource, timeframe: str) -> None:
    offered = market.timeframes()
    read_timeframe = source.fine_timeframe or timeframe
    field = "source.fine_timeframe" if source.fine_timeframe else "timeframe"
    if read_timeframe not in offered:
        raise ConfigError(f"This market has candles of {', '.join(offered)}.", field=field)
    if timeframe_s(timeframe) % timeframe_s(read_timeframe):
        raise ConfigError(f"{timeframe} is not a multiple of {read_timeframe}.", field=field)


def _check_size(legs: Sequence[CandleLeg]) -> None:
    count = sum(
        max(leg.coverage.bars, leg.coverage.fine_bars) + leg.coverage.warmup_bars for leg in legs
    )
    if count > MOST_BARS:
        raise ConfigError(
            f"That is {count:,} candles; a backtest takes {MOST_BARS:,} at the most. Choose a"
            " shorter period, a longer timeframe or fewer symbols.",
            field="since",
        )


def _fetch(
    market: MarketData, symbol: str, timeframe: str, span: tuple[int, int], tell: Progress
) -> Candles:
    """Candles that open in [first, end), from the newest to the oldest, a chunk at a time."""
    first_ms, end_ms = span
    step_ms = timeframe_s(timeframe) * 1000
    parts: list[Candles] = []
    before_ms = end_ms
    while before_ms > first_ms:
        tell((end_ms - before_ms) / (end_ms - first_ms))
        limit = min(CHUNK, (before_ms - first_ms) // step_ms)
        part = market.candles(symbol, timeframe, limit=limit, before=from_epoch_ms(before_ms))
        if not len(part):
            break
        parts.insert(0, part)
        before_ms = int(part.time[0])
    if not parts:
        return empty_candles(timeframe)
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ARRAYS}
    return Candles(timeframe, **joined)


def _leg(
    instrument: Instrument,
    market_id: str,
    source: str,
    found: Candles,
    request: BacktestRequest,
    history: int,
) -> CandleLeg:
    """The part of ``found`` that the period asks for, joined to the request's timeframe."""
    try:
        joined = resample(found, request.timeframe)
    except ValueError as error:
        raise ConfigError(
            f"{source} has {found.timeframe} candles; they cannot be joined to"
            f" {request.timeframe}.",
            field="timeframe",
        ) from error
    begin = _place(joined, request.since, 0)
    end = _place(joined, request.until, len(joined))
    first = max(0, begin - history)
    traded = joined[begin:end]
    fine = _inside(found, traded) if found.timeframe != request.timeframe else None
    coverage = _coverage(instrument, source, found, traded, begin - first, fine)
    return CandleLeg(instrument, market_id, joined[first:end], begin - first, fine, coverage)


def _place(candles: Candles, moment: datetime | None, otherwise: int) -> int:
    if moment is None:
        return otherwise
    return int(np.searchsorted(candles.time, to_epoch_ms(moment), "left"))


def _inside(found: Candles, traded: Candles) -> Candles:
    """The finer candles within the span of ``traded``."""
    if not len(traded):
        return found[:0]
    end_ms = traded.bar(-1).close_ms
    begin = int(np.searchsorted(found.time, int(traded.time[0]), "left"))
    return found[begin : int(np.searchsorted(found.time, end_ms, "left"))]


def _coverage(
    instrument: Instrument,
    source: str,
    found: Candles,
    traded: Candles,
    warmup: int,
    fine: Candles | None,
) -> Coverage:
    read = traded if fine is None else fine
    closes = instrument.kind is not InstrumentKind.CRYPTO
    gaps = find_gaps(read.time, timeframe_s(read.timeframe) * 1000, closes=closes)
    unusual = ~gaps.is_closed_day
    longest_ms = (gaps.until - gaps.since)[unusual].max(initial=0)
    is_empty = not len(traded)
    return Coverage(
        symbol=instrument.symbol,
        source=source,
        read_timeframe=found.timeframe,
        timeframe=traded.timeframe,
        bars=len(traded),
        warmup_bars=warmup,
        fine_bars=0 if fine is None else len(fine),
        first=None if is_empty else from_epoch_ms(int(traded.time[0])),
        last=None if is_empty else from_epoch_ms(int(traded.time[-1])),
        gaps=int(unusual.sum()),
        missing=int(gaps.missing[unusual].sum()),
        longest_gap_s=int(longest_ms) // 1000,
    )
