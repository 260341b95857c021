"""TradingView: a bot's address, the alert message to paste, and how it gets here."""

import streamlit as st

from engine.contracts import BotView
from panel.alert_form import draw_check, draw_message
from panel.facade import ControlPanel, PanelError
from panel.figures import apply_details_style
from panel.format import state_of
from panel.inbox_view import listening
from panel.layout import page_header, show_error
from panel.session import control_panel
from panel.tradingview_help import STEPS, draw_help
from panel.webhook_view import draw_address, live_ears, open_asked_rotation


def draw_page(panel: ControlPanel) -> None:
    """Five steps, and what there is to know."""
    ears = {bot.id: bot for bot in listening(panel.bots())}
    if not ears:
        st.info(
            "No bot listens to signals yet. Create one and switch on *Listen to signals from"
            " outside* under Signals; a bot that exists is stopped and edited.",
            icon=":material/hearing_disabled:",
        )
        st.page_link("pages/create.py", label="Create a bot", icon=":material/add_circle:")
        draw_help(None)
        return
    open_asked_rotation(panel)
    bot = choose_bot(panel, ears)
    if bot is None:
        return
    webhook = panel.webhook(bot.id)
    with st.container(border=True):
        st.markdown("**2  Its address**")
        draw_address(panel, webhook)
    with st.container(border=True):
        st.markdown("**3  The alert message**")
        draw_message(panel, bot)
    with st.container(border=True):
        st.markdown("**4  At TradingView**")
        st.markdown(STEPS)
    with st.container(border=True):
        st.markdown("**5  Check a message**")
        draw_check(panel)
    draw_help(webhook.config)


def choose_bot(panel: ControlPanel, ears: dict[str, BotView]) -> BotView | None:
    """The bot that the address names, or the first; None, with the reason drawn, for another."""
    with st.container(border=True):
        st.markdown("**1  The bot**")
        asked = st.query_params.get("bot")
        named = next((one.id for one in ears.values() if asked in (one.id, one.config.name)), None)
        if asked and named is None:
            st.warning("That bot does not listen to signals; choose one that does.",
                       icon=":material/hearing_disabled:")  # fmt: skip
        ids = list(ears)
        chosen = st.selectbox(
            "Bot", ids, index=ids.index(named) if named else None if asked else 0,
            format_func=lambda one: ears[one].config.name, key=f"tradingview_bot_{asked}",
            placeholder="Choose a bot", label_visibility="collapsed", width=320,
            on_change=_follow, args=(f"tradingview_bot_{asked}",),
        )  # fmt: skip
        if chosen is None:
            return None
        live_ears(panel, chosen)
        draw_obstacles(ears[chosen])
        with st.container(horizontal=True):
            st.page_link("pages/bot.py", label="The bot", icon=":material/candlestick_chart:",
                         query_params={"bot": chosen, "tab": "Signals"})  # fmt: skip
            st.page_link("pages/inbox.py", label="Its signals", icon=":material/inbox:",
                         query_params={"bot": ears[chosen].config.name})  # fmt: skip
    return ears[chosen]


def draw_obstacles(bot: BotView) -> None:
    """What keeps a bot from acting on TradingView's alerts as things are."""
    rules, state = bot.config.signals, state_of(bot)
    if rules is not None and rules.signature.value != "none":
        st.warning(
            "This bot takes signed signals only, and TradingView cannot sign: its alerts are"
            " refused. Stop the bot, choose Edit, and set its signature to None.",
            icon=":material/key_off:",
        )
    if state in ("stopped", "faulted"):
        st.warning(f"The bot is {state}: until it is started, signals are kept and not acted on.",
                   icon=":material/play_circle:")  # fmt: skip


def _follow(key: str) -> None:
    """The address names the bot; a callback."""
    st.query_params["bot"] = st.session_state[key]


control = control_panel()
page_header("TradingView", control)
apply_details_style()
try:
    draw_page(control)
except PanelError as refusal:
    show_error(refusal)
