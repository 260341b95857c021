"""Candles: the library with what is missing in it, downloads, imports of files, live feeds, what is
pushed."""

import streamlit as st

from panel.candles_downloads import draw_downloads, draw_form
from panel.candles_import import draw_import
from panel.candles_library import draw_chosen, draw_library, leave_if_asked, open_asked_dialog
from panel.facade import ControlPanel, PanelError
from panel.feeds_view import draw_feeds
from panel.figures import apply_details_style
from panel.layout import page_header, show_error
from panel.pushed_view import draw_pushed
from panel.session import control_panel


def draw_library_tab(panel: ControlPanel) -> None:
    """All candles, and one of them closely."""
    open_asked_dialog(panel)
    draw_library(panel)
    draw_chosen(panel)


def draw_download_tab(panel: ControlPanel) -> None:
    """Ask for candles, and see them come."""
    draw_form(panel)
    draw_downloads(panel)


TABS = {
    "Library": draw_library_tab, "Download": draw_download_tab, "Import": draw_import,
    "Live feeds": draw_feeds, "MetaTrader": draw_pushed,
}  # fmt: skip

leave_if_asked()
control = control_panel()
page_header("Candles", control)
apply_details_style()
for tab, draw in zip(
    st.tabs(list(TABS), key="tab", bind="query-params"),
    TABS.values(),
    strict=True,
):
    if tab.open:
        with tab:
            try:
                draw(control)
            except PanelError as refusal:
                show_error(refusal)
