"""The News tab: what is kept, newest first, and where it comes from. Strangers' text is escaped,
and no address in it can be clicked."""

from collections.abc import Sequence
from html import escape as escape_html

import streamlit as st

from engine.contracts.news import NewsFilter, NewsItem, NewsSourceView, NewsStatus
from panel import filters
from panel.commands import attempt
from panel.facade import ControlPanel, PanelError
from panel.format import MINUS, ago, clock, escape, moment, now
from panel.layout import show_error
from panel.live import latest, show_staleness
from panel.record_tables import Column, draw_records
from panel.session import control_panel

PAGE_SIZE = 30
REFRESH_S = 5.0
OWN = "own"
FILTER_KEYS = ("about", "source", "news_text")


def source_state(one: NewsSourceView) -> str:
    """What a source is doing."""
    if not one.is_configured:
        return f"no key: set {one.setting} in .env"
    if one.paused_until is not None and one.paused_until > now():
        return f"left alone until {clock(one.paused_until)}"
    if one.waiting:
        return "is being asked"
    if one.last_error:
        return "failed"
    return "answers" if one.last_answer_at else "not asked yet"


SOURCE_COLUMNS: tuple[Column[NewsSourceView], ...] = (
    Column("Source", lambda one: one.title),
    Column("State", source_state),
    Column("Kept", lambda one: one.kept),
    Column("Asked", lambda one: ago(one.last_asked_at, now())),
    Column("Answered", lambda one: ago(one.last_answer_at, now())),
    Column("Error", lambda one: one.last_error),
)


def draw_news(panel: ControlPanel) -> None:
    """Sources, filters, then the newest."""
    status = panel.news_status()
    _live_sources(panel)
    chosen = _choose(status)
    count = panel.news(chosen.model_copy(update={"limit": 1})).count
    with st.container(horizontal=True, vertical_alignment="center"):
        asked = filters.choose_filter_page(chosen, count, PAGE_SIZE, FILTER_KEYS, "news_clear")
    if not count:
        st.info(_nothing(status, is_narrowed=filters.is_narrowed(chosen)))
        return
    items = panel.news(asked).items
    st.html(news_html(items))
    st.caption(
        f"{asked.offset + 1:,} to {asked.offset + len(items):,} of {count:,}, newest first. Text of"
        " strangers, as they wrote it: data to a model, never an instruction."
    )


@st.fragment(run_every=REFRESH_S)
def _live_sources(panel: ControlPanel) -> None:
    try:
        snapshot = latest("news:status", panel.news_status)
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    status = snapshot.value
    draw_records(status.sources, SOURCE_COLUMNS, key="news_sources")
    verb = "is" if status.own_kept == 1 else "are"
    own = f" {status.own_kept:,} {verb} your own." if status.own_kept else ""
    st.caption(
        f"Asked about what bots with a model trade, at most every {status.every_s // 60} min;"
        f" kept for {status.kept_days} days.{own}"
    )


def _choose(status: NewsStatus) -> NewsFilter:
    with st.container(horizontal=True, vertical_alignment="bottom", key="news_filters"):
        symbol = st.selectbox(
            "About", status.symbols, index=None, key="about", placeholder="Everything",
            accept_new_options=True, width=170, bind="query-params", on_change=filters.first_page,
        )  # fmt: skip
        source = st.selectbox(
            "Source", [*(one.id for one in status.sources), OWN], index=None, key="source",
            placeholder="All", width=150, bind="query-params", on_change=filters.first_page,
        )  # fmt: skip
        search = st.text_input(
            "Text", key="news_text", max_chars=100, type="search", width=190,
            placeholder="in title or summary", bind="query-params", on_change=filters.first_page,
        )  # fmt: skip
        st.button(
            "Ask now", icon=":material/refresh:", key="news_ask", disabled=not symbol,
            on_click=_ask, args=(symbol or "",), help="Every source, about the chosen symbol",
        )  # fmt: skip
    # Not checked here: what was typed as a symbol is for the engine to refuse, in its words.
    return NewsFilter.model_construct(
        symbol=symbol or "", source=source or "", search=search or "", limit=PAGE_SIZE, offset=0
    )


def _ask(symbol: str) -> None:
    """A callback."""
    attempt(lambda: control_panel().refresh_news(symbol), f"The sources are asked about {symbol}.")


def _nothing(status: NewsStatus, *, is_narrowed: bool) -> str:
    if is_narrowed:
        return "No news matches these filters."
    if any(one.is_configured for one in status.sources):
        return (
            "No news yet. Sources are asked once a bot with a model trades a symbol; or choose one"
            " and ask now."
        )
    names = ", ".join(escape(one.setting) for one in status.sources)
    return (
        f"No news yet. Set one of {names} in .env and start anew, or send your own: docs/news.md."
    )


def news_html(items: Sequence[NewsItem]) -> str:
    """Items as a list. All text is escaped; addresses are text."""
    return f'<div class="qd-news">{"".join(_item(one) for one in items)}</div>'


def _item(one: NewsItem) -> str:
    summary = f"<p>{escape_html(one.summary)}</p>" if one.summary else ""
    address = f'<p class="qd-news-address">{escape_html(one.url)}</p>' if one.url else ""
    return (
        f'<article><div class="qd-news-head"><time>{moment(one.published_at)}</time>'
        f"<span>{escape_html(one.symbol or 'the market')}</span>"
        f"<span>{escape_html(one.source)}</span>{_mood(one.sentiment)}</div>"
        f"<b>{escape_html(one.title)}</b>{summary}{address}</article>"
    )


def _mood(sentiment: float | None) -> str:
    if sentiment is None:
        return ""
    colour = "green" if sentiment > 0 else "red" if sentiment < 0 else "gray"
    sign = MINUS if sentiment < 0 else "+" if sentiment > 0 else ""
    return f'<span class="qd-{colour}">sentiment {sign}{abs(sentiment):.2f}</span>'
