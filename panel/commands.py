"""Commands from buttons: done in the button's callback, the outcome said in a toast."""

from collections.abc import Callable

import streamlit as st

from panel.facade import PanelError
from panel.format import escape


def attempt(command: Callable[[], object], done: str = "") -> bool:
    """Run ``command``; say ``done``, or why the engine refused. True when it was done."""
    try:
        command()
    except PanelError as error:
        st.toast(escape(error.message), icon=":material/error:", duration=12)
        return False
    if done:
        st.toast(escape(done), icon=":material/check:")
    return True
