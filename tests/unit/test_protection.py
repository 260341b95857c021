"""Protection: a position's stop and target rest at the venue, and never get in each other's way."""

from decimal import Decimal as D

import pytest

from engine.domain.bots import BotConfig
from engine.domain.orders import OrderState, OrderType, Purpose, Side
from engine.services.order_desk import OrderDesk
from tests.fakes.broker import Fault, VenueFault
from tests.unit.conftest import Room


def resting(room: Room) -> dict[OrderType, str]:
    return {order.type: order.client_id for order in room.working(Purpose.PROTECTION)}


def with_rules(room: Room, **rules: object) -> None:
    settings = {**room.bot.config.model_dump(), **rules}
    with room.books.writing() as writing:
        writing.save_bot(room.bot.id, config=BotConfig.model_validate(settings))


def test_stop_and_target_rest_as_one_pair(spot: Room) -> None:
    spot.enter()
    limit, stop = spot.broker.requests[1:]
    assert (limit.type, limit.price, limit.quantity) == (OrderType.LIMIT, D(105), D(1))
    assert (stop.type, stop.stop_price, stop.quantity) == (OrderType.STOP, D(98), D(1))
    assert all(leg.side is Side.SELL and leg.reduce_only for leg in (limit, stop))
    spot.advance(1)
    assert spot.position.protected_at is not None
    assert spot.position.unprotected_since is None


def test_the_legs_are_durable_before_they_are_sent(spot: Room) -> None:
    spot.enter()
    legs = [order for order in spot.orders() if order.purpose is Purpose.PROTECTION]
    assert len({leg.oco_id for leg in legs}) == 1
    assert all(leg.sent_at is not None and leg.position_id == spot.position.id for leg in legs)


@pytest.mark.parametrize(
    ("leg", "pnl", "reason"),
    [(OrderType.STOP, D(-2), "stop_loss"), (OrderType.LIMIT, D(5), "take_profit")],
)
def test_either_leg_closes_the_position_and_ends_the_other(
    spot: Room, leg: OrderType, pnl: D, reason: str
) -> None:
    spot.enter()
    spot.broker.trigger(resting(spot)[leg])
    spot.advance(1)
    [trade] = spot.trades()
    assert (trade.pnl, trade.exit_reason) == (pnl, reason)
    assert not spot.books.working_orders(spot.bot.id)
    assert not spot.broker.open_orders()
    assert len(spot.broker.sent) == 3


def test_an_exit_takes_the_protection_back_first(spot: Room) -> None:
    spot.enter()
    spot.close("signal")
    assert [spot.broker.orders[one].state for one in spot.broker.sent[1:3]] == [
        OrderState.CANCELLED
    ] * 2
    spot.advance(1)
    assert len(spot.trades()) == 1
    assert spot.broker.held["BTC"] == 0


def test_an_exit_waits_while_it_is_not_known_whether_the_stop_is_gone(spot: Room) -> None:
    spot.enter()
    spot.broker.faults.extend([VenueFault.CANCEL_LOST] * 4)
    spot.close("signal")
    assert len(spot.broker.sent) == 3, "two orders for one position would sell it twice"
    for _ in range(6):
        spot.advance(1)
    assert spot.broker.held["BTC"] == 0
    assert len(spot.trades()) == 1


def test_a_stop_that_fills_while_an_exit_is_planned_is_the_exit(spot: Room) -> None:
    spot.enter()
    stop = resting(spot)[OrderType.STOP]
    spot.broker.faults.extend([VenueFault.CANCEL_LOST] * 4)
    spot.close("signal")
    spot.broker.trigger(stop)
    for _ in range(3):
        spot.advance(1)
    assert spot.broker.held["BTC"] == 0
    [trade] = spot.trades()
    assert trade.exit_reason == "stop_loss"
    assert len(spot.broker.sent) == 3


def test_pyramiding_moves_the_protection_to_the_whole_position(spot: Room) -> None:
    with_rules(spot, max_entries=2)
    spot.enter()
    spot.move("110")
    spot.advance(60)
    spot.enter()
    for _ in range(3):
        spot.advance(1)
    legs = spot.working(Purpose.PROTECTION)
    assert {leg.quantity for leg in legs} == {spot.position.quantity}
    assert {leg.stop_price for leg in legs if leg.stop_price} == {spot.position.stop_price}
    assert len(legs) == 2


def test_a_partial_close_shrinks_the_protection(spot: Room) -> None:
    spot.enter()
    spot.desk.close_position(spot.bot.id, spot.market, "manual", fraction=D("0.25"))
    for _ in range(3):
        spot.advance(1)
    assert spot.position.quantity == D("0.75")
    assert {leg.quantity for leg in spot.working(Purpose.PROTECTION)} == {D("0.75")}
    assert not spot.trades()


def test_a_stop_that_cannot_be_placed_is_tried_again_then_the_position_is_closed(
    spot: Room,
) -> None:
    spot.broker.faults.extend([VenueFault.STOP_REFUSED] * 3)
    spot.enter()
    assert spot.position.unprotected_since == spot.clock.now()
    spot.advance(0.5)
    assert len(spot.broker.sent) == 3, "it waits before it tries again"
    for _ in range(4):
        spot.advance(1)
    [trade] = spot.trades()
    assert trade.exit_reason == "unprotected"
    assert spot.broker.held["BTC"] == 0
    assert "position.unprotected" in [event.kind for event in spot.events()]


def test_a_stop_that_is_placed_at_the_second_try_protects(spot: Room) -> None:
    spot.broker.faults.append(VenueFault.STOP_REFUSED)
    spot.enter()
    spot.advance(1)
    spot.advance(1)
    assert spot.position.protected_at is not None
    assert not spot.trades()


def test_protection_whose_fate_is_unknown_is_looked_up_not_doubled(spot: Room) -> None:
    spot.enter()
    spot.close("signal")
    spot.advance(60)
    spot.broker.faults.extend([Fault.RESTS, Fault.LOST_AFTER])
    spot.enter()
    spot.broker.fill(spot.broker.sent[-1])
    spot.advance(1)
    spot.advance(1)
    assert len(spot.broker.open_orders()) == 2
    assert len(spot.working(Purpose.PROTECTION)) == 2


def test_protection_comes_back_after_a_restart(spot: Room) -> None:
    spot.enter()
    sent = list(spot.broker.sent)
    spot.restart()
    spot.advance(1)
    assert spot.broker.sent == sent
    assert len(spot.working(Purpose.PROTECTION)) == 2


def test_where_no_pairs_are_taken_the_stop_rests_and_the_target_is_watched(spot: Room) -> None:
    spot.broker.capabilities = spot.broker.capabilities.model_copy(update={"has_oco": False})
    spot.enter()
    [stop] = spot.working(Purpose.PROTECTION)
    assert (stop.type, stop.stop_price) == (OrderType.STOP, D(98))
    spot.move("105")
    spot.close("take_profit")
    spot.advance(1)
    assert spot.broker.orders[stop.client_id].state is OrderState.CANCELLED
    [trade] = spot.trades()
    assert (trade.pnl, trade.exit_reason) == (D(5), "take_profit")


def test_a_trailing_stop_is_moved_at_its_pace(spot: Room) -> None:
    with_rules(spot, trailing_stop=D("0.01"), take_profit=None)
    spot.enter()
    [first] = spot.working(Purpose.PROTECTION)
    assert (first.stop_price, first.reason) == (D(99), "trailing_stop")
    with spot.books.writing() as writing:
        writing.put_position(spot.position.model_copy(update={"best_price": D(110)}))
    spot.advance(1)
    assert spot.working(Purpose.PROTECTION)[0].stop_price == D(99)
    for _ in range(3):
        spot.advance(5)
    [moved] = spot.working(Purpose.PROTECTION)
    assert moved.stop_price == D("108.9")


def test_a_position_without_levels_wants_no_protection(spot: Room) -> None:
    with_rules(spot, stop_loss=None, take_profit=None)
    spot.enter()
    assert len(spot.broker.sent) == 1
    assert (spot.position.protected_at, spot.position.unprotected_since) == (None, None)


def test_a_paper_venue_rests_nothing(room: Room) -> None:
    room.enter()
    room.advance(1)
    assert len(room.broker.sent) == 1
    assert isinstance(room.desk, OrderDesk)
