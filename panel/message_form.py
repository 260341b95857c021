"""A message by hand: to the channels that tell messages, with its segments and cost before."""

from collections.abc import Sequence

import streamlit as st

from engine.contracts import BotView
from engine.contracts.alerts import AlertKind, ChannelView, CostView, Level, PreviewView
from panel.account_form import remember_refusal, show_refusal
from panel.channel_form import Slots, keep_slot
from panel.channel_words import ICONS, cost_words, counted, total
from panel.commands import say_done
from panel.facade import ControlPanel, PanelError
from panel.figures import Figure, draw_figures
from panel.format import escape
from panel.layout import show_error

PREFIX = "message_"
TEXT, LEVEL, BOT = f"{PREFIX}text", f"{PREFIX}level", f"{PREFIX}bot"
MOST = 1_000
LEVELS = (Level.INFO, Level.WARNING, Level.ERROR)


def draw_message(panel: ControlPanel, bots: Sequence[BotView]) -> None:
    """Who gets it, the text, what it costs, and the button."""
    takers = takers_of(panel.channels(), st.session_state.get(BOT))
    if not takers:
        st.info(
            "No channel tells messages: add one under Channels, or tick Message in the Matrix.",
            icon=":material/notifications_off:",
        )
    slots: Slots = {}
    st.text_area("Message", key=TEXT, max_chars=MOST, height=120,
                 placeholder="Text, and Ctrl+Enter to count its segments")  # fmt: skip
    keep_slot(slots, "text")
    left, right = st.columns(2, gap="small")
    with left:
        st.selectbox("Level", LEVELS, key=LEVEL, format_func=lambda one: one.value,
                     help="Quiet hours let errors through where a channel says so")  # fmt: skip
    with right:
        names = {bot.id: bot.config.name for bot in bots}
        st.selectbox("About the bot", list(names), index=None, key=BOT, placeholder="none",
                     format_func=lambda bot_id: names[bot_id])  # fmt: skip
        keep_slot(slots, "bot")
    _draw_preview(panel, takers)
    st.button("Send", type="primary", icon=":material/send:", key="message_send",
              disabled=not takers, on_click=_send, args=(panel, takers))  # fmt: skip
    show_refusal(slots)


def takers_of(channels: Sequence[ChannelView], bot_id: str | None) -> list[ChannelView]:
    """The channels that tell a message, about a bot where it is about one."""
    return [
        one for one in channels
        if one.is_enabled and AlertKind.MANUAL in one.kinds
        and (not bot_id or not one.bots or bot_id in one.bots)
    ]  # fmt: skip


def _draw_preview(panel: ControlPanel, takers: Sequence[ChannelView]) -> None:
    if takers:
        names = ", ".join(f":material/{ICONS[one.kind]}: {escape(one.name)}" for one in takers)
        st.markdown(f"Goes to {names}")
    text = (st.session_state.get(TEXT) or "").strip()
    if not text:
        return
    try:
        preview = panel.preview_message(text)
    except PanelError as error:
        show_error(error)
        return
    costs = [one for one in preview.costs if one.channel_id in {taker.id for taker in takers}]
    draw_figures(preview_figures(preview, costs))
    st.caption("As an SMS:")
    st.code(preview.text, language=None, wrap_lines=True)
    for one in costs:
        st.caption(escape(sms_cost_words(one)))


def preview_figures(preview: PreviewView, costs: Sequence[CostView]) -> tuple[Figure, ...]:
    """How an SMS carries a text."""
    is_known = all(one.cost is not None for one in costs)
    cost = total(one.cost for one in costs) if is_known else None
    return (
        Figure("Characters", f"{preview.characters:,}"),
        Figure("SMS segments", f"{preview.segments:,}"),
        Figure("Encoding", preview.encoding),
        Figure("Cost of SMS", cost_words(cost) if costs else "none"),
    )  # fmt: skip


def sms_cost_words(one: CostView) -> str:
    """What a text costs through one SMS channel."""
    words = f"{one.channel_name}: {counted(one.segments, 'segment')} to"
    words += f" {counted(one.recipients, 'number')}, {cost_words(one.cost)}"
    return words if one.cost is not None else f"{words}: set the price of a segment in its Options"


def _send(panel: ControlPanel, takers: Sequence[ChannelView]) -> None:
    """A callback. What was typed is kept when the engine refuses."""
    state = st.session_state
    request = {"text": (state[TEXT] or "").strip(), "level": state[LEVEL], "bot": state[BOT] or ""}
    try:
        panel.send_alert(request)
    except PanelError as error:
        remember_refusal(error)
        return
    state[TEXT] = ""
    say_done(f"The message is on its way to {counted(len(takers), 'channel')}; see the Log.")
