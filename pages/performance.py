"""Performance: how well bots, strategies, symbols and periods did, and a report to take away."""

import streamlit as st

from panel.facade import ControlPanel, PanelError
from panel.figures import apply_details_style
from panel.layout import page_header, show_error
from panel.live import latest, show_staleness
from panel.performance_view import choose_scope, draw_found, draw_nothing
from panel.session import control_panel


def draw_page(panel: ControlPanel) -> None:
    """Filters, then what they leave."""
    bots = latest("performance:bots", panel.bots)
    chosen = choose_scope(bots.value)
    if chosen is None:
        return
    with st.spinner("Measuring ..."):
        key = f"performance:{chosen.model_dump_json()}"
        snapshot = latest(key, lambda: panel.performance(chosen))
    show_staleness(snapshot)
    if snapshot.value.quotes:
        draw_found(panel, chosen, snapshot.value)
    else:
        draw_nothing(chosen)


control = control_panel()
page_header("Performance", control)
apply_details_style()
try:
    draw_page(control)
except PanelError as refusal:
    show_error(refusal)
