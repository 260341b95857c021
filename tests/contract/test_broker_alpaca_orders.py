"""Orders at Alpaca by its hours, and pairs of them under the one id that it keeps."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal as D
from typing import Any

import pytest

from engine.adapters.brokers.alpaca.orders import LONGEST_ID, Pair
from engine.domain.instruments import InstrumentKind
from engine.domain.orders import (
    OrderState,
    OrderType,
    Side,
    TimeInForce,
)
from engine.errors import (
    OrderRejected,
    OrderStateUnknown,
)
from tests.contract.alpaca_account import (
    LONG_AGO,
    PLACE,
    Account,
    found,
    open_account,
    order,
    pair,
    resting,
)


@pytest.fixture
def account() -> Iterator[Account]:
    with open_account() as account:
        yield account


@pytest.fixture
def crypto() -> Iterator[Account]:
    with open_account(InstrumentKind.CRYPTO) as account:
        yield account


# --- hours ---------------------------------------------------------------------------------------


def at(account: Account, day: date, clock: time) -> None:
    """Turn the clock to a moment of New York's."""
    from tests.fakes.alpaca.records import NEW_YORK

    moment = datetime.combine(day, clock, NEW_YORK).astimezone(UTC)
    account.clock.advance((moment - account.clock.current).total_seconds())


THANKSGIVING, HALF_DAY = date(2026, 11, 26), date(2026, 11, 27)


@pytest.fixture
def in_november(account: Account) -> Account:
    """Around a holiday and the half-day after it."""
    account.exchange.sessions.holidays.add(THANKSGIVING)
    account.exchange.sessions.early[HALF_DAY] = time(13, 0)
    return account


def test_row_21_entries_at_the_market_wait_for_hours_holidays_and_half_days_included(
    in_november: Account,
) -> None:
    account = in_november
    for day, clock, opens in (
        (THANKSGIVING, time(12, 0), "2026-11-27T14:30:00Z"),
        (HALF_DAY, time(9, 29, 59), "2026-11-27T14:30:00Z"),
        (HALF_DAY, time(13, 0), "2026-11-30T14:30:00Z"),
    ):
        at(account, day, clock)
        posts = account.exchange.posts()
        with pytest.raises(OrderRejected, match=f"closed until {opens}"):
            account.broker.submit(order())
        assert account.exchange.posts() == posts
    at(account, date(2026, 11, 30), time(9, 30))
    assert account.broker.submit(order()).state is OrderState.FILLED


def test_row_21_an_exit_waits_at_alpaca_for_the_opening(in_november: Account) -> None:
    account = in_november
    account.broker.submit(order())
    at(account, HALF_DAY, time(13, 30))
    sold = account.broker.submit(order("out", side=Side.SELL, reduce_only=True))
    assert (sold.state, sold.filled) == (OrderState.OPEN, 0)
    at(account, date(2026, 11, 30), time(9, 30))
    assert found(account, "out").state is OrderState.FILLED


def test_row_21_a_day_order_ends_with_the_half_day_and_a_standing_one_does_not(
    in_november: Account,
) -> None:
    account = in_november
    at(account, HALF_DAY, time(10, 0))
    account.broker.submit(resting("day", time_in_force=TimeInForce.DAY))
    account.broker.submit(resting("gtc"))
    at(account, HALF_DAY, time(13, 0))
    assert found(account, "day").state is OrderState.EXPIRED
    assert [one.client_id for one in account.broker.open_orders()] == ["gtc"]


def test_the_hours_are_asked_for_once_a_session(account: Account) -> None:
    for number in range(3):
        account.broker.submit(order(f"o{number}"))
    asked = [one for one in account.exchange.requests if one.endpoint == "GET /v2/clock"]
    assert len(asked) == 1


def test_crypto_trades_by_night(crypto: Account) -> None:
    crypto.clock.advance(timedelta(days=5, hours=9).total_seconds())
    bought = crypto.broker.submit(order(symbol="BTC/USD", quantity=D("0.1")))
    assert bought.state is OrderState.FILLED


# --- pairs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit_id", "stop_id"),
    [("qd-1-p0t", "qd-1-p0s"), ("target", "stop"), ("a", "ab"), ("ab", "a"), ("a~1~b", "c")],
)
def test_the_ids_of_a_pair_are_read_from_the_one_that_alpaca_keeps(
    limit_id: str, stop_id: str
) -> None:
    told = Pair(limit_id, stop_id).joined()
    assert len(told) <= LONGEST_ID
    if "~" not in limit_id:
        assert Pair.parted(told) == (limit_id, stop_id)


@pytest.mark.parametrize("told", ["", "qd-1", "a~b", "a~9~b", "a~x~b", "a~~"])
def test_other_ids_are_no_pairs(told: str) -> None:
    assert Pair.parted(told) is None


def test_ids_that_cannot_be_told_as_one_are_refused() -> None:
    with pytest.raises(OrderRejected, match="too long"):
        Pair("x" * 36, "y" * 36).joined()


def test_either_of_a_pair_is_found_after_a_restart_and_ended_by_it(account: Account) -> None:
    account.broker.submit(order())
    account.broker.submit_oco(pair())
    again = account.venue.connect()
    stop = again.broker.find_order("qd-1-p0s", "AAPL")
    target = again.broker.find_order("qd-1-p0t", "AAPL")
    assert stop is not None and target is not None
    assert (stop.type, stop.stop_price, stop.state) == (OrderType.STOP, D(180), OrderState.OPEN)
    assert (target.type, target.price) == (OrderType.LIMIT, D(220))
    assert again.broker.find_order("never", "AAPL") is None
    assert again.broker.cancel("qd-1-p0s", "AAPL").state is OrderState.CANCELLED
    assert list(account.broker.open_orders()) == []
    again.close()


def test_a_pair_that_was_taken_but_not_confirmed_is_unknown_and_found(account: Account) -> None:
    account.broker.submit(order())
    account.exchange.fault("cut_after_accept", on=PLACE)
    with pytest.raises(OrderStateUnknown):
        account.broker.submit_oco(pair())
    assert found(account, "qd-1-p0s").state is OrderState.OPEN
    with pytest.raises(OrderStateUnknown, match="already"):
        account.broker.submit_oco(pair())


def test_a_pair_whose_answer_is_without_its_second_order_is_looked_up(account: Account) -> None:
    account.exchange.tells_legs = False
    account.broker.submit(order())
    reports = account.broker.submit_oco(pair())
    assert [one.client_id for one in reports] == ["qd-1-p0t", "qd-1-p0s"]
    account.broker.cancel("qd-1-p0s", "AAPL")
    account.exchange.fault("status", on="GET /v2/orders/{id}")
    with pytest.raises(OrderStateUnknown, match=r"took the pair.*HTTP 503"):
        account.broker.submit_oco(pair("qd-1-p1t", "qd-1-p1s"))
    assert found(account, "qd-1-p1s").state is OrderState.OPEN


def test_somebody_elses_pair_is_looked_for_once(account: Account) -> None:
    account.broker.submit(order())
    account.broker.submit_oco(pair())
    first, second = account.exchange.orders[1:]
    first.client_id, second.client_id = "theirs", "theirs-too"
    again = account.venue.connect()
    for _ in range(3):
        told = {one.client_id for one in again.broker.open_orders()}
        assert told == {"theirs", "theirs-too"}
    lists = [one.sent["status"] for one in account.exchange.requests
             if one.endpoint == "GET /v2/orders"]  # fmt: skip
    assert lists.count("all") <= 2
    again.close()


def test_what_a_pair_sold_has_the_client_id_of_the_one_that_sold(account: Account) -> None:
    account.broker.submit(order())
    account.broker.submit_oco(pair())
    account.exchange.set_price("AAPL", 179)
    again = account.venue.connect()
    trades = again.broker.executions("AAPL", account.clock.now() - LONG_AGO)
    assert [trade.client_id for trade in trades] == ["a", "qd-1-p0s"]
    again.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"quantity": D(5)}, "differ"),
        ({"side": Side.BUY}, "differ"),
        ({"type": OrderType.TRAILING_STOP, "stop_price": None, "trail_bps": D(50)}, "a stop"),
    ],
)
def test_a_pair_that_is_none_is_refused(
    account: Account, change: dict[str, Any], words: str
) -> None:
    one = pair()
    wrong = one.model_copy(update={"stop": one.stop.model_copy(update=change)})
    with pytest.raises(OrderRejected, match=words):
        account.broker.submit_oco(wrong)
    assert account.exchange.posts() == 0
