"""The scheduler's table, and checks that never pile up."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from engine.adapters.clock.system import SystemClock
from engine.errors import LeaseLost, StoreError
from engine.jobs import Job, Scheduler
from engine.services.check_bots import Checks
from engine.services.pulse import Pulse, lateness_s, next_multiple
from tests.fakes.clock import START, FakeClock
from tests.unit.samples import bot, config


def make_checks(run: Callable[[str], Awaitable[None]], given_up: list[str]) -> Checks:
    pulse = Pulse(started_at=START, heartbeat_at=START)
    return Checks(run, pulse, FakeClock(), given_up.append)


@pytest.mark.parametrize("interval_s", [1, 7, 60, 900, 86_400])
def test_checks_are_aligned_to_candle_closes(interval_s: int) -> None:
    moment = START + timedelta(seconds=3.25)
    following = next_multiple(moment, interval_s)
    assert following.timestamp() % interval_s == 0
    assert timedelta(0) < following - moment <= timedelta(seconds=interval_s)
    assert next_multiple(following, interval_s) == following + timedelta(seconds=interval_s)
    assert lateness_s(following + timedelta(seconds=0.5), interval_s) == pytest.approx(0.5)


async def _scheduled() -> tuple[list[str], list[float]]:
    begun: list[str] = []
    late: list[float] = []

    def begin(bot_id: str, interval_s: int) -> None:
        begun.append(bot_id)
        late.append(lateness_s(datetime.now(UTC), interval_s))

    scheduler = Scheduler(SystemClock(), begin, begun.append)

    async def tick() -> None:
        begun.append("tick")

    async def fails() -> None:
        begun.append("fails")
        raise RuntimeError("a job that fails")

    scheduler.start([Job("tick", 1, tick), Job("fails", 1, fails)])
    scheduler.add(bot(config(interval_s=1), id="kept"))
    scheduler.add(bot(config(interval_s=1), id="kept"))
    scheduler.add(bot(config(interval_s=1), id="gone"))
    scheduler.remove("gone")
    scheduler.remove("gone")
    await asyncio.sleep(2.2)
    scheduler.stop()
    await asyncio.sleep(0)  # what had begun before gets its turn
    count = len(begun)
    await asyncio.sleep(1.1)
    assert len(begun) == count, "nothing begins after the stop"
    return begun, late


def test_each_bot_is_one_job_and_a_failing_job_runs_again() -> None:
    begun, late = asyncio.run(_scheduled())
    ticks = begun.count("tick")
    assert ticks >= 2
    assert abs(begun.count("kept") - ticks) <= 1, "added twice, scheduled once"
    assert "gone" not in begun
    assert abs(begun.count("fails") - ticks) <= 1
    assert min(late) < 0.5, "begun at the close, not somewhere in between"


def test_a_check_that_still_runs_is_not_begun_again() -> None:
    runs: list[str] = []

    async def scenario() -> None:
        gate = asyncio.Event()

        async def cycle(bot_id: str) -> None:
            runs.append(bot_id)
            await gate.wait()

        checks = make_checks(cycle, [])
        checks.begin("a")
        await asyncio.sleep(0)
        checks.begin("a")
        checks.begin("b")
        await asyncio.sleep(0)
        assert runs == ["a", "b"]
        gate.set()
        await checks.finish(1)
        checks.begin("a")
        await checks.finish(1)

    asyncio.run(scenario())
    assert runs == ["a", "b", "a"]


@pytest.mark.parametrize(
    ("failure", "gives_up"),
    [
        (LeaseLost("another engine has it"), True),
        (StoreError("locked"), False),
        (KeyError("x"), False),
    ],
)
def test_only_a_lost_lease_ends_the_engine(failure: Exception, gives_up: bool) -> None:
    given_up: list[str] = []

    async def scenario() -> None:
        async def cycle(_bot_id: str) -> None:
            raise failure

        checks = make_checks(cycle, given_up)
        checks.begin("a")
        await checks.finish(1)

    asyncio.run(scenario())
    assert bool(given_up) is gives_up


def test_a_job_that_waits_for_a_lane_ends_with_the_scheduler_without_a_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def play() -> None:
        begun = asyncio.Event()

        async def waits() -> None:
            begun.set()
            await asyncio.sleep(60)

        scheduler = Scheduler(SystemClock(), lambda _bot_id, _interval_s: None, lambda _why: None)
        scheduler.start([Job("waits", 1, waits)])
        await begun.wait()
        scheduler.stop()
        await asyncio.sleep(0.01)

    asyncio.run(play())
    assert [one.exc_info for one in caplog.records if one.exc_info] == []


def test_a_check_that_hangs_does_not_keep_the_engine_from_stopping() -> None:
    async def scenario() -> float:
        async def cycle(_bot_id: str) -> None:
            await asyncio.sleep(60)

        checks = make_checks(cycle, [])
        checks.begin("a")
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await checks.finish(0.05)
        return loop.time() - begun

    assert asyncio.run(scenario()) < 60, "it does not wait for the cycle's end"
