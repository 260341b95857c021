"""The Bot page's head: which bot, what it is doing, and what can be done with it."""

import html
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from engine.contracts import ACTIVE_STATES, BotView
from panel.bot_commands import command_buttons
from panel.commands import attempt
from panel.data_words import check_label, data_words, reason_words
from panel.facade import ControlPanel, EngineRefused, PanelError
from panel.figures import Figure, draw_figures
from panel.format import ago, escape, every, money, now, price, state_colour, state_of
from panel.halted import halted_banner
from panel.layout import show_error
from panel.live import REFRESH_S, latest, show_staleness
from panel.markup import gain_html
from panel.modes import LIVE, mode_html, money_words
from panel.ticker import countdown_html

NOT_FOUND = 404
CLONE_NAME = "clone_name"
CLONE_CONFIRM = "clone_confirm_name"


def asked_bot(bots: Sequence[BotView]) -> BotView | None:
    """The bot that the address names by id or name; the first when it names none."""
    asked = st.query_params.get("bot")
    if asked is None:
        return bots[0] if bots else None
    return next((bot for bot in bots if asked in (bot.id, bot.config.name)), None)


def choose_bot(bots: Sequence[BotView], shown: BotView | None) -> None:
    """The list to switch to another bot; the address follows."""
    ids = [bot.id for bot in bots]
    names = {bot.id: bot.config.name for bot in bots}
    key = f"bot_choice_{shown.id if shown else ''}"
    st.selectbox(
        "Bot",
        ids,
        index=ids.index(shown.id) if shown else None,
        format_func=names.__getitem__,
        placeholder="Choose a bot",
        key=key,
        on_change=_switch,
        args=(key,),
        label_visibility="collapsed",
        width=240,
    )


def _switch(key: str) -> None:
    st.query_params["bot"] = st.session_state[key]


def draw_commands(panel: ControlPanel, bot: BotView) -> None:
    """Start, pause, stop, edit, clone and delete; what cannot be done now says why."""
    is_active = bot.state in ACTIVE_STATES
    command_buttons(bot)
    if st.button(
        "Edit", icon=":material/edit:", key="edit", disabled=is_active,
        help="Stop the bot to change it" if is_active else None,
    ):  # fmt: skip
        st.switch_page("pages/create.py", query_params={"edit": bot.id})
    if st.button("Clone", icon=":material/content_copy:", key="clone"):
        _clone_dialog(panel, bot)
    obstacle = _delete_obstacle(bot)
    if st.button(
        "Delete", icon=":material/delete:", key="delete", disabled=bool(obstacle),
        help=obstacle or None,
    ):  # fmt: skip
        _delete_dialog(panel, bot)


def _delete_obstacle(bot: BotView) -> str:
    """Why the bot cannot be deleted now; empty when it can."""
    if bot.state in ACTIVE_STATES:
        return "Stop the bot first"
    return "It holds a position: start it, then stop it with closing" if bot.position else ""


@st.dialog("Clone bot")
def _clone_dialog(panel: ControlPanel, bot: BotView) -> None:
    st.markdown("The copy has the same settings, no trades, and does not run.")
    st.text_input("Name of the copy", f"{bot.config.name} copy"[:40], max_chars=40, key=CLONE_NAME)
    if bot.mode == LIVE:
        st.markdown(f"It trades {money_words(LIVE)}: type the copy's name once more.")
        st.text_input("Name of the copy, to confirm", max_chars=40, key=CLONE_CONFIRM)
    if st.button("Clone", type="primary", key="clone_confirm", on_click=_clone, args=(panel, bot)):
        st.rerun()


def _clone(panel: ControlPanel, bot: BotView) -> None:
    name = st.session_state[CLONE_NAME].strip()

    def copy() -> None:
        confirm = str(st.session_state.get(CLONE_CONFIRM) or "").strip()
        st.query_params["bot"] = panel.clone_bot(bot.id, name, confirm_name=confirm).id

    attempt(copy, f"{name} is a copy of {bot.config.name}.")


@st.dialog("Delete bot")
def _delete_dialog(panel: ControlPanel, bot: BotView) -> None:
    st.markdown(f"Delete **{escape(bot.config.name)}** with its settings? Its trades are kept.")
    if st.button(
        "Delete for good", type="primary", key="delete_confirm", on_click=_delete, args=(panel, bot)
    ):
        st.rerun()


def _delete(panel: ControlPanel, bot: BotView) -> None:
    if attempt(lambda: panel.delete_bot(bot.id), f"{bot.config.name} is deleted."):
        st.query_params.pop("bot", None)


@st.fragment(run_every=REFRESH_S)
def live_summary(panel: ControlPanel, drawn: BotView) -> None:
    """State, reason and key figures; redraws the page when its buttons no longer fit."""
    try:
        snapshot = latest(f"bot:{drawn.id}", lambda: panel.bot(drawn.id))
    except PanelError as error:
        if isinstance(error, EngineRefused) and error.status == NOT_FOUND:
            st.rerun()
        show_error(error)
        return
    bot = snapshot.value
    if not snapshot.error and _buttons_of(bot) != _buttons_of(drawn):
        st.rerun()
    show_staleness(snapshot)
    halted_banner([bot])
    st.html(_headline(bot))
    draw_figures(_figures(bot))


def _buttons_of(bot: BotView) -> tuple[object, ...]:
    """What the page outside of the live parts depends on."""
    return state_of(bot), bot.state, bot.position is None, bot.config


def _headline(bot: BotView) -> str:
    config, state = bot.config, state_of(bot)
    badge = f'<span class="qd-state qd-{state_colour(state)}">{html.escape(state)}</span>'
    about = (
        config.symbol, config.timeframe, config.strategy, market_name(bot),
        f"checked {every(config.interval_s)}",
    )  # fmt: skip
    said = dict.fromkeys(filter(None, (reason_words(bot), data_words(bot, now()))))
    reason = "".join(f'<span class="qd-why">{html.escape(words)}</span>' for words in said)
    return (
        f'<div class="qd-statusline">{mode_html(bot.mode)}{badge}{reason}'
        f'<span class="qd-quiet">{html.escape(" · ".join(about))}</span></div>'
    )


def market_name(bot: BotView) -> str:
    """A bot's market in short: a replay without its path, an account by its name."""
    market = bot.config.market
    kind, _, rest = market.partition(":")
    if bot.account_name:
        return bot.account_name if kind == "account" else f"paper at {bot.account_name}"
    return f"{kind} {Path(rest).name}".strip() if kind == "replay" else market


def _figures(bot: BotView) -> list[Figure]:
    won = f", {bot.win_count:,} won" if bot.trade_count else ""
    return [
        Figure("Equity", money(bot.equity, bot.quote)),
        Figure("Today", html=gain_html(bot.today_pnl, bot.quote)),
        Figure("Open P&L", html=gain_html(bot.unrealised_pnl, bot.quote)),
        Figure("Realised", html=gain_html(bot.realised_pnl, bot.quote)),
        Figure("Trades", f"{bot.trade_count:,}{won}"),
        Figure("Last price", price(bot.last_price)),
        Figure(check_label(bot), html=countdown_html(bot.next_check_at)),
        Figure("Newest candle", ago(bot.live.newest_candle_at, now())),
    ]
