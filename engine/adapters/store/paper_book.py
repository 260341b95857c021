"""``ports.PaperBook`` in the engine's own database, under the same fence."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from engine.adapters.store.account_tables import (
    PaperAccountRow,
    PaperBalanceRow,
    PaperOrderRow,
)
from engine.adapters.store.columns import table_of
from engine.adapters.store.database import Database
from engine.domain.orders import TERMINAL
from engine.domain.records import PaperBalance
from engine.ports import PaperOrder

_ACCOUNTS = table_of(PaperAccountRow)
_BALANCES = table_of(PaperBalanceRow)
_ORDERS = table_of(PaperOrderRow)
_FIELDS = list(PaperOrder.model_fields)

_FIND_ACCOUNT = select(_ACCOUNTS.c.account_id).where(
    _ACCOUNTS.c.account_id == bindparam("wanted_account")
)
_FIND_BALANCES = select(_BALANCES.c.asset, _BALANCES.c.free, _BALANCES.c.locked).where(
    _BALANCES.c.account_id == bindparam("wanted_account")
)
_SAVE_BALANCE = update(_BALANCES).where(
    _BALANCES.c.account_id == bindparam("wanted_account"),
    _BALANCES.c.asset == bindparam("wanted_asset"),
)
_ORDERS_OF_ACCOUNT = select(*(_ORDERS.c[name] for name in _FIELDS)).where(
    _ORDERS.c.account_id == bindparam("wanted_account")
)
_FIND_ORDER = _ORDERS_OF_ACCOUNT.where(_ORDERS.c.client_id == bindparam("wanted_order"))
_FIND_TRADED = _ORDERS_OF_ACCOUNT.where(
    _ORDERS.c.symbol == bindparam("wanted_symbol"),
    _ORDERS.c.traded_at >= bindparam("wanted_since", type_=_ORDERS.c.traded_at.type),
).order_by(_ORDERS.c.seq)
_FIND_OPEN = _ORDERS_OF_ACCOUNT.where(_ORDERS.c.is_open.is_(True)).order_by(_ORDERS.c.seq)
_SAVE_ORDER = update(_ORDERS).where(
    _ORDERS.c.account_id == bindparam("wanted_account"),
    _ORDERS.c.client_id == bindparam("wanted_order"),
)


class SqlPaperBook:
    """The durable books of paper venues."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def balances(self, account_id: str) -> dict[str, PaperBalance] | None:
        """By asset; None for an account that was never opened."""
        key = {"wanted_account": account_id}
        with self._database.reading() as session:
            if not session.rows(_FIND_ACCOUNT, key):
                return None
            return {
                asset: PaperBalance(asset=asset, free=free, locked=locked)
                for asset, free, locked in session.rows(_FIND_BALANCES, key)
            }

    def find_order(self, account_id: str, client_id: str) -> PaperOrder | None:
        """None when there is none."""
        key = {"wanted_account": account_id, "wanted_order": client_id}
        with self._database.reading() as session:
            rows = session.rows(_FIND_ORDER, key)
        return _order(rows[0]) if rows else None

    def open_orders(self, account_id: str) -> Sequence[PaperOrder]:
        """Orders still working, oldest first."""
        with self._database.reading() as session:
            rows = session.rows(_FIND_OPEN, {"wanted_account": account_id})
        return [_order(row) for row in rows]

    def traded_orders(self, account_id: str, symbol: str, since: datetime) -> Sequence[PaperOrder]:
        """Orders with a fill at or after ``since``, oldest first."""
        key = {"wanted_account": account_id, "wanted_symbol": symbol, "wanted_since": since}
        with self._database.reading() as session:
            rows = session.rows(_FIND_TRADED, key)
        return [_order(row) for row in rows]

    def commit(
        self, account_id: str, balances: Mapping[str, PaperBalance], *orders: PaperOrder
    ) -> None:
        """Insert or replace balances and orders, all or nothing, and open the account.

        Raises StoreError, and LeaseLost when another engine took the database over.
        """
        with self._database.writing() as session:
            if not session.rows(_FIND_ACCOUNT, {"wanted_account": account_id}):
                session.change(insert(_ACCOUNTS), {"account_id": account_id})
            for asset, balance in balances.items():
                amounts = {"free": balance.free, "locked": balance.locked}
                key = {"wanted_account": account_id, "wanted_asset": asset}
                if not session.change(_SAVE_BALANCE, amounts | key):
                    row = {"account_id": account_id, "asset": asset}
                    session.change(insert(_BALANCES), row | amounts)
            for order in orders:
                values = _values(account_id, order)
                key = {"wanted_account": account_id, "wanted_order": order.request.client_id}
                if not session.change(_SAVE_ORDER, values | key):
                    session.change(insert(_ORDERS).inline(), values)


def _values(account_id: str, order: PaperOrder) -> dict[str, Any]:
    values = {name: getattr(order, name) for name in _FIELDS}
    return values | {
        "account_id": account_id,
        "client_id": order.request.client_id,
        "is_open": order.report.state not in TERMINAL,
        "symbol": order.report.symbol,
        "traded_at": max((fill.time for fill in order.report.fills), default=None),
    }


def _order(row: Sequence[Any]) -> PaperOrder:
    return PaperOrder.model_validate(dict(zip(_FIELDS, row, strict=True)))
