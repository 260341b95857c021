"""What candle files of other programs look like: one row a format."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

ROLES = ("time", "open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class TextFormat:
    """How a format is known and read.

    With a header: it has all names of ``signature`` (lower case). Without: it has one of ``widths``
    columns and its first cell matches ``first_cell``. ``columns`` are the places of the roles,
    names or numbers; a role with several candidates takes the first that is there. ``date`` and
    ``clock`` are joined where a time is written in two columns.
    """

    name: str
    title: str
    columns: Mapping[str, tuple[str | int, ...]]
    signature: frozenset[str] = frozenset()
    widths: tuple[int, ...] = ()
    first_cell: str = ""
    notes: tuple[str, ...] = ()

    @property
    def has_header(self) -> bool:
        """Whether the first line has names."""
        return bool(self.signature)


ORDINARY: Mapping[str, tuple[str | int, ...]] = {
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v", "volume btc", "base volume", "tick_volume"),
}
BROKER_TIME = "Times are the broker's own, taken as UTC: MetaTrader writes no time zone"

FORMATS: tuple[TextFormat, ...] = (
    TextFormat(
        "metatrader5", "MetaTrader 5 export",
        {"date": ("<date>",), "clock": ("<time>",), "open": ("<open>",), "high": ("<high>",),
         "low": ("<low>",), "close": ("<close>",), "volume": ("<tickvol>", "<vol>")},
        signature=frozenset({"<date>", "<open>", "<close>"}), notes=(BROKER_TIME,),
    ),
    TextFormat(
        "yahoo", "Yahoo download", {**ORDINARY, "time": ("date",)},
        signature=frozenset({"date", "open", "high", "low", "close", "adj close"}),
        notes=("Prices are not adjusted for dividends: the column Adj Close is not used",),
    ),
    TextFormat(
        "binance", "Binance klines with a header", {**ORDINARY, "time": ("open_time", "open time")},
        signature=frozenset({"open", "high", "low", "close", "close_time"}),
    ),
    TextFormat(
        "two_columns", "CSV with a date and a time",
        {**ORDINARY, "date": ("date",), "clock": ("time",)},
        signature=frozenset({"date", "time", "open", "high", "low", "close"}),
    ),
    TextFormat(
        "tradingview", "TradingView export", {**ORDINARY, "time": ("time",)},
        signature=frozenset({"time", "open", "high", "low", "close"}),
    ),
    TextFormat(
        "plain", "CSV with a header",
        {**ORDINARY, "time": ("timestamp", "datetime", "unix", "unix timestamp", "epoch",
                              "open_time", "open time", "date", "t", "")},
        signature=frozenset({"open", "high", "low", "close"}),
    ),
    TextFormat(
        "short", "CSV with a header of single letters",
        {**ORDINARY, "time": ("t", "time", "timestamp", "date")},
        signature=frozenset({"o", "h", "l", "c"}),
    ),
    TextFormat(
        "binance_klines", "Binance klines without a header",
        {"time": (0,), "open": (1,), "high": (2,), "low": (3,), "close": (4,), "volume": (5,)},
        widths=(11, 12), first_cell=r"\d{10,16}",
    ),
    TextFormat(
        "metatrader4", "MetaTrader 4 export",
        {"date": (0,), "clock": (1,), "open": (2,), "high": (3,), "low": (4,), "close": (5,),
         "volume": (6,)},
        widths=(7,), first_cell=r"\d{4}\.\d\d\.\d\d", notes=(BROKER_TIME,),
    ),
    TextFormat(
        "no_header", "CSV without a header",
        {"time": (0,), "open": (1,), "high": (2,), "low": (3,), "close": (4,), "volume": (5,)},
        widths=(5, 6), first_cell=r"\d.*",
    ),
)  # fmt: skip
"""In the order in which they are tried: the particular before the general."""


def find_format(cells: list[str], has_header: bool) -> TextFormat | None:
    """The first format that the first line fits."""
    names = {cell.strip().lower() for cell in cells}
    for one in FORMATS:
        if has_header != one.has_header:
            continue
        if has_header and one.signature <= names:
            return one
        if not has_header and len(cells) in one.widths and re.fullmatch(one.first_cell, cells[0]):
            return one
    return None
