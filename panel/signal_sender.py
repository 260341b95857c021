"""Sends a test signal to a bot, and shows the answer as an outside sender would see it."""

import json
from collections.abc import Mapping, Sequence
from typing import Literal

import streamlit as st

from engine.contracts import BotView
from engine.contracts.signals import SignalAnswer, TestSignalRequest
from panel.facade import ControlPanel, EngineRefused, PanelError
from panel.format import escape
from panel.inbox_view import OPENED, listening
from panel.modes import LIVE, mode_html, money_words

BOT, BODY = "sender_bot", "sender_body"
ANSWER = "sender:answer"
ContentType = Literal["application/json", "text/plain"]
MOST_CHARS = 20_000

TEMPLATES: Mapping[str, str] = {
    "Open long": '{"action": "open", "side": "long"}',
    "Open short": '{"action": "open", "side": "short"}',
    "Close half": '{"action": "close", "percent_of_position": 50}',
    "Reverse": '{"action": "reverse", "side": "short"}',
    "Flat": '{"action": "flat"}',
    "With stop": '{"action": "open", "side": "long", "percent_of_equity": 10, "stop": "2%",'
    ' "target": "4%"}',
    "Text": "buy 10% sl=2%",
    "Nonsense": "please make me rich",
}
"""Bodies to begin with. They name no symbol: a bot has one of its own."""


def content_type_of(body: str) -> ContentType:
    """The type that TradingView gives a body: JSON when it is JSON, else text."""
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return "text/plain"
    return "application/json"


def draw_sender(panel: ControlPanel, bots: Sequence[BotView]) -> None:
    """Which bot, what to send, and what came back. Outside of live parts: it has inputs."""
    ears = {bot.id: bot for bot in listening(bots)}
    if not ears:
        st.caption("There is nobody to send to: no bot listens.")
        return
    chosen = st.selectbox(
        "To", list(ears), key=BOT, format_func=lambda one: ears[one].config.name, width=320
    )
    bot = ears[chosen]
    st.session_state.setdefault(BODY, TEMPLATES["Open long"])
    st.html(
        f'<div class="qd-statusline">{mode_html(bot.mode)}<span>It acts on a test as on any other'
        " signal, while it runs.</span></div>"
    )
    if bot.mode == LIVE:
        st.warning(f"This bot trades {money_words(LIVE)}.", icon=":material/warning:")
    with st.container(horizontal=True, gap="xsmall"):
        for name in TEMPLATES:
            st.button(name, key=f"template_{name}", on_click=_use, args=(name,))
    with st.form("sender", border=False, enter_to_submit=False):
        st.text_area("Body", key=BODY, height=160, max_chars=MOST_CHARS)
        st.form_submit_button(
            "Send", icon=":material/send:", key="sender_send", on_click=_send, args=(panel, bot.id),
            type="primary", help="As application/json when it is that, else as text/plain",
        )  # fmt: skip
    _draw_answer()


def _use(name: str) -> None:
    """A callback."""
    st.session_state[BODY] = TEMPLATES[name]
    st.session_state.pop(ANSWER, None)


def _send(panel: ControlPanel, bot_id: str) -> None:
    """A callback; the answer is kept to be drawn, be it a refusal."""
    body = st.session_state[BODY]
    try:
        request = TestSignalRequest(bot=bot_id, body=body, content_type=content_type_of(body))
    except ValueError:
        st.session_state[ANSWER] = "There is nothing to send: write a body."
        return
    try:
        st.session_state[ANSWER] = panel.test_signal(request)
    except PanelError as error:
        st.session_state[ANSWER] = error


def _draw_answer() -> None:
    """Status and sentence, and the way to what became of it."""
    answer: SignalAnswer | PanelError | str | None = st.session_state.get(ANSWER)
    if answer is None:
        return
    if isinstance(answer, SignalAnswer):
        words = answer.message or "Kept; the bot decides about it."
        st.success(f"**200** {escape(words)}", icon=":material/check:")
        st.page_link("pages/inbox.py", label="What became of it", icon=":material/open_in_new:",
                     query_params={OPENED: answer.id})  # fmt: skip
    elif isinstance(answer, EngineRefused):
        st.error(f"**{answer.status}** {escape(answer.message)}", icon=":material/block:")
    else:
        st.error(escape(str(answer)), icon=":material/error:")
