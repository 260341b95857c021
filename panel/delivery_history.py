"""What happened: alerts, newest first, and through which channels each was told."""

from collections.abc import Sequence
from datetime import timedelta
from html import escape

import streamlit as st

from engine.contracts import BotView
from engine.contracts.alerts import (
    AlertFilter,
    AlertState,
    AlertView,
    KindView,
    Level,
)
from panel import filters
from panel.channel_words import LEVEL_COLOURS, STATES
from panel.facade import ControlPanel, PanelError
from panel.format import moment
from panel.layout import show_error
from panel.live import REFRESH_S, latest, show_staleness

PAGE_SIZE = 50
FILTER_KEYS = ("level", "kind", "bot", "text", "from", "to")


def choose_alerts(bots: Sequence[BotView], kinds: Sequence[KindView]) -> AlertFilter | None:
    """Draw the filters, kept in the address, and answer what they ask for; None, with the reason
    drawn, when the dates contradict each other."""
    by_title = {kind.title: kind.kind for kind in kinds}
    with st.container(horizontal=True, key="alert_filters"):
        level = filters.pick("Level and above", "level", [one.value for one in Level],
                             is_open=False)  # fmt: skip
        kind = filters.pick("About", "kind", list(by_title), is_open=False)
        bot = filters.pick("Bot", "bot", sorted(one.config.name for one in bots))
        search = filters.text("Text", "text", "title, text")
        first = filters.day("From (UTC)", "from")
        last = filters.day("To (UTC)", "to")
    if not filters.are_days_in_order(first, last):
        return None
    return AlertFilter(
        level=Level(level) if level else None,
        kind=by_title[kind] if kind else None,
        bot=bot,
        search=search,
        since=filters.midnight(first) if first else None,
        until=filters.midnight(last + timedelta(days=1)) if last else None,
    )


def choose_page(panel: ControlPanel, chosen: AlertFilter) -> AlertFilter:
    """The filter with the page that is shown; its widgets stay outside of the live part."""
    count = panel.alerts(chosen.model_copy(update={"limit": 1})).count
    with st.container(horizontal=True, vertical_alignment="center"):
        return filters.choose_filter_page(chosen, count, PAGE_SIZE, FILTER_KEYS, "alert_clear")


@st.fragment(run_every=REFRESH_S)
def live_alerts(panel: ControlPanel, asked: AlertFilter) -> None:
    """The page that is asked for, followed as things happen."""
    try:
        snapshot = latest(f"alerts:{asked.model_dump_json()}", lambda: panel.alerts(asked))
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    found = snapshot.value
    if not found.count:
        st.info(
            "No alert matches these filters."
            if filters.is_narrowed(asked)
            else "Nothing to tell has happened yet. Start a bot, or send a message.",
            icon=":material/notifications:",
        )
        return
    st.html(alerts_html(found.items))
    first = asked.offset + 1
    st.caption(f"{first:,} to {asked.offset + len(found.items):,} of {found.count:,}, newest first")


def alerts_html(items: Sequence[AlertView]) -> str:
    """One line an alert, which opens to its text. All text is escaped."""
    return f'<div class="qd-decisions qd-alerts">{"".join(_alert_html(one) for one in items)}</div>'


def _alert_html(one: AlertView) -> str:
    bot = f'<span class="qd-quiet">{escape(one.bot_name)}</span>' if one.bot_name else ""
    return (
        f"<details><summary><time>{moment(one.time)}</time>"
        f'<span class="qd-state qd-{LEVEL_COLOURS[one.level]}">{one.level.value}</span>'
        f"<b>{escape(one.title)}</b>{bot}"
        f'<span class="qd-told">{told_html(one)}</span></summary>'
        f"<p>{escape(one.text)}</p></details>"
    )


def told_html(one: AlertView) -> str:
    """Through which channels, and how far each came."""
    if one.told_by:
        return "".join(
            f'<span class="qd-state qd-{STATES[told.state][1]}" title="{STATES[told.state][0]}">'
            f"{escape(told.channel_name)}: {STATES[told.state][0]}</span>"
            for told in one.told_by
        )
    words = "nobody told" if one.state is AlertState.ROUTED else "not told yet"
    return f'<span class="qd-quiet">{words}</span>'
