"""What was ticked in the matrix and is not saved yet. It is kept in the session, and by cell: what
changes elsewhere meanwhile is not undone by a save."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from engine.contracts.alerts import AlertKind, ChannelView

CHANGES = "matrix:changes"
Cell = tuple[str, AlertKind]
"""A channel's id, and a kind."""


def is_ticked(channel: ChannelView, kind: AlertKind) -> bool:
    """As it would be saved."""
    return _changes().get((channel.id, kind), kind in channel.kinds)


def are_all_ticked(channels: Sequence[ChannelView], kinds: Sequence[AlertKind]) -> bool:
    """Whether every cell of these rows and columns is ticked."""
    return all(is_ticked(channel, kind) for channel in channels for kind in kinds)


def tick(channels: Sequence[ChannelView], kinds: Sequence[AlertKind], is_on: bool) -> None:
    """Set every cell of these rows and columns; what is as it was saved is no change."""
    changes = _changes()
    for channel in channels:
        for kind in kinds:
            changes.pop((channel.id, kind), None)
            if is_on != (kind in channel.kinds):
                changes[channel.id, kind] = is_on


def unsaved(channels: Sequence[ChannelView]) -> dict[Cell, bool]:
    """The cells that differ from what is saved; those of channels that are gone are forgotten."""
    kept = {channel.id: channel.kinds for channel in channels}
    changes = {
        (channel_id, kind): is_on
        for (channel_id, kind), is_on in _changes().items()
        if channel_id in kept and is_on != (kind in kept[channel_id])
    }
    st.session_state[CHANGES] = changes
    return changes


def cells_of(changes: dict[Cell, bool]) -> list[dict[str, Any]]:
    """The changes as ``set_matrix`` takes them."""
    return [
        {"channel": channel_id, "kind": kind, "is_on": is_on}
        for (channel_id, kind), is_on in changes.items()
    ]


def forget() -> None:
    """Back to what is saved; a callback."""
    st.session_state.pop(CHANGES, None)


def _changes() -> dict[Cell, bool]:
    found: dict[Cell, bool] = st.session_state.setdefault(CHANGES, {})
    return found
