"""Open findings as cards, the dialog in which a person decides about one, and the past ones."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from engine.contracts import AccountReport, Finding, FindingFilter, FindingState, Resolution
from panel.asked import ask, forget, forgetter
from panel.commands import attempt
from panel.facade import ControlPanel
from panel.finding_words import DECISIONS, KINDS, OUTCOMES, adopters, choices, needs_bot
from panel.format import NONE, moment
from panel.format import escape as markdown_escape
from panel.record_tables import Column, draw_records

FEW = 6
"""Findings that are drawn at once; more only when asked for."""

MOST_PAST = 500
DECIDING = "finding"
WAY, BOT = "finding_way", "finding_bot"

PAST_COLUMNS: tuple[Column[Finding], ...] = (
    Column("Decided (UTC)", lambda one: one.last_seen, moment),
    Column("Outcome", lambda one: OUTCOMES[one.state]),
    Column("By", lambda one: one.resolved_by or NONE),
    Column("Account", lambda one: one.account_id),
    Column("Found", lambda one: KINDS[one.kind]),
    Column("Detail", lambda one: one.detail),
    Column("Books", lambda one: one.books or NONE),
    Column("Venue", lambda one: one.venue or NONE),
    Column("First seen (UTC)", lambda one: one.first_seen, moment),
)


def draw_findings(report: AccountReport) -> None:
    """The account's open findings, those that block first; a button each to decide."""
    findings = report.findings
    if not findings:
        return
    blocking = sum(one.is_blocking for one in findings)
    words = f"entries are stopped by {blocking}" if blocking else "entries go on"
    st.markdown(f"**To decide** ({len(findings)}; {words})")
    is_all = len(findings) <= FEW or st.session_state.get(_all_key(report), False)
    for finding in findings if is_all else findings[:FEW]:
        _draw_card(finding)
    if len(findings) > FEW:
        st.toggle(f"Show all {len(findings)}", key=_all_key(report))


def _all_key(report: AccountReport) -> str:
    return f"all-findings-{report.account_id}"


def _draw_card(finding: Finding) -> None:
    with st.container(
        border=True, key=f"qd-finding-{finding.id}", horizontal=True, vertical_alignment="center"
    ):
        st.html(finding_html(finding))
        st.button(
            "Decide", key=f"decide-{finding.id}", on_click=ask, args=(DECIDING, finding.id),
            icon=":material/gavel:",
        )  # fmt: skip


def finding_html(finding: Finding) -> str:
    """What was found, both sides, and since when."""
    kind = f'<span class="qd-state qd-{"red" if finding.is_blocking else "blue"}">'
    kind += f"{escape(KINDS[finding.kind])}</span>"
    effect = "stops entries" if finding.is_blocking else "entries go on"
    sides = "".join(
        f"<span>{name} <b>{escape(text)}</b></span>"
        for name, text in (("books", finding.books), ("venue", finding.venue))
        if text
    )
    return (
        f'<div class="qd-finding"><div class="qd-statusline">{kind}'
        f'<span class="qd-quiet">{effect} · since {moment(finding.first_seen)} UTC</span></div>'
        f'<div>{escape(finding.detail)}</div><div class="qd-sides">{sides}</div></div>'
    )


@st.dialog("Decide", width="medium", on_dismiss=forgetter(DECIDING))
def decide_dialog(panel: ControlPanel, report: AccountReport, finding: Finding) -> None:
    """What can be done about a finding, what each choice does, and the confirmation."""
    st.html(finding_html(finding))
    ways = choices(finding)
    way = st.radio(
        "What should happen?", list(ways), format_func=DECISIONS.__getitem__,
        captions=list(ways.values()), index=None, key=WAY,
    )  # fmt: skip
    bots = {bot.id: bot for bot in adopters(finding, report.bots)}
    is_for_bot = way is Resolution.ADOPT and needs_bot(finding)
    bot_id = None
    if is_for_bot:
        bot_id = st.selectbox(
            "Bot that adopts it", list(bots), key=BOT, index=0 if bots else None,
            format_func=lambda key: f"{bots[key].name} ({bots[key].symbol})",
            placeholder="No bot trades this symbol on this account", disabled=not bots,
        )  # fmt: skip
    is_ready = way is not None and not (is_for_bot and bot_id is None)
    label = f"{DECISIONS[way]} it" if way is not None else "Choose first"
    if st.button(
        label, type="primary", key="finding_confirm", disabled=not is_ready,
        on_click=_resolve, args=(panel, finding, bot_id),
    ):  # fmt: skip
        st.rerun()


def _resolve(panel: ControlPanel, finding: Finding, bot_id: str | None) -> None:
    way = Resolution(st.session_state[WAY])
    forget(DECIDING)
    attempt(
        lambda: panel.resolve_finding(finding.id, way, bot_id=bot_id),
        f"The finding is {OUTCOMES[_ENDED[way]]}.",
    )


_ENDED = {
    Resolution.ADOPT: FindingState.ADOPTED,
    Resolution.IGNORE: FindingState.IGNORED,
    Resolution.CLOSE: FindingState.CLOSED,
}


def draw_past(panel: ControlPanel) -> None:
    """What was decided about findings, or went away."""
    findings = panel.findings(FindingFilter(limit=MOST_PAST))
    past: Sequence[Finding] = [one for one in findings if one.state is not FindingState.OPEN]
    if not past:
        st.caption("No finding has been decided yet.")
        return
    draw_records(past, PAST_COLUMNS, key="past_findings")


def warn_gone() -> None:
    """Say that the finding asked about is not open any more."""
    forget(DECIDING)
    st.toast(markdown_escape("That finding is not open any more."), icon=":material/info:")
