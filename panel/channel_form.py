"""The fields of a channel's form, as the engine describes them. Secrets are typed here and kept
nowhere: what was typed leaves the session once the engine has it."""

from collections.abc import Mapping

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from engine.contracts.alerts import ChannelFieldView, ChannelFormView
from panel.format import escape, escape_label

Slots = dict[str, DeltaGenerator]
"""A place for what is wrong with a field, by its name."""


def keep_slot(slots: Slots, *fields: str) -> None:
    """Keep a place below the widget just drawn for what is wrong with ``fields``."""
    place = st.empty()
    for field in fields:
        slots[field] = place


def draw_fields(
    form: ChannelFormView,
    prefix: str,
    slots: Slots,
    settings: Mapping[str, str] | None = None,
    secrets: tuple[str, ...] = (),
) -> None:
    """A widget a field, filled with ``settings`` or its default; one of ``secrets``, which are
    set, stays when it is left empty."""
    for field in form.fields:
        key = _key(prefix, field)
        if key not in st.session_state:
            kept = "" if field.is_secret else (settings or {}).get(field.name, field.default)
            st.session_state[key] = kept
        _draw_field(field, key, is_set=field.name in secrets)
        keep_slot(slots, field.name, f"fields.{field.name}")


def read_fields(form: ChannelFormView, prefix: str) -> dict[str, str]:
    """The fields as they are typed; the engine fills in defaults and says what is missing."""
    return {
        field.name: str(st.session_state.get(_key(prefix, field)) or "").strip()
        for field in form.fields
    }


def _draw_field(field: ChannelFieldView, key: str, *, is_set: bool) -> None:
    optional = " (optional)" if field.is_optional else ""
    label, about = escape_label(f"{field.title}{optional}"), escape(field.help) or None
    if field.options:
        st.selectbox(label, field.options, key=key, help=about)
    elif field.is_secret:
        st.text_input(
            label, type="password", key=key, help=about, autocomplete="new-password",
            placeholder="unchanged" if is_set else None,
        )  # fmt: skip
    else:
        st.text_input(label, key=key, help=about, placeholder=field.help, max_chars=300)


def _key(prefix: str, field: ChannelFieldView) -> str:
    return f"{prefix}field_{field.name}"
