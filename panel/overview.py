"""The Overview page: its filters, and everything live below them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import streamlit as st

from engine.contracts import BotView, EquitySeries, QuoteTotal
from engine.contracts.conversion import BaseTotals
from panel.asked import open_soon
from panel.base_words import notes, worth_words
from panel.bot_cards import draw_cards
from panel.charts import equity_figure
from panel.commands import show_outcomes
from panel.demo import start_demo
from panel.facade import ControlPanel, PanelError
from panel.figures import Figure, draw_figures
from panel.format import figure, percent, state_of
from panel.halted import halted_banner
from panel.layout import show_error
from panel.live import REFRESH_S, latest, show_staleness
from panel.markup import gain_html
from panel.session import is_dark
from panel.tables import draw_bots_table, draw_events, draw_recent_trades

MANY_BOTS = 24
"""Above this many bots a table says more than cards; cards are then paged."""

EQUITY_PX = 190
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
    with st.container(horizontal=True, vertical_alignment="center", key="qd-filters"):
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
        st.page_link("pages/create.py", label="Create bot", icon=":material/add:")
    return Choice(tuple(states), (search or "").strip(), view)


@st.fragment(run_every=REFRESH_S)
def draw_live(panel: ControlPanel, choice: Choice) -> None:
    """Totals, equity, bots, recent trades and events, refreshed without a page reload."""
    show_outcomes()
    open_soon()
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
    halted_banner(overview.bots)
    _draw_base(overview.base, overview.totals, overview.bots)
    _draw_totals(overview.totals)
    _draw_equity(overview.equity)
    _draw_bots(overview.bots, choice)
    left, right = st.columns(2, gap="small")
    with left:
        draw_recent_trades(overview.recent_trades)
    with right:
        draw_events(overview.recent_events, overview.bots)


def _draw_base(
    base: BaseTotals | None, totals: Sequence[QuoteTotal], bots: Sequence[BotView]
) -> None:
    """Everything in one currency, unless everything is in that one anyway."""
    if base is None or {total.quote for total in totals} <= {base.currency}:
        return
    if base.value is None:
        st.caption(
            f"{worth_words(base)} In Settings, choose another base currency, or what is counted as"
            " equal to it."
        )
        return
    draw_figures(
        (
            Figure(f"All bots, {base.currency}", figure(base.value, base.currency)),
            _gain("Today", base.today_pnl, base.currency, base.value),
            _gain("Open P&L", base.unrealised_pnl, base.currency, base.value),
            _gain("Realised", base.realised_pnl, base.currency, base.value),
        )
    )
    modes = sorted({bot.mode for bot in bots})
    mixed = [f"{' and '.join(modes)} money together.".capitalize()] if len(modes) > 1 else []
    st.caption(" ".join([*mixed, *notes(base)]))


def _draw_totals(totals: Sequence[QuoteTotal]) -> None:
    """One strip a quote asset: amounts of different assets are never added up."""
    for total in totals:
        draw_figures(
            (
                Figure(f"Equity, {total.quote}", figure(total.equity, total.quote)),
                _gain("Today", total.today_pnl, total.quote, total.equity),
                _gain("Open P&L", total.unrealised_pnl, total.quote, total.equity),
                _gain("Realised", total.realised_pnl, total.quote, total.equity),
                Figure("Open positions", f"{total.open_positions:,}"),
            )
        )


def _gain(label: str, amount: Decimal | None, asset: str, equity: Decimal) -> Figure:
    """A signed amount with its share of equity."""
    share = amount / equity if amount and equity else None
    extra = "" if share is None else f" ({percent(share, is_signed=True)})"
    return Figure(label, html=gain_html(amount, asset, extra, is_named=False))


def _draw_equity(equity: Sequence[EquitySeries]) -> None:
    """One chart a quote asset: their scales have nothing in common."""
    drawable = [series for series in equity if len(series.times) > 1]
    if not drawable:
        return
    with st.grid(min(4, len(drawable)), min_column_width=260, gap="xsmall", key="qd-equity"):
        for series in drawable:
            with st.container(border=True, gap=None):
                st.caption(f"Equity of all bots, {series.quote}")
                st.plotly_chart(
                    equity_figure([series], is_dark=is_dark()), height=EQUITY_PX,
                    config=CHART_CONFIG, key=f"equity-{series.quote}",
                )  # fmt: skip


def _draw_bots(bots: Sequence[BotView], choice: Choice) -> None:
    picked = [bot for bot in bots if choice.picks(bot)]
    states = Counter(state_of(bot) for bot in bots)
    summary = ", ".join(f"{count} {state}" for state, count in states.most_common())
    shown = f"{len(picked)} of {len(bots)} bots" if len(picked) < len(bots) else f"{len(bots)} bots"
    st.caption(f"{shown}: {summary}" if len(bots) > 1 else summary)
    if not picked:
        st.info("No bot matches the search and the states above.", icon=":material/filter_alt:")
    elif choice.view == "Table" or (choice.view is None and len(bots) > MANY_BOTS):
        draw_bots_table(picked)
    else:
        _draw_paged_cards(picked)


def _draw_paged_cards(bots: Sequence[BotView]) -> None:
    pages = -(-len(bots) // MANY_BOTS)
    page = st.pagination(pages, key="card_page") if pages > 1 else 1
    first = (min(page, pages) - 1) * MANY_BOTS
    draw_cards(bots[first : first + MANY_BOTS])


def _draw_welcome() -> None:
    """What a newcomer sees: one click to a bot that trades."""
    with st.container(border=True, key="qd-welcome"):
        st.subheader("Create your first bot", anchor=False)
        st.markdown(
            "A bot watches one symbol, decides by a strategy and trades with paper money on a"
            " simulated market. No account, key or network is needed."
        )
        with st.container(horizontal=True):
            st.button(
                "Create and start a demo bot", type="primary", icon=":material/rocket_launch:",
                key="demo_start", on_click=start_demo,
                help="BTC/USDT on the simulated market, RSI, decided every second",
            )  # fmt: skip
            st.page_link("pages/create.py", label="Set one up yourself", icon=":material/tune:")
