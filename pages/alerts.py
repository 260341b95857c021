"""Alerts: who is told what, through which channel, and whether it got there."""

import streamlit as st

from panel import delivery_history as history
from panel import delivery_log as log
from panel.channel_dialogs import open_asked_dialog
from panel.channel_list import draw_channels
from panel.delivery_opened import draw_opened, open_asked_again
from panel.facade import ControlPanel, PanelError
from panel.figures import apply_details_style
from panel.filters import first_page
from panel.layout import page_header, show_error
from panel.matrix_form import draw_matrix
from panel.message_form import draw_message
from panel.price_alerts import draw_price_alerts
from panel.session import control_panel
from panel.style import apply_alerts_style

CHANNELS, MATRIX, LOG, HISTORY = "Channels", "Matrix", "Log", "History"
PRICES, MESSAGE = "Price alerts", "Message"
VIEWS = (CHANNELS, MATRIX, LOG, HISTORY, PRICES, MESSAGE)


def draw_page(panel: ControlPanel) -> None:
    """The chosen view."""
    view = st.segmented_control(
        "View", VIEWS, default=CHANNELS, required=True, key="view", bind="query-params",
        label_visibility="collapsed", on_change=first_page,
    )  # fmt: skip
    if view == MATRIX:
        draw_matrix(panel)
    elif view == LOG:
        draw_log(panel)
    elif view == HISTORY:
        draw_history(panel)
    elif view == PRICES:
        draw_price_alerts(panel)
    elif view == MESSAGE:
        with st.container(width=760):
            draw_message(panel, panel.bots())
    else:
        open_asked_dialog(panel)
        draw_channels(panel, panel.bots())


def draw_log(panel: ControlPanel) -> None:
    """What was sent through the channels, and what became of it."""
    open_asked_again(panel)
    chosen = log.choose_deliveries(panel.channels(), panel.alert_kinds())
    if chosen is not None:
        page = log.choose_page(panel, chosen)
        draw_opened(panel)
        log.live_deliveries(panel, page)


def draw_history(panel: ControlPanel) -> None:
    """What happened, and who was told."""
    chosen = history.choose_alerts(panel.bots(), panel.alert_kinds())
    if chosen is not None:
        history.live_alerts(panel, history.choose_page(panel, chosen))


control = control_panel()
page_header("Alerts", control)
apply_details_style()
apply_alerts_style()
try:
    draw_page(control)
except PanelError as refusal:
    show_error(refusal)
