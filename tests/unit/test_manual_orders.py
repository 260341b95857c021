"""A person's own orders: on the account's lane, refused in words, never given up half-way."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal as D
from typing import Any

import pytest

from engine.domain.bots import BotState
from engine.domain.orders import Order, OrderState, OrderType, Purpose
from engine.domain.positions import PositionSide
from engine.domain.tickets import OrderChanges, OrderTicket, TicketType
from engine.errors import BrokerUnavailable, ConfigError, Conflict, NotFound, OrderStateUnknown
from engine.services.lane_calls import LaneCalls
from engine.services.lanes import Lanes, account_lane
from engine.services.manual_orders import ManualOrders
from tests.unit.conftest import Room

ME = "tester"
LONG = PositionSide.LONG


class Counter:
    """Where a person orders: the manual orders of a room, over real lanes on a real loop."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.lanes = Lanes()

    def manual(self, patience_s: float = 30.0) -> ManualOrders:
        """The service, for a person of this patience."""
        calls = LaneCalls(self.lanes, self.loop, patience_s)
        return ManualOrders(self.room.books, self.room.desk, self.room.venues, calls)

    def place(self, **fields: Any) -> Order:
        """One order by ticket."""
        entry: dict[str, Any] = {"direction": LONG, "quantity": D(1)}
        entry = {} if "purpose" in fields else entry
        (order,) = self.manual().place(self.room.bot.id, OrderTicket(**(entry | fields)), ME)
        return order

    def hold_lane(self, until: threading.Event) -> None:
        """Keep the account busy, as a venue that hangs does."""
        lane = account_lane(self.room.bot.account_id)
        begun = threading.Event()

        def hang() -> None:
            begun.set()
            until.wait(30)

        asyncio.run_coroutine_threadsafe(self.lanes.run(lane, hang), self.loop)
        assert begun.wait(30)

    def close(self) -> None:
        """Stop everything."""
        self.lanes.close()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(30)
        self.loop.close()


@pytest.fixture
def counter(room: Room) -> Iterator[Counter]:
    counter = Counter(room)
    yield counter
    counter.close()


def test_a_limit_order_rests_is_replaced_and_taken_back(counter: Counter) -> None:
    room, manual = counter.room, counter.manual()
    placed = counter.place(type=TicketType.LIMIT, price=D(90))
    assert (placed.state, placed.type, placed.price) == (OrderState.OPEN, OrderType.LIMIT, 90)
    changes = OrderChanges(price=D(95))
    follower = manual.replace(room.bot.id, placed.client_id, changes, ME)
    assert (follower.price, follower.quantity) == (95, 1)
    room.advance()
    cancelled = manual.cancel(room.bot.id, follower.client_id, ME)
    assert cancelled.state is OrderState.CANCELLED
    assert not room.working(Purpose.ENTRY)
    with room.store.reading() as tx:
        assert {entry.actor for entry in tx.audit.select()} == {ME}


def test_a_part_of_a_position_is_closed_and_the_rest_stays(counter: Counter) -> None:
    room, manual = counter.room, counter.manual()
    counter.place()
    assert room.position.quantity == 1
    manual.close(room.bot.id, D("0.25"), ME)
    assert room.position.quantity == D("0.75")
    manual.close(room.bot.id, D(1), ME)
    assert room.bot.id not in room.books.positions
    with pytest.raises(Conflict, match="no position"):
        manual.close(room.bot.id, D(1), ME)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"type": TicketType.STOP, "stop_price": D(99)}, "stop_price"),
        ({"level_stop": D(10**9)}, "level_stop"),
    ],
)
def test_a_level_on_the_wrong_side_of_the_market_sends_nothing(
    counter: Counter, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        counter.place(**fields)
    assert refused.value.field == field
    assert not counter.room.broker.sent


def test_an_end_in_the_past_is_refused(counter: Counter) -> None:
    with pytest.raises(ConfigError) as refused:
        counter.place(type=TicketType.LIMIT, price=D(90), expires_at=counter.room.clock.now())
    assert refused.value.field == "expires_at"


def test_nobody_watches_a_stopped_bots_orders_but_it_can_be_closed(counter: Counter) -> None:
    counter.place()
    room = counter.room
    with room.books.writing() as writing:
        writing.save_bot(room.bot.id, state=BotState.STOPPED)
    with pytest.raises(Conflict, match="start or pause it"):
        counter.place(purpose=Purpose.EXIT, type=TicketType.LIMIT, price=D(200))
    counter.manual().close(room.bot.id, D(1), ME)
    assert room.bot.id not in room.books.positions


def test_an_exit_needs_a_position(counter: Counter) -> None:
    with pytest.raises(Conflict, match="no position"):
        counter.place(purpose=Purpose.EXIT)


def test_an_order_that_is_done_or_is_another_bots_is_told(counter: Counter) -> None:
    room, manual = counter.room, counter.manual()
    done = counter.place()
    with pytest.raises(Conflict, match="filled already"):
        manual.cancel(room.bot.id, done.client_id, ME)
    with pytest.raises(NotFound):
        manual.replace(room.bot.id, "nobody's", OrderChanges(price=D(1)), ME)
    with pytest.raises(NotFound):
        manual.cancel("no such bot", done.client_id, ME)


def test_behind_a_hanging_venue_nothing_is_sent_later(counter: Counter) -> None:
    until = threading.Event()
    counter.hold_lane(until)
    ticket = OrderTicket(direction=LONG, quantity=D(1))
    with pytest.raises(BrokerUnavailable, match="nothing was sent"):
        counter.manual(patience_s=0.05).place(counter.room.bot.id, ticket, ME)
    until.set()
    counter.manual().place(counter.room.bot.id, ticket, ME)  # the lane is free again
    assert len(counter.room.broker.sent) == 1


def test_what_has_begun_is_done_though_nobody_waits_for_it(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, until = counter.room, threading.Event()
    submit = room.broker.submit

    def slow(*args: object) -> object:
        until.wait(30)
        return submit(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(room.broker, "submit", slow)
    ticket = OrderTicket(direction=LONG, quantity=D(1))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(counter.manual(patience_s=0.2).place, room.bot.id, ticket, ME)
        with pytest.raises(OrderStateUnknown, match="under way"):
            asked.result(30)
    until.set()
    counter.manual().close(room.bot.id, D(1), ME)  # waits its turn behind the order
    assert len(room.broker.sent) == 2
    assert [order.state for order in room.orders()] == [OrderState.FILLED] * 2
