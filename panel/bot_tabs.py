"""What the tabs of the Bot page show. Each asks the engine only for what it draws."""

import streamlit as st

from engine.contracts import BotView, EquityPoint, EquitySeries, TradeFilter
from panel.candle_chart import candle_payload
from panel.chart_component import draw_chart
from panel.charts import drawdown_figure, equity_figure
from panel.facade import ControlPanel, PanelError
from panel.format import escape, now
from panel.layout import show_error
from panel.live import REFRESH_S, latest, show_staleness
from panel.record_tables import (
    AUDIT_COLUMNS,
    BOT_TRADE_COLUMNS,
    draw_records,
)  # fmt: skip
from panel.session import is_dark
from panel.trades_view import csv_name, draw_totals

CANDLE_COUNTS = (150, 300, 1000)
SLOW_REFRESH_S = 10.0
MOST_TRADES = 500
MOST_AUDIT = 5000


def draw_chart_tab(panel: ControlPanel, bot: BotView) -> None:
    """Candles with what the bot did on them, then its equity."""
    count = st.segmented_control(
        "Candles", CANDLE_COUNTS, default=300, required=True, key="candles",
        label_visibility="collapsed", format_func=lambda number: f"{number} candles",
    )  # fmt: skip
    _live_chart(panel, bot, count or CANDLE_COUNTS[0])
    _live_equity(panel, bot)


@st.fragment(run_every=REFRESH_S)
def _live_chart(panel: ControlPanel, bot: BotView, count: int) -> None:
    try:
        snapshot = latest(f"chart:{bot.id}:{count}", lambda: panel.chart(bot.id, limit=count))
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    chart = snapshot.value
    if chart.series_error:
        st.warning(f"The strategy's lines are missing: {escape(chart.series_error)}")
    if not chart.time:
        st.info("The market has no closed candle yet.")
        return
    view = f"{bot.id}:{chart.symbol}:{chart.timeframe}"
    draw_chart(candle_payload(chart, view_id=view), key=f"chart_{bot.id}")


@st.fragment(run_every=SLOW_REFRESH_S)
def _live_equity(panel: ControlPanel, bot: BotView) -> None:
    try:
        snapshot = latest(f"equity:{bot.id}", lambda: panel.equity(bot.id))
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    if len(snapshot.value) < 2:
        st.caption("The equity curve begins with the bot's first minutes of running.")
        return
    series = equity_series(snapshot.value)
    left, right = st.columns(2)
    with left:
        st.caption(f"Equity in {bot.quote}")
        st.plotly_chart(
            equity_figure([series], is_dark=is_dark()), height=200, key="equity",
            config={"displayModeBar": False},
        )  # fmt: skip
    with right:
        st.caption("Drawdown")
        st.plotly_chart(
            drawdown_figure(series, is_dark=is_dark()), height=200, key="drawdown",
            config={"displayModeBar": False},
        )  # fmt: skip


def equity_series(points: list[EquityPoint]) -> EquitySeries:
    """A bot's equity points as one series. Raises IndexError without points."""
    return EquitySeries(
        quote=points[0].quote,
        times=tuple(point.time for point in points),
        equity=tuple(float(point.equity) for point in points),
    )


def draw_trades_tab(panel: ControlPanel, bot: BotView) -> None:
    """The bot's closed trades with their totals and CSV."""
    chosen = TradeFilter(bot_id=bot.id, limit=MOST_TRADES)
    named = TradeFilter(bot_id=bot.config.name)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Download CSV", lambda: panel.trades_csv(chosen), file_name=csv_name(named, now()),
            mime="text/csv", icon=":material/download:", on_click="ignore", key="bot_csv",
        )  # fmt: skip
        st.page_link("pages/trades.py", label="All filters", query_params={"bot": bot.config.name})
    _live_trades(panel, chosen)


@st.fragment(run_every=REFRESH_S)
def _live_trades(panel: ControlPanel, chosen: TradeFilter) -> None:
    try:
        snapshot = latest(f"bot_trades:{chosen.bot_id}", lambda: panel.trades(chosen))
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    page = snapshot.value
    if not page.count:
        st.info("No trade yet. A trade is listed here once its position is closed.")
        return
    draw_totals(page.totals)
    draw_records(page.items, BOT_TRADE_COLUMNS, key="bot_trades")
    if page.count > len(page.items):
        st.caption(f"The newest {len(page.items)} of {page.count:,}")


def draw_audit_tab(panel: ControlPanel, bot: BotView) -> None:
    """Who did what with this bot."""
    entries = [entry for entry in panel.audit(limit=MOST_AUDIT) if entry.subject == bot.id]
    if not entries:
        st.info(f"Nobody did anything with this bot in the newest {MOST_AUDIT:,} audit entries.")
        return
    draw_records(entries, AUDIT_COLUMNS, key="audit")
