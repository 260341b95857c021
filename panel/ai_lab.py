"""The prompt editor: a bot's instructions, tried on its real candles, and saved to it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from engine.contracts import BotView, ErrorDetail
from engine.contracts.ai import AiRole, DryRunView
from panel.ai_draft import AI_DEFAULTS, OFF, ROLES, ai_body, ai_draft
from panel.ai_form import ROLE_HELP, draw_ai_fields
from panel.ai_opened import draw_advice
from panel.bot_commands import AT_REST
from panel.commands import attempt
from panel.drafts import Draft
from panel.facade import ControlPanel, EngineRefused, PanelError
from panel.format import escape, moment, state_of
from panel.session import control_panel

LAB = Draft("ailab_", AI_DEFAULTS)
RESULT, REFUSAL = "ailab:result", "ailab:refusal"
SIDES = {"long": "Long", "short": "Short"}
Lines = tuple[str, DryRunView]


def draw_lab(panel: ControlPanel, *, is_back: bool) -> None:
    """Which bot; its instructions; what would come of them. ``is_back``: something else was drawn
    here the last time."""
    bots = panel.bots()
    if not bots:
        st.info("There is no bot yet. A prompt is tried on the candles of a bot.")
        st.page_link("pages/create.py", label="Create a bot", icon=":material/add_circle:")
        return
    names = sorted((one.config.name for one in bots), key=str.casefold)
    chosen = st.selectbox("Bot", names, key="for", width=320, bind="query-params")
    bot = next((one for one in bots if one.config.name == chosen), None)
    if bot is None:
        st.error("Choose a bot of the list.")
        return
    _load(bot)
    if is_back:
        LAB.refill()
    left, right = st.columns([1, 1.15], gap="medium")
    with left:
        slots = _draw_form(bot)
    with right:
        _draw_result(bot, slots)
    LAB.keep()


def _load(bot: BotView) -> None:
    """The bot's own settings; an advisor's where it has no model."""
    values = ai_draft(bot.config)
    if values["ai_role"] == OFF:
        values["ai_role"] = AiRole.ADVISOR.value
    LAB.load(f"{bot.id}:{bot.config.ai}", values)


def _draw_form(bot: BotView) -> dict[str, Any]:
    slots: dict[str, Any] = {}

    def slot(field: str) -> None:
        slots[field] = st.empty()

    with st.container(border=True):
        role = st.segmented_control(
            "What it is to the bot", [one for one in ROLES if one != OFF], required=True,
            key=LAB.key("ai_role"), format_func=lambda name: ROLES[name], help=ROLE_HELP,
        )  # fmt: skip
        slot("ai.role")
        draw_ai_fields(LAB.key, slot, role or AiRole.ADVISOR.value)
        side = "long"
        if role == AiRole.ADVISOR.value:
            side = st.segmented_control(
                "Entry to judge", list(SIDES), default="long", required=True, key="lab_side",
                format_func=lambda one: SIDES[one],
                help="Where the strategy itself wants none at this moment",
            )  # fmt: skip
        at = st.datetime_input(
            "As of (UTC)", value=None, key="lab_at", width=240, format="YYYY-MM-DD",
            help="The last candle that had closed by then; empty: the newest",
        )  # fmt: skip
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button("Dry run", type="primary", icon=":material/science:", key="lab_run"):
                with st.spinner("The model is asked…"):
                    _run(bot, side, at)
            is_at_rest = state_of(bot) in AT_REST
            st.button(
                "Save to the bot", icon=":material/save:", key="lab_save", on_click=_save,
                args=(bot.id,), disabled=not is_at_rest,
            )  # fmt: skip
        st.caption(
            "A dry run asks the model about the bot's real candles. It costs as any other question,"
            " and nothing follows from it."
        )
        if not is_at_rest:
            st.caption(
                f":orange[{escape(bot.config.name)} is {state_of(bot)}: a bot is changed only while"
                " it is stopped.]"
            )
    return slots


def _draft() -> Mapping[str, Any]:
    return {name: st.session_state.get(LAB.key(name), value) for name, value in AI_DEFAULTS.items()}


def _run(bot: BotView, side: str, at: datetime | None) -> None:
    """Ask, and keep what came."""
    moment_of = None if at is None else at.replace(tzinfo=UTC).isoformat()
    body = {"bot": bot.id, "side": side, "at": moment_of, **ai_body(_draft())}
    st.session_state.pop(RESULT, None)
    st.session_state.pop(REFUSAL, None)
    try:
        st.session_state[RESULT] = (bot.id, control_panel().dry_run(body))
    except PanelError as error:
        details = error.details if isinstance(error, EngineRefused) else ()
        st.session_state[REFUSAL] = (bot.id, error.message, details)


def _save(bot_id: str) -> None:
    """Through the bot's normal edit; a callback."""
    panel = control_panel()

    def save() -> None:
        bot = panel.bot(bot_id)
        panel.update_bot(bot_id, bot.config.model_dump(mode="json") | ai_body(_draft()))

    attempt(save, "Saved to the bot.")


def _draw_result(bot: BotView, slots: Mapping[str, Any]) -> None:
    """What came of the last dry run with this bot."""
    refused = st.session_state.get(REFUSAL)
    if refused and refused[0] == bot.id:
        st.error(escape(refused[1]), icon=":material/error:")
        _show_errors(refused[2], slots)
        return
    kept: Lines | None = st.session_state.get(RESULT)
    if kept is None or kept[0] != bot.id:
        st.info("What is asked, what the model says and what would follow is shown here.")
        return
    found = kept[1]
    supposed = " The entry that it judged is only supposed." if found.is_supposed else ""
    st.markdown(
        f"On the candle that closed {escape(moment(found.closed_at))} UTC the strategy wanted:"
        f" {escape(found.wanted)}.{supposed} **Nothing was done.**"
    )
    draw_advice(found.advice, found.quote)


def _show_errors(details: Sequence[ErrorDetail], slots: Mapping[str, Any]) -> None:
    for detail in details:
        place = slots.get(detail.field)
        if place is not None:
            place.markdown(f":red[:material/error: {escape(detail.message)}]")
