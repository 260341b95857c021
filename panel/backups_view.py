"""Backups on the Settings page: which there are, how the last one went, one now."""

from datetime import datetime

import streamlit as st

from engine.contracts.backups import BackupList, BackupView
from panel.commands import attempt
from panel.facade import ControlPanel, PanelError
from panel.format import duration, escape, moment, now
from panel.layout import show_error
from panel.live import latest, show_staleness

PREFIX = "backup_"
CANDLES = f"{PREFIX}candles"
REFRESH_S = 5.0
SHOWN = 5
KIB = 1024


def draw_backups(panel: ControlPanel) -> None:
    """The list, which follows what the engine does, and the button; its box is no live part."""
    _live_list(panel)
    st.checkbox("With candles", key=CANDLES, help="They are large, and can be downloaded again")
    st.button(
        "Back up now", icon=":material/backup:", key=f"{PREFIX}now",
        on_click=_begin, args=(panel,),
    )  # fmt: skip


@st.fragment(run_every=REFRESH_S)
def _live_list(panel: ControlPanel) -> None:
    try:
        snapshot = latest("backups", panel.backups)
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    _draw_list(snapshot.value)


def _draw_list(found: BackupList) -> None:
    if found.is_running:
        st.info("A backup is being made and verified.", icon=":material/hourglass_top:")
    if found.failure:
        st.error(
            f"The last try failed, {_ago(found.tried_at)}: {escape(found.failure)}",
            icon=":material/error:",
        )
    if not found.backups:
        st.caption(
            "No backup yet. The first is made soon after the engine's start, or now by the button."
            if found.due_at
            else "No backup yet, and none is made by itself: set how often among the settings, or"
            " make one now."
        )
    for backup in found.backups[:SHOWN]:
        _draw_backup(backup)
    if len(found.backups) > SHOWN:
        with st.expander(f"Older: {len(found.backups) - SHOWN}"):
            for backup in found.backups[SHOWN:]:
                _draw_backup(backup)
    due = f"Next by itself {moment(found.due_at)} UTC" if found.due_at else "None by itself"
    st.caption(
        f"{due} · in {escape(found.folder)} · restored by `python -m engine restore` while the"
        " engine is stopped. No key is in a backup: keep `secret.key` apart."
    )


def _draw_backup(backup: BackupView) -> None:
    with st.container(border=True, key=f"qd-backup-{backup.name}", gap="xxsmall"):
        st.markdown(f"**{moment(backup.created_at)} UTC** · {_ago(backup.created_at)}")
        if backup.problem:
            st.error(escape(backup.problem), icon=":material/error:")
            return
        candles = " · with candles" if backup.has_candles else ""
        st.caption(
            f"{size_words(backup.size)} · verified when it was made · {backup.rows:,} rows ·"
            f" version {escape(backup.version)}{candles}"
        )


def size_words(size: int) -> str:
    """Bytes as a person reads them: ``4.0 MiB``."""
    amount, units = float(size), ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while amount >= KIB and len(units) > 1:
        amount /= KIB
        units.pop(0)
    return f"{size:,} bytes" if units[0] == "bytes" else f"{amount:,.1f} {units[0]}"


def _ago(at: datetime | None) -> str:
    return "at a time that is not known" if at is None else f"{duration(_age_s(at))} ago"


def _age_s(at: datetime) -> float:
    return max(0.0, (now() - at).total_seconds())


def _begin(panel: ControlPanel) -> None:
    """A callback."""
    with_candles = bool(st.session_state[CANDLES])
    attempt(
        lambda: panel.make_backup(with_candles=with_candles),
        "The backup has begun; it is in the list once it is verified.",
    )
