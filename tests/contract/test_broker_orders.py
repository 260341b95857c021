"""What every broker promises of order types, times in force, pairs and its list of trades."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.domain.orders import (
    NEEDS_PRICE,
    NEEDS_STOP_PRICE,
    TERMINAL,
    TRIGGERED,
    Execution,
    OcoRequest,
    OrderReport,
    OrderState,
    OrderType,
    Side,
    TimeInForce,
)
from engine.errors import OrderRejected
from tests.contract.all_venues import OCO_VENUES, VENUES
from tests.contract.brokers import Venue

FOR_EVER = timedelta(days=3650)


@pytest.fixture(params=list(VENUES))
def venue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Venue]:
    venue = VENUES[request.param](tmp_path)
    yield venue
    venue.close()


@pytest.fixture(params=list(OCO_VENUES))
def pairing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Venue]:
    """A venue that takes pairs of orders, with something to sell."""
    venue = OCO_VENUES[request.param](tmp_path)
    venue.buy("held", 1000)
    yield venue
    venue.close()


def levels(venue: Venue, kind: OrderType, *, stop: str, limit: str) -> dict[str, Any]:
    """What an order of a kind needs, as shares of the price now."""
    trail = (1 - Decimal(stop)) * 10_000
    return {
        "type": kind,
        "price": venue.near(limit) if kind in NEEDS_PRICE else None,
        "stop_price": venue.near(stop) if kind in NEEDS_STOP_PRICE else None,
        "trail_bps": trail if kind is OrderType.TRAILING_STOP else None,
    }


def executions(venue: Venue) -> list[Execution]:
    return list(venue.broker.executions(venue.symbol, venue.market.now() - FOR_EVER))


# --- order types ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(TRIGGERED))
def test_an_order_with_a_trigger_waits_and_can_be_taken_back(venue: Venue, kind: OrderType) -> None:
    venue.buy("held", 1000)
    quantity, before = venue.sellable(), venue.broker.balances()
    fields = levels(venue, kind, stop="0.85", limit="0.84")
    if not venue.takes_exit(kind):
        with pytest.raises(OrderRejected, match=r"\w"):
            venue.ask(side=Side.SELL, quantity=quantity, reduce_only=True, **fields)
        assert venue.broker.balances() == before
        return
    report = venue.ask(side=Side.SELL, quantity=quantity, reduce_only=True, **fields)
    assert (report.state, report.type, report.price) == (OrderState.OPEN, kind, fields["price"])
    if kind in NEEDS_STOP_PRICE:
        assert report.stop_price == fields["stop_price"]
    assert report.created_at is not None
    assert venue.broker.balances()[venue.instrument.base].locked == quantity
    venue.step()
    [waiting] = venue.broker.open_orders(venue.symbol)
    assert (waiting.client_id, waiting.type, waiting.fills) == ("a", kind, ())
    cancelled = venue.broker.cancel("a", venue.symbol)
    assert (cancelled.state, cancelled.type) == (OrderState.CANCELLED, kind)
    assert venue.broker.balances() == before


@pytest.mark.parametrize("kind", sorted(TRIGGERED))
def test_a_reached_trigger_sells(venue: Venue, kind: OrderType) -> None:
    held, before = venue.buy("held", 1000), venue.totals()
    fields = levels(venue, kind, stop="0.998", limit="0.98")
    if not venue.takes_exit(kind):
        with pytest.raises(OrderRejected):
            venue.ask(side=Side.SELL, quantity=venue.sellable(), reduce_only=True, **fields)
        assert venue.found("held") == held
        return
    venue.ask(side=Side.SELL, quantity=venue.sellable(), reduce_only=True, **fields)
    report = venue.awaited()
    assert report.state is OrderState.FILLED
    assert venue.totals() == venue.sums(before, report)
    stop, limit = fields["stop_price"], fields["price"]
    assert all(stop is None or fill.price <= stop for fill in report.fills)
    assert all(limit is None or fill.price >= limit for fill in report.fills)


@pytest.mark.parametrize("kind", sorted(NEEDS_STOP_PRICE))
def test_a_reached_trigger_buys(venue: Venue, kind: OrderType) -> None:
    stop, limit = venue.near("1.0005") + venue.instrument.price_tick, venue.near("1.02")
    fields: dict[str, Any] = {"type": kind, "stop_price": stop, "quantity": venue.worth(1000)}
    fields |= {"price": limit} if kind in NEEDS_PRICE else {}
    if kind not in venue.broker.capabilities.order_types:
        with pytest.raises(OrderRejected):
            venue.ask(**fields)
        return
    before = venue.totals()
    assert venue.ask(**fields).state is OrderState.OPEN
    report = venue.awaited()
    assert report.state is OrderState.FILLED
    assert all(fill.price >= stop for fill in report.fills)
    assert kind not in NEEDS_PRICE or all(fill.price <= limit for fill in report.fills)
    assert venue.totals() == venue.sums(before, report)


# --- time in force -------------------------------------------------------------------------------


@pytest.mark.parametrize("lasting", list(TimeInForce))
def test_an_order_away_from_the_market_rests_only_if_it_may(
    venue: Venue, lasting: TimeInForce
) -> None:
    before, price = venue.totals(), venue.near("0.9")
    fields: dict[str, Any] = {
        "type": OrderType.LIMIT,
        "price": price,
        "quantity": venue.worth(1000, price),
    }
    if lasting not in venue.broker.capabilities.times_in_force:
        with pytest.raises(OrderRejected, match=r"\w"):
            venue.ask(time_in_force=lasting, **fields)
        assert venue.totals() == before
        assert venue.is_free()
        return
    report = venue.ask(time_in_force=lasting, **fields)
    if lasting in (TimeInForce.GTC, TimeInForce.DAY):
        assert report.state is OrderState.OPEN
        assert list(venue.broker.open_orders()) == [report]
    else:
        assert report.state is OrderState.EXPIRED
        assert report.fills == ()
        assert venue.found() == report
        assert venue.broker.open_orders() == []
        assert venue.totals() == before
        assert venue.is_free()


@pytest.mark.parametrize("lasting", [TimeInForce.IOC, TimeInForce.FOK])
def test_an_order_to_be_filled_at_once_is(venue: Venue, lasting: TimeInForce) -> None:
    before, price = venue.totals(), venue.near("1.01")
    fields: dict[str, Any] = {
        "type": OrderType.LIMIT,
        "price": price,
        "quantity": venue.worth(500, price),
    }
    if lasting not in venue.broker.capabilities.times_in_force:
        with pytest.raises(OrderRejected):
            venue.ask(time_in_force=lasting, **fields)
        return
    report = venue.ask(time_in_force=lasting, **fields)
    assert report.state is OrderState.FILLED
    assert venue.totals() == venue.sums(before, report)


@pytest.mark.parametrize("lasting", [TimeInForce.IOC, TimeInForce.FOK])
def test_of_what_is_not_on_offer_some_or_nothing_is_bought(
    venue: Venue, lasting: TimeInForce
) -> None:
    venue.thin_out()
    before, price = venue.totals(), venue.near("1.01")
    quantity = venue.worth(int(venue.held(venue.instrument.quote) / 3), price)
    fields: dict[str, Any] = {"type": OrderType.LIMIT, "price": price, "quantity": quantity}
    if lasting not in venue.broker.capabilities.times_in_force:
        with pytest.raises(OrderRejected):
            venue.ask(time_in_force=lasting, **fields)
        return
    report = venue.ask(time_in_force=lasting, **fields)
    assert report.state is OrderState.EXPIRED
    assert (report.filled > 0) is (lasting is TimeInForce.IOC)
    assert report.filled < quantity
    assert venue.totals() == venue.sums(before, report)
    assert venue.is_free()


# --- pairs ---------------------------------------------------------------------------------------


def pair(venue: Venue) -> OcoRequest:
    """A target above the price and a stop below it, for all that is held."""
    quantity = venue.sellable()
    fields: dict[str, Any] = {"quantity": quantity, "reduce_only": True}
    stop = levels(venue, OrderType.STOP_LIMIT, stop="0.95", limit="0.94")
    return OcoRequest(
        group_id="pair",
        limit=venue.request(
            "target", Side.SELL, type=OrderType.LIMIT, price=venue.near("1.05"), **fields
        ),
        stop=venue.request("stop", Side.SELL, **stop, **fields),
    )


def states(venue: Venue) -> tuple[OrderState, OrderState]:
    return venue.found("target").state, venue.found("stop").state


@pytest.mark.parametrize("name", sorted(VENUES.keys() | OCO_VENUES.keys()))
def test_a_venue_says_whether_it_takes_pairs_and_refuses_them_otherwise(
    name: str, tmp_path: Path
) -> None:
    venue = (VENUES | OCO_VENUES)[name](tmp_path)
    assert venue.broker.capabilities.has_oco is (name in OCO_VENUES)
    if name not in OCO_VENUES:
        venue.buy("held", 1000)
        before = venue.broker.balances()
        with pytest.raises(OrderRejected, match=r"\w"):
            venue.broker.submit_oco(pair(venue))
        assert venue.broker.balances() == before
        assert venue.broker.open_orders() == []
    venue.close()


def test_both_of_a_pair_rest_and_share_what_they_sell(pairing: Venue) -> None:
    request = pair(pairing)
    reports = pairing.broker.submit_oco(request)
    assert [report.client_id for report in reports] == ["target", "stop"]
    assert [report.type for report in reports] == [OrderType.LIMIT, OrderType.STOP_LIMIT]
    assert [report.price for report in reports] == [request.limit.price, request.stop.price]
    assert reports[1].stop_price == request.stop.stop_price
    assert {report.client_id for report in pairing.broker.open_orders()} == {"target", "stop"}
    assert pairing.broker.balances()[pairing.instrument.base].locked == request.limit.quantity


@pytest.mark.parametrize(
    ("share", "ended"),
    [
        ("1.06", (OrderState.FILLED, OrderState.CANCELLED)),
        ("0.945", (OrderState.CANCELLED, OrderState.FILLED)),
    ],
)
def test_the_first_of_a_pair_to_be_filled_ends_the_other(
    pairing: Venue, share: str, ended: tuple[OrderState, OrderState]
) -> None:
    before = pairing.totals()
    pairing.broker.submit_oco(pair(pairing))
    pairing.move_to(pairing.near(share))
    target, stop = (state if state is OrderState.FILLED else _let_go(state)
                    for state in states(pairing))  # fmt: skip
    assert (target, stop) == ended
    assert pairing.broker.open_orders() == []
    reports = (pairing.found("target"), pairing.found("stop"))
    assert pairing.totals() == pairing.sums(before, *reports)


def _let_go(state: OrderState) -> OrderState:
    """Venues call the other's end expired or cancelled."""
    return OrderState.CANCELLED if state in TERMINAL else state


def test_a_cancel_of_one_ends_both(pairing: Venue) -> None:
    before = pairing.broker.balances()
    pairing.broker.submit_oco(pair(pairing))
    assert pairing.broker.cancel("stop", pairing.symbol).state is OrderState.CANCELLED
    assert [_let_go(state) for state in states(pairing)] == [OrderState.CANCELLED] * 2
    assert pairing.broker.open_orders() == []
    assert pairing.broker.balances() == before


# --- the account's own lists ---------------------------------------------------------------------


def _told(report: OrderReport, trades: list[Execution]) -> list[str]:
    return [trade.trade_id for trade in trades if trade.venue_id == report.venue_id]


def test_every_fill_is_among_the_executions(venue: Venue) -> None:
    assert executions(venue) == []
    bought = venue.buy("in", 1000)
    venue.step()
    sold = venue.ask("out", Side.SELL, quantity=venue.sellable(), reduce_only=True)
    trades = executions(venue)
    assert [trade.time for trade in trades] == sorted(trade.time for trade in trades)
    fills = {fill.trade_id: fill for fill in (*bought.fills, *sold.fills)}
    assert len(trades) == len(fills)
    for trade in trades:
        assert (
            trade.model_dump(include=set(type(fills[trade.trade_id]).model_fields))
            == fills[trade.trade_id].model_dump()
        )
    for report in (bought, sold):
        assert _told(report, trades) == [fill.trade_id for fill in report.fills]
        told = [trade for trade in trades if trade.venue_id == report.venue_id]
        assert {trade.side for trade in told} == {report.side}
        assert {trade.symbol for trade in told} == {venue.symbol}
        assert {trade.client_id for trade in told} <= {report.client_id, ""}
    assert list(venue.reopen().executions(venue.symbol, bought.fills[0].time)) == trades


def test_executions_begin_where_they_are_asked_for(venue: Venue) -> None:
    venue.buy("in", 1000)
    for _ in range(3):
        venue.step()
    sold = venue.ask("out", Side.SELL, quantity=venue.sellable(), reduce_only=True)
    since = sold.fills[0].time
    newer = venue.broker.executions(venue.symbol, since)
    assert [trade.trade_id for trade in newer] == [fill.trade_id for fill in sold.fills]
    assert not venue.broker.executions(venue.symbol, since + FOR_EVER)


def test_an_order_that_traded_while_nobody_looked_is_among_the_executions(venue: Venue) -> None:
    price = venue.near("0.9995")
    venue.ask(type=OrderType.LIMIT, price=price, quantity=venue.worth(1000, price))
    for _ in range(30):
        venue.step()
    trades = executions(venue)
    assert [trade.trade_id for trade in trades] == [fill.trade_id for fill in venue.found().fills]
    assert trades


def test_flows_are_a_list_of_what_came_without_a_trade(venue: Venue) -> None:
    venue.buy()
    assert list(venue.broker.flows(venue.market.now() - FOR_EVER)) == []
