"""Importing candle files in two steps: what is in it is shown before anything is kept."""

import re
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from engine.domain.candle_checks import CandleReport, RawCandles, inspect, repair
from engine.domain.candle_sets import STEM, CandleSet, MergeReport, kind_of
from engine.domain.instruments import InstrumentKind
from engine.domain.money import to_epoch_ms
from engine.domain.timeframes import SECONDS
from engine.errors import ConfigError, NotFound
from engine.ports import CandleLibrary, CandleReader, Clock

UPLOADS = ".uploads"
KEPT_S = 3600.0
UPLOAD_ID = re.compile(r"^[0-9a-f]{32}$")
QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "USD", "EUR", "GBP", "BTC", "ETH", "BNB", "TRY")
GLUED = re.compile(rf"^([A-Z0-9]{{2,10}}?)({'|'.join(QUOTES)})(?=[^A-Z]|$)")
LENGTH = re.compile(r"(?<![0-9a-zA-Z])(\d+[smhd])(?![a-zA-Z])")


class ImportPreview(BaseModel):
    """What was found in a file, and what it is taken for. Nothing is kept yet."""

    model_config = ConfigDict(frozen=True)

    format: str
    notes: tuple[str, ...]
    symbol: str
    kind: InstrumentKind
    report: CandleReport


class ImportResult(BaseModel):
    """What an import has put into the library."""

    model_config = ConfigDict(frozen=True)

    set_id: str
    rows: int
    merged: MergeReport
    report: CandleReport


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person says a file is; empty fields are told from the file and its name."""

    symbol: str = ""
    timeframe: str | None = None
    kind: InstrumentKind | None = None


class CandleImports:
    """Imports files of other programs into the library. Files that the panel sent are kept in the
    library's folder for an hour, until they are imported."""

    def __init__(
        self, folder: Path, library: CandleLibrary, reader: CandleReader, clock: Clock
    ) -> None:
        self._uploads = folder / UPLOADS
        self._library = library
        self._reader = reader
        self._clock = clock

    def new_upload(self) -> tuple[str, Path]:
        """An id, and where to put what is sent. Old uploads go. Raises OSError."""
        self._uploads.mkdir(parents=True, exist_ok=True)
        for old in self._uploads.iterdir():
            if time.time() - old.stat().st_mtime > KEPT_S:
                old.unlink(missing_ok=True)
        upload_id = uuid.uuid4().hex
        return upload_id, self._uploads / upload_id

    def upload(self, upload_id: str) -> Path:
        """Where it is. Raises NotFound for one that is gone."""
        path = self._uploads / upload_id
        if not UPLOAD_ID.match(upload_id) or not path.is_file():
            raise NotFound("This upload is gone: choose the file again.", field="file")
        return path

    def inspect(self, path: Path, name: str, wish: Wish) -> ImportPreview:
        """What is in a file and what is wrong with it; ``name`` is what it was called. Raises
        ConfigError when no candles are recognised."""
        _, preview = self._look(path, name, wish)
        return preview

    def confirm(self, path: Path, name: str, wish: Wish, *, is_repaired: bool) -> ImportResult:
        """Put a file's candles into the library, repaired when that was asked for.

        Raises ConfigError for a file with errors, with problems that nobody asked to repair, or
        without a symbol; Conflict, StoreError as the library does.
        """
        raw, found = self._look(path, name, wish)
        about = _about(found)
        report = found.report
        if report.is_refused:
            raise ConfigError(f"This file cannot be imported: {_words(report, 'error')}",
                              field="file")  # fmt: skip
        if report.needs_repair and not is_repaired:
            raise ConfigError(
                f"This file needs a repair: {_words(report, 'repairable')} Ask for it to sort the"
                " rows and to leave out what is there twice or not finished.", field="repair",
            )  # fmt: skip
        candles = repair(raw, report, to_epoch_ms(self._clock.now()))
        if not len(candles):
            raise ConfigError("None of these candles is finished yet.", field="file")
        merged = self._library.merge(about, candles)
        return ImportResult(set_id=about.id, rows=len(candles), merged=merged, report=report)

    def _look(self, path: Path, name: str, wish: Wish) -> tuple[RawCandles, ImportPreview]:
        table = self._reader.read(path)
        symbol, timeframe = guess(name)
        symbol = wish.symbol.strip().upper().replace("-", "/") or symbol
        kind = wish.kind or kind_of(symbol)
        now_ms = to_epoch_ms(self._clock.now())
        report = inspect(table.raw, wish.timeframe or timeframe, kind, now_ms)
        preview = ImportPreview(
            format=table.title, notes=table.notes, symbol=symbol, kind=kind, report=report
        )
        return table.raw, preview


def guess(name: str) -> tuple[str, str | None]:
    """Symbol and timeframe that a file's name tells: ``ETH-BTC.5m.csv``, ``BTCUSDT-1m-2024.csv``,
    ``EURUSD=X.csv``; empty and None where it does not."""
    stem = Path(name).stem.upper()
    ours = STEM.match(Path(name).stem)
    found = LENGTH.search(Path(name).stem)
    timeframe = found[1] if found and found[1] in SECONDS else None
    if ours and ours["timeframe"]:
        return ours["symbol"].upper().replace("-", "/"), timeframe
    glued = GLUED.match(stem)
    if glued:
        return f"{glued[1]}/{glued[2]}", timeframe
    if ours and len(stem) <= 12:
        return ours["symbol"].upper().replace("-", "/"), timeframe
    return "", timeframe


def _about(found: ImportPreview) -> CandleSet:
    if not found.symbol:
        raise ConfigError("Say which symbol this is, as BTC-USDT or IBM.", field="symbol")
    try:
        return CandleSet(symbol=found.symbol, timeframe=found.report.timeframe or "",
                         kind=found.kind)  # fmt: skip
    except ValidationError as error:
        place = str(error.errors()[0]["loc"][0])
        words = f"Say how long these candles are ({place})."
        if place == "symbol":
            words = f"'{found.symbol[:40]}' is not a symbol such as BTC-USDT or IBM."
        raise ConfigError(words, field=place) from error


def _words(report: CandleReport, severity: str) -> str:
    """The problems in sentences, each with its first place."""
    parts = []
    for one in report.problems:
        if one.severity == severity:
            first = one.examples[0] if one.examples else None
            where = f" (line {first.line}: {first.text})" if first and first.line else ""
            times = f", {one.count:,} times" if one.count > 1 else ""
            parts.append(f"{one.words}{times}{where}.")
    return " ".join(parts)
