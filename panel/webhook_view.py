"""A bot's address for signals: masked until a person asks, copied, and made anew."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape as html_escape

import streamlit as st

from engine.contracts.signals import RotateRequest, WebhookAddress, WebhookSecrets, WebhookView
from panel.asked import ask, asked, forget, forgetter, settled
from panel.commands import attempt
from panel.facade import ControlPanel, PanelError
from panel.figures import Figure, draw_figures
from panel.format import NONE, ago, duration, escape, moment, now
from panel.layout import show_error
from panel.live import REFRESH_S, latest, show_staleness

SHOWN = "webhook:shown"
ROTATE = "rotate"
ROTATE_WHAT = "rotate_what"
SLOW_REFRESH_S = 10.0
SHOWN_FOR_S = 300.0
"""How long a key stays on the screen: whoever walks by reads it, too."""

KINDS = {
    "public": ("From the internet", "what TradingView is given"),
    "inbox": ("The port for signals", "for your tunnel or reverse proxy; it takes nothing else"),
    "local": ("On this machine", "for programs that run here"),
}
PARTS = {
    "Address": RotateRequest(key=True, secret=False),
    "Signing secret": RotateRequest(key=False, secret=True),
    "Both": RotateRequest(),
}


@dataclass(frozen=True)
class Shown:
    """Secrets that a person asked for, and when; their repr tells neither."""

    secrets: WebhookSecrets
    at: datetime


def shown_secrets(bot_id: str) -> WebhookSecrets | None:
    """The key and the secret while they may be on the screen."""
    shown: Shown | None = st.session_state.get(SHOWN)
    if shown is None or shown.secrets.bot_id != bot_id:
        return None
    if (now() - shown.at).total_seconds() > SHOWN_FOR_S:
        del st.session_state[SHOWN]
        return None
    return shown.secrets


@st.fragment(run_every=REFRESH_S)
def live_ears(panel: ControlPanel, bot_id: str) -> None:
    """``draw_ears``, followed: the first test alert shows here."""
    try:
        snapshot = latest(f"webhook:{bot_id}", lambda: panel.webhook(bot_id))
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    draw_ears(snapshot.value)


def draw_ears(webhook: WebhookView) -> None:
    """Whether signals are taken, when the last one came, and what is missing."""
    if webhook.objection:
        st.warning(escape(webhook.objection), icon=":material/sensors_off:")
    draw_missing(webhook)
    expects = webhook.config.expect_every_s if webhook.config else None
    draw_figures(
        (
            Figure("Signals", "are taken" if webhook.is_open else "are not taken"),
            Figure("Last one", ago(webhook.last_signal_at, now())
                   if webhook.last_signal_at else "none yet"),
            Figure("Expected", f"every {duration(expects)}" if expects else NONE),
            Figure("Address since (UTC)", moment(webhook.created_at)),
        )
    )  # fmt: skip


@st.fragment(run_every=SLOW_REFRESH_S)
def live_missing(panel: ControlPanel) -> None:
    """Every signal that is missing, of any bot; nothing while none is."""
    try:
        snapshot = latest("webhooks", panel.webhooks)
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    for webhook in snapshot.value:
        draw_missing(webhook)


def draw_missing(webhook: WebhookView) -> None:
    """Say so when an expected signal did not come."""
    if webhook.missed_since is None:
        return
    expects = webhook.config.expect_every_s if webhook.config else None
    every = f" One is expected every {duration(expects)}." if expects else ""
    st.error(
        f"{escape(webhook.bot_name)} misses a signal since {moment(webhook.missed_since)} UTC"
        f" ({ago(webhook.missed_since, now())}).{every} Look at the alert at its sender, and"
        " whether this machine can be reached.",
        icon=":material/notification_important:",
    )


def draw_address(panel: ControlPanel, webhook: WebhookView) -> None:
    """The addresses, each to copy, and what shows or changes them."""
    secrets = shown_secrets(webhook.bot_id)
    addresses = secrets.addresses if secrets else webhook.addresses
    if not addresses:  # the engine gives it one within seconds; to show it makes it at once
        st.caption("It is new: its address is made when you show it.")
    _draw_addresses(addresses, is_shown=secrets is not None)
    is_signed = webhook.config is not None and webhook.config.signature.value != "none"
    if secrets and is_signed:
        st.caption("Signing secret")
        st.code(secrets.signing_secret, language=None, wrap_lines=True)
    with st.container(horizontal=True, gap="small"):
        if secrets:
            st.button("Hide", icon=":material/visibility_off:", key="webhook_hide", on_click=_hide)
        else:
            words = "Show address and secret" if is_signed else "Show the address"
            st.button(
                words, icon=":material/visibility:", key="webhook_show", on_click=_show,
                args=(panel, webhook.bot_id), type="primary",
                help="Whoever knows it may send signals. Showing it is written into the audit.",
            )  # fmt: skip
        st.button(
            "Make it anew", icon=":material/autorenew:", key="webhook_rotate", on_click=ask,
            args=(ROTATE, webhook.bot_id), help="When it may be known to somebody else",
        )  # fmt: skip


def _draw_addresses(addresses: Sequence[WebhookAddress], *, is_shown: bool) -> None:
    for address in addresses:
        title, purpose = KINDS[address.kind]
        st.caption(f"**{title}**: {purpose}")
        if is_shown:
            st.code(address.url, language=None, wrap_lines=True)
        else:  # a mask is nothing to copy or to follow
            st.html(f'<code class="qd-masked">{html_escape(address.url)}</code>')


def _show(panel: ControlPanel, bot_id: str) -> None:
    """A callback."""
    attempt(lambda: _keep(panel.webhook_secrets(bot_id)))


def _keep(secrets: WebhookSecrets) -> None:
    st.session_state[SHOWN] = Shown(secrets, now())


def _hide() -> None:
    """A callback."""
    st.session_state.pop(SHOWN, None)


# --- rotation ------------------------------------------------------------------------------------


def open_asked_rotation(panel: ControlPanel) -> None:
    """Open the dialog that asks before an address ends, until it is decided."""
    settled()
    bot_id = asked(ROTATE)
    if bot_id is None:
        return
    try:
        webhook = panel.webhook(bot_id)
    except PanelError as error:
        forget(ROTATE)
        show_error(error)
        return
    _rotate_dialog(panel, webhook)


@st.dialog("Make it anew", on_dismiss=forgetter(ROTATE))
def _rotate_dialog(panel: ControlPanel, webhook: WebhookView) -> None:
    st.markdown(
        f"**{escape(webhook.bot_name)}**: the old one ends at once. Every alert and program that"
        " uses it is refused until you give it the new one."
    )
    what = st.segmented_control(
        "What", list(PARTS), key=ROTATE_WHAT, default="Address", required=True
    )  # fmt: skip

    def act() -> None:
        request = PARTS[str(st.session_state[ROTATE_WHAT])]
        if attempt(lambda: _keep(panel.rotate_webhook(webhook.bot_id, request)),
                   "The old one has ended; the new one is shown."):  # fmt: skip
            forget(ROTATE)

    if st.button(
        f"Make {(what or 'Address').lower()} anew", type="primary", key="rotate_confirm",
        on_click=act,
    ):  # fmt: skip
        st.rerun()
