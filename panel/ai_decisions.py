"""What models were asked and what came of it: filtered, in pages, to be opened."""

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import streamlit as st

from engine.contracts import BotView
from engine.contracts.ai import (
    AdviceFilter,
    AdviceLine,
    AdvicePurpose,
    AdviceState,
    CounselVerdict,
    ModelAction,
)
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
from panel.record_tables import Column, records_table, table_key

PAGE_SIZE = 50
ROW_PX, MOST_PX = 30, 720
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


def choose_advice(bots: Sequence[BotView]) -> AdviceFilter | None:
    """Draw the filters, kept in the address. None, with the reason drawn, when the dates
    contradict each other."""
    with st.container(horizontal=True, key="ai_filters"):
        bot = _pick("Bot", "bot", sorted(one.config.name for one in bots), is_open=True)
        purpose = _pick("Why", "why", [one.value for one in AdvicePurpose])
        state = _pick("State", "state", [one.value for one in AdviceState])
        verdict = _pick("Made of it", "verdict", [one.value for one in CounselVerdict])
        action = _pick("Answer", "action", [one.value for one in ModelAction])
        text = st.text_input(
            "Text", key="text", placeholder="in answer or error", max_chars=200, type="search",
            width=180, bind="query-params", on_change=first_page,
        )  # fmt: skip
        first, last = _day("From (UTC)", "from"), _day("To (UTC)", "to")
    if first and last and first > last:
        st.error("The first day lies after the last one.", icon=":material/error:")
        return None
    return AdviceFilter(
        bot=bot, purpose=AdvicePurpose(purpose) if purpose else None,
        state=AdviceState(state) if state else None,
        verdict=CounselVerdict(verdict) if verdict else None,
        action=ModelAction(action) if action else None, text=text or "",
        since=_midnight(first) if first else None,
        until=_midnight(last + timedelta(days=1)) if last else None, limit=PAGE_SIZE,
    )  # fmt: skip


def is_narrowed(chosen: AdviceFilter) -> bool:
    """Whether any filter is set."""
    given = chosen.model_dump(exclude={"limit", "offset"}, exclude_none=True)
    return any(given.values())


def clear_filters() -> None:
    """Back to everything; a callback."""
    for key in FILTER_KEYS:
        st.session_state[key] = "" if key == "text" else None
    first_page()


def first_page() -> None:
    """The newest again; a callback of whatever changes what is asked for."""
    st.session_state["page"] = 1


def draw_decisions(panel: ControlPanel) -> None:
    """Filters, then the page that they leave."""
    chosen = choose_advice(panel.bots())
    if chosen is None:
        return
    count = panel.advice_page(chosen.model_copy(update={"limit": 1})).count
    page = 1
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Download CSV", lambda: panel.advice_csv(chosen),
            file_name=f"advice-{now():%Y%m%dT%H%M%SZ}.csv", mime="text/csv",
            icon=":material/download:", on_click="ignore", disabled=not count, key="ai_csv",
            help="All that match, without prompts, times in UTC",
        )  # fmt: skip
        if is_narrowed(chosen):
            st.button("Clear filters", on_click=clear_filters, key="ai_clear")
        if count > PAGE_SIZE:
            page = st.pagination(
                math.ceil(count / PAGE_SIZE), width=340, key="page", bind="query-params"
            )
    _live_page(panel, chosen.model_copy(update={"offset": (page - 1) * PAGE_SIZE}))


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
            if is_narrowed(asked)
            else "No model was asked yet. Give a bot an advisor or a decider under Strategy of its"
            " form, or try one under Prompt: a dry run opens nothing."
        )
        return
    found = st.dataframe(
        records_table(lines, COLUMNS), hide_index=True, row_height=ROW_PX, placeholder=NONE,
        height=min(ROW_PX * (len(lines) + 1) + 3, MOST_PX), on_select="rerun",
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


def _pick(label: str, key: str, options: Sequence[str], *, is_open: bool = False) -> str | None:
    return st.selectbox(
        label, options, index=None, key=key, placeholder="All", width=140, bind="query-params",
        accept_new_options=is_open, on_change=first_page,
        format_func=lambda one: one.replace("_", " "),
    )  # fmt: skip


def _day(label: str, key: str) -> date | None:
    return st.date_input(
        label, value=None, key=key, format="YYYY-MM-DD", on_change=first_page, width=140,
        bind="query-params",
    )  # fmt: skip


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
