"""The matching engine: balances exact to the last digit, prices moved by the test.

Locks: a buy sets aside quantity times its limit (or its trigger), a sell its quantity; the two
legs of a list share one lock. The side that takes pays ``commission_rate``, in what it received
or, when ``fee_asset`` says so and there is enough of it, in that.
"""

from collections.abc import Callable, Iterator
from decimal import ROUND_DOWN, Decimal
from typing import Any

from tests.fakes.exchange.records import (
    CONTINGENT,
    EIGHT,
    PRICED,
    ZERO,
    Holding,
    Lock,
    Order,
    OrderList,
    Refused,
    SymbolRules,
    Trade,
)


class Matching:
    """One account's orders against prices; not thread-safe, the exchange holds the lock."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.now_ms = now_ms
        self.symbols: dict[str, SymbolRules] = {}
        self.balances: dict[str, Holding] = {}
        self.orders: dict[int, Order] = {}
        self.lists: dict[int, OrderList] = {}
        self.trades: list[Trade] = []
        self.commission_rate = Decimal("0.001")
        self.fee_asset: str | None = None
        self.on_event: Callable[[str, Any], None] = lambda _name, _subject: None
        self._moment: int | None = None
        self._next_order = 1
        self._next_list = 0
        self._open: dict[str, dict[int, Order]] = {}
        self._by_client_id: dict[str, list[Order]] = {}
        self._trades_of: dict[int, list[Trade]] = {}

    # --- reading -------------------------------------------------------------------------------

    def holding(self, asset: str) -> Holding:
        """The account's row of an asset, made when first needed."""
        return self.balances.setdefault(asset, Holding())

    def open_orders(self, symbol: str | None = None) -> list[Order]:
        """Orders that can still trade, oldest first."""
        names = [symbol] if symbol else list(self._open)
        found = [order for name in names for order in self._open.get(name, {}).values()]
        return sorted(found, key=lambda order: order.id)

    def by_client_id(self, client_id: str) -> list[Order]:
        """All orders that ever had the id, oldest first: ids of done orders may be used again."""
        return self._by_client_id.get(client_id, [])

    def find(self, symbol: str, order_id: int | None, client_id: str | None) -> Order | None:
        """The order asked for; the newest of those that had the client id."""
        if order_id is not None:
            order = self.orders.get(order_id)
            return order if order is not None and order.symbol == symbol else None
        found = [order for order in self.by_client_id(client_id or "") if order.symbol == symbol]
        return found[-1] if found else None

    def trades_of(self, order: Order) -> list[Trade]:
        """An order's executions, oldest first."""
        return self._trades_of.get(order.id, [])

    # --- placing -------------------------------------------------------------------------------

    def place(self, order: Order) -> Order:
        """Take an order that passed the filters. Raises Refused when the engine will not."""
        rules = self.symbols[order.symbol]
        self._check_client_id(order.client_id)
        order.best = rules.price
        if order.type in CONTINGENT and self._is_triggered(order, rules):
            raise Refused(-2010, "Order would trigger immediately.")
        if order.type == "LIMIT_MAKER" and self._crosses(order, rules):
            raise Refused(-2010, "Order would immediately match and take.")
        order.is_working = order.type not in CONTINGENT
        order.lock = self._lock_for(order, rules)
        self._set_aside(order.lock)
        self._keep(order)
        self._moment = order.time  # what an order trades at once is one transaction
        self._match_new(order, rules)
        self._moment = None
        return order

    def place_list(self, legs: tuple[Order, Order], list_client_id: str) -> OrderList:
        """Take both or none. Raises Refused."""
        rules = self.symbols[legs[0].symbol]
        for leg in legs:
            self._check_client_id(leg.client_id)
            leg.best = rules.price
            wrong = (
                self._is_triggered(leg, rules)
                if leg.type in CONTINGENT
                else self._crosses(leg, rules)
            )
            if wrong:
                message = "The relationship of the prices for the orders is not correct."
                raise Refused(-2010, message)
        lock = max((self._lock_for(leg, rules) for leg in legs), key=lambda lock: lock.amount)
        self._set_aside(lock)
        made = OrderList(self._next_list, list_client_id, legs[0].symbol, self.now_ms())
        self._next_list += 1
        self.lists[made.id] = made
        for leg in legs:
            leg.lock, leg.list_id = lock, made.id
            leg.is_working = leg.type not in CONTINGENT
            made.legs.append(self._keep(leg))
        self.on_event("list", made)
        return made

    def new_order(self, **fields: Any) -> Order:
        """An order with the next id, not taken yet."""
        order = Order(id=self._next_order, time=self.now_ms(), lock=Lock("", ZERO, ZERO), **fields)
        self._next_order += 1
        return order

    def _keep(self, order: Order) -> Order:
        self.orders[order.id] = order
        self._open.setdefault(order.symbol, {})[order.id] = order
        self._by_client_id.setdefault(order.client_id, []).append(order)
        self.on_event("NEW", order)
        return order

    def _check_client_id(self, client_id: str) -> None:
        if any(order.is_open for order in self.by_client_id(client_id)):
            raise Refused(-2010, "Duplicate order sent.")

    def _lock_for(self, order: Order, rules: SymbolRules) -> Lock:
        if not order.is_buy:
            return Lock(rules.base, order.quantity, Decimal(1))
        if order.type == "MARKET":
            return Lock(rules.quote, self._takable(order, rules) * rules.ask, rules.ask)
        unit = order.price if order.type in PRICED else order.trigger
        return Lock(rules.quote, order.quantity * unit, unit)

    def _set_aside(self, lock: Lock) -> None:
        holding = self.holding(lock.asset)
        if holding.free < lock.amount:
            raise Refused(-2010, "Account has insufficient balance for requested action.")
        holding.free -= lock.amount
        holding.locked += lock.amount

    # --- matching ------------------------------------------------------------------------------

    def set_price(self, symbol: str, price: Decimal) -> None:
        """Move a symbol's price: stops go off, resting orders that it reached are filled."""
        rules = self.symbols[symbol]
        rules.price = price
        for order in list(self._open.get(symbol, {}).values()):
            if order.trailing_delta and not order.is_working:
                order.best = (min if order.is_buy else max)(order.best, price)
            if order.is_open and not order.is_working and self._is_triggered(order, rules):
                self._go_off(order, rules)
            elif order.is_open and order.is_working and self._crosses(order, rules):
                self._take(order, rules, order.left, order.price, is_maker=True)
        self.on_event("price", rules)

    @staticmethod
    def _is_triggered(order: Order, rules: SymbolRules) -> bool:
        is_stop = order.type.startswith("STOP")
        upward = order.is_buy == is_stop
        return rules.price >= order.trigger if upward else rules.price <= order.trigger

    @staticmethod
    def _crosses(order: Order, rules: SymbolRules) -> bool:
        return order.price >= rules.ask if order.is_buy else order.price <= rules.bid

    def _match_new(self, order: Order, rules: SymbolRules) -> None:
        """What a new order trades at once, and what becomes of the rest of it."""
        if not order.is_working:
            return
        market = order.type == "MARKET"
        takes = market or self._crosses(order, rules)
        takable = self._takable(order, rules) if takes else ZERO
        if order.time_in_force == "FOK" and takable < order.left:
            takable = ZERO
        for piece in _pieces(takable, rules):
            self._take(order, rules, piece, rules.ask if order.is_buy else rules.bid)
        if order.is_open and (market or order.time_in_force in ("IOC", "FOK")):
            self.finish(order, "EXPIRED")

    def _go_off(self, order: Order, rules: SymbolRules) -> None:
        """A stop whose price was reached: it ends its sibling and becomes a working order."""
        order.is_working = True
        self._end_siblings(order)
        if order.type in PRICED:
            self._match_new(order, rules)
            return
        price = rules.ask if order.is_buy else rules.bid
        cost = price * order.left
        if order.is_buy and cost > order.lock.amount + self.holding(rules.quote).free:
            self.finish(order, "EXPIRED")
            return
        self._take(order, rules, self._takable(order, rules), price)
        if order.is_open:
            self.finish(order, "EXPIRED")

    @staticmethod
    def _takable(order: Order, rules: SymbolRules) -> Decimal:
        return order.left if rules.depth is None else min(order.left, rules.depth)

    def _take(
        self, order: Order, rules: SymbolRules, quantity: Decimal, price: Decimal,
        *, is_maker: bool = False,
    ) -> None:  # fmt: skip
        quantity = min(quantity, self._takable(order, rules))
        if quantity > 0:
            self.fill(order, quantity, price, is_maker=is_maker)
            if rules.depth is not None:
                rules.depth -= quantity

    def fill(
        self, order: Order, quantity: Decimal, price: Decimal, *, is_maker: bool = False
    ) -> Trade:
        """Execute a part of an order: balances, trade, state, and its sibling's end."""
        rules = self.symbols[order.symbol]
        self._end_siblings(order)
        spent, got = (rules.quote, rules.base) if order.is_buy else (rules.base, rules.quote)
        cost = price * quantity if order.is_buy else quantity
        gain = quantity if order.is_buy else price * quantity
        self._pay(order, spent, quantity, cost)
        self.holding(got).free += gain
        fee, fee_asset = self._charge(rules, got, gain, price * quantity)
        trade = Trade(
            rules.next_trade, order.symbol, order.id, order.list_id, order.side, price, quantity,
            fee, fee_asset, self._moment or self.now_ms(), is_maker, rules.base, rules.quote,
        )  # fmt: skip
        rules.next_trade += 1
        self.trades.append(trade)
        self._trades_of.setdefault(order.id, []).append(trade)
        order.executed += quantity
        order.paid += price * quantity
        order.updated = trade.time
        if order.left == 0:
            self._close(order, "FILLED")
        else:
            order.status = "PARTIALLY_FILLED"
        self.on_event("TRADE", (order, trade))
        return trade

    def _pay(self, order: Order, asset: str, quantity: Decimal, cost: Decimal) -> None:
        """Take the cost from what was set aside; what it leaves over is free again."""
        is_last = quantity == order.left
        share = order.lock.amount if is_last else min(order.lock.unit * quantity, order.lock.amount)
        order.lock.amount -= share
        holding = self.holding(asset)
        holding.locked -= share
        holding.free += share - cost

    def _charge(
        self, rules: SymbolRules, got: str, gain: Decimal, value: Decimal
    ) -> tuple[Decimal, str]:
        rate, third = self.commission_rate, self.fee_asset
        pair = self.symbols.get(f"{third}{rules.quote}") if third and third != got else None
        if pair is not None:
            fee = (value * rate / pair.price).quantize(EIGHT, ROUND_DOWN)
            if self.holding(pair.base).free >= fee:
                self.holding(pair.base).free -= fee
                return fee, pair.base
        fee = (gain * rate).quantize(EIGHT, ROUND_DOWN)
        self.holding(got).free -= fee
        return fee, got

    # --- ending --------------------------------------------------------------------------------

    def cancel(self, order: Order, cancel_id: str) -> list[Order]:
        """Take an order back, and with a leg its whole list; the orders that ended."""
        legs = self.lists[order.list_id].legs if order.list_id >= 0 else [order]
        ended = [leg for leg in legs if leg.is_open]
        for leg in ended:
            leg.cancelled_by = cancel_id
            self.finish(leg, "CANCELED")
        return ended

    def finish(self, order: Order, status: str) -> None:
        """End an order without a trade."""
        order.updated = self.now_ms()
        self._close(order, status)
        self.on_event(status, order)

    def _close(self, order: Order, status: str) -> None:
        order.status = status
        self._open[order.symbol].pop(order.id, None)
        is_shared = any(leg.is_open for leg in self._siblings(order))
        if not is_shared and order.lock.amount:
            holding = self.holding(order.lock.asset)
            holding.locked -= order.lock.amount
            holding.free += order.lock.amount
            order.lock.amount = ZERO
        if order.list_id >= 0 and not is_shared:
            self.on_event("list", self.lists[order.list_id])

    def _siblings(self, order: Order) -> Iterator[Order]:
        if order.list_id >= 0:
            yield from (leg for leg in self.lists[order.list_id].legs if leg is not order)

    def _end_siblings(self, order: Order) -> None:
        for leg in list(self._siblings(order)):
            if leg.is_open:
                self.finish(leg, "EXPIRED")


def _pieces(quantity: Decimal, rules: SymbolRules) -> list[Decimal]:
    """A quantity in as many parts as the symbol fills market orders in, each on the step."""
    part = (quantity / rules.market_fills / rules.step).to_integral_value(ROUND_DOWN) * rules.step
    if quantity <= 0 or part <= 0:
        return [quantity] if quantity > 0 else []
    return [part] * (rules.market_fills - 1) + [quantity - part * (rules.market_fills - 1)]
