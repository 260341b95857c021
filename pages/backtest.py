"""Backtest: set one up, follow it, read what it found; with ``?run=ID`` one of them."""

from datetime import UTC

import streamlit as st

from panel.backtest_bot import follow_made
from panel.backtest_compare import draw_compare
from panel.backtest_draft import FILES, body_of, file_draft, first_draft
from panel.backtest_form import DRAFT, BacktestForm
from panel.backtest_history import choose_runs, draw_history
from panel.backtest_review import STARTED, draw_preview, draw_start
from panel.backtest_run import draw_run
from panel.facade import ControlPanel, PanelError
from panel.figures import apply_details_style
from panel.format import escape, now
from panel.layout import page_header, show_error
from panel.session import control_panel
from panel.symbols import find_symbols

VIEWS = ("New", "Runs", "Compare")


def draw_new(panel: ControlPanel) -> None:
    """The form on the left, what it would use on the right."""
    present = now().astimezone(UTC)
    file = st.query_params.get("candles")
    if file:  # the Candles page sends here
        DRAFT.load(f"candles:{file}", file_draft(file, st.query_params.get("timeframe")))
        st.query_params.clear()
    elif DRAFT.is_empty:
        DRAFT.load("new", first_draft(present.date()))
    DRAFT.restore()
    form = BacktestForm(panel.markets(), panel.strategies())
    left, right = st.columns([1.75, 1], gap="medium")
    with left:
        draw_sections(panel, form)
    with right, st.container(border=True, key="qd-review"):
        st.subheader("What it uses", anchor=False)
        draw_start(panel)
        for detail in form.show_errors(draw_preview(panel, body_of(DRAFT.read()))):
            st.error(escape(f"{detail.field}: {detail.message}"), icon=":material/error:")
    DRAFT.keep()


def draw_sections(panel: ControlPanel, form: BacktestForm) -> None:
    """Candles to notes, each in its frame."""
    with st.container(border=True):
        st.markdown("**1  Candles and period**")
        source = form.draw_source(now())
        if source != FILES:
            form.draw_symbols(find_symbols(panel, source))
        form.draw_period(source, now())
    with st.container(border=True):
        st.markdown("**2  Strategy**")
        form.draw_strategy()
    with st.container(border=True):
        st.markdown("**3  Account**")
        form.draw_account()
    with st.container(border=True):
        st.markdown("**4  Costs**")
        form.draw_costs()
    with st.container(border=True):
        st.markdown("**5  Exits**")
        form.draw_exits()
    with st.container(border=True):
        st.markdown("**6  Name and notes**")
        st.text_input("Name", key=DRAFT.key("name"), max_chars=80,
                      placeholder="strategy, symbol and timeframe when empty")  # fmt: skip
        form.slot("name")
        st.text_area("Notes", key=DRAFT.key("notes"), max_chars=2000, height=80)
        form.slot("notes")


def draw_page(panel: ControlPanel) -> None:
    """One run, or the form, the runs and the comparison."""
    asked = st.query_params.get("run")
    if asked:
        draw_run(panel, asked)
        return
    view = st.segmented_control(
        "View", VIEWS, default="New", required=True, key="view", bind="query-params",
        label_visibility="collapsed",
    )  # fmt: skip
    if view == "New":
        draw_new(panel)
    elif view == "Runs":
        draw_history(panel, choose_runs([one.id for one in panel.strategies()]))
    else:
        draw_compare(panel)


control = control_panel()
follow_made()
started = st.session_state.pop(STARTED, None)
if started:
    st.query_params.from_dict({"run": started})
page_header("Backtest", control)
apply_details_style()
try:
    draw_page(control)
except PanelError as refusal:
    show_error(refusal)
