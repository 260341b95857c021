"""What is particular to MetaTrader: lots, tags, tickets, late deals, two kinds of account."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from engine.adapters.brokers.mt5.remote import RemoteTerminal
from engine.adapters.brokers.mt5.tags import tag_of
from engine.domain.accounts import LineKind
from engine.domain.orders import OrderReport, OrderRequest, OrderState, OrderType, Side
from engine.errors import (
    AccessDenied,
    BrokerUnavailable,
    InsufficientFunds,
    NotFound,
    OrderRejected,
    OrderStateUnknown,
)
from tests.contract.mt5_venue import TIMEOUT_S, TOKEN, Mt5Venue, gateway, local, opened
from tests.fakes.clock import FakeClock
from tests.fakes.metatrader5 import CRYPTO, LOST, stocked

ID = "qd-1a2b3c4d-1764123456-e"
DAY = timedelta(days=1)


def order(
    client_id: str = ID, symbol: str = "EURUSD", side: Side = Side.BUY, quantity: int = 10_000,
    *, reduce_only: bool = False, **fields: Decimal | OrderType,
) -> OrderRequest:  # fmt: skip
    return OrderRequest.model_validate(
        {
            "client_id": client_id, "symbol": symbol, "side": side, "quantity": quantity,
            "reduce_only": reduce_only, **fields,
        }
    )  # fmt: skip


def net(venue: Mt5Venue, base: str = "EUR") -> Decimal:
    balance = venue.broker.balances().get(base)
    return balance.total if balance else Decimal(0)


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


# --- rows of the fault matrix --------------------------------------------------------------------


def test_row_19_a_changed_password_halts_and_trading_goes_on_once_it_is_right() -> None:
    venue = local()
    venue.broker.submit(order())
    venue.stand_in.world.password = "changed"
    venue.stand_in.crash()
    with pytest.raises(AccessDenied, match="check number, password and server"):
        venue.broker.submit(order("b", side=Side.SELL, reduce_only=True))
    assert len(venue.stand_in.trading.requests) == 1
    again = opened(venue.stand_in, venue.clock, venue.terminal, password="changed")
    assert again.broker.submit(order("b", side=Side.SELL, reduce_only=True)).filled == 10_000


def test_row_26_a_cut_connection_to_the_gateway_is_said_and_made_anew(tmp_path: Path) -> None:
    clock = FakeClock()
    stand_in = stocked(clock.now)
    with gateway(stand_in, tmp_path) as first:
        terminal = RemoteTerminal(first.url, TOKEN, ca_file=first.ca_file, timeout_s=TIMEOUT_S)
        venue = opened(stand_in, clock, terminal)
        venue.broker.submit(order())
        port = int(first.server.server_address[1])
    with pytest.raises(BrokerUnavailable):
        venue.broker.submit(order("b"))
    assert len(stand_in.trading.requests) == 1
    with gateway(stand_in, tmp_path, port=port):
        assert venue.broker.submit(order("b")).state is OrderState.FILLED
    terminal.close()


def test_row_27_a_terminal_that_hangs_is_waited_for_no_longer_than_set(tmp_path: Path) -> None:
    clock = FakeClock()
    stand_in = stocked(clock.now)
    with gateway(stand_in, tmp_path) as running:
        terminal = RemoteTerminal(running.url, TOKEN, ca_file=running.ca_file, timeout_s=0.3)
        venue = opened(stand_in, clock, terminal)
        venue.broker.balances()
        venue.market.quote("EURUSD")
        release = stand_in.hang("order_send")
        with pytest.raises(OrderStateUnknown, match="ReadTimeout"):
            venue.broker.submit(order())
        release()
        again = opened(stand_in, clock, terminal)
        found: OrderReport | None = None
        while found is None:
            found = again.broker.find_order(ID, "EURUSD")
        assert found.filled == 10_000
        assert len(stand_in.trading.requests) == 1
        terminal.close()


def test_funds_are_asked_of_the_broker_not_guessed() -> None:
    venue = local(leverage=30)
    most = int(venue.stand_in.world.balance) * 25
    assert venue.broker.submit(order(quantity=most // 1000 * 1000)).state is OrderState.FILLED
    with pytest.raises(InsufficientFunds):
        venue.broker.submit(order("b", quantity=most // 1000 * 1000))
