"""Inbox: every signal from outside, what it asked, and what became of it."""

import streamlit as st

from panel.facade import ControlPanel, PanelError
from panel.figures import apply_details_style
from panel.inbox_view import choose_page, choose_signals, live_signals
from panel.layout import page_header, show_error
from panel.session import control_panel
from panel.signal_sender import draw_sender
from panel.signal_view import draw_opened, open_asked_replay
from panel.webhook_view import live_missing


def draw_page(panel: ControlPanel) -> None:
    """Filters, the signal that is open, the list, and the test sender."""
    bots = panel.bots()
    open_asked_replay(panel)
    live_missing(panel)
    chosen = choose_signals(bots)
    draw_opened(panel)
    if chosen is not None:
        live_signals(panel, choose_page(panel, chosen), bots)
    with st.expander("Send a test signal", icon=":material/send:"):
        draw_sender(panel, bots)


control = control_panel()
page_header("Inbox", control)
apply_details_style()
try:
    draw_page(control)
except PanelError as refusal:
    show_error(refusal)
