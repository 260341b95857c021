"""The candle library for the API: reads, imports, downloads; what is in use is not deleted."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from engine.contracts.candles import (
    CandleDetail,
    Download,
    DownloadRequest,
    ImportedView,
    ImportRequest,
    InspectQuery,
    PreviewView,
    SourceView,
    StoredSet,
)
from engine.domain.candle_checks import inspect, raw_of
from engine.domain.candles import Candles
from engine.domain.money import from_epoch_ms, utc_text
from engine.errors import Conflict
from engine.ports import CandleLibrary
from engine.services.books import Books
from engine.services.candle_downloads import CandleDownloads
from engine.services.candle_imports import CandleImports, Wish
from engine.services.candle_sources import CandleSources

CSV_ROWS = 10_000
CSV_HEAD = b"timestamp,open,high,low,close,volume\r\n"


class CandleServices(Protocol):
    """What can be done with candles."""

    def list(self) -> Sequence[StoredSet]:
        """Every candle set; one that cannot be used carries its error."""
        ...

    def detail(self, set_id: str) -> CandleDetail:
        """One set with its report. Raises NotFound."""
        ...

    def csv(self, set_id: str) -> Iterator[bytes]:
        """All candles as CSV, every digit. Raises NotFound, ConfigError before the first chunk."""
        ...

    def delete(self, set_id: str, actor: str) -> None:
        """Raises NotFound, Conflict while it is filled or replayed, StoreError."""
        ...

    def new_upload(self) -> tuple[str, Path]:
        """An upload's id, and the file to fill. Raises OSError."""
        ...

    def inspect(self, asked: InspectQuery, /) -> PreviewView:
        """What is in an upload. Raises NotFound, ConfigError."""
        ...

    def import_upload(self, request: ImportRequest, actor: str) -> ImportedView:
        """Keep an upload. Raises NotFound, ConfigError, Conflict, StoreError."""
        ...

    def sources(self) -> Sequence[SourceView]:
        """Where candles can be downloaded."""
        ...

    def downloads(self) -> Sequence[Download]:
        """The newest first."""
        ...

    def start_download(self, request: DownloadRequest, actor: str) -> Download:
        """Raises ConfigError naming the field, NotFound, Conflict."""
        ...

    def cancel_download(self, download_id: str, actor: str) -> Download:
        """Raises NotFound, Conflict when it has ended."""
        ...

    def resume_download(self, download_id: str, actor: str) -> Download:
        """Raises NotFound, Conflict when there is nothing to resume."""
        ...


class CandleDesk:
    """Implements ``CandleServices``."""

    def __init__(
        self,
        books: Books,
        library: CandleLibrary,
        imports: CandleImports,
        downloads: CandleDownloads,
        sources: CandleSources,
    ) -> None:
        self._books = books
        self._library = library
        self._imports = imports
        self._downloads = downloads
        self._sources = sources

    def list(self) -> Sequence[StoredSet]:
        """Every candle set."""
        return self._library.list()

    def detail(self, set_id: str) -> CandleDetail:
        """One set with all its gaps; of a file that cannot be used, why."""
        entry = self._library.get(set_id)
        if entry.about is None:
            return CandleDetail(entry=entry, report=None)
        candles = self._library.read(set_id)
        report = inspect(raw_of(candles), candles.timeframe, entry.about.kind)
        return CandleDetail(entry=entry, report=report)

    def csv(self, set_id: str) -> Iterator[bytes]:
        """All candles as CSV; read before the first chunk is asked for."""
        return _csv(self._library.read(set_id))

    def delete(self, set_id: str, actor: str) -> None:
        """Unless it is filled by a download or replayed by a bot."""
        if self._downloads.is_filling(set_id):
            raise Conflict(f"{set_id} is being downloaded: cancel that first.")
        entry = self._library.get(set_id)
        users = [bot.config.name for bot in list(self._books.bots.values())
                 if bot.config.market.partition("?")[0] == f"replay:{entry.path}"]  # fmt: skip
        if users:
            raise Conflict(f"{set_id} is replayed by {', '.join(sorted(users)[:5])}: delete the"
                           " bot first.")  # fmt: skip
        self._library.delete(set_id)
        with self._books.writing() as writing:
            writing.audit(actor, "candles.delete", set_id)

    def new_upload(self) -> tuple[str, Path]:
        """Where the API puts what is sent."""
        return self._imports.new_upload()

    def inspect(self, asked: InspectQuery) -> PreviewView:
        """What is in an upload."""
        path = self._imports.upload(asked.upload_id)
        wish = Wish(asked.symbol, asked.timeframe or None, asked.kind)
        found = self._imports.inspect(path, asked.name, wish)
        return PreviewView(upload_id=asked.upload_id, name=asked.name, **dict(found))

    def import_upload(self, request: ImportRequest, actor: str) -> ImportedView:
        """Keep it; the upload goes."""
        path = self._imports.upload(request.upload_id)
        wish = Wish(request.symbol, request.timeframe or None, request.kind)
        done = self._imports.confirm(path, request.name, wish, is_repaired=request.repair)
        with self._books.writing() as writing:
            writing.audit(actor, "candles.import", done.set_id, rows=done.rows, file=request.name)
        path.unlink(missing_ok=True)
        entry = self._library.get(done.set_id)
        return ImportedView(entry=entry, rows=done.rows, merged=done.merged)

    def sources(self) -> Sequence[SourceView]:
        """In the order of the table."""
        return [
            SourceView(id=one, title=title, note=kind.note,
                       timeframes=tuple(kind.timeframes), needs=kind.needs)
            for kind in self._sources.kinds.values()
            for one, title in kind.offered.items()
        ]  # fmt: skip

    def downloads(self) -> Sequence[Download]:
        """The newest first."""
        return self._downloads.list()

    def start_download(self, request: DownloadRequest, actor: str) -> Download:
        """Begin one."""
        return self._downloads.start(
            request.source, request.symbol, request.timeframe, request.since, request.until, actor
        )

    def cancel_download(self, download_id: str, actor: str) -> Download:
        """Stop one."""
        return self._downloads.cancel(download_id, actor)

    def resume_download(self, download_id: str, actor: str) -> Download:
        """Go on with one."""
        return self._downloads.resume(download_id, actor)


def _csv(candles: Candles) -> Iterator[bytes]:
    """RFC 4180, times in ISO 8601 UTC, numbers so that they read back as the same floats."""
    yield CSV_HEAD
    for start in range(0, len(candles), CSV_ROWS):
        part = candles[start : start + CSV_ROWS]
        numbers = (part.open, part.high, part.low, part.close, part.volume)
        times = (utc_text(from_epoch_ms(one)) for one in part.time.tolist())
        rows = zip(times, *(one.tolist() for one in numbers), strict=True)
        yield "".join(f"{','.join(map(str, row))}\r\n" for row in rows).encode()
