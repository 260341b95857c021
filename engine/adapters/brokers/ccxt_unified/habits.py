"""What ccxt's unified interface leaves different from exchange to exchange, as a table."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.errors import ConfigError

ESCAPES = {"-": "Z", ".": "Y", "_": "X"}
OURS = "qd-"
OURS_ESCAPED = "qdZ"


@dataclass(frozen=True)
class Habits:
    """An exchange's ways with orders' client ids, and ccxt's settings for it.

    ``finds_by_id``: its ``fetchOrder`` takes the client id, and what it says is final. Others are
    looked through list by list, by ``lists_by`` where the lists can be asked for one id.
    ``is_letters_only``: ids have letters and digits only. ``look_up`` goes with ``fetchOrder``.
    ``lists_to_now``: trades since a moment are told up to now, however long that is.
    """

    longest_id: int = 36
    is_letters_only: bool = False
    id_prefix: str = ""
    id_parameter: str = "clientOrderId"
    finds_by_id: bool = False
    lists_by: str = ""
    lists_to_now: bool = False
    look_up: Mapping[str, Any] = field(default_factory=dict)
    order: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def venue_id(self, client_id: str) -> str | None:
        """Our id in the exchange's spelling; None when it has no such spelling."""
        spelled = client_id
        if self.is_letters_only:
            if re.search("[XYZ]", client_id):
                return None
            for plain, escaped in ESCAPES.items():
                spelled = spelled.replace(plain, escaped)
        pattern = "[A-Za-z0-9]+" if self.is_letters_only else "[A-Za-z0-9._-]+"
        is_sound = re.fullmatch(pattern, spelled) and len(spelled) <= self.longest_id
        return spelled if is_sound else None

    def client_id(self, told: str) -> str:
        """An id that the exchange tells, in our spelling; somebody else's stays as it is."""
        spelled = told.removeprefix(self.id_prefix)
        if self.is_letters_only and spelled.startswith(OURS_ESCAPED):
            for plain, escaped in ESCAPES.items():
                spelled = spelled.replace(escaped, plain)
        return spelled


_LETTERS = Habits(longest_id=32, is_letters_only=True, finds_by_id=True)
_LIKE_BINANCE = Habits(
    finds_by_id=True,
    lists_to_now=True,
    options={"warnOnFetchOpenOrdersWithoutSymbol": False, "recvWindow": 10_000},
)
_BYBIT = Habits(lists_by="orderLinkId", look_up={"acknowledged": True})
HABITS: Mapping[str, Habits] = {
    "binance": _LIKE_BINANCE,
    "binanceus": _LIKE_BINANCE,
    "bybit": _BYBIT,
    "bybiteu": _BYBIT,
    "gate": Habits(longest_id=28, id_prefix="t-"),
    "kucoin": Habits(longest_id=40, finds_by_id=True),
    "mexc": Habits(longest_id=32, finds_by_id=True),
    "myokx": _LETTERS,
    "okx": _LETTERS,
    "okxus": _LETTERS,
}
TESTED = frozenset({"binance", "okx"})
"""The exchanges that the tests have a stand-in of."""
# An order whose answer is lost is found by its id, and there ours cannot be said.
WITHOUT_OUR_IDS: Mapping[str, str] = {
    "bitfinex": "whole numbers",
    "bitvavo": "UUIDs",
    "coinbaseexchange": "UUIDs",
    "kraken": "at most 18 characters",
    "krakenfutures": "UUIDs",
}


def habits_of(exchange_id: str) -> Habits:
    """By ccxt's id; the usual ones for an exchange that is not in the table. Raises ConfigError
    for one whose orders cannot carry our ids."""
    if exchange_id in WITHOUT_OUR_IDS:
        raise ConfigError(
            f"{exchange_id} takes {WITHOUT_OUR_IDS[exchange_id]} as ids of orders. Quarterdeck's "
            "are longer, and without them an order whose answer is lost could not be found again. "
            "Choose another exchange; its prices are there for bots on paper all the same.",
            field="exchange",
        )
    return HABITS.get(exchange_id, Habits())
