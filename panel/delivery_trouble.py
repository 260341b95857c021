"""One line on the Overview when alerts do not get through."""

from datetime import timedelta

import streamlit as st

from engine.contracts.alerts import DeliveryFilter, DeliveryState
from panel.channel_words import counted
from panel.facade import ControlPanel, PanelError
from panel.format import escape, now

REFRESH_S = 20.0
PERIOD = timedelta(days=1)


@st.fragment(run_every=REFRESH_S)
def live_trouble(panel: ControlPanel) -> None:
    """How many alerts of the last day did not arrive; nothing when all did."""
    try:
        failed = _count(panel, DeliveryState.FAILED)
        uncertain = _count(panel, DeliveryState.UNCERTAIN)
    except PanelError as error:
        st.caption(f":orange[Whether alerts got through is not known now: {escape(error.message)}]")
        return
    parts = [f"{counted(failed, 'alert')} could not be delivered"] if failed else []
    parts += [f"{counted(uncertain, 'alert')} may not have arrived"] if uncertain else []
    if not parts:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="qd-halted-alerts"):
        st.markdown(f":material/sms_failed: {' and '.join(parts)} in the last day.")
        state = "failed" if failed else "uncertain"
        st.page_link("pages/alerts.py", label="See why", icon=":material/notifications:",
                     query_params={"view": "Log", "state": state})  # fmt: skip


def _count(panel: ControlPanel, state: DeliveryState) -> int:
    since = now() - PERIOD
    return panel.deliveries(DeliveryFilter(state=state, since=since, limit=1)).count
