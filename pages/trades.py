"""Trades: every closed trade, filtered, with totals and an exact CSV of what is shown."""

import streamlit as st

from engine.contracts import TradeFilter
from panel.facade import ControlPanel, PanelError
from panel.figures import apply_details_style
from panel.filters import choose_filter_page, is_narrowed
from panel.format import now
from panel.layout import page_header, show_error
from panel.live import latest, show_staleness
from panel.record_tables import TRADE_COLUMNS, draw_records
from panel.session import control_panel
from panel.trades_view import FILTER_KEYS, PAGE_SIZE, choose_trades, csv_name, draw_totals

REFRESH_S = 5.0


def draw_page(panel: ControlPanel) -> None:
    """Filters, then what they leave."""
    chosen = choose_trades(panel.bots())
    if chosen is None:
        return
    count = panel.trades(chosen.model_copy(update={"limit": 1})).count
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Download CSV",
            lambda: panel.trades_csv(chosen),
            file_name=csv_name(chosen, now()),
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            disabled=not count,
            help="Every trade that matches, with all digits, times in UTC",
        )
        asked = choose_filter_page(chosen, count, PAGE_SIZE, FILTER_KEYS, "trades_clear")
    _live_trades(panel, asked)


@st.fragment(run_every=REFRESH_S)
def _live_trades(panel: ControlPanel, asked: TradeFilter) -> None:
    try:
        snapshot = latest(f"trades:{asked.model_dump_json()}", lambda: panel.trades(asked))
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    found = snapshot.value
    if not found.count:
        st.info(
            "No trade matches these filters."
            if is_narrowed(asked)
            else "No trade yet. A trade is listed here once its position is closed."
        )
        return
    draw_totals(found.totals)
    draw_records(found.items, TRADE_COLUMNS, key="trades")
    first = asked.offset + 1
    st.caption(f"{first:,} to {asked.offset + len(found.items):,} of {found.count:,}, newest first")


control = control_panel()
page_header("Trades", control)
apply_details_style()
try:
    draw_page(control)
except PanelError as refusal:
    show_error(refusal)
