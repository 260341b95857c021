"""Studies as Plotly figures: plain functions from trials to a figure."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import plotly.graph_objects as go

from engine.contracts.studies import StudySummary, TrialRow, Value
from panel.charts import style_figure
from panel.palette import BLUE, DOWN, GREY, ORANGE, UP, faded

MOST_CELLS = 40
"""A parameter of more values is cut into so many columns of the heatmap."""

FAN = (("p5", "p95", 0.12), ("p25", "p75", 0.22))


def progress_figure(rows: Sequence[TrialRow], *, is_dark: bool) -> go.Figure:
    """Every trial's value in the order of trying, and the best of its fold so far."""
    figure = go.Figure()
    scored = [(at, one) for at, one in enumerate(rows, start=1) if one.value is not None]
    figure.add_scatter(
        x=[at for at, _ in scored], y=[one.value for _, one in scored], mode="markers",
        name="Trial", marker={"color": faded(GREY, 0.6), "size": 5},
        hovertemplate="trial %{x}: %{y:.4g}<extra></extra>",
    )  # fmt: skip
    best: dict[int, float] = {}
    line = []
    for _, one in scored:
        best[one.fold] = max(best.get(one.fold, float("-inf")), one.value or 0.0)
        line.append(best[one.fold])
    figure.add_scatter(
        x=[at for at, _ in scored], y=line, mode="lines", name="Best so far",
        line={"color": BLUE, "width": 1.8, "shape": "hv"},
        hovertemplate="best so far %{y:.4g}<extra></extra>",
    )  # fmt: skip
    style_figure(figure, is_dark=is_dark, has_legend=True)
    return figure


def heatmap(
    rows: Sequence[TrialRow], across: str, down: str, *, is_dark: bool, is_outside: bool, key: str
) -> go.Figure:
    """The best value, in or out of sample, of each pair of two parameters; ``key`` is the figure
    that is drawn out of sample. Cells that were not tried stay empty."""
    columns, lines = (
        _axis([one.values[across] for one in rows]),
        _axis([one.values[down] for one in rows]),
    )
    cells = np.full((len(lines), len(columns)), np.nan)
    for one in rows:
        value = one.outside.get(key) if is_outside else one.value
        if value is None:
            continue
        place = _place(lines, one.values[down]), _place(columns, one.values[across])
        cells[place] = np.nanmax([cells[place], value])
    figure = go.Figure(
        go.Heatmap(
            z=cells, x=[_label(one) for one in columns], y=[_label(one) for one in lines],
            colorscale=[[0, DOWN], [0.5, "#e8e4d8" if not is_dark else "#3b4048"], [1, UP]],
            zmid=0 if np.nanmin(cells, initial=0) < 0 < np.nanmax(cells, initial=0) else None,
            hoverongaps=False, xgap=1, ygap=1,
            hovertemplate=f"{across} %{{x}}, {down} %{{y}}: %{{z:.4g}}<extra></extra>",
        )
    )  # fmt: skip
    style_figure(figure, is_dark=is_dark, has_legend=False)
    figure.update_layout(hovermode="closest")
    figure.update_xaxes(type="category", title=across)
    figure.update_yaxes(type="category", title=down, side="left")
    return figure


def scatter_figure(
    rows: Sequence[TrialRow], best: Sequence[TrialRow], key: str, title: str, *, is_dark: bool
) -> go.Figure:
    """A figure of each trial, in sample across and out of sample up; on the dotted line it kept
    what it promised."""
    figure = go.Figure()
    for name, part, colour, size in (
        ("Trial", rows, faded(GREY, 0.55), 6),
        ("Chosen", best, ORANGE, 11),
    ):
        shown = [one for one in part if None not in (one.inside.get(key), one.outside.get(key))]
        figure.add_scatter(
            x=[one.inside[key] for one in shown], y=[one.outside[key] for one in shown],
            mode="markers", name=name, marker={"color": colour, "size": size},
            text=[_words(one) for one in shown],
            hovertemplate="%{text}<br>in sample %{x:.4g}, out of sample %{y:.4g}<extra></extra>",
        )  # fmt: skip
    values = [value for one in rows for value in (one.inside.get(key), one.outside.get(key))
              if value is not None]  # fmt: skip
    if values:
        ends = [min(values), max(values)]
        figure.add_scatter(x=ends, y=ends, mode="lines", name="As promised", hoverinfo="skip",
                           line={"color": GREY, "width": 1, "dash": "dot"})  # fmt: skip
    style_figure(figure, is_dark=is_dark, has_legend=True)
    figure.update_layout(hovermode="closest")
    figure.update_xaxes(title=f"{title}, in sample")
    figure.update_yaxes(title="out of sample", side="left")
    return figure


def outside_figure(summary: StudySummary, quote: str, *, is_dark: bool) -> go.Figure:
    """The account over all out-of-sample windows, one after the other."""
    figure = go.Figure()
    figure.add_scatter(
        x=[datetime.fromtimestamp(at / 1000, UTC) for at in summary.curve_ms],
        y=list(summary.curve), mode="lines", name="Out of sample",
        line={"color": BLUE, "width": 1.8}, hovertemplate=f"%{{y:,.2f}} {quote}<extra></extra>",
    )  # fmt: skip
    for fold in summary.folds[1:]:
        figure.add_vline(x=fold.test_from, line={"color": GREY, "width": 1, "dash": "dot"})
    style_figure(figure, is_dark=is_dark, has_legend=False)
    return figure


def fan_figure(summary: StudySummary, *, is_dark: bool) -> go.Figure:
    """What else could have come of the winner's trades: percentiles of the worth by trade."""
    figure = go.Figure()
    found = summary.monte_carlo
    if found is not None:
        trades = list(found.fan_trades)
        for low, high, opacity in FAN:
            figure.add_scatter(x=trades, y=list(found.fan[low]), mode="lines", hoverinfo="skip",
                               line={"width": 0}, showlegend=False)  # fmt: skip
            figure.add_scatter(
                x=trades, y=list(found.fan[high]), mode="lines", line={"width": 0},
                fill="tonexty", fillcolor=faded(BLUE, opacity), hoverinfo="skip",
                name=f"{low[1:]} to {high[1:]} %",
            )  # fmt: skip
        figure.add_scatter(x=trades, y=list(found.fan["p50"]), mode="lines", name="Median",
                           line={"color": BLUE, "width": 1.8},
                           hovertemplate="after trade %{x}: %{y:,.2f}<extra></extra>")  # fmt: skip
    style_figure(figure, is_dark=is_dark, has_legend=True)
    figure.update_xaxes(title="trades")
    return figure


def _axis(values: Sequence[Value]) -> list[Value]:
    """The values in order, or the middles of even parts where they are many."""
    each = sorted(set(values), key=lambda one: (isinstance(one, str), one))
    numbers = [float(one) for one in each if not isinstance(one, str)]
    if len(each) <= MOST_CELLS or len(numbers) < len(each):
        return each
    edges = np.linspace(numbers[0], numbers[-1], MOST_CELLS + 1)
    middles = [float(f"{middle:.4g}") for middle in (edges[:-1] + edges[1:]) / 2]
    is_whole = all(isinstance(one, int) for one in each)
    return list(sorted({round(one) for one in middles}) if is_whole else middles)


def _place(axis: Sequence[Value], value: Value) -> int:
    if value in axis or isinstance(value, str):
        return list(axis).index(value)
    return int(np.argmin([abs(float(one) - float(value)) for one in axis]))


def _label(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _words(row: TrialRow) -> str:
    return ", ".join(f"{name} {_label(value)}" for name, value in row.values.items())
