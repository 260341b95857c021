"""A strip of key figures: a small label over a value, wrapping on narrow screens."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import streamlit as st

STYLESHEET = Path(__file__).resolve().parent / "frontend" / "details.css"


def apply_details_style() -> None:
    """Put the stylesheet of strips, logs, traces and settings on the page."""
    st.html(STYLESHEET)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: text, or HTML that is drawn as it is."""

    label: str
    text: str = ""
    html: str = ""


def draw_figures(figures: Sequence[Figure]) -> None:
    """Draw the strip."""
    st.html(f'<dl class="qd-strip">{"".join(_cell(figure) for figure in figures)}</dl>')


def _cell(figure: Figure) -> str:
    value = figure.html or escape(figure.text)
    return f"<div><dt>{escape(figure.label)}</dt><dd>{value}</dd></div>"
