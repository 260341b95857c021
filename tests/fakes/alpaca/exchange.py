"""Alpaca as a test sees it: prices, cash, faults, and everything that happened."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.fakes.alpaca.faults import Fault, Script
from tests.fakes.alpaca.matching import Matching
from tests.fakes.alpaca.records import ZERO, Asset, Order, Sessions, Trade

KEY = "PKTESTKEYOFTHELOOPBACK"
SECRET = "test-secret-of-the-loopback-alpaca"
Amount = Decimal | str | int


@dataclass(frozen=True)
class Request:
    """A request that arrived; ``fault`` is the one that struck it."""

    endpoint: str
    sent: dict[str, Any]
    fault: str


class AlpacaExchange:
    """One account. Safe to use from any thread. ``now`` is its time (default: the wall clock)."""

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        self.lock = threading.RLock()
        self.key, self.secret = KEY, SECRET
        self.url = ""
        self.script = Script()
        self.sessions = Sessions()
        self.matching = Matching(self.now, self.sessions)
        self.matching.on_event = self._tell
        self.requests: list[Request] = []
        self.activities: list[dict[str, Any]] = []
        self.hidden_trades = 0
        self.account: dict[str, Any] = {
            "status": "ACTIVE", "crypto_status": "ACTIVE", "trading_blocked": False,
            "account_blocked": False, "transfers_blocked": False, "trade_suspended_by_user": False,
            "shorting_enabled": False, "pattern_day_trader": False,
        }  # fmt: skip
        self.on_frame: Callable[[dict[str, Any] | None], None] = lambda _frame: None
        self.on_price: Callable[[str | None], None] = lambda _symbol: None
        self.watched: list[str] = []
        self.streams_refused = 0
        self.listeners = 0  # that there ever were on the trading stream
        self.late: list[tuple[Fault, Callable[[], object]]] = []
        self.subscription: str = "iex"
        self.tells_legs = True  # in the answer to a new pair
        self._now = now

    def now(self) -> datetime:
        """Its own clock, with ``clock_skew``."""
        skew = self.script.state("clock_skew")
        base = self._now() if self._now else datetime.now(UTC)
        return base + timedelta(seconds=float(skew.value if skew else 0))

    # --- the market ----------------------------------------------------------------------------

    def add_asset(self, symbol: str, price: Amount, **fields: Any) -> Asset:
        """List a stock, or a pair of crypto; ``fields`` are those of Asset."""
        with self.lock:
            asset = Asset(symbol, Decimal(price), is_crypto="/" in symbol, **fields)
            self.matching.assets[symbol] = asset
            return asset

    def asset(self, symbol: str) -> Asset:
        """To read and to change."""
        return self.matching.assets[symbol]

    def set_price(self, symbol: str, price: Amount) -> None:
        """Move the price: stops go off, resting orders fill."""
        with self.lock:
            self.matching.set_price(self.asset(symbol), Decimal(price))
            self.on_price(symbol)

    # --- the account ---------------------------------------------------------------------------

    @property
    def orders(self) -> list[Order]:
        """All orders there ever were, oldest first."""
        with self.lock:
            self.matching.settle()
            return list(self.matching.orders.values())

    def orders_of(self, client_id: str) -> list[Order]:
        """All orders that had this client id: more than one is a doubled order."""
        return [order for order in self.orders if order.client_id == client_id]

    def hold(self, base: str, quantity: Amount) -> None:
        """Give the account a position that it was not seen to trade."""
        with self.lock:
            held = self.matching.positions.get(base, ZERO)
            self.matching.positions[base] = held + Decimal(quantity)

    def by_hand(self, symbol: str, side: str, quantity: Amount, **fields: Any) -> Order:
        """An order that no client of ours placed; at the market unless ``fields`` say more."""
        with self.lock:
            order = Order(
                self.asset(symbol), f"web-{len(self.matching.orders)}", side,
                "limit" if "limit" in fields else "market", Decimal(quantity), "gtc", self.now(),
                **fields,
            )  # fmt: skip
            self.matching.place(order)
            self.matching.settle()
            return order

    def add_activity(self, kind: str, amount: Amount, number: str, **fields: Any) -> None:
        """Something that moved cash without a trade."""
        with self.lock:
            day = f"{self.now():%Y-%m-%d}"
            self.activities.append({
                "activity_type": kind, "id": f"{day.replace('-', '')}000000000::{number}",
                "date": day, "net_amount": str(amount), "description": "", "status": "executed",
                **fields,
            })  # fmt: skip

    # --- faults --------------------------------------------------------------------------------

    def fault(self, name: str, **filters: Any) -> Fault:
        """Script a fault of ``FAULTS``; ``filters`` are fields of Fault, like on and nth."""
        with self.lock:
            fault = self.script.add(Fault(name, **filters))
            if name == "activities_behind":
                self.hidden_trades = len(self.matching.trades)
            elif name == "disconnect_stream":
                self.on_frame(None)
                self.on_price(None)
            return fault

    def release(self, fault: Fault) -> None:
        """End a fault: what it held goes on, what is late lands."""
        with self.lock:
            fault.released.set()
            for late in [one for one in self.late if one[0] is fault]:
                self.late.remove(late)
                late[1]()

    def release_all(self) -> None:
        """End every fault; those that have not struck yet never will."""
        for fault in list(self.script.faults):
            self.release(fault)
        self.script.faults.clear()

    def listed_trades(self) -> list[Trade]:
        """Trades as far as the activities know them."""
        is_behind = self.script.state("activities_behind") is not None
        trades = self.matching.trades
        return trades[: self.hidden_trades] if is_behind else list(trades)

    def posts(self) -> int:
        """How many orders arrived, whatever became of them."""
        return sum(1 for one in self.requests if one.endpoint == "POST /v2/orders")

    def _tell(self, event: str, order: Order, trade: Trade | None) -> None:
        from tests.fakes.alpaca.views import trade_update

        self.on_frame(trade_update(event, order, trade, self.now()))
