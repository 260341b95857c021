"""Rows of the fault matrix for the broker over ccxt's unified interface, beside those of
``test_fault_matrix_venue`` for the one of Binance's own."""

from collections.abc import Callable, Iterator
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest

from engine.domain.accounts import AccountHealth
from engine.domain.orders import OrderState, Purpose
from tests.contract.exchange_venue import open_broker, open_unified
from tests.support.desk_at_exchange import DeskAtExchange, desk_at_exchange

ORDER = "POST order"
QUIET_AND_MORE_S = 26


@pytest.fixture
def room(tmp_path: Path) -> Iterator[DeskAtExchange]:
    with desk_at_exchange(tmp_path, open_unified, stop_loss=None, take_profit=None) as room:
        yield room


def close_and_compare(room: DeskAtExchange) -> None:
    """The position can be closed like any other, and all agree."""
    room.close()
    room.advance(2, times=4)
    assert room.position is None
    assert room.check().health is AccountHealth.CLEAN
    room.check_agreement()


@pytest.mark.parametrize("fault", ["status_504_after_accept", "code_1007", "cut_after_accept"])
def test_row_05_an_order_whose_answer_is_lost_is_one_order(
    room: DeskAtExchange, fault: str
) -> None:
    room.exchange.fault(fault, on=ORDER)
    order = room.enter()
    assert order.state is OrderState.UNKNOWN
    room.advance(QUIET_AND_MORE_S, times=2)
    assert room.order(order.client_id).state is OrderState.FILLED
    assert len(room.exchange.orders) == 1
    close_and_compare(room)


def test_row_16_a_429_is_obeyed_so_that_no_418_follows(room: DeskAtExchange) -> None:
    room.exchange.fault("rate_limit_429", on=ORDER, value=30)
    assert room.enter().state is OrderState.EXPIRED, "an entry is not sent late"
    before = len(room.exchange.requests)
    room.close()
    room.advance(5, times=4)
    assert len(room.exchange.requests) == before, "nothing is sent before Retry-After"
    room.clock.advance(15)
    room.enter()
    close_and_compare(room)


def test_row_16_a_418_delays_an_exit_and_never_loses_it(room: DeskAtExchange) -> None:
    room.enter()
    room.exchange.fault("ban_418", on=ORDER, side="SELL", value=60)
    room.close()
    sent = len(room.exchange.requests)
    room.advance(10, times=5)
    assert len(room.exchange.requests) == sent
    assert room.position is not None
    room.advance(15, times=2)
    assert room.position is None
    assert room.check().health is AccountHealth.CLEAN
    room.check_agreement()


def test_row_17_fees_in_the_base_coin_and_a_changed_step(room: DeskAtExchange) -> None:
    order = room.enter()
    assert room.position is not None
    assert room.position.quantity < order.filled, "the fee came off what was bought"
    room.exchange.fault("step_change", value="BTCUSDT 0.001")
    close_and_compare(room)
    [trade] = room.trades()
    assert 0 < trade.dust < D("0.001")


@pytest.mark.parametrize("open_account", [open_broker, open_unified])
def test_row_17_an_exit_above_the_largest_market_order_goes_in_parts(
    tmp_path: Path, open_account: Callable[..., Any]
) -> None:
    with desk_at_exchange(tmp_path, open_account, stop_loss=None, take_profit=None) as room:
        room.enter()
        held, most = room.position, D("0.008")
        assert held is not None
        assert 2 * most < held.quantity < 3 * most
        room.exchange.rules("BTCUSDT").max_market_quantity = most
        room.venue.market.refresh()
        room.close()
        room.advance(2, times=8)
        assert room.position is None
        exits = [one for one in room.orders(Purpose.EXIT) if one.state is OrderState.FILLED]
        assert [order.filled for order in exits][:2] == [most, most]
        assert len(exits) == 3
        assert room.check().health is AccountHealth.CLEAN
        room.check_agreement()


def test_row_19_a_revoked_key_halts_the_account_and_forgets_no_exit(room: DeskAtExchange) -> None:
    room.enter()
    revoked = room.exchange.fault("key_revoked")
    room.close()
    room.advance(1, times=3)
    assert room.check().health is AccountHealth.DENIED
    assert room.enter().state is OrderState.EXPIRED
    room.exchange.release(revoked)
    room.advance(60, times=3)
    assert room.position is None
    assert room.check().health is AccountHealth.CLEAN
    room.check_agreement()


def test_row_26_a_cut_network_loses_no_exit_and_asks_again_after_it(room: DeskAtExchange) -> None:
    room.enter()
    room.exchange.fault("cut", on="*", times=200)
    room.close()
    assert room.check().health is AccountHealth.UNREACHABLE
    room.advance(1, times=3)
    assert room.position is not None
    room.exchange.release_all()
    room.advance(30, times=3)
    assert room.position is None
    assert room.check().health is AccountHealth.CLEAN
    room.check_agreement()
