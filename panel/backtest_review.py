"""What a backtest would use, before it is started, and the button that starts it."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from engine.contracts import ErrorDetail
from engine.contracts.backtests import BacktestPreview, Coverage
from panel.backtest_draft import body_of
from panel.backtest_form import DRAFT
from panel.facade import ControlPanel, EngineRefused, PanelError
from panel.format import duration, escape, money
from panel.markup import review_html

STARTED = "backtest_form:started"
REFUSAL = "backtest_form:refusal"


def draw_start(panel: ControlPanel) -> None:
    """The button, above the figures so that it stays where it is."""
    st.button("Start the backtest", type="primary", icon=":material/play_arrow:",
              key="backtest_start", on_click=start, args=(panel,))  # fmt: skip
    refusal = st.session_state.pop(REFUSAL, "")
    if refusal:
        st.error(escape(refusal), icon=":material/error:")


def start(panel: ControlPanel) -> None:
    """Queue what the form holds now; a callback. The form is kept, refused or not."""
    try:
        run = panel.create_backtest(body_of(DRAFT.read()))
    except PanelError as error:
        st.session_state[REFUSAL] = f"Not started. {error.message}"
        return
    st.session_state[STARTED] = run.id


def draw_preview(panel: ControlPanel, body: Mapping[str, Any]) -> Sequence[ErrorDetail]:
    """Coverage and warnings. Returns what is wrong with the form's fields, when it is."""
    try:
        preview = panel.preview_backtest(body)
    except EngineRefused as error:
        if not error.details:
            st.error(escape(error.message), icon=":material/error:")
        else:
            st.info("What would be used appears once the marked fields are right.")
        return error.details
    except PanelError as error:
        st.error(escape(error.message), icon=":material/error:")
        return ()
    if preview.problem:
        st.error(escape(preview.problem), icon=":material/error:")
    st.html(preview_html(preview))
    for warning in preview.warnings:
        st.warning(escape(warning), icon=":material/warning:")
    return ()


def preview_html(preview: BacktestPreview) -> str:
    """The candles of each symbol and what the account does, as two-column lists."""
    terms = preview.terms
    amount = "all of the cash" if terms.amount is None else money(terms.amount, preview.quote)
    general = (
        ("Account", money(terms.cash, preview.quote)),
        ("First entry", amount),
        ("Warm-up", f"{preview.warmup:,} candles"),
    )
    parts = [review_html(coverage_rows(one), f"{one.symbol}") for one in preview.coverage]
    return "".join([review_html(general), *parts])


def coverage_rows(coverage: Coverage) -> tuple[tuple[str, str], ...]:
    """What a person wants to know about the candles of a symbol."""
    bars = f"{coverage.bars:,} of {coverage.timeframe}"
    if coverage.fine_bars:
        bars += f", {coverage.fine_bars:,} of {coverage.read_timeframe} inside"
    rows = [("Candles", bars)]
    if coverage.first and coverage.last:
        rows.append(("From", f"{coverage.first:%Y-%m-%d %H:%M} UTC"))
        rows.append(("To", f"{coverage.last:%Y-%m-%d %H:%M} UTC"))
    before = "up to " if coverage.is_planned else ""
    rows.append(("Before them", f"{before}{coverage.warmup_bars:,} to warm up"))
    if coverage.is_planned:
        rows.append(("Gaps", "seen when they are read"))
    elif coverage.gaps:
        longest = duration(coverage.longest_gap_s)
        rows.append(("Gaps", f"{coverage.gaps:,}, the longest {longest}"))
    else:
        rows.append(("Gaps", "none"))
    return tuple(rows)
