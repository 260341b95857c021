"""Charts and tables of a performance analysis: plain functions from data to figure or frame.

The Performance page and the Backtest page draw with these. Nothing here asks the engine.
"""

from collections.abc import Sequence

import plotly.graph_objects as go

from engine.contracts.performance import Bin, Curve, GroupRow, Rolling
from panel.charts import style_figure
from panel.palette import BLUE, DOWN, GREY, UP, VIOLET, faded


def equity_figure(curve: Curve, quote: str, *, is_dark: bool, name: str = "Equity") -> go.Figure:
    """Worth over time, with the starting cash held in the market beside it where that is known."""
    figure = go.Figure()
    if curve.market is not None:
        _line(figure, curve.time, curve.market, "Buy and hold", GREY, quote, width=1.2)
    _line(figure, curve.time, curve.equity, name, BLUE, quote, width=1.8)
    style_figure(figure, is_dark=is_dark, has_legend=curve.market is not None)
    return figure


def compare_figure(
    curves: Sequence[tuple[str, Curve]], colours: Sequence[str], *, is_dark: bool
) -> go.Figure:
    """Several results as growth in percent, so that different starting cash compares.

    ``colours`` has one for each curve. A curve without a positive first value is left out.
    """
    figure = go.Figure()
    for (name, curve), colour in zip(curves, colours, strict=True):
        if not curve.equity or curve.equity[0] <= 0:
            continue
        growth = [100 * (value / curve.equity[0] - 1) for value in curve.equity]
        figure.add_scatter(
            x=list(curve.time), y=growth, name=name, mode="lines",
            line={"color": colour, "width": 1.8}, hovertemplate="%{y:+,.2f} %",
        )  # fmt: skip
    style_figure(figure, is_dark=is_dark, has_legend=True)
    figure.update_yaxes(ticksuffix=" %")
    return figure


def underwater_figure(curve: Curve, *, is_dark: bool) -> go.Figure:
    """How far the worth lies under its highest so far, in percent (zero or below)."""
    figure = go.Figure()
    figure.add_scatter(
        x=list(curve.time), y=[100 * depth for depth in curve.underwater], mode="lines",
        name="Drawdown", fill="tozeroy", line={"color": DOWN, "width": 1.2},
        fillcolor=faded(DOWN, 0.18), hovertemplate="%{y:.2f} %<extra></extra>",
    )  # fmt: skip
    style_figure(figure, is_dark=is_dark, has_legend=False)
    figure.update_yaxes(ticksuffix=" %")
    return figure


ROLLING_KINDS = {
    "Return": ("total_return", 100.0, " %", BLUE),
    "Volatility": ("volatility", 100.0, " %", VIOLET),
    "Sharpe ratio": ("sharpe", 1.0, "", UP),
}
"""What can be drawn over windows, by its title: field, factor, suffix and colour."""


def rolling_figure(rolling: Rolling, kind: str, *, is_dark: bool) -> go.Figure:
    """One of ``ROLLING_KINDS`` over a moving window. Raises KeyError for another word."""
    field, factor, suffix, colour = ROLLING_KINDS[kind]
    values = [None if value is None else factor * value for value in getattr(rolling, field)]
    figure = go.Figure()
    figure.add_scatter(
        x=list(rolling.time), y=values, mode="lines", name=kind,
        line={"color": colour, "width": 1.4},
        hovertemplate=f"%{{y:.2f}}{suffix}<extra></extra>",
    )  # fmt: skip
    figure.add_hline(y=0, line={"color": GREY, "width": 1, "dash": "dot"})
    style_figure(figure, is_dark=is_dark, has_legend=False)
    figure.update_yaxes(ticksuffix=suffix)
    return figure


def distribution_figure(bins: Sequence[Bin], *, is_dark: bool) -> go.Figure:
    """Trades by their return: losses in red, wins in green, none mixed in one bar."""
    figure = go.Figure()
    if len(bins) == 1 and bins[0].low == bins[0].high:
        bins = [bins[0].model_copy(update={"low": -0.0005, "high": 0.0005})]
    figure.add_bar(
        x=[50 * (one.low + one.high) for one in bins], y=[one.count for one in bins],
        width=[95 * (one.high - one.low) for one in bins],
        marker={"color": [DOWN if one.high <= 0 else UP for one in bins], "line": {"width": 0}},
        customdata=[[100 * one.low, 100 * one.high] for one in bins],
        hovertemplate="%{customdata[0]:.2f} to %{customdata[1]:.2f} %: %{y} trades<extra></extra>",
    )  # fmt: skip
    style_figure(figure, is_dark=is_dark, has_legend=False)
    figure.update_layout(hovermode="closest", bargap=0)
    figure.update_xaxes(ticksuffix=" %", tickformat=",.6~f")
    return figure


def groups_figure(rows: Sequence[GroupRow], quote: str, *, is_dark: bool) -> go.Figure:
    """Profit of each group of trades as bars, in the order given."""
    figure = go.Figure()
    figure.add_bar(
        x=[row.key for row in rows], y=[row.pnl for row in rows],
        marker={"color": [DOWN if row.pnl < 0 else UP for row in rows], "line": {"width": 0}},
        customdata=[[row.trades] for row in rows],
        hovertemplate=f"%{{x}}: %{{y:,.2f}} {quote}, %{{customdata[0]}} trades<extra></extra>",
    )  # fmt: skip
    style_figure(figure, is_dark=is_dark, has_legend=False)
    figure.update_layout(hovermode="closest")
    figure.update_xaxes(type="category")
    return figure


def _line(
    figure: go.Figure, x: Sequence[object], y: Sequence[float], name: str, colour: str, quote: str,
    *, width: float,
) -> None:  # fmt: skip
    figure.add_scatter(
        x=list(x), y=list(y), name=name, mode="lines", line={"color": colour, "width": width},
        hovertemplate=f"%{{y:,.2f}} {quote}",
    )  # fmt: skip
