"""Lists of records as tables: numbers sort as numbers and read with sign, unit and colour."""

import functools
import zlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeVar

import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from engine.contracts import AuditEntry, Fill, Order, PositionView, Trade
from panel.format import NONE, duration, exit_words, figure, moment, percent, price, quantity
from panel.palette import DOWN, UP

R = TypeVar("R")

ROW_PX = 30
MOST_PX = 720
HELD_PX = 92
"""A span in two units; the table measures its first rows only, which may be shorter."""


@dataclass(frozen=True, slots=True)
class Column(Generic[R]):
    """A column: how a record gives its value, and how that is read."""

    title: str
    value: Callable[[R], object]
    read: Callable[[Any], str] | None = None
    is_gain: bool = False
    quote: Callable[[R], str] | None = None
    """For amounts: the asset, which decides how many digits are read."""
    width_px: int | None = None
    """Where the first rows, which the table measures, may be shorter than others."""


def table_px(rows: int, most: int = MOST_PX) -> int:
    """The height of a table that shows its rows without empty space, up to a limit."""
    return min(ROW_PX * (rows + 1) + 3, most)


def draw_records(records: Sequence[R], columns: Sequence[Column[R]], *, key: str) -> None:
    """Draw a table as high as its rows, up to a limit."""
    st.dataframe(
        records_table(records, columns),
        hide_index=True,
        row_height=ROW_PX,
        placeholder=NONE,
        height=table_px(len(records)),
        column_config=column_widths(columns),
        key=key,
    )


def column_widths(columns: Sequence[Column[Any]]) -> dict[str, Any]:
    """The ``column_config`` of those that have a width of their own."""
    return {
        one.title: st.column_config.Column(width=one.width_px) for one in columns if one.width_px
    }


def table_key(name: str, rows: Sequence[object]) -> str:
    """A key of a table whose rows can be marked: other rows begin unmarked."""
    return f"{name}_{zlib.crc32(repr(rows).encode()):08x}"


def records_table(records: Sequence[R], columns: Sequence[Column[R]]) -> Styler:
    """One row a record, in the order given; a missing value is an en dash."""
    titles = [column.title for column in columns]
    rows = [[column.value(record) for column in columns] for record in records]
    style = pd.DataFrame(rows, columns=titles).style
    readers: dict[Any, Any] = {column.title: column.read for column in columns if column.read}
    style = style.format(readers, na_rep=NONE)
    for column in columns:
        if column.quote is not None:
            quotes = [column.quote(record) for record in records]
            style = format_amounts(style, column.title, quotes, is_signed=column.is_gain)
    gains: list[Hashable] = [column.title for column in columns if column.is_gain]
    return style.map(_gain_style, subset=gains) if gains else style


def format_amounts(style: Styler, title: str, quotes: Sequence[str], *, is_signed: bool) -> Styler:
    """Write a column's amounts as the asset of each row is read."""
    for quote in set(quotes):
        rows: Any = [at for at, one in enumerate(quotes) if one == quote]
        read = functools.partial(_amount, quote=quote, is_signed=is_signed)
        style = style.format(read, subset=(rows, [title]), na_rep=NONE)
    return style


def _gain_style(value: object) -> str:
    amount = value if isinstance(value, float) else 0.0
    return f"color: {UP}" if amount > 0 else f"color: {DOWN}" if amount < 0 else ""


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _amount(value: float, quote: str, *, is_signed: bool) -> str:
    return figure(Decimal(repr(value)), quote, is_signed=is_signed)


def _share(value: float) -> str:
    return percent(value, is_signed=True)


def _average(value: float) -> str:
    """A price that comes of a division: eight significant digits."""
    return price(float(f"{value:.8g}"))


def _quote(record: PositionView | Trade) -> str:
    return record.quote


POSITION_COLUMNS: tuple[Column[PositionView], ...] = (
    Column("Opened (UTC)", lambda one: one.opened_at, moment),
    Column("Symbol", lambda one: one.symbol),
    Column("Side", lambda one: one.side.value),
    Column("Quantity", lambda one: float(one.quantity), quantity),
    Column("Average entry", lambda one: float(one.average_price), _average),
    Column("Last price", lambda one: _number(one.last_price), price),
    Column("Open P&L", lambda one: _number(one.unrealised_pnl), is_gain=True, quote=_quote),
    Column("Open %", lambda one: _number(one.unrealised_fraction), _share, is_gain=True),
    Column("Stop", lambda one: _number(one.stop_price), price),
    Column("Target", lambda one: _number(one.target_price), price),
    Column("Entries", lambda one: one.entry_count),
    Column("Fees", lambda one: float(one.fees), quote=_quote),
)

BOT_TRADE_COLUMNS: tuple[Column[Trade], ...] = (
    Column("Closed (UTC)", lambda one: one.exit_time, moment),
    Column("P&L", lambda one: float(one.pnl), is_gain=True, quote=_quote),
    Column("Return", lambda one: float(one.return_fraction), _share, is_gain=True),
    Column("Side", lambda one: one.side.value),
    Column("Quantity", lambda one: float(one.quantity), quantity),
    Column("Entry", lambda one: float(one.entry_price), _average),
    Column("Exit", lambda one: float(one.exit_price), _average),
    Column("Fees", lambda one: float(one.fees), quote=_quote),
    Column(
        "Held",
        lambda one: (one.exit_time - one.entry_time).total_seconds(),
        duration,
        width_px=HELD_PX,
    ),
    Column("Exit reason", lambda one: exit_words(one.exit_reason)),
)
TRADE_COLUMNS: tuple[Column[Trade], ...] = (
    Column("Bot", lambda one: one.bot_name),
    *BOT_TRADE_COLUMNS[:3],
    Column("Symbol", lambda one: one.symbol),
    *BOT_TRADE_COLUMNS[3:],
    Column("Strategy", lambda one: one.strategy),
)

ORDER_COLUMNS: tuple[Column[Order], ...] = (
    Column("Placed (UTC)", lambda one: one.created_at, moment),
    Column("Side", lambda one: one.side.value),
    Column("Purpose", lambda one: one.purpose.value),
    Column("Type", lambda one: one.type.value.replace("_", " ")),
    Column("State", lambda one: one.state.value.replace("_", " ")),
    Column("Quantity", lambda one: _number(one.quantity), quantity),
    Column("Amount", lambda one: _number(one.quote_amount), quantity),
    Column("Filled", lambda one: float(one.filled), quantity),
    Column("Limit", lambda one: _number(one.price), price, width_px=92),
    Column("Stop", lambda one: _number(one.stop_price), price, width_px=92),
    Column("Lasts", lambda one: one.time_in_force.value.upper()),
    Column("Why", lambda one: exit_words(one.reason)),
    Column("Error", lambda one: one.error),
    Column("Account", lambda one: one.account_id),
    Column("Routed because", lambda one: one.routing.reason if one.routing else ""),
    Column("Client order id", lambda one: one.client_id),
    Column("Venue order id", lambda one: one.venue_id),
)

FILL_COLUMNS: tuple[Column[Fill], ...] = (
    Column("Time (UTC)", lambda one: one.time, moment),
    Column("Side", lambda one: one.side.value),
    Column("Purpose", lambda one: one.purpose.value),
    Column("Price", lambda one: float(one.price), price),
    Column("Quantity", lambda one: float(one.quantity), quantity),
    Column("Fee", lambda one: float(one.fee), quantity),
    Column("Fee asset", lambda one: one.fee_asset),
    Column("Client order id", lambda one: one.client_id),
    Column("Venue trade id", lambda one: one.trade_id),
)

AUDIT_COLUMNS: tuple[Column[AuditEntry], ...] = (
    Column("Time (UTC)", lambda one: one.time, moment),
    Column("Who", lambda one: one.actor),
    Column("What", lambda one: one.action.replace("_", " ")),
    Column("Detail", lambda one: words(one.detail)),
    Column("Digest", lambda one: one.digest[:12]),
)


def words(values: dict[str, Any]) -> str:
    """Named values on one line: ``close 64250.1, size 1``; floats to eight significant digits."""
    return ", ".join(f"{name.replace('_', ' ')} {_short(value)}" for name, value in values.items())


def _short(value: Any) -> str:
    return f"{value:.8g}" if isinstance(value, float) else str(value)
