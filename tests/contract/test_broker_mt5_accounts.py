"""Hedging and netting accounts of MetaTrader: whose positions an exit closes, and what may rest."""

from decimal import Decimal

import pytest

from engine.domain.orders import OrderState, OrderType, Side
from engine.errors import AccessDenied, OrderRejected, OrderStateUnknown
from tests.contract.mt5_venue import ID, Mt5Venue, local, net, opened, order

# --- hedging -------------------------------------------------------------------------------------


def _hedged() -> Mt5Venue:
    """Three positions of ours, one of somebody else's, one short."""
    venue = local(is_hedging=True)
    for number, lots in enumerate((1, 2, 3)):
        venue.broker.submit(order(f"in{number}", quantity=lots * 1000))
        venue.clock.advance(1)
    venue.broker.submit(order("short", side=Side.SELL, quantity=5_000))
    by_hand = opened(venue.stand_in, venue.clock, venue.terminal, magic=99)
    by_hand.broker.submit(order("theirs", quantity=50_000))
    return venue


def lots(venue: Mt5Venue) -> dict[str, str]:
    positions = venue.stand_in.world.positions.values()
    return {each.comment: str(each.volume) for each in positions}


def test_an_exit_closes_our_positions_oldest_first_and_no_others() -> None:
    venue = _hedged()
    report = venue.broker.submit(order(side=Side.SELL, quantity=4_000, reduce_only=True))
    assert (report.state, report.filled, len(report.fills)) == (OrderState.FILLED, 4_000, 3)
    assert lots(venue) == {"in2": "0.02", "short": "0.05", "theirs": "0.5"}
    assert venue.broker.find_order(ID, "EURUSD") == report
    again = opened(venue.stand_in, venue.clock, venue.terminal).broker
    assert again.find_order(ID, "EURUSD") == report


def test_an_exit_is_cut_to_what_is_ours() -> None:
    venue = _hedged()
    report = venue.broker.submit(order(side=Side.SELL, quantity=90_000, reduce_only=True))
    assert (report.quantity, report.filled) == (6_000, 6_000)
    assert lots(venue) == {"short": "0.05", "theirs": "0.5"}
    with pytest.raises(OrderRejected, match="nothing left"):
        venue.broker.submit(order("b", side=Side.SELL, reduce_only=True))


def test_an_exit_of_which_a_part_is_refused_ends_with_the_rest() -> None:
    venue = _hedged()
    trading = venue.stand_in.trading

    def after_one(request: object) -> None:
        trading.faults.append(10021)

    trading.after_next = after_one
    report = venue.broker.submit(order(side=Side.SELL, quantity=6_000, reduce_only=True))
    assert (report.state, report.filled) == (OrderState.EXPIRED, 1_000)
    assert len(trading.requests) == 5 + 2


def test_an_exit_is_not_done_while_a_part_of_it_is_not_listed() -> None:
    venue = _hedged()
    venue.stand_in.world.hidden_orders = 2
    report = venue.broker.submit(order(side=Side.SELL, quantity=3_000, reduce_only=True))
    assert (report.state, report.filled, len(report.fills)) == (OrderState.FILLED, 3_000, 2)
    venue.stand_in.world.hidden_orders = 100
    with pytest.raises(OrderStateUnknown, match="does not list it yet"):
        venue.broker.submit(order("b", side=Side.SELL, quantity=3_000, reduce_only=True))


def test_an_order_that_was_taken_is_unknown_when_it_cannot_be_looked_at_any_more() -> None:
    venue = local(is_hedging=True)

    def log_out(_request: object) -> None:
        venue.stand_in.world.login += 1

    venue.stand_in.trading.after_next = log_out
    with pytest.raises(OrderStateUnknown):
        venue.broker.submit(order())
    assert len(venue.stand_in.world.positions) == 1


def test_an_exit_whose_second_part_is_unknown_is_unknown() -> None:
    venue = _hedged()
    trading = venue.stand_in.trading
    trading.after_next = lambda _request: trading.accepted_but.append(10012)
    with pytest.raises(OrderStateUnknown):
        venue.broker.submit(order(side=Side.SELL, quantity=6_000, reduce_only=True))
    found = venue.broker.find_order(ID, "EURUSD")
    assert found is not None
    assert (found.state, found.filled) == (OrderState.EXPIRED, 3_000)


def test_a_resting_exit_is_refused_where_it_would_open_a_position() -> None:
    venue = _hedged()
    target = order(
        side=Side.SELL, quantity=1_000, reduce_only=True, type=OrderType.LIMIT,
        price=Decimal("1.2"),
    )  # fmt: skip
    with pytest.raises(OrderRejected, match="hedging"):
        venue.broker.submit(target)
    assert not venue.broker.capabilities.rests_protection


def test_an_entry_may_rest_until_the_market_comes() -> None:
    venue = local(is_hedging=True)
    stop = order(type=OrderType.STOP, stop_price=Decimal("1.2"))
    assert venue.broker.submit(stop).state is OrderState.OPEN
    venue.set_price("1.21", "EURUSD")
    found = venue.broker.find_order(ID, "EURUSD")
    assert found is not None
    assert (found.state, net(venue)) == (OrderState.FILLED, 10_000)


def test_an_account_of_the_other_kind_is_not_traded_on() -> None:
    venue = local(is_hedging=True)
    venue.stand_in.world.is_hedging = False
    with pytest.raises(AccessDenied, match="netting account: choose that"):
        venue.broker.submit(order())


# --- netting -------------------------------------------------------------------------------------


def test_a_stop_rests_at_the_broker_and_fires_without_us() -> None:
    venue = local()
    venue.broker.submit(order("in"))
    stop = order(
        "stop", side=Side.SELL, reduce_only=True, type=OrderType.STOP, stop_price=Decimal("1.05")
    )
    assert venue.broker.submit(stop).state is OrderState.OPEN
    assert venue.broker.capabilities.rests_protection
    venue.set_price("1.04", "EURUSD")
    found = venue.broker.find_order("stop", "EURUSD")
    assert found is not None
    assert (found.state, found.type, found.stop_price) == (
        OrderState.FILLED, OrderType.STOP, Decimal("1.05"),
    )  # fmt: skip
    assert net(venue) == 0


def test_a_short_has_no_free_base_and_is_bought_back() -> None:
    venue = local()
    venue.broker.submit(order(side=Side.SELL))
    assert net(venue) == -10_000
    back = venue.broker.submit(order("b", quantity=20_000, reduce_only=True))
    assert (back.quantity, net(venue)) == (10_000, 0)
