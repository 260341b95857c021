"""A whole analysis on a page, of live trading or of a backtest: figures, remarks, charts, tables.

Needs ``apply_details_style`` on the page.
"""

import plotly.graph_objects as go
import streamlit as st

from engine.contracts.performance import Analysis
from panel.research_charts import (
    ROLLING_KINDS,
    distribution_figure,
    equity_figure,
    groups_figure,
    rolling_figure,
    underwater_figure,
)
from panel.research_tables import (
    draw_drawdowns,
    draw_groups,
    draw_headline,
    draw_metrics,
    draw_months,
    draw_remarks,
    readable,
)
from panel.session import is_dark

CHART_CONFIG = {"displayModeBar": False, "scrollZoom": False}
EQUITY_PX, UNDERWATER_PX, SMALL_PX = 300, 150, 240
MOST_BARS = 40
"""With more groups than this, bars are too thin to read: the table says it alone."""

GROUPS = {
    "Exit": "exit_reason", "Side": "side", "Symbol": "symbol", "Weekday": "weekday",
    "Entry hour": "entry_hour", "Month": "month", "Strategy": "strategy", "Bot": "bot",
}  # fmt: skip
"""What the trades of an analysis can be grouped by, where it has that group."""


def draw_analysis(analysis: Analysis, *, key: str) -> None:
    """Draw everything. ``key`` tells several on one page apart."""
    draw_summary(analysis, key=key)
    returns, trades, falls, figures = st.tabs(["Returns", "Trades", "Drawdowns", "All figures"])
    with returns:
        _draw_returns(analysis, key)
    with trades:
        _draw_trades(analysis, key)
    with falls:
        draw_drawdowns(analysis.drawdowns, key=f"{key}-drawdowns")
    with figures:
        draw_metrics([("Value", analysis.metrics, analysis.quote)], key=f"{key}-metrics")


def draw_summary(analysis: Analysis, *, key: str) -> None:
    """The telling figures, what stands out, and the curve with its drawdowns."""
    draw_headline(analysis.metrics, analysis.quote)
    draw_remarks(analysis.remarks)
    if len(analysis.curve.time) < 2:
        return
    market = " and what buying and holding would have made" if analysis.curve.market else ""
    st.caption(f"Worth over time, {analysis.quote}{market}")
    _plot(equity_figure(analysis.curve, analysis.quote, is_dark=is_dark()), EQUITY_PX,
          f"{key}-equity")  # fmt: skip
    st.caption("Under its highest so far")
    _plot(underwater_figure(analysis.curve, is_dark=is_dark()), UNDERWATER_PX, f"{key}-under")


def _draw_returns(analysis: Analysis, key: str) -> None:
    """Months, and figures over a moving window."""
    st.caption("Return by month, %")
    draw_months(analysis.months)
    days = analysis.rolling.days
    kind = st.segmented_control(
        f"Over {days} days", list(ROLLING_KINDS), default="Return", required=True,
        key=f"{key}-rolling-kind",
    )  # fmt: skip
    if not analysis.rolling.time:
        st.caption(f"Figures over a moving window begin after {days} days.")
        return
    figure = rolling_figure(analysis.rolling, kind, is_dark=is_dark())
    _plot(figure, SMALL_PX, f"{key}-rolling")


def _draw_trades(analysis: Analysis, key: str) -> None:
    """How trades are distributed, and what they have in common."""
    if not analysis.distribution:
        st.caption("No trade was closed.")
        return
    st.caption("Trades by their return")
    _plot(distribution_figure(analysis.distribution, is_dark=is_dark()), SMALL_PX, f"{key}-spread")
    offered = [title for title, by in GROUPS.items() if analysis.groups.get(by)]
    title = st.segmented_control(
        "Grouped by", offered, default=offered[0], required=True, key=f"{key}-group"
    )
    rows = readable(analysis.groups[GROUPS[title]], GROUPS[title])
    if 1 < len(rows) <= MOST_BARS:
        figure = groups_figure(rows, analysis.quote, is_dark=is_dark())
        _plot(figure, SMALL_PX, f"{key}-bars-{title}")
    draw_groups(rows, title, analysis.quote, key=f"{key}-groups-{title}")


def _plot(figure: go.Figure, height: int, key: str) -> None:
    st.plotly_chart(figure, height=height, config=CHART_CONFIG, key=key)
