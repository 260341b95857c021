"""The HTML report: whole, self-contained, escaped; the CSV of figures; the page of metrics."""

import csv
import io
import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from engine.adapters.reports.html_report import MOST_TRADES, HtmlReports, tint
from engine.adapters.reports.svg import equity_svg, histogram_svg, underwater_svg
from engine.domain.backtests import trade_rows
from engine.domain.csv_export import csv_table
from engine.domain.performance import METRICS, analyse, history_of
from engine.domain.performance.catalogue import Unit
from engine.domain.performance.exports import (
    CURVE_COLUMNS,
    METRIC_COLUMNS,
    curve_rows,
    metric_rows,
)
from engine.domain.performance.tables import Bin
from engine.domain.performance.words import money, percent, span, written
from engine.ports.reports import ReportSection
from tests.support.metrics_page import PAGE, page
from tests.support.performance import backtest_result, history, trades_of

EVIL = '<script>alert(1)</script>"&'
VOID = {"meta", "br", "line", "rect"}


class Reader(HTMLParser):
    """Collects tags, and fails on those that are not closed in their order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), f"{tag} runs {value}"
            assert name not in ("src", "href", "srcset"), f"{tag} fetches {value}"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return reader


def section(trades: int = 60, bars: int = 400) -> ReportSection:
    result = backtest_result(bars=bars, trades=trades)
    rows = trade_rows(result)
    return ReportSection(analyse(history_of(result), quote="USDT"), rows, len(rows), "My run")


def test_a_report_has_every_figure_chart_and_trade_and_fetches_nothing() -> None:
    text = HtmlReports().html("Backtest of rsi", "BTC/USDT, 1d", [section()])
    seen = read(text)
    for metric in METRICS:
        assert metric.title in seen.words, metric.key
    assert seen.tags.count("svg") == 3
    assert "script" not in seen.tags
    assert not re.search(r"https?:|url\(|@import", text.replace("http-equiv", "").replace(
        "http://www.w3.org", ""))  # fmt: skip
    assert "prefers-color-scheme: dark" in text and "@media print" in text
    assert "stop loss" in seen.words  # a group
    assert "stop_loss" in seen.words  # a trade
    assert "What stands out" in seen.words


def test_what_people_typed_is_text() -> None:
    one = section(3)
    trades = [{**row, "symbol": EVIL} for row in one.trades]
    evil = ReportSection(one.analysis.model_copy(update={"quote": EVIL}), trades, 3, EVIL)
    seen = read(HtmlReports().html(EVIL, EVIL, [evil]))
    assert "script" not in seen.tags
    assert "".join(seen.words).count("<script>alert(1)</script>") >= 4


def test_a_long_list_of_trades_says_that_it_goes_on() -> None:
    one = section(5)
    trades = list(one.trades) * 300
    text = HtmlReports().html("t", "", [ReportSection(one.analysis, trades, 1500)])
    assert text.count("<tr>") < MOST_TRADES + 80
    assert f"{MOST_TRADES:,} of 1,500; the CSV has them all." in text


def test_reports_of_nothing() -> None:
    assert "nothing was traded" in HtmlReports().html("t", "", [])
    for one in (history(()), history((1000.0,)), history([1000.0] * 50)):
        text = HtmlReports().html("t", "", [ReportSection(analyse(one), [], 0)])
        assert "No trade was closed" in "".join(read(text).words)


def test_charts_stay_within_their_box() -> None:
    flat = analyse(history([1000.0] * 40)).curve
    loss = analyse(history([1000.0, -50.0, 30.0], trades=trades_of((-1050.0, 80.0)))).curve
    for curve in (flat, loss, section().analysis.curve):
        for svg in (equity_svg(curve, "USDT"), underwater_svg(curve)):
            read(svg)
            for x, y in re.findall(r"([\d.-]+),([\d.-]+)", " ".join(
                re.findall(r'points="([^"]+)"', svg))):  # fmt: skip
                assert 0 <= float(x) <= 960 and 0 <= float(y) <= 260
    assert histogram_svg(()) == equity_svg(analyse(history(())).curve, "") == ""
    assert 'class="win"' in histogram_svg([Bin(low=0, high=0.01, count=3)])


def test_tints_go_with_the_size() -> None:
    assert tint(None, 1) == tint(0.1, 0) == ""
    assert "var(--up) 70%" in tint(0.5, 0.5)
    assert "var(--down) 35%" in tint(-0.25, 0.5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (percent(-0.1234), "−12.34 %"), (percent(-0.00001), "0.00 %"), (money(1234.5, "X"),
         "1,234.50 X"), (money(-0.25), "−0.25000"), (money(-3e-14, "X"), "0.00 X"),
        (money(0.00012), "0.00012000"), (span(93_784), "1 d 2 h"), (span(0), "0 s"),
        (written(Unit.COUNT, 1200), "1,200"), (written(Unit.RATIO, None), "–"),
        (written(Unit.RATIO, -1.5), "−1.50"), (written(Unit.DAYS, 12.34), "12.3"),
        (written(Unit.TIME, datetime(2024, 2, 1, 5, tzinfo=UTC)), "2024-02-01 05:00"),
    ],
)  # fmt: skip
def test_values_in_words(text: str, expected: str) -> None:
    assert text == expected


def test_the_csv_has_all_figures_and_the_curve() -> None:
    one = analyse(history_of(backtest_result()), quote="=USD")
    text = "".join(csv_table(METRIC_COLUMNS, metric_rows([one])))
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["key"] for row in rows] == [metric.key for metric in METRICS]
    assert {row["quote"] for row in rows} == {"'=USD"}  # no spreadsheet runs it
    values = {row["key"]: row["value"] for row in rows}
    assert float(values["sharpe"]) == one.metrics.sharpe
    assert values["start"].endswith("Z") and values["trades"] == "60"
    curve = "".join(csv_table(CURVE_COLUMNS, curve_rows([one])))
    points = list(csv.DictReader(io.StringIO(curve, newline="")))
    assert [float(row["equity"]) for row in points] == list(one.curve.equity)
    without = one.model_copy(update={"curve": one.curve.model_copy(update={"market": None})})
    assert {row[-1] for row in curve_rows([without])} == {None}


def test_the_page_of_metrics_is_made_from_the_catalogue() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python -m tests.support.metrics_page"
