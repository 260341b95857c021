"""Matching: orders against prices that a test moves; one account without a loan, exact."""

import uuid
from collections.abc import Callable
from datetime import datetime
from decimal import ROUND_UP, Decimal

from tests.fakes.alpaca.records import (
    ON_THE_WAY,
    ZERO,
    Asset,
    Order,
    Sessions,
    Trade,
    forbidden,
    refused,
)

TAKER_RATE, MAKER_RATE = Decimal("0.0025"), Decimal("0.0015")
FINEST = Decimal("1e-9")


class Matching:
    """Not thread-safe: the exchange holds the lock. An order is accepted first, and reaches its
    market with the next look at the exchange, as at the real one."""

    def __init__(self, now: Callable[[], datetime], sessions: Sessions) -> None:
        self.now = now
        self.sessions = sessions
        self.assets: dict[str, Asset] = {}
        self.positions: dict[str, Decimal] = {}
        self.cash = ZERO
        self.orders: dict[str, Order] = {}
        self.trades: list[Trade] = []
        self.on_event: Callable[[str, Order, Trade | None], None] = lambda *_: None

    # --- reading -------------------------------------------------------------------------------

    def open_orders(self) -> list[Order]:
        """Orders that can still trade, oldest first."""
        return [order for order in self.orders.values() if order.is_open]

    def is_open(self, asset: Asset) -> bool:
        """Whether its market is."""
        return asset.is_crypto or self.sessions.is_open(self.now())

    def set_aside(self) -> Decimal:
        """Cash that open buys need."""
        return sum((self._cost(order) for order in self.open_orders() if order.is_buy), ZERO)

    def buying_power(self) -> Decimal:
        """Cash that is not set aside."""
        return self.cash - self.set_aside()

    def available(self, asset: Asset) -> Decimal:
        """What is held and not set aside; a pair sets it aside once."""
        selling = [one for one in self.open_orders() if one.asset is asset and not one.is_buy]
        taken = sum((one.left for one in selling if not one.is_leg), ZERO)
        return self.positions.get(asset.base, ZERO) - taken

    # --- placing -------------------------------------------------------------------------------

    def place(self, *orders: Order) -> Order:
        """Take an order, or a pair. Raises Refused."""
        first = orders[0]
        self._check_funds(first)
        for order in orders:
            order.best = order.asset.price
            if order.has_trigger and self._is_reached(order) and order.stop is not None:
                raise refused("stop price must be beyond the current price")
        for order in orders:
            self.orders[order.id] = order
            order.updated = order.created
        if len(orders) == 2:
            first.sibling, orders[1].sibling = orders[1], first
            orders[1].status, orders[1].is_leg = "held", True
        self.on_event("pending_new", first, None)
        return first

    def _check_funds(self, order: Order) -> None:
        asset, value = order.asset, self._cost(order)
        least = Decimal(10) if asset.is_crypto else Decimal(1)
        if value < least:
            raise forbidden(f"cost basis must be >= minimal amount of order {least}")
        if order.is_buy:
            free = self.buying_power()
            if value > free and asset.is_crypto:
                raise forbidden(
                    f"insufficient balance for USD (requested: {value}, available: {free})"
                )
            if value > free:
                raise forbidden("insufficient buying power")
            return
        held, free = self.positions.get(asset.base, ZERO), self.available(asset)
        if order.quantity <= free:
            return
        if asset.is_crypto:
            raise forbidden(f"insufficient balance for {asset.base} (requested: {order.quantity}, "
                            f"available: {free})")  # fmt: skip
        if held:
            raise forbidden(f"insufficient qty available for order (requested: {order.quantity}, "
                            f"available: {free})")  # fmt: skip
        if order.position_intent == "sell_to_close":
            raise refused("position intent mismatch, inferred: sell_to_open, specified: "
                          "sell_to_close")  # fmt: skip
        raise forbidden("account is not allowed to short")

    def _cost(self, order: Order) -> Decimal:
        unit = order.limit or order.stop or order.asset.ask
        return order.left * unit

    # --- trading -------------------------------------------------------------------------------

    def settle(self) -> None:
        """What is due by now: orders reach their markets, and end with their day."""
        for order in self.open_orders():
            if order.lasting == "day" and not order.asset.is_crypto and self._day_is_over(order):
                self.finish(order, "expired")
            elif order.status in ON_THE_WAY and not order.is_leg:
                if self.is_open(order.asset):
                    self._arrive(order)
                elif order.lasting in ("ioc", "fok"):
                    self.finish(order, "canceled")
                else:
                    order.status = "accepted"

    def _day_is_over(self, order: Order) -> bool:
        return self.now() >= self.sessions.next(order.created, 1)

    def set_price(self, asset: Asset, price: Decimal) -> None:
        """Move a price: stops go off, resting orders that it reached are filled."""
        self.settle()
        asset.price = price
        if not self.is_open(asset):
            return
        for order in self.open_orders():
            if order.asset is not asset or not order.is_open:
                continue
            if order.has_trigger and not order.is_triggered:
                order.best = (min if order.is_buy else max)(order.best, price)
                if self._is_reached(order):
                    self._trigger(order)
            elif self._crosses(order):
                self._take(order, order.limit or price, rate=MAKER_RATE)

    def _arrive(self, order: Order) -> None:
        order.status = "new"
        self.on_event("new", order, None)
        if not order.has_trigger:
            self._work(order)

    def _trigger(self, order: Order) -> None:
        order.is_triggered, order.status = True, "new"
        self._end_sibling(order)
        self._work(order)

    def _work(self, order: Order) -> None:
        """What a working order trades at once, and what becomes of the rest."""
        is_market = order.limit is None
        if is_market or self._crosses(order):
            on_offer = order.left if order.asset.depth is None else order.asset.depth
            if order.lasting != "fok" or on_offer >= order.left:
                self._take(order, order.asset.ask if order.is_buy else order.asset.bid)
        if order.is_open and order.lasting in ("ioc", "fok"):
            self.finish(order, "canceled")

    def _is_reached(self, order: Order) -> bool:
        price = order.asset.price
        return price >= order.trigger if order.is_buy else price <= order.trigger

    def _crosses(self, order: Order) -> bool:
        if order.limit is None:
            return True
        asset = order.asset
        return order.limit >= asset.ask if order.is_buy else order.limit <= asset.bid

    def _take(self, order: Order, price: Decimal, *, rate: Decimal = TAKER_RATE) -> None:
        asset = order.asset
        quantity = order.left if asset.depth is None else min(order.left, asset.depth)
        if quantity > 0:
            self.fill(order, quantity, price, rate)
            if asset.depth is not None:
                asset.depth -= quantity

    def fill(
        self, order: Order, quantity: Decimal, price: Decimal, rate: Decimal = TAKER_RATE
    ) -> Trade:
        """Execute a part of an order; the fee of crypto is taken from what is received."""
        if quantity < order.left and order.sibling is not None:
            order.sibling.quantity -= quantity  # until it is filled, both are for what is left
        else:
            self._end_sibling(order)
        asset, value = order.asset, quantity * price
        received = quantity if order.is_buy else value
        fee = (received * rate).quantize(FINEST, ROUND_UP) if asset.is_crypto else ZERO
        held = self.positions.get(asset.base, ZERO)
        if order.is_buy:
            self.cash -= value
            self.positions[asset.base] = held + quantity - fee
        else:
            self.cash += value - fee
            self.positions[asset.base] = held - quantity
        order.filled += quantity
        order.paid += value
        order.updated = now = self.now()
        order.status = "partially_filled" if order.left else "filled"
        number = f"{now:%Y%m%d%H%M%S}{now.microsecond // 1000:03}::{uuid.uuid4()}"
        trade = Trade(order, price, quantity, fee, order.filled, now, number)
        self.trades.append(trade)
        self.on_event("partial_fill" if order.left else "fill", order, trade)
        return trade

    # --- ending --------------------------------------------------------------------------------

    def cancel(self, order: Order) -> None:
        """Take an order back, and with it its sibling. Raises Refused."""
        if not order.is_open:
            raise refused(f'order is already in "{order.status}" state')
        self._end_sibling(order)
        self.finish(order, "canceled")

    def finish(self, order: Order, status: str) -> None:
        """End an order without a trade."""
        order.status, order.updated = status, self.now()
        self.on_event(status, order, None)

    def _end_sibling(self, order: Order) -> None:
        if order.sibling is not None and order.sibling.is_open:
            self.finish(order.sibling, "canceled")
