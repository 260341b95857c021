"""Rows of the fault matrix over ccxt, beside those of ``test_fault_matrix_venue``."""

from collections.abc import Iterator
from decimal import Decimal as D
from pathlib import Path

import pytest

from engine.domain.accounts import AccountHealth
from engine.domain.orders import OrderState, Purpose
from tests.contract.exchange_venue import SYMBOL
from tests.support.desk_at_exchange import DeskAtExchange, desk_at_exchange


@pytest.fixture
def room(tmp_path: Path) -> Iterator[DeskAtExchange]:
    with desk_at_exchange(tmp_path) as room:
        yield room


def test_row_17_an_exit_above_the_largest_market_order_goes_in_parts(room: DeskAtExchange) -> None:
    room.enter()
    held = room.position
    assert held is not None
    most = D("0.008")
    assert 2 * most < held.quantity < 3 * most
    room.exchange.rules(SYMBOL.replace("/", "")).max_market_quantity = most
    room.venue.market.refresh()
    room.close()
    room.advance(2, times=8)
    assert room.position is None
    exits = [order for order in room.orders(Purpose.EXIT) if order.state is OrderState.FILLED]
    assert [order.filled for order in exits][:2] == [most, most]
    assert len(exits) == 3
    assert room.check().health is AccountHealth.CLEAN
    room.check_agreement()
