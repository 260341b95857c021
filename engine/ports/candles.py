"""Where candles are kept, where they come from, and how files of other programs are read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from engine.domain.candle_checks import RawCandles
from engine.domain.candle_sets import CandleSet, MergeReport, StoredSet
from engine.domain.candles import Candles
from engine.domain.instruments import InstrumentKind


class CandleLibrary(Protocol):
    """Candle sets by id; used from many threads."""

    def list(self) -> Sequence[StoredSet]:
        """Every set by id; one that cannot be used carries its error."""
        ...

    def get(self, set_id: str) -> StoredSet:
        """Raises NotFound."""
        ...

    def read(
        self, set_id: str, since: datetime | None = None, until: datetime | None = None
    ) -> Candles:
        """The candles that open in [since, until). Raises NotFound, ConfigError."""
        ...

    def merge(self, about: CandleSet, candles: Candles) -> MergeReport:
        """Put sound candles into the set of ``about``, which is made when there is none. Where
        both have a candle the newer wins. All or nothing: the old set stays when it fails.

        Raises ConfigError when the timeframe is another, Conflict when the set is of another
        source or cannot be written into, StoreError when the disk refuses (it is full).
        """
        ...

    def delete(self, set_id: str) -> None:
        """Raises NotFound, StoreError."""
        ...


@dataclass(frozen=True, slots=True)
class SourceSymbol:
    """A symbol as its source names it, and what the library calls it."""

    name: str
    symbol: str
    kind: InstrumentKind


@dataclass(frozen=True, slots=True)
class CandlePage:
    """Closed candles, oldest first. Everything before ``until`` has been asked for by now."""

    candles: Candles
    until: datetime


class CandleSource(Protocol):
    """A vendor of past candles."""

    source_id: str
    prices: str
    """What is done to prices: "as given", "split-adjusted", "adjusted"."""

    def timeframes(self) -> Sequence[str]:
        """Those it gives, shortest first."""
        ...

    def resolve(self, symbol: str) -> SourceSymbol:
        """What a person typed, as source and library call it. Asks nobody. Raises ConfigError for
        what cannot be a symbol."""
        ...

    def fetch(
        self, symbol: SourceSymbol, timeframe: str, since: datetime, until: datetime
    ) -> Iterator[CandlePage]:
        """The closed candles that open in [since, until), page by page.

        Each step asks the source once or a few times. Raises NotFound for an unknown symbol,
        ConfigError for what it does not give, AccessDenied for a refused key, SourceBusy when the
        same may go well later, DataError for an answer that cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class ReadTable:
    """A file of another program, read. ``notes`` say how it was understood."""

    format: str
    title: str
    raw: RawCandles
    notes: tuple[str, ...]


class CandleReader(Protocol):
    """Reads files of other programs."""

    def read(self, path: Path) -> ReadTable:
        """Raises ConfigError when nothing that is known looks like it."""
        ...
