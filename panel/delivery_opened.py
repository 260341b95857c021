"""One delivery of the log, opened: what was sent, what the provider said, and sending it again."""

from datetime import timedelta
from html import escape

import streamlit as st

from engine.contracts.alerts import DeliveryFilter, DeliveryState, DeliveryView
from panel.asked import ask, asked, forget, forgetter, open_soon, settled
from panel.channel_words import LEVEL_COLOURS, STATES, cost_words, counted
from panel.commands import attempt
from panel.facade import ControlPanel, PanelError
from panel.figures import Figure, draw_figures
from panel.format import NONE, moment
from panel.format import escape as markdown_escape
from panel.layout import show_error
from panel.live import REFRESH_S, latest, show_staleness

OPENED = "deliveries:opened"
"""The delivery that is open, as it was last seen."""
AGAIN = "send_again"


def open_delivery(delivery: DeliveryView) -> None:
    """Show it over the list; a callback."""
    st.session_state[OPENED] = delivery


def close_delivery() -> None:
    """Back to the list alone; a callback."""
    st.session_state.pop(OPENED, None)


def draw_opened(panel: ControlPanel) -> None:
    """The delivery that was opened, over the list; nothing when none was."""
    if OPENED in st.session_state:
        with st.container(border=True, key="qd-delivery"):
            _live_delivery(panel)


@st.fragment(run_every=REFRESH_S)
def _live_delivery(panel: ControlPanel) -> None:
    open_soon()
    if OPENED not in st.session_state:
        st.rerun()
    kept: DeliveryView = st.session_state[OPENED]
    try:
        snapshot = latest(f"delivery:{kept.id}", lambda: panel.deliveries(_moment_of(kept)))
    except PanelError as error:
        show_error(error)
    else:
        show_staleness(snapshot)
        kept = next((one for one in snapshot.value.items if one.id == kept.id), kept)
        st.session_state[OPENED] = kept
    _draw_delivery(kept)
    with st.container(horizontal=True):
        if kept.can_send_again:
            st.button("Send again", icon=":material/replay:", key="delivery_again",
                      on_click=ask, args=(AGAIN, kept.id))  # fmt: skip
        st.button("Close", icon=":material/close:", key="delivery_close", on_click=close_delivery)


def _moment_of(one: DeliveryView) -> DeliveryFilter:
    """What was written for its channel at its moment: itself, whatever the list is narrowed to."""
    at = one.created_at
    return DeliveryFilter(channel=one.channel_id, since=at, until=at + timedelta(milliseconds=1))


def _draw_delivery(one: DeliveryView) -> None:
    st.html(head_html(one))
    draw_figures(
        (
            Figure("Written (UTC)", moment(one.created_at)),
            Figure("Due (UTC)", moment(one.due_at)),
            Figure("Sent (UTC)", moment(one.sent_at)),
            Figure("Tries", f"{one.attempts:,}"),
            Figure("SMS segments", f"{one.segments:,}" if one.segments else NONE),
            Figure("Cost", cost_words(one.cost) if one.segments or one.cost else NONE),
        )
    )
    st.code(one.text, language=None, wrap_lines=True)
    if one.error:
        st.error(markdown_escape(one.error), icon=":material/error:")
    if one.answer:
        st.markdown(f"{markdown_escape(one.channel_name)} answered: {markdown_escape(one.answer)}")
    if notes := _notes(one):
        st.caption(markdown_escape(notes))


def head_html(one: DeliveryView) -> str:
    """State, title, channel, level and bot."""
    word, colour, meaning = STATES[one.state]
    bot = one.bot_name or ("a bot that is gone" if one.bot_id else "no bot")
    about = f"{one.channel_name} · {'Test' if one.is_test else one.kind_title} · {bot}"
    return (
        f'<div class="qd-account"><span class="qd-state qd-{colour}">{word}</span>'
        f"<b>{escape(one.title)}</b>"
        f'<span class="qd-state qd-{LEVEL_COLOURS[one.level]}">{one.level.value}</span>'
        f'<span class="qd-quiet">{escape(about)}</span>'
        f'<span class="qd-quiet">{escape(meaning)}</span></div>'
    )


def _notes(one: DeliveryView) -> str:
    parts = (
        one.provider_id and f"The provider calls it {one.provider_id}.",
        one.digest_id and "It was told in a digest.",
        one.escalated_from and "It stands in for a channel that did not get through.",
        one.is_escalated and "It is not passed on to another channel again.",
    )
    return " ".join(part for part in parts if part)


# --- sending again -------------------------------------------------------------------------------


def open_asked_again(panel: ControlPanel) -> None:
    """The question whether to send again, until it is decided."""
    settled()
    kept: DeliveryView | None = st.session_state.get(OPENED)
    if kept is None or asked(AGAIN) != kept.id:
        forget(AGAIN)
        return
    _ask_again(panel, kept)


@st.dialog("Send it again?", on_dismiss=forgetter(AGAIN))
def _ask_again(panel: ControlPanel, one: DeliveryView) -> None:
    st.markdown(f"**{markdown_escape(one.title)}** through {markdown_escape(one.channel_name)}.")
    if one.state is DeliveryState.UNCERTAIN:
        st.warning(
            "It may have arrived already: whoever gets it may then have it twice.",
            icon=":material/warning:",
        )
    elif one.error:
        st.warning(f"The last time it failed: {markdown_escape(one.error)}"
                   " Mend that first, else it fails again.", icon=":material/warning:")  # fmt: skip
    if one.segments:
        st.caption(f"It costs again: {counted(one.segments, 'segment')}, {cost_words(one.cost)}.")
    if st.button("Send again", type="primary", key="delivery_again_yes", on_click=_again,
                 args=(panel, one)) and asked(AGAIN) is None:  # fmt: skip
        st.rerun()


def _again(panel: ControlPanel, one: DeliveryView) -> None:
    """A callback."""

    def send() -> None:
        st.session_state[OPENED] = panel.send_again(one.id)

    attempt(send, "It is sent again.")
    forget(AGAIN)
