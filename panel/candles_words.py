"""Candle sets, reports and downloads in words. Pure."""

from datetime import datetime

from engine.contracts.candles import (
    CandleReport,
    CandleSet,
    Download,
    DownloadState,
    Gap,
    Problem,
    Severity,
    StoredSet,
)
from panel.format import NONE, duration, moment
from panel.record_tables import Column

SEVERITIES = {
    Severity.ERROR: ("cannot be used", "red"),
    Severity.REPAIRABLE: ("can be repaired", "orange"),
    Severity.WARNING: ("to know", "blue"),
}
STATES = {
    DownloadState.WAITING: "blue", DownloadState.RUNNING: "green", DownloadState.DONE: "gray",
    DownloadState.FAILED: "red", DownloadState.CANCELLED: "orange",
    DownloadState.INTERRUPTED: "orange",
}  # fmt: skip
PREFIXES = {"ccxt": "{} through ccxt", "import": "a file of yours"}


def source_words(about: CandleSet) -> str:
    """Where candles are from, and what was done to their prices."""
    kind, _, name = about.source.partition(":")
    words = PREFIXES.get(kind, kind.capitalize()).format(name.capitalize())
    return words if about.prices == "as given" else f"{words}, {about.prices}"


def share(fraction: float) -> str:
    """A coverage, never rounded up to all: ``99.99 %``."""
    hundredths = int(fraction * 10_000) if fraction < 1 else 10_000
    return f"{hundredths / 100:.2f} %"


def size(size_bytes: int) -> str:
    """``1.4 MB``."""
    if size_bytes < 100_000:
        return f"{size_bytes / 1000:.1f} kB"
    return f"{size_bytes / 1_000_000:.1f} MB"


def problem_words(problem: Problem) -> str:
    """``A row is there twice (3 times).``"""
    times = "once" if problem.count == 1 else f"{problem.count:,} times"
    if problem.severity is Severity.WARNING or problem.kind in ("few", "timeframe"):
        return f"{problem.words}."
    return f"{problem.words} ({times})."


def verdict(report: CandleReport) -> tuple[str, str]:
    """What a report comes to, and its colour."""
    if report.is_refused:
        return "This file cannot be used as it is.", "red"
    if report.needs_repair:
        return "This file can be used once it is repaired.", "orange"
    if report.problems:
        return "This file can be used; candles are missing in it.", "blue"
    return "Nothing is wrong with this file.", "green"


def download_words(download: Download) -> str:
    """How far it is, or how it ended."""
    if not download.bars:
        return "no candles yet" if download.is_active else "no candles"
    words = f"{download.bars:,} candles, {download.added:,} of them new"
    if download.conflicts:
        words += f", {download.conflicts:,} other than before"
    if download.is_active and download.bars:
        words += f", until {moment(download.done_until)} UTC"
    return words


def gap_span(gap: Gap) -> str:
    """How long a gap lasts."""
    return duration((gap.until - gap.since).total_seconds())


def _first(one: StoredSet) -> datetime | None:
    return one.span.first if one.span else None


def _last(one: StoredSet) -> datetime | None:
    return one.span.last if one.span else None


SET_COLUMNS: tuple[Column[StoredSet], ...] = (
    Column("Candles of", lambda one: one.about.symbol if one.about else one.id),
    Column("Length", lambda one: one.about.timeframe if one.about else NONE),
    Column("Source", lambda one: source_words(one.about) if one.about else NONE),
    Column("Candles", lambda one: one.span.rows if one.span else None, "{:,.0f}".format),
    Column("From (UTC)", _first, moment),
    Column("To (UTC)", _last, moment),
    Column("Coverage", lambda one: one.span.coverage if one.span else None, share),
    Column("Gaps", lambda one: one.span.gap_count if one.span else None, "{:,.0f}".format),
    Column("Missing", lambda one: one.span.missing if one.span else None, "{:,.0f}".format),
    Column("Size", lambda one: one.size_bytes, size),
    Column("Problem", lambda one: one.error or NONE),
    Column("Id", lambda one: one.id),
)

GAP_COLUMNS: tuple[Column[Gap], ...] = (
    Column("From (UTC)", lambda one: one.since, moment),
    Column("Until (UTC)", lambda one: one.until, moment),
    Column("Missing", lambda one: one.missing, "{:,.0f}".format),
    Column("Lasts", gap_span),
    Column("What", lambda one: "closed day" if one.is_closed_day else "gap"),
)
