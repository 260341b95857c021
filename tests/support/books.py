"""What a database holds, read directly, and whether it adds up to the last digit."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.support.client import Client

VOLATILE = ("id", "bot_id", "account_id", "bot_name")
"""Columns of a trade that differ between two runs of the same bot."""


def rows(data: Path, query: str, *parameters: object) -> list[dict[str, Any]]:
    """The rows of a query on ``state.db``, read without the engine."""
    with closing(sqlite3.connect(f"file:{data / 'state.db'}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query, parameters)]


def total(values: list[dict[str, Any]], column: str) -> Decimal:
    """Exact sum of a column."""
    return sum((Decimal(row[column]) for row in values), Decimal(0))


def trades_of(data: Path) -> list[dict[str, Any]]:
    """All trades in order, without what differs from run to run."""
    found = rows(data, "SELECT * FROM trades ORDER BY exit_time, id")
    return [{key: value for key, value in row.items() if key not in VOLATILE} for row in found]


def check_books(data: Path, bot: Mapping[str, Any]) -> None:
    """Every statement about a bot follows exactly from its fills. Raises AssertionError."""
    bot_id = bot["id"]
    fills = rows(data, "SELECT * FROM fills WHERE bot_id = ?", bot_id)
    trades = rows(data, "SELECT * FROM trades WHERE bot_id = ?", bot_id)
    positions = rows(data, "SELECT * FROM positions WHERE bot_id = ?", bot_id)
    assert len({row["trade_id"] for row in fills}) == len(fills), "a fill was booked twice"

    assert total(trades, "pnl") == Decimal(bot["realised_pnl"])
    assert len(trades) == bot["trade_count"]
    for trade in trades:
        own = [row for row in fills if row["position_id"] == trade["id"]]
        assert _cash(own) == Decimal(trade["pnl"]), trade["id"]
        assert total(own, "fee") == Decimal(trade["fees"]), trade["id"]
    still_open = [row for row in positions if row["is_open"]]
    assert len(still_open) <= 1
    assert len(positions) - len(still_open) == len(trades)
    for position in still_open:
        own = [row for row in fills if row["position_id"] == position["id"]]
        assert _bought(own).copy_abs() == Decimal(position["quantity"])

    orders = rows(data, "SELECT * FROM orders WHERE bot_id = ?", bot_id)
    for order in orders:
        own = [row for row in fills if row["client_id"] == order["client_id"]]
        assert total(own, "quantity") == Decimal(order["filled"]), order["client_id"]
    _check_paper_account(data, bot["account_id"])


def check_ledger(client: Client, bot_id: str) -> None:
    """What the API tells of a bot's orders and fills fits together; nothing is there twice."""
    client.post(f"/bots/{bot_id}/stop", {"close_position": True})
    bot = client.wait_for_state(bot_id, "stopped")
    orders = client.get(f"/bots/{bot_id}/orders", limit=5000)
    fills = client.get(f"/bots/{bot_id}/fills", limit=5000)
    trades = client.get("/trades", bot_id=bot_id, limit=5000)["items"]
    assert len({fill["trade_id"] for fill in fills}) == len(fills)
    filled = {order["client_id"]: order["filled"] for order in orders if order["filled"] != "0"}
    assert {fill["client_id"]: fill["quantity"] for fill in fills} == filled
    assert len(trades) == bot["trade_count"]
    assert sum(Decimal(trade["pnl"]) for trade in trades) == Decimal(bot["realised_pnl"])
    decided = client.get(f"/bots/{bot_id}/decisions", limit=5000)
    assert len({one["candle_time"] for one in decided}) == len(decided)


def _check_paper_account(data: Path, account_id: str) -> None:
    """The venue's own books agree with ours, fill by fill and balance by balance."""
    fills = rows(data, "SELECT * FROM fills WHERE account_id = ?", account_id)
    balances = {
        row["asset"]: Decimal(row["free"]) + Decimal(row["locked"])
        for row in rows(data, "SELECT * FROM paper_balances WHERE account_id = ?", account_id)
    }
    if not fills:
        return
    assert len({row["symbol"] for row in fills}) == 1, "this check knows accounts of one symbol"
    quote, base = fills[0]["fee_asset"], fills[0]["symbol"].partition("/")[0]
    assert balances[quote] == Decimal(100_000) + _cash(fills)
    assert balances[base] == _bought(fills)


def _cash(fills: list[dict[str, Any]]) -> Decimal:
    """What fills brought in, in quote, fees taken off."""
    return sum(
        (_sign(row) * Decimal(row["price"]) * Decimal(row["quantity"]) - Decimal(row["fee"])
         for row in fills), Decimal(0),
    )  # fmt: skip


def _bought(fills: list[dict[str, Any]]) -> Decimal:
    return sum((-_sign(row) * Decimal(row["quantity"]) for row in fills), Decimal(0))


def _sign(fill: dict[str, Any]) -> int:
    return 1 if fill["side"] == "sell" else -1
