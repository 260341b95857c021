"""The Reconcile page: each account's two sides by asset, its health, and what is to decide."""

from collections.abc import Sequence
from decimal import Decimal
from html import escape

import pandas as pd
import streamlit as st

from engine.contracts import AccountHealth, AccountReport, AssetRow
from panel.asked import asked, open_soon, settled
from panel.base_words import worth_words
from panel.commands import attempt, show_outcomes
from panel.facade import ControlPanel, PanelError
from panel.finding_words import HEALTH
from panel.findings_view import DECIDING, decide_dialog, draw_findings, warn_gone
from panel.format import NONE, ago, now
from panel.format import escape as markdown_escape
from panel.layout import show_error
from panel.live import REFRESH_S, latest, show_staleness
from panel.modes import mode_html
from panel.palette import DOWN
from panel.record_tables import ROW_PX, Column, records_table, table_px

OLD_CHECK_S = 900.0
"""A check older than this is no news of an account's health any more."""

MOST_PX = 480
VENUE_UNKNOWN = frozenset({AccountHealth.UNREACHABLE, AccountHealth.DENIED})


def exact(value: float | None) -> str:
    """An amount with every digit it has, in groups of three: rounding would hide a difference."""
    if value is None or pd.isna(value):
        return NONE
    number = Decimal(repr(value))
    sign = "\u2212" if number < 0 else ""
    whole, _, decimals = f"{abs(number):,f}".partition(".")
    decimals = decimals.rstrip("0")
    return f"{sign}{whole}{f'.{decimals}' if decimals else ''}"


def _difference(value: float | None) -> str:
    return f"+{exact(value)}" if value is not None and value > 0 else exact(value)


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


ASSET_COLUMNS: tuple[Column[AssetRow], ...] = (
    Column("Asset", lambda one: one.asset),
    Column("Books", lambda one: float(one.books), exact),
    Column("Venue", lambda one: _number(one.venue), exact),
    Column("Difference", lambda one: _number(one.difference), _difference),
    Column("Owned by bots", lambda one: float(one.owned), exact),
    Column("In entries", lambda one: float(one.reserved), exact),
    Column("Unassigned", lambda one: float(one.unassigned), exact),
    Column("Dust", lambda one: float(one.dust), exact),
)


def open_asked_dialog(panel: ControlPanel) -> None:
    """Open the dialog of the finding whose button was pressed, until it is decided."""
    settled()
    finding_id = asked(DECIDING)
    if finding_id is None:
        return
    for report in panel.account_reports():
        for finding in report.findings:
            if finding.id == finding_id:
                decide_dialog(panel, report, finding)
                return
    warn_gone()


@st.fragment(run_every=REFRESH_S)
def draw_live(panel: ControlPanel) -> None:
    """Every account as of its last check, those that need a person first."""
    show_outcomes()
    open_soon()
    try:
        snapshot = latest("reconcile", panel.account_reports)
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    if not snapshot.value:
        st.info("No account is in use yet: a bot's first start opens one.")
        st.page_link("pages/create.py", label="Create a bot", icon=":material/add_circle:")
        return
    for report in sorted(snapshot.value, key=_urgency):
        with st.container(border=True, key=f"qd-account-{report.account_id}", gap="small"):
            _draw_account(panel, report)


def _urgency(report: AccountReport) -> tuple[bool, bool, str]:
    """What needs a person first, then what is not known to be right."""
    return not report.findings, report.health is AccountHealth.CLEAN, report.account_id


def _draw_account(panel: ControlPanel, report: AccountReport) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.html(head_html(report))
        st.button(
            "Check now", icon=":material/sync:", key=f"check-{report.account_id}",
            on_click=_check, args=(panel, report),
        )  # fmt: skip
    if report.objection:
        st.error(
            f"No entries on this account: {markdown_escape(report.objection.rstrip('.'))}."
            " Exits and stops go on.",
            icon=":material/block:",
        )
    if report.detail and report.health in VENUE_UNKNOWN:
        st.warning(
            f"The two sides could not be compared: {markdown_escape(report.detail)}",
            icon=":material/cloud_off:",
        )
    draw_findings(report)
    _draw_assets(report)


def head_html(report: AccountReport) -> str:
    """The account, its mode, its health and how old that is. An old check is never green."""
    words, colour = HEALTH[report.health]
    age_s = (now() - report.checked_at).total_seconds() if report.checked_at else None
    if age_s is None:
        checked, words, colour = "not checked since the engine knows it", *_unchecked(report)
    else:
        checked = f"checked {ago(report.checked_at, now())}"
        if age_s > OLD_CHECK_S and colour == "green":
            words, colour = "not checked for long", "orange"
    names = ", ".join(bot.name for bot in report.bots[:4])
    more = f" and {len(report.bots) - 4} more" if len(report.bots) > 4 else ""
    bots = f"{names}{more}" if names else "no bot"
    if report.account_name:
        bots = f"{bots} · {report.account_id}"
    return (
        f'<div class="qd-account"><b>{escape(_title(report))}</b>'
        f"{mode_html(report.mode)}"
        f'<span class="qd-state qd-{colour}">{escape(words)}</span>'
        f'<span class="qd-quiet">{escape(checked)} · {escape(bots)}</span></div>'
    )


def _title(report: AccountReport) -> str:
    """What a person calls it, where it was added by hand."""
    return report.account_name or report.account_id


def _unchecked(report: AccountReport) -> tuple[str, str]:
    """Words and colour without a check: whatever else is said, it is not known to be right."""
    return HEALTH[AccountHealth.UNCHECKED if report.health is AccountHealth.CLEAN
                  else report.health]  # fmt: skip


def _draw_assets(report: AccountReport) -> None:
    if not report.assets:
        st.caption("Nothing is known of this account's assets yet.")
        return
    st.caption(assets_words(report.assets))
    if report.worth is not None:
        st.caption(worth_words(report.worth))
    style = records_table(sort_assets(report.assets), ASSET_COLUMNS)
    style = style.map(_mark_difference, subset=["Difference"])
    st.dataframe(
        style, hide_index=True, row_height=ROW_PX, placeholder=NONE,
        height=table_px(len(report.assets), MOST_PX),
        key=f"assets-{report.account_id}",
        column_config={"Asset": st.column_config.TextColumn(pinned=True)},
    )  # fmt: skip


def sort_assets(rows: Sequence[AssetRow]) -> list[AssetRow]:
    """Those that differ first, then by name."""
    return sorted(rows, key=lambda row: (not row.difference, row.asset))


def assets_words(rows: Sequence[AssetRow]) -> str:
    """How many assets agree; what was not compared is said to be so."""
    unknown = sum(row.difference is None for row in rows)
    apart = sum(bool(row.difference) for row in rows)
    total = f"{len(rows)} asset{'' if len(rows) == 1 else 's'}"
    if unknown:
        return f"{unknown} of {total} not compared: the venue's side is not known."
    if apart:
        return f"{apart} of {total} differ{'s' if apart == 1 else ''}."
    return f"{total}, all equal to the last digit."


def _mark_difference(value: object) -> str:
    return f"color: {DOWN}; font-weight: 600" if isinstance(value, float) and value else ""


def _check(panel: ControlPanel, report: AccountReport) -> None:
    attempt(
        lambda: panel.check_account(report.account_id),
        f"{_title(report)} was compared with its venue.",
    )
