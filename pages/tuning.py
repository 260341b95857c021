"""Tuning: search a strategy's parameters, follow it, judge it; with ``?study=ID`` one study."""

import streamlit as st

from panel.facade import ControlPanel, PanelError
from panel.figures import apply_details_style
from panel.layout import page_header, show_error
from panel.retune_form import draw_retune
from panel.session import control_panel
from panel.tuning_bot import follow_made
from panel.tuning_list import draw_list
from panel.tuning_new import draw_new, take_started
from panel.tuning_study import draw_study

VIEWS = ("New", "Studies", "Re-tune a bot")


def draw_page(panel: ControlPanel) -> None:
    """One study, or the form, the studies and the bots' re-tuning."""
    asked = st.query_params.get("study")
    if asked:
        draw_study(panel, asked)
        return
    view = st.segmented_control(
        "View", VIEWS, default="New", required=True, key="view", bind="query-params",
        label_visibility="collapsed",
    )  # fmt: skip
    if view == "New":
        draw_new(panel)
    elif view == "Studies":
        draw_list(panel)
    else:
        draw_retune(panel)


control = control_panel()
follow_made()
take_started()
page_header("Tuning", control)
apply_details_style()
try:
    draw_page(control)
except PanelError as refusal:
    show_error(refusal)
