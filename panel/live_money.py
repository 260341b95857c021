"""Real money is confirmed by the bot's name, typed: in the form, and before a start."""

import html

import streamlit as st

from engine.contracts import BotView
from panel.asked import asked, forget, forgetter, settled
from panel.commands import attempt, show_outcomes
from panel.facade import ControlPanel, PanelError
from panel.format import escape
from panel.layout import show_error
from panel.modes import LIVE, mode_html

STARTING = "start_live"
TYPED = "live:typed"
FORM_TYPED = "live:form_typed"


def draw_confirmation(mode: str, name: str) -> None:
    """In the form: ask for the bot's name where its market has real money."""
    if mode != LIVE:
        return
    st.html(f'<div class="qd-statusline">{mode_html(mode)}<b>This bot trades real money</b></div>')
    st.text_input(
        f"Type {escape(name)} to confirm", key=FORM_TYPED, max_chars=40, placeholder=name,
        autocomplete="off",
    )  # fmt: skip


def typed_in_form() -> str:
    """What was typed to confirm; empty where nothing was asked."""
    return str(st.session_state.get(FORM_TYPED) or "").strip()


def open_asked_start(panel: ControlPanel) -> None:
    """The dialog of the live bot whose start was asked for, until it is decided."""
    settled()
    bot_id = asked(STARTING)
    if bot_id is None:
        return
    try:
        bot = panel.bot(bot_id)
    except PanelError as error:
        forget(STARTING)
        show_error(error)
        return
    _start_dialog(panel, bot)


@st.dialog("Start with real money", on_dismiss=forgetter(STARTING))
def _start_dialog(panel: ControlPanel, bot: BotView) -> None:
    name = bot.config.name
    account = html.escape(bot.account_name)
    st.html(f'<div class="qd-statusline">{mode_html(bot.mode)}<b>{account}</b></div>')
    loss = bot.config.stop_loss
    risk = (
        f"up to **{bot.config.starting_capital:f} {escape(bot.quote)}** at a time; each position is"
        + (f" stopped at a loss of {loss * 100:.2f} %." if loss else " not stopped at any loss.")
    )
    st.markdown(f"**{escape(name)}** trades real money: {risk}")
    st.text_input(f"Type {escape(name)} to start it", key=TYPED, max_chars=40, autocomplete="off")
    st.button("Start it", type="primary", key="live_start", on_click=_start, args=(panel, bot))
    if asked(STARTING) is None:
        st.rerun()
    show_outcomes()


def _start(panel: ControlPanel, bot: BotView) -> None:
    """A callback; the dialog stays open when the name is not the bot's."""
    typed = str(st.session_state[TYPED]).strip()
    done = f"{bot.config.name} is starting."
    if attempt(lambda: panel.start_bot(bot.id, confirm_name=typed), done):
        forget(STARTING)
