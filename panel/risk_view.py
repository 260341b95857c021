"""The Risk page: controls in force, a form to set one, and the gateway's limits against their
use."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape

import streamlit as st

from engine.contracts import BotView, KillLevel, KillSwitch, LimitUsage, ScopeKind
from panel.asked import ask, asked, forget, forgetter, settled
from panel.commands import attempt, show_outcomes
from panel.control_words import (
    COLOURS,
    LEVELS,
    SCOPES,
    in_force,
    is_breaker,
    origin_words,
    scope_words,
)
from panel.facade import ControlPanel, PanelError
from panel.format import escape as markdown_escape
from panel.format import money, quantity
from panel.layout import show_error
from panel.live import REFRESH_S, latest, show_staleness

SCOPE, KEY, LEVEL, REASON = "control_scope", "control_key", "control_level", "control_reason"
SETTING = "control"
MOST_ROWS = 60
TIGHT, NEARLY = Decimal("0.7"), Decimal("0.9")


@dataclass(frozen=True, slots=True)
class Wish:
    """A control that a person is about to set."""

    scope: ScopeKind
    key: str
    level: KillLevel
    reason: str


# --- controls
@st.fragment(run_every=REFRESH_S)
def draw_controls(panel: ControlPanel, names: dict[str, str]) -> None:
    """What is in force, the strongest first, each with its release."""
    show_outcomes()
    try:
        snapshot = latest("controls", panel.controls)
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    controls = in_force(snapshot.value)
    st.html(breaker_html(controls))
    if not controls:
        st.caption("No control is on: bots trade as their settings and the limits let them.")
    for control in controls:
        with st.container(
            border=True, key=f"qd-control-{control.scope.value}-{control.key}", horizontal=True,
            vertical_alignment="center",
        ):  # fmt: skip
            st.html(control_html(control, names))
            st.button(
                "Release", key=f"release-{control.scope.value}-{control.key}", on_click=_release,
                args=(panel, control, names), icon=":material/lock_open:",
            )  # fmt: skip


def breaker_html(controls: Sequence[KillSwitch]) -> str:
    """Whether the breaker has tripped, and how often."""
    tripped = sum(is_breaker(control) for control in controls)
    state = ("red", f"breaker tripped, {tripped}") if tripped else ("green", "breaker armed")
    words = (
        "Orders stormed or were refused one after the other; see below. Release it once you know"
        " why."
        if tripped
        else "It stops a bot or an account by itself when orders storm or are refused in a row."
    )
    return (
        f'<div class="qd-statusline"><span class="qd-state qd-{state[0]}">{state[1]}</span>'
        f'<span class="qd-quiet">{words}</span></div>'
    )


def control_html(control: KillSwitch, names: dict[str, str]) -> str:
    """A control: its level, what it is on, who set it when and why, and what it does."""
    title, effect = LEVELS[control.level]
    return (
        f'<div class="qd-finding"><div class="qd-statusline">'
        f'<span class="qd-state qd-{COLOURS[control.level]}">{escape(title)}</span>'
        f"<b>on {escape(scope_words(control, names))}</b>"
        f'<span class="qd-quiet">{escape(origin_words(control))}</span></div>'
        f'<div class="qd-quiet">{escape(effect)}</div></div>'
    )


def _release(panel: ControlPanel, control: KillSwitch, names: dict[str, str]) -> None:
    attempt(
        lambda: panel.set_control(control.scope, control.key, KillLevel.NONE),
        f"The control on {scope_words(control, names)} is released.",
    )


# --- setting one
def draw_form(panel: ControlPanel, bots: Sequence[BotView]) -> None:
    """What to stop, on what and why. Outside of the live parts: they would take the focus."""
    scope = st.segmented_control(
        "On", list(SCOPES), default=ScopeKind.BOT, required=True, key=SCOPE,
        format_func=SCOPES.__getitem__,
    ) or ScopeKind.BOT  # fmt: skip
    key = _draw_key(scope, bots)
    level = st.radio(
        "What should happen?", list(LEVELS), key=LEVEL,
        format_func=lambda one: LEVELS[one][0], captions=[words for _, words in LEVELS.values()],
    )  # fmt: skip
    reason = st.text_input(
        "Why", key=REASON, max_chars=300, placeholder="shown wherever the control is felt"
    )
    is_ready = bool(key) or scope is ScopeKind.EVERYTHING
    wish = Wish(scope, key, level, reason.strip())
    st.button(
        "Set it", type="primary", key="control_set", disabled=not is_ready,
        on_click=ask, args=(SETTING, True),
    )  # fmt: skip
    settled()
    if asked(SETTING) and is_ready:
        names = {bot.id: bot.config.name for bot in bots}
        _confirm_dialog(panel, wish, names)


def _draw_key(scope: ScopeKind, bots: Sequence[BotView]) -> str:
    names = {bot.id: f"{bot.config.name} ({bot.config.symbol})" for bot in bots}
    options: dict[ScopeKind, list[str]] = {
        ScopeKind.BOT: list(names),
        ScopeKind.ACCOUNT: sorted({bot.account_id for bot in bots}),
        ScopeKind.SYMBOL: sorted({bot.config.symbol for bot in bots}),
    }
    if scope is ScopeKind.EVERYTHING:
        st.caption("Every bot on every account: this is the kill switch.")
        return ""
    chosen: str | None = st.selectbox(
        f"Which {SCOPES[scope].lower()}", options[scope], key=f"{KEY}_{scope.value}",
        format_func=lambda one: names.get(one, one), index=None, placeholder="Choose",
        accept_new_options=scope is ScopeKind.SYMBOL,
    )  # fmt: skip
    return chosen or ""


@st.dialog("Set this control?", on_dismiss=forgetter(SETTING))
def _confirm_dialog(panel: ControlPanel, wish: Wish, names: dict[str, str]) -> None:
    title, effect = LEVELS[wish.level]
    about = KillSwitch(scope=wish.scope, key=wish.key, level=wish.level)
    st.markdown(
        f"**{title}** on {markdown_escape(scope_words(about, names))}. {effect} It stays on, over"
        " restarts too, until somebody releases it."
    )
    if st.button(title, type="primary", key="control_confirm", on_click=_set, args=(panel, wish)):
        st.rerun()


def _set(panel: ControlPanel, wish: Wish) -> None:
    forget(SETTING)
    attempt(
        lambda: panel.set_control(wish.scope, wish.key, wish.level, reason=wish.reason),
        "The control is on.",
    )


# --- limits
@st.fragment(run_every=REFRESH_S)
def draw_limits(panel: ControlPanel, names: dict[str, str]) -> None:
    """The limits of the gateway and how far they are used, the fullest first."""
    try:
        snapshot = latest("limits", panel.limits)
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    rows = sorted(snapshot.value, key=lambda row: (-row.fraction, row.name, row.key))
    if not rows:
        st.caption(
            "Nothing has been counted yet. The limits themselves are on the Settings page; no"
            " strategy can get around them."
        )
        return
    st.html(f'<div class="qd-limits">{"".join(limit_html(row, names) for row in rows[:MOST_ROWS])}'
            "</div>")  # fmt: skip
    if len(rows) > MOST_ROWS:
        st.caption(f"The fullest {MOST_ROWS} of {len(rows):,}.")


def limit_html(row: LimitUsage, names: dict[str, str]) -> str:
    """A limit as a bar: whose, what of it is used, in the colour of how near its end is."""
    share = max(Decimal(0), min(row.fraction, Decimal(1)))
    colour = "red" if share >= NEARLY else "orange" if share >= TIGHT else "green"
    whose = names.get(row.key, row.key) if row.scope is ScopeKind.BOT else row.key
    write = (lambda amount: money(amount, row.unit)) if row.unit else quantity
    return (
        f'<div class="qd-limit"><span><b>{escape(row.name)}</b> '
        f'<span class="qd-quiet">{escape(f"{SCOPES[row.scope].lower()} {whose}")}</span></span>'
        f"<span>{escape(write(row.used))} of {escape(write(row.limit))}"
        f' <b class="qd-{colour}">{row.fraction * 100:.0f} %</b></span>'
        f'<div class="qd-meter qd-{colour}" role="meter" aria-valuemin="0" aria-valuemax="100"'
        f' aria-valuenow="{share * 100:.0f}" aria-label="{escape(row.name)}">'
        f'<i style="width:{share * 100:.1f}%"></i></div></div>'
    )
