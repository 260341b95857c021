"""Reconciling in a real engine: clean at a start, halted by a difference, made to agree."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.strategy_files import write_strategy
from tests.support.books import rows
from tests.support.client import Client, eventually
from tests.support.processes import Copy, copy_of_quarterdeck
from tooling.place import ROOT

ACCOUNT = "paper:simulated"


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Copy]:
    """An engine not started yet, whose strategy always buys."""
    folder = tmp_path / "strategies"
    folder.mkdir()
    write_strategy(folder, "buyer", act="above = candles.close > 0")
    with copy_of_quarterdeck(
        tmp_path / "data", QUARTERDECK_STRATEGIES=str(folder), QUARTERDECK_RECONCILE_EVERY_S="5"
    ) as copy:
        yield copy


def report(client: Client) -> dict[str, Any]:
    """The one account's report."""
    [found] = client.get("/reconcile")
    return dict(found)


def owned(account: dict[str, Any]) -> set[str]:
    """The assets of which bots own something."""
    return {one["asset"] for one in account["assets"] if Decimal(one["owned"])}


def in_position(client: Client, key: str) -> dict[str, Any]:
    """The bot once it holds something."""
    return eventually(lambda: client.bot(key), lambda bot: bot["position"] is not None)


def start_bot(client: Client, **changes: Any) -> str:
    """A bot that buys at once."""
    bot = client.create_bot(**{"strategy": "buyer", "params": {}} | changes)
    client.post(f"/bots/{bot['id']}/start")
    return str(bot["id"])


def run_command(copy: Copy, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``python -m engine ...`` for the copy's engine."""
    variables = {
        **os.environ,
        "QUARTERDECK_DATA": str(copy.place.data),
        "QUARTERDECK_API_PORT": str(copy.place.api_port),
    }
    return subprocess.run(
        [sys.executable, "-m", "engine", *arguments],
        cwd=ROOT, env=variables, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def tamper(copy: Copy, asset: str, amount: str) -> None:
    """Change what the paper venue holds behind everybody's back."""
    path = copy.place.data / "state.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        [(free,)] = connection.execute(
            "SELECT free FROM paper_balances WHERE account_id = ? AND asset = ?", (ACCOUNT, asset)
        )
        connection.execute(
            "UPDATE paper_balances SET free = ? WHERE account_id = ? AND asset = ?",
            (str(Decimal(free) + Decimal(amount)), ACCOUNT, asset),
        )


def test_a_difference_halts_entries_until_it_is_adopted(copy: Copy) -> None:
    copy.start_engine()
    client = Client(copy)
    holder = start_bot(client, name="holder", take_profit="5", stop_loss="0.5")
    in_position(client, holder)
    seen = eventually(lambda: report(client), lambda one: owned(one) == {"BTC"})
    assert (seen["health"], seen["objection"]) == ("clean", None)
    assert {one["difference"] for one in seen["assets"]} == {"0"}

    copy.stop_engine()
    tamper(copy, "USDT", "-12.5")
    copy.start_engine()
    seen = eventually(lambda: report(client), lambda one: one["health"] == "mismatch")
    [finding] = seen["findings"]
    assert (finding["kind"], finding["subject"], finding["amount"]) == ("balance", "USDT", "-12.5")
    assert "does not agree" in seen["objection"]

    late = start_bot(client, name="late", symbol="ETH/USDT")
    objection = eventually(
        lambda: client.get(f"/bots/{late}/decisions", limit=5),
        lambda found: any("does not agree" in str(one["trace"]) for one in found),
    )
    assert objection
    assert client.bot(late)["position"] is None
    client.post(f"/bots/{holder}/stop", {"close_position": True})
    client.wait_for_state(holder, "stopped")
    assert client.bot(holder)["trade_count"] == 1, "exits go on"

    copy.kill_engine()
    copy.start_engine()
    seen = eventually(lambda: report(client), lambda one: one["health"] == "mismatch")
    assert [one["id"] for one in seen["findings"]] == [finding["id"]]
    told = client.get("/events", kind="reconcile.mismatch", limit=50)
    assert len(told) == 1, "told once, over restarts too"

    assert finding["id"] in run_command(copy, "findings").stdout
    shown = run_command(copy, "resolve", finding["id"], "adopt")
    assert shown.returncode == 0, shown.stderr
    seen = report(client)
    assert (seen["health"], seen["objection"], seen["findings"]) == ("clean", None, [])
    in_position(client, late)
    trail = client.get("/audit", limit=50)
    assert [one["subject"] for one in trail if one["action"] == "finding.adopt"] == [finding["id"]]


def test_books_from_before_there_were_accounts_come_up_clean(copy: Copy) -> None:
    copy.start_engine()
    client = Client(copy)
    key = start_bot(client, take_profit="5", stop_loss="0.5")
    in_position(client, key)
    copy.stop_engine()
    with closing(sqlite3.connect(copy.place.data / "state.db")) as connection, connection:
        for table in ("account_lines", "accounts", "findings"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 - three names of our own
    copy.start_engine()
    seen = eventually(lambda: report(client), lambda one: one["health"] == "clean")
    assert seen["findings"] == []
    opened = rows(copy.place.data, "SELECT * FROM account_lines WHERE asset IN ('USDT', 'BTC')")
    assert [(one["asset"], Decimal(one["amount"])) for one in opened] == [("USDT", 100_000)]


def test_an_account_is_compared_when_somebody_asks(copy: Copy) -> None:
    copy.start_engine()
    client = Client(copy)
    key = start_bot(client)
    in_position(client, key)
    first = eventually(lambda: report(client), lambda one: one["health"] == "clean")
    asked = client.post("/reconcile", {"account_id": ACCOUNT})
    assert asked["health"] == "clean"
    assert asked["checked_at"] > first["checked_at"]
    eventually(lambda: report(client), lambda one: one["checked_at"] > asked["checked_at"])
    done = run_command(copy, "reconcile", "--account", ACCOUNT)
    assert done.returncode == 0 and "clean" in done.stdout
    assert "USDT" in run_command(copy, "accounts").stdout
    assert client.ask("POST", "/reconcile", json={"account_id": "paper:no"}).status_code == 404
