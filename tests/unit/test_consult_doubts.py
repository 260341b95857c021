"""Bots with a model where something goes wrong: reversals, crashes, markets, stores and bugs."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from datetime import timedelta
from decimal import Decimal as D
from pathlib import Path

import pytest

from engine.adapters.store.store import SqlStore
from engine.domain.bots import Bot, Direction
from engine.domain.decisions import Action
from engine.domain.orders import OrderState, Purpose
from engine.domain.positions import PositionSide
from engine.errors import DataError, LeaseLost, StoreError
from engine.services.candle_feed import CandleFeed, PriceBoard
from engine.services.conclude import Concluder
from engine.services.consult import Links
from engine.services.run_cycle import CycleRunner
from tests.fakes.advisor import GO, STAY
from tests.fakes.broker import Fault
from tests.fakes.market import FakeMarket
from tests.support.model_desk import LONG, SHORT, Desk, model_desk
from tests.unit.conftest import Room

Opener = Callable[..., Desk]


@pytest.fixture
def open_desk(tmp_path: Path) -> Iterator[Opener]:
    """Opens a desk whose bot has the given settings."""
    with ExitStack() as stack:
        yield lambda ai=None, **changes: stack.enter_context(model_desk(tmp_path, ai, **changes))


def play(work: Coroutine[None, None, None]) -> None:
    """Run a story on an event loop."""
    asyncio.run(work)


# --- reversals ----------------------------------------------------------------------------------


def test_a_reversal_exits_at_once_and_enters_once_the_model_has_spoken(open_desk: Opener) -> None:
    desk = open_desk(direction=Direction.BOTH)
    desk.run(LONG)

    async def story() -> None:
        async with desk.thinking(SHORT):
            assert len(desk.room.trades()) == 1, "the exit has not waited"
            assert desk.last().action is Action.EXIT
            assert desk.last().trace[-2].detail.startswith("the entry waits for the model")
            [_, (situation, proposal)] = desk.advisor.reviewed
            assert situation.position is None
            assert proposal.side is PositionSide.SHORT

    play(story())
    exit_, entry = desk.decisions()[1:]
    assert (exit_.action, entry.action) == (Action.EXIT, Action.ENTER_SHORT)
    assert entry.id == f"{exit_.id}-e"
    assert entry.candle_time - exit_.candle_time == timedelta(microseconds=1)
    assert desk.room.position.side is PositionSide.SHORT


def test_a_reversal_that_the_model_refuses_ends_flat(open_desk: Opener) -> None:
    desk = open_desk(direction=Direction.BOTH)
    desk.run(LONG)
    desk.advisor.counsels.append(STAY)
    desk.run(SHORT)
    assert [one.action for one in desk.decisions()[1:]] == [Action.EXIT, Action.HOLD]
    assert not desk.room.books.positions


def test_the_entry_of_a_reversal_goes_after_an_exit_still_under_way_with_its_share(
    open_desk: Opener,
) -> None:
    desk = open_desk(direction=Direction.BOTH)
    desk.run(LONG)
    desk.room.broker.faults.append(Fault.RESTS)
    desk.advisor.counsels.append(GO.model_copy(update={"size": 0.5}))
    desk.run(SHORT.model_copy(update={"size": 0.5}))
    [entry] = [one for one in desk.room.orders() if one.state is OrderState.INTENT]
    assert entry.stake_share == D("0.25")
    desk.room.broker.fill(desk.sent(Purpose.EXIT)[0])
    desk.room.advance()
    desk.room.advance()
    [sent] = [one for one in desk.room.broker.requests if one.client_id == entry.client_id]
    assert sent.quote_amount == D(25), "a quarter of the stake, not all of it"


def test_an_exit_that_was_refused_lets_no_entry_follow(open_desk: Opener) -> None:
    desk = open_desk(direction=Direction.BOTH)
    desk.run(LONG)
    desk.room.broker.faults.append(Fault.REJECTED)
    desk.run(SHORT)
    assert desk.last().action is Action.HOLD
    assert len(desk.sent(Purpose.ENTRY)) == 1


def test_without_a_model_a_reversal_keeps_the_strategys_share(room: Room) -> None:
    """The amount of an entry after an exit is fixed when it is sent: at its share of the stake."""
    room.enter()
    now = room.clock.now()
    with room.books.writing() as writing:
        first = room.desk.plan_exit(writing, room.position, "signal", order_id="x", decided_at=now)
        room.desk.plan_entry(
            writing, room.bot, PositionSide.SHORT, size=0.5, candle_time=now + timedelta(minutes=1),
            decided_at=now, after=first,
        )  # fmt: skip
    room.advance()
    room.advance()
    assert room.broker.requests[-1].quote_amount == D(50)


# --- crashes ------------------------------------------------------------------------------------


def test_a_crash_between_answer_and_conclusion_asks_no_second_time(open_desk: Opener) -> None:
    desk = open_desk()
    desk.advisor.dies = True
    desk.run(LONG)
    assert not desk.decisions()
    desk.crash()
    asyncio.run(desk.wait(LONG))
    assert len(desk.advisor.reviewed) == 1
    assert desk.last().action is Action.ENTER_LONG
    asyncio.run(desk.wait(LONG))
    assert len(desk.sent(Purpose.ENTRY)) == 1


def test_a_crash_while_the_model_thinks_decides_the_candle_afterwards(open_desk: Opener) -> None:
    desk = open_desk()

    async def story() -> None:
        desk.bar()
        desk.advisor.hold_back()
        await desk.check(LONG)
        await desk.advisor.is_asked()
        await desk.consultant.finish(0)

    play(story())
    assert not desk.decisions()
    desk.advisor.is_held = False
    desk.crash()
    asyncio.run(desk.wait(LONG))
    assert [one.action for one in desk.decisions()] == [Action.ENTER_LONG]
    assert len(desk.sent(Purpose.ENTRY)) == 1


@pytest.mark.parametrize("dies", [True, False], ids=["before the entry", "after it"])
def test_a_crash_within_a_reversal_loses_no_exit_and_doubles_no_entry(
    open_desk: Opener, dies: bool
) -> None:
    desk = open_desk(direction=Direction.BOTH)
    desk.run(LONG)
    desk.advisor.dies = dies
    desk.run(SHORT)
    desk.crash()
    asyncio.run(desk.wait(SHORT))
    desk.room.advance()
    assert len(desk.sent(Purpose.EXIT)) == 1
    assert len(desk.sent(Purpose.ENTRY)) == (1 if dies else 2)
    assert len(desk.room.trades()) == 1


def test_a_reversal_is_two_decisions_on_disk(open_desk: Opener, tmp_path: Path) -> None:
    store = SqlStore.open(f"sqlite:///{tmp_path / 'state.db'}")
    desk = open_desk(store=store, direction=Direction.BOTH)
    desk.run(LONG, SHORT)
    desk.crash()
    exit_, entry = desk.decisions()[1:]
    assert entry.candle_time - exit_.candle_time == timedelta(microseconds=1)
    assert desk.room.position.side is PositionSide.SHORT
    assert len(desk.sent(Purpose.ENTRY)) == 2
    assert [one.verdict for one in desk.advice()] == ["pass", "pass"]


def test_an_entry_that_was_decided_before_is_not_decided_again(open_desk: Opener) -> None:
    desk = open_desk()
    desk.run(LONG)
    desk.save(decided_until=None)  # the mark was lost, the decision was not
    desk.crash()
    asyncio.run(desk.wait(LONG))
    assert len(desk.decisions()) == 1
    assert len(desk.room.orders()) == 1


# --- trouble ------------------------------------------------------------------------------------


def test_a_market_that_does_not_answer_is_shown_and_asked_again(open_desk: Opener) -> None:
    desk = open_desk()
    desk.bar()
    market = desk.room.market
    assert isinstance(market, FakeMarket)

    async def story() -> None:
        async with desk.thinking(LONG):
            market.failure = DataError("The exchange does not answer.")

    play(story())
    assert desk.room.bot.reason == "The exchange does not answer."
    assert not desk.decisions()
    assert not desk.checked, "or it would ask in a circle"
    market.failure = None
    asyncio.run(desk.wait(LONG))
    assert len(desk.advisor.reviewed) == 1
    assert desk.last().action is Action.ENTER_LONG


class Router:
    """Chooses no account, and remembers for what it was asked."""

    def __init__(self) -> None:
        self.settled: list[tuple[PositionSide, float]] = []

    async def settle(self, bot: Bot, side: PositionSide, size: float) -> None:
        self.settled.append((side, size))


def test_an_account_is_chosen_once_the_model_has_agreed(
    open_desk: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, router = open_desk(), Router()
    monkeypatch.setattr(desk.consultant, "_router", router)
    desk.advisor.counsels.extend([STAY, GO.model_copy(update={"size": 0.5})])
    desk.run(LONG, LONG)
    assert router.settled == [(PositionSide.LONG, 0.25)], "for what is left of the entry"


@pytest.mark.parametrize(
    ("error", "told"),
    [(LeaseLost("Another engine."), ["Another engine."]), (StoreError("disk full"), []),
     (RuntimeError("a bug"), [])],
)  # fmt: skip
def test_what_goes_wrong_with_an_answer_ends_its_question_alone(
    open_desk: Opener, monkeypatch: pytest.MonkeyPatch, error: Exception, told: list[str]
) -> None:
    desk = open_desk()
    given_up: list[str] = []
    links = Links(check_now=desk.checked.append, give_up=given_up.append)
    monkeypatch.setattr(desk.consultant, "_links", links)

    def fail(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(desk.consultant._waiting, "resume", fail)
        desk.run(LONG)
    assert given_up == told
    assert not desk.checked
    assert not desk.consultant.is_thinking(desk.room.bot.id)
    asyncio.run(desk.wait(LONG))
    assert desk.last().action is Action.ENTER_LONG, "decided at the next check"
    assert len(desk.advisor.reviewed) == 1


def test_a_runner_without_a_consultant_says_so(open_desk: Opener) -> None:
    desk = open_desk()
    desk.runner = CycleRunner(
        desk.room.books, Concluder(desk.room.books, desk.room.desk, desk.room.controls),
        desk.room.desk, desk.watcher, desk.room.venues, desk.host, CandleFeed(desk.lanes),
        PriceBoard(), desk.lanes,
    )  # fmt: skip
    desk.bar()
    with pytest.raises(ValueError, match="nobody was wired"):
        asyncio.run(desk.check(LONG))
