"""What Expert Advisors pushed and the orders that wait for them, over the store."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from engine.domain.mailbox import BoxOrder
from engine.domain.pushed import PushedBar, PushedPrice, Terminal, key_of
from engine.ports import Store


class TerminalBooks:
    """Implements ``ports.Terminals``. Thread-safe; nothing but ``news`` is kept in memory."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._news = threading.Condition()

    # --- prices ---------------------------------------------------------------------------------

    def accounts(self) -> Sequence[str]:
        """Those of which prices ever came."""
        with self._store.reading() as tx:
            return sorted({account for (account,) in tx.pushed_prices.values("account")})

    def terminal(self, account: str) -> Terminal | None:
        """When and what was heard of an account last."""
        with self._store.reading() as tx:
            return tx.terminals.find(account)

    def prices(self, account: str) -> Sequence[PushedPrice]:
        """The newest price of each symbol."""
        with self._store.reading() as tx:
            return tx.pushed_prices.select(account=account)

    def price(self, account: str, symbol: str) -> PushedPrice | None:
        """The newest price of a symbol; None for one that was never pushed."""
        with self._store.reading() as tx:
            return tx.pushed_prices.find(key_of(account, symbol))

    def bars(
        self, account: str, symbol: str, timeframe: str, *,
        limit: int | None = None, since: datetime | None = None, until: datetime | None = None,
    ) -> Sequence[PushedBar]:  # fmt: skip
        """The newest ``limit`` that opened in [since, until), oldest first."""
        with self._store.reading() as tx:
            found = tx.pushed_bars.select(
                account=account, symbol=symbol, timeframe=timeframe, since=since, until=until,
                limit=limit, is_descending=True,
            )  # fmt: skip
        return found[::-1]

    # --- orders ---------------------------------------------------------------------------------

    def post(self, *orders: BoxOrder) -> None:
        """Put orders in. Raises Conflict for an id that is there, StoreError."""
        with self._store.transaction() as tx:
            tx.box_orders.add(*orders)

    def parts(self, account_id: str, client_id: str) -> Sequence[BoxOrder]:
        """An order's parts, in their order."""
        with self._store.reading() as tx:
            found = tx.box_orders.select(account_id=account_id, client_id=client_id)
        return sorted(found, key=lambda order: order.part)

    def change(self, order_id: str, change: Callable[[BoxOrder], BoxOrder]) -> BoxOrder:
        """Read, change and write in one transaction. Raises NotFound, StoreError."""
        with self._store.transaction() as tx:
            order = tx.box_orders.get(order_id)
            changed = change(order)
            if changed != order:
                tx.box_orders.save(changed)
        return changed

    def working(self, account_id: str) -> Sequence[BoxOrder]:
        """What has not ended, of an account."""
        with self._store.reading() as tx:
            return tx.box_orders.select(account_id=account_id, end="")

    def touched(self, account_id: str, symbol: str, since: datetime) -> Sequence[BoxOrder]:
        """What was told anything of at or after ``since``."""
        with self._store.reading() as tx:
            return tx.box_orders.select(account_id=account_id, symbol=symbol, since=since)

    def wait(self, timeout_s: float) -> None:
        """Until an advisor has told something of any order, or so many seconds have passed."""
        with self._news:
            self._news.wait(timeout_s)

    def announce(self) -> None:
        """Wake who waits for an advisor; after the commit of what it told."""
        with self._news:
            self._news.notify_all()
