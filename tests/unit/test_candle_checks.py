"""Every defect of candle rows is found, named and placed; what can be repaired is, and no more."""

from dataclasses import replace

import numpy as np
import pytest

from engine.domain.candle_checks import (
    NO_TIME,
    CandleReport,
    RawCandles,
    Severity,
    clean_page,
    inspect,
    raw_of,
    repair,
    span_of,
)
from engine.domain.candle_merge import merge_candles
from engine.domain.candles import empty_candles
from engine.domain.instruments import InstrumentKind
from tests.support.candle_rows import MONDAY_MS, candles_of, without

HOUR = 3_600_000
CRYPTO = InstrumentKind.CRYPTO


def rows(count: int = 6) -> RawCandles:
    """Sound rows, which begin in line 2."""
    raw = raw_of(candles_of([100.0 + number for number in range(count)]))
    return replace(raw, line=raw.line + 1, open=raw.open.copy(), high=raw.high.copy(),
                   low=raw.low.copy(), close=raw.close.copy(), volume=raw.volume.copy(),
                   time=raw.time.copy())  # fmt: skip


def taken(raw: RawCandles, order: list[int]) -> RawCandles:
    """Those rows in that order, numbered anew."""
    at = np.array(order)
    return RawCandles(raw.time[at], raw.open[at], raw.high[at], raw.low[at], raw.close[at],
                      raw.volume[at], np.arange(2, len(at) + 2))  # fmt: skip


def kinds(report: CandleReport) -> dict[str, int]:
    return {one.kind: one.count for one in report.problems}


def test_sound_rows_have_no_problem() -> None:
    report = inspect(rows(), None, CRYPTO)
    assert report.problems == ()
    assert (report.timeframe, report.is_refused, report.needs_repair) == ("1h", False, False)
    assert report.span is not None
    assert (report.span.rows, report.span.coverage) == (6, 1)


@pytest.mark.parametrize(
    ("column", "value", "kind", "words"),
    [
        ("close", np.nan, "number", "no number"),
        ("high", np.inf, "number", "no number"),
        ("volume", np.nan, "number", "no number"),
        ("low", -1.0, "price", "not above zero"),
        ("open", 0.0, "price", "not above zero"),
        ("high", 1.0, "range", "between low and high"),
        ("low", 103.5, "range", "between low and high"),
        ("volume", -5.0, "volume", "negative"),
        ("time", NO_TIME, "time", "cannot be read"),
        ("time", 5_000_000_000_000, "time", "1970 and 2100"),
    ],
)
def test_a_cell_that_cannot_be_is_an_error_with_its_line(
    column: str, value: float, kind: str, words: str
) -> None:
    raw = rows()
    getattr(raw, column)[3] = value
    report = inspect(raw, "1h", CRYPTO)
    [problem] = [one for one in report.problems if one.severity is Severity.ERROR]
    assert (problem.kind, problem.count) == (kind, 1)
    assert words in problem.words
    assert problem.examples[0].line == 5
    assert column in problem.examples[0].text
    assert report.is_refused
    with pytest.raises(ValueError, match="cannot be repaired"):
        repair(raw, report)


def test_unordered_rows_and_exact_duplicates_are_repaired_and_never_silently() -> None:
    raw = taken(rows(), [0, 2, 1, 3, 3, 4, 5, 5])
    report = inspect(raw, None, CRYPTO)
    assert kinds(report) == {"order": 1, "duplicate": 2}
    assert report.needs_repair
    assert not report.is_refused
    assert [one.line for one in report.problems[0].examples] == [4]
    fixed = repair(raw, report)
    assert list(fixed.open) == [100, 101, 102, 103, 104, 105]
    assert inspect(raw_of(fixed), "1h", CRYPTO).problems == ()


def test_contradictory_duplicates_are_refused_with_both_lines() -> None:
    raw = taken(rows(), [0, 1, 2, 1])
    raw.close[3] = 101.5
    report = inspect(raw, "1h", CRYPTO)
    [problem] = [one for one in report.problems if one.kind == "contradiction"]
    assert problem.severity is Severity.ERROR
    assert problem.examples[0].line == 5
    assert "close 101.5" in problem.examples[0].text
    assert "line 3 has open 101" in problem.examples[0].text


def test_gaps_are_a_warning_and_are_listed() -> None:
    report = inspect(raw_of(without(candles_of(range(10, 30)), 5, 6, 12)), "1h", CRYPTO)
    assert kinds(report) == {"gap": 2}
    assert report.problems[0].severity is Severity.WARNING
    assert report.problems[0].words == "3 candles are missing in 2 gaps"
    assert [gap.missing for gap in report.gaps] == [2, 1]
    assert report.span is not None
    assert report.span.coverage == pytest.approx(17 / 20)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_candles_are_an_error(count: int) -> None:
    report = inspect(rows(count), "1h", CRYPTO)
    assert kinds(report) == {"few": count}
    assert report.span is None
    assert f"There are {count} candles" in report.problems[0].words


def test_the_length_is_found_and_must_fit() -> None:
    assert inspect(raw_of(candles_of([1, 2, 3], "5m")), None, CRYPTO).timeframe == "5m"
    odd = replace(rows(3), time=np.array([0, 7, 14]) * 1000 + MONDAY_MS)
    assert "7 s apart are of no known length" in inspect(odd, None, CRYPTO).problems[0].words
    shorter = inspect(rows(), "1d", CRYPTO)
    assert shorter.is_refused
    assert "less than 1d apart" in shorter.problems[0].words


def test_a_candle_that_is_not_finished_is_left_out() -> None:
    raw = rows()
    now = MONDAY_MS + 5 * HOUR + 1
    report = inspect(raw, "1h", CRYPTO, now)
    assert kinds(report) == {"unfinished": 1}
    assert len(repair(raw, report, now)) == 5
    assert len(repair(raw, inspect(raw, "1h", CRYPTO, now + HOUR), now + HOUR)) == 6


def test_each_row_is_blamed_once_and_examples_are_few() -> None:
    raw = rows(50)
    raw.open[:] = np.nan
    raw.low[:] = -1
    report = inspect(raw, "1h", CRYPTO)
    assert kinds(report) == {"number": 50}
    assert len(report.problems[0].examples) == 5


def test_a_page_is_cut_ordered_and_freed_of_doubles_the_last_told_counting() -> None:
    raw = taken(rows(), [1, 0, 2, 2, 3, 4])
    raw.close[3] = 102.75
    page = clean_page(raw, "1h", MONDAY_MS + HOUR, MONDAY_MS + 4 * HOUR)
    assert list(page.open) == [101, 102, 103]
    assert page.close[1] == 102.75
    raw.low[4] = 0
    with pytest.raises(ValueError, match="not above zero"):
        clean_page(raw, "1h", MONDAY_MS, MONDAY_MS + 9 * HOUR)
    assert len(clean_page(raw, "1h", 0, 1)) == 0


def test_nothing_has_no_span_and_merges_with_all() -> None:
    with pytest.raises(ValueError, match="no candles"):
        span_of(empty_candles("1h"), CRYPTO)
    some = candles_of([1, 2])
    merged, report = merge_candles(empty_candles("1h"), some)
    assert list(merged.time) == list(some.time)
    assert report.added == 2
    with pytest.raises(ValueError, match="cannot join"):
        merge_candles(some, empty_candles("5m"))
