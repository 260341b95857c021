"""What happens to a replay around its play: stopped, killed, edited, moved, at its end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import Client, eventually
from tests.support.processes import Copy, copy_of_quarterdeck
from tests.support.scripted import BEGIN, MINUTE, minute, planned_bot, write_candles, write_planned

LONG_AFTER = [(100.0,), (100.0,), *[(150.0,)] * 1_500]


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Copy]:
    """An engine whose only strategy follows a plan, not started yet."""
    write_planned(tmp_path / "strategies")
    with copy_of_quarterdeck(
        tmp_path / "data",
        QUARTERDECK_STRATEGIES=str(tmp_path / "strategies"),
        QUARTERDECK_PAPER_SLIPPAGE_BPS="0",
    ) as copy:
        copy.start_engine()
        yield copy


def test_a_kept_position_of_a_stopped_replay_is_closed_where_the_replay_stands(
    copy: Copy, tmp_path: Path
) -> None:
    client = Client(copy)
    key = planned_bot(client, tmp_path / "kept", LONG_AFTER, plan="0L")
    later = f"{BEGIN + 30 * MINUTE:%Y-%m-%dT%H:%M:%SZ}"
    eventually(lambda: client.bot(key)["decided_until"] or "", lambda until: until > later)
    client.post(f"/bots/{key}/stop")
    stopped = client.wait_for_state(key, "stopped")
    assert stopped["position"]["average_price"] == "100"

    copy.kill_engine()
    copy.start_engine()
    client.post("/kill", {"level": "close_all"})
    eventually(lambda: client.bot(key)["position"], lambda position: position is None)
    [trade] = client.get("/trades", bot_id=key)["items"]
    assert (trade["exit_reason"], trade["exit_price"]) == ("kill_switch", "150")
    assert trade["exit_time"] == stopped["decided_until"]


def test_a_replay_that_was_stopped_goes_on_where_it_stood_at_another_speed(
    copy: Copy, tmp_path: Path
) -> None:
    client = Client(copy)
    key = planned_bot(client, tmp_path / "paced", LONG_AFTER, plan="0L 1400l")
    eventually(lambda: client.bot(key)["decided_until"], bool)
    client.post(f"/bots/{key}/stop")
    stopped = client.wait_for_state(key, "stopped")
    assert stopped["position"] is not None
    faster = stopped["config"] | {"market": stopped["config"]["market"] + "?speed=0"}
    client.call("PUT", f"/bots/{key}", json=faster)
    assert client.bot(key)["decided_until"] == stopped["decided_until"]
    client.post(f"/bots/{key}/start")
    ended = eventually(lambda: client.bot(key), lambda bot: "has ended" in bot["reason"])
    assert ended["trade_count"] == 1
    decisions = client.get(f"/bots/{key}/decisions", limit=5000)
    assert len(decisions) == len(LONG_AFTER) + 1


def test_a_slow_replay_stopped_and_started_within_a_candle_trades_at_its_own_time(
    copy: Copy, tmp_path: Path
) -> None:
    client = Client(copy)
    prices = [(100.0 + number,) for number in range(40)]
    market = f"replay:{tmp_path / 'slow' / 'ABC-USDT.1m.csv'}?speed=60"  # a second a candle
    key = planned_bot(client, tmp_path / "slow", prices, plan="2L 6l", market=market)
    eventually(lambda: client.bot(key)["decided_until"], bool, every_s=0.02)
    for _ in range(3):
        client.post(f"/bots/{key}/stop")
        client.wait_for_state(key, "stopped")
        client.post(f"/bots/{key}/start")
        client.get("/accounts")  # asks the account's broker, which has the replay's time
    [trade] = eventually(lambda: client.get("/trades", bot_id=key)["items"], bool)
    assert (trade["entry_price"], trade["exit_price"]) == ("103", "107")
    decided = client.get(f"/bots/{key}/decisions")
    assert [one["candle_time"] for one in decided[::-1]] == [
        minute(number) for number in range(len(decided))
    ]


def test_a_bot_that_has_run_is_not_moved_to_a_replay_but_its_clone_plays_it(
    copy: Copy, tmp_path: Path
) -> None:
    client = Client(copy)
    key = planned_bot(client, tmp_path / "first", [(100,), (100,), (110,), (110,)], plan="0L 1l")
    client.wait_for_state(key, "stopped")
    other = write_candles(tmp_path / "other", [(100,), (100,), (120,), (120,)])
    config = client.bot(key)["config"] | {"market": f"replay:{other}"}
    refused = client.ask("PUT", f"/bots/{key}", json=config)
    assert refused.status_code == 409
    assert refused.json()["error"]["details"][0]["field"] == "market"

    clone = client.post(f"/bots/{key}/clone", {"name": "second"})
    client.call("PUT", "/bots/second", json=config | {"name": "second"})
    client.post(f"/bots/{clone['id']}/start")
    ended = client.wait_for_state("second", "stopped")
    assert ended["trade_count"] == 1
    [trade] = client.get("/trades", bot_id="second")["items"]
    assert (trade["exit_price"], trade["bot_name"]) == ("120", "second")


def test_a_position_open_at_the_end_stays_open_and_the_bot_stops(
    copy: Copy, tmp_path: Path
) -> None:
    """The plan leaves on the last candle, after which there is no price to leave at."""
    client = Client(copy)
    bars = [(100.0,)] * 5
    key = planned_bot(client, tmp_path / "open_end", bars, plan="0L 5l")
    ended = client.wait_for_state(key, "stopped")
    assert ended["position"] is not None and ended["trade_count"] == 0
    orders = client.get(f"/bots/{key}/orders")
    assert [(order["purpose"], order["state"]) for order in orders] == [
        ("exit", "expired"), ("entry", "filled"),
    ]  # fmt: skip
    assert "no later price" in orders[0]["error"]
