"""The dialog that makes a paper bot of a study's winner."""

import streamlit as st

from engine.contracts.backtests import FileSource
from engine.contracts.studies import Study
from panel.backtest_bot import SIMULATED, SPEEDS
from panel.bot_draft import auto_name
from panel.facade import ControlPanel, PanelError
from panel.format import escape
from panel.session import control_panel
from panel.symbols import names_in_use
from panel.tuning_words import values_words

NAME, WHERE, SPEED = "study_bot_name", "study_bot_where", "study_bot_speed"
MADE, REFUSED = "study_bot:made", "study_bot:refused"


@st.dialog("Apply to a new paper bot")
def bot_dialog(panel: ControlPanel, study: Study) -> None:
    """Says what the bot will do, and makes it."""
    backtest = study.request.backtest
    is_file = isinstance(backtest.source, FileSource)
    st.text_input("Name", auto_name(backtest.strategy, study.symbol, names_in_use(panel)),
                  max_chars=40, key=NAME)  # fmt: skip
    where = ""
    if is_file:
        titles = {"": "Replay of the candle file", SIMULATED: "The simulated market, live"}
        where = st.radio("Market", list(titles), format_func=titles.__getitem__, key=WHERE)
    if is_file and not where:
        st.selectbox("Speed", list(SPEEDS), format_func=SPEEDS.__getitem__, key=SPEED)
    st.markdown(
        f"A stopped bot on **paper money**: `{backtest.strategy}` on {escape(study.symbol)},"
        f" {backtest.timeframe} candles, with {escape(values_words(study.summary.best))}. Size,"
        " direction and the other exits are those of the study."
    )
    if study.summary.luck.verdict:
        st.caption(escape(study.summary.luck.verdict[0]))
    refusal = st.session_state.pop(REFUSED, "")
    if refusal:
        st.error(escape(refusal), icon=":material/error:")
    st.button("Create", type="primary", key="study_bot_create", on_click=make, args=(study,))
    if st.session_state.get(MADE):
        st.rerun()


def make(study: Study) -> None:
    """Create the bot; a callback."""
    state = st.session_state
    body = {"name": str(state.get(NAME, "")).strip(), "market": state.get(WHERE) or "",
            "speed": state.get(SPEED) or "0"}  # fmt: skip
    try:
        state[MADE] = control_panel().bot_of_study(study.id, body).id
    except PanelError as error:
        state[REFUSED] = f"Not created. {error.message}"


def follow_made() -> None:
    """Go to the bot that was just made."""
    made = st.session_state.pop(MADE, None)
    if made:
        st.switch_page("pages/bot.py", query_params={"bot": made})
