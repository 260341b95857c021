"""What every address shows while the engine is off: a way to start it, and what went wrong."""

import streamlit as st

from panel.engine_process import start_engine
from panel.format import escape
from panel.live import REFRESH_S
from panel.navigation import ensure_navigation
from panel.session import control_panel, data_folder, is_engine_on
from panel.style import apply_style

FAILURE = "engine_off:failure"
panel = control_panel()


def start() -> None:
    """Start the engine; what it says when it fails is kept for the page."""
    with st.spinner("Starting the engine"):
        st.session_state[FAILURE] = start_engine(panel)


@st.fragment(run_every=REFRESH_S)
def watch_for_engine() -> None:
    """Go on to the page that was asked for once the engine answers."""
    if is_engine_on(panel):
        st.session_state.pop(FAILURE, None)
        st.rerun()


ensure_navigation()
apply_style()
st.header("The engine is off", anchor=False)
st.markdown(
    "No bot is being watched. Positions and settings are safe in the data folder; running bots go"
    " on where they were once the engine is started."
)
failure = st.session_state.get(FAILURE)
if failure:
    st.error(escape(failure), icon=":material/error:")
st.button(
    "Start the engine", type="primary", icon=":material/play_arrow:", key="engine_start",
    on_click=start,
)  # fmt: skip
st.caption(
    f"It should answer at {escape(panel.url.removeprefix('http://'))} and keep its data in"
    f" {escape(str(data_folder()))}."
    " This page goes on by itself when it does."
)
watch_for_engine()
