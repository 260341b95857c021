"""Downloads of candles: in the background, page by page into the library, resumed at their end.

What a source gave is kept whatever happens next: pages are merged every few seconds, at a cancel,
at a failure and at the engine's stop. The list of downloads is in the store, so that a reload of
the panel and a restart of the engine show the same.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from engine.domain.candle_downloads import RESUMABLE, Download, DownloadState
from engine.domain.candle_sets import CandleSet
from engine.domain.candles import Candles
from engine.domain.records import Level
from engine.errors import (
    ConfigError,
    Conflict,
    DataError,
    NotFound,
    QuarterdeckError,
    SourceBusy,
)
from engine.ports import CandleLibrary, CandlePage, CandleSource, SourceSymbol
from engine.services.books import Books, new_id
from engine.services.candle_sources import CandleSources

log = logging.getLogger("quarterdeck.candles")

SETTING = "candles.downloads"
KEPT = 50
FLUSH_BARS = 50_000
FLUSH_S = 1.0
WRITING = 10
"""A file is written as a whole: what that takes is waited this many times before the next time."""

ATTEMPTS = 6
FIRST_WAIT_S = 1.0
MOST_WAIT_S = 60.0
LONGEST_PAUSE_S = 900.0
"""A longer pause is not waited for: the download fails, and can be resumed."""

_LIST: TypeAdapter[list[Download]] = TypeAdapter(list[Download])


@dataclass(frozen=True)
class Patience:
    """How failures of a source are waited out."""

    attempts: int = ATTEMPTS
    first_wait_s: float = FIRST_WAIT_S
    flush_s: float = FLUSH_S

    def wait_s(self, failures: int, asked_s: float) -> float:
        """Before the next attempt: twice as long each time, never shorter than was asked for."""
        grown_s: float = self.first_wait_s * 2 ** (failures - 1)
        return max(min(grown_s, MOST_WAIT_S), asked_s)


@dataclass
class _Run:
    """What one run of a download has not put into the library yet."""

    about: CandleSet
    symbol: SourceSymbol
    source: CandleSource
    stop: threading.Event
    pages: list[CandlePage] = field(default_factory=list)
    next_flush_s: float = float("-inf")

    def is_due(self) -> bool:
        """Whether it is time to put the pages into the library."""
        bars = sum(len(page.candles) for page in self.pages)
        return bars >= FLUSH_BARS or time.monotonic() >= self.next_flush_s


class CandleDownloads:
    """Commands from the API's threads, runs on the lane of each source: one at a time.

    ``spawn`` runs a call in the background on a lane.
    """

    def __init__(
        self,
        books: Books,
        library: CandleLibrary,
        sources: CandleSources,
        spawn: Callable[[str, Callable[[], None]], None],
        patience: Patience | None = None,
    ) -> None:
        self._books = books
        self._library = library
        self._sources = sources
        self._spawn = spawn
        self._patience = patience or Patience()
        self._lock = threading.RLock()
        self._downloads: dict[str, Download] = {}
        self._stops: dict[str, threading.Event] = {}
        self._is_closing = False

    def load(self) -> None:
        """Take up the list; what an engine that ended was doing is interrupted."""
        with self._books.store.reading() as tx:
            text = tx.find_setting(SETTING)
        try:
            kept = _LIST.validate_json(text) if text else []
        except ValidationError:
            log.warning("the list of downloads cannot be read, and begins anew")
            kept = []
        now = self._books.clock.now()
        for one in kept:
            words = "The engine ended meanwhile."
            is_cut = one.is_active
            self._downloads[one.id] = (
                _ended(one, DownloadState.INTERRUPTED, words, now) if is_cut else one
            )

    def close(self) -> None:
        """Let what runs end at its next page; it is then interrupted."""
        with self._lock:
            self._is_closing = True
            for stop in self._stops.values():
                stop.set()

    def list(self) -> Sequence[Download]:
        """The newest first."""
        with self._lock:
            rows = reversed(self._downloads.values())
            return sorted(rows, key=lambda one: one.asked_at, reverse=True)

    def is_filling(self, set_id: str) -> bool:
        """Whether a download that goes on puts candles into a set."""
        with self._lock:
            return any(one.is_active and one.set_id == set_id for one in self._downloads.values())

    def start(
        self, source_id: str, symbol: str, timeframe: str, since: datetime,
        until: datetime | None, actor: str,
    ) -> Download:  # fmt: skip
        """Begin one. Raises ConfigError naming the field, NotFound, Conflict when the same candles
        are being downloaded."""
        source = self._sources.get(source_id)
        found = source.resolve(symbol)
        if timeframe not in source.timeframes():
            known = ", ".join(source.timeframes()) or "none"
            raise ConfigError(f"{source_id} gives no {timeframe} candles; it gives {known}.",
                              field="timeframe")  # fmt: skip
        now = self._books.clock.now()
        end = min(until or now, now)
        if since >= end:
            raise ConfigError("The begin must be before the end, and in the past.", field="since")
        download = Download(
            id=new_id(), source=source_id, symbol=found.name, timeframe=timeframe, since=since,
            until=end, set_id=_about(source, found, timeframe).id, done_until=since, asked_at=now,
        )  # fmt: skip
        with self._lock:
            if self.is_filling(download.set_id):
                raise Conflict(f"{download.set_id} is being downloaded already.", field="symbol")
            self._begin(download, "candles.download", actor)
        return download

    def cancel(self, download_id: str, actor: str) -> Download:
        """Stop it; what it has is kept. Raises NotFound, Conflict when it has ended."""
        with self._lock:
            download = self._get(download_id)
            if not download.is_active:
                raise Conflict("This download has ended already.")
            self._audit(actor, "candles.cancel", download)
            self._stops[download_id].set()
            return self._put(download, message="It stops after this page.")

    def resume(self, download_id: str, actor: str) -> Download:
        """Go on where it ended. Raises NotFound, Conflict when it runs, or is done."""
        with self._lock:
            download = self._get(download_id)
            if download.state not in RESUMABLE:
                raise Conflict(f"This download is {download.state}: there is nothing to resume.")
            if self.is_filling(download.set_id):
                raise Conflict(f"{download.set_id} is being downloaded already.")
            self._sources.get(download.source)
            waiting = download.model_copy(
                update={"state": DownloadState.WAITING, "message": "", "ended_at": None}
            )
            self._begin(waiting, "candles.resume", actor)
            return waiting

    # --- a run, on the lane of its source

    def _begin(self, download: Download, action: str, actor: str) -> None:
        self._audit(actor, action, download)
        self._stops[download.id] = threading.Event()
        self._downloads[download.id] = download
        self._save()
        self._spawn(f"candles:{download.source}", lambda: self._run(download.id))

    def _run(self, download_id: str) -> None:
        stop = self._stops[download_id]
        download = self._downloads[download_id]
        try:
            source = self._sources.get(download.source)
            found = source.resolve(download.symbol)
            run = _Run(_about(source, found, download.timeframe), found, source, stop)
            self._put(download, state=DownloadState.RUNNING, message="")
            state, message = self._fetch(download_id, run)
        except QuarterdeckError as error:
            state, message = DownloadState.FAILED, error.message
        except Exception:
            log.exception("download %s failed", download_id)
            state, message = DownloadState.FAILED, "It failed unexpectedly; the log says why."
        self._end(download_id, state, message)

    def _fetch(self, download_id: str, run: _Run) -> tuple[DownloadState, str]:
        """Page by page, waiting failures out; how it ended. Raises QuarterdeckError."""
        failures = 0
        since = self._downloads[download_id].done_until
        until = self._downloads[download_id].until
        while True:
            if run.stop.is_set():
                return self._stopped()
            try:
                for page in run.source.fetch(run.symbol, run.about.timeframe, since, until):
                    run.pages.append(page)
                    since, failures = page.until, 0
                    if run.stop.is_set() or run.is_due():
                        self._flush(download_id, run)
                    if run.stop.is_set():
                        return self._stopped()
                self._flush(download_id, run)
                return self._finished(download_id)
            except DataError as error:
                self._flush(download_id, run)
                failures += 1
                asked_s = error.retry_after_s if isinstance(error, SourceBusy) else 0.0
                if failures >= self._patience.attempts or asked_s > LONGEST_PAUSE_S:
                    raise
                wait_s = self._patience.wait_s(failures, asked_s)
                words = f"{error.message} It is tried again in {wait_s:.0f} s."
                self._put(self._downloads[download_id], message=words)
                run.stop.wait(wait_s)
            except QuarterdeckError:
                self._flush(download_id, run)
                raise

    def _flush(self, download_id: str, run: _Run) -> None:
        """Put the pages into the library. Raises StoreError; then they are asked for again."""
        if not run.pages:
            return
        pages, run.pages = run.pages, []
        begun_s = time.monotonic()
        candles = _joined(run.about.timeframe, [page.candles for page in pages])
        download = self._downloads[download_id]
        added = conflicts = 0
        if len(candles):
            report = self._library.merge(run.about, candles)
            added, conflicts = report.added, report.conflicts
        self._put(
            download, bars=download.bars + len(candles), added=download.added + added,
            conflicts=download.conflicts + conflicts, done_until=pages[-1].until, message="",
        )  # fmt: skip
        now_s = time.monotonic()
        run.next_flush_s = now_s + max(self._patience.flush_s, WRITING * (now_s - begun_s))

    def _stopped(self) -> tuple[DownloadState, str]:
        if self._is_closing:
            return DownloadState.INTERRUPTED, "The engine was stopped."
        return DownloadState.CANCELLED, "What was downloaded is kept."

    def _finished(self, download_id: str) -> tuple[DownloadState, str]:
        download = self._downloads[download_id]
        if download.bars:
            return DownloadState.DONE, ""
        raise NotFound(
            f"{download.source} gave no {download.timeframe} candles of {download.symbol} in this"
            " time: is the symbol right, and was it traded then?"
        )

    def _end(self, download_id: str, state: DownloadState, message: str) -> None:
        with self._lock:
            ended = _ended(self._downloads[download_id], state, message, self._books.clock.now())
            self._downloads[download_id] = ended
            self._stops.pop(download_id, None)
        level = Level.ERROR if state is DownloadState.FAILED else Level.INFO
        words = f"Download of {ended.set_id}: {state}, {ended.bars:,} candles. {message}"
        try:
            self._save()
            with self._books.writing() as writing:
                writing.event(level, f"candles.{state}", words.strip())
        except QuarterdeckError as error:
            log.warning("the end of a download could not be written: %s", error)

    # --- the list

    def _get(self, download_id: str) -> Download:
        try:
            return self._downloads[download_id]
        except KeyError:
            raise NotFound(f"There is no download '{download_id}'.", field="id") from None

    def _put(self, download: Download, **changes: Any) -> Download:
        with self._lock:
            changed = download.model_copy(update=changes)
            self._downloads[download.id] = changed
        self._save()
        return changed

    def _save(self) -> None:
        """Keep the newest of the list; those that go on are never dropped."""
        with self._lock:
            rows = list(self.list())
            for old in [one for one in rows if not one.is_active][KEPT:]:
                del self._downloads[old.id]
            text = _LIST.dump_json(list(self.list())).decode()
            with self._books.writing() as writing:
                writing.tx.put_setting(SETTING, text)

    def _audit(self, actor: str, action: str, download: Download) -> None:
        detail: Mapping[str, Any] = {
            "source": download.source, "since": download.since.isoformat(),
            "until": download.until.isoformat(),
        }  # fmt: skip
        with self._books.writing() as writing:
            writing.audit(actor, action, download.set_id, **detail)


def _about(source: CandleSource, found: SourceSymbol, timeframe: str) -> CandleSet:
    try:
        return CandleSet(symbol=found.symbol, timeframe=timeframe, source=source.source_id,
                         kind=found.kind, prices=source.prices)  # fmt: skip
    except ValidationError as error:
        raise ConfigError(f"'{found.symbol}' cannot be the name of a candle file.",
                          field="symbol") from error  # fmt: skip


def _ended(download: Download, state: DownloadState, message: str, now: datetime) -> Download:
    return download.model_copy(update={"state": state, "message": message, "ended_at": now})


def _joined(timeframe: str, parts: list[Candles]) -> Candles:
    columns = ("time", "open", "high", "low", "close", "volume")
    return Candles(
        timeframe, *(np.concatenate([getattr(part, name) for part in parts]) for name in columns)
    )
