"""Reconcile: books against venues, account by account; differences are decided here."""

import streamlit as st

from panel.facade import PanelError
from panel.figures import apply_details_style
from panel.findings_view import draw_past
from panel.layout import page_header, show_error
from panel.reconcile_view import draw_live, open_asked_dialog
from panel.session import control_panel

panel = control_panel()
page_header("Reconcile", panel)
apply_details_style()
st.caption(
    "The books must explain every amount that a venue holds. An account that differs takes no"
    " entries until the difference is decided; exits and stops go on."
)
try:
    open_asked_dialog(panel)
    draw_live(panel)
    with st.expander("Decided before", icon=":material/history:"):
        draw_past(panel)
except PanelError as error:
    show_error(error)
