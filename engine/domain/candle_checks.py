"""What is wrong with rows that are meant to be candles, in words and numbers; and their repair.

Nothing is judged in silence: an error refuses the rows, a repairable problem refuses them until
somebody asks for the repair, a warning (gaps) is shown.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from pydantic import BaseModel, ConfigDict

from engine.domain.candle_gaps import Gap, find_gaps
from engine.domain.candle_sets import Span
from engine.domain.candles import BoolArray, Candles, FloatArray, IntArray
from engine.domain.instruments import InstrumentKind
from engine.domain.money import UtcDatetime, from_epoch_ms
from engine.domain.timeframes import SECONDS, timeframe_s

FIRST_MS, LAST_MS = 0, 4_102_444_800_000  # 1970 to 2100
NO_TIME = -1
FEWEST = 2
EXAMPLES = 5
GAPS_SHOWN = 500
GAPS_KEPT = 40
PRICES = ("open", "high", "low", "close")
NUMBERS = (*PRICES, "volume")


class Severity(StrEnum):
    """What a problem means for the rows."""

    ERROR = "error"
    REPAIRABLE = "repairable"
    WARNING = "warning"


class Example(BaseModel):
    """Where a problem is seen. ``line`` counts the file's lines from 1; 0: it has none."""

    model_config = ConfigDict(frozen=True)

    line: int
    time: UtcDatetime | None
    text: str


class Problem(BaseModel):
    """One kind of problem, how often, and the first places."""

    model_config = ConfigDict(frozen=True)

    kind: str
    severity: Severity
    count: int
    words: str
    examples: tuple[Example, ...] = ()


class CandleReport(BaseModel):
    """All that was found. The span is that of the rows as they would be kept; None without any."""

    model_config = ConfigDict(frozen=True)

    rows: int
    timeframe: str | None
    problems: tuple[Problem, ...]
    span: Span | None
    gaps: tuple[Gap, ...] = ()

    @property
    def is_refused(self) -> bool:
        """Whether no repair helps."""
        return any(one.severity is Severity.ERROR for one in self.problems)

    @property
    def needs_repair(self) -> bool:
        """Whether they can be used once they are sorted and freed of duplicates."""
        return any(one.severity is Severity.REPAIRABLE for one in self.problems)


@dataclass(frozen=True, slots=True)
class RawCandles:
    """Rows as they came. ``time`` is NO_TIME and a number NaN where the cell could not be read;
    ``line`` is each row's line in its file. ``text`` gives a cell as it was written."""

    time: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    line: IntArray
    text: Callable[[int, str], str] | None = None

    def __len__(self) -> int:
        return len(self.time)

    def numbers(self) -> tuple[FloatArray, ...]:
        """Open to volume."""
        return self.open, self.high, self.low, self.close, self.volume

    def cell(self, row: int, name: str) -> str:
        """A cell as it was written, or as it was understood."""
        return self.text(row, name) if self.text else str(getattr(self, name)[row])


def raw_of(candles: Candles) -> RawCandles:
    """Candles as rows to be looked at."""
    lines = np.arange(1, len(candles) + 1, dtype=np.int64)
    return RawCandles(candles.time, candles.open, candles.high, candles.low, candles.close,
                      candles.volume, lines)  # fmt: skip


def inspect(
    raw: RawCandles, timeframe: str | None, kind: InstrumentKind, now_ms: int | None = None
) -> CandleReport:
    """Everything that is wrong with ``raw``. Without a ``timeframe`` it is the smallest distance
    between two rows; ``now_ms`` tells which candle is not finished yet. Raises nothing."""
    problems = [*_cell_problems(raw), *_order_problems(raw)]
    kept = _sorted_once(raw)
    found = timeframe or _smallest_step(kept.time)
    problems += _length_problems(kept, timeframe, found)
    if found is not None and now_ms is not None:
        problems += _unfinished(kept, found, now_ms)
    span: Span | None = None
    gaps: tuple[Gap, ...] = ()
    if found is not None and len(kept) >= FEWEST:
        closes = kind is not InstrumentKind.CRYPTO
        span, gaps, warnings = _coverage(kept.time, found, closes)
        problems += warnings
    return CandleReport(
        rows=len(raw), timeframe=found, problems=tuple(problems), span=span, gaps=gaps
    )


def repair(raw: RawCandles, report: CandleReport, now_ms: int | None = None) -> Candles:
    """The rows in order, without exact duplicates and without a candle that is not finished.

    Raises ValueError when the report says that no repair helps.
    """
    if report.is_refused or report.timeframe is None:
        raise ValueError("these rows cannot be repaired")
    kept = _sorted_once(raw)
    candles = Candles(report.timeframe, kept.time, *kept.numbers())
    if now_ms is None:
        return candles
    closed = int(np.searchsorted(kept.time, now_ms - timeframe_s(report.timeframe) * 1000, "right"))
    return candles[:closed]


def span_of(candles: Candles, kind: InstrumentKind) -> Span:
    """What sound candles cover. Raises ValueError for none at all."""
    if not len(candles):
        raise ValueError("no candles")
    return _coverage(candles.time, candles.timeframe, kind is not InstrumentKind.CRYPTO)[0]


def clean_page(rows: RawCandles, timeframe: str, since_ms: int, end_ms: int) -> Candles:
    """A source's answer as candles: those that open in [since, end), in order, each once.

    A candle told twice counts as it was told last. Raises ValueError for what no candle can be.
    """
    inside = np.flatnonzero((rows.time >= since_ms) & (rows.time < end_ms))
    time = rows.time[inside][::-1]
    _, newest = np.unique(time, return_index=True)
    chosen = inside[::-1][newest]
    page = _taken(rows, chosen)
    wrong = next(_cell_problems(page), None)
    if wrong is not None:
        raise ValueError(f"{wrong.words}: {wrong.examples[0].text}")
    return Candles(timeframe, page.time, *page.numbers())


# --- one row by itself


def _cell_problems(raw: RawCandles) -> Iterator[Problem]:
    """What cannot be true of a single row; each row is named for its first problem only."""
    if not len(raw):
        return
    with np.errstate(invalid="ignore"):
        top, bottom = np.maximum(raw.open, raw.close), np.minimum(raw.open, raw.close)
        looks: tuple[tuple[str, BoolArray, str, tuple[str, ...]], ...] = (
            ("time", (raw.time < FIRST_MS) | (raw.time > LAST_MS),
             "The time cannot be read, or is not between 1970 and 2100", ("time",)),
            ("number", ~np.logical_and.reduce([np.isfinite(one) for one in raw.numbers()]),
             "A price or the volume is no number", NUMBERS),
            ("price", np.minimum(raw.low, bottom) <= 0, "A price is not above zero", PRICES),
            ("range", (raw.high < top) | (raw.low > bottom) | (raw.high < raw.low),
             "Open and close do not lie between low and high", PRICES),
            ("volume", raw.volume < 0, "The volume is negative", ("volume",)),
        )  # fmt: skip
    blamed = np.zeros(len(raw), dtype=np.bool_)
    for kind, is_wrong, words, cells in looks:
        fresh = is_wrong & ~blamed
        blamed |= is_wrong
        if fresh.any():
            rows = np.flatnonzero(fresh)
            yield _problem(raw, kind, Severity.ERROR, words, rows, cells)


# --- rows among each other


def _order_problems(raw: RawCandles) -> Iterator[Problem]:
    timed = np.flatnonzero(raw.time != NO_TIME)
    backwards = timed[1:][np.diff(raw.time[timed]) < 0]
    if len(backwards):
        yield _problem(raw, "order", Severity.REPAIRABLE,
                       "A row is earlier than the row before it", backwards, ("time",))  # fmt: skip
    order = timed[np.argsort(raw.time[timed], kind="stable")]
    again = order[1:][np.diff(raw.time[order]) == 0]
    if not len(again):
        return
    first = order[np.searchsorted(raw.time[order], raw.time[again], "left")]
    differs = np.logical_or.reduce([one[again] != one[first] for one in raw.numbers()])
    if differs.any():
        pairs = list(zip(again[differs], first[differs], strict=True))
        examples = tuple(
            _example(raw, int(row), f"{_cells(raw, int(row), NUMBERS)}; line {raw.line[earlier]} "
                     f"has {_cells(raw, int(earlier), NUMBERS)}")
            for row, earlier in pairs[:EXAMPLES]
        )  # fmt: skip
        yield Problem(
            kind="contradiction", severity=Severity.ERROR, count=len(pairs), examples=examples,
            words="Two rows have the same time and different numbers",
        )  # fmt: skip
    if not differs.all():
        yield _problem(raw, "duplicate", Severity.REPAIRABLE, "A row is there twice",
                       again[~differs], ("time",))  # fmt: skip


def _sorted_once(raw: RawCandles) -> RawCandles:
    """The rows that have a time, in order, the first of each time."""
    if bool((np.diff(raw.time, prepend=NO_TIME) > 0).all()):
        return raw
    timed = np.flatnonzero(raw.time != NO_TIME)
    _, first = np.unique(raw.time[timed], return_index=True)
    return _taken(raw, timed[first])


def _taken(raw: RawCandles, rows: IntArray) -> RawCandles:
    def text(row: int, name: str) -> str:
        return raw.cell(int(rows[row]), name)

    return RawCandles(
        raw.time[rows], raw.open[rows], raw.high[rows], raw.low[rows], raw.close[rows],
        raw.volume[rows], raw.line[rows], text,
    )  # fmt: skip


def _smallest_step(time: IntArray) -> str | None:
    if len(time) < FEWEST:
        return None
    by_ms = {seconds * 1000: name for name, seconds in SECONDS.items()}
    return by_ms.get(int(np.diff(time).min()))


def _length_problems(kept: RawCandles, named: str | None, found: str | None) -> Iterator[Problem]:
    if len(kept) < FEWEST:
        yield Problem(
            kind="few", severity=Severity.ERROR, count=len(kept),
            words=f"There are {len(kept)} candles, and at least {FEWEST} are needed",
        )  # fmt: skip
        return
    steps = np.diff(kept.time)
    if found is None:
        yield Problem(
            kind="timeframe", severity=Severity.ERROR, count=1,
            words=f"Candles {int(steps.min()) / 1000:g} s apart are of no known length; "
            f"known are {', '.join(SECONDS)}",
        )  # fmt: skip
        return
    close = np.flatnonzero(steps < timeframe_s(found) * 1000) + 1
    if len(close):
        words = f"Rows are less than {found} apart; are these {named} candles?"
        yield _problem(kept, "timeframe", Severity.ERROR, words, close, ("time",))


def _unfinished(kept: RawCandles, timeframe: str, now_ms: int) -> Iterator[Problem]:
    late = np.flatnonzero(kept.time + timeframe_s(timeframe) * 1000 > now_ms)
    if len(late):
        words = "The candle is not finished yet, and is left out"
        yield _problem(kept, "unfinished", Severity.REPAIRABLE, words, late, ("time",))


def _coverage(
    time: IntArray, timeframe: str, closes: bool
) -> tuple[Span, tuple[Gap, ...], list[Problem]]:
    gaps = find_gaps(time, timeframe_s(timeframe) * 1000, closes=closes)
    counted = ~gaps.is_closed_day
    missing, holes = int(gaps.missing[counted].sum()), int(counted.sum())
    span = Span(
        rows=len(time), first=from_epoch_ms(int(time[0])), last=from_epoch_ms(int(time[-1])),
        gap_count=holes, missing=missing, closed_days=int((~counted).sum()),
        coverage=len(time) / (len(time) + missing),
        gaps=tuple(gaps.rows(GAPS_KEPT, closed_days=False)),
    )  # fmt: skip
    if not holes:
        return span, tuple(gaps.rows(GAPS_SHOWN)), []
    apart = "; nights and weekends are not counted" if closes else ""
    candles = "candle is" if missing == 1 else "candles are"
    places = "gap" if holes == 1 else "gaps"
    words = f"{missing:,} {candles} missing in {holes:,} {places}{apart}"
    problem = Problem(kind="gap", severity=Severity.WARNING, count=holes, words=words)
    return span, tuple(gaps.rows(GAPS_SHOWN)), [problem]


# --- words


def _problem(
    raw: RawCandles, kind: str, severity: Severity, words: str, rows: IntArray,
    cells: tuple[str, ...],
) -> Problem:  # fmt: skip
    examples = tuple(_example(raw, int(row), _cells(raw, int(row), cells))
                     for row in rows[:EXAMPLES])  # fmt: skip
    return Problem(kind=kind, severity=severity, count=len(rows), words=words, examples=examples)


def _example(raw: RawCandles, row: int, text: str) -> Example:
    time = int(raw.time[row])
    moment = from_epoch_ms(time) if FIRST_MS <= time <= LAST_MS else None
    return Example(line=int(raw.line[row]), time=moment, text=text)


def _cells(raw: RawCandles, row: int, names: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {raw.cell(row, name)[:40]}" for name in names)
