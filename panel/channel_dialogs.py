"""What a person is asked before a channel is added or changed, one dialog a verb."""

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from engine.contracts.alerts import ChannelFormView, ChannelView
from panel.account_form import forget_typed, show_refusal
from panel.asked import ask, asked, settled
from panel.asked_dialog import AskedDialog
from panel.channel_form import Slots, draw_fields, keep_slot, read_fields
from panel.channel_options import draw_options, load_options, read_options
from panel.channel_words import counted
from panel.facade import ControlPanel, PanelError
from panel.format import escape
from panel.layout import show_error

T = TypeVar("T")

ASKED = "channel"
PREFIX = "channel_dialog_"
NAME, KIND = f"{PREFIX}name", f"{PREFIX}kind"
DIALOG = AskedDialog(ASKED, PREFIX)
NEW, EDIT, OPTIONS = "Add a channel", "Edit", "Options"
DISABLE, DELETE = "Disable", "Delete"


def ask_about(verb: str, channel_id: str = "") -> None:
    """Open the dialog of ``verb``; a callback."""
    forget_typed(PREFIX)
    ask(ASKED, (verb, channel_id))


def open_asked_dialog(panel: ControlPanel) -> None:
    """Open the dialog that was asked for, until it is decided."""
    settled()
    about = asked(ASKED)
    if about is None:
        return
    verb, channel_id = about
    if verb == NEW:
        _new(panel)
        return
    channel = next((one for one in panel.channels() if one.id == channel_id), None)
    if channel is None:
        DIALOG.dismiss()
        st.toast("That channel is not there any more.", icon=":material/info:")
        return
    DIALOGS[verb](panel, channel)


def _answer(question: Callable[[], T]) -> T | None:
    """What the engine answers; None, with the reason drawn, when it does not: a dialog is drawn
    anew on its own, where nothing else would draw it."""
    try:
        return question()
    except PanelError as error:
        show_error(error)
        return None


def _form_of(panel: ControlPanel, channel: ChannelView) -> ChannelFormView:
    return next(one for one in panel.channel_forms() if one.kind is channel.kind)


@st.dialog(NEW, on_dismiss=DIALOG.dismiss)
def _new(panel: ControlPanel) -> None:
    found = _answer(panel.channel_forms)
    if found is None:
        return
    forms = {form.kind: form for form in found}
    kind = st.selectbox("Kind", list(forms), key=KIND, format_func=lambda one: forms[one].title)
    form = forms[kind]
    st.caption(escape(form.help))
    slots: Slots = {}
    prefix = f"{PREFIX}{kind.value}_"

    def act() -> None:
        name = st.session_state[NAME].strip()
        request = {"name": name, "kind": kind, "fields": read_fields(form, prefix)}
        DIALOG.submit(lambda: panel.add_channel(request), f"{name} is added: press Test to try it.")

    # In a form what is typed counts at each letter: a password field that is left by the tab key
    # would keep its text to itself.
    with st.form(f"{PREFIX}form", border=False, enter_to_submit=False):
        st.text_input("Name", key=NAME, max_chars=40, placeholder="What you call this channel")
        keep_slot(slots, "name")
        draw_fields(form, prefix, slots)
        st.caption("Secrets are encrypted, and never shown again.")
        is_sent = st.form_submit_button("Add", type="primary", icon=":material/add:",
                                        key="channel_add", on_click=act)  # fmt: skip
    show_refusal(slots)
    DIALOG.leave(is_sent)


@st.dialog(EDIT, on_dismiss=DIALOG.dismiss)
def _edit(panel: ControlPanel, channel: ChannelView) -> None:
    form, slots = _answer(lambda: _form_of(panel, channel)), Slots()
    if form is None:
        return

    def act() -> None:
        name = st.session_state[NAME].strip()
        changes = {"name": name, "fields": read_fields(form, PREFIX)}
        DIALOG.submit(lambda: panel.change_channel(channel.id, changes), f"{name} is changed.")

    with st.form(f"{PREFIX}form", border=False, enter_to_submit=False):
        st.session_state.setdefault(NAME, channel.name)
        st.text_input("Name", key=NAME, max_chars=40)
        keep_slot(slots, "name")
        draw_fields(form, PREFIX, slots, channel.settings, channel.secrets)
        if channel.secrets:
            st.caption("A secret that is left empty stays as it is.")
        is_sent = st.form_submit_button("Save", type="primary", key="channel_save", on_click=act)
    show_refusal(slots)
    DIALOG.leave(is_sent)


@st.dialog(OPTIONS, on_dismiss=DIALOG.dismiss)
def _options(panel: ControlPanel, channel: ChannelView) -> None:
    slots: Slots = {}
    there = _answer(lambda: (panel.channels(), panel.bots()))
    if there is None:
        return
    others = {one.id: one.name for one in there[0] if one.id != channel.id}
    bots = {bot.id: bot.config.name for bot in there[1]}
    load_options(channel, PREFIX)
    draw_options(channel, others, bots, PREFIX, slots)

    def act() -> None:
        changes = read_options(channel, PREFIX)
        done = f"{channel.name} is changed."
        DIALOG.submit(lambda: panel.change_channel(channel.id, changes), done)

    is_sent = st.button("Save", type="primary", key="channel_options", on_click=act)
    show_refusal(slots)
    DIALOG.leave(is_sent)


@st.dialog("Disable the channel?", on_dismiss=DIALOG.dismiss)
def _disable(panel: ControlPanel, channel: ChannelView) -> None:
    count = counted(channel.waiting, "alert")
    waits = f" What waits, {count}, is dropped." if channel.waiting else ""
    st.markdown(f"**{escape(channel.name)}** tells nothing until it is enabled again.{waits}")

    def act() -> None:
        DIALOG.submit(
            lambda: panel.change_channel(channel.id, {"is_enabled": False}),
            f"{channel.name} is off.",
        )

    is_sent = st.button(DISABLE, type="primary", key="channel_disable", on_click=act)
    show_refusal()
    DIALOG.leave(is_sent)


@st.dialog("Delete the channel?", on_dismiss=DIALOG.dismiss)
def _delete(panel: ControlPanel, channel: ChannelView) -> None:
    st.markdown(
        f"**{escape(channel.name)}** and its secrets are deleted here for good; what waits for it"
        " is dropped. The delivery log keeps what it has sent."
    )

    def act() -> None:
        DIALOG.submit(lambda: panel.delete_channel(channel.id), f"{channel.name} is deleted.")

    is_sent = st.button("Delete for good", type="primary", key="channel_delete", on_click=act)
    show_refusal()
    DIALOG.leave(is_sent)


DIALOGS: dict[str, Callable[[ControlPanel, ChannelView], None]] = {
    EDIT: _edit,
    OPTIONS: _options,
    DISABLE: _disable,
    DELETE: _delete,
}
