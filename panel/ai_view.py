"""The head of the AI page: whether a model can be asked, and what is left of the day's budget."""

from html import escape as escape_html

import streamlit as st

from engine.contracts.ai import AiStatus
from panel.ai_words import dollars
from panel.facade import ControlPanel, PanelError
from panel.figures import Figure, draw_figures
from panel.format import NONE, ago, clock, escape, now
from panel.layout import show_error
from panel.live import latest, show_staleness

REFRESH_S = 5.0
NAMES_SHOWN = 6


@st.fragment(run_every=REFRESH_S)
def draw_status(panel: ControlPanel) -> None:
    """Provider, budget, calls, and what is wrong now; live."""
    try:
        snapshot = latest("ai:status", panel.ai_status)
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    status = snapshot.value
    draw_figures(status_figures(status))
    if not status.is_configured:
        st.info(escape(status.objection), icon=":material/key:")
    elif status.objection:
        st.warning(escape(status.objection), icon=":material/cloud_off:")
    elif status.last_error:
        st.warning(
            f"The last failure, {ago(status.last_error_at, now())}: {escape(status.last_error)}",
            icon=":material/cloud_off:",
        )


def status_figures(status: AiStatus) -> tuple[Figure, ...]:
    """The strip of figures."""
    budget = status.budget
    spent = f"{dollars(budget.used_usd)} of {dollars(budget.budget_usd, 2)}"
    is_spent = budget.used_usd >= budget.budget_usd
    bots = ", ".join(status.bots[:NAMES_SHOWN])
    more = len(status.bots) - NAMES_SHOWN
    return (
        Figure("Model", f"{status.model} ({status.provider})"),
        Figure("State", html=_state_html(status)),
        Figure("Spent today (UTC)", html=f'<span class="qd-red">{spent}</span>' if is_spent
               else spent),
        Figure("Calls today", f"{budget.calls_today:,} of {budget.calls_per_day:,}"),
        Figure("Last answer", ago(status.last_answer_at, now())),
        Figure("Bots with a model", f"{bots}{f' and {more} more' if more > 0 else ''}" or NONE),
    )  # fmt: skip


def _state_html(status: AiStatus) -> str:
    if not status.is_configured:
        words, colour = "no key yet", "gray"
    elif status.paused_until is not None and status.paused_until > now():
        words, colour = f"paused until {clock(status.paused_until)}", "orange"
    elif status.objection:
        words, colour = "cannot be asked", "orange"
    else:
        words, colour = "ready", "green"
    return f'<span class="qd-state qd-{colour}">{escape_html(words)}</span>'
