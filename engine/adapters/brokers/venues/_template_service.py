"""A venue in memory, in the place of a vendor's SDK, for ``_template.py`` and its tests.

It trades one symbol, ACME in USD, whose price swings by 0.4% each minute. Yours is the package of
the vendor, or an HTTP client of your own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from engine.domain.matching import fee_of
from engine.ports import Clock

SYMBOL, BASE, QUOTE = "ACME/USD", "ACME", "USD"
TICK, STEP, LEAST = Decimal("0.01"), Decimal("0.001"), Decimal(5)
FEE_BPS = Decimal(10)
OPENING = Decimal(10_000_000)
ON_OFFER = Decimal(1000)  # of ACME, for each order at once
MIDDLE, SWING, MINUTE = Decimal(100), 40, 60  # USD, cents, seconds


class ServiceError(Exception):
    """A failure as the vendor tells it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Trade:
    """One execution."""

    id: str
    order: "Order"
    price: Decimal
    quantity: Decimal
    fee: Decimal
    time: datetime


@dataclass
class Order:
    """An order; ``status`` is open, done or gone."""

    id: str
    client_id: str
    is_buy: bool
    quantity: Decimal
    limit: Decimal | None
    time: datetime
    status: str = "open"
    trades: list[Trade] = field(default_factory=list)

    @property
    def filled(self) -> Decimal:
        """What of it was traded."""
        return sum((trade.quantity for trade in self.trades), Decimal(0))


def price_at(moment: datetime) -> Decimal:
    """The price at a second: up, down below the middle, and back, within each minute."""
    second = int(moment.timestamp()) % MINUTE
    swing = (second, 30 - second, second - MINUTE)[(second + 15) // 30]
    return MIDDLE + Decimal(swing) * SWING / 15 * TICK // TICK * TICK


class Service:
    """One account at the venue. ``is_down``, ``is_revoked`` and ``failure`` make it fail."""

    def __init__(self, clock: Clock) -> None:
        self.is_down = self.is_revoked = False
        self.failure = ""
        self._clock = clock
        self._cash, self._stock = OPENING, Decimal(0)
        self._orders: dict[str, Order] = {}
        self._seen = clock.now()

    def time(self) -> datetime:
        """The venue's clock."""
        self._answer()
        return self._clock.now()

    def account(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Total and locked by currency."""
        self._answer()
        cash, stock = Decimal(0), Decimal(0)
        for order in self._open():
            left = order.quantity - order.filled
            if order.is_buy:
                value = left * (order.limit or MIDDLE)
                cash += value + fee_of(value, FEE_BPS)
            else:
                stock += left
        return {QUOTE: (self._cash, cash), BASE: (self._stock, stock)}

    def place(
        self, client_id: str, *, is_buy: bool, quantity: Decimal, limit: Decimal | None
    ) -> Order:
        """A new order; a client id that was used before gives the order that has it."""
        self._answer()
        if self.failure:
            raise ServiceError(self.failure, f"it failed: {self.failure}")
        if client_id in self._orders:
            return self._orders[client_id]
        price = price_at(self._clock.now())
        value = quantity * (limit or price)
        if value < LEAST:
            raise ServiceError("too_small", f"orders begin at {LEAST} {QUOTE}")
        total, locked = self.account()[QUOTE if is_buy else BASE]
        if total - locked < (value + fee_of(value, FEE_BPS) if is_buy else quantity):
            raise ServiceError("no_funds", "the account does not hold enough")
        order = Order(f"v{len(self._orders)}", client_id, is_buy, quantity, limit,
                      self._clock.now())  # fmt: skip
        self._orders[client_id] = order
        if limit is None or (price <= limit if is_buy else price >= limit):
            self._fill(order, min(quantity, ON_OFFER), price)
        if limit is None and order.status == "open":
            order.status = "gone"  # a market order does not wait
        return order

    def cancel(self, client_id: str) -> Order:
        """Take back what is left."""
        order = self.order(client_id)
        if order.status == "open":
            order.status = "gone"
        return order

    def order(self, client_id: str) -> Order:
        """One order, ended ones too."""
        self._answer()
        if client_id not in self._orders:
            raise ServiceError("no_order", f"there is no order {client_id}")
        return self._orders[client_id]

    def open_orders(self) -> list[Order]:
        """Those that wait."""
        self._answer()
        return self._open()

    def trades(self) -> list[Trade]:
        """All of the account, oldest first."""
        self._answer()
        found = [trade for order in self._orders.values() for trade in order.trades]
        return sorted(found, key=lambda trade: (trade.time, int(trade.order.id[1:])))

    def candles(self, length_s: int, start_s: int, count: int) -> Sequence[tuple[float, ...]]:
        """Seconds of the open, then open, high, low, close and volume."""
        self._answer()
        middle, swing = float(MIDDLE), SWING / 100
        return [
            (start_s + place * length_s, middle, middle + swing, middle - swing, middle, 500.0)
            for place in range(count)
        ]

    def _open(self) -> list[Order]:
        return [order for order in self._orders.values() if order.status == "open"]

    def _answer(self) -> None:
        """Whether there is an answer at all; what has come by meanwhile is traded first."""
        if self.is_down:
            raise ConnectionError("no route to the venue")
        if self.is_revoked:
            raise ServiceError("bad_key", "the key was revoked")
        now, since = self._clock.now(), self._seen
        self._seen = now
        passed = min(int((now - since).total_seconds()), MINUTE)  # it repeats itself each minute
        for ago in range(passed - 1, -1, -1):
            price = price_at(now - timedelta(seconds=ago))
            for order in self._open():
                limit = order.limit or MIDDLE
                if price <= limit if order.is_buy else price >= limit:
                    self._fill(order, min(order.quantity - order.filled, ON_OFFER), limit)

    def _fill(self, order: Order, quantity: Decimal, price: Decimal) -> None:
        value = quantity * price
        fee = fee_of(value, FEE_BPS)
        number = f"{order.id}-{len(order.trades)}"
        order.trades.append(Trade(number, order, price, quantity, fee, self._clock.now()))
        sign = 1 if order.is_buy else -1
        self._stock += sign * quantity
        self._cash -= sign * value + fee
        if order.filled == order.quantity:
            order.status = "done"


_ACCOUNTS: dict[str, Service] = {}


def connect(key: str, clock: Clock) -> Service:
    """The account that a key opens. It is the venue's, and outlives every connection to it."""
    return _ACCOUNTS.setdefault(key, Service(clock))
