"""Real candles through the whole engine, undisturbed and through ``kill -9`` at random moments:
each is decided once, books add up, nothing is lost and nothing doubled.

Kills at every step of an order, and against an exchange: ``test_fault_matrix_kills``.
"""

import random
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.books import check_books, rows, total, trades_of
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


class Played(NamedTuple):
    """An engine that has played the candles to their end, and its bot."""

    copy: Copy
    candles: Path
    bot: dict[str, Any]


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """The undisturbed run; its engine still answers."""
    folder = tmp_path_factory.mktemp("calm")
    candles = eth_btc(folder)
    with copy_of_quarterdeck(folder / "data", QUARTERDECK_LOG_LEVEL="WARNING") as copy:
        copy.start_engine()
        yield Played(copy, candles, finish(copy, begin_replay(copy, candles)))


def test_every_candle_of_a_replay_is_decided_once_and_the_trades_add_up(calm: Played) -> None:
    data, bot = calm.copy.place.data, calm.bot
    decisions = rows(data, "SELECT candle_time FROM decisions WHERE bot_id = ?", bot["id"])
    assert len(decisions) == COUNT
    assert len({row["candle_time"] for row in decisions}) == COUNT
    trades = rows(data, "SELECT * FROM trades")
    assert len(trades) > 20, "an RSI bot trades on twenty days of five-minute candles"
    assert {row["exit_reason"] for row in trades} >= {"signal", "trailing_stop"}
    check_books(data, bot)

    page = Client(calm.copy).get("/trades", bot_id="replay")
    assert page["count"] == len(trades)
    assert Decimal(page["totals"][0]["pnl"]) == total(trades, "pnl")
    print(f"{len(trades)} trades, {total(trades, 'pnl')} BTC")


@pytest.mark.timeout(900)
def test_kills_leave_the_trades_of_an_undisturbed_run(
    calm: Played, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    expected = trades_of(calm.copy.place.data)
    assert len(expected) > 20
    with copy_of_quarterdeck(tmp_path / "killed", QUARTERDECK_LOG_LEVEL="WARNING") as copy:
        copy.start_engine()
        bot = begin_replay(copy, calm.candles)
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
    eventually(lambda: decided(copy), lambda count: count >= least, every_s=0.02)
