"""Settings: what can be changed, what is in force, balances, tokens, backups, the engine."""

import streamlit as st

from panel.backups_view import draw_backups
from panel.facade import ControlPanel, PanelError
from panel.figures import apply_details_style
from panel.format import escape
from panel.layout import page_header, show_error
from panel.session import control_panel, data_folder
from panel.settings_view import draw_balances, draw_editable, draw_engine, draw_fixed
from panel.tokens_view import draw_tokens, open_asked_dialog


def draw_page(panel: ControlPanel) -> None:
    """Two columns: settings, and what they act on."""
    settings = panel.settings()
    left, right = st.columns(2, gap="medium")
    with left:
        st.subheader("Settings", anchor=False)
        draw_editable(panel, settings)
        st.subheader("Set outside the panel", anchor=False)
        st.caption("From the environment or the .env file.")
        draw_fixed(settings)
    with right:
        st.subheader("Balances", anchor=False)
        draw_balances(panel)
        st.subheader("API tokens", anchor=False)
        draw_tokens(panel)
        st.subheader("Backups", anchor=False)
        draw_backups(panel)
        st.subheader("Engine", anchor=False)
        draw_engine(panel)
        st.subheader("Data and look", anchor=False)
        st.markdown(f"Everything of yours is in {escape(str(data_folder()))}.")
        st.caption(
            "Light or dark follows your system; choose one in the menu at the top right, Settings."
        )


control = control_panel()
page_header("Settings", control)
apply_details_style()
try:
    open_asked_dialog(control)
    draw_page(control)
except PanelError as refusal:
    show_error(refusal)
