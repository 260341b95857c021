"""What a market offers and which names are taken, asked for rarely: forms rerun at every touch."""

import streamlit as st

from engine.contracts import SymbolView
from panel.facade import ControlPanel, PanelError
from panel.format import escape

MOST_SYMBOLS = 1000


def find_symbols(panel: ControlPanel, market: str) -> list[SymbolView]:
    """The symbols of a market; a failure is drawn, and is not the same as none."""
    if not market:
        return []
    try:
        return _symbols(panel, panel.url, market)
    except PanelError as error:
        st.error(escape(error.message), icon=":material/error:")
        return []


def symbols_of(panel: ControlPanel, market: str) -> list[SymbolView]:
    """The symbols of a market. Raises PanelError."""
    return _symbols(panel, panel.url, market)


def names_in_use(panel: ControlPanel) -> list[str]:
    """The names of all bots."""
    return _names(panel, panel.url)


@st.cache_data(ttl=30, show_spinner=False, max_entries=50)
def _symbols(_panel: ControlPanel, url: str, market: str) -> list[SymbolView]:
    return _panel.symbols(market, limit=MOST_SYMBOLS)


@st.cache_data(ttl=3, show_spinner=False, max_entries=10)
def _names(_panel: ControlPanel, url: str) -> list[str]:
    return [bot.config.name for bot in _panel.bots()]
