"""What Expert Advisors have pushed, and the box in which orders wait for them."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from engine.domain.mailbox import BoxOrder
from engine.domain.pushed import PushedBar, PushedPrice, Terminal


class PushedMarkets(Protocol):
    """Prices and bars by the account whose terminal pushed them; durable."""

    def accounts(self) -> Sequence[str]:
        """Those of which prices ever came."""
        ...

    def terminal(self, account: str) -> Terminal | None:
        """When and what was heard of an account last."""
        ...

    def prices(self, account: str) -> Sequence[PushedPrice]:
        """The newest price of each symbol."""
        ...

    def price(self, account: str, symbol: str) -> PushedPrice | None:
        """The newest price of a symbol; None for one that was never pushed."""
        ...

    def bars(
        self, account: str, symbol: str, timeframe: str, *,
        limit: int | None = None, since: datetime | None = None, until: datetime | None = None,
    ) -> Sequence[PushedBar]:  # fmt: skip
        """The newest ``limit`` that opened in [since, until), oldest first."""
        ...


class Mailbox(Protocol):
    """Orders for Expert Advisors. Everything is committed before a call returns."""

    def post(self, *orders: BoxOrder) -> None:
        """Put orders in. Raises Conflict for an id that is there, StoreError."""
        ...

    def parts(self, account_id: str, client_id: str) -> Sequence[BoxOrder]:
        """An order's parts, in their order; empty for one that was never put in."""
        ...

    def change(self, order_id: str, change: Callable[[BoxOrder], BoxOrder]) -> BoxOrder:
        """Read, change and write in one transaction. Raises NotFound, StoreError."""
        ...

    def working(self, account_id: str) -> Sequence[BoxOrder]:
        """What has not ended, of an account."""
        ...

    def touched(self, account_id: str, symbol: str, since: datetime) -> Sequence[BoxOrder]:
        """What was told anything of at or after ``since``."""
        ...

    def wait(self, timeout_s: float) -> None:
        """Until an advisor has told something of any order, or so many seconds have passed."""
        ...


class Terminals(PushedMarkets, Mailbox, Protocol):
    """Both."""
