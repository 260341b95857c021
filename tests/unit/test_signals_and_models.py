"""Signals of bots with a model: it is asked about entries, and never stands before an exit."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal as D
from pathlib import Path

import pytest

from engine.domain.advice import AiConfig, Counsel, CounselVerdict
from engine.domain.bots import Direction
from engine.domain.decisions import Action, Decision
from engine.domain.orders import Order, Purpose
from engine.domain.positions import PositionSide
from engine.domain.signals import SignalState
from engine.errors import DataError
from engine.services.act_on_signals import Counsellor, SignalActor
from engine.services.candle_feed import CandleFeed
from tests.fakes.clock import FakeClock
from tests.fakes.counsel import PlainSituations, ReviewingAdvisor
from tests.fakes.market import FakeMarket
from tests.fakes.memory_store import MemoryStore
from tests.fakes.signal_room import SignalRoom
from tests.unit.conftest import Room, open_room

ACTED, HELD, RECEIVED = SignalState.ACTED, SignalState.HELD, SignalState.RECEIVED
NO = Counsel(verdict=CounselVerdict.VETO, reason="the model sees no reason")


class Advised(SignalRoom):
    """A room whose bot has an advisor, scripted anew for each event loop."""

    advisor: ReviewingAdvisor
    at: Room

    def run(self, body: Callable[[SignalActor], Awaitable[None]], *counsels: Counsel) -> None:
        """Run ``body`` with an actor whose advisor answers ``counsels`` in turn."""

        async def run() -> None:
            self.advisor = ReviewingAdvisor()
            self.advisor.counsels.extend(counsels)
            feed = CandleFeed(self.lanes)
            self.counsellor = Counsellor(
                self.advisor, PlainSituations(), feed, self.room.venues
            )  # fmt: skip
            actor = self.actor()
            await body(actor)
            await actor.settled()

        asyncio.run(run())

    def sent(self, body: str, *counsels: Counsel) -> str:
        """Send one signal; its outcome."""

        async def begin(actor: SignalActor) -> None:
            actor.begin(self.kept(body))

        self.run(begin, *counsels)
        return self.last.outcome

    def entries(self) -> list[Order]:
        """All entries."""
        return [one for one in self.at.orders() if one.purpose is Purpose.ENTRY]

    def decisions(self) -> list[Decision]:
        """All decisions, oldest first."""
        with self.room.store.reading() as tx:
            return list(tx.decisions.select())

    @property
    def held(self) -> PositionSide | None:
        """The side on which the bot is."""
        position = self.room.books.positions.get(self.room.bot.id)
        return position.side if position is not None else None


@pytest.fixture
def advised(tmp_path: Path) -> Iterator[Advised]:
    """A bot on both sides with an advisor, at a price of 100, ten minutes into its market."""
    clock = FakeClock()
    market = FakeMarket(clock)
    for _ in range(10):
        market.add_bar("BTC/USDT", 100, 100, 100, 100)
    with open_room(tmp_path, clock, market, MemoryStore(clock.now)) as room:
        advised = Advised(room)
        advised.at = room
        advised.listen(direction=Direction.BOTH, ai=AiConfig(candle_count=5))
        yield advised
        advised.close()


def test_an_entry_is_made_as_far_as_the_model_lets_it(advised: Advised) -> None:
    counsel = Counsel(
        verdict=CounselVerdict.REDUCE, reason="half of it", size=0.5, stop_price=D(99),
    )  # fmt: skip
    assert advised.sent("open long 80 USDT", counsel) == "Long entry ordered."
    [order] = advised.entries()
    assert (order.quote_amount, order.level_stop) == (D(40), D(99))
    [(situation, proposal)] = advised.advisor.asked
    assert (proposal.amount, proposal.price, proposal.side) == (D(80), D(100), "long")
    assert (proposal.stop_price, proposal.target_price) == (D(98), D(105)), "the bot's own levels"
    assert proposal.reason == "webhook asks to open long, 80 of quote"
    assert len(situation.candles) == 5
    [decision] = advised.decisions()
    assert situation.decision_id == decision.id == advised.last.decision_id
    steps = [step.step for step in decision.trace]
    assert steps == ["signal", "size", "advisor", "risk", "order desk"]


def test_a_veto_holds_the_entry_back(advised: Advised) -> None:
    assert advised.sent("open long", NO) == "Nothing done; the model sees no reason."
    assert (advised.last.state, advised.entries()) == (HELD, [])
    assert advised.decisions()[0].reason == "the model sees no reason"


def test_nobody_is_asked_about_what_the_risk_gate_refuses_anyway(advised: Advised) -> None:
    assert "below the minimum" in advised.sent("open long 1 USDT")
    assert not advised.advisor.asked


def test_exits_ask_nobody(advised: Advised) -> None:
    advised.sent("open long")
    assert advised.sent("close 50%") == "Exit ordered; 50.00% of the position."
    assert advised.sent("flat") == "Exit ordered."
    assert not advised.advisor.asked


def test_of_a_reversal_the_exit_is_made_before_the_model_is_asked(advised: Advised) -> None:
    advised.sent("buy")
    sides: list[PositionSide | None] = []

    async def reverse(actor: SignalActor) -> None:
        advised.advisor.hold()
        actor.begin(advised.kept("sell"))
        await advised.advisor.is_asked.wait()
        sides.append(advised.held)
        advised.advisor.release()

    advised.run(reverse)
    assert sides == [None], "it was flat while the model was asked"
    assert (advised.last.outcome, advised.held) == ("Exit and entry ordered.", PositionSide.SHORT)
    assert len(advised.last.order_ids) == 2
    exit_, entry = advised.decisions()[1:]
    assert [exit_.action, entry.action] == [Action.EXIT, Action.ENTER_SHORT]
    assert entry.id == f"{exit_.id}-e" == advised.advisor.asked[0][0].decision_id
    assert advised.last.decision_id == entry.id


def test_a_reversal_that_the_model_does_not_want_is_an_exit(advised: Advised) -> None:
    advised.sent("buy")
    assert advised.sent("sell", NO) == "Exit ordered; the model sees no reason."
    assert (advised.last.state, advised.held) == (ACTED, None)


def test_a_close_does_not_wait_for_the_model_and_ends_the_entry_that_does(
    advised: Advised,
) -> None:
    ids: dict[str, str] = {}

    async def both(actor: SignalActor) -> None:
        advised.advisor.hold()
        ids["open"] = advised.kept("open long")
        actor.begin(ids["open"])
        await advised.advisor.is_asked.wait()
        ids["close"] = advised.kept("close")
        actor.begin(ids["close"])
        while advised.row(ids["close"]).state is RECEIVED:  # noqa: ASYNC110 - a thread's work
            await asyncio.sleep(0)
        assert advised.row(ids["open"]).state is RECEIVED
        advised.advisor.release()

    advised.run(both)
    assert advised.row(ids["close"]).outcome.startswith("Nothing done; there is nothing to close")
    row = advised.row(ids["open"])
    assert row.outcome == "Nothing done; a later signal (close) was decided before it."
    assert (row.state, advised.entries()) == (HELD, [])


def test_entries_of_a_bot_wait_for_one_another(advised: Advised) -> None:
    advised.listen(direction=Direction.BOTH, ai=AiConfig(candle_count=5), max_entries=2)

    async def two(actor: SignalActor) -> None:
        advised.advisor.hold()
        actor.begin(advised.kept("open long"))
        actor.begin(advised.kept("add long"))
        await advised.advisor.is_asked.wait()
        advised.advisor.release()

    advised.run(two)
    assert (advised.last.state, len(advised.entries())) == (ACTED, 2)
    assert len(advised.advisor.asked) == 2


def test_what_changed_while_the_model_was_asked_holds_the_entry_back(advised: Advised) -> None:
    async def change(actor: SignalActor) -> None:
        advised.advisor.hold()
        actor.begin(advised.kept("open long"))
        await advised.advisor.is_asked.wait()
        advised.listen(amount=D(500))
        advised.advisor.release()

    advised.run(change)
    assert advised.last.outcome == "Nothing done; the bot was changed while the model was asked."
    late = Counsel(verdict=CounselVerdict.PASS, reason="yes", stop_price=D(100))
    assert advised.sent("open long", late).endswith("the price passed the model's stop while it "
                                                    "was asked.")  # fmt: skip


def test_an_answer_that_comes_too_late_opens_nothing(advised: Advised) -> None:
    async def late(actor: SignalActor) -> None:
        advised.advisor.hold()
        actor.begin(advised.kept("open long"))
        await advised.advisor.is_asked.wait()
        advised.at.clock.advance(62)
        advised.advisor.release()

    advised.run(late)
    assert (advised.last.state, advised.entries()) == (SignalState.EXPIRED, [])


def test_without_a_model_or_candles_nothing_is_opened(advised: Advised) -> None:
    row = advised.send("open long")
    assert row.outcome == (
        "Nothing done; no model is connected: set one up on the Settings page."
    )  # fmt: skip
    market = advised.at.market

    def fail(*_args: object, **_kwargs: object) -> object:
        raise DataError("no candles today")

    market.candles = fail  # type: ignore[method-assign, assignment]
    assert advised.sent("open long") == (
        "Nothing done; the model could not be asked: no candles today."
    )


def test_a_crash_while_the_model_is_asked_leaves_a_reversal_to_be_finished(
    advised: Advised,
) -> None:
    advised.sent("buy")

    async def crash() -> None:
        advised.advisor = ReviewingAdvisor()
        advised.advisor.hold()
        advised.counsellor = Counsellor(
            advised.advisor, PlainSituations(), CandleFeed(advised.lanes), advised.room.venues
        )
        actor = advised.actor()
        actor.begin(advised.kept("sell"))
        await advised.advisor.is_asked.wait()
        await actor.finish(0)

    asyncio.run(crash())
    assert (advised.last.state, advised.held) == (RECEIVED, None)
    assert advised.last.outcome == "Exit ordered; the entry is not decided yet."
    advised.at.restart()
    advised.run(lambda actor: actor.recover(lambda one: actor.begin(one.id)))
    assert (advised.last.outcome, advised.held) == ("Exit and entry ordered.", PositionSide.SHORT)
    assert len(advised.at.broker.sent) == len(set(advised.at.broker.sent)) == 3
