"""The account's orders: found by ids of ours, also those of pairs, which Alpaca knows by one id."""

from collections.abc import Sequence, Set
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from engine.adapters.brokers.alpaca import reading as read
from engine.adapters.brokers.alpaca.client import NAME, AlpacaClient
from engine.adapters.brokers.alpaca.reading import Row, understood
from engine.adapters.brokers.alpaca.reports import legs_of, told_in_pair
from engine.domain.money import utc_text
from engine.domain.orders import OrderType
from engine.errors import BrokerUnavailable, NotFound
from engine.ports import Clock

PAGE = 500  # orders of one answer, the most there are
MOST_PAGES = 40
OLDEST = timedelta(days=91)
"""Alpaca itself cancels what was placed 90 days ago."""

AT_ONCE = timedelta(seconds=1)
DAY = timedelta(days=1)
FEW = 3
TIE = timedelta(milliseconds=1)


class Facts(NamedTuple):
    """What never changes about an order."""

    client_id: str
    type: OrderType
    taken_at: datetime

    def has_rested(self, moment: datetime) -> bool:
        """Whether what it traded at a moment was on offer before: a limit order that did not trade
        when it came. Alpaca does not tell who made a trade and who took it."""
        return self.type is OrderType.LIMIT and moment - self.taken_at > AT_ONCE


class Orders:
    """Reads orders, and remembers what never changes about them."""

    def __init__(self, client: AlpacaClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._numbers: dict[str, str] = {}  # the venue's id by ours
        self._ids: dict[str, str] = {}  # ours by the venue's
        self._facts: dict[str, Facts] = {}

    def find(self, client_id: str, symbol: str) -> Row | None:
        """One of a pair by its client id; None only when no pair has it. Raises
        BrokerUnavailable, AccessDenied."""
        if client_id not in self._numbers:
            self._look_for_pairs(symbol)
        number = self._numbers.get(client_id)
        try:
            return None if number is None else self.get(number)
        except NotFound:
            return None

    def get(self, number: str) -> Row:
        """An order by Alpaca's id. Raises NotFound, BrokerUnavailable, AccessDenied."""
        return understood(read.row, self._client.ask(f"/orders/{number}"))

    def facts(self, order: Row) -> Facts:
        """What never changes about an order. Raises BrokerUnavailable, AccessDenied."""
        number = understood(read.words, order, "id")
        if number not in self._facts:
            self._facts[number] = Facts(
                self.id_of(order),
                understood(read.one_of, order, "type", read.TYPES),
                understood(read.taken_at, order),
            )
        return self._facts[number]

    def learn(self, numbers: Set[str], symbol: str, since: datetime) -> None:
        """List orders of a symbol where many are not known, instead of asking for each. Raises
        BrokerUnavailable, AccessDenied."""
        if len(numbers - self._facts.keys()) <= FEW:
            return
        after = utc_text(since - DAY)
        listed = self.listed(status="all", nested="true", symbols=symbol, after=after)
        self.remember(listed)
        for order in listed:
            for one in (order, *understood(legs_of, order)):
                self.facts(one)

    def find_facts(self, number: str) -> Facts | None:
        """The same by Alpaca's id; None when it has the order no more."""
        try:
            return self._facts.get(number) or self.facts(self.get(number))
        except NotFound:
            return None

    def id_of(self, order: Row) -> str:
        """The id an order is known by here. Raises BrokerUnavailable, AccessDenied."""
        number = understood(read.words, order, "id")
        told = understood(read.words, order, "client_order_id")
        if order.get("order_class") != "oco":
            return told
        if number not in self._ids:
            self._look_for_pairs(understood(read.words, order, "symbol"))
        return self._ids.setdefault(number, told)  # somebody else's pair is looked for once

    def with_legs(self, order: Row) -> Row:
        """A pair just taken, whose answer may be without the second order. Raises NotFound,
        BrokerUnavailable, AccessDenied."""
        if understood(legs_of, order):
            return order
        number = understood(read.words, order, "id")
        return understood(read.row, self._client.ask(f"/orders/{number}", nested="true"))

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
            known = len(found)
            found |= {understood(read.words, one, "id"): one for one in page}
            if len(page) < PAGE:
                return list(found.values())
            if len(found) == known:
                break
            newest = understood(read.taken_at, page[-1])
            asked["after"] = utc_text(newest - TIE)  # others may have been taken at that moment
        raise BrokerUnavailable(f"{NAME}: there are more orders than can be read.")

    def _look_for_pairs(self, symbol: str) -> None:
        since = utc_text(self._clock.now() - OLDEST)
        self.remember(self.listed(status="all", nested="true", symbols=symbol, after=since))
