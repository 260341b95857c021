"""A backtest's trades in pages, and its candles in windows with the trades on them."""

import math
from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from engine.contracts import PositionSide, to_epoch_ms
from engine.contracts.backtests import (
    EXIT_REASONS,
    BacktestRun,
    BacktestTrade,
    BacktestTradeFilter,
)
from panel.backtest_words import decimal
from panel.candle_chart import candle_payload
from panel.chart_component import draw_chart
from panel.facade import ControlPanel
from panel.figures import Figure, draw_figures
from panel.format import NONE, duration, escape, exit_words, moment, percent, price, quantity
from panel.markup import gain_html
from panel.record_tables import (
    HELD_PX,
    ROW_PX,
    Column,
    column_widths,
    records_table,
    table_key,
    table_px,
)

PAGE_SIZE = 100
MOST_PX = 640
WINDOWS = (150, 300, 600, 1200)
ORDERS = {"oldest": "Oldest first", "newest": "Newest first", "best": "Best first",
          "worst": "Worst first"}  # fmt: skip
AT, TRADE, SYMBOL, PAGE = "chart_at", "chart_trade", "chart_symbol", "trade_page"


def columns(quote: str) -> tuple[Column[BacktestTrade], ...]:
    """Of the table; amounts are in ``quote``."""
    return (
        Column("No", lambda one: one.number, lambda value: f"{value:,}"),
        Column("Closed (UTC)", lambda one: moment(one.exit_time)[:16]),
        Column("P&L", lambda one: one.pnl, is_gain=True, quote=lambda _: quote),
        Column("Return", lambda one: one.return_fraction, _share, is_gain=True),
        Column("Symbol", lambda one: one.symbol),
        Column("Side", lambda one: one.side.value),
        Column("Quantity", lambda one: one.quantity, lambda value: quantity(_short(value))),
        Column("Entry", lambda one: one.entry_price, lambda value: price(_short(value))),
        Column("Exit", lambda one: one.exit_price, lambda value: price(_short(value))),
        Column("Fees", lambda one: one.fees, quote=lambda _: quote),
        Column(
            "Held",
            lambda one: (one.exit_time - one.entry_time).total_seconds(),
            duration,
            width_px=HELD_PX,
        ),
        Column("Entries", lambda one: one.entry_count),
        Column("Exit reason", lambda one: exit_words(one.exit_reason)),
    )


def draw_trades_tab(panel: ControlPanel, run: BacktestRun) -> None:
    """Filters, totals, the page of trades; a marked one can be seen on the chart."""
    chosen = choose_trades(run)
    page = panel.backtest_trades(run.id, chosen)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Trades as CSV", lambda: panel.backtest_trades_csv(run.id, chosen),
            file_name=f"backtest-{run.id[:8]}-trades.csv", mime="text/csv", on_click="ignore",
            icon=":material/download:", key="run_csv", disabled=not page.count,
            help="Every trade that matches, times in UTC",
        )  # fmt: skip
        number = _page_number(run, page.count)
        show = st.container()
    if number > 1:
        offset = (number - 1) * PAGE_SIZE
        page = panel.backtest_trades(run.id, chosen.model_copy(update={"offset": offset}))
    if not page.count:
        st.info("No trade matches these filters." if run.trade_count else "No trade was closed.")
        return
    draw_figures(
        (
            Figure("Trades that match", f"{page.count:,}"),
            Figure("Their P&L", html=gain_html(decimal(page.pnl), run.quote)),
        )
    )
    shown = columns(run.quote)
    found = st.dataframe(
        records_table(page.items, shown), hide_index=True, row_height=ROW_PX,
        placeholder=NONE, column_config=column_widths(shown),
        height=table_px(len(page.items), MOST_PX), on_select="rerun",
        selection_mode="single-row",
        key=table_key("trades", [run.id, *(one.number for one in page.items)]),
    )  # fmt: skip
    rows = found["selection"]["rows"]
    trade = page.items[rows[0]] if rows and rows[0] < len(page.items) else None
    with show:
        st.button(
            "Show on the chart", icon=":material/candlestick_chart:", key="trade_show",
            disabled=trade is None, on_click=show_trade, args=(run, trade),
            help="Mark a trade in the table",
        )  # fmt: skip


def of(run: BacktestRun, name: str) -> str:
    """The session key of what is chosen on one run's page."""
    return f"{name}_{run.id[:8]}"


def choose_trades(run: BacktestRun) -> BacktestTradeFilter:
    """The filters of the trades."""
    symbols = [one.symbol for one in run.coverage]
    with st.container(horizontal=True, key="run_trade_filters"):
        order = st.selectbox(
            "Order", list(ORDERS), format_func=ORDERS.__getitem__, width=150,
            key=of(run, "trade_order"), on_change=_first_page, args=(run,),
        )  # fmt: skip
        symbol = _pick(run, "Symbol", symbols) if len(symbols) > 1 else None
        side = _pick(run, "Side", [one.value for one in PositionSide])
        reason = _pick(run, "Exit", EXIT_REASONS)
        outcome = _pick(run, "Outcome", ("won", "lost"))
    return BacktestTradeFilter.model_validate(
        {"order": order, "symbol": symbol, "side": side, "exit_reason": reason,
         "outcome": outcome, "limit": PAGE_SIZE}
    )  # fmt: skip


def _pick(run: BacktestRun, label: str, options: Sequence[str]) -> str | None:
    return st.selectbox(
        label, options, index=None, placeholder="All", width=140, format_func=exit_words,
        key=of(run, f"trade_{label.lower()}"), on_change=_first_page, args=(run,),
    )  # fmt: skip


def show_trade(run: BacktestRun, trade: BacktestTrade) -> None:
    """Go to a trade on the chart; a callback."""
    st.session_state["run_tab"] = "Chart"
    st.session_state[of(run, SYMBOL)] = trade.symbol
    st.session_state[of(run, TRADE)] = trade.number
    st.session_state[of(run, AT)] = trade.entry_time


def draw_chart_tab(panel: ControlPanel, run: BacktestRun) -> None:
    """A window of the candles with the trades in it, moved by buttons, a day or a trade's number.

    However long the run is, the browser only ever draws one window.
    """
    symbols = [one.symbol for one in run.coverage]
    moves = st.container(horizontal=True, key="chart_moves", vertical_alignment="bottom")
    with moves:
        symbol = symbols[0]
        if len(symbols) > 1:
            symbol = st.selectbox("Symbol", symbols, key=of(run, SYMBOL), width=140)
        window = st.selectbox("Candles", WINDOWS, key="chart_window", width=110)
        if run.trade_count:
            st.number_input(
                f"Trade (1 to {run.trade_count:,})", min_value=1, max_value=run.trade_count,
                value=None, key=of(run, TRADE), placeholder="number", width=160,
                on_change=go_to_trade, args=(panel, run),
            )  # fmt: skip
    chart = panel.backtest_chart(
        run.id, symbol=symbol, at=st.session_state.get(of(run, AT)), limit=window
    )
    if not chart.time:
        st.info("This backtest has no candles of this symbol.")
        return
    with moves:
        first, last = chart.time[0], chart.time[-1]
        for label, icon, at in (
            ("First", "first_page", run.coverage[0].first), ("Earlier", "chevron_left", first),
            ("Later", "chevron_right", last), ("Newest", "last_page", None),
        ):  # fmt: skip
            st.button(label, icon=f":material/{icon}:", key=f"chart_{label.lower()}",
                      on_click=go_to, args=(run, at))  # fmt: skip
    if chart.series_error:
        st.warning(f"The strategy's lines are not drawn: {escape(chart.series_error)}")
    payload = candle_payload(chart, view_id=f"{run.id}:{symbol}:{first}:{window}")
    bar_ms = payload["bar_ms"]
    whole = [to_epoch_ms(first) - bar_ms, to_epoch_ms(last) + bar_ms]
    draw_chart({**payload, "range": whole}, key="backtest_chart")
    entries = sum(marker.kind == "entry" for marker in chart.markers)
    exits = len(chart.markers) - entries
    st.caption(
        f"{moment(first)[:16]} to {moment(last)[:16]} UTC, {entries:,} entries and {exits:,} exits"
    )


def go_to(run: BacktestRun, at: datetime | None) -> None:
    """Move the window; a callback."""
    st.session_state[of(run, AT)] = at


def go_to_trade(panel: ControlPanel, run: BacktestRun) -> None:
    """Move the window to the trade whose number was typed; a callback."""
    number = st.session_state.get(of(run, TRADE))
    if number is None:
        return
    chosen = BacktestTradeFilter(limit=1, offset=number - 1)
    for trade in panel.backtest_trades(run.id, chosen).items:
        st.session_state[of(run, SYMBOL)] = trade.symbol
        st.session_state[of(run, AT)] = trade.entry_time


def _page_number(run: BacktestRun, count: int) -> int:
    pages = math.ceil(count / PAGE_SIZE)
    if pages < 2:
        return 1
    number: int = st.pagination(pages, width=340, key=of(run, PAGE))
    return number


def _first_page(run: BacktestRun) -> None:
    st.session_state[of(run, PAGE)] = 1


def _share(value: float) -> str:
    return percent(value, is_signed=True)


def _short(value: float) -> float:
    """Eight significant digits: averages come of a division."""
    return float(f"{value:.8g}")
