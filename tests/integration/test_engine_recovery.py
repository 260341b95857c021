"""What bots hold outlives ``kill -9``; what was wanted of them is taken up again."""

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.strategy_files import write_strategy
from tests.support.books import check_books
from tests.support.client import Client, eventually
from tests.support.processes import Copy, copy_of_quarterdeck

KEPT = ("quantity", "average_price", "stop_price", "target_price", "entry_count", "opened_at")
SLOW = {"interval_s": 900, "timeframe": "15m"}
MANY = 50


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Copy]:
    """An engine not started yet, whose strategies always buy, or fail."""
    folder = tmp_path / "strategies"
    folder.mkdir()
    write_strategy(folder, "buyer", act="above = candles.close > 0")
    write_strategy(folder, "idle", act="return Signals(*[candles.close < 0] * 4)")
    write_strategy(folder, "raising", act="raise ValueError('as it must')")
    with copy_of_quarterdeck(tmp_path / "data", QUARTERDECK_STRATEGIES=str(folder)) as copy:
        yield copy


def start_bot(client: Client, **changes: Any) -> str:
    """Create and start; its id."""
    bot = client.create_bot(**{"strategy": "buyer", "params": {}} | changes)
    client.post(f"/bots/{bot['id']}/start")
    return str(bot["id"])


def in_position(client: Client, key: str) -> dict[str, Any]:
    """The bot's position once it has one."""
    bot = eventually(lambda: client.bot(key), lambda bot: bot["position"] is not None)
    position: dict[str, Any] = bot["position"]
    return position


def restart(copy: Copy) -> None:
    """``kill -9``, and a start."""
    copy.kill_engine()
    copy.start_engine()


def test_a_position_its_levels_and_its_profit_outlive_a_kill(copy: Copy) -> None:
    copy.start_engine()
    client = Client(copy)
    key = start_bot(client, stop_loss="0.3", take_profit="5")
    # One trade first, so that there is a profit to keep.
    in_position(client, key)
    client.post(f"/bots/{key}/stop", {"close_position": True})
    client.wait_for_state(key, "stopped")
    client.post(f"/bots/{key}/start")
    held = in_position(client, key)
    before = client.bot(key)
    assert before["trade_count"] == 1
    assert held["stop_price"] is not None and held["target_price"] is not None

    restart(copy)
    after = eventually(
        lambda: client.bot(key), lambda bot: bot["state"] == "running" and bot["position"]
    )
    assert {name: after["position"][name] for name in KEPT} == {name: held[name] for name in KEPT}
    for name in ("trade_count", "win_count", "realised_pnl", "config", "created_at"):
        assert after[name] == before[name]
    eventually(lambda: client.bot(key), lambda bot: bot["decided_until"] > before["decided_until"])
    check_books(copy.place.data, client.bot(key))


def test_the_watcher_goes_on_after_a_kill_while_the_bot_itself_sleeps(copy: Copy) -> None:
    """The check interval is 15 minutes: only the watcher can have closed the position."""
    copy.start_engine()
    client = Client(copy)
    key = start_bot(client, **SLOW, stop_loss="0.05", take_profit=None)
    held = in_position(client, key)
    client.post(f"/bots/{key}/stop", {"close_position": False})
    stopped = client.wait_for_state(key, "stopped")
    assert "Its position is kept" in stopped["reason"]
    assert stopped["position"]["id"] == held["id"]

    # Tight limits only now, so that they cannot be hit before the engine is killed.
    client.call("PUT", f"/bots/{key}", json=stopped["config"] | {"time_limit_s": 1})
    restart(copy)
    assert client.bot(key)["position"]["id"] == held["id"], "nobody watches a stopped bot"
    client.post(f"/bots/{key}/start")
    closed = eventually(lambda: client.bot(key), lambda bot: bot["position"] is None)
    assert (closed["trade_count"], closed["state"]) == (1, "running")
    [trade] = client.get("/trades", bot_id=key)["items"]
    assert (trade["id"], trade["exit_reason"]) == (held["id"], "time_limit")
    check_books(copy.place.data, closed)


def test_a_stop_hit_after_the_restart_is_executed(copy: Copy) -> None:
    copy.start_engine()
    client = Client(copy)
    keys = [
        start_bot(client, name=f"tight {symbol[:3]}", symbol=symbol, **SLOW,
                  trailing_stop="0.00001", stop_loss=None, take_profit=None)
        for symbol in ("BTC/USDT", "ETH/USDT", "SOL/USDT")
    ]  # fmt: skip
    for key in keys:
        eventually(partial(client.bot, key), lambda bot: bot["position"] or bot["trade_count"])
    restart(copy)
    for key in keys:
        bot = eventually(partial(client.bot, key), lambda bot: bot["trade_count"] == 1)
        [trade] = client.get("/trades", bot_id=key)["items"]
        assert trade["exit_reason"] == "trailing_stop"
        assert Decimal(trade["pnl"]) == Decimal(bot["realised_pnl"])


def test_a_stopped_bot_may_keep_its_position_and_take_it_up_again(copy: Copy) -> None:
    copy.start_engine()
    client = Client(copy)
    key = start_bot(client, stop_loss="0.3", take_profit=None)
    held = in_position(client, key)
    client.post(f"/bots/{key}/stop")
    kept = client.wait_for_state(key, "stopped")
    assert {name: kept["position"][name] for name in KEPT} == {name: held[name] for name in KEPT}
    assert client.ask("DELETE", f"/bots/{key}").status_code == 409

    copy.stop_engine()
    copy.start_engine()
    shown = eventually(lambda: client.bot(key), lambda bot: bot["last_price"] is not None)
    assert shown["state"] == "stopped"
    assert shown["position"]["unrealised_pnl"] is not None, "what it kept is valued all the same"
    client.post(f"/bots/{key}/start")
    running = client.wait_for_state(key, "running")
    assert running["position"]["id"] == held["id"]
    client.post(f"/bots/{key}/stop")
    client.wait_for_state(key, "stopped")

    # A stopped bot, too, closes what it kept when it is asked to.
    client.post(f"/bots/{key}/stop", {"close_position": True})
    closed = eventually(
        lambda: client.bot(key), lambda bot: bot["position"] is None and bot["state"] == "stopped"
    )
    assert closed["trade_count"] == 1
    [trade] = client.get("/trades", bot_id=key)["items"]
    assert trade["exit_reason"] == "bot_stopped"
    client.call("DELETE", f"/bots/{key}")
    assert client.get("/trades", bot_id=key)["count"] == 1, "the trades of a deleted bot stay"


def test_fifty_bots_come_back_as_they_were_wanted(copy: Copy) -> None:
    copy.start_engine()
    client = Client(copy)
    names = [f"bot {number:02}" for number in range(MANY)]
    for name in names:
        start_bot(client, name=name, strategy="idle", timeframe="1m", interval_s=60)
    start_bot(client, name="paused", strategy="idle")
    client.post("/bots/paused/pause")
    start_bot(client, name="faulty", strategy="raising")
    client.create_bot(name="never started", strategy="idle", params={})
    client.wait_for_state("faulty", "faulted")
    client.wait_for_state("paused", "paused")
    eventually(lambda: states(client, names), lambda found: found == {"running"})

    restart(copy)
    eventually(lambda: states(client, names), lambda found: found == {"running"})
    client.wait_for_state("paused", "paused")
    assert client.bot("paused")["desired"] == "paused"
    faulty = client.bot("faulty")
    assert (faulty["state"], faulty["strategy_errors"]) == ("faulted", 3)
    assert "as it must" in faulty["reason"]
    assert client.bot("never started")["state"] == "stopped"
    assert client.get("/stats")["live_bots"] == MANY + 1
    # The job of each is there again: all are checked without anybody asking.
    eventually(
        lambda: sum(bot["checked_at"] is not None for bot in client.get("/bots")),
        lambda count: count >= MANY + 1,
    )

    client.post("/bots/faulty/start")
    client.wait_for_state("faulty", "faulted")
    assert client.bot("faulty")["strategy_errors"] == 3, "a start gives three attempts more"


def states(client: Client, names: list[str]) -> set[str]:
    """The states of the bots of these names."""
    return {bot["state"] for bot in client.get("/bots") if bot["config"]["name"] in names}
