"""From the command to stop until the last order: a hundred bots that trade every second."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.cli.latch import write_latch
from engine.domain.records import KillLevel
from tests.fakes.strategy_files import write_strategy
from tests.support.books import rows
from tests.support.client import Client, eventually
from tests.support.processes import Copy, copy_as_delivered

BOTS, ACCOUNTS = 100, 10
GOAL_S = 1.0
WATCHED_S = 5
ROUNDS = 5


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Copy]:
    """An engine with a hundred bots that buy and sell on candles of one second."""
    folder = tmp_path / "strategies"
    folder.mkdir()
    write_strategy(folder, "busy", act="above = candles.time // 1000 % 2 < 1")
    with copy_as_delivered(
        tmp_path / "data",
        QUARTERDECK_STRATEGIES=str(folder),
        QUARTERDECK_PAPER_BALANCE="10000000",
    ) as copy:
        copy.start_engine()
        client = Client(copy)
        for number in range(BOTS):
            bot = client.create_bot(
                name=f"bot {number:02}", market=f"simulated:{number % ACCOUNTS}", strategy="busy",
                params={}, stop_loss=None, take_profit=None,
            )  # fmt: skip
            client.post(f"/bots/{bot['id']}/start")
        eventually(lambda: client.get("/stats")["live_bots"], lambda live: live == BOTS)
        _wait_for_entries(copy, datetime.now(UTC))
        yield copy


def entries_since(copy: Copy, moment: datetime) -> list[datetime]:
    """When entries came back from the venue as filled, later than ``moment``; oldest first."""
    found = rows(
        copy.place.data,
        "SELECT updated_at FROM orders WHERE purpose = 'entry' AND state = 'filled'",
    )
    filled = sorted(datetime.fromisoformat(row["updated_at"]) for row in found)
    return [one for one in filled if one > moment]


def by_api(copy: Copy) -> None:
    """The panel's button."""
    Client(copy).post("/kill", {"level": "pause_entries"})


def by_file(copy: Copy) -> None:
    """What ``python -m engine kill`` does when the API does not answer."""
    write_latch(copy.place.data, KillLevel.PAUSE_ENTRIES, "bench")


def test_the_last_order_goes_within_a_second_of_the_command(crowd: Copy) -> None:
    client = Client(crowd)
    ways: dict[str, Callable[[Copy], None]] = {"API": by_api, "latch file": by_file}
    slowest = 0.0
    for name, pull in ways.items():
        took = []
        for _ in range(ROUNDS):
            begun = datetime.now(UTC)
            pull(crowd)
            time.sleep(WATCHED_S)
            assert client.get("/kill")["level"] == "pause_entries"
            after = entries_since(crowd, begun)
            took.append((after[-1] - begun).total_seconds() if after else 0.0)
            client.post("/kill", {"level": "none"})
            _wait_for_entries(crowd, datetime.now(UTC))
        print(f"\nkill by {name}: last entry after {', '.join(f'{s:.2f}' for s in took)} s", end="")
        slowest = max(slowest, *took)
    print()
    assert slowest < GOAL_S


def _wait_for_entries(copy: Copy, since: datetime) -> None:
    eventually(lambda: entries_since(copy, since), lambda sent: len(sent) > BOTS)
