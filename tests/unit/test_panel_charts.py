"""Charts as data: candles, panes, markers, levels, gaps, equity."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from engine.contracts import Chart, EquitySeries, Marker, PositionSide, PositionView, SeriesView
from panel.candle_chart import MARKERS, candle_payload, oscillator_panes, price_decimals
from panel.chart_component import publish_plotly
from panel.charts import drawdown_figure, drawdowns, equity_figure, sparkline
from panel.palette import DOWN, UP

START = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def chart(times: list[datetime] | None = None, **changes: Any) -> Chart:
    at = times or [START + index * MINUTE for index in range(4)]
    count = len(at)
    values: dict[str, Any] = {
        "symbol": "BTC/USDT", "timeframe": "1m", "time": at, "open": [100.0] * count,
        "high": [102.0] * count, "low": [99.0] * count,
        "close": [101.25 if index % 2 else 99.5 for index in range(count)],
        "volume": [float(index) for index in range(count)],
    }  # fmt: skip
    return Chart(**(values | changes))


def position(**changes: Any) -> PositionView:
    values: dict[str, Any] = {
        "id": "p", "bot_id": "b", "bot_name": "demo", "market": "simulated", "symbol": "BTC/USDT",
        "quote": "USDT", "side": PositionSide.LONG, "quantity": Decimal(1),
        "average_price": Decimal("100.5"), "last_price": None, "unrealised_pnl": None,
        "unrealised_fraction": None, "stop_price": Decimal("98.49"),
        "target_price": Decimal("105.53"), "entry_count": 1, "fees": Decimal(0),
        "opened_at": START,
    }  # fmt: skip
    return PositionView(**(values | changes))


def payload(drawn: Chart) -> dict[str, Any]:
    return candle_payload(drawn, view_id="view")


def traces(drawn: Chart, kind: str) -> list[dict[str, Any]]:
    return [trace for trace in payload(drawn)["traces"] if trace["type"] == kind]


def test_candles_keep_their_prices_and_times() -> None:
    (candles,) = traces(chart(), "candlestick")
    assert candles["x"][1] - candles["x"][0] == 60_000
    assert tuple(candles["close"]) == chart().close
    assert candles["increasing"]["line"]["color"] == UP
    assert candles["decreasing"]["line"]["color"] == DOWN


def test_a_chart_without_candles_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one candle"):
        payload(chart(time=[], open=[], high=[], low=[], close=[], volume=[]))


def test_each_oscillator_family_gets_a_pane_and_panes_do_not_overlap() -> None:
    empty = (None,) * 4
    series = (
        SeriesView(name="SMA 20", values=empty, is_overlay=True),
        SeriesView(name="RSI 14", values=empty, is_overlay=False, levels=(30.0, 70.0)),
        SeriesView(name="MACD", values=empty, is_overlay=False),
        SeriesView(name="MACD signal", values=empty, is_overlay=False),
    )
    assert [[one.name for one in pane] for pane in oscillator_panes(series)] == [
        ["RSI 14"], ["MACD", "MACD signal"],
    ]  # fmt: skip
    layout = payload(chart(series=series))["layout"]
    domains = [layout[f"yaxis{number}"]["domain"] for number in ("", 2, 3, 4)]
    for above, below in pairwise(domains):
        assert below[1] < above[0]
    assert domains[-1][0] == pytest.approx(0)
    levels = [shape["y0"] for shape in layout["shapes"] if shape["yref"] == "y3"]
    assert levels == [30.0, 70.0]


def test_markers_differ_by_shape_and_carry_their_reason_escaped() -> None:
    assert len({style.symbol for style in MARKERS.values()}) == len(MARKERS)
    marks = [
        Marker(time=START, price=Decimal(100), kind=kind, side=side, text="RSI 28.4 < 30")
        for kind, side in MARKERS
    ]
    drawn = [one for one in traces(chart(markers=marks), "scatter") if one["mode"] == "markers"]
    assert {one["marker"]["symbol"] for one in drawn} == {
        "triangle-up", "triangle-down", "x", "x-open",
    }  # fmt: skip
    assert "RSI 28.4 &lt; 30" in drawn[0]["text"][0]


def test_markers_before_the_first_candle_are_left_out() -> None:
    early = Marker(
        time=START - MINUTE, price=Decimal(100), kind="entry", side=PositionSide.LONG, text=""
    )
    assert traces(chart(markers=[early]), "scatter") == []


def test_levels_name_last_price_entry_stop_and_target() -> None:
    levels = payload(chart(position=position(), last_price=Decimal("101.1")))["levels"]
    assert {level["name"]: level["price"] for level in levels} == {
        "Last": 101.1, "Entry": 100.5, "Stop": 98.49, "Target": 105.53,
    }  # fmt: skip
    bare = payload(chart(position=position(stop_price=None, target_price=None)))["levels"]
    assert [level["name"] for level in bare] == ["Entry"]


def test_nights_are_cut_out_of_the_time_axis() -> None:
    before, after = START, START + timedelta(hours=17)
    gaps = payload(chart(times=[before, after, after + MINUTE]))["layout"]["xaxis"]["rangebreaks"]
    (gap,) = gaps
    first, last = (int(at.timestamp() * 1000) for at in (before + MINUTE, after))
    assert gap["bounds"] == [first, last]
    assert payload(chart())["layout"]["xaxis"]["rangebreaks"] == []


@pytest.mark.parametrize(
    ("close", "decimals"), [([1.05, 1.0512], 4), ([64_000.0, 64_001.0], 0), ([0.00001234], 8)]
)
def test_decimals_are_those_of_the_prices(close: list[float], decimals: int) -> None:
    assert price_decimals(chart().model_copy(update={"close": tuple(close)})) == decimals


def test_plotly_is_published_once_and_old_versions_go(tmp_path: Path) -> None:
    stale = tmp_path / "static" / "plotly-0.0.1.min.js"
    stale.parent.mkdir()
    stale.write_text("old")
    published = publish_plotly(tmp_path / "static")
    assert published.stat().st_size > 1_000_000
    assert [one.name for one in stale.parent.iterdir()] == [published.name]


def series(*equity: float) -> EquitySeries:
    times = tuple(START + index * MINUTE for index in range(len(equity)))
    return EquitySeries(quote="USDT", times=times, equity=equity)


def test_equity_has_a_line_a_quote_asset_and_skips_empty_ones() -> None:
    empty = EquitySeries(quote="USD", times=(), equity=())
    figure = equity_figure([series(1.0, 2.0), empty], is_dark=True)
    assert [(line.name, list(line.y)) for line in figure.data] == [("USDT", [1.0, 2.0])]


def test_drawdown_is_measured_from_the_highest_point_so_far() -> None:
    assert drawdowns([100.0, 120.0, 90.0, 150.0]) == pytest.approx([0, 0, -0.25, 0])
    assert drawdowns([0.0, -5.0]) == [0.0, 0.0]
    figure = drawdown_figure(series(100.0, 50.0), is_dark=False)
    assert list(figure.data[0].y) == [0.0, -50.0]


def test_sparkline_keeps_its_ends_within_its_number_of_points() -> None:
    values = [float(index) for index in range(1000)]
    thinned = sparkline(values, points=40)
    assert (len(thinned), thinned[0], thinned[-1]) == (40, 0.0, 999.0)
    assert sparkline([1.0, 2.0]) == [1.0, 2.0]
    with pytest.raises(ValueError, match="two points"):
        sparkline(values, points=1)
