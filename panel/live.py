"""Live data that survives a slow engine: the last good answer is kept and drawn with its age."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

import streamlit as st

from panel.facade import PanelError
from panel.format import duration, escape, now

T = TypeVar("T")

REFRESH_S = 2.0
"""How often live fragments ask the engine."""

STALE_AFTER_S = 5.0
"""Data older than this is marked stale."""


@dataclass(frozen=True, slots=True)
class Snapshot(Generic[T]):
    """An answer of the engine, when it was given, and why there is no newer one (or empty)."""

    value: T
    fetched_at: datetime
    error: str = ""

    @property
    def age_s(self) -> float:
        """Seconds since the engine gave this answer."""
        return (now() - self.fetched_at).total_seconds()


def latest(key: str, fetch: Callable[[], T]) -> Snapshot[T]:
    """Ask the engine; when it does not answer, the last answer under ``key`` in this session.

    Raises PanelError when there is no answer yet to fall back on.
    """
    slot = f"live:{key}"
    try:
        snapshot = Snapshot(fetch(), now())
    except PanelError as error:
        kept: Snapshot[T] | None = st.session_state.get(slot)
        if kept is None:
            raise
        return Snapshot(kept.value, kept.fetched_at, error.message)
    st.session_state[slot] = snapshot
    return snapshot


def show_staleness(snapshot: Snapshot[T]) -> None:
    """Say so when what is drawn below is not fresh."""
    if snapshot.error or snapshot.age_s > STALE_AFTER_S:
        age = duration(snapshot.age_s)
        st.warning(
            f"Stale: this is {age} old. {escape(snapshot.error)}", icon=":material/schedule:"
        )
