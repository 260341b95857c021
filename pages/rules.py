"""Rule builder: a strategy put together from conditions, tried on past candles, kept, used."""

import streamlit as st

from panel import rules_session
from panel.facade import ControlPanel, PanelError
from panel.format import escape
from panel.layout import page_header, show_error
from panel.rules_draft import body_of
from panel.rules_form import RulesForm
from panel.rules_view import choose_rules, draw_commands, draw_trial
from panel.session import control_panel


def draw_page(panel: ControlPanel) -> None:
    """The rules on the left, what they say and where they would have traded on the right."""
    catalogue, rows = panel.rule_catalogue(), panel.rule_sets()
    asked = st.query_params.pop("rules", None)
    if asked is not None or rules_session.SOURCE not in st.session_state:
        rules_session.open_rules(panel, asked or rules_session.NEW)
    rules_session.restore()
    choose_rules(panel, rows)
    form = RulesForm(catalogue)
    left, right = st.columns([1.35, 1], gap="medium")
    with left:
        draw_rules(form)
    with right, st.container(border=True, key="qd-review"):
        st.subheader("What it says", anchor=False)
        refused = draw_commands(panel, catalogue)
        body = body_of(rules_session.shape(), rules_session.values(), catalogue)
        found = draw_trial(panel, body)
        # What is wrong with the rules themselves, the trial has just said again.
        named = [detail for detail in refused if detail.field == "id"]
        for detail in form.show_errors([*found, *named]):
            st.error(escape(f"{detail.field}: {detail.message}"), icon=":material/error:")
    rules_session.keep()


def draw_rules(form: RulesForm) -> None:
    """Title, the long side, the short side, the parameters."""
    with st.container(border=True):
        form.draw_about()
    for name in ("long_entry", "long_exit"):
        with st.container(border=True):
            form.draw_group(name)
    has_short = any(
        rules_session.shape().conditions.get(name) or rules_session.shape().inner.get(name)
        for name in ("short_entry", "short_exit")
    )
    with st.expander("Short positions", expanded=has_short, key="rules-short"):
        for name in ("short_entry", "short_exit"):
            form.draw_group(name)
    with st.expander("Parameters", expanded=bool(rules_session.shape().parameters),
                     key="rules-parameters"):  # fmt: skip
        form.draw_parameters()


control = control_panel()
page_header("Rule builder", control)
try:
    draw_page(control)
except PanelError as refusal:
    show_error(refusal)
