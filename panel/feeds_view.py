"""The feeds of candles that bots live on: whose candles, how new, how much was asked."""

import streamlit as st

from engine.contracts.market_data import FeedView
from panel.facade import ControlPanel, PanelError
from panel.format import duration
from panel.layout import show_error
from panel.live import REFRESH_S, latest, show_staleness
from panel.record_tables import Column, draw_records


def state_words(feed: FeedView) -> str:
    """A feed in a word. What is unavailable never looks like what is only quiet."""
    if feed.newest is None:
        return "unavailable"
    if feed.other_since is not None:
        return "other source"
    if not feed.is_market_open:
        return "market closed"
    return "late" if feed.is_late else "live"


FEED_COLUMNS: tuple[Column[FeedView], ...] = (
    Column("State", state_words),
    Column("Symbol", lambda feed: feed.symbol),
    Column("Market", lambda feed: feed.market),
    Column("Frame", lambda feed: feed.timeframe),
    Column("Newest closed", lambda feed: feed.age_s, lambda age_s: f"{duration(age_s)} ago"),
    Column("Candles from", lambda feed: feed.source),
    Column("Remarks", lambda feed: " ".join(filter(None, (feed.error, feed.words))), width_px=340),
    Column("Bots", lambda feed: feed.bots),
    Column("Requests", lambda feed: feed.requests),
    Column("Errors", lambda feed: feed.errors),
    Column("Changed", lambda feed: feed.revisions),
)


@st.fragment(run_every=REFRESH_S)
def draw_feeds(panel: ControlPanel) -> None:
    """Every feed in use, those in trouble first."""
    try:
        snapshot = latest("feeds", panel.feeds)
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    feeds = snapshot.value
    if not feeds:
        st.info("No bot has asked for candles yet. Start one, and its feed is shown here.")
        return
    draw_records(feeds, FEED_COLUMNS, key="feeds")
    st.caption(
        "One request serves every bot on the same symbol and timeframe. Changed counts candles of"
        " the past that their market has told otherwise later; all are asked for anew then."
    )
