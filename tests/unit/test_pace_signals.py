"""Exits are begun at once; of a crowd of entries some, then some more, none forgotten."""

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from engine.domain.positions import PositionSide
from engine.domain.signals import Signal, SignalAction, SignalOrder
from engine.services import pace_signals
from engine.services.pace_signals import SignalPace
from tests.contract.store_samples import signal as sample

SHORT_S = 0.005


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> Iterator[asyncio.Runner]:
    """A loop; three at once, and pauses of milliseconds."""
    monkeypatch.setattr(pace_signals, "AT_ONCE", 3)
    monkeypatch.setattr(pace_signals, "PAUSE_S", SHORT_S)
    with asyncio.Runner() as runner:
        yield runner


def new(number: int, action: SignalAction | None = SignalAction.OPEN, **changes: Any) -> Signal:
    """A signal that asks for something."""
    side = None if action is SignalAction.FLAT else PositionSide.LONG
    order = None if action is None else SignalOrder(action=action, side=side)
    return sample(id=f"s{number}", order=order, **changes)


def test_a_few_are_begun_at_once(runner: asyncio.Runner) -> None:
    async def scenario() -> list[str]:
        begun: list[str] = []
        pace = SignalPace(begun.append)
        for number in range(3):
            pace.begin(new(number))
        return begun

    assert runner.run(scenario()) == ["s0", "s1", "s2"]


def test_a_crowd_is_begun_by_and_by_in_its_order(runner: asyncio.Runner) -> None:
    async def scenario() -> tuple[int, list[str], int]:
        begun: list[str] = []
        pace = SignalPace(begun.append)
        for number in range(8):
            pace.begin(new(number, SignalAction.ADD))
        at_once = len(begun)
        rounds = 0
        while len(begun) < 8:
            before = len(begun)
            await asyncio.sleep(SHORT_S)
            assert len(begun) - before <= 2 * 3, "a late loop may have made up for one pause"
            rounds += 1
        return at_once, begun, rounds

    at_once, begun, rounds = runner.run(scenario())
    assert at_once == 3
    assert begun == [f"s{number}" for number in range(8)]
    assert rounds >= 1


@pytest.mark.parametrize(
    "action", [SignalAction.CLOSE, SignalAction.FLAT, SignalAction.REVERSE, None]
)
def test_what_may_close_waits_for_no_entry(
    runner: asyncio.Runner, action: SignalAction | None
) -> None:
    async def scenario() -> list[str]:
        begun: list[str] = []
        pace = SignalPace(begun.append)
        for number in range(8):
            pace.begin(new(number))
        pace.begin(new(99, action))
        return list(begun)  # on a slow machine a pause is over by the end of the loop

    assert runner.run(scenario()) == ["s0", "s1", "s2", "s99"]


def test_in_a_storm_fewer_are_begun(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace_signals, "STORM", 20)
    monkeypatch.setattr(pace_signals, "IN_STORM", 1)
    monkeypatch.setattr(pace_signals, "PAUSE_S", 0.0)  # every round of the loop is one

    async def scenario() -> list[int]:
        begun: list[str] = []
        pace = SignalPace(begun.append)
        for number in range(30):
            pace.begin(new(number))
        counts = [len(begun)]
        while len(begun) < 30:
            await asyncio.sleep(0)
            counts.append(len(begun))
        return counts

    counts = runner.run(scenario())
    steps = {after - before for before, after in pairwise(counts)}
    assert counts[0] == 3
    assert {1, 3} <= steps <= {0, 1, 2, 3}, "one after the storm, then as many as ever"


def test_after_a_pause_the_next_are_begun_at_once_again(runner: asyncio.Runner) -> None:
    async def scenario() -> list[str]:
        begun: list[str] = []
        pace = SignalPace(begun.append)
        for number in range(3):
            pace.begin(new(number))
        await asyncio.sleep(10 * SHORT_S)
        for number in range(3, 6):
            pace.begin(new(number))
        return begun

    assert len(runner.run(scenario())) == 6


def test_a_crowd_of_one_bot_delays_itself_alone(runner: asyncio.Runner) -> None:
    async def scenario() -> list[str]:
        begun: list[str] = []
        are_all = asyncio.Event()

        def begin(signal_id: str) -> None:
            begun.append(signal_id)
            if len(begun) == 32:
                are_all.set()

        pace = SignalPace(begin)
        for number in range(30):
            pace.begin(new(number, bot_id="noisy"))
        pace.begin(new(98, bot_id="quiet"))
        pace.begin(new(99, bot_id="quiet"))
        await are_all.wait()
        return begun

    begun = runner.run(scenario())
    assert begun.index("s98") <= 4, "it is the next bot's turn"
    assert begun.index("s99") <= 6
    noisy = [one for one in begun if one not in ("s98", "s99")]
    assert noisy == [f"s{number}" for number in range(30)], "in its own order"
