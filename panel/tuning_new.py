"""A new study: the form on one side, what it would do on the other."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from engine.contracts import ErrorDetail
from engine.contracts.studies import StudyPreviewView
from panel.backtest_draft import FILES
from panel.facade import ControlPanel, EngineRefused, PanelError
from panel.format import escape, now
from panel.markup import review_html
from panel.symbols import find_symbols
from panel.tuning_draft import first_draft
from panel.tuning_form import DRAFT, TuningForm

STARTED, REFUSAL = "tuning_new:started", "tuning_new:refusal"


def draw_new(panel: ControlPanel) -> None:
    """The form, its preview, and the button."""
    if DRAFT.is_empty:
        DRAFT.load("new", first_draft(now().date()))
    DRAFT.restore()
    form = TuningForm(panel.markets(), panel.strategies())
    left, right = st.columns([1.75, 1], gap="medium")
    with left:
        draw_sections(panel, form)
    with right, st.container(border=True, key="qd-review"):
        st.subheader("What it does", anchor=False)
        body = form.body()
        st.button("Start the study", type="primary", icon=":material/play_arrow:",
                  key="study_start", on_click=start, args=(panel, body))  # fmt: skip
        refusal = st.session_state.pop(REFUSAL, "")
        if refusal:
            st.error(escape(refusal), icon=":material/error:")
        for detail in form.show_errors(draw_preview(panel, body)):
            st.error(escape(f"{detail.field}: {detail.message}"), icon=":material/error:")
    DRAFT.keep()


def draw_sections(panel: ControlPanel, form: TuningForm) -> None:
    """Candles to name, each in its frame."""
    with st.container(border=True):
        st.markdown("**1  Candles and period**")
        source = form.draw_source(now())
        symbols = () if source == FILES else find_symbols(panel, source)
        form.draw_candles(symbols, source, now())
    with st.container(border=True):
        st.markdown("**2  Strategy, and where to search**")
        form.draw_space()
    with st.container(border=True):
        st.markdown("**3  Search**")
        form.draw_search()
        form.draw_split()
    with st.container(border=True), st.expander("4  Account, costs and exits"):
        form.draw_account()
        form.draw_costs()
        form.draw_exits()
    st.text_input("Name", key=DRAFT.key("name"), max_chars=80,
                  placeholder="strategy, symbol and objective when empty")  # fmt: skip
    form.slot("name")


def start(panel: ControlPanel, body: Mapping[str, Any]) -> None:
    """Queue what the form holds; a callback. The form is kept, refused or not."""
    try:
        study = panel.create_study(body)
    except PanelError as error:
        st.session_state[REFUSAL] = f"Not started. {error.message}"
        return
    st.session_state[STARTED] = study.id


def take_started() -> None:
    """Go to the study that was just started."""
    started = st.session_state.pop(STARTED, None)
    if started:
        st.query_params.from_dict({"study": started})


def draw_preview(panel: ControlPanel, body: Mapping[str, Any]) -> Sequence[ErrorDetail]:
    """Size and windows. Returns what is wrong with the form's fields, when it is."""
    try:
        preview = panel.preview_study(body)
    except EngineRefused as error:
        if not error.details:
            st.error(escape(error.message), icon=":material/error:")
        else:
            st.info("What would be done appears once the marked fields are right.")
        return error.details
    except PanelError as error:
        st.error(escape(error.message), icon=":material/error:")
        return ()
    st.html(preview_html(preview))
    for warning in preview.warnings:
        st.warning(escape(warning), icon=":material/warning:")
    return ()


def preview_html(preview: StudyPreviewView) -> str:
    """What a study would do, as a two-column list."""
    first = preview.folds[0]
    folds = f"{len(preview.folds)} folds, each " if len(preview.folds) > 1 else ""
    searched = ", ".join(preview.searched)
    rows = [
        ("Symbol", preview.symbol),
        ("Candles", "asked when it runs" if preview.bars is None else f"{preview.bars:,}"),
        ("Searched", searched),
        ("Trials", f"{preview.trials:,}"),
        ("A grid would have", f"{preview.grid_size:,}"),
        ("Chosen on", f"{folds}{first.train_bars:,} candles"),
        ("Judged by", f"{first.test_bars:,} candles after them"),
    ]
    return review_html(rows)
