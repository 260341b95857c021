"""Tables of a performance analysis: metrics, drawdowns, groups of trades, and remarks."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import pandas as pd
import streamlit as st

from engine.contracts.performance import (
    METRICS,
    Drawdown,
    GroupRow,
    Metric,
    Metrics,
    Remark,
    Tone,
    Unit,
    YearRow,
)
from panel.figures import Figure, draw_figures
from panel.format import NONE, duration, escape, exit_words, moment, money, percent
from panel.palette import DOWN, UP, faded
from panel.record_tables import Column, draw_records

TONES = {
    Tone.STRENGTH: ("green", "thumb_up", "Strength"),
    Tone.WEAKNESS: ("red", "thumb_down", "Weakness"),
    Tone.CAUTION: ("orange", "info", "Caution"),
}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
HEADLINES = (
    "total_return", "cagr", "max_drawdown", "sharpe", "sortino", "profit_factor", "win_rate",
    "trades", "expectancy", "market_change",
)  # fmt: skip
"""What the strip over the charts shows."""


def metric_text(metric: Metric, value: object, quote: str) -> str:
    """A metric's value as the panel writes its unit; an en dash for none."""
    if value is None:
        return NONE
    if isinstance(value, datetime):
        return moment(value)[:16]
    number = float(str(value))
    if metric.unit is Unit.MONEY:
        return money(Decimal(str(number)), quote)
    if metric.unit is Unit.SECONDS:
        return duration(number)
    if metric.unit is Unit.COUNT:
        return f"{number:,.0f}"
    if metric.unit is Unit.FRACTION:
        return percent(number)
    return f"{number:,.2f}".replace("-", "\u2212")


def metric_figures(metrics: Metrics, quote: str, keys: Sequence[str] = HEADLINES) -> list[Figure]:
    """The most telling metrics for ``draw_figures``."""
    by_key = {metric.key: metric for metric in METRICS}
    return [
        Figure(by_key[key].title, metric_text(by_key[key], getattr(metrics, key), quote))
        for key in keys
    ]


def metrics_frame(named: Sequence[tuple[str, Metrics, str]]) -> pd.DataFrame:
    """All metrics, one row each and one column a result; ``named`` is (title, metrics, quote).

    Where a result has no value, the last column says why.
    """
    rows = []
    for metric in METRICS:
        values = [getattr(metrics, metric.key) for _, metrics, _ in named]
        row = {"Metric": metric.title}
        for (title, _, quote), value in zip(named, values, strict=True):
            row[title] = metric_text(metric, value, quote)
        why = metric.empty if None in values else ""
        rows.append({**row, "Kind": metric.group, "Formula": metric.formula, "Empty when": why})
    return pd.DataFrame(rows)


def draw_metrics(named: Sequence[tuple[str, Metrics, str]], *, key: str) -> None:
    """Draw ``metrics_frame``; several results stand beside one another."""
    titles = [title for title, _, _ in named]
    st.dataframe(
        metrics_frame(named), key=key, hide_index=True, height=480,
        column_config={
            "Metric": st.column_config.TextColumn(pinned=True, width=170),
            **{title: st.column_config.TextColumn(alignment="right") for title in titles},
        },
    )  # fmt: skip


def draw_headline(metrics: Metrics, quote: str) -> None:
    """Draw the strip of the most telling metrics. Needs ``apply_details_style`` on the page."""
    draw_figures(metric_figures(metrics, quote))


DRAWDOWN_COLUMNS: tuple[Column[Drawdown], ...] = (
    Column("Depth", lambda one: one.depth, percent),
    Column("Amount", lambda one: one.amount, lambda value: f"{value:,.2f}"),
    Column("Peak (UTC)", lambda one: moment(one.start)[:16]),
    Column("Lowest (UTC)", lambda one: moment(one.trough)[:16]),
    Column("Recovered (UTC)", lambda one: moment(one.recovery)[:16] if one.recovery else "not yet"),
    Column("Lasted", lambda one: one.duration_s, duration),
)


def draw_drawdowns(drawdowns: Sequence[Drawdown], *, key: str) -> None:
    """The deepest drawdowns, deepest first."""
    if not drawdowns:
        st.caption("The worth never fell under an earlier one.")
        return
    draw_records(drawdowns, DRAWDOWN_COLUMNS, key=key)


def group_columns(title: str, quote: str) -> tuple[Column[GroupRow], ...]:
    """Columns of groups of trades; ``title`` says what they have in common."""
    return (
        Column(title, lambda row: row.key),
        Column("Trades", lambda row: row.trades, lambda value: f"{value:,}"),
        Column("Win rate", lambda row: row.win_rate, percent),
        Column("P&L", lambda row: row.pnl, is_gain=True, quote=lambda _: quote),
        Column("A trade", lambda row: row.expectancy, is_gain=True, quote=lambda _: quote),
        Column("Mean return", lambda row: row.mean_return, percent, is_gain=True),
        Column("Profit factor", lambda row: row.profit_factor, lambda value: f"{value:,.2f}"),
        Column("Best", lambda row: row.best, is_gain=True, quote=lambda _: quote),
        Column("Worst", lambda row: row.worst, is_gain=True, quote=lambda _: quote),
        Column("Fees", lambda row: row.fees, quote=lambda _: quote),
        Column("Held", lambda row: row.mean_duration_s, duration),
    )


def readable(rows: Sequence[GroupRow], by: str) -> list[GroupRow]:
    """Groups under names that are words: those of exits are codes."""
    if by != "exit_reason":
        return list(rows)
    return [row.model_copy(update={"key": exit_words(row.key)}) for row in rows]


def draw_groups(rows: Sequence[GroupRow], title: str, quote: str, *, key: str) -> None:
    """Groups of closed trades as a table."""
    if not rows:
        st.caption("There is no closed trade.")
        return
    draw_records(rows, group_columns(title, quote), key=key)


def draw_months(years: Sequence[YearRow]) -> None:
    """Returns by month and year as a heatmap that can be read on a phone, newest year first."""
    if not years:
        st.caption("There is no day yet.")
        return
    st.html(months_html(years))


def months_html(years: Sequence[YearRow]) -> str:
    """The heatmap as a table. Colours go by the months alone: beside a good year every month would
    look pale. A month without a bar is empty."""
    most = max((abs(one) for row in years for one in row.months if one is not None), default=0.0)
    head = "".join(f"<th>{name}</th>" for name in ("", *MONTHS, "Year"))
    rows = "".join(
        f"<tr><th>{row.year}</th>{''.join(_month_cell(one, most) for one in row.months)}"
        f"{_month_cell(row.total, 0.0)}</tr>"
        for row in sorted(years, key=lambda row: -row.year)
    )
    return f'<div class="qd-months"><table><tr>{head}</tr>{rows}</table></div>'


def _month_cell(fraction: float | None, most: float) -> str:
    if fraction is None:
        return "<td></td>"
    text = f"{abs(100 * fraction):.1f}"
    sign = "\u2212" if fraction < 0 else "+"
    look = ""
    if most:
        tint = faded(UP if fraction > 0 else DOWN, round(0.75 * abs(fraction) / most, 3))
        look = f' style="background:{tint}"'
    return f"<td{look}>{sign if float(text) else ''}{text}</td>"


def draw_remarks(remarks: Sequence[Remark]) -> None:
    """Strengths, weaknesses and cautions, each a line that begins with what it is."""
    if not remarks:
        st.caption("Nothing stands out.")
        return
    lines = []
    for one in remarks:
        colour, icon, word = TONES[one.tone]
        lines.append(f":{colour}[:material/{icon}: **{word}**] {escape(one.text)}")
    st.markdown("  \n".join(lines))
