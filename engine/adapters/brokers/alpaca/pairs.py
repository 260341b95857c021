"""Pairs of orders, which Alpaca knows by one client id: finding either by an id of ours."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from engine.adapters.brokers.alpaca import reading as read
from engine.adapters.brokers.alpaca.client import NAME, AlpacaClient
from engine.adapters.brokers.alpaca.reading import Row, understood
from engine.adapters.brokers.alpaca.reports import told_in_pair
from engine.domain.money import utc_text
from engine.errors import BrokerUnavailable
from engine.ports import Clock

PAGE = 500  # orders of one answer, the most there are
MOST_PAGES = 40
OLDEST = timedelta(days=91)
"""Alpaca itself cancels what was placed 90 days ago."""


class Orders:
    """Reads lists of orders, and remembers which orders make a pair."""

    def __init__(self, client: AlpacaClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._numbers: dict[str, str] = {}  # the venue's id by ours
        self._ids: dict[str, str] = {}  # ours by the venue's

    def find(self, client_id: str, symbol: str) -> Row | None:
        """One of a pair by its client id; None only when no pair has it. Raises
        BrokerUnavailable, AccessDenied."""
        if client_id not in self._numbers:
            self._look_for_pairs(symbol)
        number = self._numbers.get(client_id)
        return None if number is None else self.get(number)

    def get(self, number: str) -> Row:
        """An order by Alpaca's id. Raises NotFound, BrokerUnavailable, AccessDenied."""
        return understood(read.row, self._client.ask(f"/orders/{number}"))

    def id_of(self, order: Row) -> str:
        """The id an order is known by here. Raises BrokerUnavailable, AccessDenied."""
        number = understood(read.words, order, "id")
        if number not in self._ids and order.get("order_class") == "oco":
            self._look_for_pairs(understood(read.words, order, "symbol"))
        return self._ids.get(number) or understood(read.words, order, "client_order_id")

    def remember(self, orders: Sequence[Row]) -> None:
        """Note the pairs among orders that were told with their legs. Raises BrokerUnavailable."""
        for client_id, order in understood(told_in_pair, orders).items():
            number = understood(read.words, order, "id")
            self._numbers[client_id] = number
            self._ids[number] = client_id

    def listed(self, **filters: str) -> list[Row]:
        """All orders that a filter lets through, oldest first. Raises BrokerUnavailable."""
        asked: dict[str, Any] = {"limit": PAGE, "direction": "asc", **filters}
        found: dict[str, Row] = {}
        for _ in range(MOST_PAGES):
            page = understood(read.rows, self._client.ask("/orders", **asked))
            found |= {understood(read.words, one, "id"): one for one in page}
            if len(page) < PAGE:
                return list(found.values())
            asked["after"] = understood(read.words, page[-1], "submitted_at")
        raise BrokerUnavailable(f"{NAME}: there are more orders than can be read.")

    def _look_for_pairs(self, symbol: str) -> None:
        since = utc_text(self._clock.now() - OLDEST)
        self.remember(self.listed(status="all", nested="true", symbols=symbol, after=since))
