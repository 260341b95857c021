"""The matrix: which channel tells what. Ticked freely, saved together."""

from collections.abc import Mapping, Sequence
from itertools import groupby

import streamlit as st

from engine.contracts.alerts import AlertKind, ChannelView, KindView
from panel.channel_words import counted
from panel.commands import attempt, show_outcomes
from panel.facade import ControlPanel, PanelError
from panel.format import escape, escape_label
from panel.layout import show_error
from panel.matrix_draft import Cell, are_all_ticked, cells_of, forget, is_ticked, tick, unsaved

SHOWN = 6
"""Channels side by side; more are paged."""

KEY = "matrix_"


@st.fragment
def draw_matrix(panel: ControlPanel) -> None:
    """Kinds by group, a column a channel. A part of its own: a tick redraws nothing else."""
    show_outcomes()
    try:
        kinds, channels = panel.alert_kinds(), panel.channels()
    except PanelError as error:
        show_error(error)
        return
    if not channels:
        st.info("No channel yet: add one under Channels, then choose here what it tells.",
                icon=":material/notifications_off:")  # fmt: skip
        return
    _draw_state(panel, unsaved(channels))
    shown = _choose_channels(channels)
    with st.container(border=True, key="qd-matrix", gap=None):
        _draw_head(shown, [row.kind for row in kinds])
        for group, rows in groupby(kinds, key=lambda row: row.group):
            st.caption(escape(group))
            for row in rows:
                _draw_row(row, shown, channels)


def _draw_state(panel: ControlPanel, changes: Mapping[Cell, bool]) -> None:
    """Whether anything is not saved, and the buttons for that; in sight however far down."""
    with st.container(
        horizontal=True, vertical_alignment="center", key="qd-matrix-state", gap="small"
    ):
        words = f"{counted(len(changes), 'change')} not saved" if changes else "All saved"
        mark = ":orange[:material/edit:" if changes else ":green[:material/check:"
        st.markdown(f"{mark} **{words}**]", width="content")
        st.button("Save", type="primary", key="matrix_save", disabled=not changes,
                  on_click=_save, args=(panel, dict(changes)))  # fmt: skip
        st.button("Discard", key="matrix_discard", disabled=not changes, on_click=forget)


def _choose_channels(channels: Sequence[ChannelView]) -> Sequence[ChannelView]:
    pages = -(-len(channels) // SHOWN)
    if pages < 2:
        return channels
    page = min(st.pagination(pages, key="matrix_page", width=340), pages)
    first = (page - 1) * SHOWN
    shown = channels[first : first + SHOWN]
    st.caption(f"Channels {first + 1} to {first + len(shown)} of {len(channels)}")
    return shown


def _draw_head(shown: Sequence[ChannelView], kinds: Sequence[AlertKind]) -> None:
    cells = st.columns(len(shown) + 2, gap=None)
    cells[0].markdown("**Alert**")
    for cell, channel in zip(cells[1:], shown, strict=False):
        with cell:
            off = "" if channel.is_enabled else " :gray[(off)]"
            st.markdown(f"**{escape(channel.name)}**{off}")
            _draw_all(f"column_{channel.id}", channel.name, [channel], kinds)
    cells[-1].markdown("**All channels**")


def _draw_row(row: KindView, shown: Sequence[ChannelView], channels: Sequence[ChannelView]) -> None:
    cells = st.columns(len(shown) + 2, gap=None, vertical_alignment="center")
    cells[0].markdown(escape(row.title), help=escape(row.help))
    for cell, channel in zip(cells[1:], shown, strict=False):
        with cell:
            _draw_box(row, channel)
    with cells[-1]:
        _draw_all(f"row_{row.kind}", row.title, channels, [row.kind])


def _draw_box(row: KindView, channel: ChannelView) -> None:
    key = f"{KEY}{channel.id}_{row.kind}"
    wanted = is_ticked(channel, row.kind)
    if st.session_state.get(key) != wanted:  # set only then: a tick that is on its way stays
        st.session_state[key] = wanted
    st.checkbox(
        escape_label(f"{row.title}, {channel.name}"), key=key, label_visibility="collapsed",
        on_change=_take, args=(key, channel, row.kind),
    )  # fmt: skip


def _draw_all(
    key: str, name: str, channels: Sequence[ChannelView], kinds: Sequence[AlertKind]
) -> None:
    is_full = are_all_ticked(channels, kinds)
    st.button(
        "none" if is_full else "all", key=f"{KEY}{key}", type="tertiary",
        on_click=tick, args=(channels, kinds, not is_full),
        help=f"{'Untick' if is_full else 'Tick'} all of {escape(name)}",
    )  # fmt: skip


def _take(key: str, channel: ChannelView, kind: AlertKind) -> None:
    """A callback."""
    tick([channel], [kind], st.session_state[key])


def _save(panel: ControlPanel, changes: Mapping[Cell, bool]) -> None:
    """A callback. What was ticked is kept when the engine refuses."""
    if attempt(lambda: panel.set_matrix(cells_of(dict(changes))), "The matrix is saved."):
        forget()
