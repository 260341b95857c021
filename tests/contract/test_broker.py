"""What every broker promises, over each implementation."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.domain.money import ZERO, floor_to
from engine.domain.orders import TERMINAL, OrderReport, OrderRequest, OrderState, OrderType, Side
from engine.errors import InsufficientFunds, NotFound, OrderRejected
from tests.contract.brokers import VENUES, Venue


@pytest.fixture(params=list(VENUES))
def venue(request: pytest.FixtureRequest, tmp_path: Path) -> Venue:
    return VENUES[request.param](tmp_path)


def ask(venue: Venue, client_id: str = "a", side: Side = Side.BUY, **fields: Any) -> OrderReport:
    return venue.broker.submit(
        OrderRequest.model_validate(
            {"client_id": client_id, "symbol": venue.symbol, "side": side, **fields}
        )
    )


def held(venue: Venue, asset: str) -> Decimal:
    balance = venue.broker.balances().get(asset)
    return balance.total if balance else ZERO


def test_a_market_buy_is_filled_and_moves_the_balances_exactly(venue: Venue) -> None:
    instrument = venue.market.instrument(venue.symbol)
    before = held(venue, instrument.quote)
    report = ask(venue, quote_amount=Decimal(1000))
    assert report.state is OrderState.FILLED
    spent = sum((fill.price * fill.quantity + fill.fee for fill in report.fills), ZERO)
    step_value = instrument.quantity_step * report.fills[0].price
    assert Decimal(1000) - 2 * step_value < spent <= Decimal(1000)
    assert held(venue, instrument.quote) == before - spent
    assert held(venue, instrument.base) == report.filled == report.quantity
    assert all(fill.fee_asset == instrument.quote and fill.fee > 0 for fill in report.fills)


def test_prices_and_quantities_are_on_their_grid(venue: Venue) -> None:
    instrument = venue.market.instrument(venue.symbol)
    report = ask(venue, quote_amount=Decimal("777.77"))
    for fill in report.fills:
        assert fill.price == floor_to(fill.price, instrument.price_tick)
        assert fill.quantity == floor_to(fill.quantity, instrument.quantity_step)
    assert sum(fill.quantity for fill in report.fills) == report.filled


def test_the_same_client_id_is_one_order(venue: Venue) -> None:
    assert venue.broker.capabilities.is_idempotent
    first = ask(venue, quote_amount=Decimal(500))
    after = venue.broker.balances()
    assert ask(venue, quote_amount=Decimal(500)) == first
    assert ask(venue, side=Side.SELL, quantity=Decimal(3)) == first
    assert venue.broker.balances() == after


def test_an_order_is_found_by_its_client_id(venue: Venue) -> None:
    report = ask(venue, quote_amount=Decimal(500))
    assert venue.broker.find_order("a", venue.symbol) == report
    assert venue.broker.find_order("never", venue.symbol) is None


def test_a_closing_sale_ends_flat_and_never_crosses_zero(venue: Venue) -> None:
    base = venue.market.instrument(venue.symbol).base
    bought = ask(venue, quote_amount=Decimal(500)).filled
    sold = ask(venue, "b", Side.SELL, quantity=bought * 3, reduce_only=True)
    assert (sold.state, sold.filled, sold.quantity) == (OrderState.FILLED, bought, bought)
    assert held(venue, base) == 0
    with pytest.raises(OrderRejected, match="nothing left to reduce"):
        ask(venue, "c", Side.SELL, quantity=bought, reduce_only=True)


def test_a_short_is_owed_and_bought_back(venue: Venue) -> None:
    instrument = venue.market.instrument(venue.symbol)
    sold = ask(venue, side=Side.SELL, quote_amount=Decimal(500))
    assert sold.state is OrderState.FILLED
    assert held(venue, instrument.base) == -sold.filled
    back = ask(venue, "b", quantity=sold.filled, reduce_only=True)
    assert back.filled == sold.filled
    assert held(venue, instrument.base) == 0
    with pytest.raises(OrderRejected, match="nothing left to reduce"):
        ask(venue, "c", quantity=sold.filled, reduce_only=True)


def test_long_and_short_of_two_bots_do_not_net(venue: Venue) -> None:
    long = ask(venue, quote_amount=Decimal(500)).filled
    short = ask(venue, "b", Side.SELL, quote_amount=Decimal(400)).filled
    closed = ask(venue, "c", Side.SELL, quantity=long, reduce_only=True)
    covered = ask(venue, "d", quantity=short, reduce_only=True)
    assert (closed.filled, covered.filled) == (long, short)
    assert held(venue, venue.market.instrument(venue.symbol).base) == 0


@pytest.mark.parametrize("side", list(Side))
def test_what_cannot_be_paid_is_refused_and_changes_nothing(venue: Venue, side: Side) -> None:
    before = venue.broker.balances()
    with pytest.raises(InsufficientFunds, match=r"needs [\d.]+ \w+ and [\d.]+ \w+ are free"):
        ask(venue, side=side, quantity=Decimal(1_000_000))
    assert venue.broker.balances() == before
    assert venue.broker.find_order("a", venue.symbol) is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"quantity": Decimal("0.123456789123")}, "step"),
        ({"quantity": Decimal("0.00001")}, "minimum of"),
        ({"quote_amount": Decimal("0.01")}, "minimum|smaller"),
        ({"quantity": Decimal(1), "quote_amount": Decimal(1)}, "either"),
        ({}, "either"),
        ({"quantity": Decimal(1), "type": OrderType.LIMIT}, "needs a price"),
        ({"quantity": Decimal(1), "type": OrderType.LIMIT, "price": Decimal("90.12345678901")},
         "tick"),
    ],
)  # fmt: skip
def test_a_malformed_order_is_refused(venue: Venue, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(OrderRejected, match=words):
        ask(venue, **fields)


def test_an_unknown_symbol_is_refused(venue: Venue) -> None:
    request = OrderRequest(client_id="a", symbol="NO/PE", side=Side.BUY, quantity=Decimal(1))
    with pytest.raises(OrderRejected, match="NO/PE"):
        venue.broker.submit(request)


def test_a_resting_order_locks_funds_and_a_cancel_frees_them(venue: Venue) -> None:
    instrument = venue.market.instrument(venue.symbol)
    before = venue.broker.balances()
    price = floor_to(venue.market.quote(venue.symbol).last / 2, instrument.price_tick)
    quantity = floor_to(Decimal(1000) / price, instrument.quantity_step)
    report = ask(venue, type=OrderType.LIMIT, price=price, quantity=quantity)
    assert report.state is OrderState.OPEN
    locked = venue.broker.balances()[instrument.quote]
    assert locked.locked >= price * quantity
    assert locked.total == before[instrument.quote].total
    venue.step()
    assert [order.client_id for order in venue.broker.open_orders(venue.symbol)] == ["a"]
    cancelled = venue.broker.cancel("a", venue.symbol)
    assert cancelled.state is OrderState.CANCELLED
    assert venue.broker.balances()[instrument.quote] == before[instrument.quote]
    assert venue.broker.open_orders() == []
    assert venue.broker.cancel("a", venue.symbol) == cancelled


def test_a_cancel_of_nothing_is_not_found(venue: Venue) -> None:
    with pytest.raises(NotFound):
        venue.broker.cancel("never", venue.symbol)


def test_a_cancel_of_a_filled_order_reports_it(venue: Venue) -> None:
    report = ask(venue, quote_amount=Decimal(500))
    assert venue.broker.cancel("a", venue.symbol) == report


def test_a_limit_order_fills_at_its_limit_or_better(venue: Venue) -> None:
    instrument = venue.market.instrument(venue.symbol)
    price = floor_to(venue.market.quote(venue.symbol).last, instrument.price_tick)
    quantity = floor_to(Decimal(1000) / price, instrument.quantity_step)
    report = ask(venue, type=OrderType.LIMIT, price=price, quantity=quantity)
    for _ in range(60):
        if report.state in TERMINAL:
            break
        venue.step()
        found = venue.broker.find_order("a", venue.symbol)
        assert found is not None
        report = found
    assert report.state is OrderState.FILLED or not report.fills
    assert all(fill.price <= price for fill in report.fills)


def test_everything_is_there_after_a_restart(venue: Venue) -> None:
    instrument = venue.market.instrument(venue.symbol)
    filled = ask(venue, quote_amount=Decimal(500))
    far = floor_to(venue.market.quote(venue.symbol).last / 2, instrument.price_tick)
    quantity = floor_to(Decimal(1000) / far, instrument.quantity_step)
    resting = ask(venue, "b", type=OrderType.LIMIT, price=far, quantity=quantity)
    balances = venue.broker.balances()
    again = venue.reopen()
    assert again.balances() == balances
    assert again.find_order("a", venue.symbol) == filled
    assert list(again.open_orders()) == [resting]


def test_trade_ids_are_unique_within_the_account(venue: Venue) -> None:
    reports = [ask(venue, f"id{i}", quote_amount=Decimal(100)) for i in range(5)]
    trade_ids = [fill.trade_id for report in reports for fill in report.fills]
    assert len(trade_ids) == len(set(trade_ids)) >= 5
