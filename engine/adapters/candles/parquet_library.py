"""The candle library: one Parquet file a set, in the folder that replays are read from."""

import errno
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import numpy as np

from engine.domain.candle_checks import span_of
from engine.domain.candle_merge import merge_candles
from engine.domain.candle_sets import STEM, CandleSet, MergeReport, Span, StoredSet
from engine.domain.candles import Candles, empty_candles
from engine.domain.instruments import InstrumentKind
from engine.domain.money import to_epoch_ms
from engine.errors import ConfigError, Conflict, NotFound, QuarterdeckError, StoreError
from engine.links.candle_files import (
    NOTE,
    SUFFIXES,
    find_file,
    id_of,
    note_of,
    read_candle_file,
)

SPAN_NOTE = b"quarterdeck.span.1"
"""Where a file's span is kept, so that a list reads no candles. Another way to tell gaps is another
key: then spans of old files are found anew."""

SPANS_KEPT = 1000
TRIES = 5


class ParquetLibrary:
    """Implements ``CandleLibrary`` over a folder. A person's own files there (CSV, or Parquet that
    the library did not write) are listed and read, never changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()

    def list(self) -> Sequence[StoredSet]:
        """Every candle file by id; one that cannot be used carries its error."""
        if not self._folder.is_dir():
            return []
        paths = [path for path in self._folder.iterdir() if path.suffix in SUFFIXES]
        return sorted((self._stored(path) for path in paths), key=lambda one: one.id)

    def get(self, set_id: str) -> StoredSet:
        """Raises NotFound."""
        return self._stored(self._path(set_id))

    def read(
        self, set_id: str, since: datetime | None = None, until: datetime | None = None
    ) -> Candles:
        """The candles that open in [since, until). Raises NotFound, ConfigError."""
        candles = self._candles(self._path(set_id))
        first = 0 if since is None else np.searchsorted(candles.time, to_epoch_ms(since))
        last = len(candles) if until is None else np.searchsorted(candles.time, to_epoch_ms(until))
        return candles[int(first) : int(last)]

    def merge(self, about: CandleSet, candles: Candles) -> MergeReport:
        """All or nothing; where both have a candle the newer wins."""
        if candles.timeframe != about.timeframe:
            raise ConfigError(f"{candles.timeframe} candles do not belong into {about.id}.")
        path = self._folder / f"{about.id}.parquet"
        with self._lock:
            for _ in range(TRIES):
                stamp = _stamp(path)
                merged, report = merge_candles(self._old(path, about), candles)
                is_settled = not report.added and not report.conflicts
                if is_settled or self._write(path, about, merged, stamp):
                    return report
        raise Conflict(f"Another program keeps writing {path.name}: try again.")

    def delete(self, set_id: str) -> None:
        """Raises NotFound, StoreError."""
        path = self._path(set_id)
        with self._lock, _disk(path, "deleted"):
            path.unlink(missing_ok=True)

    def _old(self, path: Path, about: CandleSet) -> Candles:
        """What is there already. Raises ConfigError, Conflict when it is something else."""
        if not path.exists():
            return empty_candles(about.timeframe)
        note = note_of(path)
        if note is None:
            raise Conflict(f"{path.name} was not written by the library: it is left alone.")
        if note != about:
            raise Conflict(
                f"{path.name} holds {note.source} candles ({note.kind}, {note.prices}),"
                f" not {about.source} ({about.kind}, {about.prices})."
            )
        return _of_ours(path)

    def _path(self, set_id: str) -> Path:
        path = find_file(self._folder, set_id)
        if path is None:
            raise NotFound(f"There are no candles '{set_id}'.", field="id")
        return path

    def _candles(self, path: Path) -> Candles:
        """Of a set with a single candle too, which no replay could use."""
        return _of_ours(path) if note_of(path) else read_candle_file(path).candles

    def _stored(self, path: Path) -> StoredSet:
        try:
            status = path.stat()
        except FileNotFoundError:  # deleted meanwhile
            raise NotFound(f"There are no candles '{id_of(path)}'.", field="id") from None
        about, span, error, is_ours = None, None, "", False
        try:
            about, span, is_ours = _told(path, status.st_mtime_ns, status.st_size)
        except QuarterdeckError as refusal:
            error = refusal.message
        return StoredSet(
            id=id_of(path), about=about, path=str(path), size_bytes=status.st_size,
            changed_at=datetime.fromtimestamp(status.st_mtime, UTC), is_ours=is_ours, span=span,
            error=error,
        )  # fmt: skip

    def _write(
        self, path: Path, about: CandleSet, candles: Candles, stamp: tuple[int, int] | None
    ) -> bool:
        """Beside the file first: a full disk or a crash leaves the old one as it was.

        False, with nothing written, when the file is not the one of ``stamp`` any more: the
        command line writes files too. Raises StoreError.
        """
        import pyarrow as pa
        from pyarrow import parquet

        names = ("timestamp", "open", "high", "low", "close", "volume")
        numbers = (candles.open, candles.high, candles.low, candles.close, candles.volume)
        time = pa.array(candles.time, pa.timestamp("ms", "UTC"))
        table = pa.table([time, *map(pa.array, numbers)], names=names)
        notes = {NOTE: about.model_dump_json(),
                 SPAN_NOTE: span_of(candles, about.kind).model_dump_json()}  # fmt: skip
        fresh = path.with_name(f".{path.name}.{os.getpid()}.part")
        with _disk(path, "written"):
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                with fresh.open("wb") as file:
                    parquet.write_table(
                        table.replace_schema_metadata(notes), file, compression="zstd"
                    )
                    file.flush()
                    os.fsync(file.fileno())
                if _stamp(path) != stamp:
                    return False
                fresh.replace(path)
            finally:
                fresh.unlink(missing_ok=True)
        return True


def _stamp(path: Path) -> tuple[int, int] | None:
    """What tells one file of a name from the next; None when there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size


def _of_ours(path: Path) -> Candles:
    from engine.links.candle_columns import read_columns

    note = note_of(path)
    if note is None:
        raise NotFound(f"{path.name} is not of the library.")
    columns = read_columns(path)
    return Candles(note.timeframe, columns.time, *columns.numbers.values())


@lru_cache(maxsize=SPANS_KEPT)
def _told(path: Path, _mtime_ns: int, _size: int) -> tuple[CandleSet, Span, bool]:
    """What a file is, covers, and whether it is the library's. A file of a person's own is read
    for it, once as long as it does not change. Raises ConfigError."""
    note = note_of(path)
    if note is not None:
        return note, _kept_span(path) or span_of(_of_ours(path), note.kind), True
    file = read_candle_file(path)
    stem = STEM.match(path.stem)
    source = (stem and stem["source"]) or "import"
    kind: InstrumentKind = file.instrument.kind
    try:
        about = CandleSet(symbol=file.instrument.symbol, timeframe=file.candles.timeframe,
                          source=source.replace("-", ":", 1), kind=kind)  # fmt: skip
    except ValueError as error:
        raise ConfigError(f"The name of {path.name} cannot be used: {error}") from error
    return about, span_of(file.candles, kind), False


def _kept_span(path: Path) -> Span | None:
    from pyarrow import parquet

    kept = (parquet.read_schema(path).metadata or {}).get(SPAN_NOTE)
    return Span.model_validate_json(kept) if kept else None


@contextmanager
def _disk(path: Path, verb: str) -> Iterator[None]:
    """The disk's refusals in words. Raises StoreError."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StoreError(
                f"The disk is full: {path.name} could not be {verb}. What was there before is"
                " untouched; make room and try again."
            ) from error
        raise StoreError(f"{path.name} could not be {verb}: {error.strerror}.") from error
