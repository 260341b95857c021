"""Commands from buttons: done in the button's callback, the outcome said in a toast."""

from collections.abc import Callable

import streamlit as st

from panel.facade import PanelError
from panel.format import escape

OUTCOMES = "commands:outcomes"
REFUSAL_S = 12


def attempt(command: Callable[[], object], done: str = "") -> bool:
    """Run ``command`` and remember what to say: ``done``, or why the engine refused.

    True when it was done. For callbacks, which must not draw: ``show_outcomes`` does.
    """
    try:
        command()
    except PanelError as error:
        _remember(error.message, is_done=False)
        return False
    if done:
        _remember(done, is_done=True)
    return True


def say_done(text: str) -> None:
    """Remember to say that something was done; for callbacks."""
    _remember(text, is_done=True)


def has_outcomes() -> bool:
    """Whether there is something to say that no part of the page has said yet."""
    return bool(st.session_state.get(OUTCOMES))


def show_outcomes() -> None:
    """Say in toasts what became of the commands since the last draw."""
    for text, is_done in st.session_state.pop(OUTCOMES, ()):
        icon = ":material/check:" if is_done else ":material/error:"
        st.toast(escape(text), icon=icon, duration="short" if is_done else REFUSAL_S)


def _remember(text: str, *, is_done: bool) -> None:
    st.session_state.setdefault(OUTCOMES, []).append((text, is_done))
