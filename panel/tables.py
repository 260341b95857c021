"""Dense tables of bots, trades and events, with signed and coloured gains."""

from collections.abc import Hashable, Sequence

import pandas as pd
import streamlit as st

from engine.contracts import BotView, Event, Trade
from panel.bot_cards import position_words
from panel.bot_commands import CAN_START, CAN_STOP, start, stop
from panel.format import (
    NONE,
    countdown,
    exit_words,
    money,
    now,
    percent,
    price,
    short_moment,
    state_of,
)  # fmt: skip
from panel.palette import DOWN, UP
from panel.record_tables import ROW_PX, format_amounts, table_px

OPENED = "overview:open"
START_LABEL, STOP_LABEL, OPEN_LABEL = "Start", "Stop", "Open"
MOST_PX = 620
SHORT_ROWS = 8
LEVEL_PX = 78
"""The table measures its first rows only: a warning further down would be cut."""
GAINS = ("Today", "Open", "Realised")


def _sign_colour(text: object) -> str:
    """The CSS of a cell by the sign it begins with."""
    first = str(text)[:1]
    return f"color: {UP}" if first == "+" else f"color: {DOWN}" if first in "-\u2212" else ""


# --- bots
def draw_bots_table(bots: Sequence[BotView]) -> None:
    """Many bots, one a row; the name opens the bot, the last column starts or stops it."""
    frame = bots_frame(bots)
    style = frame.style.map(_gain_colour, subset=list[Hashable](GAINS))
    for title in GAINS:
        style = format_amounts(style, title, [bot.quote for bot in bots], is_signed=True)
    st.dataframe(
        style,
        key="bots_table", hide_index=True, height=table_px(len(frame), MOST_PX), row_height=ROW_PX,
        placeholder=NONE,
        column_config={
            "Name": st.column_config.ButtonColumn(
                type="tertiary", alignment="left", pinned=True, key="bots_open",
                on_click=_open_clicked, args=(bots,),
            ),
            "Position": st.column_config.TextColumn(width=170),
            "Win %": st.column_config.NumberColumn(format="%.0f"),
            "Equity": st.column_config.LineChartColumn(width="small"),
            "Command": st.column_config.ButtonColumn(
                key="bots_command", on_click=_command_clicked, args=(bots,)
            ),
        },
    )  # fmt: skip
    opened = st.session_state.pop(OPENED, None)
    if opened:
        st.switch_page("pages/bot.py", query_params={"bot": opened})


def bots_frame(bots: Sequence[BotView]) -> pd.DataFrame:
    """The table of bots; numbers stay numbers, so that a column sorts."""
    present = now()
    return pd.DataFrame(
        [
            {
                "Name": bot.config.name,
                "Command": _command_label(bot),
                "State": state_of(bot),
                "Money": bot.mode.upper(),
                "Symbol": bot.config.symbol,
                "Frame": bot.config.timeframe,
                "Strategy": bot.config.strategy,
                "Last price": price(bot.last_price),
                "Position": position_words(bot.position),
                "Today": float(bot.today_pnl),
                "Open": _open_pnl(bot),
                "Realised": float(bot.realised_pnl),
                "Quote": bot.quote,
                "Trades": bot.trade_count,
                "Win %": 100 * bot.win_count / bot.trade_count if bot.trade_count else None,
                "Next check": countdown(bot.next_check_at, present),
                "Equity": list(bot.sparkline),
                "Reason": bot.reason,
            }
            for bot in bots
        ]
    ).astype({"Open": "float64", "Win %": "float64"})


def _open_pnl(bot: BotView) -> float | None:
    pnl = bot.position.unrealised_pnl if bot.position else None
    return None if pnl is None else float(pnl)


def _command_label(bot: BotView) -> str:
    """What the row's button does; where a stop must ask about a position, it opens the bot."""
    state = state_of(bot)
    if state in CAN_START:
        return START_LABEL
    if state not in CAN_STOP:
        return ""
    return STOP_LABEL if bot.position is None else OPEN_LABEL


def _gain_colour(value: object) -> str:
    amount = value if isinstance(value, float) else 0.0
    return f"color: {UP}" if amount > 0 else f"color: {DOWN}" if amount < 0 else ""


def _open_clicked(bots: Sequence[BotView]) -> None:
    """Remember which bot to open: a callback cannot leave the page."""
    st.session_state[OPENED] = bots[st.session_state["bots_open"].row].id


def _command_clicked(bots: Sequence[BotView]) -> None:
    click = st.session_state["bots_command"]
    bot = bots[click.row]
    if click.label == START_LABEL:
        start(bot)
    elif click.label == STOP_LABEL:
        stop(bot, False)
    elif click.label == OPEN_LABEL:
        st.session_state[OPENED] = bot.id


# --- what happened
def draw_recent_trades(trades: Sequence[Trade]) -> None:
    """The newest trades in short."""
    st.markdown("**Recent trades**")
    if not trades:
        st.caption("No trade has been completed yet.")
        return
    frame = pd.DataFrame(
        [
            {
                "Closed (UTC)": short_moment(trade.exit_time),
                "Bot": trade.bot_name,
                "Symbol": trade.symbol,
                "Side": trade.side.value,
                "P&L": money(trade.pnl, trade.quote, is_signed=True),
                "Return": percent(trade.return_fraction, is_signed=True),
                "Exit": exit_words(trade.exit_reason),
            }
            for trade in trades
        ]
    )
    st.dataframe(
        frame.style.map(_sign_colour, subset=["P&L", "Return"]), key="recent_trades",
        hide_index=True, row_height=ROW_PX, height=table_px(min(len(frame), SHORT_ROWS)),
        column_config={
            name: st.column_config.TextColumn(alignment="right") for name in ("P&L", "Return")
        },
    )  # fmt: skip


def draw_events(events: Sequence[Event], bots: Sequence[BotView]) -> None:
    """The newest events in short."""
    st.markdown("**Recent events**")
    if not events:
        st.caption("Nothing has happened yet.")
        return
    names = {bot.id: bot.config.name for bot in bots}
    frame = pd.DataFrame(
        [
            {
                "Time (UTC)": short_moment(event.time),
                "Level": event.level.value,
                "Bot": names.get(event.bot_id or "", NONE),
                "Event": event.message,
            }
            for event in events
        ]
    )
    st.dataframe(
        frame.style.map(_level_colour, subset=["Level"]), key="recent_events", hide_index=True,
        row_height=ROW_PX, height=table_px(min(len(frame), SHORT_ROWS)),
        column_config={"Level": st.column_config.TextColumn(width=LEVEL_PX)},
    )  # fmt: skip


def _level_colour(level: object) -> str:
    return f"color: {DOWN}; font-weight: 600" if level in ("error", "warning") else ""
