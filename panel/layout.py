"""What every page begins with: title, mode, the engine's state, the kill switch."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from engine.contracts import BotView, KillLevel, KillSwitch
from panel.commands import show_outcomes
from panel.control_words import in_force
from panel.facade import ControlPanel, EngineOff, EngineSilent, PanelError
from panel.format import escape as markdown_escape
from panel.kill_switch import control_banners, kill_button
from panel.live import REFRESH_S, STALE_AFTER_S, latest
from panel.modes import mode_html
from panel.navigation import ensure_navigation
from panel.style import apply_style
from panel.ticker import age_html, run_ticker

DRAWN_CONTROLS = "header:controls"
IS_FIRST_DRAW = "header:first_draw"


def page_header(
    title: str, panel: ControlPanel, *, bot: BotView | None = None, has_banner: bool = True
) -> None:
    """Draw the head of a page, with the controls that touch ``bot`` (None: all of them). Stops the
    page when the engine refuses this panel."""
    ensure_navigation()
    apply_style()
    st.session_state[IS_FIRST_DRAW] = True
    show_outcomes()
    try:
        controls = latest("controls", panel.controls).value
    except PanelError as error:
        st.header(title, anchor=False)
        _heartbeat(panel)
        show_error(error)
        st.stop()
    st.session_state[DRAWN_CONTROLS] = _signature(controls)
    with st.container(key="qd-header", horizontal=True, vertical_alignment="center"):
        st.header(title, anchor=False, width="content")
        with st.container(key="qd-status", width="stretch"):
            _heartbeat(panel)
        with st.container(width="content"):
            kill_button(panel)
    if has_banner:
        control_banners(panel, controls, bot)


def show_error(error: PanelError) -> None:
    """Draw a failure as a failure, in the engine's words."""
    st.error(markdown_escape(error.message), icon=":material/error:")


@st.fragment(run_every=REFRESH_S)
def _heartbeat(panel: ControlPanel) -> None:
    """The engine's state and the age of its heartbeat; redraws the page when that must change."""
    is_first_draw = st.session_state.pop(IS_FIRST_DRAW, False)
    show_outcomes()
    try:
        health = panel.health()
        controls = _signature(panel.controls())
    except EngineSilent as error:
        _status_line("silent", "Engine does not answer", error.message)
        return
    except EngineOff as error:
        if not is_first_draw:
            st.rerun()  # app.py then shows how to start it
        _status_line("silent", "Engine is off", error.message)
        return
    except PanelError as error:
        _status_line("silent", "Engine refuses this panel", error.message)
        return
    if controls != st.session_state.get(DRAWN_CONTROLS, ()):
        st.rerun()
    run_ticker()
    _status_line("on", "Engine on", f"Version {health.version}", age_html(health.heartbeat_at),
                 health.modes)  # fmt: skip


def _signature(controls: Sequence[KillSwitch]) -> tuple[tuple[str, str, KillLevel], ...]:
    """What banners depend on."""
    return tuple((one.scope.value, one.key, one.level) for one in in_force(controls))


def _status_line(
    state: str, words: str, hint: str, age: str = "", modes: Sequence[str] = ()
) -> None:
    stale = f" Marked when older than {STALE_AFTER_S:.0f} s." if age else ""
    shown_age = f'<span class="qd-quiet" title="Age of the data.{stale}">data {age} old</span>'
    badges = "".join(mode_html(mode) for mode in modes)
    st.html(
        f'<div class="qd-statusline">{badges}'
        f'<span class="qd-engine qd-engine-{state}" title="{escape(hint)}">{words}</span>'
        f"{shown_age if age else ''}</div>"
    )
