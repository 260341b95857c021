"""Whatever comes, in any order and as often as it likes: no more entries than signals, and never
more at stake than the bot's stake."""

import asyncio
import tempfile
from decimal import Decimal as D
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.bots import Direction
from engine.domain.orders import Order, Purpose
from engine.domain.signals import SignalState
from engine.domain.sizing import stake
from tests.fakes.broker import AnyFault, Fault
from tests.fakes.clock import FakeClock
from tests.fakes.market import FakeMarket
from tests.fakes.memory_store import MemoryStore
from tests.fakes.signal_room import SignalRoom
from tests.unit.conftest import Room, open_room

BODIES = st.sampled_from(
    ["buy", "sell", "open long", "open short", "add long", "add short 50%", "close", "close long",
     "close 30%", "close short 0.2", "flat", "reverse long 0.4", "reverse short 900 USDT",
     "open long 20 USDT sl=5%", "open long 99999", "buy tp=200", "sell sl=1", "add long 1e9 USDT",
     "close expected=short", "buy expected=flat"]
)  # fmt: skip
FAULTS = st.lists(
    st.sampled_from([None, None, None, Fault.REJECTED, Fault.RESTS, Fault.HALF, Fault.LOST_AFTER,
                     Fault.LOST_BEFORE, Fault.NOT_SENT]), max_size=4,
)  # fmt: skip


MOST_STEPS = 500


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[str], list[int]]:
    """Bodies, and the order in which they are delivered: each at least once, some again."""
    bodies = draw(st.lists(BODIES, min_size=1, max_size=7))
    again = draw(st.lists(st.integers(0, len(bodies) - 1), max_size=7))
    return bodies, draw(st.permutations([*range(len(bodies)), *again]))


def entries_of(room: Room) -> list[Order]:
    """All entries that were ever planned."""
    return [one for one in room.orders() if one.purpose is Purpose.ENTRY]


@settings(max_examples=60, deadline=None)
@given(deliveries(), st.integers(1, 3), FAULTS, st.booleans())
def test_entries_are_never_more_than_signals_nor_more_than_the_stake(
    told: tuple[list[str], list[int]], max_entries: int, faults: list[AnyFault | None],
    is_restarted: bool,
) -> None:  # fmt: skip
    bodies, order = told
    clock = FakeClock()
    market = FakeMarket(clock)
    market.set_price("BTC/USDT", "100")
    with (
        tempfile.TemporaryDirectory() as folder,
        open_room(Path(folder), clock, market, MemoryStore(clock.now)) as room,
    ):
        signals = SignalRoom(room)
        signals.listen(direction=Direction.BOTH, max_entries=max_entries,
                       stop_loss=None, take_profit=None)  # fmt: skip
        room.broker.faults.extend(fault for fault in faults if fault is not None)
        ids = [signals.kept(body) for body in bodies]
        for half in (order[: len(order) // 2], order[len(order) // 2 :]):
            asyncio.run(deliver(signals, room, [ids[one] for one in half]))
            if is_restarted:
                room.restart()
            room.advance(40)
            check(room)
        for _ in range(4):
            room.advance(61)
            check(room)
        signals.close()
        entries = {one.client_id for one in entries_of(room)}
        assert len(entries) <= len(bodies)
        assert all(signals.row(one).state is not SignalState.RECEIVED for one in ids)
        sent = [one for one in room.broker.sent if one in entries]
        assert len(sent) == len(set(sent)), "no entry is sent twice"


async def deliver(signals: SignalRoom, room: Room, ids: list[str]) -> None:
    """Begin them at once; time passes until nothing waits any more."""
    actor = signals.actor()
    for one in ids:
        actor.begin(one)
    settled = asyncio.ensure_future(actor.settled())
    for _ in range(MOST_STEPS):
        await asyncio.wait([settled], timeout=0.002)
        if settled.done():
            return
        await signals.lanes.run(f"account:{room.bot.account_id}", room.advance, 5)
    await actor.finish(0)
    await settled
    raise AssertionError(f"a signal waits for ever: {[signals.row(one) for one in ids]}")


def check(room: Room) -> None:
    """What is held, at cost, and what is still to be bought, within the capital."""
    most = stake(room.bot) * room.bot.config.max_entries
    position = room.books.positions.get(room.bot.id)
    held = position.quantity * position.average_price if position else D(0)
    assert held <= most
    assert position is None or position.entry_count <= room.bot.config.max_entries
    for order in entries_of(room):
        if order.quote_amount is not None:
            assert order.quote_amount <= stake(room.bot)
