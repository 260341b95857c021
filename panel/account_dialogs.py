"""What a person is asked before an account is changed, one dialog a verb."""

from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from engine.contracts.venue_accounts import VenueAccountView, VenueView
from panel.account_form import (
    draw_options,
    draw_secrets,
    forget_typed,
    read_options,
    read_secrets,
    show_refusal,
)
from panel.asked import ask, asked, settled
from panel.asked_dialog import AskedDialog
from panel.facade import ControlPanel, PanelError
from panel.format import escape
from panel.layout import show_error

ASKED = "account"
PREFIX = "account_dialog_"
NAME, ANSWER = f"{PREFIX}name", f"{PREFIX}answer"
DIALOG = AskedDialog(ASKED, PREFIX)
RENAME, SECRETS, OPTIONS = "Rename", "Replace secrets", "Options"
DISABLE, DELETE, LOGIN = "Disable", "Delete", "Log in"


def ask_about(verb: str, account_id: str) -> None:
    """Open the dialog of ``verb``; a callback."""
    forget_typed(PREFIX)
    ask(ASKED, (verb, account_id))


def open_asked_dialog(panel: ControlPanel) -> None:
    """Open the dialog that was asked for, until it is decided."""
    settled()
    about = asked(ASKED)
    if about is None:
        return
    verb, account_id = about
    account = next((one for one in panel.venue_accounts() if one.id == account_id), None)
    if account is None:
        DIALOG.dismiss()
        st.toast("That account is not there any more.", icon=":material/info:")
        return
    DIALOGS[verb](panel, account)


def _confirm(label: str, key: str, act: Callable[[], None]) -> None:
    """The button that does it. The page closes the dialog then; a refusal keeps it open."""
    DIALOG.leave(st.button(label, type="primary", key=key, on_click=act))


def _typed() -> DeltaGenerator:
    """A form: what is typed in it counts at each letter, see ``draw_add_form``."""
    return st.form(f"{PREFIX}form", border=False, enter_to_submit=False)


def _submit_button(label: str, key: str, act: Callable[[], None]) -> bool:
    return st.form_submit_button(label, type="primary", key=key, on_click=act)


@st.dialog(RENAME, on_dismiss=DIALOG.dismiss)
def _rename(panel: ControlPanel, account: VenueAccountView) -> None:
    show_refusal()
    st.session_state.setdefault(NAME, account.name)
    st.text_input("Name", key=NAME, max_chars=40)

    def act() -> None:
        name = st.session_state[NAME].strip()
        done = f"It is called {name}."
        DIALOG.submit(lambda: panel.change_account(account.id, {"name": name}), done)

    _confirm(RENAME, "account_rename", act)


@st.dialog(SECRETS, on_dismiss=DIALOG.dismiss)
def _secrets(panel: ControlPanel, account: VenueAccountView) -> None:
    show_refusal()
    venue = _venue_of(panel, account)
    if venue is None:
        return
    st.markdown(
        f"The new secrets of **{escape(account.name)}** are tested before they are kept. What is"
        " left empty stays as it is."
    )

    def act() -> None:
        given = read_secrets(venue, PREFIX)
        DIALOG.submit(
            lambda: panel.change_account(account.id, {"secrets": given}),
            f"{account.name} uses the new secrets." if given else "Nothing was changed.",
        )

    with _typed():
        draw_secrets(venue, PREFIX, is_change=True)
        is_sent = _submit_button("Test and replace", "account_secrets", act)
    DIALOG.leave(is_sent)


@st.dialog(OPTIONS, on_dismiss=DIALOG.dismiss)
def _options(panel: ControlPanel, account: VenueAccountView) -> None:
    show_refusal()
    venue = _venue_of(panel, account)
    if venue is None:
        return
    draw_options(venue, PREFIX, account.options)

    def act() -> None:
        given = read_options(venue, PREFIX)
        DIALOG.submit(
            lambda: panel.change_account(account.id, {"options": given}),
            f"{account.name} has the new options.",
        )

    _confirm("Test and save", "account_options", act)


@st.dialog(DISABLE, on_dismiss=DIALOG.dismiss)
def _disable(panel: ControlPanel, account: VenueAccountView) -> None:
    show_refusal()
    st.markdown(f"**{escape(account.name)}** takes no entries until it is enabled again.")
    if account.bots:
        names = escape(", ".join(bot.name for bot in account.bots))
        st.warning(
            f"These bots use it: {names}. They open nothing new; their exits and stops go on.",
            icon=":material/warning:",
        )

    def act() -> None:
        DIALOG.submit(
            lambda: panel.disable_account(account.id, confirm=True),
            f"{account.name} takes no entries.",
        )

    _confirm(DISABLE, "account_disable", act)


@st.dialog(DELETE, on_dismiss=DIALOG.dismiss)
def _delete(panel: ControlPanel, account: VenueAccountView) -> None:
    show_refusal()
    st.markdown(
        f"**{escape(account.name)}** and its secrets are deleted here for good. Nothing changes at"
        f" {escape(account.venue_title)}: delete the key there, too."
    )

    def act() -> None:
        DIALOG.submit(lambda: panel.delete_account(account.id), f"{account.name} is deleted.")

    _confirm("Delete for good", "account_delete", act)


@st.dialog(LOGIN, on_dismiss=DIALOG.dismiss)
def _log_in(panel: ControlPanel, account: VenueAccountView) -> None:
    show_refusal()
    try:
        url = panel.login_page(account.id).url
    except PanelError as error:
        show_error(error)
        return
    st.markdown(f"1. Log in to {escape(account.venue_title)} in the browser.")
    st.link_button("Open the login page", url, icon=":material/open_in_new:")
    st.markdown(
        "2. When you are sent back, copy the address from the browser's address bar (its page may"
        " not load), and paste it here."
    )

    def act() -> None:
        answer = st.session_state[ANSWER].strip()
        DIALOG.submit(lambda: panel.log_in(account.id, answer), f"Logged in to {account.name}.")

    with _typed():
        st.text_input("Address or token", key=ANSWER, type="password", autocomplete="off")
        is_sent = _submit_button("Complete the login", "account_login", act)
    DIALOG.leave(is_sent)


def _venue_of(panel: ControlPanel, account: VenueAccountView) -> VenueView | None:
    """The venue's form; without one the dialog says why."""
    venue = next((one for one in panel.venues() if one.id == account.venue), None)
    if venue is None:
        st.error(f"There is no venue '{escape(account.venue)}' any more.")
    return venue


DIALOGS: dict[str, Callable[[ControlPanel, VenueAccountView], None]] = {
    RENAME: _rename,
    SECRETS: _secrets,
    OPTIONS: _options,
    DISABLE: _disable,
    DELETE: _delete,
    LOGIN: _log_in,
}
