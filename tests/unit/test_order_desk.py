"""The order desk: committed before it is sent, sent once, booked once, whatever the venue does."""

from decimal import Decimal as D

import pytest

from engine.domain.bots import BotState
from engine.domain.orders import Order, OrderReport, OrderRequest, OrderState, Purpose
from engine.domain.positions import PositionSide
from engine.domain.records import KillLevel
from engine.services.booking import Terms, book_report
from tests.fakes.broker import Fault, ScriptedBroker
from tests.unit.conftest import Room

OUTCOMES = [
    # fault, state at once, state after the quiet period, is there a position in the end
    (None, OrderState.FILLED, OrderState.FILLED, True),
    (Fault.REJECTED, OrderState.REJECTED, OrderState.REJECTED, False),
    (Fault.NO_FUNDS, OrderState.REJECTED, OrderState.REJECTED, False),
    (Fault.NOT_SENT, OrderState.EXPIRED, OrderState.EXPIRED, False),
    (Fault.LOST_BEFORE, OrderState.UNKNOWN, OrderState.EXPIRED, False),
    (Fault.LOST_AFTER, OrderState.UNKNOWN, OrderState.FILLED, True),
    (Fault.CRASHED, OrderState.UNKNOWN, OrderState.FILLED, True),
    (Fault.RESTS, OrderState.OPEN, OrderState.OPEN, False),
    (Fault.HALF, OrderState.PARTLY_FILLED, OrderState.PARTLY_FILLED, True),
]


@pytest.mark.parametrize(("fault", "at_once", "later", "has_position"), OUTCOMES)
def test_every_answer_of_a_venue_has_its_outcome(
    room: Room, fault: Fault | None, at_once: OrderState, later: OrderState, has_position: bool
) -> None:
    room.broker.faults.extend([fault] if fault else [])
    room.enter()
    assert [order.state for order in room.orders()] == [at_once]
    room.advance(31)
    room.advance(31)
    assert [order.state for order in room.orders()] == [later]
    assert bool(room.books.positions) is has_position
    assert len(room.broker.sent) == 1, "an entry is never sent twice"


def test_every_fault_has_an_outcome() -> None:
    assert {fault for fault, *_ in OUTCOMES} == {None, *Fault}


def test_the_order_is_durable_before_it_is_sent(room: Room) -> None:
    class Witness(ScriptedBroker):
        seen: list[OrderState]

        def submit(self, request: OrderRequest) -> OrderReport:
            with room.store.reading() as tx:
                self.seen = [tx.orders.get(request.client_id).state]
            return super().submit(request)

    witness = room.venues.only_broker = Witness()
    witness.now = room.clock.now()
    room.enter()
    assert witness.seen == [OrderState.SENDING]


@pytest.mark.parametrize("fault", [Fault.LOST_AFTER, Fault.LOST_BEFORE])
def test_a_crash_while_sending_is_resolved_after_the_restart(room: Room, fault: Fault) -> None:
    room.broker.faults.append(fault)
    room.enter()
    order = room.orders()[0]
    with room.books.writing() as writing:  # as if the engine had died before the answer
        writing.tx.orders.save(order.model_copy(update={"state": OrderState.SENDING}))
    room.restart()
    room.advance()
    room.advance(31)  # the quiet period is counted from the first question of this process
    arrived = fault is Fault.LOST_AFTER
    assert room.orders()[0].state is (OrderState.FILLED if arrived else OrderState.EXPIRED)
    assert bool(room.books.positions) is arrived
    assert len(room.broker.sent) == 1


def test_an_order_that_may_have_arrived_is_not_given_up_while_the_venue_is_down(room: Room) -> None:
    room.broker.faults.append(Fault.LOST_AFTER)
    room.enter()
    room.broker.is_down = True
    room.advance(300)
    assert room.orders()[0].state is OrderState.UNKNOWN
    room.broker.is_down = False
    room.advance()
    assert room.orders()[0].state is OrderState.FILLED


def test_where_a_client_id_is_one_order_it_is_sent_again_while_fresh(room: Room) -> None:
    room.broker.capabilities = room.broker.capabilities.model_copy(update={"is_idempotent": True})
    room.broker.faults.append(Fault.LOST_BEFORE)
    room.enter()
    room.advance(1)
    assert room.orders()[0].state is OrderState.FILLED
    assert room.broker.sent == [room.orders()[0].client_id] * 2


def test_an_entry_that_has_grown_old_is_let_go(room: Room) -> None:
    room.broker.capabilities = room.broker.capabilities.model_copy(update={"is_idempotent": True})
    room.broker.faults.append(Fault.LOST_BEFORE)
    room.enter()
    room.advance(61)  # candles of a minute: the decision is older than one
    assert room.orders()[0].state is OrderState.EXPIRED
    assert len(room.broker.sent) == 1


def test_a_rejection_is_shown_on_the_bot_and_recorded(room: Room) -> None:
    room.broker.faults.append(Fault.NO_FUNDS)
    room.enter()
    assert "needs 100 USDT, has 3 USDT" in room.bot.reason
    assert [event.kind for event in room.events()] == ["order.insufficient_funds"]


def test_partial_fills_are_booked_as_they_come(room: Room) -> None:
    room.broker.faults.append(Fault.HALF)
    room.enter()
    assert room.books.positions[room.bot.id].quantity == D("0.5")
    room.broker.price = D(102)
    room.broker.fill(room.broker.sent[0])
    room.advance()
    position = room.books.positions[room.bot.id]
    assert position.quantity == D(1)
    assert position.average_price == D(101)
    assert position.entry_count == 1
    assert position.stop_price == D("98.98")


def test_the_same_report_twice_is_booked_once(room: Room) -> None:
    room.enter()
    order, report = room.orders()[0], room.broker.orders[room.broker.sent[0]]
    for _ in range(3):
        book_report(room.books, order, report, Terms(room.market.instrument("BTC/USDT")))
    assert room.books.positions[room.bot.id].quantity == D(1)


def test_a_fill_that_comes_after_the_order_was_given_up_is_booked_all_the_same(room: Room) -> None:
    room.broker.faults.append(Fault.RESTS)
    room.enter()
    order = room.orders()[0]
    room.desk.cancel(order, room.market)
    assert room.orders()[0].state is OrderState.CANCELLED
    late = room.broker.fill(order.client_id)
    book_report(room.books, order, late, Terms(room.market.instrument("BTC/USDT")))
    assert room.books.positions[room.bot.id].quantity == D(1)
    assert room.orders()[0].state is OrderState.CANCELLED


def test_a_position_is_closed_once_and_becomes_a_trade(room: Room) -> None:
    room.enter()
    room.broker.price = D(98)
    room.broker.faults.append(Fault.RESTS)
    room.close()
    room.close()
    assert len(room.broker.sent) == 2, "no second exit while one is under way"
    room.broker.fill(room.broker.sent[1])
    room.advance(1)
    [trade] = room.trades()
    assert (trade.pnl, trade.exit_reason, trade.quote) == (D(-2), "stop_loss", "USDT")
    assert not room.books.positions
    assert (room.bot.realised_pnl, room.bot.trade_count, room.bot.win_count) == (D(-2), 1, 0)


def test_an_exit_that_failed_is_planned_again_under_another_id(room: Room) -> None:
    room.enter()
    room.broker.faults.extend([Fault.REJECTED, Fault.REJECTED])
    room.close()
    room.close()
    assert len(room.broker.sent) == 2, "it waits before it tries again"
    room.advance(1)
    room.advance(1)
    assert len(room.broker.sent) == 3, "and longer each time"
    room.advance(1)
    assert len(set(room.broker.sent)) == 4
    assert len(room.trades()) == 1


def test_an_exit_that_surely_was_not_sent_is_sent_again(room: Room) -> None:
    """Its signal may not come again: a crossing is said once."""
    room.enter()
    room.broker.faults.extend([Fault.NOT_SENT, Fault.NOT_SENT])
    room.close()
    assert room.orders()[-1].state is OrderState.INTENT
    assert "is tried again: no connection" in room.bot.reason
    room.close()
    room.advance(1)
    assert not room.trades()
    room.advance(1)
    assert len(room.trades()) == 1
    assert len(room.orders()) == 2, "one entry, one exit"
    assert room.bot.reason == ""


def test_the_next_entry_uses_all_proceeds(room: Room) -> None:
    room.enter()
    room.broker.price = D(110)
    room.close("take_profit")
    assert room.bot.realised_pnl == D(10)
    room.clock.advance(60)
    room.enter()
    assert room.orders()[-1].quote_amount == D(110)


def reverse(room: Room) -> None:
    """Sell the long position and go short with the proceeds, as a cycle plans it."""
    now = room.clock.advance(60)
    position = room.books.positions[room.bot.id]
    with room.books.writing() as writing:
        out = room.desk.plan_exit(writing, position, "signal", order_id="qd-x", decided_at=now)
        room.desk.plan_entry(
            writing,
            room.bot,
            PositionSide.SHORT,
            size=1,
            candle_time=now,
            decided_at=now,
            after=out,
        )
    room.advance()


def last_entry(room: Room) -> Order:
    """The newest entry; the exit it waits for was planned at the same moment."""
    return [order for order in room.orders() if order.purpose is Purpose.ENTRY][-1]


def test_a_reversal_enters_only_after_its_exit_and_with_its_proceeds(room: Room) -> None:
    room.enter()
    room.broker.price = D(120)
    room.broker.faults.append(Fault.RESTS)
    reverse(room)
    assert room.broker.sent[1:] == ["qd-x"]
    room.broker.fill("qd-x")
    room.advance(1)
    room.advance(1)
    position = room.books.positions[room.bot.id]
    assert position.side is PositionSide.SHORT
    assert last_entry(room).quote_amount == D(120)


def test_a_reversal_whose_exit_is_refused_opens_nothing_and_still_wants_out(room: Room) -> None:
    room.enter()
    room.broker.faults.append(Fault.REJECTED)
    reverse(room)
    room.advance()
    assert last_entry(room).state is OrderState.CANCELLED
    assert room.books.positions[room.bot.id].side is PositionSide.LONG
    room.advance(1)
    assert not room.books.positions
    assert last_entry(room).state is OrderState.CANCELLED


@pytest.mark.parametrize("level", [level for level in KillLevel if level is not KillLevel.NONE])
def test_no_entry_passes_the_kill_switch(room: Room, level: KillLevel) -> None:
    room.controls.set(level, "test")
    room.enter()
    assert room.broker.sent == []
    assert room.orders()[0].state is OrderState.EXPIRED


def test_no_entry_is_sent_for_a_paused_bot_but_its_exit_is(room: Room) -> None:
    room.enter()
    with room.books.writing() as writing:
        writing.save_bot(room.bot.id, state=BotState.PAUSED)
    room.clock.advance(60)
    room.enter()
    assert len(room.broker.sent) == 1
    room.close()
    assert len(room.trades()) == 1
