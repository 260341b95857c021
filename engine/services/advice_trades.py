"""From an answer to what its entry made: by way of the decision, its order, and the trade."""

from dataclasses import dataclass
from decimal import Decimal

from engine.domain.advice import Advice
from engine.domain.advice_outcomes import entrys_share
from engine.domain.orders import Order, Purpose
from engine.ports import Store, Transaction


@dataclass(frozen=True)
class Found:
    """What became of an entry: its value in quote (None: there is none), whether that is still
    open, and why there is none."""

    value: Decimal | None = None
    is_open: bool = False
    detail: str = ""


class TradeFinder:
    """Reads the store; blocking."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, row: Advice) -> Found:
        """What came of the entry that followed from an answer. Raises StoreError."""
        if row.action not in ("buy", "sell") or row.verdict == "veto":
            return Found()
        with self._store.reading() as tx:
            decision = tx.decisions.find(row.decision_id)
            if decision is None:
                return Found(detail="nothing was decided by it")
            order = _entry_of(tx, [step.values.get("client_id") for step in decision.trace])
            if order is None:
                return Found(detail=f"nothing was opened: {decision.reason}")
            return _value_of(tx, order)


def _entry_of(tx: Transaction, client_ids: list[str | None]) -> Order | None:
    orders = (tx.orders.find(one) for one in client_ids if one)
    return next((one for one in orders if one and one.purpose is Purpose.ENTRY), None)


def _value_of(tx: Transaction, order: Order) -> Found:
    entry = tx.entries.find(order.client_id)
    if entry is None:
        if not order.is_terminal:
            return Found(is_open=True)
        return Found(detail=f"its order was {order.state.value}: {order.error}".rstrip(": "))
    trade = tx.trades.find(entry.position_id)
    if trade is not None:
        return Found(value=entrys_share(trade, entry.quantity, entry.value))
    position = tx.positions.find(entry.position_id)
    is_open = position is not None and position.is_open
    return Found(is_open=is_open, detail="" if is_open else "its trade is not in the books")
