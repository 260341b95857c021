"""The Diagnostics page: every check with what to do, and the bundle for a bug report."""

from collections.abc import Mapping, Sequence
from html import escape as escape_html
from itertools import groupby

import streamlit as st

from engine.contracts.diagnostics import Area, Check, DiagnosisView, Grade
from panel.account_words import check_html
from panel.facade import ControlPanel, PanelError
from panel.format import ago, escape, now
from panel.layout import show_error

FOUND = "diagnostics:found"
TITLES: Mapping[Area, str] = {
    Area.ENGINE: "Engine",
    Area.DATABASE: "Database",
    Area.MACHINE: "Machine",
    Area.STRATEGIES: "Strategies",
    Area.MARKETS: "Markets",
    Area.BROKERS: "Brokers",
    Area.CHANNELS: "Alert channels",
    Area.MODELS: "Models",
    Area.BACKUPS: "Backups",
}
WORDS: Mapping[Grade, str] = {
    Grade.FAILED: "failed", Grade.WARNING: "to look at", Grade.OK: "fine",
    Grade.UNKNOWN: "not told",
}  # fmt: skip


def draw_diagnostics(panel: ControlPanel) -> None:
    """A look at the first visit; another one, or a thorough one, at a button."""
    with st.container(horizontal=True, vertical_alignment="center"):
        again = st.button("Look again", icon=":material/refresh:")
        thorough = st.button(
            "Thorough look", icon=":material/network_check:", type="primary",
            help="Tests every account, asks every channel's provider and a time server, and reads"
            " the database's pages. Sends no message, places no order. May take a minute.",
        )  # fmt: skip
        st.download_button(
            "Bundle for a bug report", panel.bundle, file_name="quarterdeck-bundle.zip",
            mime="application/zip", icon=":material/folder_zip:", on_click="ignore",
            help="What is found, settings, bots, events, logs. Secrets, addresses and phone"
            " numbers are masked; read it before you send it.",
        )  # fmt: skip
    found = _found(panel, is_asked=again or thorough, is_deep=thorough)
    if found is not None:
        _draw(found)


def _found(panel: ControlPanel, *, is_asked: bool, is_deep: bool) -> DiagnosisView | None:
    """What this session's last look found; that of before, with the error, when a new one fails."""
    kept: DiagnosisView | None = st.session_state.get(FOUND)
    if kept is not None and not is_asked:
        return kept
    try:
        with st.spinner("Asking venues and providers …" if is_deep else "Looking …"):
            kept = panel.diagnose(is_deep=is_deep)
    except PanelError as error:
        show_error(error)
        return kept
    st.session_state[FOUND] = kept
    return kept


def _draw(view: DiagnosisView) -> None:
    found = view.diagnosis
    said = ", ".join(
        f"{view.counts[grade]} {WORDS[grade]}" for grade in WORDS if view.counts.get(grade)
    )
    kind = "Thorough look" if found.is_deep else "Look"
    summary = f"{said}. {kind} {ago(found.at, now())}."
    if view.worst is Grade.FAILED:
        st.error(f"Something has failed: {summary}", icon=":material/error:")
    elif view.worst is Grade.WARNING:
        st.warning(f"Nothing has failed: {summary}", icon=":material/warning:")
    else:
        st.success(f"All is well: {summary}", icon=":material/check_circle:")
    for area, checks in groupby(found.checks, lambda check: check.area):
        st.subheader(TITLES[area], anchor=False)
        st.html(checks_html(list(checks)))
    with st.expander("Versions", icon=":material/info:"):
        st.html(versions_html(found.versions))
    st.caption(escape("What each limit is: docs/diagnostics.md. The same from a terminal: "
                      "python -m engine doctor."))  # fmt: skip


def checks_html(checks: Sequence[Check]) -> str:
    """Checks as lines, the worst first. All text is escaped."""
    order = list(WORDS)
    rows = sorted(checks, key=lambda check: order.index(check.grade))
    return f'<ul class="qd-checks">{"".join(check_html(check) for check in rows)}</ul>'


def versions_html(versions: Mapping[str, str]) -> str:
    """Names and versions."""
    rows = "".join(
        f"<div><dt>{escape_html(name)}</dt><dd>{escape_html(told)}</dd></div>"
        for name, told in versions.items()
    )
    return f'<dl class="qd-strip">{rows}</dl>'
