"""The exchange as a test sees it: prices, deposits, faults, and everything that happened."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from tests.fakes.exchange.faults import FAULTS, Fault, Script, Stage
from tests.fakes.exchange.frames import frames_of
from tests.fakes.exchange.matching import Matching
from tests.fakes.exchange.records import ZERO, Order, OrderList, SymbolRules, Trade

KEY = "test-key-of-the-loopback-exchange"
SECRET = "test-secret-of-the-loopback-exchange"
PERMISSIONS = {
    "ipRestrict": True, "enableReading": True, "enableWithdrawals": False,
    "enableInternalTransfer": False, "enableMargin": False, "enableFutures": False,
    "permitsUniversalTransfer": False, "enableVanillaOptions": False, "enableFixApiTrade": False,
    "enableFixReadOnly": False, "enableSpotAndMarginTrading": True,
    "enablePortfolioMarginTrading": False,
}  # fmt: skip
Amount = Decimal | str | int
Frame = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """A request that arrived; ``fault`` is the one that struck it."""

    endpoint: str
    sent: dict[str, str]
    fault: str
    time_ms: int


@dataclass
class Late:
    """A request that the exchange processes after its client gave up."""

    fault: Fault
    due_ms: float
    process: Callable[[], object]


class BinanceExchange:
    """One account of a spot exchange. Safe to use from any thread.

    ``now`` is its time (default: the wall clock); ``advance`` turns it forward either way.
    """

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        self.lock = threading.RLock()
        self.key, self.secret = KEY, SECRET
        self.url = ""
        self.script = Script()
        self.matching = Matching(self.now_ms)
        self.matching.on_event = self._tell
        self.requests: list[Request] = []
        self.can_trade = True
        self.may = dict(PERMISSIONS)  # what the key may do: the names of GET apiRestrictions
        self.deposits: dict[str, Decimal] = {}
        self.missing_klines: set[int] = set()
        self.trades_span_ms: int | None = None  # how long a list of trades is; None: to now
        self.weight_limit = 6000
        self.banned_until_ms = 0.0
        self.on_frame: Callable[[str, Frame], None] = lambda _stream, _frame: None
        self._now = now
        self._ahead_ms = 0
        self._late: list[Late] = []
        self._by_hand = 0
        self._weights: dict[int, int] = {}

    # --- time ----------------------------------------------------------------------------------

    def now_ms(self) -> int:
        """Its own clock, with ``clock_skew``."""
        base = self._now().timestamp() if self._now else time.time()
        skew = self.script.state("clock_skew")
        return int((base + float(skew.value if skew else 0)) * 1000) + self._ahead_ms

    def advance(self, seconds: float) -> None:
        """Turn its clock forward; what is due by then happens."""
        with self.lock:
            self._ahead_ms += int(seconds * 1000)
            self.settle()

    # --- the market ----------------------------------------------------------------------------

    def add_symbol(self, base: str, quote: str, price: Amount, **filters: Any) -> SymbolRules:
        """List a symbol; ``filters`` are fields of SymbolRules."""
        with self.lock:
            rules = SymbolRules(base, quote, Decimal(price), **filters)
            self.matching.symbols[rules.name] = rules
            return rules

    def rules(self, symbol: str) -> SymbolRules:
        """A symbol's filters and prices, to read and to change."""
        return self.matching.symbols[symbol]

    def set_price(self, symbol: str, price: Amount) -> None:
        """Move the price: stops go off, resting orders fill."""
        with self.lock:
            self.settle()
            self.matching.set_price(symbol, Decimal(price))

    def walk(self, symbol: str, steps: int, seed: int) -> None:
        """A random walk of the price by up to 0.1% a step, the same for the same seed."""
        dice = random.Random(f"{symbol}:{seed}")
        for _ in range(steps):
            rules = self.rules(symbol)
            moved = rules.price * (1 + Decimal(dice.randint(-10, 10)) / 10_000)
            self.set_price(symbol, max(moved.quantize(rules.tick, ROUND_HALF_EVEN), rules.tick))

    # --- the account ---------------------------------------------------------------------------

    def deposit(self, asset: str, amount: Amount) -> None:
        """Give (or, below zero, take) an amount of an asset."""
        with self.lock:
            self.matching.holding(asset).free += Decimal(amount)
            self.deposits[asset] = self.deposits.get(asset, ZERO) + Decimal(amount)

    def balance(self, asset: str) -> Decimal:
        """Free and locked together."""
        with self.lock:
            return self.matching.holding(asset).total

    @property
    def orders(self) -> list[Order]:
        """All orders there ever were, oldest first."""
        with self.lock:
            self.settle()
            return list(self.matching.orders.values())

    @property
    def trades(self) -> list[Trade]:
        """All executions, oldest first."""
        with self.lock:
            self.settle()
            return list(self.matching.trades)

    def orders_of(self, client_id: str) -> list[Order]:
        """All orders that had this client id: more than one is a doubled order."""
        with self.lock:
            self.settle()
            return list(self.matching.by_client_id(client_id))

    def imbalance(self) -> dict[str, Decimal]:
        """By asset, what deposits and trades do not explain: empty, always."""
        with self.lock:
            expected = dict(self.deposits)
            for trade in self.matching.trades:
                sign = 1 if trade.side == "BUY" else -1
                for asset, amount in (
                    (trade.base, sign * trade.quantity),
                    (trade.quote, -sign * trade.quantity * trade.price),
                    (trade.commission_asset, -trade.commission),
                ):
                    expected[asset] = expected.get(asset, ZERO) + amount
            held = {asset: row.total for asset, row in self.matching.balances.items()}
            return {
                asset: held.get(asset, ZERO) - expected.get(asset, ZERO)
                for asset in held.keys() | expected.keys()
                if held.get(asset, ZERO) != expected.get(asset, ZERO)
            }

    # --- a person at the website ---------------------------------------------------------------

    def order_by_hand(
        self, symbol: str, side: str, quantity: Amount, price: Amount | None = None,
        client_id: str | None = None,
    ) -> Order:  # fmt: skip
        """A market order, or with a price a limit order, that no client of ours placed."""
        with self.lock:
            self._by_hand += 1
            order = self.matching.new_order(
                symbol=symbol, client_id=client_id or f"web_{self._by_hand}", side=side,
                type="MARKET" if price is None else "LIMIT", quantity=Decimal(quantity),
                price=Decimal(price or 0), stop_price=ZERO, time_in_force="GTC", trailing_delta=0,
            )  # fmt: skip
            return self.matching.place(order)

    def fill(self, client_id: str, quantity: Amount, price: Amount | None = None) -> Trade:
        """Execute a part of a resting order, at its limit unless told otherwise."""
        with self.lock:
            order = self.matching.by_client_id(client_id)[-1]
            at = Decimal(price) if price is not None else order.price
            return self.matching.fill(order, Decimal(quantity), at, is_maker=True)

    def cancel_by_hand(self, client_id: str) -> None:
        """Cancel an order as a person would."""
        with self.lock:
            self.matching.cancel(self.matching.by_client_id(client_id)[-1], "web_cancel")

    # --- faults --------------------------------------------------------------------------------

    def fault(self, name: str, **filters: Any) -> Fault:
        """Script a fault of ``FAULTS``; ``filters`` are fields of Fault, like on and nth."""
        with self.lock:
            fault = self.script.add(Fault(name, **filters))
            if FAULTS[name].stage is Stage.STATE:
                fault.hits = 1
                self._begin(fault)
            return fault

    def release(self, fault: Fault) -> None:
        """End a fault: what it held goes on, what it hid is seen, what is late lands."""
        with self.lock:
            fault.released.set()
            if fault.name == "commission_asset":
                self.matching.fee_asset = None
            self.settle()

    def release_all(self) -> None:
        """End every fault; those that have not struck yet never will."""
        with self.lock:
            for fault in self.script.faults:
                self.release(fault)
            self.script.faults.clear()
            self.banned_until_ms = 0

    def settle(self) -> None:
        """Do what is due: late requests land, hidden orders appear."""
        due = [
            late for late in self._late
            if late.fault.released.is_set() or late.due_ms <= self.now_ms()
        ]  # fmt: skip
        for late in due:
            self._late.remove(late)
            late.process()

    def later(self, fault: Fault, process: Callable[[], object]) -> None:
        """Process something when the fault's time has come."""
        due = float("inf") if fault.value is None else self.now_ms() + float(fault.value) * 1000
        self._late.append(Late(fault, due, process))

    def _begin(self, fault: Fault) -> None:
        if fault.name == "commission_asset":
            self.matching.fee_asset = fault.value
        elif fault.name == "step_change":
            symbol, step = fault.value.split()
            self.rules(symbol).step = self.rules(symbol).min_quantity = Decimal(step)
        elif fault.name == "disconnect_stream":
            self.on_frame("close", {})

    # --- what the server asks ------------------------------------------------------------------

    def used_weight(self, weight: int = 0) -> int:
        """The weight used in this minute, after adding some."""
        minute = self.now_ms() // 60_000
        self._weights = {minute: self._weights.get(minute, 0) + weight}
        return self._weights[minute]

    def _tell(self, name: str, subject: Any) -> None:
        """Turn what the engine did into frames of the streams."""
        for stream, frame in frames_of(name, subject, self.now_ms(), self.matching):
            self.on_frame(stream, frame)

    def find_list(self, list_id: int | None, client_id: str | None) -> OrderList | None:
        """An order list by either id."""
        if list_id is not None:
            return self.matching.lists.get(list_id)
        lists = [one for one in self.matching.lists.values() if one.client_id == client_id]
        return lists[-1] if lists else None
