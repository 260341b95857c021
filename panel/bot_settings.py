"""The Configuration tab: every setting of a bot in words."""

from collections.abc import Sequence
from decimal import Decimal
from html import escape
from typing import Any

import streamlit as st

from engine.contracts import BotConfig, BotView, Direction, EntryOrder, RoiStep, StrategyView
from panel.ai_draft import ai_rows
from panel.bot_view import market_name
from panel.facade import ControlPanel
from panel.format import duration, every, moment, money, percent
from panel.modes import money_words
from panel.signals_draft import listening_words
from panel.sleep_draft import hours_words, overnight_words

Row = tuple[str, str, str]
"""A setting's title, its value and a remark, as plain text."""

DIRECTIONS = {
    Direction.LONG: "long only", Direction.SHORT: "short only", Direction.BOTH: "long and short",
}  # fmt: skip


def draw_settings_tab(panel: ControlPanel, bot: BotView) -> None:
    """The settings in groups."""
    strategies = panel.strategies()
    strategy = next((one for one in strategies if one.id == bot.config.strategy), None)
    groups = (
        ("What it trades", _market_rows(bot)),
        (f"Strategy: {strategy.title if strategy else bot.config.strategy}",
         [*parameter_rows(bot.config.params, strategy), *ai_rows(bot.config)]),
        ("Size", _size_rows(bot.config, bot.quote)),
        ("Exits", exit_rows(bot.config)),
        ("History", _history_rows(bot)),
    )  # fmt: skip
    st.html("".join(_group(title, rows) for title, rows in groups))


def _market_rows(bot: BotView) -> list[Row]:
    config = bot.config
    return [
        ("Market", market_name(bot), f"account {bot.account_id}, {money_words(bot.mode)}"),
        ("Symbol", config.symbol, ""),
        ("Direction", DIRECTIONS[config.direction], ""),
        ("Candles", config.timeframe, ""),
        ("Checked", every(config.interval_s), ""),
        ("Own hours", hours_words(config), ""),
        ("Market hours", "followed" if config.follow_market else "not followed", ""),
        ("Over night", overnight_words(config), ""),
        ("Signals from outside", *listening_words(config)),
    ]


def parameter_rows(params: dict[str, Any], strategy: StrategyView | None) -> list[Row]:
    """The strategy's parameters: those set, and the defaults of the others."""
    fields: dict[str, Any] = strategy.parameters.get("properties", {}) if strategy else {}
    names = [*fields, *(name for name in params if name not in fields)]
    rows = []
    for name in names:
        field = fields.get(name, {})
        value = params.get(name, field.get("default"))
        remark = field.get("description", "")
        rows.append((field.get("title") or name, str(value), remark))
    return rows or [("Parameters", "none", "")]


def _size_rows(config: BotConfig, quote: str) -> list[Row]:
    later = (
        "all proceeds of earlier trades are used again"
        if config.reinvest
        else "the same amount for every trade"
    )
    entries = "one at a time" if config.max_entries == 1 else f"up to {config.max_entries}"
    return [
        ("Trade amount", money(config.amount, quote), later),
        ("Entries per position", entries, ""),
        ("Entry order", entry_words(config), ""),
        ("Routing", *routing_words(config)),
        ("Starting capital", money(config.starting_capital, quote), ""),
    ]


def entry_words(config: BotConfig) -> str:
    """How entries are sent: ``at the market``, or the limit order's terms."""
    if config.entry_order is EntryOrder.MARKET:
        return "at the market"
    offset = config.limit_offset_bps / 10_000
    where = f"{percent(offset)} better than the price" if offset else "at the price"
    return f"limit {where}, taken back after {duration(config.entry_timeout_s)}"


def routing_words(config: BotConfig) -> tuple[str, str]:
    """Where entries may go, and when a venue is left out."""
    rules = config.routing
    if rules is None:
        return "off", "entries go to the bot's own account"
    names = ", ".join(rules.markets)
    return (
        f"also to {names}",
        f"fee at most {rules.max_extra_fee_bps:f} bps more, prices at most {rules.max_age_s:g} s"
        f" old, a second of latency costs {rules.latency_bps_per_s:f} bps",
    )


def exit_rows(config: BotConfig) -> list[Row]:
    """When a position is closed whatever the strategy says."""
    limit = config.time_limit_s
    return [
        ("Stop loss", _fraction(config.stop_loss), "from the average entry price"),
        ("Take profit", _fraction(config.take_profit), "from the average entry price"),
        ("Trailing stop", _fraction(config.trailing_stop), "from the best price since the entry"),
        ("Time limit", duration(limit) if limit else "none", ""),
        ("ROI steps", "; ".join(map(_roi_words, config.roi_steps)) or "none", ""),
    ]


def _fraction(value: Decimal | None) -> str:
    return "none" if value is None else percent(value)


def _roi_words(step: RoiStep) -> str:
    return f"{percent(step.profit)} once {duration(step.after_s)} old"


def _history_rows(bot: BotView) -> list[Row]:
    return [
        ("Created", f"{moment(bot.created_at)} UTC", ""),
        ("Last started", _time(bot.started_at), ""),
        ("Last checked", _time(bot.checked_at), ""),
        ("Candles decided until", _time(bot.decided_until), ""),
        ("Strategy errors in a row", str(bot.strategy_errors), "three stop the bot"),
        ("ID", bot.id, ""),
    ]


def _time(at: Any) -> str:
    return f"{moment(at)} UTC" if at else "never"


def _group(title: str, rows: Sequence[Row]) -> str:
    cells = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}"
        f"{f'<small>{escape(remark)}</small>' if remark else ''}</dd></div>"
        for name, value, remark in rows
    )
    return f'<section class="qd-settings"><h4>{escape(title)}</h4><dl>{cells}</dl></section>'
