"""What models were asked and what came of it: filtered, in pages, to be opened."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import streamlit as st

from engine.contracts import BotView
from engine.contracts.ai import (
    AdviceFilter,
    AdviceLine,
    AdviceState,
    ModelAction,
)
from panel import filters
from panel.ai_words import (
    PURPOSES,
    VERDICTS,
    dollars,
    latency_words,
    line_outcome,
    state_words,
)
from panel.facade import ControlPanel, PanelError
from panel.format import MINUS, NONE, now, percent, price
from panel.layout import show_error
from panel.live import latest, show_staleness
from panel.record_tables import ROW_PX, Column, records_table, table_key, table_px

PAGE_SIZE = 50
REFRESH_S = 5.0
FILTER_KEYS = ("bot", "why", "state", "verdict", "action", "text", "from", "to")


def _share(value: float) -> str:
    return percent(value, is_signed=True)


def _dollars(value: float) -> str:
    return dollars(Decimal(repr(value)))


def _signed(value: float) -> str:
    sign = "+" if value > 0 else MINUS if value < 0 else ""
    return f"{sign}{abs(value):,.2f}"


COLUMNS: tuple[Column[AdviceLine], ...] = (
    Column("Asked (UTC)", lambda one: f"{one.asked_at:%Y-%m-%d %H:%M:%S}"),
    Column("Bot", lambda one: one.bot_name),
    Column("Symbol", lambda one: one.symbol),
    Column("Why", lambda one: PURPOSES[one.purpose]),
    Column("State", lambda one: state_words(one.state)),
    Column("Answer", lambda one: one.decision.action.value if one.decision else ""),
    Column("Confidence", lambda one: one.decision.confidence if one.decision else None, percent),
    Column("Entry", lambda one: one.side.value if one.side else ""),
    Column("Made of it", lambda one: VERDICTS[one.verdict] if one.verdict else ""),
    Column("Came true", line_outcome),
    Column("Move", lambda one: one.outcome.move if one.outcome else None, _share, is_gain=True),
    Column("Value", lambda one: float(one.outcome.value) if one.outcome and
           one.outcome.value is not None else None, _signed, is_gain=True),
    Column("Price", lambda one: float(one.price), price),
    Column("Cost", lambda one: float(one.cost), _dollars),
    Column("Latency", lambda one: one.latency_s, latency_words),
    Column("Model", lambda one: one.model),
    Column("Because", lambda one: one.error or one.verdict_reason),
)  # fmt: skip


PURPOSES_BY_WORD = {words: purpose for purpose, words in PURPOSES.items()}
STATES_BY_WORD = {state_words(state): state for state in AdviceState}
VERDICTS_BY_WORD = {words: verdict for verdict, words in VERDICTS.items()}


def choose_advice(bots: Sequence[BotView]) -> AdviceFilter | None:
    """Draw the filters, kept in the address, in the words of the table. None, with the reason
    drawn, when the dates contradict each other."""
    with st.container(horizontal=True, key="ai_filters"):
        bot = filters.pick("Bot", "bot", sorted(one.config.name for one in bots))
        purpose = filters.pick("Why", "why", list(PURPOSES_BY_WORD), is_open=False)
        state = filters.pick("State", "state", list(STATES_BY_WORD), is_open=False)
        verdict = filters.pick("Made of it", "verdict", list(VERDICTS_BY_WORD), is_open=False)
        action = filters.pick("Answer", "action", [one.value for one in ModelAction], is_open=False)
        text = filters.text("Text", "text", "in answer or error")
        first, last = filters.day("From (UTC)", "from"), filters.day("To (UTC)", "to")
    if not filters.are_days_in_order(first, last):
        return None
    return AdviceFilter(
        bot=bot,
        purpose=PURPOSES_BY_WORD[purpose] if purpose else None,
        state=STATES_BY_WORD[state] if state else None,
        verdict=VERDICTS_BY_WORD[verdict] if verdict else None,
        action=ModelAction(action) if action else None,
        text=text,
        since=filters.midnight(first) if first else None,
        until=filters.midnight(last + timedelta(days=1)) if last else None,
    )


def draw_decisions(panel: ControlPanel) -> None:
    """Filters, then the page that they leave."""
    chosen = choose_advice(panel.bots())
    if chosen is None:
        return
    count = panel.advice_page(chosen.model_copy(update={"limit": 1})).count
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Download CSV", lambda: panel.advice_csv(chosen),
            file_name=f"advice-{now():%Y%m%dT%H%M%SZ}.csv", mime="text/csv",
            icon=":material/download:", on_click="ignore", disabled=not count, key="ai_csv",
            help="All that match, without prompts, times in UTC",
        )  # fmt: skip
        asked = filters.choose_filter_page(chosen, count, PAGE_SIZE, FILTER_KEYS, "ai_clear")
    _live_page(panel, asked)


@st.fragment(run_every=REFRESH_S)
def _live_page(panel: ControlPanel, asked: AdviceFilter) -> None:
    try:
        snapshot = latest(f"ai:{asked.model_dump_json()}", lambda: panel.advice_page(asked))
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    lines, count = snapshot.value.items, snapshot.value.count
    if not count:
        st.info(
            "Nothing matches these filters."
            if filters.is_narrowed(asked)
            else "No model was asked yet. Give a bot an advisor or a decider under Strategy of its"
            " form, or try one under Prompt: a dry run opens nothing."
        )
        return
    found = st.dataframe(
        records_table(lines, COLUMNS), hide_index=True, row_height=ROW_PX, placeholder=NONE,
        height=table_px(len(lines)), on_select="rerun",
        selection_mode="single-row", key=table_key("advice", [one.id for one in lines]),
    )  # fmt: skip
    first = asked.offset + 1
    st.caption(
        f"{first:,} to {asked.offset + len(lines):,} of {count:,}, newest first. Mark a row to"
        " open it. Value is in the quote asset of the row's symbol; of what was held back it is"
        " hypothetical."
    )
    rows = [row for row in found["selection"]["rows"] if row < len(lines)]
    if rows:
        open_advice(lines[rows[0]].id)


def open_advice(advice_id: str) -> None:
    """Show one whole."""
    st.query_params["advice"] = advice_id
    st.rerun()
