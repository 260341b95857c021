"""Bots with a model: entries wait for it and nothing else does; what changed meanwhile counts."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from datetime import timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest

from engine.domain.advice import AiConfig, AiRole, Choice, Counsel, CounselVerdict
from engine.domain.bots import BotState, Direction
from engine.domain.decisions import Action, Verdict
from engine.domain.exits import live_bar
from engine.domain.orders import Purpose
from engine.domain.positions import PositionSide
from engine.domain.records import KillLevel
from engine.errors import ConfigError
from engine.services.bots import BotService
from tests.fakes.advisor import GO, STAY, buy, close, hold
from tests.fakes.strategy_host import FakeStrategyHost
from tests.support.model_desk import LONG, NOTHING, OUT, SHORT, Desk, model_desk
from tests.unit.conftest import Room
from tests.unit.samples import config

Opener = Callable[..., Desk]


@pytest.fixture
def open_desk(tmp_path: Path) -> Iterator[Opener]:
    """Opens a desk whose bot has the given settings."""
    with ExitStack() as stack:
        yield lambda ai=None, **changes: stack.enter_context(model_desk(tmp_path, ai, **changes))


def play(work: Coroutine[None, None, None]) -> None:
    """Run a story on an event loop."""
    asyncio.run(work)


# --- advisor ------------------------------------------------------------------------------------


def test_only_an_entry_is_asked_about(open_desk: Opener) -> None:
    desk = open_desk()
    desk.run(NOTHING, LONG, NOTHING, OUT)
    assert len(desk.advisor.reviewed) == 1
    assert [one.action for one in desk.decisions()] == [
        Action.HOLD, Action.ENTER_LONG, Action.HOLD, Action.EXIT,
    ]  # fmt: skip
    assert len(desk.room.trades()) == 1


def test_what_the_model_is_told(open_desk: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = open_desk(AiConfig(candle_count=60))
    monkeypatch.setattr(desk.host, "history", lambda *_: 20)
    desk.run(LONG)
    [(situation, proposal)] = desk.advisor.reviewed
    decision = desk.last()
    assert situation.decision_id == decision.id
    assert len(situation.candles) == 60
    assert desk.host.decided[-1][2] == 20, "the strategy sees what it sees without a model"
    assert situation.values == {"rsi": 25.0}
    assert (proposal.side, proposal.amount, proposal.price) == (PositionSide.LONG, D(50), D(100))
    assert (proposal.stop_price, proposal.target_price) == (D(98), D(105))
    assert [step.step for step in decision.trace] == [
        "candles", "strategy", "advisor", "risk", "order desk",
    ]  # fmt: skip
    assert decision.trace[2].values["verdict"] == "pass"


def test_a_veto_opens_nothing_and_says_why(open_desk: Opener) -> None:
    desk = open_desk()
    desk.advisor.counsels.append(STAY)
    desk.run(LONG)
    assert desk.last().action is Action.HOLD
    assert desk.last().reason == "the model sees no reason"
    assert desk.last().trace[2].verdict is Verdict.VETO
    assert not desk.room.orders()


def test_a_counsel_makes_an_entry_smaller_and_gives_it_levels(open_desk: Opener) -> None:
    desk = open_desk()
    desk.advisor.counsels.append(
        Counsel(verdict=CounselVerdict.REDUCE, reason="half", size=0.5, stop_price=D(99),
                target_price=D(103))
    )  # fmt: skip
    desk.run(LONG)
    [order] = desk.room.orders()
    assert order.quote_amount == D(25), "half of the half that the strategy wants"
    assert (desk.room.position.stop_price, desk.room.position.target_price) == (D(99), D(103))


def test_an_entry_that_the_risk_gate_refuses_is_not_asked_about(open_desk: Opener) -> None:
    desk = open_desk()
    desk.run(LONG, LONG)
    assert len(desk.advisor.reviewed) == 1
    assert desk.last().reason == "already in position with 1 of 1 entries"
    desk.save(state=BotState.PAUSED)
    desk.run(OUT, LONG)
    assert len(desk.advisor.reviewed) == 1
    assert desk.last().reason == "the bot is paused"


def test_the_cycle_does_not_wait_for_the_model(open_desk: Opener) -> None:
    desk = open_desk()

    async def story() -> None:
        async with desk.thinking(LONG):
            assert desk.consultant.is_thinking(desk.room.bot.id)
            await desk.check(LONG)  # the next check of the same candle
            assert len(desk.advisor.reviewed) == 1
            assert not desk.decisions()
        assert desk.last().action is Action.ENTER_LONG
        assert desk.checked == [desk.room.bot.id], "a candle may have closed meanwhile"

    play(story())


def test_a_stop_is_hit_while_the_model_thinks_about_a_further_entry(open_desk: Opener) -> None:
    desk = open_desk(max_entries=2)
    desk.run(LONG)

    async def story() -> None:
        async with desk.thinking(LONG):
            desk.room.move("97")
            bar = live_bar(D(97), desk.room.clock.now())
            now = desk.room.clock.now()
            desk.watcher.watch_bar(
                desk.room.bot.id, desk.room.market, bar, now, has_seen_price=False
            )
            assert desk.room.trades()[0].exit_reason == "stop_loss"

    play(story())
    assert desk.last().action is Action.HOLD
    assert desk.last().reason == "the bot's position changed while the model was asked"
    assert len(desk.sent(Purpose.ENTRY)) == 1


def test_an_exit_of_the_next_candle_does_not_wait_for_the_answer(open_desk: Opener) -> None:
    desk = open_desk(max_entries=2)
    desk.run(LONG)

    async def story() -> None:
        async with desk.thinking(LONG):
            desk.bar()
            await desk.check(OUT)
            assert len(desk.room.trades()) == 1
            assert desk.last().action is Action.EXIT

    play(story())
    older = desk.decisions()[1]
    assert older.action is Action.HOLD
    assert older.reason == "a newer candle was decided while the model was asked"
    assert len(desk.sent(Purpose.ENTRY)) == 1
    assert desk.room.bot.decided_until == desk.decisions()[2].candle_time + timedelta(minutes=1)


def test_a_candle_that_closes_meanwhile_is_decided_after_the_answer(open_desk: Opener) -> None:
    desk = open_desk()

    async def story() -> None:
        async with desk.thinking(LONG):
            desk.room.clock.advance(0)
            await desk.check(NOTHING)
        assert len(desk.decisions()) == 1
        desk.bar()
        await desk.check(NOTHING)
        assert len(desk.decisions()) == 2

    play(story())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"state": BotState.PAUSED}, "the bot is paused"),
        ({"state": BotState.STOPPED}, None),
        ({"state": BotState.FAULTED}, None),
        ({"config": config(ai=AiConfig(), params={"length": 5})}, None),
        ({"config": config(ai=AiConfig(min_confidence=0.9))}, None),
    ],
)
def test_a_bot_that_was_changed_meanwhile_enters_nothing(
    open_desk: Opener, change: dict[str, Any], reason: str | None
) -> None:
    desk = open_desk()

    async def story() -> None:
        async with desk.thinking(LONG):
            desk.save(**change)

    play(story())
    assert not desk.room.orders()
    assert [one.reason for one in desk.decisions()] == ([reason] if reason else [])


def test_a_bot_that_was_deleted_meanwhile_is_no_error(open_desk: Opener) -> None:
    desk = open_desk()

    async def story() -> None:
        async with desk.thinking(LONG):
            with desk.room.books.writing() as writing:
                writing.delete_bot(desk.room.bot.id)

    play(story())
    assert not desk.room.orders()


def test_the_kill_switch_meanwhile_opens_nothing(open_desk: Opener) -> None:
    desk = open_desk()

    async def story() -> None:
        async with desk.thinking(LONG):
            desk.room.controls.set(KillLevel.PAUSE_ENTRIES, "a person")

    play(story())
    assert desk.last().action is Action.HOLD
    assert not desk.room.orders()


def test_an_answer_that_comes_too_late_opens_nothing(open_desk: Opener) -> None:
    desk = open_desk()

    async def story() -> None:
        async with desk.thinking(LONG):
            desk.room.clock.advance(61)

    play(story())
    assert desk.last().reason == "the answer came 61 s after the question, which is too late"
    assert not desk.room.orders()


@pytest.mark.parametrize(
    ("price", "words"), [("98.5", "stop of 99"), ("97.9", "stop of 98"), ("103", "target of 103")]
)
def test_a_price_beyond_a_level_opens_nothing(open_desk: Opener, price: str, words: str) -> None:
    desk = open_desk()
    stop = D(99) if words == "stop of 99" else None
    desk.advisor.counsels.append(GO.model_copy(update={"stop_price": stop, "target_price": D(103)}))

    async def story() -> None:
        async with desk.thinking(LONG):
            desk.room.move(price)

    play(story())
    assert desk.last().reason == f"the price went past the {words} while the model was asked"
    assert not desk.room.orders()


# --- decider ------------------------------------------------------------------------------------

DECIDER = AiConfig(role=AiRole.DECIDER)


def test_a_decider_opens_and_closes_whatever_the_strategy_wants_to_open(open_desk: Opener) -> None:
    desk = open_desk(DECIDER)
    desk.advisor.choices.extend([hold(), buy(), close()])
    desk.run(LONG, NOTHING, NOTHING)
    assert [one.action for one in desk.decisions()] == [
        Action.HOLD, Action.ENTER_LONG, Action.EXIT,
    ]  # fmt: skip
    first = desk.decisions()[0]
    assert [step.step for step in first.trace] == ["candles", "model", "advisor"]
    assert first.trace[1].values["rsi"] == 25.0, "the strategy's numbers are shown to it"
    assert desk.decisions()[1].reason == "it rises"


def test_the_strategys_exit_counts_without_asking_a_decider(open_desk: Opener) -> None:
    desk = open_desk(DECIDER)
    desk.advisor.choices.append(buy())
    desk.run(NOTHING, OUT)
    assert len(desk.advisor.decided) == 1
    assert desk.last().action is Action.EXIT
    assert desk.last().trace[1].step == "strategy"


def test_a_strategys_reversal_is_an_exit_to_a_decider(open_desk: Opener) -> None:
    desk = open_desk(DECIDER, direction=Direction.BOTH)
    desk.advisor.choices.append(buy())
    desk.run(NOTHING, SHORT)
    assert desk.last().action is Action.EXIT
    assert not desk.room.books.positions


def test_a_decider_that_is_not_sure_enough_holds(open_desk: Opener) -> None:
    desk = open_desk(DECIDER)
    desk.advisor.choices.append(Choice(LONG, STAY))
    desk.run(NOTHING)
    assert desk.last().action is Action.HOLD
    assert not desk.room.orders()


def test_a_deciders_reversal_is_one_decision_of_the_size_it_wants(open_desk: Opener) -> None:
    desk = open_desk(DECIDER, direction=Direction.BOTH)
    turn = Choice(SHORT, GO.model_copy(update={"size": 0.25}))
    desk.advisor.choices.extend([buy(), turn])
    desk.run(NOTHING, NOTHING)
    desk.room.advance()
    assert desk.last().action is Action.REVERSE
    assert desk.room.broker.requests[-1].quote_amount == D(25)


def test_a_decider_is_asked_at_most_so_often_across_a_restart(open_desk: Opener) -> None:
    desk = open_desk(AiConfig(role=AiRole.DECIDER, ask_every_s=180))
    desk.run(NOTHING, NOTHING)
    desk.crash()
    desk.run(NOTHING, NOTHING)
    assert len(desk.advisor.decided) == 2, "the first candle and the fourth"
    assert desk.decisions()[1].reason == "the model is not asked: at most every 180 s"


def test_a_decider_is_not_paid_for_what_cannot_follow(open_desk: Opener) -> None:
    desk = open_desk(DECIDER)
    desk.save(state=BotState.PAUSED)
    desk.run(NOTHING)
    assert not desk.advisor.decided
    assert desk.last().reason == "the model is not asked: the bot is paused"


def test_a_decider_answers_once_for_a_candle_across_a_crash(open_desk: Opener) -> None:
    desk = open_desk(DECIDER)
    desk.advisor.dies = True
    desk.run(NOTHING)
    desk.crash()
    asyncio.run(desk.wait(NOTHING))
    assert len(desk.advisor.decided) == 1
    assert desk.last().action is Action.ENTER_LONG, "as the kept answer is judged again"


# --- settings -----------------------------------------------------------------------------------


def bots_of(room: Room, objection: str = "") -> BotService:
    """The commands on bots, with what is said of the provider."""
    return BotService(room.books, room.venues, FakeStrategyHost(), lambda: None, lambda: objection)


def test_a_bot_whose_model_cannot_be_asked_is_warned_of_and_allowed(room: Room) -> None:
    service = bots_of(room, "No model is set up: get a key.")
    asked = config(name="second", ai=AiConfig())
    assert service.assess(asked).warnings[-1] == (
        "Nothing is opened until a model can be asked. No model is set up: get a key."
    )
    assert service.create(asked, "test").config.ai == AiConfig()
    assert not service.assess(config(name="third")).warnings
    assert not bots_of(room).assess(config(name="third", ai=AiConfig())).warnings


def test_a_replay_asks_no_model(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room.venues, "is_stepped", lambda _market_id: True)
    with pytest.raises(ConfigError, match="Replays ask no model") as refused:
        bots_of(room).assess(config(name="second", ai=AiConfig()))
    assert refused.value.field == "ai"
    bots_of(room).assess(config(name="second"))  # without a model it may be
