"""Fault matrix, rows 20, 27, 28 and 31: clocks, hung venues, bad strategies and two engines, each
done to a running engine whose other bots must not notice."""

import signal
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.cli.latch import write_latch
from engine.domain.records import KillLevel
from tests.fakes.strategy_files import write_strategy
from tests.support.books import check_books, check_ledger, rows
from tests.support.client import Client, eventually
from tests.support.faulty_engine import Faulty, faulty_engine
from tests.support.processes import Copy, copy_of_quarterdeck
from tooling.processes import wait_for

SECOND = timedelta(seconds=1)
HOUR_S = 3600
BUSY = "above = candles.time // 1000 % 4 < 2"
"""A strategy's act: two seconds in the market, two out of it."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A strategies folder with one that trades all the time."""
    folder = tmp_path_factory.mktemp("faults") / "strategies"
    folder.mkdir()
    write_strategy(folder, "busy", act=BUSY)
    return folder


@pytest.fixture(scope="module")
def faulty(folder: Path) -> Iterator[Faulty]:
    """A running engine whose surroundings can be tampered with, and are put right at the end of
    each test."""
    with faulty_engine(folder.parent / "data", QUARTERDECK_STRATEGIES=str(folder)) as faulty:
        faulty.copy.start_engine()
        yield faulty


def start_bot(client: Client, name: str, **changes: Any) -> str:
    """A bot that trades all the time, on an account of its own; its id."""
    market = f"simulated:{name}"
    bot = client.create_bot(
        **{"name": name, "market": market, "strategy": "busy", "params": {}} | changes
    )
    client.post(f"/bots/{bot['id']}/start")
    return str(bot["id"])


def decisions(copy: Copy, bot_id: str) -> list[tuple[datetime, datetime]]:
    """Open time of each decided candle, and when it was decided; in the order of deciding."""
    found = rows(
        copy.place.data,
        "SELECT candle_time, decided_at FROM decisions WHERE bot_id = ? ORDER BY rowid", bot_id,
    )  # fmt: skip
    return [(moment(row["candle_time"]), moment(row["decided_at"])) for row in found]


def moment(words: str) -> datetime:
    """A time as the database holds it."""
    return datetime.fromisoformat(words)


def wait_for_decisions(copy: Copy, bot_id: str, more: int = 3) -> None:
    """Wait until so many more candles are decided."""
    before = len(decisions(copy, bot_id))
    eventually(lambda: len(decisions(copy, bot_id)), lambda count: count >= before + more)


def wait_for_trades(client: Client, bot_id: str, more: int = 1) -> None:
    """Wait until the bot has closed so many more trades."""
    before = client.bot(bot_id)["trade_count"]
    eventually(lambda: client.bot(bot_id)["trade_count"], lambda count: count >= before + more)


def check_decisions(copy: Copy, bot_id: str) -> None:
    """Each candle was closed when it was decided, and was decided once."""
    found = decisions(copy, bot_id)
    opened = [candle for candle, _ in found]
    assert len(set(opened)) == len(opened), "a candle was decided twice"
    assert opened == sorted(opened)
    for candle, decided_at in found:
        assert candle + SECOND <= decided_at, "decided before it was closed"


def stop_and_check(client: Client, copy: Copy, *bot_ids: str) -> None:
    """Stop the bots with their positions closed; their books add up."""
    for bot_id in bot_ids:
        client.post(f"/bots/{bot_id}/stop", {"close_position": True})
    for bot_id in bot_ids:
        bot = client.wait_for_state(bot_id, "stopped")
        assert bot["position"] is None
        check_books(copy.place.data, bot)


# --- row 20: clocks ------------------------------------------------------------------------------


def test_row_20_a_clock_that_is_corrected_doubles_no_decision_and_stops_no_job(
    faulty: Faulty,
) -> None:
    copy = faulty.copy
    client = Client(copy)
    bot_id = start_bot(client, "corrected")
    wait_for_trades(client, bot_id)
    for wrong_s in (2, 0, 2, HOUR_S):
        faulty.set_clock(wrong_s)
        wait_for_decisions(copy, bot_id)
    decided = len(decisions(copy, bot_id))

    faulty.set_clock(0)  # an hour back
    bot = eventually(lambda: client.bot(bot_id), lambda bot: "went back" in bot["reason"])
    assert bot["state"] == "running"
    # The engine's own jobs go on: a latch file that is written now is obeyed now.
    write_latch(copy.place.data, KillLevel.PAUSE_ENTRIES, "test")
    eventually(lambda: client.get("/kill")["level"], lambda level: level == "pause_entries")
    client.post("/kill", {"level": "none"})
    assert len(decisions(copy, bot_id)) <= decided + 1, "one may have been under way"

    faulty.set_clock(HOUR_S + 60)
    wait_for_decisions(copy, bot_id)
    assert client.bot(bot_id)["reason"] == ""
    stop_and_check(client, copy, bot_id)
    check_decisions(copy, bot_id)


# --- row 27: a broker that does not answer -------------------------------------------------------


def test_row_27_a_hung_broker_holds_up_its_own_account_alone(faulty: Faulty) -> None:
    copy = faulty.copy
    client = Client(copy)
    hung, free = start_bot(client, "hung"), start_bot(client, "free")
    for bot_id in (hung, free):
        wait_for_trades(client, bot_id)
    faulty.hang()
    eventually(faulty.is_hanging, bool)
    stuck = client.bot(hung)["trade_count"], len(decisions(copy, hung))
    wait_for_trades(client, free, more=2)
    wait_for_decisions(copy, free, more=5)
    assert (client.bot(hung)["trade_count"], len(decisions(copy, hung))) == stuck

    faulty.release()
    wait_for_trades(client, hung)
    stop_and_check(client, copy, hung, free)
    for bot_id in (hung, free):
        check_decisions(copy, bot_id)


# --- row 31: two engines, one database -----------------------------------------------------------


def engine_on(
    tmp_path: Path, name: str, database_url: str, folder: Path
) -> Any:  # the context manager of a copy
    """An engine with a data folder of its own over a database that it shares."""
    return copy_of_quarterdeck(
        tmp_path / name,
        QUARTERDECK_DATABASE_URL=database_url,
        QUARTERDECK_STRATEGIES=str(folder),
        QUARTERDECK_LEASE_TTL_S="1",
        QUARTERDECK_STRATEGY_WORKERS="1",
    )


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_row_31_an_engine_that_was_overtaken_in_its_sleep_writes_nothing_more(
    tmp_path: Path, folder: Path, database: str, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    if database == "postgres":
        url = request.getfixturevalue("postgres_url")
    with (
        engine_on(tmp_path, "first", url, folder) as first,
        engine_on(tmp_path, "second", url, folder) as second,
    ):
        first.start_engine()
        bot_id = start_bot(Client(first), "contested")
        wait_for_trades(Client(first), bot_id)
        process = first.engine
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        time.sleep(1.2)  # its lease runs out
        second.start_engine()
        client = Client(second)
        wait_for_trades(client, bot_id)
        process.send_signal(signal.SIGCONT)
        assert wait_for(process, 60), "it stops by itself"
        assert process.wait() == 1
        assert "took the database over" in first.engine_log.read_text("utf-8")
        wait_for_trades(client, bot_id)
        check_ledger(client, bot_id)
