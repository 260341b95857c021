"""Models as Plotly figures: calibration, costs by day, what was held back. Pure: nothing here
asks the engine."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta

import plotly.graph_objects as go

from engine.contracts.ai import AdviceLine, AdvicePurpose, Calibration, CounselVerdict
from panel.charts import style_figure
from panel.palette import BLUE, GREY, faded, series_colour

FEW_IN_BUCKET = 5
"""Buckets of fewer answers are drawn faintly."""
MOST_NAMES = 6
FEW_DAYS = 7
OTHERS = "others"


def calibration_figure(calibration: Calibration, *, is_dark: bool) -> go.Figure:
    """How often answers of a confidence came true, with the interval and the number of answers;
    on the dotted line a model is as sure as it is right."""
    shown = [one for one in calibration.buckets if one.share is not None]
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 100], y=[0, 100], mode="lines", name="As sure as right", hoverinfo="skip",
        line={"color": GREY, "width": 1, "dash": "dot"},
    )  # fmt: skip
    shares = [100 * (one.share or 0.0) for one in shown]
    bounds = [(one.interval.low, one.interval.high) if one.interval else (0.0, 1.0)
              for one in shown]  # fmt: skip
    figure.add_scatter(
        x=[100 * (one.mean_confidence or 0.0) for one in shown], y=shares, mode="markers+text",
        name="Came true", text=[f"  {one.count:,}" for one in shown], textposition="middle right",
        marker={"size": [min(22.0, 7 + one.count**0.5) for one in shown],
                "color": [faded(BLUE, 0.35 if one.count < FEW_IN_BUCKET else 1) for one in shown]},
        error_y={
            "type": "data", "symmetric": False, "color": GREY, "thickness": 1.2,
            "array": [100 * high - share
                      for (_, high), share in zip(bounds, shares, strict=True)],
            "arrayminus": [share - 100 * low
                           for (low, _), share in zip(bounds, shares, strict=True)],
        },
        customdata=[[one.right, one.count, 100 * low, 100 * high]
                    for one, (low, high) in zip(shown, bounds, strict=True)],
        hovertemplate="sure to %{x:.0f} %: %{y:.0f} % came true (%{customdata[0]} of"
        " %{customdata[1]}), 95 %: %{customdata[2]:.0f} to %{customdata[3]:.0f}<extra></extra>",
    )  # fmt: skip
    style_figure(figure, is_dark=is_dark, has_legend=False)
    figure.update_layout(hovermode="closest")
    figure.update_xaxes(title="Confidence", range=[-3, 103], ticksuffix=" %")
    figure.update_yaxes(title="Came true", range=[-3, 112], ticksuffix=" %", side="left")
    return figure


def cost_figure(lines: Sequence[AdviceLine], *, is_dark: bool) -> go.Figure:
    """US dollars by UTC day, a colour for each of the dearest bots."""
    days: dict[str, dict[date, float]] = defaultdict(lambda: defaultdict(float))
    for line in lines:
        days[line.bot_name][line.asked_at.date()] += float(line.cost)
    ranked = sorted(days, key=lambda name: -sum(days[name].values()))
    named = ranked if len(ranked) <= MOST_NAMES else ranked[: MOST_NAMES - 1]
    rest: dict[date, float] = defaultdict(float)
    for name in ranked[len(named) :]:
        for day, cost in days[name].items():
            rest[day] += cost
    parts = [(name, days[name]) for name in named] + ([(OTHERS, rest)] if rest else [])
    figure = go.Figure()
    for index, (name, costs) in enumerate(parts):
        each = sorted(costs)
        figure.add_bar(
            x=each, y=[costs[day] for day in each], name=plain_name(name),
            marker={"color": series_colour(index), "line": {"width": 0}},
            hovertemplate="$%{y:.4f}",
        )  # fmt: skip
    style_figure(figure, is_dark=is_dark, has_legend=len(parts) > 1)
    every = _all_days(lines)
    figure.update_layout(barmode="stack")
    if every and (max(every) - min(every)).days < FEW_DAYS:  # one bar would fill the chart
        end = datetime.combine(max(every), time(12))
        figure.update_xaxes(range=[end - timedelta(days=FEW_DAYS), end])
    figure.update_yaxes(tickprefix="$")
    figure.update_xaxes(tickformat="%b %d", dtick=86_400_000 * max(1, len(every) // 8))
    return figure


def held_back_figure(
    lines: Sequence[AdviceLine], quotes: Mapping[str, str], quote: str, *, is_dark: bool
) -> go.Figure:
    """What the entries that were held back would have made, summed up by the time they were held
    back; below zero the veto has saved money. ``quotes`` are those of symbols by row id."""
    judged = held_back_lines(lines, quotes, quote)
    total, sums = 0.0, []
    for line in judged:
        total += float(line.outcome.value) if line.outcome and line.outcome.value else 0.0
        sums.append(total)
    figure = go.Figure()
    figure.add_scatter(
        x=[line.asked_at for line in judged], y=sums, mode="lines+markers", name="Held back",
        line={"color": BLUE, "width": 1.8, "shape": "hv"}, marker={"size": 5},
        text=[f"{plain_name(line.bot_name)}, {plain_name(line.symbol)}" for line in judged],
        hovertemplate=f"%{{text}}: %{{y:+,.2f}} {plain_name(quote)}<extra></extra>",
    )  # fmt: skip
    figure.add_hline(y=0, line={"color": GREY, "width": 1, "dash": "dot"})
    style_figure(figure, is_dark=is_dark, has_legend=False)
    figure.update_layout(hovermode="closest")
    return figure


def held_back_lines(
    lines: Sequence[AdviceLine], quotes: Mapping[str, str], quote: str
) -> list[AdviceLine]:
    """Those of a quote asset that were held back or reduced and have been judged, oldest first."""
    found = [
        line for line in lines
        if line.purpose is AdvicePurpose.REVIEW
        and line.verdict in (CounselVerdict.VETO, CounselVerdict.REDUCE)
        and line.outcome is not None and line.outcome.value is not None
        and quotes.get(line.id, "") == quote
    ]  # fmt: skip
    return sorted(found, key=lambda line: line.asked_at)


def plain_name(name: str) -> str:
    """A name as Plotly draws it literally: it reads some markup of its own."""
    return name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("$", "＄")


def _all_days(lines: Sequence[AdviceLine]) -> set[date]:
    return {line.asked_at.date() for line in lines}
