"""The Performance page: what is asked for, and what comes of it by quote asset."""

from collections.abc import Sequence
from datetime import UTC, timedelta
from functools import partial

import streamlit as st

from engine.contracts import BotView
from engine.contracts.performance import (
    GROUPINGS,
    Grouping,
    PerformanceFilter,
    PerformanceView,
    QuotePerformance,
    ReportTable,
)
from panel import filters
from panel.analysis_view import draw_analysis
from panel.facade import ControlPanel
from panel.format import clock, escape
from panel.research_tables import draw_groups, readable

WINDOWS = (7, 14, 30, 60, 90, 180, 365)
FILTER_KEYS = ("bot", "strategy", "symbol", "market", "from", "to")
NAMES: dict[Grouping, str] = {
    "bot": "Bot", "strategy": "Strategy", "symbol": "Symbol", "market": "Market",
    "account": "Account", "side": "Side", "exit_reason": "Exit", "month": "Month",
    "weekday": "Weekday", "entry_hour": "Entry hour",
}  # fmt: skip
TABLES: dict[ReportTable, str] = {
    "metrics": "Figures (CSV)", "equity": "Curve (CSV)", "trades": "Trades (CSV)",
}  # fmt: skip


def choose_scope(bots: Sequence[BotView]) -> PerformanceFilter | None:
    """Draw the filters, kept in the address, and answer what they ask for.

    What is no longer in use can be typed. None, with the reason drawn, when the dates contradict
    each other.
    """
    configs = [bot.config for bot in bots]
    with st.container(horizontal=True, key="performance_filters"):
        bot = filters.pick("Bot", "bot", sorted(one.name for one in configs))
        strategy = filters.pick(
            "Strategy", "strategy", sorted({one.strategy for one in configs}),
            most=filters.MOST_STRATEGY,
        )  # fmt: skip
        symbol = filters.pick("Symbol", "symbol", sorted({one.symbol for one in configs}))
        market = filters.pick(
            "Market", "market", sorted({one.market for one in configs}), most=filters.MOST_MARKET
        )
        first, last = filters.day("From (UTC)", "from"), filters.day("To (UTC)", "to")
        by = st.selectbox(
            "Compare by", GROUPINGS, format_func=NAMES.__getitem__, key="by", width=140,
            bind="query-params",
        )  # fmt: skip
        window = st.selectbox(
            "Rolling days", WINDOWS, index=WINDOWS.index(30), key="window", width=110,
            bind="query-params",
        )  # fmt: skip
    if not filters.are_days_in_order(first, last):
        return None
    return PerformanceFilter(
        bot=bot,
        strategy=strategy,
        symbol=symbol,
        market=market,
        since=filters.midnight(first) if first else None,
        until=filters.midnight(last + timedelta(days=1)) if last else None,
        by=by,
        window=window,
    )


def draw_nothing(chosen: PerformanceFilter) -> None:
    """What is shown where nothing was traded, and what to do about it."""
    if filters.is_narrowed(chosen, "by", "window"):
        st.info("Nothing was traded that matches these filters.", icon=":material/filter_alt:")
        filters.clear_button(FILTER_KEYS, "performance_clear")
        return
    st.info(
        "No trade yet. Performance is measured from the first closed trade on: start a bot and"
        " come back once it has closed a position.",
        icon=":material/monitoring:",
    )
    st.page_link("pages/create.py", label="Create bot", icon=":material/add:")


def draw_found(panel: ControlPanel, chosen: PerformanceFilter, view: PerformanceView) -> None:
    """One quote asset at a time: amounts of different assets are never added up."""
    quotes = {one.quote: one for one in view.quotes}
    names = sorted(quotes, key=lambda quote: -quotes[quote].analysis.metrics.trades)
    quote = names[0]
    with st.container(horizontal=True, vertical_alignment="center"):
        if len(names) > 1:
            picked = st.segmented_control(
                "Quote asset", names, default=names[0], required=True, key="quote",
                label_visibility="collapsed", bind="query-params",
            )  # fmt: skip
            quote = picked if picked in quotes else names[0]
        _downloads(panel, chosen.model_copy(update={"quote": quote}), view)
    one = quotes[quote]
    _draw_notes(one, view)
    draw_analysis(one.analysis, key=f"performance-{quote}")
    title = NAMES[view.by]
    st.subheader(f"Compared by {title.lower()}", anchor=False)
    draw_groups(readable(one.compared, view.by), title, quote, key=f"compared-{quote}-{view.by}")


def _draw_notes(one: QuotePerformance, view: PerformanceView) -> None:
    """What the figures stand on."""
    basis = (
        "open positions at the prices of then"
        if one.is_marked
        else "closed trades alone, without the prices of open positions in between"
    )
    st.caption(
        f"Returns on {one.capital:,.2f} {escape(one.quote)}, the capital of the bots in question."
        f" The curve shows {basis}. As of {clock(view.now)} UTC."
    )
    if one.mixes_replays:
        st.warning(
            "Trades of a replay are among these. Their times are those of its candles, so that"
            " everything over time mixes two calendars: choose a market.",
            icon=":material/history:",
        )


def _downloads(panel: ControlPanel, chosen: PerformanceFilter, view: PerformanceView) -> None:
    """The report and its tables; they are made when they are asked for."""
    name = f"performance-{chosen.quote}-{view.now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    st.download_button(
        "Report (HTML)", lambda: panel.performance_html(chosen), file_name=f"{name}.html",
        mime="text/html", icon=":material/description:", on_click="ignore", key="download_html",
        help="One file with charts and tables, to keep or to print",
    )  # fmt: skip
    for table, label in TABLES.items():
        st.download_button(
            label, partial(panel.performance_csv, chosen, table),
            file_name=f"{name}-{table}.csv", mime="text/csv", icon=":material/download:",
            on_click="ignore", key=f"download_{table}",
        )  # fmt: skip
    st.button("Refresh", icon=":material/refresh:", key="refresh")
