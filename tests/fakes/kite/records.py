"""What Kite keeps: shares, orders, trades. Amounts are exact; answers have them as numbers."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

IST = timezone(timedelta(hours=5, minutes=30))
ZERO = Decimal(0)
WORKING = frozenset({
    "PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING", "OPEN", "TRIGGER PENDING",
})  # fmt: skip


class Refused(Exception):
    """An error answer."""

    def __init__(self, kind: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.kind, self.message, self.status = kind, message, status


def plain(value: Decimal) -> int | float:
    """A number as JSON has it: 72 and 109.4."""
    return int(value) if value == value.to_integral_value() else float(value)


def local(moment: datetime) -> str:
    """A moment as Kite tells it."""
    return moment.astimezone(IST).strftime("%Y-%m-%d %H:%M:%S")


@dataclass
class Share:
    """A listed share. ``depth`` is what is on offer at each price, either side."""

    token: int
    exchange: str
    symbol: str
    name: str
    price: Decimal
    tick: Decimal = Decimal("0.05")
    depth: Decimal = Decimal(1_000_000)

    @property
    def bid(self) -> Decimal:
        """The best price somebody pays."""
        return self.price - self.tick

    @property
    def ask(self) -> Decimal:
        """The best price somebody sells for."""
        return self.price + self.tick


@dataclass
class Trade:
    """One execution."""

    number: int
    order: "Order"
    price: Decimal
    quantity: Decimal
    time: datetime

    def view(self) -> dict[str, Any]:
        """As the trade book has it."""
        order = self.order
        return {
            "trade_id": str(self.number),
            "order_id": order.order_id,
            "exchange_order_id": f"1{order.order_id}",
            "exchange": order.exchange,
            "tradingsymbol": order.symbol,
            "instrument_token": order.token,
            "product": order.product,
            "average_price": plain(self.price),
            "quantity": plain(self.quantity),
            "transaction_type": order.side,
            "fill_timestamp": local(self.time),
            "order_timestamp": local(order.time)[11:],
            "exchange_timestamp": local(self.time),
        }


@dataclass
class Order:
    """One order of the day."""

    order_id: str
    exchange: str
    symbol: str
    token: int
    side: str
    kind: str
    product: str
    validity: str
    quantity: Decimal
    price: Decimal
    trigger: Decimal
    tag: str | None
    time: datetime
    market_protection: int = 0
    status: str = "OPEN"
    message: str | None = None
    trades: list[Trade] = field(default_factory=list)
    is_hidden: bool = False

    @property
    def filled(self) -> Decimal:
        """What was executed."""
        return sum((trade.quantity for trade in self.trades), ZERO)

    @property
    def left(self) -> Decimal:
        """What still works."""
        return self.quantity - self.filled if self.is_working else ZERO

    @property
    def is_working(self) -> bool:
        """Whether it can still trade."""
        return self.status in WORKING

    @property
    def value_price(self) -> Decimal:
        """The price by which its value is held back."""
        return self.price or self.trigger

    def view(self) -> dict[str, Any]:
        """As the order book has it."""
        value = sum((trade.price * trade.quantity for trade in self.trades), ZERO)
        is_at_exchange = self.status not in ("REJECTED", "PUT ORDER REQ RECEIVED")
        stamp = local(self.time)
        return {
            "placed_by": "XX0000",
            "order_id": self.order_id,
            "exchange_order_id": f"1{self.order_id}" if is_at_exchange else None,
            "parent_order_id": None,
            "status": self.status,
            "status_message": self.message,
            "status_message_raw": self.message,
            "order_timestamp": stamp,
            "exchange_update_timestamp": stamp if is_at_exchange else None,
            "exchange_timestamp": stamp if is_at_exchange else None,
            "variety": "regular",
            "modified": False,
            "exchange": self.exchange,
            "tradingsymbol": self.symbol,
            "instrument_token": self.token,
            "order_type": self.kind,
            "transaction_type": self.side,
            "validity": self.validity,
            "product": self.product,
            "quantity": plain(self.quantity),
            "disclosed_quantity": 0,
            "price": plain(self.price),
            "trigger_price": plain(self.trigger),
            "average_price": plain(value / self.filled) if self.filled else 0,
            "filled_quantity": plain(self.filled),
            "pending_quantity": plain(self.left),
            "cancelled_quantity": plain(self.quantity - self.filled)
            if self.status == "CANCELLED"
            else 0,
            "market_protection": self.market_protection,
            "meta": {},
            "tag": self.tag,
            "guid": "01XXXXXX",
        }
