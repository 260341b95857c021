"""The Overview page: its filters, and everything live below them."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from engine.contracts import BotView, EquitySeries, Overview, QuoteTotal
from panel.bot_cards import draw_cards
from panel.charts import equity_figure, sparkline
from panel.facade import ControlPanel, PanelError
from panel.format import MINUS, money, state_of
from panel.layout import show_error
from panel.live import REFRESH_S, latest, show_staleness
from panel.session import is_dark
from panel.tables import draw_bots_table, draw_events, draw_recent_trades

MANY_BOTS = 24
"""Above this many bots a table says more than cards; cards are then paged."""

EQUITY_PX = 220
STATES = ("running", "paused", "sleeping", "stopped", "faulted")
CHART_CONFIG = {"displayModeBar": False, "scrollZoom": False}


@dataclass(frozen=True, slots=True)
class Choice:
    """What the person wants to see."""

    states: tuple[str, ...]
    search: str
    view: str | None

    def picks(self, bot: BotView) -> bool:
        """Whether the bot is among what was asked for; a state on its way counts as it ends."""
        config = bot.config
        words = f"{config.name} {config.symbol} {config.strategy} {config.market}".lower()
        state = {"starting": "running", "pausing": "paused", "stopping": "stopped"}.get(
            state_of(bot), state_of(bot)
        )
        return (not self.states or state in self.states) and self.search.lower() in words


def choose() -> Choice:
    """Draw the filters. They stay outside the live part: a rerun would take the focus away."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="qd-filters"):
        search = st.text_input(
            "Search", placeholder="Search bots", key="search", bind="query-params",
            label_visibility="collapsed", icon=":material/search:", width=240,
        )  # fmt: skip
        states = st.pills(
            "State", STATES, selection_mode="multi", key="states", bind="query-params",
            label_visibility="collapsed",
        )  # fmt: skip
        view = st.segmented_control(
            "View", ("Cards", "Table"), key="view", bind="query-params",
            label_visibility="collapsed",
        )  # fmt: skip
        st.page_link("pages/create_bot.py", label="Create bot", icon=":material/add:")
    return Choice(tuple(states), (search or "").strip(), view)


@st.fragment(run_every=REFRESH_S)
def draw_live(panel: ControlPanel, choice: Choice) -> None:
    """Totals, equity, bots, recent trades and events, refreshed without a page reload."""
    try:
        snapshot = latest("overview", panel.overview)
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    overview = snapshot.value
    if not overview.bots:
        _draw_welcome()
        return
    _draw_totals(overview.totals, overview.equity)
    _draw_equity(overview.equity)
    _draw_bots(overview.bots, choice)
    left, right = st.columns(2, gap="small")
    with left:
        draw_recent_trades(overview.recent_trades, overview.bots)
    with right:
        draw_events(overview.recent_events, overview.bots)


def _draw_totals(totals: Sequence[QuoteTotal], equity: Sequence[EquitySeries]) -> None:
    histories = {series.quote: series.equity for series in equity}
    for total in totals:
        with st.grid(5, min_column_width=150, gap="xsmall", key=f"qd-totals-{total.quote}"):
            history = sparkline(histories.get(total.quote, ()))
            st.metric(
                f"Equity, {total.quote}", money(total.equity), border=True, height="stretch",
                chart_data=history if len(history) > 1 else None,
            )  # fmt: skip
            _gain("Today", total.today_pnl, total)
            _gain("Open P&L", total.unrealised_pnl, total)
            _gain("Realised", total.realised_pnl, total)
            st.metric("Open positions", total.open_positions, border=True, height="stretch")
