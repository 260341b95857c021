"""The accounts that were added, live: what each may do, what its last test found, its buttons."""

import streamlit as st

from engine.contracts.venue_accounts import VenueAccountView
from panel.account_dialogs import (
    DELETE,
    DISABLE,
    LOGIN,
    OPTIONS,
    RENAME,
    SECRETS,
    ask_about,
)
from panel.account_words import balances_words, checks_html, head_html, objection_words
from panel.asked import open_soon
from panel.commands import attempt, show_outcomes
from panel.facade import ControlPanel, PanelError
from panel.format import escape
from panel.layout import show_error
from panel.live import REFRESH_S, latest, show_staleness
from panel.ticker import countdown_html


@st.fragment(run_every=REFRESH_S)
def draw_accounts(panel: ControlPanel) -> None:
    """Every account, in the order in which they were added."""
    show_outcomes()
    open_soon()
    try:
        snapshot = latest("venue_accounts", panel.venue_accounts)
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    if not snapshot.value:
        st.info(
            "No account yet. Paper trading needs none; to trade at a venue, open Add an account"
            " below, choose the venue and enter a key that may read and trade.",
            icon=":material/key:",
        )
    for account in snapshot.value:
        with st.container(border=True, key=f"qd-venue-account-{account.id}", gap="small"):
            _draw_account(panel, account)


def _draw_account(panel: ControlPanel, account: VenueAccountView) -> None:
    st.html(head_html(account))
    if account.trouble:
        st.error(escape(account.trouble), icon=":material/key_off:")
    elif words := objection_words(account):
        st.warning(escape(words), icon=":material/block:")
    if account.has_login:
        _draw_login(account)
    st.html(checks_html(account) or "<span></span>")
    if words := balances_words(account):
        st.caption(escape(words))
    if account.bots:
        st.caption(f"Bots: {escape(', '.join(bot.name for bot in account.bots))}")
    _draw_buttons(panel, account)


def _draw_login(account: VenueAccountView) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if account.expires_at is not None and account.objection is None:
            until = countdown_html(account.expires_at)
            st.html(f"<span>The login ends in <b>{until}</b></span>", width="content")
        st.button(
            "Log in", icon=":material/login:", key=f"login-{account.id}", on_click=ask_about,
            args=(LOGIN, account.id), type="primary" if account.objection else "secondary",
        )  # fmt: skip


def _draw_buttons(panel: ControlPanel, account: VenueAccountView) -> None:
    with st.container(horizontal=True, gap="xsmall"):
        st.button(
            "Test now", icon=":material/network_check:", key=f"test-{account.id}",
            on_click=_test, args=(panel, account),
            help="Asks the venue about the key, the clock, the balance and the minimums",
        )  # fmt: skip
        for verb, icon in ((RENAME, "edit"), (SECRETS, "key"), (OPTIONS, "tune")):
            st.button(
                verb, icon=f":material/{icon}:", key=f"{verb}-{account.id}",
                on_click=ask_about, args=(verb, account.id),
            )  # fmt: skip
        if account.is_enabled:
            st.button(
                DISABLE, icon=":material/block:", key=f"{DISABLE}-{account.id}",
                on_click=ask_about, args=(DISABLE, account.id),
                help="No entries; exits and stops go on",
            )  # fmt: skip
        else:
            st.button(
                "Enable", icon=":material/check:", key=f"Enable-{account.id}",
                on_click=_enable, args=(panel, account), disabled=not account.is_usable,
                help=None if account.is_usable else "Test it first: the last test must go well",
            )  # fmt: skip
        st.button(
            DELETE, icon=":material/delete:", key=f"{DELETE}-{account.id}",
            on_click=ask_about, args=(DELETE, account.id), disabled=bool(account.bots),
            help="Delete its bots first" if account.bots else None,
        )  # fmt: skip


def _test(panel: ControlPanel, account: VenueAccountView) -> None:
    """A callback."""
    attempt(lambda: panel.test_account(account.id), f"{account.name} was tested.")


def _enable(panel: ControlPanel, account: VenueAccountView) -> None:
    """A callback."""
    attempt(lambda: panel.enable_account(account.id), f"{account.name} takes entries.")
