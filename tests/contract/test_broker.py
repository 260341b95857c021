"""What every broker promises, over each implementation; what some venues cannot do, they refuse."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.domain.money import floor_to
from engine.domain.orders import OrderReport, OrderRequest, OrderState, OrderType, Side
from engine.errors import InsufficientFunds, NotFound, OrderRejected, OrderStateUnknown
from tests.contract.all_venues import VENUES
from tests.contract.brokers import Venue


@pytest.fixture(params=list(VENUES))
def venue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Venue]:
    venue = VENUES[request.param](tmp_path)
    yield venue
    venue.close()


def told(report: OrderReport) -> dict[str, Any]:
    """A report without the time of the order, which not every answer to a cancellation tells."""
    return report.model_dump(exclude={"created_at"})


def test_a_market_buy_is_filled_and_moves_the_balances_exactly(venue: Venue) -> None:
    instrument, before = venue.instrument, venue.totals()
    report = venue.ask(quantity=venue.worth(1000))
    assert report.state is OrderState.FILLED
    assert report.filled == report.quantity == venue.worth(1000)
    assert venue.totals() == venue.sums(before, report)
    assert sum(fill.quantity for fill in report.fills) == report.filled
    if venue.broker.capabilities.has_exact_cash:  # elsewhere fees may be charged later, and apart
        assert all(fill.fee > 0 for fill in report.fills)
    assert {fill.fee_asset for fill in report.fills} <= {instrument.quote, instrument.base}


def test_an_amount_of_quote_is_spent_fees_included_or_refused(venue: Venue) -> None:
    before = venue.totals()
    if not venue.broker.capabilities.has_quote_amount:
        with pytest.raises(OrderRejected):
            venue.ask(quote_amount=Decimal(1000))
        assert venue.totals() == before
        return
    report = venue.ask(quote_amount=Decimal(1000))
    spent = before[venue.instrument.quote] - venue.held(venue.instrument.quote)
    step_value = venue.instrument.quantity_step * report.fills[0].price
    assert report.state is OrderState.FILLED
    assert Decimal(1000) - 2 * step_value < spent <= Decimal(1000)


def test_prices_and_quantities_are_on_their_grid(venue: Venue) -> None:
    instrument = venue.instrument
    report = venue.buy(value=777)
    for fill in report.fills:
        assert fill.price == floor_to(fill.price, instrument.price_tick)
        assert fill.quantity == floor_to(fill.quantity, instrument.quantity_step)


def test_the_same_client_id_is_one_order_while_it_works(venue: Venue) -> None:
    first, after = venue.rest(), venue.broker.balances()
    if venue.broker.capabilities.is_idempotent:
        assert venue.rest() == first
    else:
        with pytest.raises((OrderRejected, OrderStateUnknown)):  # the doubled one may be this one
            venue.rest()
    assert list(venue.broker.open_orders()) == [first]
    assert venue.broker.balances() == after


def test_where_ids_are_kept_for_ever_a_filled_order_is_not_sent_twice(venue: Venue) -> None:
    first, after = venue.buy(), venue.broker.balances()
    if venue.broker.capabilities.is_idempotent:
        assert venue.buy() == first
        assert venue.ask(side=Side.SELL, quantity=venue.sellable()) == first
        assert venue.broker.balances() == after
    elif venue.keeps_ids:
        with pytest.raises((OrderRejected, OrderStateUnknown)):
            venue.buy()
        assert venue.broker.balances() == after
    else:  # the id is free again: the desk's reason never to send an entry twice
        again = venue.buy()
        assert again.venue_id != first.venue_id


def test_an_order_is_found_by_its_client_id(venue: Venue) -> None:
    report = venue.buy()
    assert venue.found() == report
    assert venue.broker.find_order("never", venue.symbol) is None


def test_a_closing_sale_never_crosses_zero(venue: Venue) -> None:
    bought = venue.buy().filled
    try:
        venue.ask("b", Side.SELL, quantity=bought * 3, reduce_only=True)
    except OrderRejected:  # a venue without such orders leaves the size to the desk
        sold = venue.ask("c", Side.SELL, quantity=venue.sellable(), reduce_only=True)
        assert sold.state is OrderState.FILLED
    assert 0 <= venue.held(venue.instrument.base) < venue.instrument.quantity_step
    with pytest.raises(OrderRejected):
        venue.ask("d", Side.SELL, quantity=bought, reduce_only=True)


def test_a_short_is_owed_and_bought_back_or_refused(venue: Venue) -> None:
    base, quantity = venue.instrument.base, venue.worth(500)
    if not venue.broker.capabilities.has_shorting:
        with pytest.raises(OrderRejected):
            venue.ask(side=Side.SELL, quantity=quantity)
        assert venue.held(base) == 0
        return
    sold = venue.ask(side=Side.SELL, quantity=quantity)
    assert sold.state is OrderState.FILLED
    assert venue.held(base) == -sold.filled
    back = venue.ask("b", quantity=sold.filled, reduce_only=True)
    assert back.filled == sold.filled
    assert venue.held(base) == 0
    with pytest.raises(OrderRejected):
        venue.ask("c", quantity=sold.filled, reduce_only=True)


def test_long_and_short_of_two_bots_do_not_net(venue: Venue) -> None:
    long = venue.buy().filled
    if not venue.broker.capabilities.has_shorting:
        with pytest.raises(OrderRejected):
            venue.ask("b", Side.SELL, quantity=long * 2)
        return
    short = venue.ask("b", Side.SELL, quantity=venue.worth(400)).filled
    if venue.nets:
        assert venue.held(venue.instrument.base) == long - short
        return
    closed = venue.ask("c", Side.SELL, quantity=long, reduce_only=True)
    covered = venue.ask("d", quantity=short, reduce_only=True)
    assert (closed.filled, covered.filled) == (long, short)
    assert venue.held(venue.instrument.base) == 0


@pytest.mark.parametrize("side", list(Side))
def test_what_cannot_be_paid_is_refused_and_changes_nothing(venue: Venue, side: Side) -> None:
    before = venue.broker.balances()
    quantity = venue.worth(int(venue.held(venue.instrument.quote)) * 2)
    with pytest.raises(InsufficientFunds, match=r"\w"):
        venue.ask(side=side, quantity=quantity)
    assert venue.broker.balances() == before
    assert venue.broker.find_order("a", venue.symbol) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"quantity": Decimal("0.123456789123")},
        {"quantity": Decimal("0.00001")},
        {"quote_amount": Decimal("0.01")},
        {"quantity": Decimal(1), "quote_amount": Decimal(1)},
        {},
        {"quantity": Decimal(1), "type": OrderType.LIMIT},
        {"quantity": Decimal(1), "type": OrderType.LIMIT, "price": Decimal("90.12345678901")},
        {"quantity": Decimal(1), "type": OrderType.STOP},
        {"quantity": Decimal(1), "type": OrderType.STOP_LIMIT, "price": Decimal(90)},
        {"quantity": Decimal(1), "type": OrderType.TRAILING_STOP},
    ],
)
def test_a_malformed_order_is_refused(venue: Venue, fields: dict[str, Any]) -> None:
    before = venue.broker.balances()
    with pytest.raises(OrderRejected, match=r"\w"):
        venue.ask(**fields)
    assert venue.broker.balances() == before
    assert venue.broker.open_orders() == []


def test_an_unknown_symbol_is_refused(venue: Venue) -> None:
    request = OrderRequest(client_id="a", symbol="NO/PE", side=Side.BUY, quantity=Decimal(1))
    with pytest.raises(OrderRejected, match="NO/PE"):
        venue.broker.submit(request)


def test_a_resting_order_locks_funds_and_a_cancel_frees_them(venue: Venue) -> None:
    quote, before = venue.instrument.quote, venue.broker.balances()
    report = venue.rest()
    assert report.state is OrderState.OPEN
    locked = venue.broker.balances()[quote]
    assert report.price is not None
    assert venue.is_margin or locked.locked >= report.price * report.quantity
    assert locked.total == before[quote].total
    venue.step()
    assert [order.client_id for order in venue.broker.open_orders(venue.symbol)] == ["a"]
    cancelled = venue.broker.cancel("a", venue.symbol)
    assert cancelled.state is OrderState.CANCELLED
    assert venue.broker.balances()[quote] == before[quote]
    assert venue.broker.open_orders() == []
    assert told(venue.broker.cancel("a", venue.symbol)) == told(cancelled)


def test_a_cancel_of_nothing_is_not_found(venue: Venue) -> None:
    with pytest.raises(NotFound):
        venue.broker.cancel("never", venue.symbol)


def test_a_cancel_of_a_filled_order_reports_it(venue: Venue) -> None:
    report = venue.buy()
    assert venue.broker.cancel("a", venue.symbol) == report


def test_an_order_filled_in_part_and_cancelled_keeps_what_it_got(venue: Venue) -> None:
    venue.thin_out()
    before, quote = venue.totals(), venue.instrument.quote
    price = venue.near("1.01")
    quantity = venue.worth(int(venue.held(quote) / 3), price)
    part = venue.ask(type=OrderType.LIMIT, price=price, quantity=quantity)
    assert part.state is OrderState.PARTLY_FILLED
    assert 0 < part.filled < quantity
    assert venue.broker.balances()[quote].locked > 0
    cancelled = venue.broker.cancel("a", venue.symbol)
    assert (cancelled.state, cancelled.fills) == (OrderState.CANCELLED, part.fills)
    assert venue.totals() == venue.sums(before, cancelled)
    assert venue.is_free()
    assert told(venue.found()) == told(cancelled)


def test_a_limit_order_fills_at_its_limit_or_better(venue: Venue) -> None:
    price = venue.last
    venue.ask(type=OrderType.LIMIT, price=price, quantity=venue.worth(1000, price))
    report = venue.awaited()
    assert report.state is OrderState.FILLED or not report.fills
    assert all(fill.price <= price for fill in report.fills)


def test_everything_is_there_after_a_restart(venue: Venue) -> None:
    filled, resting = venue.buy(), venue.rest("b")
    balances = venue.broker.balances()
    again = venue.reopen()
    assert again.balances() == balances
    assert again.find_order("a", venue.symbol) == filled
    assert list(again.open_orders()) == [resting]


def test_trade_ids_are_unique_within_the_account(venue: Venue) -> None:
    reports = [venue.buy(f"id{i}", 100) for i in range(5)]
    trade_ids = [fill.trade_id for report in reports for fill in report.fills]
    assert len(trade_ids) == len(set(trade_ids)) >= 5
