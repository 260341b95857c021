"""How good models were and what they cost: accuracy, calibration, costs, what was held back."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import streamlit as st

from engine.contracts import BotView
from engine.contracts.ai import (
    Accuracy,
    AdviceFilter,
    AdviceLine,
    AiSummary,
    AiSummaryFilter,
    CostLine,
    HeldBack,
)
from panel import filters
from panel.ai_charts import calibration_figure, cost_figure, held_back_figure, held_back_lines
from panel.ai_words import FEW, dollars, latency_words, state_words
from panel.facade import ControlPanel
from panel.figures import Figure, draw_figures
from panel.format import NONE, escape, money, now, percent
from panel.markup import gain_html
from panel.record_tables import Column, draw_records
from panel.session import is_dark

PERIODS = {"7 days": 7, "30 days": 30, "90 days": 90, "All": 0}
CHART: dict[str, Any] = {"displayModeBar": False, "scrollZoom": False}

COST_COLUMNS: tuple[Column[CostLine], ...] = (
    Column("Name", lambda one: one.name),
    Column("Calls", lambda one: one.calls),
    Column("Tokens in", lambda one: one.tokens_in, lambda value: f"{value:,}"),
    Column("Tokens out", lambda one: one.tokens_out, lambda value: f"{value:,}"),
    Column("Cost", lambda one: dollars(one.cost)),
)
HELD_COLUMNS: tuple[Column[HeldBack], ...] = (
    Column("Bot", lambda one: one.bot_name),
    Column("Quote", lambda one: one.quote),
    Column("Held back", lambda one: one.vetoed),
    Column("Reduced", lambda one: one.reduced),
    Column("Would have made", lambda one: float(one.value), quote=lambda one: one.quote,
           is_gain=True),
    Column("Each", lambda one: None if one.mean is None else float(one.mean),
           quote=lambda one: one.quote, is_gain=True),
    Column("Waiting", lambda one: one.waiting),
    Column("Unknown", lambda one: one.unknown),
)  # fmt: skip


def draw_figures_view(panel: ControlPanel) -> None:
    """Of which bot and time; then each part."""
    bots = panel.bots()
    chosen = _choose(bots)
    summary = panel.ai_summary(chosen)
    if not summary.count:
        st.info("No model was asked in this time. Figures come with the first answers.")
        return
    wanted = AdviceFilter(bot=chosen.bot, since=chosen.since)
    lines, count = panel.advice_lines(wanted)
    _draw_accuracy(summary)
    _draw_costs(summary, lines)
    _draw_held_back(summary, lines, bots)
    if count > len(lines):
        st.caption(f"The charts by day show the newest {len(lines):,} of {count:,} questions.")


def _choose(bots: Sequence[BotView]) -> AiSummaryFilter:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        bot = filters.pick("Bot", "of", sorted(one.config.name for one in bots))
        period = st.segmented_control(
            "Time", list(PERIODS), default="30 days", required=True, key="time",
            bind="query-params",
        )  # fmt: skip
    days = PERIODS[period]
    return AiSummaryFilter(bot=bot, since=_days_ago(days) if days else None)


def _days_ago(days: int) -> datetime:
    """To the hour, so that two requests of one page are of the same time."""
    return (now() - timedelta(days=days)).replace(minute=0, second=0, microsecond=0)


# --- right or wrong
def _draw_accuracy(summary: AiSummary) -> None:
    st.subheader("Right or wrong", anchor=False)
    found = summary.calibration.accuracy
    failed = {state: count for state, count in summary.states.items() if state != "answered"}
    draw_figures(
        (
            Figure("Asked", f"{summary.count:,}"),
            Figure("Came true", share_words(found)),
            Figure("Between", interval_words(found)),
            Figure("Not known yet", f"{summary.waiting:,}"),
            Figure("Brier score", _score(summary.calibration.brier)),
            Figure("Off by", percent(summary.calibration.error)),
            Figure("Latency p50", latency_words(summary.latency_p50_s)),
            Figure("Latency p99", latency_words(summary.latency_p99_s)),
        )
    )
    if failed:
        told = ", ".join(f"{count:,} {state_words(state)}" for state, count in failed.items())
        st.caption(f"Without an answer of use: {told}. Each counts as HOLD.")
    if not found.count:
        st.info("No answer can be judged yet: one is right or wrong once its horizon is over.")
        return
    if found.count < FEW:
        st.warning(
            f"{found.count} answers say little: from some {FEW} on the interval begins to mean"
            " something.", icon=":material/info:",
        )  # fmt: skip
    st.plotly_chart(
        calibration_figure(summary.calibration, is_dark=is_dark()), key="ai_calibration",
        config=CHART, height=330,
    )  # fmt: skip
    st.caption(
        "How often answers of a confidence came true, with Wilson's 95 % interval; the number is"
        " how many they were. Below the dotted line a model is surer than it should be. A Brier"
        " score of 0.25 is what always saying 50 % earns; lower is better."
    )


def share_words(found: Accuracy) -> str:
    """``60.00 % (12 of 20)``."""
    if found.share is None:
        return NONE
    return f"{percent(found.share)} ({found.right:,} of {found.count:,})"


def interval_words(found: Accuracy) -> str:
    """Between what the share lies."""
    if found.interval is None:
        return NONE
    return f"{100 * found.interval.low:.0f} and {100 * found.interval.high:.0f} %"


def _score(value: float | None) -> str:
    return NONE if value is None else f"{value:.3f}"


# --- costs
def _draw_costs(summary: AiSummary, lines: Sequence[AdviceLine]) -> None:
    costs = summary.costs
    st.subheader("Costs", anchor=False)
    draw_figures(
        (
            Figure("Today (UTC)", dollars(costs.today)),
            Figure("7 days", dollars(costs.week)),
            Figure("30 days", dollars(costs.month)),
        )
    )
    if any(line.cost for line in lines):
        st.plotly_chart(
            cost_figure(lines, is_dark=is_dark()), key="ai_costs", config=CHART, height=240
        )
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("**By bot**")
        draw_records(costs.by_bot, COST_COLUMNS, key="ai_cost_bots")
    with right:
        st.markdown("**By model**")
        draw_records(costs.by_model, COST_COLUMNS, key="ai_cost_models")
    st.caption(
        "In US dollars, by the tokens that were told and the prices of the settings; dry runs and"
        " repeated questions are in it. Your provider's bill is what counts."
    )


# --- what was held back
def _draw_held_back(
    summary: AiSummary, lines: Sequence[AdviceLine], bots: Sequence[BotView]
) -> None:
    st.subheader("What holding back was worth", anchor=False)
    if not summary.held_back:
        st.caption("No entry was held back or made smaller in this time.")
        return
    quotes = quotes_of(lines, bots)
    for one in summary.held_back:
        draw_figures(
            (
                Figure(f"Held back, {one.quote or 'asset unknown'}", f"{one.vetoed:,}"),
                Figure("Reduced", f"{one.reduced:,}"),
                Figure("Would have made", html=gain_html(one.value, one.quote)),
                Figure("Each, on average", money(one.mean, one.quote, is_signed=True)),
                Figure(f"Let through, {one.passed:,} trades",
                       html=gain_html(one.passed_value, one.quote)),
                Figure("Not judged", f"{one.waiting:,} waiting, {one.unknown:,} unknown"),
            )
        )  # fmt: skip
        st.caption(escape(veto_words(one)))
        shown = len(held_back_lines(lines, quotes, one.quote))
        if shown > 1:
            st.plotly_chart(
                held_back_figure(lines, quotes, one.quote, is_dark=is_dark()),
                key=f"ai_held_{one.quote}", config=CHART, height=240,
            )  # fmt: skip
            if shown < judged_of(one):
                st.caption(f"The chart has the newest {shown:,} of {judged_of(one):,}.")
    st.caption(
        "Hypothetical: what the entries would have made by the bot's own exits on the candles that"
        " came, at its fees, each on its own. An order that was never sent moved no price, and"
        " later entries might have gone otherwise."
    )
    if len(summary.held_back_by_bot) > 1:
        draw_records(summary.held_back_by_bot, HELD_COLUMNS, key="ai_held_bots")


def veto_words(one: HeldBack) -> str:
    """What the sum says about the model."""
    judged = judged_of(one)
    if not one.vetoed + one.reduced:
        return "No entry was held back."
    if judged <= 0:
        return "None of them can be judged yet."
    amount = money(abs(one.value), one.quote)
    few = f" {judged} are few: it may be chance." if judged < FEW else ""
    if one.value < 0:
        return f"Holding back has saved about {amount}.{few}"
    if one.value > 0:
        return f"Holding back has cost about {amount} of gains that were missed.{few}"
    return f"Holding back has neither saved nor cost anything.{few}"


def judged_of(one: HeldBack) -> int:
    """Of how many it is known what they would have made."""
    return one.vetoed + one.reduced - one.waiting - one.unknown


def quotes_of(lines: Sequence[AdviceLine], bots: Sequence[BotView]) -> Mapping[str, str]:
    """The quote asset of each row, by its id: the bot's, or what stands behind the symbol's
    slash; rows of bots that are gone and whose symbol does not say are left out."""
    known = {bot.id: (bot.config.symbol, bot.quote) for bot in bots}
    found = {}
    for line in lines:
        symbol, quote = known.get(line.bot_id, ("", ""))
        found[line.id] = quote if symbol == line.symbol else line.symbol.partition("/")[2]
    return {line_id: quote for line_id, quote in found.items() if quote}
