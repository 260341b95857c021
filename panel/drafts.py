"""What a form holds, kept in the session over visits to other pages."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st


class Draft:
    """The input of one form. ``prefix`` begins the session keys of its widgets, ``defaults`` are
    its fields; a strategy's parameters are fields of their own, ``param_STRATEGY_NAME``."""

    def __init__(self, prefix: str, defaults: Mapping[str, Any]) -> None:
        self._prefix = prefix
        self._defaults = defaults
        self._kept, self._source = f"{prefix}:kept", f"{prefix}:source"

    def key(self, name: str) -> str:
        """The session key of a field's widget."""
        return f"{self._prefix}{name}"

    def load(self, source: str, values: Mapping[str, Any]) -> None:
        """Fill the form with ``values`` unless it holds input for ``source`` already.

        Streamlit forgets the widgets of a page that is left; their values are kept apart for the
        way back.
        """
        if st.session_state.get(self._source) != source:
            self.forget()
            st.session_state[self._source] = source
            st.session_state[self._kept] = {self.key(name): value for name, value in values.items()}
        self.restore()

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing yet."""
        return self._source not in st.session_state

    def restore(self) -> None:
        """Give widgets that Streamlit has forgotten the values they had."""
        for key, value in st.session_state[self._kept].items():
            st.session_state.setdefault(key, value)

    def refill(self) -> None:
        """Write what is kept into the widgets. For a part of a page that was away for a while: the
        browser has forgotten its widgets for certain, the session not always."""
        st.session_state.update(st.session_state[self._kept])

    def keep(self) -> None:
        """Remember the widgets' values for when the person comes back to the page."""
        st.session_state[self._kept] |= {
            key: value for key, value in st.session_state.items() if self._is_mine(str(key))
        }

    def forget(self) -> None:
        """Empty the form."""
        for key in [key for key in st.session_state if self._is_mine(str(key))]:
            del st.session_state[key]
        st.session_state.pop(self._source, None)
        st.session_state.pop(self._kept, None)

    def read(self) -> dict[str, Any]:
        """What the form holds now, parameters of the chosen strategy included."""
        draft = {
            name: st.session_state.get(self.key(name), value)
            for name, value in self._defaults.items()
        }
        prefix = self.key(f"param_{draft['strategy']}_")
        draft["params"] = {
            str(key).removeprefix(prefix): value
            for key, value in st.session_state.items()
            if str(key).startswith(prefix)
        }
        return draft

    def keep_in(self, options: Sequence[str], name: str) -> None:
        """A choice that is no longer offered becomes the first that is."""
        if options and st.session_state.get(self.key(name)) not in options:
            st.session_state[self.key(name)] = options[0]

    def _is_mine(self, key: str) -> bool:
        return key.startswith(self._prefix) and key not in (self._kept, self._source)
