"""One signal of the inbox, opened: what became of it and why, its body, and its replay."""

from html import escape

import streamlit as st

from engine.contracts.signals import Signal, SignalDetail, SignalKind
from panel.asked import ask, asked, forget, forgetter, settled
from panel.commands import attempt
from panel.connection import EngineRefused
from panel.facade import ControlPanel, PanelError
from panel.figures import Figure, draw_figures
from panel.format import escape as markdown_escape
from panel.format import moment
from panel.inbox_view import OPENED
from panel.layout import show_error
from panel.live import REFRESH_S, latest, show_staleness
from panel.modes import LIVE, money_words
from panel.signal_words import (
    SOURCES,
    STATES,
    copies_words,
    lag_s,
    lag_words,
    order_words,
    size_words,
    took_words,
)  # fmt: skip

BODY_SHOWN = 2_000
"""How much of a body is drawn before a person asks for all of it."""

BODY_PX = 320
REPLAY = "replay"
FORCE = "replay_force"
NOT_FOUND = 404


def close_signal() -> None:
    """Back to the list alone; a callback."""
    st.query_params.pop(OPENED, None)


def draw_opened(panel: ControlPanel) -> None:
    """The signal that the address names, over the list; nothing when it names none."""
    signal_id = st.query_params.get(OPENED)
    if not signal_id:
        return
    with st.container(border=True, key="qd-signal"):
        try:
            detail = panel.signal(signal_id)
        except PanelError as error:
            if isinstance(error, EngineRefused) and error.status == NOT_FOUND:
                st.info("That signal is not kept any more, or never was.", icon=":material/inbox:")
            else:
                show_error(error)
            st.button("Close", icon=":material/close:", key="signal_close", on_click=close_signal)
            return
        _live_facts(panel, signal_id)
        _draw_links(detail)
        _draw_body(detail.signal)


@st.fragment(run_every=REFRESH_S)
def _live_facts(panel: ControlPanel, signal_id: str) -> None:
    try:
        snapshot = latest(f"signal:{signal_id}", lambda: panel.signal(signal_id))
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    signal = snapshot.value.signal
    st.html(head_html(snapshot.value))
    draw_figures(
        (
            Figure("Came (UTC)", moment(signal.received_at)),
            Figure("Sent (UTC), it says", moment(signal.sent_at)),
            Figure("Lag", lag_words(lag_s(signal))),
            Figure("Decided after", took_words(signal.received_at, signal.acted_at)),
            Figure("Deliveries", copies_words(signal.copies)),
        )
    )
    parts = (
        signal.address and f"from {signal.address}",
        signal.content_type and f"as {signal.content_type}",
        size_words(signal.body),
    )
    st.caption(markdown_escape(f"Came {', '.join(filter(None, parts))}"))


def head_html(detail: SignalDetail) -> str:
    """State, source, what it asks, and the outcome with its reason."""
    signal = detail.signal
    word, colour, meaning = STATES[signal.state]
    asks = {
        SignalKind.EXECUTION: "It tells what became of an order.",
        SignalKind.PRICES: "It brings prices.",
    }.get(signal.kind, "Not understood.")
    if signal.order is not None:
        asks = f"Asks: {order_words(signal.order)}"
        if signal.order.price is not None:
            asks += f", seen at {signal.order.price:f}"
    comment = signal.order.comment if signal.order else ""
    return (
        f'<div class="qd-statusline"><span class="qd-state qd-{colour}" title="{escape(meaning)}">'
        f"{word}</span><span><b>{escape(signal.outcome or meaning)}</b></span>"
        f'<span class="qd-quiet">{SOURCES[signal.source]} · {escape(detail.bot_name or "no bot")}'
        f'</span></div><div class="qd-signal-asks">{escape(asks)}'
        f"{f' <q>{escape(comment)}</q>' if comment else ''}</div>"
    )


def _draw_links(detail: SignalDetail) -> None:
    """Where to go from here: the bot, its orders and reasons, the replays; and the commands."""
    signal = detail.signal
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if signal.bot_id and detail.bot_name:
            query = {"bot": signal.bot_id}
            st.page_link("pages/bot.py", label=detail.bot_name, icon=":material/candlestick_chart:",
                         query_params=query)  # fmt: skip
            if signal.decision_id:
                st.page_link("pages/bot.py", label="Why?", icon=":material/help:",
                             query_params={**query, "tab": "Why?"})  # fmt: skip
            if signal.order_ids:
                count = len(signal.order_ids)
                st.page_link("pages/bot.py", label=f"Orders ({count})", icon=":material/receipt:",
                             query_params={**query, "tab": "Orders"})  # fmt: skip
        related = [("Replay of", signal.replay_of)] if signal.replay_of else []
        related += [("Replayed as", one) for one in detail.replays]
        for words, other in related:
            st.page_link("pages/inbox.py", label=f"{words} {other[:8]}", icon=":material/replay:",
                         query_params={OPENED: other})  # fmt: skip
        st.button(
            "Replay", icon=":material/replay:", key="signal_replay", on_click=ask,
            args=(REPLAY, signal.id), disabled=not detail.can_replay,
            help=None if detail.can_replay else markdown_escape(detail.objection or ""),
        )  # fmt: skip
        st.button("Close", icon=":material/close:", key="signal_close", on_click=close_signal)
    if signal.order_ids:
        st.caption(f"Client order ids: {markdown_escape(', '.join(signal.order_ids))}")


def _draw_body(signal: Signal) -> None:
    """As it came: monospaced, never read as markup, cut where it is long."""
    if not signal.body:
        st.caption("It had no body.")
        return
    shown = signal.body
    if len(shown) > BODY_SHOWN:
        is_all = st.toggle(
            f"Show all of it ({size_words(signal.body)})", key=f"signal_all_{signal.id}"
        )  # fmt: skip
        shown = shown if is_all else f"{shown[:BODY_SHOWN]}…"
    st.code(shown, language=None, wrap_lines=True,
            height=BODY_PX if len(shown) > BODY_SHOWN // 2 else "content")  # fmt: skip


# --- replay --------------------------------------------------------------------------------------


def open_asked_replay(panel: ControlPanel) -> None:
    """Open the dialog for the signal that it was asked for, until it is decided."""
    settled()
    signal_id = asked(REPLAY)
    if signal_id is None:
        return
    try:
        detail = panel.signal(signal_id)
        bot = panel.bot(detail.signal.bot_id) if detail.signal.bot_id else None
    except PanelError as error:
        forget(REPLAY)
        show_error(error)
        return
    _replay_dialog(panel, detail, bot.mode if bot else "")


@st.dialog("Replay", on_dismiss=forgetter(REPLAY))
def _replay_dialog(panel: ControlPanel, detail: SignalDetail, mode: str) -> None:
    signal = detail.signal
    name = markdown_escape(detail.bot_name or "Its bot")
    asks = order_words(signal.order) if signal.order else "read it anew"
    st.markdown(
        f"**{name}** is asked once more, as if it came now: {markdown_escape(asks)}. That may open,"
        " add to or close a position at the present price, and the bot's limits, its pause and the"
        " kill switch hold for it, too. It is kept as a signal of its own."
    )
    if mode == LIVE:
        st.warning(f"This bot trades {money_words(LIVE)}.", icon=":material/warning:")
    is_forced = False
    if detail.objection:
        st.warning(markdown_escape(detail.objection), icon=":material/warning:")
        is_forced = st.checkbox("Replay it all the same", key=FORCE)

    def act() -> None:
        if attempt(lambda: _replay(panel, signal.id, force=bool(st.session_state.get(FORCE))),
                   "It was sent to the bot once more."):  # fmt: skip
            forget(REPLAY)

    is_blocked = bool(detail.objection) and not is_forced
    if st.button("Replay", type="primary", key="replay_confirm", on_click=act, disabled=is_blocked):
        st.rerun()


def _replay(panel: ControlPanel, signal_id: str, *, force: bool) -> None:
    st.query_params[OPENED] = panel.replay_signal(signal_id, force=force).id
