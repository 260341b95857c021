"""The panel's own CSS: density, tabular figures, bot cards. Colours come from Streamlit's theme."""

from pathlib import Path

import streamlit as st

STYLESHEET = Path(__file__).resolve().parent / "frontend" / "panel.css"


def apply_style() -> None:
    """Put the stylesheet on the page."""
    st.html(STYLESHEET)
