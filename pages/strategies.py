"""Strategies: what each one does, its parameters, who uses it, and broken files."""

import streamlit as st

from panel.layout import page_header
from panel.session import control_panel
from panel.strategies_view import draw_strategies

panel = control_panel()
page_header("Strategies", panel)
st.caption("One file in the strategies folder is one strategy; a new file appears here by itself.")
search = st.text_input(
    "Search", placeholder="Search strategies", key="strategy_search", bind="query-params",
    label_visibility="collapsed", icon=":material/search:", width=280,
)  # fmt: skip
draw_strategies(panel, search or "")
