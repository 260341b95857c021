"""The Trades page: what is asked for, the totals by quote asset, and which page of them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import streamlit as st

from engine.contracts import BotView, PositionSide, TradeFilter, TradeTotals
from panel import filters
from panel.figures import Figure, draw_figures
from panel.format import NONE, exit_words, figure, percent
from panel.markup import gain_html

PAGE_SIZE = 100
EXIT_CODES = (
    "signal", "stop_loss", "take_profit", "trailing_stop", "time_limit", "roi", "stop", "kill",
)  # fmt: skip
EXIT_REASONS = {exit_words(code): code for code in EXIT_CODES}
"""What the filter offers, by its words."""

FILTER_KEYS = ("bot", "symbol", "strategy", "side", "exit", "from", "to")


def choose_trades(bots: Sequence[BotView]) -> TradeFilter | None:
    """Draw the filters, kept in the address, and answer what they ask for.

    A bot, symbol or strategy that is no longer in use can be typed. None, with the reason drawn,
    when the dates contradict each other.
    """
    row = st.container(horizontal=True, key="trade_filters")
    with row:
        bot = filters.pick("Bot", "bot", sorted(one.config.name for one in bots))
        symbol = filters.pick("Symbol", "symbol", sorted({one.config.symbol for one in bots}))
        strategy = filters.pick(
            "Strategy", "strategy", sorted({one.config.strategy for one in bots}),
            most=filters.MOST_STRATEGY,
        )  # fmt: skip
        side = filters.pick("Side", "side", [side.value for side in PositionSide], is_open=False)
        reason = filters.pick("Exit", "exit", list(EXIT_REASONS))
        first = filters.day("From (UTC)", "from")
        last = filters.day("To (UTC)", "to")
    if not filters.are_days_in_order(first, last):
        return None
    return TradeFilter(
        bot_id=bot,
        symbol=symbol,
        strategy=strategy,
        side=PositionSide(side) if side else None,
        exit_reason=EXIT_REASONS.get(reason, reason) if reason else None,
        since=filters.midnight(first) if first else None,
        until=filters.midnight(last + timedelta(days=1)) if last else None,
    )


def csv_name(chosen: TradeFilter, present: datetime) -> str:
    """The download's file name: what was filtered, and when."""
    parts = [chosen.bot_id, chosen.symbol, chosen.strategy]
    words = "-".join(part.replace("/", "").replace(" ", "_") for part in parts if part)
    return f"trades{f'-{words}' if words else ''}-{present.astimezone(UTC):%Y%m%dT%H%M%SZ}.csv"


def draw_totals(totals: Sequence[TradeTotals]) -> None:
    """One strip of figures a quote asset, which its first label names."""
    for total in totals:
        factor = NONE if total.profit_factor is None else f"{total.profit_factor:.2f}"
        draw_figures(
            (
                Figure(f"Trades in {total.quote}", f"{total.count:,}"),
                Figure("Win rate", percent(total.wins / total.count if total.count else None)),
                _gain("P&L", total.pnl, total.quote),
                Figure("Fees", figure(total.fees, total.quote)),
                Figure("Profit factor", factor),
                _gain("Best", total.best, total.quote),
                _gain("Worst", total.worst, total.quote),
            )
        )


def _gain(label: str, amount: Decimal, quote: str) -> Figure:
    return Figure(label, html=gain_html(amount, quote, is_named=False))
