"""The panel's entry point: page set-up and navigation. Started by ``streamlit run app.py``."""

import streamlit as st

from panel.session import control_panel, is_engine_on

PAGES = (
    # file, title, icon, URL path
    ("overview", "Overview", "dashboard", "overview"),
    ("create_bot", "Create bot", "add_circle", "create"),
    ("bot", "Bot", "candlestick_chart", "bot"),
    ("trades", "Trades", "swap_vert", "trades"),
    ("strategies", "Strategies", "functions", "strategies"),
    ("logs", "Logs", "list_alt", "logs"),
    ("settings", "Settings", "settings", "settings"),
)

ICON = "panel/frontend/icon.svg"

st.set_page_config(page_title="Quarterdeck", page_icon=ICON, layout="wide")
is_on = is_engine_on(control_panel())
navigation = st.navigation(
    [
        st.Page(
            # with the engine off each address shows the same page, and keeps what it asks for
            f"pages/{file if is_on else 'engine_off'}.py",
            title=title,
            icon=f":material/{icon}:",
            url_path=path,
            default=path == "overview",
        )
        for file, title, icon, path in PAGES
    ]
)
st.sidebar.caption("Quarterdeck trades with paper money: no order leaves this machine.")
navigation.run()
