"""``kill -9`` of the whole engine at random moments: nothing is lost, nothing doubled.

At every step of an order, and against an exchange: ``test_fault_matrix_kills``.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.books import check_books, rows, trades_of
from tests.support.client import Client, eventually
from tests.support.market import COUNT, eth_btc
from tests.support.processes import Copy, copy_of_quarterdeck
from tooling.place import ROOT

KILLS = 40
LONGEST_LIFE_S = 0.5
SEED = 20261121


class Nursery:
    """Engines forked from one warm process; see ``tests/support/nursery.py``."""

    def __init__(self, copy: Copy) -> None:
        environment = {
            **os.environ,
            "QUARTERDECK_DATA": str(copy.place.data),
            "QUARTERDECK_API_PORT": str(copy.place.api_port),
            "QUARTERDECK_STRATEGY_WORKERS": "1",
            "QUARTERDECK_LOG_LEVEL": "WARNING",
        }
        log = copy.engine_log.open("a")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.nursery"], cwd=ROOT, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True,
        )  # fmt: skip
        log.close()
        assert self._read() == "ready"

    def start(self) -> int:
        """The process number of a new engine."""
        assert self._process.stdin is not None
        self._process.stdin.write("start\n")
        self._process.stdin.flush()
        return int(self._read())

    def close(self) -> None:
        """End it and everything it made."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def nursery_of(copy: Copy) -> Iterator[Nursery]:
    """A nursery over a copy's data folder, gone at the end."""
    nursery = Nursery(copy)
    try:
        yield nursery
    finally:
        nursery.close()


def kill_nine(process: int) -> None:
    """Kill, and wait until it is gone."""
    os.kill(process, signal.SIGKILL)
    with suppress(ProcessLookupError):
        while True:
            os.kill(process, 0)
            time.sleep(0.002)


def is_up(copy: Copy) -> bool:
    """Whether the copy's engine answers."""
    try:
        return httpx.get(f"{copy.engine_url}/health", timeout=1).is_success
    except httpx.TransportError:
        return False


def decided(copy: Copy) -> int:
    """How many candles have been decided so far."""
    return int(rows(copy.place.data, "SELECT count(*) AS n FROM decisions")[0]["n"])


def begin_replay(copy: Copy, candles: Path) -> dict[str, Any]:
    """Create and start the bot whose life is disturbed."""
    client = Client(copy)
    bot = client.create_bot(
        name="replay", market=f"replay:{candles}", symbol="ETH/BTC", timeframe="5m", amount="1",
        trailing_stop="0.015",
    )  # fmt: skip
    client.post(f"/bots/{bot['id']}/start")
    return bot


def finish(copy: Copy, bot: dict[str, Any]) -> dict[str, Any]:
    """Wait for the end of the replay."""
    ended = Client(copy).wait_for_state(bot["id"], "stopped", timeout_s=200)
    assert ended["reason"].startswith("The replay has ended.")
    return ended


@pytest.mark.timeout(900)
@pytest.mark.xdist_group("kills")
def test_kills_leave_the_trades_of_an_undisturbed_run(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    candles = eth_btc(tmp_path)
    with copy_of_quarterdeck(tmp_path / "calm") as calm, nursery_of(calm) as nursery:
        nursery.start()
        eventually(lambda: is_up(calm), bool)
        check_books(calm.place.data, finish(calm, begin_replay(calm, candles)))
        expected = trades_of(calm.place.data)
    assert len(expected) > 20

    with copy_of_quarterdeck(tmp_path / "killed") as copy, nursery_of(copy) as nursery:
        engine = nursery.start()
        eventually(lambda: is_up(copy), bool)
        bot = begin_replay(copy, candles)
        chance = random.Random(SEED)
        pace = COUNT / KILLS
        for kill in range(1, KILLS + 1):
            # Each life decides about its share, so that the kills spread over the whole replay.
            _wait_for_decisions(copy, int((kill - 1) * pace * 0.95))
            time.sleep(chance.uniform(0, 0.05))
            kill_nine(engine)
            engine = nursery.start()
            if kill % 4 == 0:  # also while it starts, before it has decided anything
                time.sleep(chance.uniform(0, LONGEST_LIFE_S))
                kill_nine(engine)
                engine = nursery.start()
        eventually(lambda: is_up(copy), bool)
        ended = finish(copy, bot)
        check_books(copy.place.data, ended)
        assert decided(copy) == COUNT
        assert trades_of(copy.place.data) == expected
    record_property(
        "figures",
        f"{KILLS} kills while trading and {KILLS // 4} while starting: {COUNT} candles decided"
        f" once each, {len(expected)} trades equal to the last digit",
    )


def _wait_for_decisions(copy: Copy, least: int) -> None:
    eventually(lambda: decided(copy), lambda count: count >= least, timeout_s=60, every_s=0.005)
