"""Backups of a real engine while it trades: put back on an empty folder, equal to the last digit at
their moment, and traded on with; made by the schedule, by kill -9 interrupted, without any key."""

import json
import os
import signal
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.adapters.backups.restore import JOURNAL
from engine.cli import main
from tests.support.books import rows
from tests.support.client import Client, eventually
from tests.support.processes import Copy, begin, copy_of_quarterdeck

OK, FAILED, BAD_INPUT = 0, 1, 2
BOTS = 3
CANARY = "canary-4f1d"
RISKLESS = {"stop_loss": None, "take_profit": None}

FLIP = '''"""In at every other candle, out at the next: as many trades as there are seconds."""

from typing import ClassVar

import numpy as np

from engine.domain.candles import Candles
from engine.domain.strategy import Signals, Strategy


class Flip(Strategy):
    """Even candles enter, odd ones leave."""

    title: ClassVar[str] = "Flip"
    summary: ClassVar[str] = "Trades at every candle."

    @property
    def warmup(self) -> int:
        """None."""
        return 1

    def signals(self, candles: Candles) -> Signals:
        """By the number of the candle."""
        is_even = (candles.time // 1_000) % 2 == 0
        never = np.zeros(len(is_even), dtype=bool)
        return Signals(
            enter_long=is_even, exit_long=~is_even, enter_short=never, exit_short=never
        )
'''


@dataclass
class Trading:
    """An engine whose bots trade every second; a backup of it, made meanwhile."""

    copy: Copy
    client: Client
    file: Path
    folder: Path

    @property
    def data(self) -> Path:
        """Its data folder."""
        return self.copy.place.data


@pytest.fixture(scope="module")
def trading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trading]:
    folder = tmp_path_factory.mktemp("backup")
    strategies = folder / "strategies"
    strategies.mkdir()
    (strategies / "flip.py").write_text(FLIP, "utf-8")
    with copy_of_quarterdeck(
        folder / "data", QUARTERDECK_STRATEGIES=str(strategies), QUARTERDECK_RECONCILE_EVERY_S="5"
    ) as copy:
        copy.start_engine()
        client = Client(copy)
        for number in range(BOTS):
            bot = client.create_bot(
                name=f"flip-{number}", strategy="flip", params={},
                symbol=("BTC/USDT", "ETH/USDT", "SOL/USDT")[number],
            )  # fmt: skip
            client.post(f"/bots/{bot['id']}/start")
        # Meanwhile: this loads a vendor's library.
        secrets = {"key": f"{CANARY}-key", "secret": f"{CANARY}-secret"}
        request = {"name": "Main", "venue": "binance", "mode": "live", "secrets": secrets}
        client.post("/venue-accounts", request)
        eventually(lambda: count(copy.place.data, "trades"), lambda found: found >= 2 * BOTS)
        client.post("/backups", {})
        made = eventually(lambda: client.get("/backups"), lambda page: bool(page["backups"]))
        file = folder / "data" / "backups" / made["backups"][0]["name"]
        later = count(copy.place.data, "fills")
        eventually(lambda: count(copy.place.data, "fills"), lambda found: found > later)
        yield Trading(copy, client, file, folder)


def count(data: Path, table: str) -> int:
    return int(rows(data, f"SELECT count(*) AS found FROM {table}")[0]["found"])  # noqa: S608


@pytest.fixture
def here(trading: Trading, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands of this process are about the engine's folder."""
    monkeypatch.setenv("QUARTERDECK_DATA", str(trading.data))
    monkeypatch.setenv("QUARTERDECK_STRATEGIES", str(trading.folder / "strategies"))


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = OK) -> Any:
    """What a command prints as JSON."""
    capsys.readouterr()
    assert main([*arguments, "--json"]) == code, capsys.readouterr()
    return json.loads(capsys.readouterr().out)


GROWING = {
    "fills": "seq", "orders": "client_id", "trades": "id", "decisions": "id",
    "account_lines": "id", "audit_entries": "seq",
}  # fmt: skip
"""What is written down once and stays, by its key; an order stays once it has ended."""


def test_restored_it_equals_the_original_at_that_moment_and_trades_on(
    trading: Trading, here: None, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    into = tmp_path / "restored"
    done = said(capsys, "restore", str(trading.file), "--into", str(into))
    counts = done["restored"]["facts"]["counts"]
    assert counts["fills"] >= 4 * BOTS

    # What the original has up to that moment is what is restored, row by row, digit by digit.
    for table, key in GROWING.items():
        restored = {row[key]: row for row in rows(into, f"SELECT * FROM {table}")}  # noqa: S608
        original = {row[key]: row for row in rows(trading.data, f"SELECT * FROM {table}")}  # noqa: S608
        assert len(restored) == counts[table] <= len(original)
        ended = {name for name, row in restored.items() if row.get("state", "filled") == "filled"}
        assert ended
        assert {name: restored[name] for name in ended} == {name: original[name] for name in ended}
    last = max(row["seq"] for row in rows(into, "SELECT seq FROM fills"))
    before = rows(trading.data, "SELECT * FROM fills WHERE seq <= ? ORDER BY seq", last)
    assert rows(into, "SELECT * FROM fills ORDER BY seq") == before
    assert len(before) < count(trading.data, "fills"), "it went on meanwhile"
    # Balances and positions are replaced as they change: they follow from those same fills.
    assert balances(into) == balances_after(into, before)
    for bot in rows(into, "SELECT * FROM bots"):
        check_books_of(into, bot, before)

    interrupt_another_restore(into)
    with copy_of_quarterdeck(
        into, QUARTERDECK_STRATEGIES=str(into / "strategies"), QUARTERDECK_RECONCILE_EVERY_S="5"
    ) as copy:
        copy.start_engine()
        client = Client(copy)
        eventually(
            lambda: client.get("/reconcile"),
            lambda found: bool(found) and all(one["health"] == "clean" for one in found),
        )
        assert client.get("/findings", state="open") == []
        eventually(lambda: count(into, "fills"), lambda found: found >= counts["fills"] + 2 * BOTS)
        assert {bot["state"] for bot in client.get("/bots")} == {"running"}
        [told] = [one for one in client.get("/audit") if one["action"] == "backup.restore"]
        assert (told["subject"], told["actor"][:4]) == (trading.file.name, "cli:")
        assert not (into / "restored.json").exists(), "it is told once"
        assert copy.stop_engine() == OK


def interrupt_another_restore(data: Path) -> None:
    """As a kill leaves the folder between two moves: without a database."""
    aside = data / "before-restore-killed" / "state.db"
    aside.parent.mkdir()
    journal = {"moves": [[str(data / "state.db"), str(aside)]], "added": []}
    (data / JOURNAL).write_text(json.dumps(journal))
    (data / "state.db").rename(aside)


def balances(data: Path) -> dict[str, Decimal]:
    """The paper venue's own books, by asset."""
    found: dict[str, Decimal] = {}
    for row in rows(data, "SELECT * FROM paper_balances"):
        held = Decimal(row["free"]) + Decimal(row["locked"])
        found[row["asset"]] = found.get(row["asset"], Decimal(0)) + held
    return {asset: held for asset, held in found.items() if held}


def balances_after(data: Path, fills: list[dict[str, Any]]) -> dict[str, Decimal]:
    """What an account has after these fills, from its opening balances on."""
    opening = rows(data, "SELECT asset, amount FROM account_lines")
    found = {row["asset"]: Decimal(row["amount"]) for row in opening}
    for fill in fills:
        base, _, quote = fill["symbol"].partition("/")
        sign = 1 if fill["side"] == "buy" else -1
        quantity = sign * Decimal(fill["quantity"])
        found[base] = found.get(base, Decimal(0)) + quantity
        found[quote] -= quantity * Decimal(fill["price"])
        found[fill["fee_asset"]] -= Decimal(fill["fee"])
    return {asset: held for asset, held in found.items() if held}


def check_books_of(data: Path, bot: dict[str, Any], fills: list[dict[str, Any]]) -> None:
    """A bot's open position is the sum of its fills."""
    own = [fill for fill in fills if fill["bot_id"] == bot["id"]]
    held = sum(
        ((1 if fill["side"] == "buy" else -1) * Decimal(fill["quantity"]) for fill in own),
        Decimal(0),
    )
    positions = rows(
        data, "SELECT quantity FROM positions WHERE bot_id = ? AND is_open = 1", bot["id"]
    )
    assert sum((Decimal(row["quantity"]) for row in positions), Decimal(0)) == held


def test_no_key_is_in_a_backup_of_a_real_engine(trading: Trading) -> None:
    token = (trading.data / "api.token").read_bytes().strip()
    key = (trading.data / "secret.key").read_bytes().strip()
    with zipfile.ZipFile(trading.file) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    everything = b"".join(content.values())
    for secret in (token, key, CANARY.encode()):
        assert secret
        assert secret not in everything
        assert secret not in trading.file.read_bytes()
    assert b"account_secrets" in content["state.db"]
    assert b"v1:" in content["state.db"], "the sealed ones are there"


def test_the_engine_tells_of_it_and_of_its_verification(trading: Trading) -> None:
    page = trading.client.get("/backups")
    assert (page["failure"], page["backups"][0]["problem"]) == ("", "")
    assert page["backups"][0]["sealed"] == 2
    [event] = eventually(
        lambda: rows(trading.data, "SELECT message FROM events WHERE kind = 'backup.done'"),
        lambda found: len(found) == 1,
    )
    assert event["message"].startswith("Backed up and verified: quarterdeck-")


def test_the_command_makes_one_beside_the_engine_and_checks_it(
    trading: Trading, here: None, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    target = tmp_path / "mine.zip"
    made = said(capsys, "backup", "--to", str(target), "--with-candles")
    assert (made["path"], made["manifest"]["has_candles"]) == (str(target), True)
    assert said(capsys, "verify", str(target))["facts"] == made["manifest"]["facts"]
    assert main(["verify", str(target)]) == OK
    assert "Whole: every file, the database and the audit trail." in capsys.readouterr().out
    taken = said(capsys, "backup", "--to", str(target), code=FAILED)["error"]
    assert "is there already" in taken["message"]
    assert [one["name"] for one in said(capsys, "backups", "list")][-1] == trading.file.name
    folder = tmp_path / "disk"
    folder.mkdir()
    assert Path(said(capsys, "backup", "--to", str(folder))["path"]).parent == folder
    busy = said(capsys, "restore", str(target), "--force", code=BAD_INPUT)["error"]
    assert "is running on the data folder" in busy["message"]
    target.write_bytes(target.read_bytes()[:-100])
    broken = said(capsys, "verify", str(target), code=FAILED)["error"]
    assert (broken["code"], "damaged" in broken["message"]) == ("backup", True)


def test_what_is_left_to_do_is_said(
    trading: Trading, here: None, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    into = tmp_path / "again"
    assert main(["restore", str(trading.file), "--into", str(into)]) == OK
    text = capsys.readouterr().out
    assert f"Restored to {into}, as it was at" in text
    assert "2 secrets" in text
    assert "docs/backup.md" in text
    assert f"QUARTERDECK_DATA={into}" in text
    assert "Start no engine on it while the one it was made of still trades." in text


def test_a_backup_that_is_killed_leaves_nothing_that_looks_whole(
    trading: Trading, here: None, tmp_path: Path
) -> None:
    folder = tmp_path / "killed"
    folder.mkdir()
    environment = {
        **os.environ, "QUARTERDECK_DATA": str(trading.data),
        "QUARTERDECK_STRATEGIES": str(trading.folder / "strategies"),
    }  # fmt: skip
    words = ("engine", "backup", "--to", str(folder))
    process = begin(words, environment, tmp_path / "killed.out")
    while not list(folder.glob(".making-*/*")):
        assert process.poll() is None
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert list(folder.glob("*.zip")) == []
    trading.client.get("/overview")  # and the engine never noticed
    assert main(["backup", "--to", str(folder)]) == OK
    assert len(list(folder.glob("quarterdeck-*.zip"))) == 1
