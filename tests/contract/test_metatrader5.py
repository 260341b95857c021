"""The stand-in for the package MetaTrader5: it refuses and answers as the package documents."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from tests.fakes.clock import FakeClock
from tests.fakes.metatrader5 import CONSTANTS, CRYPTO, StandIn, stocked

DEAL = {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0, "price": 1.1, "type_filling": 1}
LIMIT = {"action": 5, "symbol": "EURUSD", "volume": 0.1, "type": 2, "price": 1.0, "type_filling": 2}


@pytest.fixture
def stand_in() -> StandIn:
    found = stocked(FakeClock().now)
    assert found.initialize(login=51_234_567, password="main-password", server="StandIn-Demo")
    return found


def test_before_initialize_nothing_answers() -> None:
    stand_in = stocked(FakeClock().now)
    assert stand_in.account_info() is None
    assert stand_in.last_error() == (-10004, "No IPC connection")
    assert not stand_in.initialize(login=51_234_567, password="no", server="StandIn-Demo")
    assert stand_in.last_error()[0] == -6
    stand_in.is_running = False
    assert not stand_in.initialize()
    assert stand_in.last_error() == (-10005, "IPC timeout")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"client_id": "a"}, "Invalid arguments"),
        ({"volume": "0.1"}, 'Invalid "volume" argument'),
        ({"volume": Decimal("0.1")}, 'Invalid "volume" argument'),
        ({"comment": "x" * 32}, 'Invalid "comment" argument'),
        ({"magic": 1.5}, 'Invalid "magic" argument'),
    ],
)
def test_a_request_that_the_package_cannot_take_is_none(
    stand_in: StandIn, changes: dict[str, Any], words: str
) -> None:
    assert stand_in.order_send(DEAL | changes) is None
    assert stand_in.last_error() == (-2, words)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (DEAL | {"volume": 0.015}, 10014),
        (DEAL | {"volume": 0.0}, 10014),
        (DEAL | {"type_filling": 2}, 10030),
        (DEAL | {"symbol": "NOPE"}, 10013),
        (DEAL | {"volume": 1000.0}, 10019),
        (DEAL | {"position": 5}, 10036),
        (LIMIT | {"price": 1.2}, 10015),
        (LIMIT | {"type": 4}, 10015),
        (LIMIT | {"type": 6, "price": 1.2}, 10015),
        (LIMIT | {"type": 6, "price": 1.2, "stoplimit": 1.21}, 10015),
        (LIMIT | {"type_filling": 1}, 10030),
        ({"action": 8, "order": 5}, 10035),
    ],
)
def test_what_the_server_refuses_has_its_return_code(
    stand_in: StandIn, request_: dict[str, Any], code: int
) -> None:
    result = stand_in.order_send(request_)
    assert result is not None
    assert result.retcode == code
    assert stand_in.orders_get() == stand_in.positions_get() == ()


def test_a_deal_moves_position_history_and_balance(stand_in: StandIn) -> None:
    before = stand_in.account_info()
    result = stand_in.order_send(DEAL | {"magic": 7, "comment": "x"})
    assert result is not None
    assert (result.retcode, result.volume) == (CONSTANTS["TRADE_RETCODE_DONE"], 0.1)
    [deal] = stand_in.history_deals_get(ticket=result.order)
    [order] = stand_in.history_orders_get(ticket=result.order)
    [position] = stand_in.positions_get(symbol="EURUSD") or ()
    after = stand_in.account_info()
    assert before is not None
    assert after is not None
    assert (deal.magic, deal.comment, order.state, position.ticket) == (7, "x", 4, result.order)
    assert after.balance == pytest.approx(before.balance + deal.commission)
    assert after.margin_free == pytest.approx(after.equity - after.margin)


def test_netting_turns_a_position_round_and_hedging_opens_another() -> None:
    for is_hedging, volumes in ((False, [(1, 0.2)]), (True, [(0, 0.1), (1, 0.3)])):
        stand_in = stocked(FakeClock().now, is_hedging=is_hedging)
        stand_in.initialize()
        stand_in.order_send(DEAL)
        stand_in.order_send(DEAL | {"type": 1, "volume": 0.3})
        found = stand_in.positions_get() or ()
        assert [(each.type, each.volume) for each in found] == volumes


def test_a_position_is_closed_by_its_ticket_and_never_by_more(stand_in: StandIn) -> None:
    stand_in.world.is_hedging = True
    opened = stand_in.order_send(DEAL)
    assert opened is not None
    closing = DEAL | {"type": 1, "position": opened.order}
    too_much = stand_in.order_send(closing | {"volume": 0.2})
    assert too_much is not None
    assert too_much.retcode == 10038
    stand_in.order_send(closing)
    assert stand_in.positions_get() == ()


def test_lists_take_one_filter_by_its_name(stand_in: StandIn) -> None:
    stand_in.order_send(LIMIT)
    assert len(stand_in.orders_get(group="*USD") or ()) == 1
    assert stand_in.orders_get(group="*JPY") == ()
    assert stand_in.orders_get(symbol="EURUSD", ticket=1) is None
    assert stand_in.last_error()[0] == -2
    assert stand_in.history_deals_get() is None


def test_history_is_by_the_server_s_clock(stand_in: StandIn) -> None:
    stand_in.order_send(DEAL)
    here = datetime(2026, 3, 2, 12, tzinfo=UTC)  # of the clock; the server's says 14:00
    assert stand_in.history_deals_get(here, here.replace(hour=13)) == ()
    assert len(stand_in.history_deals_get(here.replace(hour=13), here.replace(hour=15))) == 1


def test_rates_are_arrays_of_rows_in_order_with_the_unfinished_one_last(stand_in: StandIn) -> None:
    rates = stand_in.copy_rates_from_pos(CRYPTO, CONSTANTS["TIMEFRAME_M5"], 0, 4)
    assert rates is not None
    assert rates.dtype.names == (
        "time", "open", "high", "low", "close", "tick_volume", "spread", "real_volume",
    )  # fmt: skip
    assert (np.diff(rates["time"]) == 300).all()
    assert rates["time"][-1] == stand_in.world.server_ms() // 1000
    again = stand_in.copy_rates_from(CRYPTO, 5, int(rates["time"][2]), 3)
    assert again is not None
    assert (again == rates[:3]).all()
