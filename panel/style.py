"""The panel's own CSS: density, tabular figures, bot cards. Colours come from Streamlit's theme."""

from pathlib import Path

import streamlit as st

FRONTEND = Path(__file__).resolve().parent / "frontend"
STYLESHEET = FRONTEND / "panel.css"
ALERTS_STYLESHEET = FRONTEND / "alerts.css"


def apply_style() -> None:
    """Put the stylesheet on the page."""
    st.html(STYLESHEET)


def apply_alerts_style() -> None:
    """Put the stylesheet of the matrix and of deliveries on the page."""
    st.html(ALERTS_STYLESHEET)
