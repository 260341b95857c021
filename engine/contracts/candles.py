"""Candles: the library, what is wrong with a file, imports and downloads."""

from pydantic import ConfigDict, Field

from engine.contracts.base import Contract
from engine.domain.candle_checks import CandleReport, Example, Problem, Severity
from engine.domain.candle_downloads import ACTIVE, RESUMABLE, Download, DownloadState
from engine.domain.candle_gaps import Gap
from engine.domain.candle_sets import CandleSet, MergeReport, Span, StoredSet
from engine.domain.instruments import InstrumentKind
from engine.domain.money import UtcDatetime

__all__ = [
    "ACTIVE", "RESUMABLE", "CandleDetail", "CandleReport", "CandleSet", "Download",
    "DownloadRequest", "DownloadState", "Example", "Gap", "ImportRequest", "ImportedView",
    "InspectQuery", "InstrumentKind", "MergeReport", "PreviewView", "Problem", "Severity",
    "SourceView", "Span", "StoredSet",
]  # fmt: skip

Symbol = Field(default="", max_length=40, description="as BTC-USDT or IBM; empty: as the name says")
Timeframe = Field(default=None, max_length=5, description="empty: the smallest distance of rows")


class CandleDetail(Contract):
    """One set with all that is found about it."""

    entry: StoredSet
    report: CandleReport | None


class InspectQuery(Contract):
    """What is known of an uploaded file. With ``upload_id`` the file sent before is looked at
    again, and the body is empty."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default="", max_length=255, description="what the file is called")
    upload_id: str = Field(default="", max_length=32)
    symbol: str = Symbol
    timeframe: str | None = Timeframe
    kind: InstrumentKind | None = None


class PreviewView(Contract):
    """What was found in an upload: nothing is kept yet."""

    upload_id: str
    name: str
    format: str
    notes: tuple[str, ...]
    symbol: str
    kind: InstrumentKind
    report: CandleReport


class ImportRequest(Contract):
    """Keep an upload. ``repair`` sorts the rows and leaves out exact duplicates and a candle that
    is not finished; without it a file that needs that is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    upload_id: str = Field(min_length=1, max_length=32)
    name: str = Field(default="", max_length=255)
    symbol: str = Symbol
    timeframe: str | None = Timeframe
    kind: InstrumentKind | None = None
    repair: bool = False


class ImportedView(Contract):
    """What an import has put into the library."""

    entry: StoredSet
    rows: int
    merged: MergeReport


class SourceView(Contract):
    """A source of candles. ``needs`` says what is missing before it can be asked for everything."""

    id: str
    title: str
    note: str
    timeframes: tuple[str, ...]
    needs: str = ""


class DownloadRequest(Contract):
    """Candles that open in [since, until); without ``until``, up to now."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field(min_length=1, max_length=40, description="as ccxt:binance, alpaca, yahoo")
    symbol: str = Field(min_length=1, max_length=40, description="as the source names it")
    timeframe: str = Field(min_length=2, max_length=5)
    since: UtcDatetime
    until: UtcDatetime | None = None
