"""Create bot: a guided form from market to review; with ``?edit=ID`` the same form edits a bot."""

import streamlit as st

from panel.ai_form import draw_ai, draw_ai_review
from panel.bot_draft import DEFAULTS, PRESETS, auto_name, body_of, draft_of
from panel.bot_form import BotForm, keep_draft, key_of, load_draft, read_draft, use_preset
from panel.bot_review import SAVED, draw_buttons, draw_review
from panel.facade import ControlPanel, PanelError
from panel.format import escape
from panel.layout import page_header, show_error
from panel.live_money import draw_confirmation
from panel.routing_form import draw_routing
from panel.session import control_panel
from panel.signals_form import draw_signals
from panel.sleep_form import draw_sleep
from panel.symbols import find_symbols, names_in_use


def draw_page(panel: ControlPanel, bot_id: str | None) -> None:
    """The form on the left, what it would mean on the right."""
    if bot_id:
        load_draft(bot_id, draft_of(panel.bot(bot_id).config))
    else:
        load_draft("new", DEFAULTS)
        draw_presets()
    form = BotForm(panel.markets(), panel.strategies())
    left, right = st.columns([1.75, 1], gap="medium")
    with left:
        draw_sections(panel, form)
        draft = read_draft()
        name = draft["name"].strip()
        if not name:
            name = auto_name(draft["strategy"] or "", draft["symbol"] or "", names_in_use(panel))
            st.caption(f"Without a name it will be called {escape(name)}.")
    with right, st.container(border=True, key="qd-review"):
        st.subheader("Review", anchor=False)
        draw_confirmation(form.mode(draft["market"]), name)
        draw_buttons(panel, name, bot_id)
        unplaced = form.show_errors(draw_review(panel, body_of(draft, name), bot_id))
        draw_ai_review(panel, draft)
        for detail in unplaced:
            st.error(escape(f"{detail.field}: {detail.message}"), icon=":material/error:")
    keep_draft()


def draw_presets() -> None:
    """Where to begin: a demo that trades at once, or a calm pace."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("Begin with")
        for name in PRESETS:
            st.button(name, key=f"preset_{name}", on_click=use_preset, args=(name,))
        st.caption("The demo decides every second, so that trades are seen within a minute.")


def draw_sections(panel: ControlPanel, form: BotForm) -> None:
    """Market to name, each in its frame."""
    with st.container(border=True):
        st.markdown("**1  Market and symbol**")
        market = form.draw_market()
        symbol = form.draw_symbol(find_symbols(panel, market))
    with st.container(border=True):
        st.markdown("**2  Strategy**")
        form.draw_strategy()
        draw_ai(form)
    with st.container(border=True):
        st.markdown("**3  Timing**")
        form.draw_timing(market)
        draw_sleep(form)
    with st.container(border=True):
        st.markdown("**4  Size and direction**")
        form.draw_sizing(symbol)
        form.draw_entry_order()
        draw_routing(form, panel, market, symbol)
    with st.container(border=True):
        st.markdown("**5  Exits**")
        form.draw_exits()
    with st.container(border=True):
        st.markdown("**6  Signals**")
        draw_signals(form)
    with st.container(border=True):
        st.markdown("**7  Name**")
        st.text_input(
            "Name", key=key_of("name"), max_chars=40, label_visibility="collapsed",
            placeholder="Name of the bot",
        )  # fmt: skip
        form.slot("name")


control = control_panel()
edited = st.query_params.get("edit")
saved = st.session_state.pop(SAVED, None)
if saved:
    st.switch_page("pages/bot.py", query_params=saved)
page_header("Edit bot" if edited else "Create bot", control)
try:
    draw_page(control, edited)
except PanelError as refusal:
    show_error(refusal)
