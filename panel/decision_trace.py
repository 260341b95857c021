"""The "Why?" tab: every decision of a bot, HOLDs included, and each step's verdict."""

import functools
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import streamlit as st

from engine.contracts import Action, BotView, Decision, Verdict
from panel.facade import ControlPanel, PanelError
from panel.format import moment, percent, price
from panel.layout import show_error
from panel.live import REFRESH_S, latest, show_staleness
from panel.record_tables import words

SCRIPT = Path(__file__).resolve().parent / "frontend" / "decisions.js"
ADVISOR = "advisor"
COUNTS = (50, 200, 1000)
ACTION_COLOURS = {
    Action.HOLD: "gray", Action.ENTER_LONG: "blue", Action.ENTER_SHORT: "orange",
    Action.EXIT: "violet", Action.REVERSE: "violet",
}  # fmt: skip
VERDICT_COLOURS = {
    Verdict.PASS: "green", Verdict.HOLD: "gray", Verdict.VETO: "orange", Verdict.ERROR: "red",
}  # fmt: skip

ADVISOR_PARTS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("confidence", "confidence", percent),
    ("size", "size", percent),
    ("stop_price", "stop", price),
    ("target_price", "target", price),
)


def draw_decisions(panel: ControlPanel, bot: BotView) -> None:
    """The filter, then the newest decisions, live."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        action = st.selectbox(
            "Action", list(Action), index=None, key="action", placeholder="All, HOLD included",
            format_func=action_words, width=220,
        )  # fmt: skip
        count = st.selectbox("Newest", COUNTS, key="decision_count", width=110)
    _live_decisions(panel, bot.id, action, count)


@st.fragment(run_every=REFRESH_S)
def _live_decisions(panel: ControlPanel, bot_id: str, action: Action | None, count: int) -> None:
    try:
        snapshot = latest(
            f"decisions:{bot_id}:{action}:{count}",
            lambda: panel.decisions(bot_id, limit=count, action=action),
        )
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    if not snapshot.value:
        st.info(
            f"No decision with the action {action_words(action)} yet."
            if action
            else "No decision yet. The first comes with the first closed candle after the start."
        )
        return
    _component()(data={"html": decisions_html(snapshot.value)}, key=f"decisions_{bot_id}")


def decisions_html(decisions: Sequence[Decision]) -> str:
    """Decisions as rows that open on their trace. All text is escaped here."""
    return "".join(_decision(decision) for decision in decisions)


@functools.cache
def _component() -> Any:
    return st.components.v2.component(
        "quarterdeck_decisions",
        html='<div class="qd-decisions"></div>',
        js=SCRIPT.read_text("utf-8"),
        isolate_styles=False,
    )


def action_words(action: Action) -> str:
    """``enter_long`` as ``Enter long``."""
    return action.value.replace("_", " ").capitalize()


def _decision(decision: Decision) -> str:
    steps = "".join(
        _step(step.step, step.verdict, step.detail, advisor_html(step.values)
              if step.step == ADVISOR else escape(words(step.values)))
        for step in decision.trace
    )  # fmt: skip
    confidence = (
        "" if decision.action is Action.HOLD else f", confidence {percent(decision.confidence)}"
    )
    body = f"<ol>{steps}</ol>" if steps else "<p>No trace was kept.</p>"
    return (
        f'<details data-id="{escape(decision.id)}"><summary>'
        f"<time>{moment(decision.candle_time)}</time>"
        f'<span class="qd-state qd-{ACTION_COLOURS[decision.action]}">'
        f"{action_words(decision.action)}</span>"
        f'<span class="qd-price">{price(decision.price)}</span>'
        f'<span class="qd-decision-why">{escape(decision.reason)}</span></summary>'
        f"{body}<p>Decided {moment(decision.decided_at)} UTC{confidence}</p></details>"
    )


def advisor_html(values: Mapping[str, Any]) -> str:
    """What an advisor made of an entry, with the way to what it was asked. All text is escaped."""
    parts = [
        f"{title} {read(values[key])}"
        for key, title, read in ADVISOR_PARTS
        if values.get(key) is not None
    ]
    told = escape(", ".join(parts))
    asked = str(values.get("advice_id") or "")
    link = f'<a href="ai?advice={quote(asked, safe="")}" target="_self">what it was asked</a>'
    return f"{told} {link}" if asked else told


def _step(name: str, verdict: Verdict, detail: str, values: str) -> str:
    shown_values = f'<div class="qd-values">{values}</div>' if values else ""
    return (
        f'<li><span class="qd-step">{escape(name)}</span>'
        f'<span class="qd-state qd-{VERDICT_COLOURS[verdict]}">{verdict.value}</span>'
        f"<div>{escape(detail)}{shown_values}</div></li>"
    )
