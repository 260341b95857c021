"""Equity, drawdown and sparklines as Plotly figures."""

from collections.abc import Sequence

import plotly.graph_objects as go

from engine.contracts import EquitySeries
from panel.palette import DOWN, faded, series_colour


def equity_figure(series: Sequence[EquitySeries], *, is_dark: bool) -> go.Figure:
    """Equity over time, one line a quote asset; empty series are left out."""
    figure = go.Figure()
    shown = [one for one in series if one.times]
    for index, one in enumerate(shown):
        colour = series_colour(index)
        figure.add_scatter(
            x=list(one.times), y=list(one.equity), name=one.quote, mode="lines",
            line={"color": colour, "width": 1.8},
            hovertemplate=f"%{{y:,.2f}} {one.quote}<extra></extra>",
        )  # fmt: skip
    style_figure(figure, is_dark=is_dark, has_legend=len(shown) > 1)
    return figure


def drawdown_figure(series: EquitySeries, *, is_dark: bool) -> go.Figure:
    """How far equity lies under its highest point so far, in percent (zero or below)."""
    depths = [100 * depth for depth in drawdowns(series.equity)]
    figure = go.Figure()
    figure.add_scatter(
        x=list(series.times), y=depths, mode="lines", name="Drawdown", fill="tozeroy",
        line={"color": DOWN, "width": 1.2}, fillcolor=faded(DOWN, 0.18),
        hovertemplate="%{y:.2f} %<extra></extra>",
    )  # fmt: skip
    style_figure(figure, is_dark=is_dark, has_legend=False)
    figure.update_yaxes(ticksuffix=" %")
    return figure


def drawdowns(equity: Sequence[float]) -> list[float]:
    """Fraction under the running maximum at every point, in [-1, 0]; 0 while it is not above 0."""
    highest = float("-inf")
    depths = []
    for value in equity:
        highest = max(highest, value)
        depths.append(value / highest - 1 if highest > 0 else 0.0)
    return depths


def sparkline(values: Sequence[float], *, points: int = 40) -> list[float]:
    """``values`` thinned to at most ``points`` with the newest kept, for a small line."""
    if points < 2:
        raise ValueError("a sparkline needs at least two points")
    if len(values) <= points:
        return list(values)
    step = (len(values) - 1) / (points - 1)
    return [values[round(index * step)] for index in range(points)]


def style_figure(figure: go.Figure, *, is_dark: bool, has_legend: bool) -> None:
    """The one look of all figures: no frame, quiet grid, room for the numbers on the right."""
    grid = "rgba(160,170,185,0.16)" if is_dark else "rgba(90,100,115,0.14)"
    text = "#a9b3c1" if is_dark else "#5b6675"
    figure.update_layout(
        template="plotly_dark" if is_dark else "plotly_white",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 4, "r": 4, "t": 8, "b": 4},
        hovermode="x unified",
        showlegend=has_legend,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        font={"color": text, "size": 11},
    )
    figure.update_xaxes(gridcolor=grid, zeroline=False, automargin=True)
    figure.update_yaxes(
        gridcolor=grid, zeroline=False, automargin=True, side="right", tickformat=",.6~f"
    )
