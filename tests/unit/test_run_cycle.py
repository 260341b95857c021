"""One cycle: each closed candle decided once, with a trace; failures shown, retried, contained."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal as D

import pytest

from engine.domain.bots import BotState
from engine.domain.candles import Candles, empty_candles
from engine.domain.decisions import Action, Decision, Intent, Verdict
from engine.domain.positions import PositionSide
from engine.errors import ConfigError, DataError, StrategyError
from engine.services.candle_feed import CandleFeed, PriceBoard, check_candles
from engine.services.conclude import Concluder
from engine.services.lanes import Lanes
from engine.services.run_cycle import CycleRunner
from engine.services.watch_positions import PositionWatcher
from tests.fakes.broker import Fault
from tests.fakes.strategy_host import FakeStrategyHost
from tests.unit.conftest import Room
from tests.unit.samples import config

LONG = Intent(enter_long=True, reason="the strategy says so", confidence=0.8, size=0.5)
OUT = Intent(exit_long=True, reason="enough")
HOLD = Intent(reason="nothing to do")


class Cycle:
    """A runner over the room, with a scripted strategy."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.host = FakeStrategyHost()
        self.lanes = Lanes()
        self.feed = CandleFeed(self.lanes)
        prices = PriceBoard()
        watcher = PositionWatcher(room.books, room.desk, room.venues, prices, self.lanes)
        self.runner = CycleRunner(
            room.books, Concluder(room.books, room.desk, room.controls), room.desk, watcher,
            room.venues, self.host, self.feed, prices, self.lanes,
        )  # fmt: skip

    def run(self, *script: Intent | StrategyError | ConfigError, seconds: float = 60) -> None:
        """Let ``seconds`` pass, then one cycle, for each answer of the strategy."""
        for answer in script:
            self.room.broker.now = self.room.clock.advance(seconds)
            self.host.script.append(answer)
            asyncio.run(self.runner.run(self.room.bot.id))

    def decisions(self) -> list[Decision]:
        """All decisions, oldest first."""
        with self.room.store.reading() as tx:
            return list(tx.decisions.select())


@pytest.fixture
def cycle(room: Room) -> Iterator[Cycle]:
    """A cycle runner over the room."""
    cycle = Cycle(room)
    yield cycle
    cycle.lanes.close()


def test_an_intent_becomes_an_order_and_leaves_its_trace(cycle: Cycle) -> None:
    cycle.run(LONG)
    [decision] = cycle.decisions()
    assert decision.action is Action.ENTER_LONG
    assert [step.step for step in decision.trace] == ["candles", "strategy", "risk", "order desk"]
    assert decision.confidence == 0.8
    [order] = cycle.room.orders()
    assert order.quote_amount == D(50), "half the stake, as the strategy asked"
    assert decision.trace[-1].values["client_id"] == order.client_id
    assert cycle.room.bot.decided_until == cycle.room.clock.now()


def test_a_candle_is_decided_once(cycle: Cycle) -> None:
    cycle.run(HOLD, HOLD, HOLD, seconds=15)
    assert len(cycle.decisions()) == 1
    assert len(cycle.host.decided) == 1


def test_a_candle_is_decided_once_across_a_restart(cycle: Cycle) -> None:
    cycle.run(LONG)
    bot_id = cycle.room.bot.id
    with cycle.room.books.writing() as writing:  # the mark was lost, the decision was not
        writing.save_bot(bot_id, decided_until=None)
    cycle.run(LONG, seconds=0)
    assert len(cycle.decisions()) == 1
    assert len(cycle.room.orders()) == 1
    assert cycle.room.bot.decided_until is not None


def test_a_hold_is_kept_with_its_reason(cycle: Cycle) -> None:
    cycle.run(HOLD)
    [decision] = cycle.decisions()
    assert (decision.action, decision.reason) == (Action.HOLD, "nothing to do")
    assert decision.trace[-1].verdict is Verdict.HOLD


def test_a_second_entry_is_vetoed_in_words_unless_pyramiding_is_allowed(cycle: Cycle) -> None:
    cycle.run(LONG, LONG)
    assert cycle.decisions()[-1].action is Action.HOLD
    assert cycle.decisions()[-1].reason == "already in position with 1 of 1 entries"
    with cycle.room.books.writing() as writing:
        writing.save_bot(cycle.room.bot.id, config=config(max_entries=2))
    cycle.run(LONG, LONG)
    assert cycle.room.books.positions[cycle.room.bot.id].entry_count == 2
    assert cycle.decisions()[-1].reason == "already in position with 2 of 2 entries"


def test_an_exit_by_signal_makes_a_trade(cycle: Cycle) -> None:
    cycle.run(LONG, HOLD, OUT)
    [trade] = cycle.room.trades()
    assert trade.exit_reason == "signal"
    assert trade.side is PositionSide.LONG


def test_a_paused_bot_takes_no_entry_but_exits(cycle: Cycle) -> None:
    cycle.run(LONG)
    with cycle.room.books.writing() as writing:
        writing.save_bot(cycle.room.bot.id, state=BotState.PAUSED)
    cycle.run(OUT, LONG)
    assert len(cycle.room.trades()) == 1
    assert cycle.decisions()[-1].reason == "the bot is paused"
    assert not cycle.room.books.positions


def test_the_third_strategy_error_in_a_row_faults_the_bot(cycle: Cycle) -> None:
    error = StrategyError("division by zero in signals")
    cycle.run(error, error, HOLD, error, error)
    assert cycle.room.bot.state is BotState.RUNNING
    assert cycle.room.bot.reason == "Strategy error 2 of 3: division by zero in signals"
    cycle.run(error)
    assert cycle.room.bot.state is BotState.FAULTED
    assert [event.kind for event in cycle.room.events()].count("bot.faulted") == 1
    asked = len(cycle.host.decided)
    cycle.run(HOLD)
    assert len(cycle.host.decided) == asked, "a faulted bot is not asked any more"


def test_parameters_that_a_changed_strategy_does_not_take_any_more_are_shown(cycle: Cycle) -> None:
    cycle.run(ConfigError("length: is not a parameter of this strategy", field="params.length"))
    assert cycle.room.bot.reason == (
        "Strategy error 1 of 3: length: is not a parameter of this strategy"
    )


def test_insufficient_funds_are_shown_and_the_next_cycle_tries_again(cycle: Cycle) -> None:
    cycle.room.broker.faults.append(Fault.NO_FUNDS)
    cycle.run(LONG)
    cycle.run(HOLD)
    assert "has 3 USDT" in cycle.room.bot.reason, "shown until an order is filled"
    cycle.run(LONG)
    assert cycle.room.bot.reason == ""
    assert cycle.room.bot.id in cycle.room.books.positions


def test_a_market_error_is_shown_once_and_gone_with_the_next_candle(
    cycle: Cycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_args: object, **_options: object) -> Candles:
        raise DataError("The exchange does not answer.")

    with monkeypatch.context() as patch:
        patch.setattr(cycle.room.market, "candles", down)
        cycle.run(HOLD, HOLD)
    assert cycle.room.bot.reason == "The exchange does not answer."
    assert cycle.room.bot.state is BotState.RUNNING
    assert [event.kind for event in cycle.room.events()].count("cycle.no_data") == 1
    cycle.run(HOLD)
    assert cycle.room.bot.reason == ""


def test_many_bots_on_one_symbol_ask_the_market_once(cycle: Cycle) -> None:
    async def ask() -> None:
        market = cycle.room.market
        await asyncio.gather(*(cycle.feed.candles(market, "BTC/USDT", "1m", n) for n in (50,) * 20))

    asyncio.run(ask())
    assert cycle.feed.requests == 1


def test_no_decision_on_missing_unfinished_stale_or_unordered_candles(room: Room) -> None:
    market = room.market
    good = market.candles("BTC/USDT", "1m", limit=10)
    check_candles(good, market)
    swapped = good[slice(None, None, -1)]
    room.clock.advance(-61)
    with pytest.raises(DataError, match="not finished"):
        check_candles(good, market)
    room.clock.current += timedelta(seconds=61 + 180)
    with pytest.raises(DataError, match="old"):
        check_candles(good, market)
    room.clock.current -= timedelta(seconds=180)
    with pytest.raises(DataError, match="no candles"):
        check_candles(empty_candles("1m"), market)
    room.clock.current = swapped.last_close_time
    with pytest.raises(DataError, match="not in order"):
        check_candles(swapped, market)
