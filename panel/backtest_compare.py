"""Backtests side by side: curves, figures with their differences, and what was set differently."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from engine.contracts.backtests import BacktestFilter, ComparedRun, Comparison, RunState
from engine.contracts.performance import METRICS, Better, Unit
from panel.analysis_view import CHART_CONFIG
from panel.backtest_words import run_title, setting_name, setting_value
from panel.facade import ControlPanel, EngineRefused
from panel.format import escape, percent
from panel.palette import DOWN, UP, series_colour
from panel.record_tables import ROW_PX, table_px
from panel.research_charts import compare_figure
from panel.research_tables import draw_metrics, metric_text
from panel.session import is_dark

MOST_OFFERED = 200
FIRST_FIGURES = (
    "total_return", "cagr", "max_drawdown", "sharpe", "sortino", "calmar", "profit_factor",
    "win_rate", "trades", "expectancy", "exposure", "fees",
)  # fmt: skip


def draw_compare(panel: ControlPanel) -> None:
    """Choose runs that are done, and see them together; the choice is kept in the address."""
    done = panel.backtests(BacktestFilter(state=RunState.DONE, limit=MOST_OFFERED)).items
    if len(done) < 2:
        st.info("Two backtests that are done are needed to compare.")
        return
    titles = {run.id: run_title(run) for run in done}
    if "compare_runs" not in st.session_state:
        asked = st.query_params.get("compare", "").split(",")
        st.session_state["compare_runs"] = [one for one in asked if one][:5]
    gone = [one for one in st.session_state["compare_runs"] if one not in titles]
    chosen = st.multiselect(
        "Backtests", [*titles, *gone], max_selections=5, key="compare_runs",
        placeholder="Choose 2 to 5", format_func=lambda run_id: titles.get(run_id, run_id),
    )  # fmt: skip
    st.query_params["compare"] = ",".join(chosen)
    if len(chosen) < 2:
        st.info("Choose two to five; the first is what the others are measured against.")
        return
    try:
        draw_comparison(panel.compare_backtests(chosen))
    except EngineRefused as error:
        st.error(escape(error.message), icon=":material/error:")


def draw_comparison(found: Comparison) -> None:
    """Curves, settings, figures."""
    names = short_names([one.run.name for one in found.runs])
    quotes = {one.run.quote for one in found.runs}
    colours = [series_colour(index) for index in range(len(names))]
    curves = [(name, one.analysis.curve) for name, one in zip(names, found.runs, strict=True)]
    st.caption("Growth of the account, %")
    st.plotly_chart(
        compare_figure(curves, colours, is_dark=is_dark()), height=320, key="compare_curves",
        config=CHART_CONFIG,
    )  # fmt: skip
    if len(quotes) > 1:
        st.caption(f"Amounts are in {' and '.join(sorted(quotes))}: compare the fractions.")
    st.markdown("**What was set differently**")
    if found.differences:
        rows = [
            {"Setting": setting_name(one.name)}
            | {name: setting_value(value) for name, value in zip(names, one.values, strict=True)}
            for one in found.differences
        ]
        st.dataframe(rows, hide_index=True, key="compare_settings")
    else:
        st.caption("Nothing: the same backtest, run at different times.")
    st.markdown(f"**Figures, and how they differ from {escape(names[0])}**")
    st.dataframe(
        differences_table(found.runs, names), hide_index=True, key="compare_figures",
        height=table_px(len(FIRST_FIGURES)), row_height=ROW_PX,
        column_config={"Figure": st.column_config.TextColumn(pinned=True)},
    )  # fmt: skip
    with st.expander("All figures"):
        draw_metrics(
            [(name, one.analysis.metrics, one.run.quote)
             for name, one in zip(names, found.runs, strict=True)],
            key="compare_all",
        )  # fmt: skip


def short_names(names: Sequence[str]) -> list[str]:
    """Names that differ: a number is added to those that are the same."""
    shown: list[str] = []
    for name in names:
        count = sum(one == name or one.startswith(f"{name} (") for one in shown)
        shown.append(f"{name} ({count + 1})" if count else name)
    return shown


def differences_table(runs: Sequence[ComparedRun], names: Sequence[str]) -> Styler:
    """One row a figure: the first run's value, then each other's with its distance to that.

    Better is green and worse is red, where a figure has a better.
    """
    by_key = {metric.key: metric for metric in METRICS}
    rows, colours = [], []
    for key in (key for key in FIRST_FIGURES if key in by_key):
        metric = by_key[key]
        values = [getattr(one.analysis.metrics, key) for one in runs]
        row = {"Figure": metric.title}
        tint = {"Figure": ""}
        for name, value, one in zip(names, values, runs, strict=True):
            shown = metric_text(metric, value, one.run.quote)
            row[name], tint[name] = shown, ""
            if name != names[0] and value is not None and values[0] is not None:
                distance = float(value) - float(values[0])
                row[name] = f"{shown}  ({_signed(distance, metric.unit)})"
                tint[name] = _tint(distance, metric.better)
        rows.append(row)
        colours.append(tint)
    frame, styles = pd.DataFrame(rows), pd.DataFrame(colours)
    return frame.style.apply(lambda _: styles, axis=None)


def _signed(distance: float, unit: Unit) -> str:
    if unit is Unit.FRACTION:
        return percent(distance, is_signed=True)
    digits = 0 if unit is Unit.COUNT else 2
    return f"{distance:+,.{digits}f}".replace("-", "\u2212")


def _tint(distance: float, better: Better) -> str:
    if better is Better.NEITHER or not distance:
        return ""
    is_better = (distance > 0) == (better is Better.HIGH)
    return f"color: {UP if is_better else DOWN}"
