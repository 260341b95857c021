"""A dialog with something to type, opened by what was asked: how it is sent, refused and left."""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from panel.account_form import forget_typed, remember_refusal
from panel.asked import asked, forget
from panel.commands import say_done
from panel.facade import PanelError


@dataclass(frozen=True)
class AskedDialog:
    """``slot`` is what was asked about, ``prefix`` how the keys of its widgets begin."""

    slot: str
    prefix: str

    def dismiss(self) -> None:
        """Nothing that was typed outlives its dialog."""
        forget(self.slot)
        forget_typed(self.prefix)

    def submit(self, command: Callable[[], object], done: str) -> None:
        """Do it and close; the dialog stays open, with the reason, when the engine refuses."""
        try:
            command()
        except PanelError as error:
            remember_refusal(error)
            return
        self.dismiss()
        say_done(done)

    def leave(self, is_pressed: bool) -> None:
        """The page closes the dialog once it is decided."""
        if is_pressed and asked(self.slot) is None:
            st.rerun()
