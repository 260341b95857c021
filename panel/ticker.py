"""Clocks that tick in the browser: countdowns and ages, without asking the engine or rerunning."""

import functools
from datetime import datetime
from pathlib import Path
from typing import Any

import streamlit as st

from engine.contracts import to_epoch_ms
from panel.format import NONE, countdown, duration, now

SCRIPT = Path(__file__).resolve().parent / "frontend" / "ticker.js"


def run_ticker() -> None:
    """Let the page's clocks tick, set by this process's clock. Once a page is enough."""
    _component()(data={"now": to_epoch_ms(now())}, key="qd-ticker", height=0)


def countdown_html(until: datetime | None) -> str:
    """A countdown to ``until`` as HTML."""
    if until is None:
        return NONE
    return f'<span data-qd-until="{to_epoch_ms(until)}">{countdown(until, now())}</span>'


def age_html(since: datetime) -> str:
    """The age of what was true at ``since`` as HTML; marked as stale past five seconds."""
    age_s = (now() - since).total_seconds()
    return f'<span data-qd-since="{to_epoch_ms(since)}">{duration(age_s)}</span>'


@functools.cache
def _component() -> Any:
    return st.components.v2.component(
        "quarterdeck_ticker", html="<i></i>", js=SCRIPT.read_text("utf-8"), isolate_styles=False
    )
