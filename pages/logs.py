"""Logs: what the engine and the bots did, filtered, followed live, downloadable."""

import streamlit as st

from panel.facade import PanelError
from panel.figures import apply_details_style
from panel.layout import page_header, show_error
from panel.logs_view import choose_events, clock_hint, draw_downloads, draw_events
from panel.session import control_panel

panel = control_panel()
page_header("Logs", panel)
apply_details_style()
try:
    bots = panel.bots()
except PanelError as error:
    show_error(error)
    st.stop()
names = {bot.id: bot.config.name for bot in bots}
with st.container(horizontal=True, vertical_alignment="bottom"):
    chosen = choose_events(bots)
    is_live = st.toggle("Follow", value=True, key="follow", help="Show new events as they come")
    draw_downloads(panel, chosen, names)
st.caption(clock_hint(st.context.timezone_offset))
draw_events(panel, chosen, names, is_live=is_live)
