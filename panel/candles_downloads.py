"""Downloads on screen: the form, what runs with its progress, what has ended."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from html import escape

import streamlit as st

from engine.contracts.candles import RESUMABLE, Download, SourceView
from panel.candles_words import STATES, download_words
from panel.commands import attempt, show_outcomes
from panel.facade import ControlPanel, PanelError
from panel.format import ago, moment, now
from panel.format import escape as markdown_escape
from panel.layout import show_error
from panel.live import REFRESH_S, latest, show_staleness

FEW = 8
"""Ended downloads that are shown at once."""

PREFIX = "download_"
DEFAULT_DAYS = 90


def draw_form(panel: ControlPanel) -> None:
    """What to download, from where, of which time."""
    sources = {one.id: one for one in panel.candle_sources()}
    with st.container(border=True):
        with st.container(horizontal=True):
            source_id = st.selectbox(
                "Source", list(sources), key=f"{PREFIX}source", width=200,
                format_func=lambda one: sources[one].title if one in sources else one,
                accept_new_options=True,
                help="Any other exchange of ccxt can be typed, as ccxt:bitstamp",
            )  # fmt: skip
            symbol = st.text_input(
                "Symbol", key=f"{PREFIX}symbol", max_chars=40, width=160, placeholder="BTC/USDT",
            )  # fmt: skip
            source = sources.get(source_id or "")
            timeframe = st.selectbox(
                "Candles of", _timeframes(source, sources), key=f"{PREFIX}timeframe", width=110,
            )  # fmt: skip
            since = st.date_input(
                "First day (UTC)", value=now().date() - timedelta(days=DEFAULT_DAYS), width=140,
                key=f"{PREFIX}since", format="YYYY-MM-DD", min_value=date(1970, 1, 1),
                max_value=now().date(),
            )  # fmt: skip
            until = st.date_input(
                "Last day (UTC)", value=None, key=f"{PREFIX}until", format="YYYY-MM-DD",
                width=140, min_value=date(1970, 1, 1), help="Empty: up to now",
            )  # fmt: skip
        if source is not None:
            st.caption(markdown_escape(f"{source.title}: {source.note}."))
            if source.needs:
                st.warning(f"It needs {markdown_escape(source.needs)}.", icon=":material/key:")
        st.button(
            "Download", type="primary", icon=":material/download:", key=f"{PREFIX}start",
            on_click=_start, args=(panel, source_id, symbol, timeframe, since, until),
            disabled=not symbol.strip() or not source_id,
        )  # fmt: skip


def _timeframes(source: SourceView | None, sources: dict[str, SourceView]) -> list[str]:
    """Of the source; of one that was typed, what exchanges give as a rule."""
    shown = source or next((one for one in sources.values() if one.id.startswith("ccxt:")), None)
    return list(shown.timeframes) if shown else []


def _start(
    panel: ControlPanel, source: str, symbol: str, timeframe: str, since: date, until: date | None
) -> None:
    """Ask for it; a callback."""
    request = {
        "source": source, "symbol": symbol.strip(), "timeframe": timeframe,
        "since": _midnight(since).isoformat(),
        "until": _midnight(until + timedelta(days=1)).isoformat() if until else None,
    }  # fmt: skip
    attempt(lambda: panel.download_candles(request), f"{symbol.strip()} is being downloaded.")


@st.fragment(run_every=REFRESH_S)
def draw_downloads(panel: ControlPanel) -> None:
    """Those that go on first, each with its progress; then the newest that have ended."""
    show_outcomes()
    try:
        snapshot = latest("downloads", panel.candle_downloads)
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    downloads = snapshot.value
    if not downloads:
        st.caption("Nothing has been downloaded yet.")
        return
    active = [one for one in downloads if one.is_active]
    ended = [one for one in downloads if not one.is_active]
    _draw(panel, active)
    is_all = len(ended) <= FEW or st.session_state.get(f"{PREFIX}all", False)
    _draw(panel, ended if is_all else ended[:FEW])
    if len(ended) > FEW:
        st.toggle(f"Show all {len(ended)} that have ended", key=f"{PREFIX}all")


def _draw(panel: ControlPanel, downloads: Sequence[Download]) -> None:
    for one in downloads:
        with st.container(border=True, key=f"qd-download-{one.id}", gap="small"):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.html(head_html(one))
                if one.is_active:
                    st.button("Cancel", key=f"cancel-{one.id}", icon=":material/close:",
                              on_click=_cancel, args=(panel, one))  # fmt: skip
                elif one.state in RESUMABLE:
                    st.button("Resume", key=f"resume-{one.id}", icon=":material/play_arrow:",
                              on_click=_resume, args=(panel, one))  # fmt: skip
            if one.is_active:
                st.progress(min(max(one.progress, 0.0), 1.0))


def head_html(one: Download) -> str:
    """What is downloaded, its state, how far it is and why it ended."""
    span = f"{one.since:%Y-%m-%d} to {moment(one.until)}"
    ended = f" · {ago(one.ended_at, now())}" if one.ended_at else ""
    message = f"<div>{escape(one.message)}</div>" if one.message else ""
    return (
        f'<div class="qd-finding"><div class="qd-statusline"><b>{escape(one.set_id)}</b>'
        f'<span class="qd-state qd-{STATES[one.state]}">{one.state.value}</span>'
        f'<span class="qd-quiet">{span}{escape(ended)}</span></div>'
        f'<div class="qd-quiet">{escape(download_words(one))}</div>{message}</div>'
    )


def _cancel(panel: ControlPanel, one: Download) -> None:
    attempt(lambda: panel.cancel_download(one.id), f"{one.set_id} stops; what came is kept.")


def _resume(panel: ControlPanel, one: Download) -> None:
    attempt(lambda: panel.resume_download(one.id), f"{one.set_id} goes on.")


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
