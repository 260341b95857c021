"""Kite as a test sees it: prices, holdings, faults, and everything that was ordered."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.fakes.kite.faults import FAULTS, Fault
from tests.fakes.kite.records import IST, ZERO, Order, Refused, Share, Trade

API_KEY = "kitetestkey00001"
API_SECRET = "kite-test-secret-of-the-loopback"
REQUEST_TOKEN = "requesttokenofthekitetest0000001"
ACCESS_TOKEN = "accesstokenofthekitetest00000001"
MARGIN = Decimal("0.2")
"""How much of an intraday position's value is held back."""


@dataclass(frozen=True)
class Request:
    """A request that arrived: 'POST /orders/regular' and its parameters."""

    endpoint: str
    sent: dict[str, str]
    fault: str


class Kite:
    """One account at Zerodha. Safe to use from any thread; ``now`` is its time."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.lock = threading.RLock()
        self.url = ""
        self.token = ACCESS_TOKEN
        self.request_tokens = {REQUEST_TOKEN}
        self.cash = Decimal(1_000_000)
        self.shares: dict[str, Share] = {}
        self.holdings: dict[str, Decimal] = {}
        self.orders: dict[str, Order] = {}
        self.requests: list[Request] = []
        self.missing_candles: set[str] = set()
        self.products = ["CNC", "NRML", "MIS"]
        self.before: Callable[[str], object] = lambda _endpoint: None  # it answers a request
        self._now = now
        self._faults: list[Fault] = []
        self._numbers = 0
        self._offered: dict[str, Decimal] = {}

    # --- what a test does -------------------------------------------------------------------------

    def now(self) -> datetime:
        """Its own clock, with ``clock_skew``."""
        skew = self.state("clock_skew")
        return self._now().astimezone(UTC) + timedelta(seconds=float(skew.value if skew else 0))

    def add_share(self, symbol: str, price: str, exchange: str = "NSE", **more: Any) -> Share:
        """List a share."""
        self._numbers += 1
        share = Share(100_000 + self._numbers, exchange, symbol, f"{symbol} LIMITED",
                      Decimal(price), **more)  # fmt: skip
        self.shares[f"{exchange}:{symbol}"] = share
        return share

    def set_price(self, symbol: str, price: Decimal | str, exchange: str = "NSE") -> None:
        """Move a price: triggers go off, resting orders fill."""
        with self.lock:
            share = self.shares[f"{exchange}:{symbol}"]
            share.price = Decimal(price)
            self._offered.clear()
            for order in list(self.orders.values()):
                if order.symbol == symbol and order.exchange == exchange:
                    self._match(order)

    def order_by_hand(self, symbol: str, side: str, quantity: int, price: str = "0") -> Order:
        """An order that somebody gives in Kite's own app."""
        with self.lock:
            share = self.shares[f"NSE:{symbol}"]
            kind = "LIMIT" if Decimal(price) else "MARKET"
            order = self.new_order(
                share, side, kind, "CNC", "DAY", Decimal(quantity), Decimal(price), ZERO, None
            )
            self.take(order)
            return order

    def next_day(self) -> None:
        """The night: what was bought is held, the books of the day are empty."""
        with self.lock:
            for order in self.orders.values():
                if order.is_working:
                    order.status = "CANCELLED"
            for symbol in {order.symbol for order in self.orders.values()}:
                held = self.holdings.get(symbol, ZERO) + self.day_quantity(symbol, "CNC")
                self.holdings[symbol] = held
            self.cash = self.free_cash()
            self.orders.clear()

    def fault(self, name: str, on: str = "", times: int = 1, value: str | None = None) -> Fault:
        """Script a fault of ``FAULTS``."""
        with self.lock:
            fault = Fault(name, on, times, FAULTS[name].value if value is None else value)
            self._faults.append(fault)
            return fault

    def release(self, fault: Fault) -> None:
        """End a fault: what it held goes on, what it hid is seen."""
        with self.lock:
            fault.released.set()
            for order in self.orders.values():
                if fault.name == "invisible":
                    order.is_hidden = False
                if fault.name == "slow_oms" and order.status == "PUT ORDER REQ RECEIVED":
                    self._start(order)

    def release_all(self) -> None:
        """End every fault."""
        for fault in list(self._faults):
            self.release(fault)

    def count(self, endpoint: str) -> int:
        """How many requests of a kind arrived."""
        with self.lock:
            return sum(request.endpoint == endpoint for request in self.requests)

    # --- what the server asks ---------------------------------------------------------------------

    def striking(self, endpoint: str) -> Fault | None:
        """The first fault that strikes a request."""
        return next((fault for fault in self._faults if fault.strikes(endpoint)), None)

    def state(self, name: str) -> Fault | None:
        """A lasting fault that is in force."""
        found = [one for one in self._faults if one.name == name and not one.released.is_set()]
        return found[-1] if found else None

    def visible(self) -> list[Order]:
        """The day's orders, oldest first."""
        return [order for order in self.orders.values() if not order.is_hidden]

    def day_quantity(self, symbol: str, product: str, side: str = "") -> Decimal:
        """What the day bought less what it sold, or one of the two."""
        total = ZERO
        for order in self.orders.values():
            if (order.symbol, order.product) == (symbol, product) and side in ("", order.side):
                sign = -1 if order.side == "SELL" and not side else 1
                total += sign * order.filled
        return total

    def free_cash(self) -> Decimal:
        """What is left for orders: purchases, intraday margin and working orders are held back."""
        used = ZERO
        for order in self.orders.values():
            share = ONE if order.product == "CNC" else MARGIN
            sign = 1 if order.side == "BUY" else -1
            if order.product == "CNC":
                used += sum((sign * one.price * one.quantity for one in order.trades), ZERO)
            if order.side == "BUY" or order.product == "MIS":
                used += share * order.left * order.value_price
        for key, share_listed in self.shares.items():
            if key.startswith("NSE:"):
                net = self.day_quantity(share_listed.symbol, "MIS")
                used += MARGIN * abs(net) * share_listed.price
        return self.cash - used

    # --- orders -----------------------------------------------------------------------------------

    def new_order(
        self, share: Share, side: str, kind: str, product: str, validity: str, quantity: Decimal,
        price: Decimal, trigger: Decimal, tag: str | None,
    ) -> Order:  # fmt: skip
        """Make one, not in the book yet."""
        self._numbers += 1
        number = f"{self.now().astimezone(IST):%y%m%d}{self._numbers:09d}"
        return Order(number, share.exchange, share.symbol, share.token, side, kind, product,
                     validity, quantity, price, trigger, tag, self.now())  # fmt: skip

    def check_funds(self, order: Order) -> None:
        """What the gateway refuses before an order is registered. Raises Refused."""
        share = self.shares[f"{order.exchange}:{order.symbol}"]
        if order.side == "SELL" and order.product == "CNC":
            others = [one for one in self.orders.values() if one.symbol == order.symbol]
            selling = sum((one.left for one in others
                           if (one.side, one.product) == ("SELL", "CNC")), ZERO)  # fmt: skip
            held = self.holdings.get(order.symbol, ZERO) + self.day_quantity(order.symbol, "CNC")
            if order.quantity > held - selling:
                raise Refused(
                    "HoldingException", "Insufficient stock holding or there are pending sell"
                    " orders for this stock. Check the orderbook for pending orders.",
                )  # fmt: skip
            return
        rate = ONE if order.product == "CNC" else MARGIN
        net = self.day_quantity(order.symbol, "MIS") if order.product == "MIS" else ZERO
        closing = net if order.side == "SELL" else -net
        opened = max(order.quantity - max(closing, ZERO), ZERO)
        needed = rate * opened * (order.value_price or share.ask)
        if needed > self.free_cash():
            raise Refused(
                "MarginException", f"Insufficient funds. Required margin is {needed:.2f} but"
                f" available margin is {self.free_cash():.2f}. Check the orderbook.",
            )  # fmt: skip

    def take(self, order: Order) -> None:
        """Register an order; what becomes of it is seen in the book."""
        self.orders[order.order_id] = order
        order.is_hidden = self.state("invisible") is not None
        rejection = self.state("rejected_later")
        if rejection is not None:
            order.status, order.message = "REJECTED", rejection.value
        elif self.state("slow_oms") is not None:
            order.status = "PUT ORDER REQ RECEIVED"
        else:
            self._start(order)

    def _start(self, order: Order) -> None:
        order.status = "TRIGGER PENDING" if order.kind in ("SL", "SL-M") else "OPEN"
        self._match(order)
        if order.validity == "IOC" and order.is_working:
            order.status = "CANCELLED"

    def _match(self, order: Order) -> None:
        """Trade what the price of the moment allows."""
        share = self.shares[f"{order.exchange}:{order.symbol}"]
        is_buy = order.side == "BUY"
        if order.status == "TRIGGER PENDING":
            is_reached = share.price >= order.trigger if is_buy else share.price <= order.trigger
            if is_reached:
                order.status = "OPEN"
        if order.status != "OPEN":
            return
        price = share.ask if is_buy else share.bid
        if order.price and order.kind in ("LIMIT", "SL"):
            if (price > order.price) if is_buy else (price < order.price):
                return
        elif order.kind == "SL-M" and order.trigger:
            price = max(price, order.trigger) if is_buy else min(price, order.trigger)
        quantity = min(order.left, share.depth - self._offered.get(share.symbol, ZERO))
        if quantity <= 0:
            return
        self._offered[share.symbol] = self._offered.get(share.symbol, ZERO) + quantity
        self._numbers += 1
        order.trades.append(Trade(self._numbers, order, price, quantity, self.now()))
        if order.filled == order.quantity:
            order.status = "COMPLETE"


ONE = Decimal(1)
