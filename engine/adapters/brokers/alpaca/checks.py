"""What Alpaca would surely refuse, refused before it is sent."""

from decimal import Decimal

from engine.adapters.brokers.alpaca.client import NAME
from engine.adapters.brokers.alpaca.hours import MarketHours
from engine.adapters.brokers.alpaca.orders import is_off_grid
from engine.domain.instruments import Instrument, InstrumentKind
from engine.domain.matching import AT_ONCE, objection
from engine.domain.money import text, utc_text
from engine.domain.orders import OrderRequest, OrderType
from engine.errors import OrderRejected
from engine.ports import BrokerCapabilities

NO_PRICE = Decimal("Infinity")  # the value of a market order is the venue's to judge


class Checks:
    """Looks at an order before it is sent. The market's hours are asked for once a session."""

    def __init__(self, capabilities: BrokerCapabilities, hours: MarketHours) -> None:
        self._can = capabilities
        self._hours = hours

    def check(self, request: OrderRequest, instrument: Instrument) -> None:
        """Raises OrderRejected, or BrokerUnavailable when the hours cannot be asked for."""
        symbol = request.symbol
        if request.quantity is None or request.quote_amount is not None:
            raise OrderRejected(f"{symbol}: the order has to be a quantity, no amount.")
        self._check_kind(request)
        price = request.price or request.stop_price or NO_PRICE
        sized = request.model_copy(update={"reduce_only": False})  # small exits are refused too
        reason = objection(sized, instrument, request.quantity, price)
        if reason is not None:
            raise OrderRejected(f"{symbol}: {reason}.")
        if instrument.kind is InstrumentKind.STOCK:
            _check_pennies(request)
            self._check_hours(request)

    def _check_kind(self, request: OrderRequest) -> None:
        told = request.type.value.replace("_", " ")
        if request.type not in self._can.order_types:
            raise OrderRejected(f"{request.symbol}: {NAME} takes no {told} orders of it.")
        is_market = request.type is OrderType.MARKET
        lasting = request.time_in_force
        if not is_market and lasting not in self._can.times_in_force:
            raise OrderRejected(f"{request.symbol}: {NAME} takes no {lasting.value} orders of it.")

    def _check_hours(self, request: OrderRequest) -> None:
        """An exit waits at Alpaca for the opening; an entry would be one at another price."""
        is_now = request.type is OrderType.MARKET or request.time_in_force in AT_ONCE
        opens = self._hours.closed_until() if is_now and not request.reduce_only else None
        if opens is not None:
            raise OrderRejected(
                f"{request.symbol}: the market is closed until {utc_text(opens)}. Nothing was"
                " sent: at the opening the price would be another one."
            )


def _check_pennies(request: OrderRequest) -> None:
    for price in (request.price, request.stop_price):
        if price is not None and is_off_grid(price):
            raise OrderRejected(
                f"{request.symbol}: from 1 USD on a price has two decimals, not {text(price)}."
            )
