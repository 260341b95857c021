"""The dialog that makes a paper bot of a backtest."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from engine.contracts.backtests import BacktestRun, FileSource, MarketSource
from panel.asked import forget, forgetter
from panel.bot_draft import auto_name
from panel.facade import ControlPanel, PanelError
from panel.format import escape
from panel.session import control_panel
from panel.symbols import find_symbols, names_in_use

NAME, WHERE, SYMBOL, SPEED = "bot_name", "bot_where", "bot_symbol", "bot_speed"
BOT_OF = "backtest_bot"
"""What is asked about: the run to make a bot of."""
MADE, REFUSED = "backtest_bot:made", "backtest_bot:refused"
SIMULATED = "simulated"
SPEEDS = {"0": "as fast as it goes", "3600": "an hour a second", "600": "ten minutes a second",
          "60": "a minute a second", "1": "real time"}  # fmt: skip


@st.dialog("Run as a paper bot", on_dismiss=forgetter(BOT_OF))
def bot_dialog(panel: ControlPanel, run: BacktestRun) -> None:
    """Says what the bot will do, and makes it."""
    is_file = isinstance(run.request.source, FileSource)
    symbols = [one.symbol for one in run.coverage]
    st.text_input("Name", auto_name(run.request.strategy, symbols[0], names_in_use(panel)),
                  max_chars=40, key=NAME)  # fmt: skip
    where = ""
    if is_file:
        titles = {"": "Replay of the candle file", SIMULATED: "The simulated market, live"}
        where = st.radio("Market", list(titles), format_func=titles.__getitem__, key=WHERE)
    offered = symbols
    if where == SIMULATED:
        offered = [one.instrument.symbol for one in find_symbols(panel, SIMULATED)]
    symbol = symbols[0]
    if len(offered) > 1:
        place = offered.index(symbol) if symbol in offered else 0
        symbol = st.selectbox("Symbol", offered, index=place, key=SYMBOL)
    if is_file and not where:
        st.selectbox("Speed", list(SPEEDS), format_func=SPEEDS.__getitem__, key=SPEED)
    st.markdown(what_it_does(run, symbol, where, is_file))
    refusal = st.session_state.pop(REFUSED, "")
    if refusal:
        st.error(escape(refusal), icon=":material/error:")
    with st.container(horizontal=True):
        st.button("Create and start", type="primary", key="bot_start", on_click=make,
                  args=(run, True), icon=":material/play_arrow:")  # fmt: skip
        st.button("Create", key="bot_create", on_click=make, args=(run, False))
    if st.session_state.get(MADE):
        st.rerun()


def what_it_does(run: BacktestRun, symbol: str, where: str, is_file: bool) -> str:
    """In words, before anything is made."""
    request, market = run.request, "the simulated market"
    if isinstance(request.source, MarketSource):
        market = request.source.market
    place = f"trades from now on, on {market}"
    if is_file and not where:
        place = "replays the file from its first candle"
    several = (
        " One bot trades one symbol: the others of this backtest are left out."
        if len(run.coverage) > 1
        else ""
    )
    return (
        f"A bot on **paper money** that {escape(place)}, {escape(symbol)} on {request.timeframe}"
        f" candles with `{request.strategy}`: the same parameters, exits, size and direction."
        f" Fees and slippage are those of paper accounts (Settings).{several}"
    )


def make(run: BacktestRun, is_started: bool) -> None:
    """Create the bot, and start it; a callback."""
    panel = control_panel()
    try:
        bot = panel.bot_of_backtest(run.id, body())
    except PanelError as error:
        st.session_state[REFUSED] = f"Not created. {error.message}"
        return
    forget(BOT_OF)
    st.session_state[MADE] = bot.id
    if is_started:
        try:
            panel.start_bot(bot.id)
        except PanelError as error:
            st.session_state[REFUSED] = f"Created, not started. {error.message}"


def body() -> Mapping[str, Any]:
    """What the dialog asks for."""
    state = st.session_state
    return {
        "name": str(state.get(NAME, "")).strip(),
        "market": state.get(WHERE) or "",
        "symbol": state.get(SYMBOL) or "",
        "speed": state.get(SPEED) or "0",
    }


def follow_made() -> None:
    """Go to the bot that was just made."""
    made = st.session_state.pop(MADE, None)
    if made:
        st.switch_page("pages/bot.py", query_params={"bot": made})
