"""A paper venue's book in memory; what it holds is there to be read."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from engine.domain.orders import TERMINAL
from engine.domain.records import PaperBalance
from engine.ports import PaperOrder


class FakePaperBook:
    """Implements ``PaperBook``. ``commits`` counts transactions; ``failure`` is raised by the
    next one instead of writing, ``late_failure`` after writing."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, PaperBalance]] = {}
        self.orders: dict[tuple[str, str], PaperOrder] = {}
        self.commits = 0
        self.failure: Exception | None = None
        self.late_failure: Exception | None = None

    def balances(self, account_id: str) -> dict[str, PaperBalance] | None:
        """None for an account that was never opened."""
        rows = self.rows.get(account_id)
        return None if rows is None else dict(rows)

    def find_order(self, account_id: str, client_id: str) -> PaperOrder | None:
        """One order."""
        return self.orders.get((account_id, client_id))

    def open_orders(self, account_id: str) -> Sequence[PaperOrder]:
        """Orders still working, oldest first."""
        return [
            order
            for (owner, _), order in self.orders.items()
            if owner == account_id and order.report.state not in TERMINAL
        ]

    def traded_orders(self, account_id: str, symbol: str, since: datetime) -> Sequence[PaperOrder]:
        """Orders with a fill at or after ``since``, oldest first."""
        return [
            order
            for (owner, _), order in self.orders.items()
            if owner == account_id
            and order.report.symbol == symbol
            and any(fill.time >= since for fill in order.report.fills)
        ]

    def commit(
        self, account_id: str, balances: Mapping[str, PaperBalance], *orders: PaperOrder
    ) -> None:
        """Insert or replace."""
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        self.commits += 1
        self.rows.setdefault(account_id, {}).update(balances)
        for order in orders:
            self.orders[(account_id, order.request.client_id)] = order
        if self.late_failure is not None:
            failure, self.late_failure = self.late_failure, None
            raise failure
