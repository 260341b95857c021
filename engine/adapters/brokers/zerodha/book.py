"""The day's order book and trades, as far as they are of one account's exchange and product."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from pydantic import ValidationError

from engine.adapters.brokers.zerodha import reading as read
from engine.adapters.brokers.zerodha.client import NAME, KiteClient
from engine.adapters.brokers.zerodha.options import ZerodhaOptions
from engine.adapters.brokers.zerodha.tags import find_client_id, tag_of
from engine.domain.orders import TERMINAL, Execution, OrderReport, VenueFill
from engine.errors import BrokerUnavailable

T = TypeVar("T")


class DayBook:
    """Finds orders by their client ids, which Kite does not know: by labels made from them."""

    def __init__(self, client: KiteClient, options: ZerodhaOptions) -> None:
        self._client = client
        self._options = options
        self._hashed: dict[str, str] = {}  # client ids that their labels do not tell, as learned

    def orders(self) -> Sequence[read.Row]:
        """The day's orders. Raises BrokerUnavailable, AccessDenied."""
        return self._own_lines("orders")

    def trades(self, symbol: str) -> list[Execution]:
        """The day's trades in a symbol, oldest first. Raises BrokerUnavailable, AccessDenied."""
        found = believed(lambda: read.executions(self._own_lines("trades")))
        return [trade for trade in found if trade.symbol == symbol]

    def _own_lines(self, name: str) -> Sequence[read.Row]:
        """The lines of a list that are of this account's exchange and product. One that does not
        say whose it is, or what of, could hide an order: none is believed then."""
        lines = self._client.ask(name)
        own = (self._options.exchange, self._options.product)
        return believed(
            lambda: [
                line
                for line in read.rows(lines)
                if (read.words(line, "exchange"), read.words(line, "product")) == own
                and read.words(line, "order_id")
                and read.words(line, "tradingsymbol")
            ]
        )

    def find(self, client_id: str, symbol: str) -> read.Row | None:
        """The newest order of the day with the id's label, or with the id for its number."""
        tag = tag_of(client_id)
        if find_client_id(tag) is None:
            self._hashed[tag] = client_id
        found = [
            line
            for line in self.orders()
            if line.get("tradingsymbol") == symbol
            and (line.get("tag") == tag or line.get("order_id") == client_id)
        ]
        return believed(lambda: max(found, key=_place)) if found else None

    def client_id(self, line: read.Row) -> str:
        """Its client id; Kite's own number for an order that is not ours."""
        tag = line.get("tag")
        known = None
        if isinstance(tag, str):
            known = find_client_id(tag) or self._hashed.get(tag)
        return known or believed(lambda: read.words(line, "order_id"))

    def report(self, line: read.Row, client_id: str) -> OrderReport:
        """An order with all its fills. Raises BrokerUnavailable, AccessDenied."""

        def reading() -> OrderReport:
            fills: Sequence[Execution] = ()
            if read.amount(line, "filled_quantity"):
                order_id = read.words(line, "order_id")
                fills = read.executions(read.rows(self._client.ask("order_trades", order_id)))
                if any(fill.venue_id != order_id for fill in fills):
                    raise read.Unreadable("the trades are of another order")
            fields = set(VenueFill.model_fields)
            own = [VenueFill.model_validate(fill.model_dump(include=fields)) for fill in fills]
            return read.report(line, client_id, own)

        return believed(reading)


def is_over(line: read.Row) -> bool:
    """Whether an order is done, by its status alone. Raises BrokerUnavailable."""
    return believed(lambda: read.state_of(line)) in TERMINAL


def _place(line: read.Row) -> tuple[datetime, str]:
    """Where an order stands in the order of the day."""
    return read.moment(line, "order_timestamp"), read.words(line, "order_id")


def believed(reading: Callable[[], T]) -> T:
    """An answer to a question, or BrokerUnavailable when it cannot be believed."""
    try:
        return reading()
    except (read.Unreadable, ValidationError) as error:
        raise BrokerUnavailable(f"{NAME}: an answer cannot be read: {error}") from error
