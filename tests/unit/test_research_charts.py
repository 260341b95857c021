"""Charts and tables of an analysis: what is drawn is what was measured."""

import pytest

from engine.contracts.performance import Analysis, Bin, YearRow
from engine.domain.performance import METRICS, analyse, history_of
from panel.palette import BLUE, DOWN, ORANGE, UP
from panel.research_charts import (
    ROLLING_KINDS,
    compare_figure,
    distribution_figure,
    equity_figure,
    groups_figure,
    rolling_figure,
    underwater_figure,
)
from panel.research_tables import metric_figures, metric_text, metrics_frame, months_html, readable
from tests.support.performance import backtest_result, history


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return analyse(history_of(backtest_result()), quote="USDT")


@pytest.mark.parametrize("is_dark", [True, False])
def test_curves(analysis: Analysis, is_dark: bool) -> None:
    curve = analysis.curve
    figure = equity_figure(curve, "USDT", is_dark=is_dark)
    assert [line.name for line in figure.data] == ["Buy and hold", "Equity"]
    assert list(figure.data[1].y) == list(curve.equity)
    alone = equity_figure(curve.model_copy(update={"market": None}), "USDT", is_dark=is_dark)
    assert [line.name for line in alone.data] == ["Equity"]
    under = underwater_figure(curve, is_dark=is_dark)
    assert min(under.data[0].y) == pytest.approx(-100 * analysis.metrics.max_drawdown)


def test_several_results_are_compared_as_growth(analysis: Analysis) -> None:
    nothing = analyse(history((5.0,), cash=0.0, bar=0)).curve
    figure = compare_figure(
        [("one", analysis.curve), ("none", nothing)], (BLUE, ORANGE), is_dark=True
    )
    (line,) = figure.data
    assert (line.name, line.y[0]) == ("one", 0)
    assert line.y[-1] == pytest.approx(100 * (analysis.metrics.total_return or 0))


@pytest.mark.parametrize("kind", ROLLING_KINDS)
def test_windows(analysis: Analysis, kind: str) -> None:
    figure = rolling_figure(analysis.rolling, kind, is_dark=False)
    assert len(figure.data[0].y) == len(analysis.rolling.time) > 0


def test_losses_and_wins_have_their_colours(analysis: Analysis) -> None:
    (bars,) = distribution_figure(analysis.distribution, is_dark=True).data
    assert sum(bars.y) == 60
    for x, colour in zip(bars.x, bars.marker.color, strict=True):
        assert colour == (DOWN if x < 0 else UP)
    (only,) = distribution_figure([Bin(low=0, high=0, count=3)], is_dark=True).data
    assert (only.y, len(only.width)) == ((3,), 1)
    rows = readable(analysis.groups["exit_reason"], "exit_reason")
    assert "stop loss" in {row.key for row in rows}
    assert readable(analysis.groups["side"], "side") == list(analysis.groups["side"])
    (groups,) = groups_figure(rows, "USDT", is_dark=True).data
    assert list(groups.y) == [row.pnl for row in rows]


def test_months_are_a_table_with_signs_and_tints() -> None:
    rows = [YearRow(year=2024, months=(0.1, -0.05, None, 0.0001, *(None,) * 8), total=0.045),
            YearRow(year=2025, months=(None,) * 12, total=0.0)]  # fmt: skip
    html = months_html(rows)
    assert html.index("2025") < html.index("2024")
    assert '<td style="background:rgba(42,157,120,0.75)">+10.0</td>' in html
    assert '<td style="background:rgba(214,79,94,0.375)">\u22125.0</td>' in html
    assert ">0.0</td>" in html and "<td>+4.5</td>" in html


def test_every_metric_is_written(analysis: Analysis) -> None:
    frame = metrics_frame([("A", analysis.metrics, "USDT"),
                           ("B", analyse(history(())).metrics, "")])  # fmt: skip
    assert list(frame["Metric"]) == [metric.title for metric in METRICS]
    values = dict(zip(frame["Metric"], frame["A"], strict=True))
    assert values["Trades"] == "60"
    assert values["Starting cash"] == "10,000.00 USDT"
    assert values["Total return"].endswith(" %")
    assert values["Start"] == "2024-01-01 00:00"
    empty = dict(zip(frame["Metric"], frame["B"], strict=True))
    assert empty["Sharpe ratio"] == "–"
    why = dict(zip(frame["Metric"], frame["Empty when"], strict=True))
    assert why["Sharpe ratio"].startswith("there are fewer than 5 periods")
    assert why["Trades"] == ""
    assert metric_figures(analysis.metrics, "USDT")[0].label == "Total return"
    ratio = next(metric for metric in METRICS if metric.key == "sharpe")
    assert metric_text(ratio, -1.234, "") == "−1.23"
