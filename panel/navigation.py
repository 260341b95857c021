"""Which pages there are and under which address; the one place that calls ``st.navigation``."""

import streamlit as st

from panel.session import control_panel, is_engine_on

SECTIONS = {
    # file, title, icon, URL path
    "Trading": (
        ("overview", "Overview", "dashboard", "overview"),
        ("create_bot", "Create bot", "add_circle", "create"),
        ("bot", "Bot", "candlestick_chart", "bot"),
        ("trades", "Trades", "swap_vert", "trades"),
        ("inbox", "Inbox", "inbox", "inbox"),
        ("tradingview", "TradingView", "sensors", "tradingview"),
        ("performance", "Performance", "monitoring", "performance"),
        ("ai", "AI", "psychology", "ai"),
        ("accounts", "Accounts", "key", "accounts"),
        ("reconcile", "Reconcile", "balance", "reconcile"),
        ("risk", "Risk", "shield", "risk"),
    ),
    "Research": (
        ("strategies", "Strategies", "functions", "strategies"),
        ("rules", "Rule builder", "rule", "rules"),
        ("candles", "Candles", "waterfall_chart", "candles"),
        ("backtest", "Backtest", "science", "backtest"),
        ("tuning", "Tuning", "tune", "tuning"),
    ),
    "Engine": (
        ("alerts", "Alerts", "notifications", "alerts"),
        ("logs", "Logs", "list_alt", "logs"),
        ("diagnostics", "Diagnostics", "troubleshoot", "diagnostics"),
        ("settings", "Settings", "settings", "settings"),
    ),
}


NAVIGATED = "navigation:called"


def navigate() -> st.Page:
    """The page that is asked for. With the engine off each address shows why, and is kept."""
    st.session_state[NAVIGATED] = True
    is_on = is_engine_on(control_panel())
    return st.navigation(
        {
            section: [
                st.Page(
                    f"pages/{file if is_on else 'engine_off'}.py",
                    title=title,
                    icon=f":material/{icon}:",
                    url_path=path,
                    default=path == "overview",
                )
                for file, title, icon, path in pages
            ]
            for section, pages in SECTIONS.items()
        },
        expanded=True,  # else the last pages hide behind "View 4 more"
    )


def ensure_navigation() -> None:
    """Start over through app.py when Streamlit came to a page around it.

    Until ``st.navigation`` is called for the first time in a server's life, Streamlit itself runs
    the file of pages/ whose name is in the address.
    """
    if NAVIGATED not in st.session_state:
        navigate()
        st.rerun()
