"""An opened account of stocks or of crypto at the loopback Alpaca, and orders for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal as D
from typing import Any, NamedTuple

from engine.adapters.brokers.alpaca.broker import AlpacaBroker
from engine.domain.instruments import InstrumentKind
from engine.domain.orders import OcoRequest, OrderReport, OrderRequest, OrderType, Side
from engine.ports import MarketData
from tests.contract.alpaca_venue import AlpacaVenue, alpaca_venue
from tests.fakes.alpaca import AlpacaExchange
from tests.fakes.clock import FakeClock

PLACE = "POST /v2/orders"
LONG_AGO = timedelta(days=30)


class Account(NamedTuple):
    """An account, its prices, and the exchange and the clock behind both."""

    venue: AlpacaVenue
    exchange: AlpacaExchange
    clock: FakeClock
    broker: AlpacaBroker
    market: MarketData


@contextmanager
def open_account(kind: InstrumentKind = InstrumentKind.STOCK) -> Iterator[Account]:
    """An account in trading hours, its listing known, until the end of the block."""
    with alpaca_venue(kind) as venue:
        connection = venue.connect()
        assert isinstance(connection.broker, AlpacaBroker)
        connection.market.instruments()
        yield Account(venue, venue.exchange, venue.clock, connection.broker, connection.market)
        connection.close()


def order(client_id: str = "a", **fields: Any) -> OrderRequest:
    """Ten shares of AAPL at the market unless told otherwise."""
    told: dict[str, Any] = {"symbol": "AAPL", "side": Side.BUY, "quantity": D(10)} | fields
    return OrderRequest(client_id=client_id, **told)


def resting(client_id: str = "r", **fields: Any) -> OrderRequest:
    """A limit order far below the price."""
    return order(client_id, type=OrderType.LIMIT, price=D(150), **fields)


def pair(target: str = "qd-1-p0t", stop: str = "qd-1-p0s") -> OcoRequest:
    """A target and a stop for ten shares."""
    common: dict[str, Any] = {"side": Side.SELL, "reduce_only": True}
    return OcoRequest(
        group_id="qd-1-p0",
        limit=order(target, type=OrderType.LIMIT, price=D(220), **common),
        stop=order(stop, type=OrderType.STOP, stop_price=D(180), **common),
    )


def found(account: Account, client_id: str) -> OrderReport:
    """The order as Alpaca has it."""
    report = account.broker.find_order(client_id, "AAPL")
    assert report is not None
    return report
