"""What a person asked a dialog about, kept until it is decided or dismissed.

A dialog opened from a live part would be closed by its next refresh. So a button only remembers
what was asked; the page opens the dialog, at every run, for as long as it is remembered.
"""

from collections.abc import Callable
from typing import Any

import streamlit as st

FRESH = "asked:fresh"


def ask(slot: str, about: Any) -> None:
    """Remember what a dialog is to be about; a callback."""
    st.session_state[_key(slot)] = about
    st.session_state[FRESH] = True


def asked(slot: str) -> Any:
    """What is asked about, or None."""
    return st.session_state.get(_key(slot))


def forget(slot: str) -> None:
    """It is decided."""
    st.session_state.pop(_key(slot), None)


def forgetter(slot: str) -> Callable[[], None]:
    """``forget`` as the callback of a dialog that is dismissed."""
    return lambda: forget(slot)


def open_soon() -> None:
    """In a live part: let the page run at once when one of its buttons has just asked."""
    if st.session_state.pop(FRESH, False):
        st.rerun()


def settled() -> None:
    """In the page: what was asked is being opened."""
    st.session_state.pop(FRESH, None)


def _key(slot: str) -> str:
    return f"asked:{slot}"
