"""One study: what it is doing, how it ended, what it found, what to do next."""

from collections.abc import Callable

import streamlit as st

from engine.contracts.studies import RESUMABLE, Study, StudyState, TrialFilter
from panel.commands import attempt
from panel.facade import ControlPanel, EngineRefused, PanelError
from panel.format import escape
from panel.layout import show_error
from panel.live import latest, show_staleness
from panel.session import control_panel, is_dark
from panel.tuning_bot import bot_dialog
from panel.tuning_charts import progress_figure
from panel.tuning_results import (
    TABS,
    draw_heatmap,
    draw_luck,
    draw_result,
    draw_settings,
    draw_trials,
)
from panel.tuning_words import STATE_COLOURS, best_words, progress_words, title_of

REFRESH_S = 1.0
NOT_FOUND = 404
MOST_TRIALS = 5_000


def draw_study(panel: ControlPanel, study_id: str) -> None:
    """The page of one study."""
    try:
        study = panel.study(study_id)
    except EngineRefused as error:
        if error.status != NOT_FOUND:
            raise
        st.error("There is no such study any more.", icon=":material/error:")
        back_link()
        return
    draw_commands(panel, study)
    request = study.request
    st.markdown(
        f":{STATE_COLOURS[study.state]}-badge[{study.state.value}] **{escape(study.name)}**:"
        f" `{request.backtest.strategy}` on {escape(study.symbol)}, {request.backtest.timeframe},"
        f" for {escape(title_of(request.objective).lower())}"
    )
    if study.is_active:
        live_progress(panel, study)
        return
    draw_end(study)
    for warning in study.summary.warnings:
        st.warning(escape(warning), icon=":material/warning:")
    draw_found(panel, study)


def back_link() -> None:
    """The way to all of them."""
    st.page_link("pages/tuning.py", label="All studies", icon=":material/arrow_back:",
                 query_params={"view": "Studies"})  # fmt: skip


def draw_commands(panel: ControlPanel, study: Study) -> None:
    """What can be done with the study as it is."""
    with st.container(horizontal=True, key="run_commands", vertical_alignment="center"):
        back_link()
        if study.is_active:
            st.button("Cancel", icon=":material/stop:", key="study_cancel", on_click=cancel,
                      args=(study,), help="What was tried is kept")  # fmt: skip
            return
        if study.summary.best and st.button(
            "Apply to a new paper bot", type="primary", icon=":material/smart_toy:",
            key="study_bot",
        ):  # fmt: skip
            bot_dialog(panel, study)
        if study.state in RESUMABLE:
            st.button("Resume", icon=":material/play_arrow:", key="study_resume", type="primary",
                      on_click=resume, args=(study,), help="It goes on where it was")  # fmt: skip
        if st.button("Delete", icon=":material/delete:", key="study_delete"):
            _delete_dialog(study)


@st.fragment(run_every=REFRESH_S)
def live_progress(panel: ControlPanel, drawn: Study) -> None:
    """The best so far; draws the page anew once the study has ended."""
    try:
        snapshot = latest(f"study:{drawn.id}", lambda: panel.study(drawn.id))
        study = snapshot.value
        rows = latest(
            f"study:{drawn.id}:trials",
            lambda: panel.trials(drawn.id, TrialFilter(limit=MOST_TRIALS)).items,
        ).value
    except PanelError as error:
        if isinstance(error, EngineRefused) and error.status == NOT_FOUND:
            st.rerun()
        show_error(error)
        return
    if not snapshot.error and not study.is_active:
        st.rerun()
    show_staleness(snapshot)
    st.progress(study.progress.share, progress_words(study.progress))
    if rows:
        st.markdown(escape(best_words(study)))
        st.plotly_chart(progress_figure(rows, is_dark=is_dark()), height=280,
                        key="study_live", config={"displayModeBar": False})  # fmt: skip
    st.caption("You may leave this page: it goes on, and is found under Studies.")


def draw_end(study: Study) -> None:
    """How a study ended that has no winner."""
    if study.state in (StudyState.FAILED, StudyState.INTERRUPTED):
        st.error(escape(study.error), icon=":material/error:")
    elif study.state is StudyState.CANCELLED:
        st.info("It was cancelled. What was tried is kept: it can be resumed.",
                icon=":material/stop:")  # fmt: skip
    elif study.summary.note:
        st.warning(escape(study.summary.note), icon=":material/warning:")


def draw_found(panel: ControlPanel, study: Study) -> None:
    """Everything it found, tab by tab."""
    rows = panel.trials(study.id, TrialFilter(limit=MOST_TRIALS)).items
    has_winner = bool(study.summary.best)
    names = TABS if has_winner else tuple(one for one in TABS if one not in ("Result", "Luck"))
    tabs = st.tabs(list(names), key="study_tab", on_change="rerun")
    draws: dict[str, Callable[[], None]] = {
        "Result": lambda: draw_result(study, rows),
        "Heatmap": lambda: draw_heatmap(study, rows),
        "Trials": lambda: draw_trials(study, rows),
        "Luck": lambda: draw_luck(study),
        "Settings": lambda: draw_settings(study),
    }
    for tab, name in zip(tabs, names, strict=True):
        if tab.open:
            with tab:
                if not rows and name in ("Heatmap", "Trials"):
                    st.info("No trial was carried out.")
                else:
                    draws[name]()


# --- commands; callbacks
def cancel(study: Study) -> None:
    """End it."""
    attempt(lambda: control_panel().cancel_study(study.id), f"{study.name} is cancelled.")


def resume(study: Study) -> None:
    """Let it go on."""
    attempt(lambda: control_panel().resume_study(study.id), f"{study.name} goes on.")


@st.dialog("Delete study")
def _delete_dialog(study: Study) -> None:
    st.markdown(f"Delete **{escape(study.name)}** with its trials? This cannot be undone.")
    if st.button("Delete for good", type="primary", key="study_delete_confirm", on_click=delete,
                 args=(study,)):  # fmt: skip
        st.rerun()


def delete(study: Study) -> None:
    """Remove it and go to all of them."""
    if attempt(lambda: control_panel().delete_study(study.id), f"{study.name} is deleted."):
        st.query_params.from_dict({"view": "Studies"})
