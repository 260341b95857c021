"""Desired and actual: whatever a bot is doing, it gets to where the user wants it."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from datetime import time
from decimal import Decimal as D
from typing import Any

import pytest

from engine.domain.bots import ActiveHours, Bot, BotState, Desired
from engine.domain.records import KillLevel, ScopeKind
from engine.errors import ConfigError, Conflict, NotFound, StoreError
from engine.services.bots import BotService
from engine.services.controls import Controls
from engine.services.lanes import Lanes
from engine.services.market_hours import MarketHours
from engine.services.pulse import Pulse
from engine.services.sleep import SleepKeeper
from engine.services.supervise import Supervisor
from tests.fakes.broker import Fault
from tests.fakes.calendars import FakeCalendars
from tests.fakes.strategy_host import FakeStrategyHost
from tests.unit.conftest import Room
from tests.unit.samples import config, position


class FakeJobs:
    """The bots that have a job."""

    def __init__(self) -> None:
        self.bots: set[str] = set()

    def add(self, bot: Bot) -> None:
        """One job a bot."""
        assert bot.id not in self.bots
        self.bots.add(bot.id)

    def remove(self, bot_id: str) -> None:
        """Gone, if it was there."""
        self.bots.discard(bot_id)


class Bridge:
    """Supervisor and bot service over the room."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.jobs = FakeJobs()
        self.lanes = Lanes()
        self.checked: list[str] = []
        now = room.clock.now()
        self.supervisor = Supervisor(
            room.books, room.desk, room.controls, room.venues, self.lanes, Pulse(now, now),
            self.jobs, self.checked.append,
            SleepKeeper(room.books, MarketHours(FakeCalendars())),
        )  # fmt: skip
        self.bots = BotService(room.books, room.venues, FakeStrategyHost(), lambda: None)

    @property
    def bot(self) -> Bot:
        """The room's bot."""
        return self.room.bot

    def run(self, step: Callable[[], Awaitable[Any]]) -> None:
        """One service call and whatever it begins."""

        async def whole() -> None:
            await step()
            await self.supervisor.finish(5)

        asyncio.run(whole())

    def reconcile(self) -> None:
        """One look at all bots."""
        self.run(self.supervisor.reconcile)

    def want(self, **changes: Any) -> None:
        """Change what is stored of the bot."""
        with self.room.books.writing() as writing:
            writing.save_bot(self.bot.id, **changes)


@pytest.fixture
def bridge(room: Room) -> Iterator[Bridge]:
    """A stopped bot and everything around it."""
    bridge = Bridge(room)
    bridge.want(desired=Desired.STOPPED, state=BotState.STOPPED)
    yield bridge
    bridge.lanes.close()


def test_a_life_of_a_bot(bridge: Bridge) -> None:
    bridge.bots.start("demo", "test")
    assert bridge.bot.state is BotState.STARTING
    bridge.reconcile()
    assert bridge.bot.state is BotState.RUNNING
    assert bridge.jobs.bots == {bridge.bot.id}
    assert bridge.checked == [bridge.bot.id], "checked at once, not only at the next close"
    bridge.bots.pause("demo", "test")
    bridge.reconcile()
    assert bridge.bot.state is BotState.PAUSED
    assert bridge.jobs.bots, "a paused bot goes on to look for exits"
    bridge.bots.stop("demo", "test", close_position=False)
    bridge.reconcile()
    assert bridge.bot.state is BotState.STOPPED
    assert not bridge.jobs.bots
    assert bridge.room.venues.forgotten


def test_a_restart_is_a_start(bridge: Bridge) -> None:
    bridge.want(desired=Desired.RUNNING, state=BotState.RUNNING)
    bridge.reconcile()
    assert bridge.jobs.bots == {bridge.bot.id}
    assert bridge.bot.state is BotState.RUNNING


@pytest.mark.parametrize("closes", [True, False])
def test_a_stop_keeps_the_position_or_closes_it_first(bridge: Bridge, closes: bool) -> None:
    bridge.want(desired=Desired.RUNNING, state=BotState.RUNNING)
    bridge.reconcile()
    bridge.room.enter()
    bridge.bots.stop("demo", "test", close_position=closes)
    bridge.reconcile()
    assert bridge.bot.state is BotState.STOPPED
    assert len(bridge.room.trades()) == closes
    assert bool(bridge.room.books.positions) is not closes
    assert ("kept" in bridge.bot.reason) is not closes


def test_a_stop_waits_for_an_exit_that_is_not_filled_yet(bridge: Bridge) -> None:
    bridge.want(desired=Desired.RUNNING, state=BotState.RUNNING)
    bridge.reconcile()
    bridge.room.enter()
    bridge.room.broker.faults.append(Fault.RESTS)
    bridge.bots.stop("demo", "test", close_position=True)
    bridge.reconcile()
    assert bridge.bot.state is BotState.STOPPING
    bridge.room.broker.fill(bridge.room.broker.sent[-1])
    bridge.reconcile()
    assert bridge.bot.state is BotState.STOPPED
    assert len(bridge.room.trades()) == 1


def test_a_stop_takes_back_what_is_not_filled(bridge: Bridge) -> None:
    bridge.want(desired=Desired.RUNNING, state=BotState.RUNNING)
    bridge.reconcile()
    bridge.room.broker.faults.append(Fault.RESTS)
    bridge.room.enter()
    bridge.bots.stop("demo", "test", close_position=False)
    bridge.reconcile()
    assert bridge.bot.state is BotState.STOPPED
    assert bridge.room.orders()[0].state.value == "cancelled"


def test_a_bot_that_cannot_start_says_why_and_is_tried_again(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_symbol: str) -> None:
        raise NotFound("BTC/USDT is not traded here any more.")

    with monkeypatch.context() as patch:
        patch.setattr(bridge.room.market, "instrument", gone)
        bridge.bots.start("demo", "test")
        bridge.reconcile()
    assert bridge.bot.state is BotState.STARTING
    assert bridge.bot.reason == "BTC/USDT is not traded here any more."
    bridge.reconcile()
    assert bridge.bot.state is BotState.RUNNING
    assert bridge.bot.reason == ""


def test_a_faulted_bot_is_left_alone_and_starts_afresh(bridge: Bridge) -> None:
    bridge.want(desired=Desired.RUNNING, state=BotState.RUNNING)
    bridge.reconcile()
    bridge.want(state=BotState.FAULTED, strategy_errors=3, reason="Strategy error 3 of 3")
    bridge.reconcile()
    assert not bridge.jobs.bots
    assert bridge.bot.state is BotState.FAULTED
    bridge.bots.start("demo", "test")
    bridge.reconcile()
    assert bridge.bot.state is BotState.RUNNING
    assert (bridge.bot.strategy_errors, bridge.bot.reason) == (0, "")


def test_outside_its_hours_a_bot_sleeps(bridge: Bridge) -> None:
    hours = ActiveHours(start=time(22), end=time(6))
    bridge.want(config=config(active_hours=hours), desired=Desired.RUNNING)
    bridge.reconcile()
    assert bridge.bot.state is BotState.SLEEPING  # the clock stands at noon
    bridge.room.clock.advance(11 * 3600)
    bridge.reconcile()
    assert bridge.bot.state is BotState.RUNNING


def test_the_kill_switch_outlives_the_engine_and_closes_what_is_open(bridge: Bridge) -> None:
    bridge.want(desired=Desired.RUNNING, state=BotState.RUNNING)
    bridge.reconcile()
    bridge.room.enter()
    bridge.room.controls.set(KillLevel.CLOSE_ALL, "test")
    bridge.run(bridge.supervisor.enforce_kill)
    assert [trade.exit_reason for trade in bridge.room.trades()] == ["kill_switch"]

    after = Controls(bridge.room.books, bridge.room.folder / "KILL")
    after.load()
    assert after.level is KillLevel.CLOSE_ALL
    after.set(KillLevel.NONE, "test")
    again = Controls(bridge.room.books, bridge.room.folder / "KILL")
    again.load()
    assert again.level is KillLevel.NONE
    assert not (bridge.room.folder / "KILL").exists()


def test_the_kill_switch_works_with_the_database_or_its_file_down(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down() -> None:
        raise StoreError("The database is locked.")

    with monkeypatch.context() as patch:
        patch.setattr(room.store, "transaction", down)
        assert room.controls.set(KillLevel.CANCEL_ORDERS, "test").level is KillLevel.CANCEL_ORDERS
    assert (room.folder / "KILL").exists()
    (room.folder / "KILL").unlink()
    (room.folder / "KILL").mkdir()  # now the file cannot be written
    room.controls.set(KillLevel.CLOSE_ALL, "test")
    (room.folder / "KILL").rmdir()
    room.restart()
    assert room.controls.level is KillLevel.CLOSE_ALL, "kept by the database alone"


def test_the_kill_switch_closes_what_a_stopped_bot_kept_and_sees_it_through(
    bridge: Bridge,
) -> None:
    bridge.want(state=BotState.RUNNING)
    bridge.room.enter()
    bridge.want(state=BotState.STOPPED)
    bridge.room.broker.faults.append(Fault.RESTS)
    bridge.room.controls.set(KillLevel.CLOSE_ALL, "test")
    bridge.run(bridge.supervisor.enforce_kill)
    assert bridge.room.books.positions
    bridge.room.broker.fill(bridge.room.broker.sent[-1])
    bridge.run(bridge.supervisor.enforce_kill)
    assert not bridge.room.books.positions
    assert len(bridge.room.broker.sent) == 2


@pytest.mark.parametrize(
    ("scope", "key", "closed"),
    [
        (ScopeKind.EVERYTHING, "", {"a", "b", "c"}),
        (ScopeKind.ACCOUNT, "paper:other", {"c"}),
        (ScopeKind.SYMBOL, "BTC/USDT", {"a", "c"}),
        (ScopeKind.BOT, "b", {"b"}),
    ],
)
def test_a_control_closes_what_it_is_on_and_nothing_else(
    bridge: Bridge, scope: ScopeKind, key: str, closed: set[str]
) -> None:
    held = {"a": ("BTC/USDT", "paper:simulated"), "b": ("ETH/USDT", "paper:simulated"),
            "c": ("BTC/USDT", "paper:other")}  # fmt: skip
    for bot_id, (symbol, account_id) in held.items():
        bot_config = config(name=bot_id, symbol=symbol)
        bridge.room.add_bot(id=bot_id, bot_config=bot_config, account_id=account_id)
        with bridge.room.books.writing() as writing:
            kept = position(id=f"{bot_id}-0-e", bot_id=bot_id, symbol=symbol,
                            account_id=account_id)  # fmt: skip
            writing.put_position(kept, is_new=True)
    bridge.room.controls.set(KillLevel.CANCEL_ORDERS, "test", scope, key)
    bridge.run(bridge.supervisor.enforce_kill)
    assert set(bridge.room.books.positions) == set(held), "positions are kept at this level"
    bridge.room.controls.set(KillLevel.CLOSE_ALL, "test", scope, key)
    bridge.run(bridge.supervisor.enforce_kill)
    assert set(held) - set(bridge.room.books.positions) == closed


@pytest.mark.parametrize("scope", [ScopeKind.BOT, ScopeKind.SYMBOL])
def test_a_control_on_a_part_takes_back_its_entries(bridge: Bridge, scope: ScopeKind) -> None:
    bridge.want(state=BotState.RUNNING)
    bridge.room.broker.faults.append(Fault.RESTS)
    bridge.room.enter()
    key = {ScopeKind.BOT: bridge.bot.id, ScopeKind.SYMBOL: "BTC/USDT"}[scope]
    bridge.room.controls.set(KillLevel.REDUCE_ONLY, "test", scope, key)
    bridge.run(bridge.supervisor.enforce_kill)
    assert bridge.room.orders()[0].state.value == "open", "reduce only takes nothing back"
    bridge.room.controls.set(KillLevel.CANCEL_ORDERS, "test", scope, key)
    bridge.run(bridge.supervisor.enforce_kill)
    assert bridge.room.orders()[0].state.value == "cancelled"


def test_an_account_that_hangs_holds_up_no_other(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    for bot_id in ("hung", "free"):
        account_id = f"paper:{bot_id}"
        bridge.room.add_bot(id=bot_id, bot_config=config(name=bot_id), account_id=account_id)
        with bridge.room.books.writing() as writing:
            kept = position(id=f"{bot_id}-0-e", bot_id=bot_id, account_id=account_id)
            writing.put_position(kept, is_new=True)
    close, let_go, freed = bridge.room.desk.close_position, threading.Event(), threading.Event()

    def hangs_for_one(bot_id: str, *rest: Any, **more: Any) -> None:
        if bot_id == "hung":
            assert let_go.wait(20)
        close(bot_id, *rest, **more)
        freed.set()

    monkeypatch.setattr(bridge.room.desk, "close_position", hangs_for_one)

    async def whole() -> None:
        bridge.room.controls.set(KillLevel.CANCEL_ORDERS, "test")
        bridge.room.controls.set(KillLevel.CLOSE_ALL, "test", ScopeKind.ACCOUNT, "paper:hung")
        await bridge.supervisor.enforce_kill()
        bridge.room.controls.set(KillLevel.CLOSE_ALL, "test")
        await bridge.supervisor.enforce_kill()
        assert await asyncio.to_thread(freed.wait, 20)
        assert set(bridge.room.books.positions) == {"hung"}
        let_go.set()
        await bridge.supervisor.finish(5)

    asyncio.run(whole())
    assert not bridge.room.books.positions


@pytest.mark.parametrize("failure", [ConfigError("The replay file is gone."), ValueError("odd")])
def test_one_bot_that_cannot_be_closed_keeps_no_other_from_it(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    bridge.want(state=BotState.RUNNING)
    for number in range(3):
        bot = bridge.room.add_bot(id=f"c{number:07}", bot_config=config(name=f"bot {number}"))
        with bridge.room.books.writing() as writing:
            kept = position(id=f"{bot.id}-0-e", bot_id=bot.id)
            writing.put_position(kept, is_new=True)
    close = bridge.room.desk.close_position

    def fails_for_one(bot_id: str, *rest: Any, **more: Any) -> None:
        if bot_id == "c0000001":
            raise failure
        close(bot_id, *rest, **more)

    monkeypatch.setattr(bridge.room.desk, "close_position", fails_for_one)
    bridge.room.controls.set(KillLevel.CLOSE_ALL, "test")
    bridge.run(bridge.supervisor.enforce_kill)
    assert set(bridge.room.books.positions) == {"c0000001"}


@pytest.mark.parametrize(
    ("content", "level"),
    [('{"level": "close_all", "actor": "cli"}', KillLevel.CLOSE_ALL),
     ("not json at all", KillLevel.PAUSE_ENTRIES)],
)  # fmt: skip
def test_a_latch_file_is_honoured_at_the_start(room: Room, content: str, level: KillLevel) -> None:
    (room.folder / "KILL").write_text(content)
    controls = Controls(room.books, room.folder / "KILL")
    controls.load()
    assert controls.level is level


def test_a_latch_file_is_honoured_while_the_engine_runs(room: Room) -> None:
    (room.folder / "KILL").write_text('{"level": "cancel_orders", "actor": "cli"}')
    room.controls.take_latch()
    room.controls.take_latch()
    assert room.controls.level is KillLevel.CANCEL_ORDERS
    assert [event.kind for event in room.events()] == ["kill_switch"], "told once"


# --- commands --------------------------------------------------------------------------------


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"name": "DEMO"}, Conflict, "name"),
    ({"symbol": "NOPE/USDT"}, NotFound, "symbol"),
    ({"strategy": "nope"}, NotFound, "strategy"),
    ({"params": {"period": 1}}, ConfigError, "params.period"),
    ({"params": {"nope": 1}}, ConfigError, "params.nope"),
    ({"amount": D("4.99")}, ConfigError, "amount"),
    ({"amount": D(100_001)}, ConfigError, "amount"),
]


@pytest.mark.parametrize(("changes", "error", "field"), REFUSED)
def test_a_bad_bot_is_refused_with_the_field_that_is_wrong(
    bridge: Bridge, changes: dict[str, Any], error: type[Exception], field: str
) -> None:
    with pytest.raises(error) as refused:
        bridge.bots.create(config(**({"name": "second"} | changes)), "test")
    assert refused.value.field == field  # type: ignore[attr-defined]
    assert len(bridge.room.books.bots) == 1


def test_an_assessment_says_what_can_be_lost(bridge: Bridge) -> None:
    seen = bridge.bots.assess(config(name="second"))
    price = seen.last_price
    assert seen.quantity * price <= D(100)
    assert seen.stop_price is not None
    assert seen.loss_at_stop is not None
    assert abs(seen.stop_price / price - D("0.98")) < D("0.001")
    assert D("1.9") < seen.loss_at_stop < D("2.3"), "2 % of 100 and the fees"


def test_only_a_bot_that_does_nothing_can_be_changed_or_deleted(bridge: Bridge) -> None:
    bridge.bots.start("demo", "test")
    with pytest.raises(Conflict, match="Stop the bot"):
        bridge.bots.edit("demo", config(amount=D(50)), "test")
    with pytest.raises(Conflict, match="Stop the bot"):
        bridge.bots.delete("demo", "test")
    bridge.reconcile()
    bridge.room.enter()
    bridge.bots.stop("demo", "test", close_position=False)
    bridge.reconcile()
    with pytest.raises(Conflict, match="holds a position"):
        bridge.bots.edit("demo", config(symbol="ETH/USDT"), "test")
    with pytest.raises(Conflict, match="holds a position"):
        bridge.bots.delete("demo", "test")
    assert bridge.bots.edit("demo", config(amount=D(50)), "test").config.amount == D(50)


def test_a_kept_position_follows_the_new_stop_and_target(bridge: Bridge) -> None:
    bridge.want(state=BotState.RUNNING)
    bridge.room.enter()
    bridge.want(state=BotState.STOPPED)
    bridge.bots.edit("demo", config(stop_loss=D("0.01"), take_profit=None), "test")
    position = bridge.room.books.positions[bridge.bot.id]
    assert (position.stop_price, position.target_price) == (D(99), None)


def test_every_edit_is_a_kept_version_and_every_command_is_audited(bridge: Bridge) -> None:
    bot = bridge.bots.create(config(name="second"), "anna")
    bridge.bots.edit("second", config(name="second", amount=D(50)), "anna")
    clone = bridge.bots.clone("second", "third", "anna")
    bridge.bots.delete("third", "anna")
    with bridge.room.store.reading() as tx:
        versions = tx.configurations.select(bot_id=bot.id, order_by="version")
        audit = tx.audit.select()
    assert [one.version for one in versions] == [1, 2]
    assert clone.config.amount == D(50)
    assert {one.actor for one in audit} == {"anna"}
    actions = [one.action for one in audit]
    assert actions == ["bot.create", "bot.edit", "bot.create", "bot.delete"]
    chain = [one.previous_digest for one in audit[1:]]
    assert chain == [one.digest for one in audit[:-1]], "each entry is chained to the one before"
