"""A bot's chart as Plotly traces: candles, volume, the strategy's series, markers and levels.

What depends on the view (price range, labels of levels, theme colours) is left to the browser,
see frontend/chart.js; here is only what depends on the data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

from engine.contracts import Chart, Marker, PositionSide, SeriesView, timeframe_s, to_epoch_ms
from panel.palette import BLUE, DOWN, GREY, ORANGE, UP, VIOLET, faded, overlay_colour, series_colour

VOLUME_PX = 70
PANE_PX = 96
GAP_PX = 12
MAX_GAPS = 50
"""Plotly redraws slowly with very many range breaks; the longest gaps matter most."""

Trace = dict[str, Any]


@dataclass(frozen=True, slots=True)
class MarkerStyle:
    """How one kind of marker is drawn: never by colour alone."""

    title: str
    symbol: str
    colour: str


MARKERS: Mapping[tuple[str, PositionSide], MarkerStyle] = {
    ("entry", PositionSide.LONG): MarkerStyle("Long entry", "triangle-up", BLUE),
    ("entry", PositionSide.SHORT): MarkerStyle("Short entry", "triangle-down", ORANGE),
    ("exit", PositionSide.LONG): MarkerStyle("Long exit", "x", VIOLET),
    ("exit", PositionSide.SHORT): MarkerStyle("Short exit", "x-open", VIOLET),
}


def candle_payload(chart: Chart, *, view_id: str, price_px: int = 320) -> dict[str, Any]:
    """What the chart component draws. ``view_id`` names the view whose zoom is kept.

    Returns JSON values: ``traces``, ``layout``, ``levels`` (horizontal price lines), ``bar_ms``,
    ``decimals`` and ``height`` in pixels. Raises ValueError for a chart without candles.
    """
    if not chart.time:
        raise ValueError("a chart needs at least one candle")
    times = [to_epoch_ms(moment) for moment in chart.time]
    bar_ms = timeframe_s(chart.timeframe) * 1000
    panes = oscillator_panes(chart.series)
    heights = [price_px, VOLUME_PX, *[PANE_PX] * len(panes)]
    decimals = price_decimals(chart)
    return {
        "view_id": view_id,
        "label": f"{chart.symbol} {chart.timeframe} candles with volume and trades",
        "bar_ms": bar_ms,
        "decimals": decimals,
        "height": sum(heights) + GAP_PX * (len(heights) - 1),
        "levels": _levels(chart),
        "traces": [
            _volume(chart, times),
            *_overlays(chart.series, times),
            *_oscillators(panes, times),
            _candles(chart, times),
            *_markers(chart.markers, times[0], decimals),
        ],
        "layout": {
            "xaxis": {"rangebreaks": _gaps(times, bar_ms), "anchor": _axis(len(heights))},
            **_axes(heights, panes, decimals, max(chart.volume)),
            "shapes": _pane_levels(panes),
            "annotations": _pane_titles(heights, panes),
        },
    }


def oscillator_panes(series: Sequence[SeriesView]) -> list[list[SeriesView]]:
    """Series that are not on the price axis, in panes: names with one first word share a pane."""
    panes: dict[str, list[SeriesView]] = {}
    for one in series:
        if not one.is_overlay:
            panes.setdefault(_family(one.name), []).append(one)
    return list(panes.values())


def price_decimals(chart: Chart) -> int:
    """How many decimals the newest prices are written with, at most 8."""
    newest = chart.close[-50:]
    return max(len(f"{price:.8f}".rstrip("0").partition(".")[2]) for price in newest)


def _family(name: str) -> str:
    return name.replace("_", " ").split()[0].lower() if name.strip() else ""


def _axis(number: int) -> str:
    """The name of the y axis of a pane, counted from 1 at the top."""
    return "y" if number == 1 else f"y{number}"


def _candles(chart: Chart, times: list[int]) -> Trace:
    return {
        "type": "candlestick", "name": chart.symbol, "x": times, "yaxis": "y",
        "open": chart.open, "high": chart.high, "low": chart.low, "close": chart.close,
        "increasing": {"line": {"color": UP, "width": 1}, "fillcolor": UP},
        "decreasing": {"line": {"color": DOWN, "width": 1}, "fillcolor": DOWN},
        "hoverinfo": "none", "showlegend": False,
    }  # fmt: skip


def _volume(chart: Chart, times: list[int]) -> Trace:
    pairs = zip(chart.open, chart.close, strict=True)
    return {
        "type": "bar", "name": "Volume", "x": times, "y": chart.volume, "yaxis": "y2",
        "marker": {
            "color": [faded(UP if close >= opened else DOWN, 0.5) for opened, close in pairs],
            "line": {"width": 0},
        },
        "hoverinfo": "none", "showlegend": False,
    }  # fmt: skip


def _line(series: SeriesView, times: list[int], axis: str, colour: str) -> Trace:
    return {
        "type": "scatter", "mode": "lines", "name": series.name, "x": times,
        "y": series.values, "yaxis": axis, "line": {"color": colour, "width": 1.3},
        "connectgaps": False, "hoverinfo": "none", "showlegend": series.is_overlay,
    }  # fmt: skip


def _overlays(series: Sequence[SeriesView], times: list[int]) -> list[Trace]:
    overlays = [one for one in series if one.is_overlay]
    return [_line(one, times, "y", overlay_colour(index)) for index, one in enumerate(overlays)]


def _oscillators(panes: list[list[SeriesView]], times: list[int]) -> list[Trace]:
    traces = []
    for number, pane in enumerate(panes, start=3):
        for index, one in enumerate(pane):
            colour = series_colour(index)
            if "hist" in one.name.lower():
                traces.append(_histogram(one, times, _axis(number)))
            else:
                traces.append(_line(one, times, _axis(number), colour))
    return traces


def _histogram(series: SeriesView, times: list[int], axis: str) -> Trace:
    colours = [faded(UP if (value or 0) >= 0 else DOWN, 0.55) for value in series.values]
    return {
        "type": "bar", "name": series.name, "x": times, "y": series.values, "yaxis": axis,
        "marker": {"color": colours, "line": {"width": 0}}, "hoverinfo": "none",
        "showlegend": False,
    }  # fmt: skip


def _markers(markers: Sequence[Marker], first_ms: int, decimals: int) -> list[Trace]:
    traces = []
    for (kind, side), style in MARKERS.items():
        shown = [
            marker
            for marker in markers
            if (marker.kind, marker.side) == (kind, side) and to_epoch_ms(marker.time) >= first_ms
        ]
        if shown:
            traces.append(_marker_trace(shown, style, decimals))
    return traces


def _marker_trace(markers: list[Marker], style: MarkerStyle, decimals: int) -> Trace:
    texts = [
        f"<b>{style.title}</b> {marker.price:,.{decimals}f}<br>"
        f"{marker.time:%Y-%m-%d %H:%M:%S} UTC<br>{escape(marker.text)}"
        for marker in markers
    ]
    return {
        "type": "scatter", "mode": "markers", "name": style.title, "yaxis": "y",
        "x": [to_epoch_ms(marker.time) for marker in markers],
        "y": [float(marker.price) for marker in markers],
        "text": texts, "hovertemplate": "%{text}<extra></extra>", "showlegend": True,
        "marker": {"symbol": style.symbol, "size": 11, "color": style.colour,
                   "line": {"width": 1.2, "color": style.colour}},
        "meta": "marker",
    }  # fmt: skip


def _levels(chart: Chart) -> list[dict[str, Any]]:
    """Horizontal lines on the price axis, most important first."""
    levels: list[dict[str, Any]] = []
    if chart.last_price is not None:
        levels.append(_level("Last", float(chart.last_price), GREY, "dot"))
    position = chart.position
    if position is not None:
        levels.append(_level("Entry", float(position.average_price), BLUE, "dot"))
        if position.stop_price is not None:
            levels.append(_level("Stop", float(position.stop_price), DOWN, "dash"))
        if position.target_price is not None:
            levels.append(_level("Target", float(position.target_price), UP, "dash"))
    return levels


def _level(name: str, price: float, colour: str, dash: str) -> dict[str, Any]:
    return {"name": name, "price": price, "color": colour, "dash": dash}


def _gaps(times: list[int], bar_ms: int) -> list[dict[str, Any]]:
    """Spans without candles (nights, weekends), to be cut out of the time axis."""
    gaps = [
        (following - before, before + bar_ms, following)
        for before, following in pairwise(times)
        if following - before > bar_ms
    ]
    longest = sorted(gaps, reverse=True)[:MAX_GAPS]
    return [{"bounds": [start, end]} for _, start, end in sorted(longest, key=lambda gap: gap[1])]


def _axes(
    heights: list[int], panes: list[list[SeriesView]], decimals: int, most_volume: float
) -> dict[str, dict[str, Any]]:
    """One y axis a pane; ``domain`` from 1 at the top down to 0."""
    total = sum(heights) + GAP_PX * (len(heights) - 1)
    axes: dict[str, dict[str, Any]] = {}
    top = float(total)
    for number, height in enumerate(heights, start=1):
        domain = [max(0.0, (top - height) / total), top / total]
        axes[_axis(number).replace("y", "yaxis")] = {"domain": domain, "nticks": 4}
        top -= height + GAP_PX
    axes["yaxis"] |= {"tickformat": f",.{decimals}f", "nticks": 8}
    # "~s" alone writes half a coin as 500m, which reads as millions
    volume_format = "~s" if most_volume >= 1000 else ",.3~g"
    axes["yaxis2"] |= {"tickformat": volume_format, "nticks": 3}
    for number, pane in enumerate(panes, start=3):
        if _is_percent(pane):
            axes[f"yaxis{number}"] |= {"range": [0, 100], "tickvals": pane[0].levels or [0, 50]}
    return axes


def _is_percent(pane: list[SeriesView]) -> bool:
    """Whether a pane's series live on 0..100, as RSI does: its axis then stays put."""
    levels = [level for one in pane for level in one.levels]
    values = [value for one in pane for value in one.values if value is not None]
    return (
        bool(levels)
        and all(5 <= level <= 95 for level in levels)
        and all(0 <= value <= 100 for value in values)
    )


def _pane_levels(panes: list[list[SeriesView]]) -> list[dict[str, Any]]:
    return [
        {
            "type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": _axis(number),
            "y0": level, "y1": level, "line": {"color": GREY, "width": 1, "dash": "dot"},
        }
        for number, pane in enumerate(panes, start=3)
        for level in sorted({level for one in pane for level in one.levels})
    ]  # fmt: skip


def _pane_titles(heights: list[int], panes: list[list[SeriesView]]) -> list[dict[str, Any]]:
    titles = ["Volume", *[_pane_title(pane) for pane in panes]]
    total = sum(heights) + GAP_PX * (len(heights) - 1)
    annotations = []
    top = total - heights[0] - GAP_PX
    for title, height in zip(titles, heights[1:], strict=True):
        annotations.append(
            {
                "xref": "paper", "yref": "paper", "x": 0, "y": top / total, "text": title,
                "xanchor": "left", "yanchor": "top", "showarrow": False, "xshift": 2,
                "font": {"size": 11},
            }
        )  # fmt: skip
        top -= height + GAP_PX
    return annotations


def _pane_title(pane: list[SeriesView]) -> str:
    """The series' names, each in its line's colour."""
    return "  ".join(
        escape(one.name)
        if "hist" in one.name.lower()
        else f'<span style="color:{series_colour(index)}">{escape(one.name)}</span>'
        for index, one in enumerate(pane)
    )
