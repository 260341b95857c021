"""AI: what models decide, how good that was, what it costs; prompts to try; the news they see."""

import streamlit as st

from panel.ai_decisions import draw_decisions
from panel.ai_figures import draw_figures_view
from panel.ai_lab import draw_lab
from panel.ai_opened import draw_opened
from panel.ai_view import draw_status
from panel.facade import ControlPanel, PanelError
from panel.figures import apply_details_style
from panel.layout import page_header, show_error
from panel.news_view import draw_news
from panel.session import control_panel

VIEWS = {
    "Decisions": draw_decisions, "Figures": draw_figures_view, "Prompt": draw_lab,
    "News": draw_news,
}  # fmt: skip


def draw_page(panel: ControlPanel) -> None:
    """The provider's state, then one decision or the chosen view."""
    asked = st.query_params.get("advice")
    if asked:
        draw_opened(panel, asked)
        return
    draw_status(panel)
    view = st.segmented_control(
        "View", list(VIEWS), default="Decisions", required=True, key="view", bind="query-params",
        label_visibility="collapsed",
    )  # fmt: skip
    VIEWS[view](panel)


control = control_panel()
page_header("AI", control)
apply_details_style()
try:
    draw_page(control)
except PanelError as refusal:
    show_error(refusal)
