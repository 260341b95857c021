"""Risk: controls in force, setting one, and the limits that no strategy can get around."""

import streamlit as st

from panel.facade import ControlPanel, PanelError
from panel.figures import apply_details_style
from panel.layout import page_header, show_error
from panel.risk_view import draw_controls, draw_form, draw_limits
from panel.session import control_panel


def draw_page(panel: ControlPanel) -> None:
    """Controls and their form on one side, limits on the other."""
    bots = panel.bots()
    names = {bot.id: bot.config.name for bot in bots}
    left, right = st.columns(2, gap="medium")
    with left:
        st.subheader("Controls in force", anchor=False)
        draw_controls(panel, names)
        st.subheader("Set a control", anchor=False)
        draw_form(panel, bots)
    with right:
        st.subheader("Limits and their use", anchor=False)
        draw_limits(panel, names)


control = control_panel()
page_header("Risk", control, has_banner=False)
apply_details_style()
try:
    draw_page(control)
except PanelError as refusal:
    show_error(refusal)
