"""The Bot page's tab about signals: its newest ones, whether one is missing, its address."""

import streamlit as st

from engine.contracts import BotView
from engine.contracts.signals import SignalFilter
from panel.facade import ControlPanel, PanelError
from panel.inbox_view import draw_signals_table
from panel.layout import show_error
from panel.live import REFRESH_S, latest, show_staleness
from panel.webhook_view import draw_address, live_ears, open_asked_rotation

NEWEST = 50


def draw_signals_tab(panel: ControlPanel, bot: BotView) -> None:
    """What a bot that listens was sent; how to make one listen that does not."""
    if bot.config.signals is None:
        st.info(
            "This bot does not listen to signals from outside. Stop it, choose Edit, and switch on"
            " *Listen to signals from outside*.",
            icon=":material/hearing_disabled:",
        )
        return
    open_asked_rotation(panel)
    live_ears(panel, bot.id)
    _live_signals(panel, bot)
    with st.container(horizontal=True, gap="small"):
        st.page_link("pages/tradingview.py", label="Set up its alert", icon=":material/sensors:",
                     query_params={"bot": bot.id})  # fmt: skip
        st.page_link("pages/inbox.py", label="All of its signals", icon=":material/inbox:",
                     query_params={"bot": bot.config.name})  # fmt: skip
    with st.expander("Its address", icon=":material/link:"):
        draw_address(panel, panel.webhook(bot.id))


@st.fragment(run_every=REFRESH_S)
def _live_signals(panel: ControlPanel, bot: BotView) -> None:
    chosen = SignalFilter(bot=bot.id, limit=NEWEST)
    try:
        snapshot = latest(f"bot_signals:{bot.id}", lambda: panel.signals(chosen))
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    page = snapshot.value
    if not page.count:
        st.info(
            "No signal yet. Set up its alert, or send a test signal from the Inbox.",
            icon=":material/inbox:",
        )
        return
    draw_signals_table(page.items, key="bot")
    if page.count > len(page.items):
        st.caption(f"The newest {len(page.items)} of {page.count:,}")
