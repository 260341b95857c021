"""When accounts are checked: at a start, after a reconnect, regularly, again after a failure."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from engine.domain.accounts import AccountHealth, AccountState
from engine.domain.bots import BotState, Desired
from engine.ports import MarketData
from engine.services.check_accounts import AccountChecks
from engine.services.lanes import Lanes
from engine.services.market_hours import MarketHours
from engine.services.pulse import Pulse
from engine.services.reconcile import RETRY_S, Reconciler
from engine.services.sleep import SleepKeeper
from engine.services.supervise import Supervisor
from tests.fakes.calendars import FakeCalendars
from tests.unit.conftest import Room
from tests.unit.samples import config
from tests.unit.test_supervise import FakeJobs

ACCOUNT = "paper:simulated"
EVERY_S = 60.0


class Watched(Reconciler):
    """Remembers why each check was made."""

    triggers: list[str]

    def check(self, account_id: str, market: MarketData, trigger: str) -> AccountState:
        self.triggers.append(trigger)
        return super().check(account_id, market, trigger)


class Bench:
    """A room whose accounts are checked when they are due."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.lanes = Lanes()
        self.reconciler = Watched(room.books, room.desk, room.venues)
        self.reconciler.triggers = []
        self.checks = AccountChecks(
            room.books, self.reconciler, room.venues, self.lanes, room.desk.links, EVERY_S
        )

    async def tick(self, seconds: float = 1) -> list[str]:
        """Let time pass, begin what is due, wait for it; why checks were made."""
        self.room.broker.now = self.room.clock.advance(seconds)
        before = len(self.reconciler.triggers)
        await self.checks.begin_due()
        await self.checks.finish(10)
        return self.reconciler.triggers[before:]

    def run(self, steps: Callable[["Bench"], Awaitable[Any]]) -> None:
        """Run ``steps`` on an event loop of their own."""

        async def steps_then_close() -> None:
            try:
                await steps(self)
            finally:
                self.lanes.close()

        asyncio.run(steps_then_close())


@pytest.fixture
def bench(room: Room) -> Bench:
    """Nothing checked yet."""
    return Bench(room)


def test_each_account_is_checked_at_once_and_then_regularly(bench: Bench) -> None:
    async def steps(bench: Bench) -> None:
        bench.room.add_bot(id="b0000002", config=config(name="second"))
        assert await bench.tick() == ["start"], "one check an account, however many bots"
        assert await bench.tick(EVERY_S - 1) == []
        assert await bench.tick(1) == ["regular"]

    bench.run(steps)


def test_a_lost_connection_is_followed_by_a_check(bench: Bench) -> None:
    async def steps(bench: Bench) -> None:
        await bench.tick()
        bench.room.broker.is_down = True
        bench.room.enter()
        assert await bench.tick() == []
        bench.room.broker.is_down = False
        bench.room.enter()
        assert await bench.tick() == ["reconnect"]
        assert await bench.tick() == []

    bench.run(steps)


def test_what_failed_is_tried_again_soon_and_clean_only_when_it_worked(bench: Bench) -> None:
    async def steps(bench: Bench) -> None:
        bench.room.books.hold_until_checked()
        bench.room.broker.is_down = True
        assert await bench.tick() == ["start"]
        assert await bench.tick(RETRY_S - 1) == []
        assert await bench.tick(1) == ["again"]
        assert bench.room.books.account_objection(ACCOUNT) is not None
        bench.room.broker.is_down = False
        assert await bench.tick(RETRY_S) == ["again"]
        assert bench.room.books.account_objection(ACCOUNT) is None
        assert await bench.tick(RETRY_S) == []

    bench.run(steps)


def test_an_account_on_which_nothing_can_happen_is_left_alone(bench: Bench) -> None:
    async def steps(bench: Bench) -> None:
        with bench.room.books.writing() as writing:
            writing.save_bot(bench.room.bot.id, state=BotState.STOPPED, desired=Desired.STOPPED)
        assert await bench.tick() == []

    bench.run(steps)


def test_a_stopped_bots_position_is_still_compared(bench: Bench) -> None:
    async def steps(bench: Bench) -> None:
        bench.room.enter()
        with bench.room.books.writing() as writing:
            writing.save_bot(bench.room.bot.id, state=BotState.STOPPED, desired=Desired.STOPPED)
        assert await bench.tick() == ["start"]

    bench.run(steps)


@pytest.mark.parametrize("is_down", [False, True])
def test_a_bot_enters_only_after_its_account_was_compared(bench: Bench, is_down: bool) -> None:
    async def steps(bench: Bench) -> None:
        room = bench.room
        room.books.hold_until_checked()
        room.broker.is_down = is_down
        supervisor = Supervisor(
            room.books, room.desk, room.controls, room.venues, bench.lanes,
            Pulse(room.clock.now(), room.clock.now()), FakeJobs(), lambda _bot_id: None,
            SleepKeeper(room.books, MarketHours(FakeCalendars())), bench.reconciler.ensure_checked,
        )  # fmt: skip
        await supervisor.reconcile()
        await supervisor.finish(10)
        assert bench.reconciler.triggers == ["start"]
        assert room.bot.id in supervisor.live, "its exits must go on, whatever the venue does"
        health = room.books.accounts[ACCOUNT].health
        assert health is (AccountHealth.UNREACHABLE if is_down else AccountHealth.CLEAN)
        room.broker.is_down = False
        room.enter()
        assert bool(room.books.positions) is not is_down

    bench.run(steps)
