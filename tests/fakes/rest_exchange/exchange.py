"""What the Example Exchange keeps, as a test sees it; the matching is that of the other fake."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from tests.fakes.exchange.matching import Matching
from tests.fakes.exchange.records import Order, SymbolRules

KEY = "key-of-the-example-exchange"
SECRET = "secret-of-the-example-exchange"
Amount = Decimal | str | int


@dataclass
class Fault:
    """Strikes the next ``times`` requests whose 'METHOD /path' begins with ``on``."""

    name: str
    on: str = ""
    value: str = ""
    times: int = 1


@dataclass(frozen=True)
class Request:
    """A request that arrived."""

    endpoint: str
    query: str
    body: str
    fault: str


class ExampleExchange:
    """One account. Safe to use from any thread.

    ``is_revoked``, ``is_newest_first`` (of its trades), ``permissions``, ``ahead_s`` (of its clock)
    and ``faults`` are set freely; ``missing`` are the times of candles left out.
    """

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        self.lock = threading.RLock()
        self.released = threading.Event()  # lets requests go that a fault holds
        self.key, self.secret, self.url = KEY, SECRET, ""
        self.matching = Matching(self.now_ms)
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.missing: set[int] = set()
        self.is_revoked = self.is_newest_first = False
        self.permissions = ["read", "trade"]
        self.ahead_s = 0.0
        self._now = now

    def now_ms(self) -> int:
        """Its own clock."""
        base = self._now().timestamp() if self._now else time.time()
        return int((base + self.ahead_s) * 1000)

    def list_symbol(self, base: str, quote: str, price: Amount) -> SymbolRules:
        """List a symbol; its rules may be changed."""
        rules = SymbolRules(base, quote, Decimal(price))
        with self.lock:
            self.matching.symbols[code_of(rules)] = rules
        return rules

    def rules(self, code: str) -> SymbolRules:
        """A symbol's rules and prices."""
        return self.matching.symbols[code]

    def set_price(self, code: str, price: Amount) -> None:
        """Move the price: stops go off, resting orders fill."""
        with self.lock:
            self.matching.set_price(code, Decimal(price))

    def deposit(self, asset: str, amount: Amount) -> None:
        """Give an amount of an asset."""
        with self.lock:
            self.matching.holding(asset).free += Decimal(amount)

    def orders_of(self, client_id: str) -> list[Order]:
        """All orders that had this client id: more than one is a doubled order."""
        with self.lock:
            return list(self.matching.by_client_id(client_id))

    def fault(self, name: str, on: str = "", value: str = "", times: int = 1) -> Fault:
        """Script a fault."""
        fault = Fault(name, on, value, times)
        with self.lock:
            self.faults.append(fault)
        return fault

    def take_fault(self, endpoint: str) -> Fault | None:
        """The fault that strikes a request."""
        for fault in self.faults:
            if fault.times > 0 and endpoint.startswith(fault.on):
                fault.times -= 1
                return fault
        return None

    def asked(self, begin: str) -> int:
        """How many requests began so."""
        return sum(request.endpoint.startswith(begin) for request in self.requests)


def code_of(rules: SymbolRules) -> str:
    """As in requests: BTC-USDT, which is also what ``Matching`` calls it here."""
    return f"{rules.base}-{rules.quote}"
