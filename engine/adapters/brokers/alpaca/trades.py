"""The account's list of trades, and of what moved cash without one: Alpaca's activities."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from engine.adapters.brokers.alpaca import reading as read
from engine.adapters.brokers.alpaca.client import NAME, AlpacaClient
from engine.adapters.brokers.alpaca.order_book import Facts, Orders
from engine.adapters.brokers.alpaca.reading import Row, understood
from engine.adapters.brokers.alpaca.reports import execution, flow
from engine.domain.accounts import Flow
from engine.domain.instruments import Instrument
from engine.domain.money import utc_text
from engine.domain.orders import Execution
from engine.errors import BrokerUnavailable

ACTIVITIES = "/account/activities"
FILLS = f"{ACTIVITIES}/FILL"
PAGE = 100  # activities of one answer, the most there are
MOST_PAGES = 200
MARGIN = timedelta(seconds=2)
BOOKED_LATE = timedelta(days=3)
"""Alpaca dates a fee or a dividend by its day and lists it in that evening, or after a weekend."""


class TradeList:
    """Reads activities page by page; ``orders`` tells whose a trade was. ``fee_bps`` are the
    account's rates of crypto, of a taker and of a maker."""

    def __init__(
        self, client: AlpacaClient, orders: Orders, fee_bps: tuple[Decimal, Decimal]
    ) -> None:
        self._client = client
        self._orders = orders
        self._fee_bps = fee_bps

    def since(self, instrument: Instrument, moment: datetime) -> list[Execution]:
        """Trades in a symbol at or after ``moment``, each once, oldest first. Raises
        BrokerUnavailable, AccessDenied."""
        lines = [
            line
            for page in self._pages(FILLS, moment - MARGIN)
            for line in understood(_of_symbol, page, instrument)
            if understood(read.moment, line, "transaction_time") >= moment
        ]
        numbers = [understood(read.words, line, "order_id") for line in lines]
        self._orders.learn(set(numbers), instrument.symbol, moment)
        trades = [
            self._trade(line, instrument, self._orders.find_facts(number))
            for line, number in zip(lines, numbers, strict=True)
        ]
        return sorted({one.trade_id: one for one in trades}.values(), key=lambda one: one.time)

    def of_order(self, order: Row, instrument: Instrument) -> list[Execution]:
        """The trades of one order. They may be fewer than it says: the list can be behind. Raises
        BrokerUnavailable, AccessDenied."""
        number = understood(read.words, order, "id")
        told = understood(read.amount, order, "filled_qty")
        if not told:
            return []
        found: dict[str, Execution] = {}
        for page in self._pages(FILLS, understood(read.taken_at, order) - MARGIN):
            for line in understood(_of_symbol, page, instrument):
                if line.get("order_id") == number:
                    trade = self._trade(line, instrument, self._orders.facts(order))
                    found[trade.trade_id] = trade
            if read.total([one.quantity for one in found.values()]) >= told:
                break
        return sorted(found.values(), key=lambda one: one.time)

    def flows(self, moment: datetime) -> list[Flow]:
        """What moved cash without a trade since ``moment``, and in the days before in case it was
        listed late. Raises BrokerUnavailable, AccessDenied."""
        pages = self._pages(ACTIVITIES, moment - BOOKED_LATE, category="non_trade_activity")
        return [one for page in pages for one in understood(_flows, page)]

    def _trade(self, line: Row, instrument: Instrument, facts: Facts | None) -> Execution:
        taker_bps, maker_bps = self._fee_bps
        moment = understood(read.moment, line, "transaction_time")
        fee_bps = maker_bps if facts is not None and facts.has_rested(moment) else taker_bps
        client_id = facts.client_id if facts is not None else ""
        return understood(execution, line, instrument, fee_bps, client_id)

    def _pages(self, path: str, after: datetime, **filters: str) -> Iterator[Sequence[Row]]:
        asked = {"after": utc_text(after), "direction": "asc", "page_size": PAGE, **filters}
        for _ in range(MOST_PAGES):
            page = understood(read.rows, self._client.ask(path, **asked))
            yield page
            if len(page) < PAGE:
                return
            asked["page_token"] = understood(read.words, page[-1], "id")
        raise BrokerUnavailable(f"{NAME}: the account has more activities than can be read.")


def _of_symbol(page: Sequence[Row], instrument: Instrument) -> list[Row]:
    """Raises Unreadable."""
    name = read.short(instrument.symbol)
    return [line for line in page if read.short(read.words(line, "symbol")) == name]


def _flows(page: Sequence[Row]) -> list[Flow]:
    return [one for line in page if (one := flow(line)) is not None]
