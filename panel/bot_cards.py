"""A bot as a card: state, figures, a sparkline, its buttons. Drawn inside a live fragment."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from engine.contracts import BotView, PositionView
from panel.bot_commands import command_buttons
from panel.data_words import check_label, data_words, reason_words
from panel.format import NONE, now, percent, price, quantity
from panel.markup import NO_BREAK, gain_html, sparkline_html, state_html
from panel.ticker import countdown_html

CARD_PX = 300


def draw_cards(bots: Sequence[BotView]) -> None:
    """A responsive grid of cards."""
    with st.grid(min_column_width=CARD_PX, gap="xsmall", key="qd-cards"):
        for bot in bots:
            with st.container(
                border=True, key=f"qd-card-{bot.id}", gap="xxsmall", height="stretch"
            ):
                _draw_card(bot)


def _draw_card(bot: BotView) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", wrap=False):
        st.page_link(
            "pages/bot.py", label=f"**{bot.config.name}**", query_params={"bot": bot.id},
            width="stretch",
        )  # fmt: skip
        st.html(state_html(bot), width="content")
    st.html(card_html(bot))
    with st.container(horizontal=True, gap="xsmall"):
        command_buttons(bot)


def card_html(bot: BotView) -> str:
    """Everything on a card but its name and its buttons."""
    config = bot.config
    market = bot.account_name or config.market.split(":", 1)[0]
    about = f"{config.symbol} · {config.timeframe} · {config.strategy} · {market}"
    said = dict.fromkeys(filter(None, (reason_words(bot), data_words(bot, now()))))
    reason = "".join(
        f'<div class="qd-reason" title="{escape(words)}">{escape(words)}</div>' for words in said
    )
    figures = (
        ("Last price", price(bot.last_price)),
        (check_label(bot), countdown_html(bot.next_check_at)),
        ("Position", escape(position_words(bot.position).replace("@ ", f"@{NO_BREAK}"))),
        ("Open P&amp;L", _open_pnl(bot)),
        ("Realised", gain_html(bot.realised_pnl, bot.quote)),
        ("Trades", f"{bot.trade_count}, {bot.win_count} won" if bot.trade_count else "none yet"),
    )
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in figures)
    return (
        f'<div class="qd-card"><div class="qd-quiet">{escape(about)}</div>{reason}'
        f'<dl class="qd-figures">{cells}</dl>{sparkline_html(bot.sparkline)}</div>'
    )


def position_words(position: PositionView | None) -> str:
    """A position in short: ``long 0.01 @ 64,250``."""
    if position is None:
        return "flat"
    return f"{position.side.value} {quantity(position.quantity)} @ {price(position.average_price)}"


def _open_pnl(bot: BotView) -> str:
    if bot.position is None or bot.position.unrealised_pnl is None:
        return NONE
    part = percent(bot.position.unrealised_fraction, is_signed=True)
    return gain_html(bot.position.unrealised_pnl, bot.quote, f" ({part})")
