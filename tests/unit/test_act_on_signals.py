"""Signals acted on: each once, in order, with the bot's own limits; exits before everything."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest

from engine.domain.bots import BotState, Direction
from engine.domain.decisions import Action, Decision
from engine.domain.orders import Order, OrderState, Purpose
from engine.domain.positions import PositionSide
from engine.domain.records import AuditEntry
from engine.domain.signals import SignalSource, SignalState
from engine.errors import DataError, StoreError
from tests.fakes.broker import Fault
from tests.fakes.clock import FakeClock
from tests.fakes.market import FakeMarket
from tests.fakes.memory_store import MemoryStore
from tests.fakes.signal_room import SignalRoom
from tests.unit.conftest import Room, open_room

ACTED, HELD, REFUSED = SignalState.ACTED, SignalState.HELD, SignalState.REFUSED
EXPIRED, RECEIVED = SignalState.EXPIRED, SignalState.RECEIVED


@pytest.fixture
def signals(tmp_path: Path) -> Iterator[SignalRoom]:
    """A bot of 100 USDT that may be on both sides, at a price of 100, and listens."""
    clock = FakeClock()
    market = FakeMarket(clock)
    market.set_price("BTC/USDT", "100")
    with open_room(tmp_path, clock, market, MemoryStore(clock.now)) as room:
        signals = SignalRoom(room)
        signals.listen(direction=Direction.BOTH, stop_loss=None, take_profit=None)
        yield signals
        signals.close()


def decisions(signals: SignalRoom) -> list[Decision]:
    """All decisions, oldest first."""
    with signals.room.store.reading() as tx:
        return list(tx.decisions.select())


def audit(signals: SignalRoom) -> list[AuditEntry]:
    """All audit entries."""
    with signals.room.store.reading() as tx:
        return list(tx.audit.select())


def room_of(signals: SignalRoom) -> Room:
    """The room, by its own type."""
    assert isinstance(signals.room, Room)
    return signals.room


def entries(signals: SignalRoom) -> list[Order]:
    """All entries, oldest first."""
    return [one for one in room_of(signals).orders() if one.purpose is Purpose.ENTRY]


def held(signals: SignalRoom) -> PositionSide | None:
    """The side on which the bot is."""
    position = room_of(signals).books.positions.get(room_of(signals).bot.id)
    return position.side if position is not None else None


def test_a_signal_becomes_an_order_and_a_decision_that_tells_why(signals: SignalRoom) -> None:
    row = signals.send('{"action": "open", "side": "long", "stop": "2%", "target": 110}')
    assert (row.state, row.outcome) == (ACTED, "Long entry ordered.")
    assert row.acted_at == room_of(signals).clock.now()
    [order] = entries(signals)
    assert row.order_ids == (order.client_id,)
    assert (order.quote_amount, order.level_stop, order.level_target) == (D(100), D(98), D(110))
    position = room_of(signals).position
    assert (position.stop_price, position.target_price) == (D(98), D(110))
    [decision] = decisions(signals)
    assert row.decision_id == decision.id
    assert decision.action is Action.ENTER_LONG
    assert decision.reason == "webhook asks to open long"
    assert [step.step for step in decision.trace] == ["signal", "size", "risk", "order desk"]
    assert decision.trace[-1].values["client_id"] == order.client_id
    kinds = [event.kind for event in room_of(signals).events()]
    assert "signal.acted" in kinds
    assert not audit(signals), "no person sent it"


def test_client_order_ids_come_of_the_signal_and_leave_room_for_repeats(
    signals: SignalRoom,
) -> None:
    row = signals.send("open long", id="f" * 32)
    [order_id] = row.order_ids
    assert order_id.startswith(f"qd-{room_of(signals).bot.id}-s")
    assert len(f"{order_id}.9999") <= 36


def test_acting_twice_on_a_signal_is_one_entry(signals: SignalRoom) -> None:
    row = signals.send("open long")
    signals.act(row.id, row.id)
    signals.recover()
    assert signals.row(row.id) == row
    assert len(entries(signals)) == 1


def test_a_row_that_lost_its_outcome_finds_its_order_and_is_settled(signals: SignalRoom) -> None:
    row = signals.send("open long")
    with signals.room.store.transaction() as tx:  # as an older copy of the database would have it
        tx.signals.save(row.model_copy(update={"state": RECEIVED, "order_ids": ()}))
    signals.room.books.positions.clear()  # even with nothing else to hold it back
    signals.act(row.id)
    again = signals.row(row.id)
    assert (again.state, again.order_ids) == (ACTED, row.order_ids)
    assert again.outcome == "It was decided before: its orders are in the books."
    assert len(entries(signals)) == 1


@pytest.mark.parametrize(
    ("before", "body", "state", "outcome", "side"),
    [
        ((), "open long", ACTED, "Long entry ordered.", "long"),
        ((), "open short", ACTED, "Short entry ordered.", "short"),
        ((), "buy", ACTED, "Long entry ordered.", "long"),
        (("buy",), "sell", ACTED, "Exit and entry ordered.", "short"),
        (("sell",), "buy", ACTED, "Exit and entry ordered.", "long"),
        (("buy",), "buy", HELD, "Nothing done; the bot is long already.", "long"),
        (("buy",), "open long", HELD,
         "Nothing done; the bot is long already: send add to enlarge it.", "long"),
        (("buy",), "open short", HELD,
         "Nothing done; the bot is long already: send reverse, or close it first.", "long"),
        ((), "add long", HELD,
         "Nothing done; there is no long position to add to: the bot is flat.", None),
        (("buy",), "add long", HELD,
         "Nothing done; already in position with 1 of 1 entries.", "long"),
        (("buy",), "close long", ACTED, "Exit ordered.", None),
        (("buy",), "close", ACTED, "Exit ordered.", None),
        (("buy",), "flat", ACTED, "Exit ordered.", None),
        (("buy",), "close short", HELD,
         "Nothing done; there is no short position to close: the bot is long.", "long"),
        ((), "flat", HELD, "Nothing done; there is nothing to close: the bot is flat.", None),
        ((), "open long expected=flat", ACTED, "Long entry ordered.", "long"),
        (("buy",), "close expected=short", HELD,
         "Nothing done; it expects the bot to be short and the bot is long.", "long"),
        ((), "reverse short expected=long", HELD,
         "Nothing done; it expects the bot to be long and the bot is flat.", None),
        ((), "buy ETHUSDT", REFUSED, "It is about ETHUSDT and the bot trades BTC/USDT.", None),
        ((), "buy BINANCE:BTCUSDT.P", ACTED, "Long entry ordered.", "long"),
        ((), "open long sl=101", REFUSED,
         "Nothing done; the stop of a long position has to be below the price of 100, and 101 is"
         " not.", None),
        ((), "open short tp=101", REFUSED,
         "Nothing done; the target of a short position has to be below the price of 100, and 101 is"
         " not.", None),
        (("buy",), "sell sl=99", ACTED,
         "Exit ordered; the stop of a short position has to be above the price of 100, and 99 is"
         " not.",
         None),
        ((), "open long 0.2", ACTED, "Long entry ordered.", "long"),
        ((), "open long 3", ACTED, "Long entry ordered; the signal asks for 300 USDT and the"
         " bot's stake is 100: reduced to that.", "long"),
        ((), "open long 0.01", HELD,
         "Nothing done; a stake of 1 USDT is below the minimum of 5 USDT.", None),
    ],
)  # fmt: skip
def test_what_becomes_of_a_signal(
    signals: SignalRoom, before: tuple[str, ...], body: str, state: SignalState, outcome: str,
    side: str | None,
) -> None:  # fmt: skip
    for one in before:
        assert signals.send(one).state is ACTED
    row = signals.send(body)
    assert (row.state, row.outcome) == (state, outcome)
    assert held(signals) == side


@pytest.mark.parametrize(
    ("body", "amount"),
    [("open long 25 USDT", 25), ("open long 0.5", 50), ("open long 40%", 40),
     ("open long 100%", 100), ("open long 500 USDT", 100)],
)  # fmt: skip
def test_a_quantity_is_never_more_than_the_stake(
    signals: SignalRoom, body: str, amount: int
) -> None:
    signals.send(body)
    [order] = entries(signals)
    assert order.quote_amount == D(amount)


@pytest.mark.parametrize(
    ("body", "left"),
    [("close 50%", "0.5"), ("close long 0.25", "0.75"), ("close 30 USDT", "0.7"),
     ("close 100%", None), ("close 7", None), ("close 99.9%", None), ("close 0.001%", "0.95")],
)  # fmt: skip
def test_a_part_of_a_position_is_closed_on_the_step(
    signals: SignalRoom, body: str, left: str | None
) -> None:
    signals.send("open long")
    row = signals.send(body)
    part = f"; {1 - D(left):.2%} of the position" if left else ""
    assert (row.state, row.outcome) == (ACTED, f"Exit ordered{part}.")
    for _ in range(3):
        room_of(signals).advance(2)
    position = room_of(signals).books.positions.get(room_of(signals).bot.id)
    assert (position.quantity if position else None) == (D(left) if left else None), "and no more"
    step = next(one for one in decisions(signals)[-1].trace if one.step == "exit")
    assert step.values["fraction"] == f"{1 - D(left or 0):.6f}"


def test_entries_add_up_to_as_many_as_the_bot_may_have(signals: SignalRoom) -> None:
    signals.listen(max_entries=2)
    signals.send("open long")
    assert signals.send("add long 0.5").outcome == "Long entry ordered."
    row = signals.send("add long")
    assert row.outcome == "Nothing done; already in position with 2 of 2 entries."
    assert [order.quote_amount for order in entries(signals)] == [D(100), D(50)]


def test_a_long_only_bot_takes_a_sell_as_an_exit(signals: SignalRoom) -> None:
    signals.listen(direction=Direction.LONG)
    signals.send("buy")
    row = signals.send("sell")
    assert row.state is ACTED
    assert row.outcome == "Exit ordered; the bot may not be short: its direction is long only."
    row = signals.send("sell")
    assert (row.state, len(entries(signals))) == (HELD, 1)


def test_what_the_bot_s_state_means_for_signals(signals: SignalRoom) -> None:
    def become(state: BotState) -> None:
        with signals.room.books.writing() as writing:
            writing.save_bot(signals.room.bot.id, state=state)

    signals.send("buy")
    become(BotState.PAUSED)
    row = signals.send("sell")
    assert row.outcome == "Exit ordered; the bot is paused."
    assert (row.state, held(signals)) == (ACTED, None)
    assert signals.send("buy").outcome == "Nothing done; the bot is paused."
    become(BotState.STOPPED)
    row = signals.send("buy")
    assert (row.state, row.outcome) == (HELD, "Nothing done: the bot is stopped; start it first.")


def test_a_bot_that_does_not_listen_or_is_gone_does_nothing(signals: SignalRoom) -> None:
    signals.listen(signals=None)
    assert signals.send("buy").state is REFUSED
    assert "does not listen" in signals.last.outcome
    row = signals.send("buy", bot_id="b9999999")
    assert (row.state, row.outcome) == (REFUSED, "Its bot is gone.")
    assert not decisions(signals)


def test_an_old_signal_opens_nothing_and_still_closes(signals: SignalRoom) -> None:
    now = room_of(signals).clock.now()

    def sent(ago: timedelta) -> dict[str, Any]:
        return {"sent_at": now - ago}

    row = signals.send("open long", **sent(timedelta(seconds=61)))
    assert row.state is EXPIRED
    assert row.outcome == "Nothing done: it was 61 s old and the bot takes entries for 60 s."
    assert signals.send("open long", **sent(timedelta(seconds=60))).state is ACTED
    row = signals.send("reverse short", **sent(timedelta(hours=2)))
    assert row.outcome.startswith("Exit ordered; it was 7200 s old")
    assert (row.state, held(signals)) == (ACTED, None)
    signals.send("open long", **sent(timedelta(hours=-5)))
    assert signals.last.state is ACTED, "a sender whose clock is ahead is not late"
    assert signals.send("flat", **sent(timedelta(hours=25))).state is EXPIRED
    assert signals.send("flat", **sent(timedelta(hours=23))).state is ACTED


def test_signals_left_by_a_crash_are_acted_on_at_the_start(signals: SignalRoom) -> None:
    signals.send("open long")
    room = room_of(signals)
    kept = [signals.kept("close"), signals.kept("open short")]
    late = signals.kept("add long", received_at=room.clock.now() - timedelta(hours=1))
    room.restart()
    signals.recover()
    assert [signals.row(one).state for one in (*kept, late)] == [ACTED, ACTED, EXPIRED]
    assert held(signals) is PositionSide.SHORT


def test_what_a_crash_left_is_given_to_the_pace_oldest_first_and_not_begun_at_once(
    signals: SignalRoom,
) -> None:
    kept = [signals.kept("open long") for _ in range(30)]
    signals.send("flat")
    waiting: list[str] = []

    async def start() -> None:
        actor = signals.actor()
        await actor.recover(lambda signal: waiting.append(signal.id))
        await actor.settled()

    asyncio.run(start())
    assert waiting == kept
    assert {signals.row(one).state for one in kept} == {RECEIVED}


def test_what_is_begun_while_the_engine_stops_is_left_to_the_next_start(
    signals: SignalRoom,
) -> None:
    signal_id = signals.kept("open long")

    async def stop() -> None:
        actor = signals.actor()
        await actor.finish(0)
        actor.begin(signal_id)  # it had waited for its turn
        await actor.settled()

    asyncio.run(stop())
    assert signals.row(signal_id).state is RECEIVED
    signals.recover()
    assert signals.row(signal_id).state is ACTED


@pytest.mark.parametrize("step", range(40))
def test_a_crash_at_any_commit_leaves_one_entry_or_none(tmp_path: Path, step: int) -> None:
    class Dies(MemoryStore):
        """Its process ends before the commit of the given number; nothing after it happens."""

        left = 1_000

        def transaction(self) -> Any:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return super().transaction()

    clock = FakeClock()
    market = FakeMarket(clock)
    market.set_price("BTC/USDT", "100")
    store = Dies(clock.now)
    with open_room(tmp_path, clock, market, store) as room:
        signals = SignalRoom(room)
        signals.listen(direction=Direction.BOTH)
        signals.send("buy")
        signal_id = signals.kept("reverse short")
        store.left = step
        try:
            signals.concluder().decide(signal_id)  # on this thread, where a kill can be seen
        except KeyboardInterrupt:
            was_killed = True
        else:
            was_killed = False
        store.left = 1_000
        room.restart()
        room.advance()
        signals.recover()
        for _ in range(3):
            room.advance(31)
        signals.close()
        assert signals.row(signal_id).state is ACTED
        assert len(entries(signals)) <= 2
        assert len(room.broker.sent) == len(set(room.broker.sent)), "nothing is sent twice"
        if not was_killed:
            assert step > 3, "the crash was at a step of it"
            assert held(signals) is PositionSide.SHORT


def test_flat_takes_back_entries_that_still_work(signals: SignalRoom) -> None:
    room = room_of(signals)
    room.broker.faults.append(Fault.RESTS)
    signals.send("open long")
    assert room.working(Purpose.ENTRY)
    row = signals.send("flat")
    assert row.state is ACTED
    assert row.outcome == (
        "Nothing done; there is nothing to close: the bot is flat; the entry under way was taken"
        " back."
    )
    assert not room.working(Purpose.ENTRY)
    assert entries(signals)[0].state is OrderState.CANCELLED


def test_what_was_filled_of_an_entry_is_closed_with_it(signals: SignalRoom) -> None:
    room_of(signals).broker.faults.append(Fault.HALF)
    signals.send("open long")
    row = signals.send("close long")
    assert row.outcome == "Exit ordered; the entry under way was taken back."
    assert held(signals) is None


def test_an_exit_of_all_takes_the_place_of_one_of_a_part(signals: SignalRoom) -> None:
    room = room_of(signals)
    signals.send("open long")
    room.broker.faults.append(Fault.RESTS)
    part = signals.send("close 50%").order_ids[0]
    row = signals.send("close")
    assert (row.outcome, held(signals)) == ("Exit ordered.", None)
    assert next(one for one in room.orders() if one.client_id == part).state is (
        OrderState.CANCELLED
    )


def test_a_part_waits_for_another_exit_but_holds_up_nobody(signals: SignalRoom) -> None:
    signals.send("open long")
    room_of(signals).broker.faults.append(Fault.RESTS)
    signals.send("close 50%")
    row = signals.send("close 20%")
    assert (row.state, row.outcome) == (HELD, "Nothing done: an exit is still under way.")


def test_a_reversal_waits_for_an_exit_no_longer_than_its_entry_may(signals: SignalRoom) -> None:
    room = room_of(signals)
    signals.send("open long")
    room.broker.faults.append(Fault.RESTS)
    signals.send("close")
    waiting = signals.kept("sell")

    async def run() -> None:
        actor = signals.actor(retry_s=0.01)
        actor.begin(waiting)
        await asyncio.sleep(0.03)
        assert signals.row(waiting).state is RECEIVED
        room.clock.advance(61)
        await actor.settled()

    asyncio.run(run())
    assert signals.last.outcome == "Nothing done; an exit of the position is under way already."


def test_an_exit_of_the_whole_position_under_way_is_enough(signals: SignalRoom) -> None:
    signals.send("open long")
    room_of(signals).broker.faults.append(Fault.RESTS)
    signals.send("close")
    row = signals.send("flat")
    assert (row.state, row.outcome) == (
        HELD, "Nothing done; an exit of the position is under way already."
    )  # fmt: skip


def test_without_a_price_an_entry_is_held_and_an_exit_is_made(signals: SignalRoom) -> None:
    room = room_of(signals)
    signals.send("open long")
    assert isinstance(room.market, FakeMarket)
    unreachable = DataError("the market does not answer")

    def fail(symbol: str, *, seen_price: object = None) -> Any:
        raise unreachable

    room.market.quote = fail  # type: ignore[method-assign]
    row = signals.send("add long")
    assert (row.state, row.outcome) == (HELD, "Nothing done: the market does not answer.")
    row = signals.send("close")
    assert row.state is ACTED
    assert room.working(Purpose.EXIT), "committed; it is sent as soon as the venue can be reached"


def lock_database(signals: SignalRoom, times: int = 3) -> None:
    """Let it refuse the next transactions."""
    store = room_of(signals).store
    begin, refusals = store.transaction, iter(range(times))

    def refuse() -> Any:
        if next(refusals, None) is not None:
            raise StoreError("the database is locked")
        return begin()

    store.transaction = refuse  # type: ignore[method-assign]


def test_a_database_that_refuses_for_a_while_loses_no_signal(signals: SignalRoom) -> None:
    signal_id = signals.kept("open long")
    lock_database(signals)
    signals.act(signal_id)
    assert signals.last.state is ACTED
    assert len(entries(signals)) == 1


def test_an_entry_waits_for_the_account_s_first_check(signals: SignalRoom) -> None:
    room = room_of(signals)
    room.books.hold_until_checked()
    signal_id = signals.kept("open long")

    async def run() -> None:
        actor = signals.actor(retry_s=0.05)
        actor.begin(signal_id)
        await asyncio.sleep(0.01)
        room.books.unchecked.clear()
        await actor.settled()

    asyncio.run(run())
    assert signals.last.state is ACTED


def test_the_exit_of_a_reversal_does_not_wait_for_what_its_entry_waits_for(
    signals: SignalRoom,
) -> None:
    room = room_of(signals)
    signals.send("buy")
    room.books.hold_until_checked()
    signal_id = signals.kept("sell")

    async def run() -> None:
        actor = signals.actor(retry_s=0.01)
        actor.begin(signal_id)
        while held(signals) is not None:  # noqa: ASYNC110 - a lane's thread changes it
            await asyncio.sleep(0)
        assert signals.row(signal_id).state is RECEIVED
        assert signals.row(signal_id).outcome == "Exit ordered; the entry is not decided yet."
        room.clock.advance(61)
        await actor.settled()

    asyncio.run(run())
    row = signals.last
    assert row.state is ACTED
    assert row.outcome.startswith("Exit ordered; it was 61 s old")
    assert [one.action for one in decisions(signals)[1:]] == [Action.EXIT, Action.HOLD]


def test_a_fault_of_ours_is_said_in_the_inbox(signals: SignalRoom) -> None:
    signal_id = signals.kept("open long")
    signals.room.controls = None  # type: ignore[assignment]
    signals.act(signal_id)
    assert signals.last.state is HELD
    assert "its log says why" in signals.last.outcome


def test_a_fault_of_ours_is_said_once_the_database_takes_it(signals: SignalRoom) -> None:
    signal_id = signals.kept("open long")
    signals.room.controls = None  # type: ignore[assignment]
    lock_database(signals)
    signals.act(signal_id)
    assert signals.last.state is HELD


def test_a_signal_that_a_person_sent_is_audited(signals: SignalRoom) -> None:
    signals.send("open long", source=SignalSource.PANEL)
    [entry] = audit(signals)
    assert (entry.actor, entry.action) == ("panel", "signal.acted")
    assert entry.detail["signal_id"] == signals.last_id


def test_decisions_of_the_same_moment_are_told_apart(signals: SignalRoom) -> None:
    moment = room_of(signals).clock.now()
    for body in ("open long", "close", "open short"):
        assert signals.send(body, received_at=moment).state is ACTED
    found = decisions(signals)
    assert len({one.candle_time for one in found}) == 3
    assert all(one.candle_time > moment for one in found), "none of them at a candle's open"


def test_a_signal_s_levels_and_size_hold_after_the_exit_of_a_reversal(signals: SignalRoom) -> None:
    signals.send("buy")
    signals.send("sell 50% sl=103 tp=90")
    order = entries(signals)[-1]
    assert (order.level_stop, order.level_target) == (D(103), D(90))
    assert room_of(signals).position.stop_price == D(103)
