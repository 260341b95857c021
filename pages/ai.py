"""AI: what models decide, how good that was, what it costs; prompts to try; the news they see."""

import streamlit as st

from panel.ai_decisions import draw_decisions
from panel.ai_figures import draw_figures_view
from panel.ai_lab import draw_lab
from panel.ai_opened import draw_opened
from panel.ai_view import draw_status
from panel.facade import ControlPanel, PanelError
from panel.figures import apply_details_style
from panel.filters import first_page
from panel.layout import page_header, show_error
from panel.news_view import draw_news
from panel.session import control_panel

VIEWS = ("Decisions", "Figures", "Prompt", "News")
DRAWN = "ai:drawn"
"""What was drawn the last time: a view, or nothing for one decision."""


def draw_page(panel: ControlPanel) -> None:
    """The provider's state, then one decision or the chosen view."""
    asked = st.query_params.get("advice")
    drawn = st.session_state.pop(DRAWN, "")
    if asked:
        draw_opened(panel, asked)
        return
    draw_status(panel)
    view = st.segmented_control(
        "View", VIEWS, default="Decisions", required=True, key="view", bind="query-params",
        label_visibility="collapsed", on_change=first_page,
    )  # fmt: skip
    st.session_state[DRAWN] = view
    if view == "Prompt":
        draw_lab(panel, is_back=drawn != view)
    elif view == "Figures":
        draw_figures_view(panel)
    elif view == "News":
        draw_news(panel)
    else:
        draw_decisions(panel)


control = control_panel()
page_header("AI", control)
apply_details_style()
try:
    draw_page(control)
except PanelError as refusal:
    show_error(refusal)
