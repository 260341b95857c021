"""``candles ...``: the candle library. Files are files: only downloads need a running engine."""

import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer
from pydantic import BaseModel, TypeAdapter, ValidationError

from engine.cli.context import Desk, desk_of
from engine.cli.failures import BadInput, Failure, NotRunning
from engine.cli.output import moment, pairs, table
from engine.domain.candle_downloads import Download, DownloadState
from engine.domain.instruments import InstrumentKind
from engine.errors import ConfigError, NotFound, QuarterdeckError

if TYPE_CHECKING:
    from engine.domain.candle_checks import CandleReport
    from engine.domain.candle_sets import StoredSet
    from engine.ports import CandleLibrary
    from engine.services.candle_imports import CandleImports

LOOK_EVERY_S = 0.5
GAPS_LISTED = 20

SetId = Annotated[str, typer.Argument(metavar="ID", help="as 'candles list' shows it")]
Symbol = Annotated[str, typer.Option(help="as BTC-USDT or IBM [as the file's name says]")]
Timeframe = Annotated[str | None, typer.Option(help="as 1h [the smallest distance of rows]")]
Kind = Annotated[InstrumentKind | None, typer.Option(help="stock and forex markets close at night")]
Repair = Annotated[bool, typer.Option("--repair", help="sort; leave out what is there twice")]
Dry = Annotated[bool, typer.Option("--dry-run", help="show what would be imported, keep nothing")]
Since = Annotated[str, typer.Option(help="first day or time (UTC), as 2024-01-01")]
Until = Annotated[str | None, typer.Option(help="end, exclusive [now]")]
Source = Annotated[str, typer.Option(help="ccxt:EXCHANGE, alpaca, yahoo, or their :adjusted")]
Name = Annotated[str, typer.Option("--symbol", help="as the source names it: BTC/USDT, AAPL")]
Length = Annotated[str, typer.Option("--timeframe", help="candle length, as 1h")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="do not wait for its end")]


def build() -> typer.Typer:
    """The group of commands about candles."""
    group = typer.Typer(help="Candle files: list, import, download, check.", rich_markup_mode=None)
    commands = (("list", list_sets), ("import", import_file), ("download", download),
                ("check", check), ("delete", delete))  # fmt: skip
    for name, command in commands:
        group.command(name)(command)
    return group


def list_sets(ctx: typer.Context) -> None:
    """What is in the library, and how complete it is."""
    desk = desk_of(ctx)
    found = _library(desk)[0].list()
    head = ("id", "source", "candles", "from (UTC)", "to (UTC)", "coverage", "gaps", "")
    rows = [_row(one) for one in found]
    empty = "No candles yet; see 'python -m engine candles download --help' and 'import --help'."
    desk.printer.show(_plain(found), table(head, rows, empty))


def check(ctx: typer.Context, candles: SetId) -> None:
    """Problems and gaps of one candle set."""
    desk = desk_of(ctx)
    library, _ = _library(desk)
    with _sentences():
        entry = library.get(candles)
        if entry.about is None:
            raise ConfigError(entry.error, field="id")
        read = library.read(candles)
    from engine.domain.candle_checks import inspect, raw_of

    report = inspect(raw_of(read), read.timeframe, entry.about.kind)
    desk.printer.show(_plain(report), _report_lines(report))


def import_file(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV: MetaTrader, TradingView, Binance, Yahoo, ...")],
    symbol: Symbol = "",
    timeframe: Timeframe = None,
    kind: Kind = None,
    repair: Repair = False,
    dry_run: Dry = False,
) -> None:
    """Import a file of another program. What is wrong with it is shown; errors refuse it."""
    from engine.services.candle_imports import Wish

    desk = desk_of(ctx)
    if not file.is_file():
        raise BadInput(f"There is no file {file}.")
    _, imports = _library(desk)
    wish = Wish(symbol, timeframe, kind)
    with _sentences():
        if dry_run:
            found = imports.inspect(file, file.name, wish)
            lines = [f"{found.format}, {found.symbol or 'no symbol'} ({found.kind})",
                     *found.notes, *_report_lines(found.report)]  # fmt: skip
            desk.printer.show(_plain(found), lines)
            return
        done = imports.confirm(file, file.name, wish, is_repaired=repair)
    words = f"{done.rows:,} candles imported into {done.set_id}: {done.merged.added:,} new"
    if done.merged.conflicts:
        words += f", {done.merged.conflicts:,} replaced by other numbers"
    desk.printer.show(_plain(done), [f"{words}.", *_report_lines(done.report)])


def download(
    ctx: typer.Context,
    source: Source,
    symbol: Name,
    timeframe: Length,
    since: Since,
    until: Until = None,
    no_wait: NoWait = False,
) -> None:
    """Download candles, in the engine; Ctrl-C here lets it go on there."""
    desk = desk_of(ctx)
    request = {"source": source, "symbol": symbol, "timeframe": timeframe,
               "since": _moment(since, "--since"),
               "until": _moment(until, "--until") if until else None}  # fmt: skip
    begun = Download.model_validate(desk.engine.post("/candles/downloads", request))
    ended = begun if no_wait else _followed(desk, begun)
    if ended.state is DownloadState.FAILED:
        raise Failure(f"The download failed: {ended.message} What came before is kept in"
                      f" {ended.set_id}.", "download_failed")  # fmt: skip
    words = f"{ended.set_id}: {ended.state}, {ended.bars:,} candles, {ended.added:,} new."
    desk.printer.show(_plain(ended), [words])


def delete(ctx: typer.Context, candles: SetId) -> None:
    """Delete a candle set's file for good."""
    desk = desk_of(ctx)
    try:  # an engine knows which bots replay it
        desk.engine.delete(f"/candles/{quote(candles, safe='')}")
    except NotRunning:
        with _sentences():
            _library(desk)[0].delete(candles)
    desk.printer.show({"deleted": candles}, [f"{candles} is deleted."])


def _library(desk: Desk) -> "tuple[CandleLibrary, CandleImports]":
    from engine.bootstrap_candles import build_candles  # slow to load

    return build_candles(desk.settings)


@contextlib.contextmanager
def _sentences() -> Iterator[None]:
    """The library's refusals as those of a command."""
    try:
        yield
    except (ConfigError, NotFound) as error:
        details = [{"field": error.field, "message": error.message}] if error.field else []
        raise BadInput(error.message, error.code, details) from error
    except QuarterdeckError as error:
        raise Failure(error.message, error.code) from error


def _followed(desk: Desk, begun: Download) -> Download:
    """The download once it has ended."""
    listing = TypeAdapter(list[Download])
    while True:
        time.sleep(LOOK_EVERY_S)
        rows = listing.validate_python(desk.engine.get("/candles/downloads"))
        now = next((one for one in rows if one.id == begun.id), None)
        if now is None:
            raise Failure("The engine does not know this download any more.", "download_lost")
        if not now.is_active:
            return now


def _moment(words: str, option: str) -> str:
    try:
        found: datetime = TypeAdapter(datetime).validate_python(words)
    except ValidationError:
        raise BadInput(f"{option}: '{words}' is not a day or time such as 2024-01-31.") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat()


def _row(one: "StoredSet") -> tuple[str, ...]:
    if one.span is None or one.about is None:
        return one.id, "-", "-", "-", "-", "-", "-", one.error
    span = one.span
    return (
        one.id, one.about.source, f"{span.rows:,}", moment(span.first.isoformat()),
        moment(span.last.isoformat()), f"{span.coverage:.2%}", str(span.gap_count), "",
    )  # fmt: skip


def _report_lines(report: "CandleReport") -> list[str]:
    rows = [("rows", f"{report.rows:,}"), ("timeframe", report.timeframe or "-")]
    if report.span is not None:
        span = report.span
        rows += [
            ("from", f"{moment(span.first.isoformat())} UTC"),
            ("to", f"{moment(span.last.isoformat())} UTC"),
            ("coverage", f"{span.coverage:.2%}"),
        ]
    lines = pairs(rows)
    for one in report.problems:
        lines.append(f"{one.severity}: {one.words} ({one.count:,}).")
        lines += [f"  line {example.line}: {example.text}" for example in one.examples]
    holes = [gap for gap in report.gaps if not gap.is_closed_day]
    lines += [f"  {gap.since:%Y-%m-%d %H:%M} to {gap.until:%Y-%m-%d %H:%M}: {gap.missing:,}"
              for gap in holes[:GAPS_LISTED]]  # fmt: skip
    return lines


def _plain(value: BaseModel | list[Any] | tuple[Any, ...] | Any) -> Any:
    return TypeAdapter(Any).dump_python(value, mode="json")
