"""Bot: everything about one bot, named by ``?bot=``, live."""

import streamlit as st

from engine.contracts import BotView, EventFilter
from panel.bot_settings import draw_settings_tab
from panel.bot_signals import draw_signals_tab
from panel.bot_tabs import (
    draw_audit_tab,
    draw_chart_tab,
    draw_trades_tab,
)  # fmt: skip
from panel.bot_view import asked_bot, choose_bot, draw_commands, live_summary
from panel.decision_trace import draw_decisions
from panel.facade import ControlPanel, PanelError
from panel.figures import apply_details_style
from panel.format import escape
from panel.layout import page_header, show_error
from panel.live_money import open_asked_start
from panel.logs_view import draw_events
from panel.orders_tab import draw_orders_tab
from panel.position_tab import draw_positions_tab
from panel.session import control_panel


def draw_logs_tab(panel: ControlPanel, bot: BotView) -> None:
    """The bot's own events."""
    draw_events(panel, EventFilter(bot_id=bot.id), {bot.id: bot.config.name})


TABS = {
    "Chart": draw_chart_tab,
    "Positions": draw_positions_tab,
    "Orders": draw_orders_tab,
    "Trades": draw_trades_tab,
    "Signals": draw_signals_tab,
    "Logs": draw_logs_tab,
    "Why?": draw_decisions,
    "Configuration": draw_settings_tab,
    "Audit": draw_audit_tab,
}


def draw_page(panel: ControlPanel, bots: list[BotView], bot: BotView | None) -> None:
    """Which bot, its head, and the open tab."""
    open_asked_start(panel)
    if not bots:
        st.info("There is no bot yet.")
        st.page_link("pages/create.py", label="Create a bot", icon=":material/add_circle:")
        return
    with st.container(horizontal=True, key="bot_commands"):
        choose_bot(bots, bot)
        if bot is not None:
            draw_commands(panel, bot)
    if bot is None:
        st.error(f"There is no bot '{escape(st.query_params['bot'])}'. Choose one of the list.")
        return
    live_summary(panel, bot)
    for tab, draw in zip(
        st.tabs(list(TABS), key="tab", bind="query-params"), TABS.values(), strict=True
    ):
        if tab.open:
            with tab:
                draw(panel, bot)


control = control_panel()
try:
    all_bots = control.bots()
except PanelError as silence:
    page_header("Bot", control)
    show_error(silence)
    st.stop()
shown = asked_bot(all_bots)
page_header(escape(shown.config.name) if shown else "Bot", control, bot=shown)
apply_details_style()
try:
    draw_page(control, all_bots, shown)
except PanelError as refusal:
    show_error(refusal)
