"""Rows of the fault matrix at Zerodha: the desk and the reconciler against a loopback Kite that
misbehaves, spoken to through kiteconnect. Kite knows no client ids: a label finds an order."""

import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from engine.domain.accounts import AccountHealth
from engine.domain.orders import OrderState, Purpose
from tests.contract.kite_venue import SYMBOL, TIMEOUT_S
from tests.support.desk_at_kite import ACCOUNT, QUIET_S, DeskAtKite, desk_at_kite

PLACE = "POST /orders/regular"


@pytest.fixture
def room(tmp_path: Path) -> Iterator[DeskAtKite]:
    with desk_at_kite(tmp_path) as room:
        yield room


def close_and_compare(room: DeskAtKite) -> None:
    """The position can be closed like any other, and both sides agree."""
    room.close()
    room.advance(2, times=4)
    assert room.position is None
    assert room.check().health is AccountHealth.CLEAN
    room.check_agreement()


@pytest.mark.parametrize(
    "fault", ["gateway_504_after_accept", "no_answer_after_accept", "cut_after_accept"]
)
def test_row_05_an_order_whose_answer_was_lost_is_found_by_its_label_and_is_one(
    room: DeskAtKite, fault: str
) -> None:
    room.kite.fault(fault, on=PLACE)
    order = room.enter()
    assert order.state is OrderState.UNKNOWN
    room.restart()  # nothing in memory remembers it
    room.check()
    room.advance(1)
    assert room.order(order.client_id).state is OrderState.FILLED
    assert room.kite.count(PLACE) == 1
    assert len(room.kite.orders) == 1
    close_and_compare(room)


def test_row_05_an_order_that_shows_in_the_book_after_a_minute_is_adopted(
    room: DeskAtKite,
) -> None:
    hidden = room.kite.fault("invisible")
    room.kite.fault("gateway_504_after_accept", on=PLACE)
    order = room.enter()
    room.advance(8, times=2)
    assert room.order(order.client_id).state is OrderState.UNKNOWN
    room.kite.release(hidden)
    room.advance(1)
    assert room.order(order.client_id).state is OrderState.FILLED
    close_and_compare(room)


def test_row_05_an_order_that_never_arrived_is_let_go_and_not_sent_again(room: DeskAtKite) -> None:
    room.kite.fault("no_answer", on=PLACE)
    order = room.enter()
    room.advance(QUIET_S / 2)
    assert room.order(order.client_id).state is OrderState.UNKNOWN
    room.advance(QUIET_S, times=2)
    assert room.order(order.client_id).state is OrderState.EXPIRED
    assert room.kite.count(PLACE) == 1
    room.check_agreement()


def test_row_16_a_429_delays_an_exit_and_never_loses_it(room: DeskAtKite) -> None:
    room.enter()
    room.kite.fault("rate_limit", on=PLACE)
    room.close()
    before = len(room.kite.requests)
    room.advance(2, times=4)
    assert len(room.kite.requests) == before, "nothing is sent during the pause"
    assert room.position is not None
    room.advance(2, times=4)
    assert room.position is None
    assert room.check().health is AccountHealth.CLEAN
    room.check_agreement()


def test_row_19_a_login_that_ended_halts_the_account_and_forgets_no_exit(
    room: DeskAtKite,
) -> None:
    room.enter()
    ended = room.kite.fault("logged_out")
    room.close()
    room.advance(1, times=3)
    state = room.check()
    assert state.health is AccountHealth.DENIED
    assert re.search("log in again on the Accounts page", state.detail)
    sent = room.kite.count(PLACE)
    assert room.enter().state is OrderState.EXPIRED
    assert room.kite.count(PLACE) == sent
    room.kite.release(ended)  # somebody has logged in
    room.advance(60, times=3)
    assert room.position is None
    assert room.check().health is AccountHealth.CLEAN
    room.check_agreement()


def test_row_21_an_exit_waits_for_the_opening_and_asks_seldom(room: DeskAtKite) -> None:
    room.enter()
    closed = room.kite.fault("market_closed")
    sent = room.kite.count(PLACE)
    room.close()
    room.advance(10, times=12)
    assert room.position is not None
    assert "the market is closed" in room.orders(Purpose.EXIT)[0].error
    assert room.kite.count(PLACE) == sent + 1, "what is refused counts: one in five minutes"
    room.kite.release(closed)
    room.advance(60, times=4)
    assert room.position is None
    assert room.check().health is AccountHealth.CLEAN
    room.check_agreement()


def test_row_21_the_first_order_of_a_morning_waits_for_no_round_number(room: DeskAtKite) -> None:
    room.enter()
    room.venue.clock.current += timedelta(hours=20, minutes=41)  # 9:11:30 in India
    room.venue.clock.elapsed_s += timedelta(hours=20, minutes=41).total_seconds()
    closed = room.kite.fault("market_closed")
    room.close()
    room.kite.release(closed)
    room.advance(200)
    assert room.position is not None, "9:14:50"
    room.advance(11)
    assert room.position is None


def test_row_21_what_was_bought_is_still_held_after_the_night(room: DeskAtKite) -> None:
    order = room.enter()
    room.kite.next_day()
    room.venue.clock.advance(timedelta(days=1).total_seconds())
    room.restart()
    assert room.check().health is AccountHealth.CLEAN
    assert room.position is not None
    assert room.position.quantity == order.filled
    close_and_compare(room)


def test_row_26_a_cut_network_loses_no_exit_and_asks_again_after_it(room: DeskAtKite) -> None:
    room.enter()
    cut = room.kite.fault("cut", times=1000)
    room.close()
    assert room.check().health is AccountHealth.UNREACHABLE
    room.advance(1, times=3)
    assert room.position is not None
    room.kite.release(cut)
    room.advance(QUIET_S, times=3)
    assert room.position is None
    assert room.check().health is AccountHealth.CLEAN
    room.check_agreement()


def test_row_27_a_kite_that_hangs_is_given_up_after_its_time(room: DeskAtKite) -> None:
    hung = room.kite.fault("no_answer", on="GET /orders", times=1000)
    done = threading.Event()

    def ask() -> None:
        room.check()
        done.set()

    thread = threading.Thread(target=ask)
    thread.start()
    assert done.wait(20 * TIMEOUT_S), "a request ends at its timeout"
    thread.join()
    assert room.reconciler.has_failed(ACCOUNT)
    room.kite.release(hung)
    assert room.check().health is AccountHealth.CLEAN


def test_an_order_of_yesterday_is_over_and_what_it_traded_is_held(room: DeskAtKite) -> None:
    """The engine is down while a limit order fills; the next day no list of Kite's has it."""
    room.kite.fault("cut_after_accept", on=PLACE)
    slow = room.kite.fault("slow_oms")
    order = room.enter()
    assert order.state is OrderState.UNKNOWN
    room.kite.release(slow)
    bought = room.kite.day_quantity(SYMBOL, "CNC")
    assert bought > 0
    room.kite.next_day()
    room.venue.clock.advance(timedelta(days=1).total_seconds())
    room.restart()
    room.check()
    room.advance(QUIET_S, times=3)
    assert room.order(order.client_id).state is OrderState.UNKNOWN, "the shares speak against it"
    assert room.kite.count(PLACE) == 1


def test_a_limit_entry_is_one_of_the_day_and_taken_back_in_time(tmp_path: Path) -> None:
    with desk_at_kite(tmp_path, entry_order="limit", entry_timeout_s=60) as room:
        room.kite.set_price(SYMBOL, "12.60")
        last = room.kite.shares[f"NSE:{SYMBOL}"].price

        def rise(endpoint: str) -> None:
            if endpoint == PLACE:
                room.kite.set_price(SYMBOL, "13")

        room.kite.before = rise
        order = room.enter()
        assert (order.state, order.price) == (OrderState.OPEN, last)
        [taken] = room.kite.orders.values()
        assert (taken.kind, taken.validity) == ("LIMIT", "DAY")
        room.advance(61)
        assert room.order(order.client_id).state is OrderState.CANCELLED
        assert taken.status == "CANCELLED"
