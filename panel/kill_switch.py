"""The kill switch: a button and its dialog on every page, and banners while controls are on."""

from collections.abc import Sequence

import streamlit as st

from engine.contracts import BotView, KillLevel, KillSwitch, ScopeKind
from panel.commands import attempt
from panel.control_words import LEVELS, in_force, is_breaker, origin_words, scope_words, touches
from panel.facade import ControlPanel, PanelError
from panel.format import escape

CHOSEN = "kill_level"
MOST_NAMED = 3


@st.fragment
def kill_button(panel: ControlPanel) -> None:
    """The button that opens the dialog; a fragment, so that nothing else is drawn first."""
    if st.button(
        "Kill switch",
        icon=":material/emergency_home:",
        key="kill_open",
        help="Stop all bots at once",
    ):
        _dialog(panel)


def control_banners(
    panel: ControlPanel, controls: Sequence[KillSwitch], bot: BotView | None = None
) -> None:
    """Say that controls are on: the kill switch with its release, and what else touches ``bot``
    (None: all there is), with the way to them."""
    found = in_force(controls)
    for control in found:
        if control.scope is ScopeKind.EVERYTHING:
            _kill_banner(panel, control)
    scoped = [
        control
        for control in found
        if control.scope is not ScopeKind.EVERYTHING and (bot is None or touches(control, bot))
    ]
    if scoped:
        bots = [bot] if bot is not None else _bots(panel, scoped)
        _scoped_banner(scoped, {one.id: one.config.name for one in bots})


def _bots(panel: ControlPanel, controls: Sequence[KillSwitch]) -> Sequence[BotView]:
    """Bots for their names, where a control is on one; ids must do while the engine refuses."""
    if not any(control.scope is ScopeKind.BOT for control in controls):
        return ()
    try:
        return panel.bots()
    except PanelError:
        return ()


def _kill_banner(panel: ControlPanel, kill: KillSwitch) -> None:
    title, effect = LEVELS[kill.level]
    origin = f" {escape(origin_words(kill))}" if origin_words(kill) else ""
    with st.container(key="qd-kill-banner", horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/emergency_home: **Kill switch: {title}**{origin}. {effect}")
        st.button("Release", key="kill_release", on_click=_set_level, args=(panel, KillLevel.NONE))


def _scoped_banner(controls: Sequence[KillSwitch], names: dict[str, str]) -> None:
    is_brief = len(controls) > 1  # the Risk page has the rest
    rows = [_scoped_words(control, names, is_brief) for control in controls[:MOST_NAMED]]
    more = len(controls) - MOST_NAMED
    rows += [f"{more} more"] if more > 0 else []
    with st.container(key="qd-controls-banner", horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/pan_tool: {'; '.join(rows)}.", width="stretch")
        st.page_link("pages/risk.py", label="Risk", icon=":material/shield:")


def _scoped_words(control: KillSwitch, names: dict[str, str], is_brief: bool) -> str:
    what = f"**{LEVELS[control.level][0]}** on {escape(scope_words(control, names))}"
    if is_brief:
        return f"{what} (breaker)" if is_breaker(control) else what
    return f"{what} {escape(origin_words(control))}".rstrip(" .")


@st.dialog("Kill switch")
def _dialog(panel: ControlPanel) -> None:
    st.markdown("It acts on every bot and stays on, over restarts too, until you release it.")
    st.radio(
        "What should happen now?",
        list(LEVELS),
        format_func=lambda level: LEVELS[level][0],
        captions=[effect for _, effect in LEVELS.values()],
        key=CHOSEN,
    )
    if st.button("Engage", type="primary", key="kill_engage", on_click=_engage, args=(panel,)):
        st.rerun()
    st.caption("For one account, bot or symbol only, see the Risk page.")


def _engage(panel: ControlPanel) -> None:
    _set_level(panel, st.session_state[CHOSEN])


def _set_level(panel: ControlPanel, level: KillLevel) -> None:
    done = "The kill switch is released." if level is KillLevel.NONE else "The kill switch is on."
    attempt(lambda: panel.set_kill_switch(level), done)
