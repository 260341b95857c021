"""What a study found: in and out of sample, luck, folds, trials, heatmap."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from engine.contracts.studies import Study, TrialOutcome, TrialRow
from panel.backtest_words import flat, setting_name, setting_value
from panel.figures import Figure, draw_figures
from panel.format import NONE, escape, percent
from panel.record_tables import ROW_PX, Column, records_table, table_px
from panel.session import is_dark
from panel.tuning_charts import (
    fan_figure,
    heatmap,
    outside_figure,
    progress_figure,
    scatter_figure,
)
from panel.tuning_words import (
    FIGURE_OF,
    OUTCOMES,
    figure_words,
    luck_colour,
    title_of,
    value_words,
    values_words,
)

MOST_PX = 560
TABS = ("Result", "Heatmap", "Trials", "Luck", "Settings")
COMPARED = (
    ("total_return", "Total return"), ("cagr", "A year"), ("sharpe", "Sharpe ratio"),
    ("sortino", "Sortino ratio"), ("calmar", "Calmar ratio"), ("profit_factor", "Profit factor"),
    ("max_drawdown", "Max drawdown"), ("win_rate", "Win rate"), ("trades", "Trades"),
)  # fmt: skip


def draw_result(study: Study, rows: Sequence[TrialRow]) -> None:
    """The winner: its parameters, in sample beside out of sample, its curve and its folds."""
    summary = study.summary
    head = [Figure(name, value_words(value)) for name, value in summary.best.items()]
    head.append(Figure(f"{title_of(study.request.objective)}, in sample",
                       figure_words("", summary.best_value)))  # fmt: skip
    if summary.efficiency is not None:
        head.append(Figure("Efficiency out of sample", f"{summary.efficiency:.2f}"))
    draw_figures(head)
    lost = summary.outside.get("total_return") or 0.0
    if lost < 0:
        st.error(
            f"Out of sample it lost {percent(-lost)}: the best of these trials is no good one.",
            icon=":material/trending_down:",
        )
    if summary.luck.verdict:
        words = " ".join(summary.luck.verdict)
        st.markdown(f"**:{luck_colour(summary.luck)}[{escape(words)}]**")
    quote = study.symbol.partition("/")[2]
    left, right = st.columns([1, 1.4], gap="medium")
    with left:
        draw_compared(study)
    with right:
        st.plotly_chart(outside_figure(summary, quote, is_dark=is_dark()), height=320,
                        key="study_curve", config={"displayModeBar": False})  # fmt: skip
        unit = f", {escape(quote)}" if quote else ""
        st.caption(f"The account out of sample, where nothing was chosen{unit}")
    if len(summary.folds) > 1:
        draw_folds(study)
    figure_key = FIGURE_OF[study.request.objective]
    chosen = {(fold.fold, fold.number) for fold in summary.folds}
    best = [one for one in rows if (one.fold, one.number) in chosen]
    st.markdown("**In sample against out of sample**")
    st.plotly_chart(
        scatter_figure(rows, best, figure_key, dict(COMPARED)[figure_key], is_dark=is_dark()),
        height=340, key="study_scatter", config={"displayModeBar": False},
    )  # fmt: skip


def draw_compared(study: Study) -> None:
    """Every figure twice."""
    summary = study.summary
    frame = pd.DataFrame(
        [
            {"Figure": title, "In sample": figure_words(key, summary.inside.get(key)),
             "Out of sample": figure_words(key, summary.outside.get(key))}
            for key, title in COMPARED
        ]
    )  # fmt: skip
    st.dataframe(
        frame, hide_index=True, row_height=ROW_PX, key="study_compared",
        height=table_px(len(frame)),
        column_config={name: st.column_config.TextColumn(alignment="right")
                       for name in ("In sample", "Out of sample")},
    )  # fmt: skip


def draw_folds(study: Study) -> None:
    """A row a fold."""
    key = FIGURE_OF[study.request.objective]
    title = title_of(study.request.objective)
    st.markdown("**Folds**")
    frame = pd.DataFrame(
        [
            {"Fold": one.fold, "Chosen": values_words(one.values),
             f"{title}, in": one.value,
             "Out": one.outside.get(key),
             "Return out": figure_words("total_return", one.outside.get("total_return")),
             "Trades out": one.outside.get("trades"),
             "Trained (UTC)": f"{one.train_from:%Y-%m-%d} to {one.train_to:%Y-%m-%d}",
             "Tested (UTC)": f"{one.test_from:%Y-%m-%d} to {one.test_to:%Y-%m-%d}"}
            for one in study.summary.folds
        ]
    )  # fmt: skip
    st.dataframe(frame, hide_index=True, row_height=ROW_PX, key="study_folds", placeholder=NONE,
                 height=table_px(len(frame), MOST_PX))  # fmt: skip
    moved = ", ".join(f"{name} {share:.0%}" for name, share in study.summary.stability.items())
    st.caption(f"How far each parameter stayed in its place from fold to fold: {escape(moved)}.")


def draw_heatmap(study: Study, rows: Sequence[TrialRow]) -> None:
    """Two parameters against each other, inputs first."""
    names = list(rows[0].values) if rows else []
    if len(names) < 2:
        st.info("A heatmap needs two parameters that are searched.")
        return
    with st.container(horizontal=True):
        across = st.selectbox("Across", names, key="heat_across", width=180)
        others = [name for name in names if name != across]
        down = st.selectbox("Down", others, key="heat_down", width=180)
        side = st.segmented_control("Value", ("In sample", "Out of sample"), key="heat_side",
                                    default="In sample", required=True)  # fmt: skip
    folds = sorted({one.fold for one in rows})
    fold = st.selectbox("Fold", folds, len(folds) - 1, key="heat_fold", width=120) if len(
        folds
    ) > 1 else folds[0]  # fmt: skip
    shown = [one for one in rows if one.fold == fold]
    figure = heatmap(
        shown, across, down, is_dark=is_dark(), is_outside=side == "Out of sample",
        key=FIGURE_OF[study.request.objective],
    )  # fmt: skip
    st.plotly_chart(figure, height=430, key="study_heatmap", config={"displayModeBar": False})
    st.caption("The best value of each pair. A good place is broad and green on both sides; a lone"
               " green cell is luck.")  # fmt: skip
    importance = study.summary.importance
    if importance:
        words = ", ".join(f"{name} {share:.0%}" for name, share in importance.items())
        st.caption(f"How much each parameter mattered: {escape(words)}.")


def draw_trials(study: Study, rows: Sequence[TrialRow]) -> None:
    """Every trial."""
    st.plotly_chart(progress_figure(rows, is_dark=is_dark()), height=240, key="study_progress",
                    config={"displayModeBar": False})  # fmt: skip
    counts = ", ".join(f"{count:,} {OUTCOMES[TrialOutcome(one)]}"
                       for one, count in study.summary.counts.items())  # fmt: skip
    if counts:
        st.caption(f"{len(rows):,} trials: {counts}.")
    key = FIGURE_OF[study.request.objective]
    columns: tuple[Column[TrialRow], ...] = (
        *((Column("Fold", lambda one: one.fold),) if len({one.fold for one in rows}) > 1 else ()),
        Column("Trial", lambda one: one.number + 1),
        Column("Parameters", lambda one: values_words(one.values)),
        Column(title_of(study.request.objective), lambda one: one.value, lambda v: f"{v:,.4g}"),
        Column("Out of sample", lambda one: one.outside.get(key), lambda v: f"{v:,.4g}"),
        Column("Trades in", lambda one: one.inside.get("trades"), lambda v: f"{v:,.0f}"),
        Column("Trades out", lambda one: one.outside.get("trades"), lambda v: f"{v:,.0f}"),
        Column("Outcome", lambda one: OUTCOMES[one.outcome]),
        Column("Note", lambda one: one.note),
    )  # fmt: skip
    ranked = sorted(rows, key=lambda one: (one.value is None, -(one.value or 0), one.number))
    st.dataframe(records_table(ranked, columns), hide_index=True, row_height=ROW_PX,
                 key="study_trials", placeholder=NONE,
                 height=table_px(len(rows), MOST_PX))  # fmt: skip


def draw_luck(study: Study) -> None:
    """How much of the winner is luck, in words and pictures."""
    luck, found = study.summary.luck, study.summary.monte_carlo
    draw_figures(
        (
            Figure("Trials with a score", f"{luck.trials:,}"),
            Figure("PBO", NONE if luck.pbo is None else f"{luck.pbo:.2f}"),
            Figure("Deflated Sharpe",
                   NONE if luck.deflated_sharpe is None else f"{luck.deflated_sharpe:.2f}"),
        )
    )  # fmt: skip
    for words in luck.verdict:
        st.markdown(escape(words))
    st.caption("PBO: how often the best of the trials on one half of the training was in the lower"
               " half on the other (CSCV). Deflated Sharpe: the chance that the true Sharpe ratio"
               " is above zero although it is the best of so many.")  # fmt: skip
    if found is None:
        st.info("There is no trade to simulate with.")
        return
    st.markdown("**The same trades, drawn anew**")
    spread = found.final_equity
    draw_figures(
        (
            Figure("Chance of a loss", f"{found.loss_chance:.1%}"),
            Figure(f"Chance to fall to {found.ruin_at:.0%}", f"{found.ruin_chance:.1%}"),
            Figure("Worth, 5 to 95 %", f"{spread.p5 or 0:,.0f} to {spread.p95 or 0:,.0f}"),
            Figure("Max drawdown, 95 %", figure_words("max_drawdown", found.max_drawdown.p95)),
        )
    )
    st.plotly_chart(fan_figure(study.summary, is_dark=is_dark()), height=320, key="study_fan",
                    config={"displayModeBar": False})  # fmt: skip


def draw_settings(study: Study) -> None:
    """What was asked."""
    asked = study.request.model_dump(mode="json", exclude={"name"})
    rows = [{"Setting": setting_name(name.removeprefix("backtest.")), "Value": setting_value(value)}
            for name, value in flat(asked)]  # fmt: skip
    st.dataframe(rows, hide_index=True, key="study_settings", row_height=ROW_PX,
                 height=table_px(len(rows), 900))  # fmt: skip
