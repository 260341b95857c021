"""The named steps at which a trading core is killed: around its ports, never inside its code.

A step is a moment before or after a commit (named by what the transaction saves) or a call of the
venue, or a moment at the exchange itself, which then kills the core that asks.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

from engine.domain.orders import TERMINAL, Order, OrderState, Purpose
from engine.domain.positions import Position
from engine.ports import Broker, Store, Transaction

SAVED = (
    "unprotected", "protected", "intent", "intent of a protection", "sending", "accepted",
    "cancel wanted", "unknown", "ended unfilled", "fill", "position closed", "account checked",
)  # fmt: skip
"""What a transaction may save; one that saves several is called by the last of them."""

CALLS = (
    "submit", "submit_oco", "cancel", "find_order", "open_orders", "balances", "executions",
)  # fmt: skip
ANSWERED = {OrderState.OPEN: "accepted", OrderState.PARTLY_FILLED: "accepted",
            OrderState.SENDING: "sending", OrderState.UNKNOWN: "unknown"}  # fmt: skip


class VenueStep(NamedTuple):
    """A request at which the exchange kills; ``fault`` is its own word for before or after."""

    fault: str
    on: str
    side: str | None


_REQUESTS = {
    "a buy": ("POST order", "BUY"),
    "a sell": ("POST order", "SELL"),
    "a pair": ("POST orderList/oco", None),
    "a cancel": ("DELETE order", None),
}
AT_VENUE = {
    f"venue {when} {what}": VenueStep(fault, on, side)
    for what, (on, side) in _REQUESTS.items()
    for when, fault in (("received", "kill_before_accept"), ("executed", "kill_after_accept"))
}
COMMITS = tuple(f"{when} commit: {what}" for what in SAVED for when in ("before", "after"))
ASKED = tuple(f"{when} call: {what}" for what in CALLS for when in ("before", "after"))


class Death:
    """Kills this process at the ``nth`` time that it comes to ``step``."""

    def __init__(self, step: str, nth: int = 1) -> None:
        self._step = step
        self._left = nth

    def at(self, step: str) -> None:
        """Here is a step."""
        self._left -= step == self._step
        if self._left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


class DeadlyStore:
    """A store around whose commits there are steps; for the rest the store itself."""

    def __init__(self, store: Store, death: Death) -> None:
        self._store = store
        self._death = death

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """As the store's own."""
        with self._store.transaction() as tx:
            watched = _WatchedTransaction(tx)
            yield cast("Transaction", watched)
            name = next((what for what in reversed(SAVED) if what in watched.saved), "nothing")
            self._death.at(f"before commit: {name}")
        self._death.at(f"after commit: {name}")


class _WatchedTransaction:
    """A transaction that notes what it saves."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.saved: set[str] = set()
        self.orders = _Watched(tx.orders, self._order, self.saved)
        self.positions = _Watched(tx.positions, _position, self.saved)
        self.fills = _Watched(tx.fills, lambda _fill: "fill", self.saved)
        self.trades = _Watched(tx.trades, lambda _trade: "position closed", self.saved)
        self.accounts = _Watched(tx.accounts, lambda _account: "account checked", self.saved)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    def _order(self, order: Order) -> str:
        if order.state is OrderState.INTENT:
            is_protection = order.purpose is Purpose.PROTECTION
            return "intent of a protection" if is_protection else "intent"
        if order.state in TERMINAL:
            return "" if order.filled else "ended unfilled"
        known = self._tx.orders.find(order.client_id)
        if order.is_cancel_wanted and known is not None and not known.is_cancel_wanted:
            return "cancel wanted"
        return ANSWERED[order.state]


class _Watched:
    """A repository whose writes are named."""

    def __init__(self, repository: Any, name_of: Callable[[Any], str], saved: set[str]) -> None:
        self._repository = repository
        self._name_of = name_of
        self._saved = saved

    def __getattr__(self, name: str) -> Any:
        return getattr(self._repository, name)

    def add(self, *items: Any) -> None:
        """Insert."""
        self._saved.update(map(self._name_of, items))
        self._repository.add(*items)

    def save(self, item: Any) -> None:
        """Replace."""
        self._saved.add(self._name_of(item))
        self._repository.save(item)


def _position(position: Position) -> str:
    if position.protected_at is not None:
        return "protected"
    return "" if position.unprotected_since is None else "unprotected"


class DeadlyBroker:
    """A broker around whose calls there are steps; for the rest the broker itself."""

    def __init__(self, broker: Broker, death: Death) -> None:
        self._broker = broker
        self._death = death

    def __getattr__(self, name: str) -> Any:
        own = getattr(self._broker, name)
        return self._deadly(name, own) if name in CALLS else own

    def _deadly(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any) -> Any:
            self._death.at(f"before call: {name}")
            try:
                return call(*arguments)
            finally:
                self._death.at(f"after call: {name}")

        return called
