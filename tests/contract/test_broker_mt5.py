"""What is particular to MetaTrader: lots, tags, tickets, late deals, two kinds of account."""

from datetime import timedelta
from decimal import Decimal

import pytest

from engine.adapters.brokers.mt5.tags import tag_of
from engine.domain.accounts import LineKind
from engine.domain.orders import OrderState, OrderType, Side
from engine.errors import (
    AccessDenied,
    BrokerUnavailable,
    InsufficientFunds,
    NotFound,
    OrderRejected,
    OrderStateUnknown,
)
from tests.contract.mt5_venue import ID, Mt5Venue, local, net, opened, order
from tests.fakes.metatrader5 import CRYPTO, LOST

DAY = timedelta(days=1)


def asked(venue: Mt5Venue) -> dict[str, object]:
    """The newest request as the terminal got it."""
    return venue.stand_in.trading.requests[-1]._asdict()


# --- units and words -----------------------------------------------------------------------------


def test_units_of_base_are_sent_as_lots_and_come_back_as_units() -> None:
    venue = local()
    report = venue.broker.submit(order(quantity=12_000))
    assert asked(venue)["volume"] == 0.12
    assert (report.quantity, report.filled, report.state) == (12_000, 12_000, OrderState.FILLED)
    assert net(venue) == 12_000
    with pytest.raises(OrderRejected, match="multiple of the step 1000"):
        venue.broker.submit(order("b", quantity=12_500))


def test_orders_carry_our_magic_number_and_the_tag_of_their_id() -> None:
    venue = local()
    venue.broker.submit(order())
    assert asked(venue)["magic"] == 5_130_625
    assert asked(venue)["comment"] == tag_of(ID) == "Q1a2b3c4d0t6badce"


@pytest.mark.parametrize(("symbol", "filling"), [("EURUSD", 1), ("USDJPY", 0), (CRYPTO, 1)])
def test_the_filling_is_one_that_the_symbol_takes(symbol: str, filling: int) -> None:
    venue = local()
    venue.broker.submit(order(symbol=symbol))
    assert asked(venue)["type_filling"] == filling


@pytest.mark.parametrize(("bits", "filling"), [(1, 0), (2, 1), (3, 1)])
def test_the_filling_follows_the_symbol_s_bits(bits: int, filling: int) -> None:
    venue = local()
    venue.stand_in.world.symbols["EURUSD"].filling = bits
    venue.broker.submit(order())
    assert asked(venue)["type_filling"] == filling


def test_where_limits_must_not_cross_the_market_such_a_one_is_refused() -> None:
    venue = local()
    crossing = order(type=OrderType.LIMIT, price=Decimal("1.2"))
    with pytest.raises(OrderRejected, match="wrong side"):
        venue.broker.submit(crossing)
    assert venue.broker.find_order(ID, "EURUSD") is None


def test_each_position_is_a_balance_of_its_own_and_none_is_cash() -> None:
    venue = local()
    for number, symbol in enumerate(("EURUSD", "EURJPY", "USDJPY")):
        venue.broker.submit(order(f"id{number}", symbol))
    totals = {asset: each.total for asset, each in venue.broker.balances().items()}
    cash = totals.pop("USD")
    assert totals == {"EUR": 10_000, "EURJPY": 10_000, "USDJPY": 10_000}
    assert cash == pytest.approx(venue.stand_in.world.equity())


def test_more_than_one_order_may_have_is_refused_before_it_is_sent() -> None:
    venue = local()
    venue.stand_in.world.symbols["EURUSD"].most = Decimal("0.5")
    with pytest.raises(OrderRejected, match="50000"):
        venue.broker.submit(order(quantity=51_000))
    assert not venue.stand_in.trading.requests


# --- deals ---------------------------------------------------------------------------------------


def test_deals_that_are_listed_late_are_waited_for() -> None:
    venue = local()
    venue.stand_in.world.hidden_deals = 2
    report = venue.broker.submit(order())
    assert report.state is OrderState.FILLED
    assert [fill.fee > 0 for fill in report.fills] == [True]


def test_an_order_whose_deals_do_not_come_is_unknown_and_found_later() -> None:
    venue = local()
    venue.stand_in.world.hidden_deals = 4
    with pytest.raises(OrderStateUnknown, match="does not list it yet"):
        venue.broker.submit(order())
    found = venue.broker.find_order(ID, "EURUSD")
    assert found is not None
    assert found.filled == 10_000


def test_an_order_of_which_more_was_executed_than_deals_tell_is_not_reported_yet() -> None:
    venue = local()
    venue.stand_in.world.symbols[CRYPTO].depth = Decimal(2)
    limit = order(symbol=CRYPTO, quantity=10, type=OrderType.LIMIT, price=Decimal(101))
    assert venue.broker.submit(limit).filled == 2
    venue.set_price("100")
    venue.stand_in.world.hidden_deals = 1
    with pytest.raises(BrokerUnavailable, match="2 of 10 in deals, 4 executed"):
        venue.broker.find_order(ID, CRYPTO)
    found = venue.broker.find_order(ID, CRYPTO)
    assert found is not None
    assert (found.state, found.filled) == (OrderState.PARTLY_FILLED, 4)


def test_what_is_not_on_offer_at_once_is_not_bought_later() -> None:
    venue = local()
    venue.stand_in.world.symbols["EURUSD"].depth = Decimal("0.04")
    report = venue.broker.submit(order())
    assert (report.state, report.filled) == (OrderState.EXPIRED, 4_000)
    assert venue.broker.open_orders() == []


def test_commission_is_the_fee_and_swap_a_flow() -> None:
    venue = local()
    venue.broker.submit(order())
    world = venue.stand_in.world
    [position] = world.positions.values()
    position.swap = Decimal("-1.5")
    venue.set_price("1.11", "EURUSD")
    sold = venue.broker.submit(order("b", side=Side.SELL, reduce_only=True))
    deal = world.deals[-1]
    assert sold.fills[0].fee == -deal.commission
    assert sold.fills[0].fee_asset == "USD"
    [flow] = venue.broker.flows(venue.clock.now() - DAY)
    assert (flow.kind, flow.amount, flow.symbol) == (LineKind.INTEREST, Decimal("-1.5"), "EURUSD")


def test_deposits_and_dividends_are_flows_from_when_they_came() -> None:
    venue = local()
    world = venue.stand_in.world
    start = venue.clock.now()
    world.book_amount(2, Decimal(100))
    world.book_amount(2, Decimal(-30))
    venue.clock.advance(60)
    world.book_amount(15, Decimal("0.25"))
    flows = venue.broker.flows(start)
    assert [(flow.kind, flow.amount) for flow in flows] == [
        (LineKind.DEPOSIT, 100), (LineKind.WITHDRAWAL, -30), (LineKind.FUNDING, Decimal("0.25")),
    ]  # fmt: skip
    assert [flow.time for flow in flows] == [start, start, start + timedelta(minutes=1)]
    assert len({flow.id for flow in flows}) == 3
    assert len(venue.broker.flows(start + timedelta(seconds=1))) == 1


# --- orders of others ----------------------------------------------------------------------------


def test_somebody_s_order_is_listed_under_its_ticket_and_can_be_cancelled() -> None:
    venue = local()
    by_hand = opened(venue.stand_in, venue.clock, venue.terminal, magic=99)
    by_hand.broker.submit(order("theirs", type=OrderType.LIMIT, price=Decimal("1")))
    [listed] = venue.broker.open_orders()
    assert listed.client_id == f"mt5-{listed.venue_id}"
    assert venue.broker.find_order("theirs", "EURUSD") is None
    assert venue.broker.find_order(listed.client_id, "EURUSD") == listed
    assert venue.broker.cancel(listed.client_id, "EURUSD").state is OrderState.CANCELLED


def test_a_comment_of_ours_under_another_magic_number_is_not_ours() -> None:
    venue = local()
    by_hand = opened(venue.stand_in, venue.clock, venue.terminal, magic=99)
    by_hand.broker.submit(order())
    assert venue.broker.find_order(ID, "EURUSD") is None
    [trade] = venue.broker.executions("EURUSD", venue.clock.now() - DAY)
    assert trade.client_id == ""


def test_an_id_used_again_means_the_newest_order() -> None:
    venue = local()
    first = venue.broker.submit(order())
    second = venue.broker.submit(order(quantity=2_000))
    found = venue.broker.find_order(ID, "EURUSD")
    assert found == second
    assert found.venue_id != first.venue_id


def test_an_order_of_long_ago_is_found() -> None:
    venue = local()
    report = venue.broker.submit(order())
    venue.clock.advance(90 * 86_400)
    assert venue.broker.find_order(ID, "EURUSD") == report


# --- unknown and lost ----------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [10012, 10031, LOST])
def test_an_order_taken_without_an_answer_is_found_by_its_tag_after_a_restart(
    answer: int | str,
) -> None:
    venue = local()
    venue.stand_in.trading.accepted_but.append(answer)
    with pytest.raises(OrderStateUnknown):
        venue.broker.submit(order())
    again = opened(venue.stand_in, venue.clock, venue.terminal)
    found = again.broker.find_order(ID, "EURUSD")
    assert found is not None
    assert (found.client_id, found.filled) == (ID, 10_000)
    assert len(venue.stand_in.trading.requests) == 1


def test_a_terminal_that_was_started_again_is_connected_to_again() -> None:
    venue = local()
    venue.broker.submit(order())
    venue.stand_in.crash()
    assert net(venue) == 10_000
    assert venue.stand_in.called.count("initialize") == 2
    venue.stand_in.crash()
    assert venue.broker.submit(order("b")).state is OrderState.FILLED


def test_the_pause_that_the_server_asks_for_is_kept() -> None:
    venue = local()
    venue.stand_in.trading.faults.append(10024)
    with pytest.raises(BrokerUnavailable) as refused:
        venue.broker.submit(order())
    assert refused.value.retry_after_s > 0
    with pytest.raises(BrokerUnavailable, match="another"):
        venue.broker.submit(order())
    assert len(venue.stand_in.trading.requests) == 1
    venue.clock.advance(refused.value.retry_after_s)
    assert venue.broker.submit(order()).state is OrderState.FILLED


def test_a_cancel_whose_answer_is_lost_can_be_asked_again() -> None:
    venue = local()
    venue.broker.submit(order(type=OrderType.LIMIT, price=Decimal("1")))
    venue.stand_in.trading.faults.append(10012)
    with pytest.raises(BrokerUnavailable):
        venue.broker.cancel(ID, "EURUSD")
    assert venue.broker.cancel(ID, "EURUSD").state is OrderState.CANCELLED
    with pytest.raises(NotFound):
        venue.broker.cancel("never", "EURUSD")


# --- the account


def test_a_wrong_password_is_not_tried_again_at_once() -> None:
    venue = local()
    venue.stand_in.world.password = "changed"
    for _ in range(3):
        with pytest.raises(AccessDenied, match="check number, password and server"):
            venue.broker.balances()
    assert venue.stand_in.called.count("initialize") == 1
    venue.stand_in.world.password = "main-password"
    venue.clock.advance(60)
    assert net(venue) == 0


def test_funds_are_asked_of_the_broker_not_guessed() -> None:
    venue = local(leverage=30)
    most = int(venue.stand_in.world.balance) * 25
    assert venue.broker.submit(order(quantity=most // 1000 * 1000)).state is OrderState.FILLED
    with pytest.raises(InsufficientFunds):
        venue.broker.submit(order("b", quantity=most // 1000 * 1000))
