"""The form for an account, made from its venue's schema. Secrets are typed here and kept nowhere:
what was typed leaves the session once the engine has it."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from engine.contracts import ErrorDetail
from engine.contracts.venue_accounts import VenueView
from panel.commands import say_done
from panel.facade import ControlPanel, EngineRefused, PanelError
from panel.format import escape, escape_label
from panel.forms import draw_field, field_specs, initial_value
from panel.modes import LIVE, MODES, mode_html

PREFIX = "new_account_"
REFUSED = "account_form:refused"
NAME, VENUE, MODE = f"{PREFIX}name", f"{PREFIX}venue", f"{PREFIX}mode"
Slots = dict[str, DeltaGenerator]


def draw_add_form(panel: ControlPanel) -> None:
    """Venue, mode, name, options, secrets, and the button that tests and adds."""
    venues = {one.id: one for one in panel.venues()}
    if not venues:
        st.info("There are no venues: their adapters are missing. Install Quarterdeck again.")
        return
    slots: Slots = {}
    left, right = st.columns(2, gap="medium")
    with left:
        chosen = st.selectbox(
            "Venue", list(venues), key=VENUE, format_func=lambda one: venues[one].title
        )
        venue = venues[chosen]
        st.caption(escape(venue.summary))
        _slot(slots, "venue")
    with right:
        _draw_mode(venue)
        _slot(slots, "mode")
    # In a form what is typed counts at each letter: a password field that is left by the tab key
    # would keep its text to itself.
    with st.form(f"{PREFIX}form", border=False, enter_to_submit=False):
        left, right = st.columns(2, gap="medium")
        with left:
            st.text_input("Name", key=NAME, max_chars=40, placeholder="What you call this account")
            _slot(slots, "name")
            draw_options(venue, _prefix(venue), {}, slots)
        with right:
            draw_secrets(venue, _prefix(venue), slots)
            st.caption(
                "Make a key that may read and trade, and nothing else: one that may withdraw is"
                " refused. Secrets are encrypted, and never shown again."
            )
            if venue.has_login:
                st.caption("Its keys hold for a day: after adding it, log in once a day.")
        st.form_submit_button(
            "Test and add", type="primary", icon=":material/add:", key="account_add",
            on_click=_add, args=(panel, venue),
        )  # fmt: skip
    show_refusal(slots)


def _draw_mode(venue: VenueView) -> None:
    modes = sorted((mode.value for mode in venue.modes), key=lambda mode: mode == LIVE)
    if st.session_state.get(MODE) not in modes:
        st.session_state[MODE] = modes[0]
    st.segmented_control(
        "Mode", modes, key=MODE, required=True, format_func=lambda one: one.upper()
    )
    mode = str(st.session_state[MODE])
    st.html(f'<div class="qd-statusline">{mode_html(mode)}<span>{MODES[mode]}</span></div>')
    if mode == LIVE:
        st.warning("Bots on this account trade real money.", icon=":material/warning:")


def draw_options(
    venue: VenueView, prefix: str, given: Mapping[str, Any], slots: Slots | None = None
) -> None:
    """A widget an option, filled with ``given`` or its default."""
    for spec in field_specs(venue.options):
        key = f"{prefix}option_{spec.name}"
        if key not in st.session_state:
            st.session_state[key] = initial_value(spec, given.get(spec.name))
        draw_field(spec, key)
        if slots is not None:
            _slot(slots, f"options.{spec.name}")


def draw_secrets(
    venue: VenueView, prefix: str, slots: Slots | None = None, *, is_change: bool = False
) -> None:
    """A hidden input a secret; in a change, one that is left empty stays."""
    for field in venue.secrets:
        optional = " (optional)" if field.is_optional and not is_change else ""
        st.text_input(
            escape_label(f"{field.title}{optional}"), type="password",
            key=f"{prefix}secret_{field.name}",
            help=escape(field.description) or None, autocomplete="new-password",
            placeholder="unchanged" if is_change else None,
        )  # fmt: skip
        if slots is not None:
            _slot(slots, f"secrets.{field.name}")
    if slots is not None:
        _slot(slots, "secrets")


def read_options(venue: VenueView, prefix: str) -> dict[str, Any]:
    """The options as they are typed; what is empty is left to its default."""
    found = {}
    for spec in field_specs(venue.options):
        value = st.session_state.get(f"{prefix}option_{spec.name}")
        if value not in (None, ""):
            found[spec.name] = value.strip() if isinstance(value, str) else value
    return found


def read_secrets(venue: VenueView, prefix: str) -> dict[str, str]:
    """The secrets as they are typed, empty ones left out."""
    typed = {one.name: st.session_state.get(f"{prefix}secret_{one.name}") for one in venue.secrets}
    return {name: value for name, value in typed.items() if value and value.strip()}


def forget_typed(prefix: str) -> None:
    """Let nothing that was typed stay in the session, secrets least of all."""
    for key in [key for key in st.session_state if str(key).startswith(prefix)]:
        del st.session_state[key]


def remember_refusal(error: PanelError) -> None:
    """Keep why the engine refused, for the next draw; in callbacks."""
    details = error.details if isinstance(error, EngineRefused) else ()
    st.session_state[REFUSED] = error.message, details


def show_refusal(slots: Mapping[str, DeltaGenerator] | None = None) -> None:
    """Say why the engine refused: next to the field it is about, else here."""
    refused: tuple[str, Sequence[ErrorDetail]] | None = st.session_state.pop(REFUSED, None)
    if refused is None:
        return
    message, details = refused
    placed = [one for one in details if slots and one.field in slots]
    for detail in placed:
        (slots or {})[detail.field].markdown(f":red[:material/error: {escape(detail.message)}]")
    if not placed or len(placed) < len(details):
        st.error(escape(message), icon=":material/error:")


def _add(panel: ControlPanel, venue: VenueView) -> None:
    """A callback. What was typed is kept when the engine refuses."""
    prefix = _prefix(venue)
    request = {
        "name": (st.session_state.get(NAME) or "").strip(),
        "venue": venue.id,
        "mode": st.session_state[MODE],
        "options": read_options(venue, prefix),
        "secrets": read_secrets(venue, prefix),
    }
    try:
        added = panel.add_account(request)
    except PanelError as error:
        remember_refusal(error)
        return
    _empty(prefix)
    if added.is_enabled:
        say_done(f"{added.name} is added: its test went well.")
    elif added.has_login:
        say_done(f"{added.name} is added: log in to use it.")
    else:
        say_done(f"{added.name} is added, but takes no entries: see its checks.")


def _empty(prefix: str) -> None:
    """Begin anew at the same venue; a callback. Texts are set, for a field whose value is only
    forgotten still shows what was typed."""
    for key in [str(key) for key in st.session_state if str(key).startswith(prefix)]:
        if key.startswith(f"{prefix}secret_"):
            st.session_state[key] = ""
        else:
            del st.session_state[key]  # drawn with its default
    st.session_state[NAME] = ""


def _prefix(venue: VenueView) -> str:
    return f"{PREFIX}{venue.id}_"


def _slot(slots: Slots, field: str) -> None:
    slots[field] = st.empty()
