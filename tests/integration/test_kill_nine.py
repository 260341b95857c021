"""``kill -9`` of the whole engine at random moments: nothing is lost, nothing doubled.

At every step of an order, and against an exchange: ``test_fault_matrix_kills``.
"""

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.books import check_books, rows, trades_of
from tests.support.client import Client, eventually
from tests.support.market import COUNT, eth_btc
from tests.support.processes import Copy, copy_of_quarterdeck

KILLS = 40
LONGEST_LIFE_S = 0.5
SEED = 20261121


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
def test_kills_leave_the_trades_of_an_undisturbed_run(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    candles = eth_btc(tmp_path)
    with copy_of_quarterdeck(tmp_path / "calm", QUARTERDECK_LOG_LEVEL="WARNING") as calm:
        calm.start_engine()
        check_books(calm.place.data, finish(calm, begin_replay(calm, candles)))
        expected = trades_of(calm.place.data)
    assert len(expected) > 20

    with copy_of_quarterdeck(tmp_path / "killed", QUARTERDECK_LOG_LEVEL="WARNING") as copy:
        copy.start_engine()
        bot = begin_replay(copy, candles)
        chance = random.Random(SEED)
        pace = COUNT / KILLS
        for kill in range(1, KILLS + 1):
            # Each life decides about its share, so that the kills spread over the whole replay.
            _wait_for_decisions(copy, int((kill - 1) * pace * 0.95))
            time.sleep(chance.uniform(0, 0.05))
            copy.kill_engine()
            copy.begin_engine()
            if kill % 4 == 0:  # also while it starts, before it has decided anything
                time.sleep(chance.uniform(0, LONGEST_LIFE_S))
                copy.kill_engine()
                copy.begin_engine()
        copy.wait_for_engine()
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
