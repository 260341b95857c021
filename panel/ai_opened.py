"""One question to a model, whole: what was asked, what it said, what was made of it, what came."""

from html import escape as escape_html

import streamlit as st

from engine.contracts.ai import Advice, AdviceLine, AdvicePurpose, AdviceView, CounselVerdict
from panel.ai_words import (
    ACTION_COLOURS,
    PURPOSES,
    STATE_COLOURS,
    VERDICT_COLOURS,
    VERDICTS,
    dollars,
    latency_words,
    line_outcome,
    move_words,
    outcome_words,
    state_words,
)
from panel.commands import attempt
from panel.facade import ControlPanel
from panel.figures import Figure, draw_figures
from panel.format import NONE, escape, moment, money, percent, price
from panel.markup import pairs_html
from panel.record_tables import Column, draw_records
from panel.session import control_panel

TEXT_PX = 420
REPLAYED = "ai:replayed"

REPLAY_COLUMNS: tuple[Column[AdviceLine], ...] = (
    Column("Asked (UTC)", lambda one: f"{one.asked_at:%Y-%m-%d %H:%M:%S}"),
    Column("State", lambda one: state_words(one.state)),
    Column("Answer", lambda one: one.decision.action.value if one.decision else ""),
    Column("Confidence", lambda one: one.decision.confidence if one.decision else None, percent),
    Column("Came true", line_outcome),
    Column("Model", lambda one: one.model),
    Column("Because", lambda one: one.error or one.verdict_reason),
)


def draw_opened(panel: ControlPanel, advice_id: str) -> None:
    """The one of the address, with a way back."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("All decisions", icon=":material/arrow_back:", key="ai_back"):
            del st.query_params["advice"]
            st.rerun()
        view = panel.advice(advice_id)
        st.button(
            "Ask again", icon=":material/replay:", key="ai_replay", on_click=_replay,
            args=(advice_id,),
            help="The same question to the model of the settings. It costs as any other, and"
            " nothing follows from it.",
        )  # fmt: skip
    advice = view.advice
    st.subheader(
        f"{escape(advice.bot_name)}, {escape(advice.symbol)}: {PURPOSES[advice.purpose]}",
        anchor=False,
    )
    draw_advice(advice, view.quote)
    _draw_replays(view)


def _replay(advice_id: str) -> None:
    """A callback."""
    attempt(lambda: control_panel().replay_advice(advice_id), "The model was asked once more.")


def draw_advice(advice: Advice, quote: str) -> None:
    """Figures, what followed, and the texts as they were sent and came."""
    draw_figures(advice_figures(advice))
    if advice.error:
        st.warning(
            f"{escape(advice.error)} Nothing is opened on such an answer.",
            icon=":material/error:",
        )
    st.html(followed_html(advice, quote))
    answer, raw, prompt, system = st.tabs(["Reasoning", "Answer as it came", "Prompt", "Rules"])
    with answer:
        if advice.decision is None:
            st.info("There is no decision: the answer was none, or not of the form asked for.")
        else:
            st.caption("In the model's own words, which nobody has checked.")
            st.html(f'<p class="qd-said">{escape_html(advice.decision.reasoning)}</p>')
    with raw:
        _text(advice.answer, "The model said nothing.")
    with prompt:
        _text(advice.prompt, "Nothing was sent.")
    with system:
        _text(advice.system, "No rules were kept.")


def advice_figures(advice: Advice) -> tuple[Figure, ...]:
    """The strip of figures."""
    decision, verdict = advice.decision, advice.counsel.verdict if advice.counsel else None
    return (
        Figure("Answer", html=_badge(decision.action.value, ACTION_COLOURS[decision.action])
               if decision else NONE),
        Figure("Confidence", percent(decision.confidence) if decision else NONE),
        Figure("Risk", decision.risk_level.value if decision else NONE),
        Figure("State", html=_badge(state_words(advice.state), STATE_COLOURS[advice.state])),
        Figure("Made of it", html=_badge(VERDICTS[verdict], VERDICT_COLOURS[verdict])
               if verdict else NONE),
        Figure("Came true", outcome_words(
            advice.outcome, is_waiting=advice.outcome_due_at is not None)),
        Figure("Took", latency_words(advice.latency_s)),
        Figure("Cost", dollars(advice.cost, 6)),
    )  # fmt: skip


def followed_html(advice: Advice, quote: str) -> str:
    """The question's circumstances and what followed, as a list. All text is escaped."""
    rows = [
        ("Asked", f"{moment(advice.asked_at)} UTC, {advice.provider} {advice.model}"),
        ("About", f"{advice.symbol} on {advice.market}, {advice.timeframe} candle of"
         f" {moment(advice.candle_time)} UTC, price {price(advice.price)} {quote}".rstrip()),
        ("Tokens", f"{advice.tokens_in:,} in, {advice.tokens_out:,} out"),
        *_proposal_rows(advice, quote),
        *_decision_rows(advice),
        *_counsel_rows(advice),
        *_outcome_rows(advice, quote),
    ]  # fmt: skip
    if advice.replay_of:
        rows.append(("Asked again", f"of {advice.replay_of}; nothing follows from it"))
    return pairs_html(rows)


def _proposal_rows(advice: Advice, quote: str) -> list[tuple[str, str]]:
    one = advice.proposal
    if one is None:
        return []
    levels = f"stop {price(one.stop_price)}, target {price(one.target_price)}"
    why = f" ({one.reason})" if one.reason else ""
    return [("The entry", f"{one.side.value}, {money(one.amount, quote)}, {levels}{why}")]


def _decision_rows(advice: Advice) -> list[tuple[str, str]]:
    one = advice.decision
    if one is None:
        return []
    return [(
        "It wanted",
        f"{one.action.value}, stop {price(one.stop)}, target {price(one.target)},"
        f" {percent(one.size)} of the size, over {one.horizon_minutes:,} min",
    )]  # fmt: skip


def _counsel_rows(advice: Advice) -> list[tuple[str, str]]:
    one = advice.counsel
    if one is None:
        return []
    size = f", {percent(one.size)} of the size" if one.verdict is CounselVerdict.REDUCE else ""
    levels = "".join(
        f", {name} {price(level)}"
        for name, level in (("stop", one.stop_price), ("target", one.target_price))
        if level is not None
    )
    is_real = advice.purpose in (AdvicePurpose.DECIDE, AdvicePurpose.REVIEW)
    title = "What followed" if is_real else "What would follow"
    return [(title, f"{VERDICTS[one.verdict]}{size}{levels}: {one.reason}")]


def _outcome_rows(advice: Advice, quote: str) -> list[tuple[str, str]]:
    one = advice.outcome
    if one is None:
        due = advice.outcome_due_at
        return [("Afterwards", f"known after {moment(due)} UTC")] if due else []
    parts = [f"the price went {move_words(one)} in its direction"] if one.move is not None else []
    if one.value is not None:
        supposed = "would have made" if one.is_hypothetical else "made"
        parts.append(f"the entry {supposed} {money(one.value, quote, is_signed=True)}")
    parts += [one.detail] if one.detail else []
    return [("Afterwards", "; ".join(parts) or NONE)]


def _draw_replays(view: AdviceView) -> None:
    if view.replays:
        st.markdown("**Asked again**")
        draw_records(view.replays, REPLAY_COLUMNS, key="ai_replays")


def _text(text: str, empty: str) -> None:
    """Text as it is: nothing in it is read as markup."""
    if not text:
        st.caption(empty)
        return
    lines = text.count("\n") + len(text) // 90
    st.code(text, language=None, wrap_lines=True, height=TEXT_PX if lines > 18 else "content")


def _badge(words: str, colour: str) -> str:
    return f'<span class="qd-state qd-{colour}">{escape_html(words)}</span>'
