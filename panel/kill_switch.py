"""The kill switch: a button and its dialog on every page, and a banner while it is latched."""

import streamlit as st

from engine.contracts import KillLevel, KillSwitch
from panel.commands import attempt
from panel.facade import ControlPanel
from panel.format import escape, moment

LEVELS = {
    KillLevel.PAUSE_ENTRIES: (
        "Pause entries",
        "No bot opens anything new. Stops and targets stay watched.",
    ),
    KillLevel.CANCEL_ORDERS: (
        "Pause entries and cancel orders",
        "Also cancels every open order. Positions stay, with their exits watched.",
    ),
    KillLevel.CLOSE_ALL: (
        "Close everything",
        "Also closes every position at the market price, now.",
    ),
}
CHOSEN = "kill_level"


@st.fragment
def kill_button(panel: ControlPanel) -> None:
    """The button that opens the dialog; a fragment, so that nothing else is drawn first."""
    if st.button(
        "Kill switch",
        icon=":material/emergency_home:",
        key="kill_open",
        help="Stop all bots at once",
    ):
        _dialog(panel)


def kill_banner(panel: ControlPanel, kill: KillSwitch) -> None:
    """Say that the kill switch is latched, by whom and since when, with its release."""
    if kill.level is KillLevel.NONE:
        return
    title, effect = LEVELS[kill.level]
    by = f" by {escape(kill.actor)}" if kill.actor else ""
    since = f" since {moment(kill.since)} UTC" if kill.since else ""
    with st.container(key="qd-kill-banner", horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/emergency_home: **Kill switch: {title}**{by}{since}. {effect}")
        st.button("Release", key="kill_release", on_click=_set_level, args=(panel, KillLevel.NONE))


@st.dialog("Kill switch")
def _dialog(panel: ControlPanel) -> None:
    st.markdown("It acts on every bot and stays on, over restarts too, until you release it.")
    st.radio(
        "What should happen now?",
        list(LEVELS),
        format_func=lambda level: LEVELS[level][0],
        captions=[effect for _, effect in LEVELS.values()],
        key=CHOSEN,
    )
    if st.button("Engage", type="primary", key="kill_engage", on_click=_engage, args=(panel,)):
        st.rerun()


def _engage(panel: ControlPanel) -> None:
    _set_level(panel, st.session_state[CHOSEN])


def _set_level(panel: ControlPanel, level: KillLevel) -> None:
    done = "The kill switch is released." if level is KillLevel.NONE else "The kill switch is on."
    attempt(lambda: panel.set_kill_switch(level), done)
