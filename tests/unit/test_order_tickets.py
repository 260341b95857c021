"""A person's own orders: every type, brackets, pairs, taking back and changing."""

from decimal import Decimal as D
from typing import Any

import pytest

from engine.domain.orders import Order, OrderState, OrderType, Purpose, TimeInForce
from engine.domain.positions import PositionSide
from engine.domain.records import KillLevel
from engine.domain.tickets import OrderChanges, OrderTicket
from engine.errors import ConfigError, Conflict, NotFound
from tests.fakes.broker import Fault, VenueFault
from tests.unit.conftest import Room


def ticket(**fields: Any) -> OrderTicket:
    entry = {"direction": "long", "quantity": "1"} if fields.get("purpose") != "exit" else {}
    return OrderTicket.model_validate(entry | fields)


def place(room: Room, **fields: Any) -> Order:
    [order] = room.desk.place(room.bot.id, room.market, ticket(**fields), "alice")
    return next(one for one in room.orders() if one.client_id == order.client_id)


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({"type": "market"}, {"type": OrderType.MARKET}),
        ({"type": "limit", "price": "95"}, {"type": OrderType.LIMIT, "price": D(95)}),
        ({"type": "stop", "stop_price": "105"}, {"type": OrderType.STOP, "stop_price": D(105)}),
        ({"type": "stop_limit", "stop_price": "105", "price": "106"},
         {"type": OrderType.STOP_LIMIT, "stop_price": D(105), "price": D(106)}),
        ({"type": "trailing_stop", "trail_bps": "50"},
         {"type": OrderType.TRAILING_STOP, "trail_bps": D(50)}),
        ({"type": "limit", "price": "95", "time_in_force": "ioc"},
         {"time_in_force": TimeInForce.IOC}),
    ],
)  # fmt: skip
def test_every_type_goes_to_the_venue_as_it_was_asked_for(
    spot: Room, fields: dict[str, Any], sent: dict[str, Any]
) -> None:
    order = place(spot, **fields)
    request = spot.broker.requests[0]
    assert request.client_id == order.client_id
    assert sent == {name: getattr(request, name) for name in sent}
    assert request.quantity == D(1)
    assert order.reason == "manual"


def test_a_bracket_gives_its_levels_to_the_position(spot: Room) -> None:
    order = place(spot, type="limit", price="95", level_stop="90", level_target="120")
    spot.broker.fill(order.client_id, price=D(95))
    spot.advance(1)
    assert (spot.position.stop_price, spot.position.target_price) == (D(90), D(120))
    legs = spot.working(Purpose.PROTECTION)
    assert {leg.stop_price or leg.price for leg in legs} == {D(90), D(120)}


def test_a_pair_moves_the_levels_of_the_position_to_the_venue(spot: Room) -> None:
    spot.enter()
    placed = spot.desk.place(
        spot.bot.id, spot.market,
        ticket(purpose="exit", type="oco", price="130", stop_price="80"), "alice",
    )  # fmt: skip
    assert placed == []
    for _ in range(3):
        spot.advance(1)
    legs = spot.working(Purpose.PROTECTION)
    assert {leg.stop_price or leg.price for leg in legs} == {D(80), D(130)}
    assert len(spot.broker.open_orders()) == 2


def test_a_resting_exit_makes_room_and_gives_way_to_a_real_one(spot: Room) -> None:
    spot.enter()
    own = place(spot, purpose="exit", type="limit", price="103", quantity="0.5")
    for _ in range(4):
        spot.advance(1)
    by_owner = {leg.quantity for leg in spot.working(Purpose.PROTECTION)}
    assert by_owner == {D("0.5")}, "what rests never exceeds the position"
    assert len(spot.broker.open_orders()) == 3
    spot.close("stop_loss")
    for _ in range(3):
        spot.advance(1)
    assert spot.broker.orders[own.client_id].state is OrderState.CANCELLED
    assert spot.broker.held["BTC"] == 0
    assert len(spot.trades()) == 1


def test_part_of_a_position_is_closed_at_the_market(spot: Room) -> None:
    spot.enter()
    place(spot, purpose="exit", type="market", quantity="0.4")
    for _ in range(2):
        spot.advance(1)
    assert spot.position.quantity == D("0.6")
    assert spot.broker.held["BTC"] == D("0.6")


def test_what_is_not_filled_in_time_is_taken_back(spot: Room) -> None:
    until = spot.clock.now().replace(microsecond=0)
    order = place(spot, type="limit", price="95", expires_at=until.isoformat().replace("12", "13"))
    for _ in range(2):
        spot.advance(1900)
    assert spot.broker.orders[order.client_id].state is OrderState.CANCELLED
    assert spot.orders()[0].state is OrderState.CANCELLED


def test_a_lost_cancel_is_asked_for_until_the_venue_has_answered(spot: Room) -> None:
    order = place(spot, type="limit", price="95")
    spot.broker.faults.extend([VenueFault.CANCEL_LOST] * 2)
    spot.desk.cancel_order(spot.bot.id, order.client_id, spot.market, "alice")
    assert spot.orders()[0].is_cancel_wanted
    spot.restart()
    spot.advance(1)
    assert spot.orders()[0].state is OrderState.CANCELLED
    assert not spot.broker.open_orders()


def test_a_changed_order_is_another_one_with_what_is_left(spot: Room) -> None:
    order = place(spot, type="limit", price="95")
    spot.broker.fill(order.client_id, D("0.4"), price=D(95))
    spot.advance(1)
    changes = OrderChanges(price=D(96))
    follower = spot.desk.replace_order(spot.bot.id, order.client_id, spot.market, changes, "alice")
    spot.advance(1)
    assert spot.broker.orders[order.client_id].state is OrderState.CANCELLED
    sent = spot.broker.requests[-1]
    entries = [one for one in spot.broker.requests if not one.reduce_only]
    sent = entries[-1]
    assert (sent.client_id, sent.price, sent.quantity) == (follower.client_id, D(96), D("0.6"))
    spot.broker.fill(follower.client_id, price=D(96))
    for _ in range(3):
        spot.advance(1)
    assert spot.position.quantity == D(1)


def test_an_order_filled_before_it_could_be_changed_has_no_follower(spot: Room) -> None:
    order = place(spot, type="limit", price="95")
    spot.broker.faults.extend([VenueFault.CANCEL_LOST] * 2)
    follower = spot.desk.replace_order(
        spot.bot.id, order.client_id, spot.market, OrderChanges(price=D(96)), "alice"
    )
    spot.broker.fill(order.client_id, price=D(95))
    for _ in range(2):
        spot.advance(1)
    states = {one.client_id: one.state for one in spot.orders()}
    assert states[order.client_id] is OrderState.FILLED
    assert states[follower.client_id] is OrderState.CANCELLED
    assert follower.client_id not in spot.broker.sent
    assert spot.position.quantity == D(1)


def test_an_order_whose_cancel_is_unknown_is_not_followed_by_another(spot: Room) -> None:
    order = place(spot, type="limit", price="95")
    spot.broker.faults.extend([VenueFault.CANCEL_LOST] * 9)
    spot.desk.replace_order(
        spot.bot.id, order.client_id, spot.market, OrderChanges(price=D(96)), "alice"
    )
    for _ in range(3):
        spot.advance(1)
    assert [one.client_id for one in spot.broker.requests] == [order.client_id]


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"type": "limit", "price": "95.001"}, "price", "tick"),
        ({"type": "market", "quantity": "1.000001"}, "quantity", "step"),
        ({"purpose": "exit", "type": "market", "quantity": "2"}, "quantity", "only 1"),
        ({"type": "market", "direction": "short"}, "direction", "close that position first"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(
    spot: Room, fields: dict[str, Any], field: str, words: str
) -> None:
    spot.enter()
    with pytest.raises(ConfigError, match=words) as refusal:
        place(spot, **fields)
    assert refusal.value.field == field


def test_an_exit_without_a_position_is_refused(spot: Room) -> None:
    with pytest.raises(Conflict, match="holds no position"):
        place(spot, purpose="exit", type="market")


def test_orders_of_the_engine_and_strangers_cannot_be_changed(spot: Room) -> None:
    spot.enter()
    leg = spot.working(Purpose.PROTECTION)[0]
    with pytest.raises(Conflict, match="position's levels"):
        spot.desk.cancel_order(spot.bot.id, leg.client_id, spot.market, "alice")
    with pytest.raises(NotFound):
        spot.desk.cancel_order(spot.bot.id, "nope", spot.market, "alice")


def test_an_order_in_doubt_cannot_be_changed(spot: Room) -> None:
    spot.broker.faults.append(Fault.LOST_AFTER)
    order = place(spot, type="limit", price="95")
    with pytest.raises(Conflict, match="not known yet"):
        spot.desk.replace_order(
            spot.bot.id, order.client_id, spot.market, OrderChanges(price=D(96)), "alice"
        )


@pytest.mark.parametrize(
    ("level", "is_sent"),
    [(KillLevel.PAUSE_ENTRIES, True), (KillLevel.REDUCE_ONLY, False)],
)
def test_a_person_may_open_while_bots_are_paused_but_not_at_reduce_only(
    spot: Room, level: KillLevel, is_sent: bool
) -> None:
    spot.controls.set(level, "alice")
    order = place(spot, type="limit", price="95")
    assert bool(spot.broker.sent) is is_sent
    assert order.state is (OrderState.OPEN if is_sent else OrderState.EXPIRED)


def test_two_tickets_of_one_second_are_two_orders(spot: Room) -> None:
    first = place(spot, type="limit", price="95")
    second = place(spot, type="limit", price="94")
    assert first.client_id != second.client_id
    assert len(spot.broker.open_orders()) == 2


def test_what_a_person_did_is_in_the_audit_trail(spot: Room) -> None:
    order = place(spot, type="limit", price="95")
    spot.desk.cancel_order(spot.bot.id, order.client_id, spot.market, "alice")
    with spot.store.reading() as tx:
        entries = tx.audit.select()
    assert [(one.actor, one.action) for one in entries] == [
        ("alice", "order.place"), ("alice", "order.cancel")
    ]  # fmt: skip


def test_a_short_by_hand_is_closed_by_a_purchase(room: Room) -> None:
    [order] = room.desk.place(
        room.bot.id, room.market, ticket(type="market", direction="short"), "alice"
    )
    assert room.books.positions[room.bot.id].side is PositionSide.SHORT
    assert order.purpose is Purpose.ENTRY


def test_a_bot_never_has_entries_of_both_sides(room: Room) -> None:
    place(room, type="limit", price="95")
    with pytest.raises(Conflict, match="other side"):
        room.desk.place(room.bot.id, room.market, ticket(type="market", direction="short"), "alice")
    room.enter(PositionSide.SHORT)
    states = {order.reason: order.state for order in room.orders()}
    assert states == {"manual": OrderState.OPEN, "signal": OrderState.EXPIRED}
