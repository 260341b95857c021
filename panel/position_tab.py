"""The Positions tab of a bot: what it holds, how that is protected, and closing a part of it."""

from datetime import datetime
from decimal import Decimal
from html import escape

import streamlit as st

from engine.contracts import BotView, PositionView
from panel.asked import ask, asked, forget, forgetter, settled
from panel.commands import attempt, show_outcomes
from panel.facade import ControlPanel, PanelError
from panel.format import ago, duration, moment, money, now, price, quantity
from panel.format import escape as markdown_escape
from panel.layout import show_error
from panel.live import REFRESH_S, latest, show_staleness
from panel.record_tables import POSITION_COLUMNS, draw_records

FRACTIONS = tuple(Decimal(part) / 100 for part in (25, 50, 75, 100))
CHOSEN = "close_fraction"
CLOSING = "closing"


def draw_positions_tab(panel: ControlPanel, bot: BotView) -> None:
    """The open position at the present price; its closing stays outside of the live part."""
    _live_position(panel, bot)
    if bot.position is None:
        forget(CLOSING)
        return
    st.button(
        "Close a part or all", icon=":material/output:", key="position_close",
        on_click=ask, args=(CLOSING, bot.id),
    )  # fmt: skip
    settled()
    if asked(CLOSING) == bot.id:
        _close_dialog(panel, bot, bot.position)


@st.fragment(run_every=REFRESH_S)
def _live_position(panel: ControlPanel, bot: BotView) -> None:
    show_outcomes()
    try:
        snapshot = latest(f"bot:{bot.id}", lambda: panel.bot(bot.id))
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    position = snapshot.value.position
    if position is None:
        st.info("The bot holds nothing.")
        return
    st.html(protection_html(position, now()))
    draw_records([position], POSITION_COLUMNS, key="positions")


def protection_html(position: PositionView, present: datetime) -> str:
    """Whether the position's stop rests at the venue, since when, and what that means."""
    colour, badge, words = _protection(position, present)
    return (
        f'<div class="qd-statusline"><span class="qd-state qd-{colour}">{escape(badge)}</span>'
        f"<span>{escape(words)}</span></div>"
    )


def _protection(position: PositionView, present: datetime) -> tuple[str, str, str]:
    if position.unprotected_since is not None:
        lasted = duration((present - position.unprotected_since).total_seconds())
        return (
            "red", f"unprotected for {lasted}",
            "Its stop should rest at the venue and does not. The engine watches it, tries again,"
            " and closes the position when that does not help.",
        )  # fmt: skip
    if position.protected_at is not None:
        return (
            "green", "protected",
            f"Its stop rests at the venue since {moment(position.protected_at)} UTC"
            f" ({ago(position.protected_at, present)}): it works with the engine off, too.",
        )  # fmt: skip
    if position.stop_price is None:
        return "orange", "no stop", "Nothing limits the loss of this position but the strategy."
    return (
        "blue", "watched",
        "The engine watches its stop on live prices. Nothing rests at the venue: with the engine"
        " off it is not watched.",
    )  # fmt: skip


@st.dialog("Close the position", on_dismiss=forgetter(CLOSING))
def _close_dialog(panel: ControlPanel, bot: BotView, position: PositionView) -> None:
    st.markdown(
        f"**{markdown_escape(bot.config.name)}** is {position.side.value}"
        f" {quantity(position.quantity)} {markdown_escape(bot.base)} at an average of"
        f" {price(position.average_price)}."
    )
    fraction = st.segmented_control(
        "How much", FRACTIONS, default=FRACTIONS[-1], required=True, key=CHOSEN,
        format_func=_share,
    ) or FRACTIONS[-1]  # fmt: skip
    st.markdown(markdown_escape(close_words(position, fraction, bot.base)))
    if st.button(
        f"Close {_share(fraction)} at the market", type="primary", key="close_confirm",
        on_click=_close, args=(panel, bot),
    ):  # fmt: skip
        st.rerun()


def _share(fraction: Decimal) -> str:
    return f"{fraction * 100:.0f} %"


def close_words(position: PositionView, fraction: Decimal, base: str) -> str:
    """What closing a part comes to at the last price."""
    part = position.quantity * fraction
    words = f"About {quantity(part)} {base} is traded at the market, now."
    if position.last_price is None or position.unrealised_pnl is None:
        return f"{words} There is no price at the moment to say what it comes to."
    result = position.unrealised_pnl * fraction
    left = "" if fraction == 1 else f" {_share(1 - fraction)} of it stays, with its stop."
    return (
        f"{words} At the last price, {price(position.last_price)}, that is about"
        f" {money(part * position.last_price, position.quote)}, a result of"
        f" {money(result, position.quote, is_signed=True)} so far, before the fee.{left}"
    )


def _close(panel: ControlPanel, bot: BotView) -> None:
    fraction = st.session_state[CHOSEN]
    forget(CLOSING)
    attempt(
        lambda: panel.close_position(bot.id, fraction),
        f"{_share(fraction)} of the position is being closed.",
    )
