"""The delivery log: filters in the address, sums, the list, and a file of what is filtered."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pandas as pd
import streamlit as st

from engine.contracts.alerts import (
    ChannelSpend,
    ChannelView,
    DeliveryFilter,
    DeliveryView,
    KindView,
)
from panel import filters
from panel.asked import open_soon
from panel.channel_words import STATES, cost_words, dollars, total
from panel.commands import show_outcomes
from panel.delivery_csv import MOST_ROWS, csv_name, deliveries_csv
from panel.delivery_opened import open_delivery
from panel.facade import ControlPanel, PanelError
from panel.figures import Figure, draw_figures
from panel.format import NONE, moment, now
from panel.layout import show_error
from panel.live import REFRESH_S, latest, show_staleness
from panel.record_tables import ROW_PX, table_px

PAGE_SIZE = 100
FILTER_KEYS = ("channel", "state", "kind", "text", "from", "to")
ASKS_TO_OPEN = "deliveries:open"
STATES_BY_WORD = {words: state for state, (words, _, _) in STATES.items()}


def choose_deliveries(
    channels: Sequence[ChannelView], kinds: Sequence[KindView]
) -> DeliveryFilter | None:
    """Draw the filters, kept in the address, and answer what they ask for; a channel that is gone
    can be typed. None, with the reason drawn, when the dates contradict each other."""
    by_title = {kind.title: kind.kind for kind in kinds}
    with st.container(horizontal=True, key="delivery_filters"):
        channel = filters.pick("Channel", "channel", [one.name for one in channels])
        state = filters.pick("State", "state", list(STATES_BY_WORD), is_open=False)
        kind = filters.pick("About", "kind", list(by_title), is_open=False)
        search = filters.text("Text", "text", "text, answer, error")
        first = filters.day("From (UTC)", "from")
        last = filters.day("To (UTC)", "to")
    if not filters.are_days_in_order(first, last):
        return None
    return DeliveryFilter(
        channel=channel,
        state=STATES_BY_WORD[state] if state else None,
        kind=by_title[kind] if kind else None,
        search=search,
        since=filters.midnight(first) if first else None,
        until=filters.midnight(last + timedelta(days=1)) if last else None,
    )


def choose_page(panel: ControlPanel, chosen: DeliveryFilter) -> DeliveryFilter:
    """The filter with the page that is shown; its widgets stay outside of the live part."""
    count = panel.deliveries(chosen.model_copy(update={"limit": 1})).count
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Download CSV", lambda: deliveries_csv(panel, chosen), file_name=csv_name(now()),
            mime="text/csv", icon=":material/download:", on_click="ignore", disabled=not count,
            help=f"What matches, at most the newest {MOST_ROWS:,}, times in UTC",
        )  # fmt: skip
        return filters.choose_filter_page(chosen, count, PAGE_SIZE, FILTER_KEYS, "delivery_clear")


@st.fragment(run_every=REFRESH_S)
def live_deliveries(panel: ControlPanel, asked: DeliveryFilter) -> None:
    """The page that is asked for, followed as deliveries go out."""
    show_outcomes()
    open_soon()
    try:
        snapshot = latest(f"deliveries:{asked.model_dump_json()}", lambda: panel.deliveries(asked))
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    found = snapshot.value
    draw_spent(found.spent)
    if not found.count:
        st.info(_emptiness(asked), icon=":material/outbox:")
        return
    draw_deliveries_table(found.items)
    first = asked.offset + 1
    st.caption(f"{first:,} to {asked.offset + len(found.items):,} of {found.count:,}, newest first."
               " Press a time to open its delivery.")  # fmt: skip


def _emptiness(asked: DeliveryFilter) -> str:
    if filters.is_narrowed(asked):
        return "No delivery matches these filters."
    return ("Nothing was delivered yet. Add a channel, tick in the Matrix what it is to tell, and"
            " press its Test button.")  # fmt: skip


def draw_spent(spent: Sequence[ChannelSpend]) -> None:
    """What went out today and in this month, through all channels."""
    segments = sum(one.segments_month for one in spent)
    unknown = any(one.segments_month and one.cost_month is None for one in spent)
    draw_figures(
        (
            Figure("Sent today (UTC)", f"{sum(one.sent_today for one in spent):,}"),
            Figure("Cost today", dollars(total(one.cost_today for one in spent))),
            Figure("Sent this month", f"{sum(one.sent_month for one in spent):,}"),
            Figure("SMS segments this month", f"{segments:,}"),
            Figure("Cost this month", dollars(total(one.cost_month for one in spent))),
        )
    )
    if unknown:
        st.caption("Some costs are not known: set the price of a segment in the channel's Options.")


def draw_deliveries_table(items: Sequence[DeliveryView]) -> None:
    """One row a delivery; its first column opens it over the list."""
    frame = deliveries_frame(items)
    colours: Any = [colour for _, colour, _ in STATES.values()]
    st.dataframe(
        frame,
        key="deliveries", hide_index=True, row_height=ROW_PX, placeholder=NONE,
        height=table_px(len(frame)),
        column_config={
            "Time (UTC)": st.column_config.ButtonColumn(
                type="tertiary", alignment="left", pinned=True, key="deliveries_open",
                on_click=_open_clicked, args=(items,),
            ),
            "State": st.column_config.MultiselectColumn(
                options=list(STATES_BY_WORD), color=colours, width=100
            ),
            "About": st.column_config.TextColumn(width=150),
            "Title": st.column_config.TextColumn(width="medium"),
            "Answer or error": st.column_config.TextColumn(width="large"),
        },
    )  # fmt: skip
    if st.session_state.pop(ASKS_TO_OPEN, False):
        st.rerun()


def deliveries_frame(items: Sequence[DeliveryView]) -> pd.DataFrame:
    """The table of deliveries."""
    return pd.DataFrame(
        [
            {
                "Time (UTC)": moment(one.created_at),
                "State": [STATES[one.state][0]],
                "Channel": one.channel_name,
                "About": "Test" if one.is_test else one.kind_title,
                "Title": one.title,
                "Answer or error": one.error or one.answer,
                "Bot": one.bot_name or ("gone" if one.bot_id else NONE),
                "Tries": one.attempts,
                "Segments": one.segments or None,
                "Cost": cost_words(one.cost) if one.segments or one.cost else NONE,
            }
            for one in items
        ]
    ).astype({"Segments": "Int64"})


def _open_clicked(items: Sequence[DeliveryView]) -> None:
    """A callback: open it; the page is drawn anew where that may be done."""
    open_delivery(items[st.session_state["deliveries_open"].row])
    st.session_state[ASKS_TO_OPEN] = True
