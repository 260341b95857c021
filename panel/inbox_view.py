"""The Inbox page: what is asked for, the list that follows it, and what to do while it is empty."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pandas as pd
import streamlit as st

from engine.contracts import BotView
from engine.contracts.signals import SignalFilter, SignalLine
from panel import filters
from panel.asked import open_soon
from panel.commands import show_outcomes
from panel.facade import ControlPanel, PanelError
from panel.format import NONE, moment
from panel.layout import show_error
from panel.live import REFRESH_S, latest, show_staleness
from panel.record_tables import ROW_PX, table_px
from panel.signal_words import KINDS, SOURCES, STATES, lag_s, lag_words, line_words

PAGE_SIZE = 100
FILTER_KEYS = ("source", "kind", "state", "bot", "text", "from", "to")
OPENED = "signal"
"""The address's name of the signal that is open."""
ASKS_TO_OPEN = "inbox:open"

SOURCES_BY_WORD = {words: source for source, words in SOURCES.items()}
KINDS_BY_WORD = {words: kind for kind, words in KINDS.items()}
STATES_BY_WORD = {words: state for state, (words, _, _) in STATES.items()}


def listening(bots: Sequence[BotView]) -> list[BotView]:
    """Those that listen to signals from outside."""
    return [bot for bot in bots if bot.config.signals is not None]


def choose_signals(bots: Sequence[BotView]) -> SignalFilter | None:
    """Draw the filters, kept in the address, and answer what they ask for; None, with the reason
    drawn, when the dates contradict each other."""
    with st.container(horizontal=True, key="signal_filters"):
        source = filters.pick("Source", "source", list(SOURCES_BY_WORD), is_open=False)
        kind = filters.pick("About", "kind", list(KINDS_BY_WORD), is_open=False)
        state = filters.pick("State", "state", list(STATES_BY_WORD), is_open=False)
        bot = filters.pick("Bot", "bot", sorted(one.config.name for one in listening(bots)))
        search = filters.text("Text", "text", "body, outcome, sender")
        first = filters.day("From (UTC)", "from")
        last = filters.day("To (UTC)", "to")
    if not filters.are_days_in_order(first, last):
        return None
    return SignalFilter(
        source=SOURCES_BY_WORD[source] if source else None,
        kind=KINDS_BY_WORD[kind] if kind else None,
        state=STATES_BY_WORD[state] if state else None,
        bot=bot,
        search=search,
        since=filters.midnight(first) if first else None,
        until=filters.midnight(last + timedelta(days=1)) if last else None,
    )


def choose_page(panel: ControlPanel, chosen: SignalFilter) -> SignalFilter:
    """The filter with the page that is shown; its widgets stay outside of the live part."""
    count = panel.signals(chosen.model_copy(update={"limit": 1})).count
    with st.container(horizontal=True, vertical_alignment="center"):
        return filters.choose_filter_page(chosen, count, PAGE_SIZE, FILTER_KEYS, "inbox_clear")


@st.fragment(run_every=REFRESH_S)
def live_signals(panel: ControlPanel, asked: SignalFilter, bots: Sequence[BotView]) -> None:
    """The page that is asked for, followed as signals come."""
    show_outcomes()
    open_soon()
    try:
        snapshot = latest(f"signals:{asked.model_dump_json()}", lambda: panel.signals(asked))
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    found = snapshot.value
    if not found.count:
        draw_emptiness(asked, bots)
        return
    draw_signals_table(found.items, key="inbox", is_inbox=True)
    first = asked.offset + 1
    st.caption(f"{first:,} to {asked.offset + len(found.items):,} of {found.count:,}, newest first."
               " Press a time to open its signal.")  # fmt: skip


def draw_emptiness(asked: SignalFilter, bots: Sequence[BotView]) -> None:
    """Why nothing is listed, and what to do next."""
    if filters.is_narrowed(asked):
        st.info("No signal matches these filters.", icon=":material/filter_alt:")
        return
    ears = listening(bots)
    if not ears:
        st.info(
            "No bot listens to signals yet. Create one and switch on *Listen to signals from"
            " outside* under Signals; a bot that exists is stopped and edited. With the strategy"
            " *Signals from outside* it does nothing else.",
            icon=":material/hearing_disabled:",
        )
        st.page_link("pages/create.py", label="Create a bot", icon=":material/add_circle:")
        return
    count = "One bot listens" if len(ears) == 1 else f"{len(ears)} bots listen"
    st.info(
        f"No signal yet. {count}: take the address and the alert message from the TradingView"
        " page, or send a test signal below.",
        icon=":material/inbox:",
    )
    st.page_link(
        "pages/tradingview.py", label="Address and message", icon=":material/sensors:",
        query_params={"bot": ears[0].id},
    )  # fmt: skip


# --- the list ------------------------------------------------------------------------------------


def draw_signals_table(lines: Sequence[SignalLine], *, key: str, is_inbox: bool = False) -> None:
    """One row a signal; its first column opens it: over the list when this ``is_inbox``, else on
    the Inbox page."""
    frame = signals_frame(lines)
    colours: Any = [colour for _, colour, _ in STATES.values()]
    st.dataframe(
        frame,
        key=f"{key}_signals", hide_index=True, row_height=ROW_PX, placeholder=NONE,
        height=table_px(len(frame)),
        column_config={
            "Time (UTC)": st.column_config.ButtonColumn(
                type="tertiary", alignment="left", pinned=True, key=f"{key}_open",
                on_click=_open_clicked, args=(f"{key}_open", lines),
            ),
            "State": st.column_config.MultiselectColumn(
                options=list(STATES_BY_WORD), color=colours, width=90
            ),
            "Asks": st.column_config.TextColumn(width="large"),
            "Outcome": st.column_config.TextColumn(width="large"),
        },
    )  # fmt: skip
    opened = st.session_state.pop(ASKS_TO_OPEN, None)
    if opened and is_inbox:
        st.query_params[OPENED] = opened
        st.rerun()
    elif opened:
        st.switch_page("pages/inbox.py", query_params={OPENED: opened})


def signals_frame(lines: Sequence[SignalLine]) -> pd.DataFrame:
    """The table of signals. No cell begins with what a sender wrote: a spreadsheet that the table
    is taken to would run it."""
    return pd.DataFrame(
        [
            {
                "Time (UTC)": moment(line.received_at),
                "State": [STATES[line.state][0]],
                "Asks": line_words(line),
                "Outcome": line.outcome or NONE,
                "Bot": line.bot_name or ("gone" if line.bot_id else NONE),
                "Source": SOURCES[line.source],
                "Lag": lag_words(lag_s(line)),
                "Copies": line.copies,
                "Orders": len(line.order_ids),
            }
            for line in lines
        ]
    )


def _open_clicked(column: str, lines: Sequence[SignalLine]) -> None:
    """A callback: remember what to open; the page is changed where it may draw."""
    st.session_state[ASKS_TO_OPEN] = lines[st.session_state[column].row].id
