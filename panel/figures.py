"""A strip of key figures: a small label over a value, wrapping on narrow screens."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from pathlib import Path

import streamlit as st

from panel.format import colour

STYLESHEET = Path(__file__).resolve().parent / "frontend" / "figures.css"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. ``gain`` colours it as a gain or a loss; ``html`` is drawn as it is."""

    label: str
    text: str = ""
    gain: Decimal | float | None = None
    html: str = ""


def draw_figures(figures: Sequence[Figure]) -> None:
    """Draw the strip."""
    st.html(STYLESHEET)
    st.html(f'<dl class="qd-strip">{"".join(_cell(figure) for figure in figures)}</dl>')


def _cell(figure: Figure) -> str:
    mark = f' class="qd-{colour(figure.gain)}"' if figure.gain else ""
    value = figure.html or escape(figure.text)
    return f"<div><dt>{escape(figure.label)}</dt><dd{mark}>{value}</dd></div>"
