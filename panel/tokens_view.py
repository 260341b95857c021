"""API tokens on the Settings page: what other programs may do, made and revoked in dialogs."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from engine.contracts.tokens import NewToken, Scope, TokenView
from panel.account_form import remember_refusal, show_refusal
from panel.asked import ask, asked, forget, settled
from panel.commands import say_done
from panel.facade import ControlPanel, PanelError
from panel.format import escape, moment

ASKED = "api_token"
NEW, REVOKE = "New token", "Revoke"
PREFIX = "api_token_"
NAME, SCOPES, EXPIRY, RATE = (f"{PREFIX}{one}" for one in ("name", "scopes", "expiry", "rate"))
MADE = f"{PREFIX}made"

SCOPE_WORDS = {
    Scope.READ: "read: see everything but secrets",
    Scope.SIGNALS: "signals: send signals and prices, fetch orders for MetaTrader",
    Scope.TRADE: "trade: start, stop and change bots, place orders, the kill switch",
    Scope.ADMIN: "admin: all of these, and accounts, settings, tokens, the engine",
}
EXPIRIES: dict[str, int | None] = {
    "in 30 days": 30, "in 90 days": 90, "in a year": 365, "never": None,
}  # fmt: skip
DEFAULT_RATE = 600


def draw_tokens(panel: ControlPanel) -> None:
    """The tokens there are, and the button that makes one."""
    tokens = panel.tokens()
    valid = [token for token in tokens if token.is_valid]
    ended = [token for token in tokens if not token.is_valid]
    if not valid:
        st.caption(
            "No other program has access. Make a token for a script or another device; the panel"
            " and the commands on this machine need none."
        )
    for token in valid:
        with st.container(border=True, key=f"qd-token-{token.id}", gap="xxsmall"):
            _draw_token(token)
    st.button(NEW, icon=":material/add:", key=f"{PREFIX}new", on_click=_ask_new)
    if ended:
        with st.expander(f"Revoked or expired: {len(ended)}"):
            _draw_ended(ended)


def _draw_token(token: TokenView) -> None:
    st.markdown(f"**{escape(token.name)}** · {escape(', '.join(token.scopes))}")
    st.caption(
        f"Last used {_when(token.last_used_at)} · expires {_when(token.expires_at)}"
        f" · {token.rate_per_minute:,} requests a minute"
    )
    st.button(
        REVOKE, icon=":material/block:", key=f"{PREFIX}revoke-{token.id}",
        on_click=ask, args=(ASKED, (REVOKE, token.id)),
    )  # fmt: skip


def _draw_ended(tokens: Sequence[TokenView]) -> None:
    for token in tokens:
        ended = (
            f"revoked {_when(token.revoked_at)}"
            if token.revoked_at
            else f"expired {_when(token.expires_at)}"
        )
        st.caption(f"{escape(token.name)}: {ended}, last used {_when(token.last_used_at)}")


def _when(at: datetime | None) -> str:
    return "never" if at is None else f"{moment(at)} UTC"


# --- dialogs --------------------------------------------------------------------------------------


def open_asked_dialog(panel: ControlPanel) -> None:
    """Open the dialog that was asked for, until it is decided."""
    settled()
    about = asked(ASKED)
    if about is None:
        return
    verb, token_id = about
    if verb == NEW:
        _new(panel)
        return
    token = next((one for one in panel.tokens() if one.id == token_id and one.is_valid), None)
    if token is None:
        _dismiss()
        st.toast("That token opens nothing any more.", icon=":material/info:")
        return
    _revoke(panel, token)


def _ask_new() -> None:
    _forget_typed()
    ask(ASKED, (NEW, ""))


def _dismiss() -> None:
    """A token's text does not outlive its dialog."""
    forget(ASKED)
    _forget_typed()


def _forget_typed() -> None:
    for key in (NAME, SCOPES, EXPIRY, RATE, MADE):
        st.session_state.pop(key, None)


@st.dialog(NEW, on_dismiss=_dismiss)
def _new(panel: ControlPanel) -> None:
    if asked(ASKED) is None:
        st.rerun()  # done: the page closes it
    made: NewToken | None = st.session_state.get(MADE)
    if made is not None:
        _show_made(made)
        return
    show_refusal()
    with st.form(f"{PREFIX}form", border=False, enter_to_submit=False):
        st.text_input(
            "Name", key=NAME, max_chars=40, placeholder="tablet-1",
            help="The audit trail tells by it what the token was used for",
        )  # fmt: skip
        st.multiselect(
            "May", list(Scope), default=[Scope.READ], key=SCOPES,
            format_func=lambda scope: SCOPE_WORDS[scope],
        )  # fmt: skip
        st.selectbox("Expires", list(EXPIRIES), index=1, key=EXPIRY)
        st.number_input(
            "Requests a minute", min_value=1, max_value=1_000_000, value=DEFAULT_RATE, key=RATE
        )
        st.form_submit_button(
            "Make the token", type="primary", key=f"{PREFIX}make", on_click=_make, args=(panel,)
        )


def _make(panel: ControlPanel) -> None:
    """A callback. What was typed is kept when the engine refuses."""
    state = st.session_state
    request = {
        "name": str(state[NAME]).strip(), "scopes": list(state[SCOPES]),
        "rate_per_minute": int(state[RATE]), "expires_in_days": EXPIRIES[state[EXPIRY]],
    }  # fmt: skip
    try:
        state[MADE] = panel.create_token(request)
    except PanelError as error:
        remember_refusal(error)


def _show_made(made: NewToken) -> None:
    st.markdown(f"**{escape(made.token.name)}** is made. Copy its text now:")
    st.code(made.text, language=None, wrap_lines=True)
    st.warning(
        "It is not shown again: the engine keeps only its fingerprint. A program sends it as"
        " `Authorization: Bearer …`.",
        icon=":material/key:",
    )
    st.button("Done", type="primary", key=f"{PREFIX}done", on_click=_dismiss)


@st.dialog("Revoke the token?", on_dismiss=_dismiss)
def _revoke(panel: ControlPanel, token: TokenView) -> None:
    show_refusal()
    st.markdown(
        f"Whatever uses **{escape(token.name)}** is refused from now on, for good. Last used:"
        f" {_when(token.last_used_at)}."
    )
    if st.button(
        "Revoke for good", type="primary", key=f"{PREFIX}revoke", on_click=_end, args=(panel, token)
    ) and asked(ASKED) is None:  # fmt: skip
        st.rerun()


def _end(panel: ControlPanel, token: TokenView) -> None:
    """A callback."""
    try:
        panel.revoke_token(token.id)
    except PanelError as error:
        remember_refusal(error)
        return
    _dismiss()
    say_done(f"{token.name} opens nothing any more.")
