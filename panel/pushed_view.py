"""What MetaTrader pushes: the Expert Advisors that are heard, their symbols, their orders."""

from dataclasses import dataclass

import streamlit as st

from engine.contracts.bridge import (
    AdvisorHealth,
    BridgeHealth,
    BridgeStatistics,
    OrderCount,
    SymbolCount,
)
from panel.facade import ControlPanel, PanelError
from panel.format import ago, duration, price
from panel.layout import show_error
from panel.live import REFRESH_S, latest, show_staleness
from panel.record_tables import Column, draw_records

MOST_INDICATORS = 8
"""In a cell; the rest is counted."""


@dataclass(frozen=True)
class Pushed:
    """Both answers about the bridge, of one moment."""

    health: BridgeHealth
    statistics: BridgeStatistics


def advisor_words(advisor: AdvisorHealth) -> str:
    """An advisor in a word: one that is silent never looks like one that only pushes prices."""
    if advisor.is_silent:
        return "silent"
    return "executes" if advisor.executes else "prices only"


def indicator_words(symbol: SymbolCount) -> str:
    """The newest values, as ``rsi_14 51.5``."""
    told = [f"{name} {value:g}" for name, value in symbol.indicators.items()]
    more = len(told) - MOST_INDICATORS
    return ", ".join([*told[:MOST_INDICATORS], *([f"and {more} more"] if more > 0 else [])])


def _kind_words(is_demo: bool | None) -> str:
    return "not told" if is_demo is None else "demo" if is_demo else "real"


ADVISOR_COLUMNS: tuple[Column[AdvisorHealth], ...] = (
    Column("State", advisor_words),
    Column("Account", lambda advisor: advisor.account),
    Column("Kind", lambda advisor: _kind_words(advisor.is_demo)),
    Column("Server", lambda advisor: advisor.server),
    Column("Sender", lambda advisor: advisor.source),
    Column("Heard", lambda advisor: advisor.age_s, lambda age_s: f"{duration(age_s)} ago"),
)
ORDER_COLUMNS: tuple[Column[OrderCount], ...] = (
    Column("Account", lambda count: count.account),
    Column("Under way", lambda count: count.open),
    Column("Filled", lambda count: count.filled),
    Column("Cancelled", lambda count: count.cancelled),
    Column("Expired", lambda count: count.expired),
    Column("Rejected", lambda count: count.rejected),
)


def symbol_columns(told: BridgeStatistics) -> tuple[Column[SymbolCount], ...]:
    """With ages as of the answer."""
    return (
        Column("Symbol", lambda symbol: symbol.symbol),
        Column("Account", lambda symbol: symbol.account),
        Column("Bid", lambda symbol: price(symbol.bid)),
        Column("Ask", lambda symbol: price(symbol.ask)),
        Column("Bars", lambda symbol: ", ".join(symbol.timeframes) or "none yet"),
        Column("Heard", lambda symbol: ago(symbol.seen_at, told.time)),
        Column("Messages", lambda symbol: symbol.received),
        Column("Indicators", indicator_words, width_px=340),
    )


@st.fragment(run_every=REFRESH_S)
def draw_pushed(panel: ControlPanel) -> None:
    """Advisors, symbols, and orders of the last day."""
    try:
        snapshot = latest(
            "pushed", lambda: Pushed(panel.bridge_health(), panel.bridge_statistics())
        )
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    pushed = snapshot.value
    if not pushed.health.advisors:
        st.info(
            "Nothing has been pushed yet. Put the Expert Advisor of deploy/metatrader on a chart,"
            " or post prices to /api/signals; docs/metatrader.md describes both."
        )
        return
    draw_records(pushed.health.advisors, ADVISOR_COLUMNS, key="advisors")
    if pushed.statistics.symbols:
        draw_records(pushed.statistics.symbols, symbol_columns(pushed.statistics), key="pushed")
    if pushed.statistics.orders:
        draw_records(pushed.statistics.orders, ORDER_COLUMNS, key="advisor_orders")
        st.caption("Orders under way, and those that ended in the last day.")
