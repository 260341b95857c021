"""The part of the bot form about a model, and what the review says of it."""

from collections.abc import Callable, Mapping
from html import escape as escape_html
from typing import Any

import streamlit as st

from engine.contracts.ai import AiRole, AiStatus
from panel.ai_draft import OFF, ROLES, may_and_may_not, questions_a_day
from panel.ai_words import budget_words
from panel.bot_form import BotForm
from panel.facade import ControlPanel, PanelError
from panel.format import escape
from panel.live import latest

LONGEST_INSTRUCTIONS = 4_000
ROLE_HELP = (
    "Off: no model is asked. Advisor: it judges the entries that the strategy or a signal wants;"
    " it may hold back, reduce or set levels. Decider: it alone opens positions, the strategy's"
    " numbers are shown to it, and the strategy's exits hold all the same."
)

Slot = Callable[[str], object]


def draw_ai(form: BotForm) -> None:
    """Whether a model has a say, and which; the rest only where it has one."""
    role = draw_role(form.key)
    form.slot("ai", "ai.role")
    if role != OFF:
        draw_ai_fields(form.key, form.slot, role)


def draw_role(key: Callable[[str], str]) -> str:
    """What the model is to the bot."""
    chosen = st.segmented_control(
        "A model's say", list(ROLES), key=key("ai_role"), required=True,
        format_func=lambda name: ROLES[name], help=ROLE_HELP,
    )  # fmt: skip
    return chosen or OFF


def draw_ai_fields(key: Callable[[str], str], slot: Slot, role: str) -> None:
    """How it is asked. ``slot`` keeps a place for what is wrong with a field."""
    with st.grid(3, min_column_width=150, gap="small"):
        _number("Confidence threshold", 0.05, key("ai_confidence"), slot, "ai.min_confidence",
                "0 to 1; an answer that is less sure opens nothing")  # fmt: skip
        _number("Deadline (seconds)", 1.0, key("ai_deadline"), slot, "ai.deadline_s",
                "An answer that comes later opens nothing. Exits never wait for it.")  # fmt: skip
        _number("Candles shown", 1, key("ai_candles"), slot, "ai.candle_count",
                "The newest ones; more cost more")  # fmt: skip
        if role == AiRole.DECIDER.value:
            _number("Ask every (seconds)", 1, key("ai_every"), slot, "ai.ask_every_s",
                    "At most; 0: on every closed candle")  # fmt: skip
        with st.container(gap="xxsmall"):
            st.text_input(
                "Model", key=key("ai_model"), max_chars=100, placeholder="that of the settings"
            )
            slot("ai.model")
    with st.container(horizontal=True):
        st.checkbox("Show it news", key=key("ai_news"),
                    help="What is kept about the symbol, as data; see the AI page.")  # fmt: skip
        st.checkbox("It may set levels", key=key("ai_levels"),
                    help="A stop or a target nearer than the bot's own")  # fmt: skip
    slot("ai.has_news")
    st.text_area(
        "Instructions", key=key("ai_instructions"), max_chars=LONGEST_INSTRUCTIONS, height=110,
        placeholder="Yours to the model, in addition to what it is told anyway. For example:"
        " be careful around news of exchanges.",
    )  # fmt: skip
    slot("ai.instructions")


def _number(
    label: str, step: float, key: str, slot: Slot, field: str, help: str
) -> None:  # fmt: skip
    with st.container(gap="xxsmall"):
        is_whole = isinstance(step, int)
        st.number_input(label, step=step, format="%d" if is_whole else "%g", key=key, help=help)
        slot(field)


def draw_ai_review(panel: ControlPanel, draft: Mapping[str, Any]) -> None:
    """What the model may and may not do, what it may cost, and whether it can be asked at all."""
    if draft["ai_role"] == OFF:
        return
    may, never = may_and_may_not(draft)
    st.html(
        f'<div class="qd-review-ai"><b>The model may</b>{_list_html(may)}'
        f"<b>It never can</b>{_list_html(never)}</div>"
    )
    try:
        status = latest("ai:status", panel.ai_status).value
    except PanelError as error:
        st.caption(f":orange[The daily budget is not known now: {escape(error.message)}]")
        return
    st.caption(f"{escape(budget_words(status.budget))}; used up, nothing is opened.")
    asked = questions_a_day(draft)
    if asked is not None and asked > status.budget.calls_per_day:
        st.caption(
            f":orange[A decider of this bot is asked some {asked:,} times a day, more than the"
            f" {status.budget.calls_per_day:,} calls of the settings: give it longer candles or"
            " ask less often.]"
        )
    show_objection(status)


def show_objection(status: AiStatus) -> None:
    """Why no model can be asked now, and what to do; nothing when one can."""
    if status.objection:
        st.warning(
            f"{escape(status.objection)} Until then nothing is opened on a model's word.",
            icon=":material/cloud_off:",
        )


def _list_html(sentences: list[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape_html(one)}</li>' for one in sentences)}</ul>"
