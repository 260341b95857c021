"""Which pages there are and under which address; the one place that calls ``st.navigation``."""

import streamlit as st

from panel.session import control_panel, is_engine_on

SECTIONS = {
    # file and URL path, title, icon; they are one, see ensure_navigation
    "Trading": (
        ("overview", "Overview", "dashboard"),
        ("create", "Create bot", "add_circle"),
        ("bot", "Bot", "candlestick_chart"),
        ("trades", "Trades", "swap_vert"),
        ("inbox", "Inbox", "inbox"),
        ("tradingview", "TradingView", "sensors"),
        ("performance", "Performance", "monitoring"),
        ("ai", "AI", "psychology"),
        ("accounts", "Accounts", "key"),
        ("reconcile", "Reconcile", "balance"),
        ("risk", "Risk", "shield"),
    ),
    "Research": (
        ("strategies", "Strategies", "functions"),
        ("rules", "Rule builder", "rule"),
        ("candles", "Candles", "waterfall_chart"),
        ("backtest", "Backtest", "science"),
        ("tuning", "Tuning", "tune"),
    ),
    "Engine": (
        ("alerts", "Alerts", "notifications"),
        ("logs", "Logs", "list_alt"),
        ("diagnostics", "Diagnostics", "troubleshoot"),
        ("settings", "Settings", "settings"),
    ),
}


FIRST = "overview"
NAVIGATED = "navigation:called"


def navigate() -> st.Page:
    """The page that is asked for. With the engine off each address shows why, and is kept."""
    st.session_state[NAVIGATED] = True
    is_on = is_engine_on(control_panel())
    sections = {
        section: [_page(name, title, icon, is_on=is_on) for name, title, icon in pages]
        for section, pages in SECTIONS.items()
    }
    # Streamlit gives the page of the bare address no other: its own is a page that is not listed.
    named = _page(*SECTIONS["Trading"][0], is_on=is_on, is_named=True)
    sections["Trading"].append(named)
    return st.navigation(sections, expanded=True)  # else the last hide behind "View 4 more"


def _page(name: str, title: str, icon: str, *, is_on: bool, is_named: bool = False) -> st.Page:
    is_front = name == FIRST and not is_named
    return st.Page(
        f"pages/{name if is_on else 'engine_off'}.py",
        title=title,
        icon=f":material/{icon}:",
        url_path="front" if is_front else name,
        default=is_front,
        visibility="hidden" if is_named else "visible",
    )


def ensure_navigation() -> None:
    """Start over through app.py when Streamlit came to a page around it.

    Until ``st.navigation`` is called for the first time in a server's life, Streamlit itself runs
    the file of pages/ whose name is in the address, or says that there is no such page.
    """
    if NAVIGATED not in st.session_state:
        navigate()
        st.rerun()
