"""The generic broker where it is more than the suite asks: doubt, pauses, pages, other words."""

import logging
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from engine.domain.orders import OrderRequest, OrderState, OrderType, Side
from engine.domain.venue_accounts import Grade
from engine.errors import (
    AccessDenied,
    BrokerUnavailable,
    DataError,
    NotFound,
    OrderRejected,
    OrderStateUnknown,
)
from tests.contract.rest_venue import CODE, IMPATIENT_S, PLACE, SYMBOL, Opened, open_account
from tests.fakes.clock import FakeClock
from tests.fakes.rest_exchange import ExampleExchange, example_exchange

D = Decimal
Open = Callable[..., Opened]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def exchange(clock: FakeClock) -> Iterator[ExampleExchange]:
    with example_exchange(clock.now) as exchange:
        yield exchange


@pytest.fixture
def opened(exchange: ExampleExchange, clock: FakeClock) -> Iterator[Open]:
    made: list[Opened] = []

    def make(**options: Any) -> Opened:
        made.append(open_account(exchange, clock, **options))
        made[-1].market.instruments()
        return made[-1]

    yield make
    for one in made:
        one.client.close()


def buy(client_id: str = "a", **fields: Any) -> OrderRequest:
    """0.1 BTC at the market unless told otherwise."""
    told: dict[str, Any] = {"symbol": SYMBOL, "side": Side.BUY, "quantity": D("0.1")} | fields
    return OrderRequest(client_id=client_id, **told)


def resting(client_id: str = "a", price: int = 40_000) -> OrderRequest:
    """Far below the price."""
    return buy(client_id, type=OrderType.LIMIT, price=D(price))


# --- rows of the fault matrix --------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["status_after", "cut_after", "timeout_after", "html_after"])
def test_row_05_an_order_whose_answer_is_lost_is_posted_once_and_found(
    exchange: ExampleExchange, opened: Open, fault: str
) -> None:
    account = opened(timeout_s=IMPATIENT_S)
    exchange.fault(fault, PLACE)
    with pytest.raises(OrderStateUnknown):
        account.broker.submit(buy())
    assert (exchange.asked(PLACE), len(exchange.orders_of("a"))) == (1, 1)
    report = opened().broker.find_order("a", SYMBOL)  # a restart later
    assert report is not None
    assert (report.state, report.filled) == (OrderState.FILLED, D("0.1"))


def test_row_16_a_429_is_kept_by_orders_and_questions_alike(
    exchange: ExampleExchange, clock: FakeClock, opened: Open
) -> None:
    account = opened()
    exchange.fault("limited", "GET /v1/account", "7")
    with pytest.raises(BrokerUnavailable) as raised:
        account.broker.balances()
    assert raised.value.retry_after_s == 7
    asked = len(exchange.requests)
    clock.advance(6.5)
    for act in (lambda: account.broker.submit(buy()), account.broker.open_orders):
        with pytest.raises(BrokerUnavailable, match="no requests for another"):
            act()
    with pytest.raises(DataError, match="no requests for another"):
        account.market.quote(SYMBOL)
    assert len(exchange.requests) == asked
    clock.advance(1)
    assert account.broker.submit(buy()).state is OrderState.FILLED


def test_row_16_a_429_that_does_not_say_how_long_is_the_descriptions(
    exchange: ExampleExchange, opened: Open
) -> None:
    exchange.fault("status", "GET /v1/account", "429")
    with pytest.raises(BrokerUnavailable) as raised:
        opened().broker.balances()
    assert raised.value.retry_after_s == 30


def test_row_17_a_fee_in_base_is_exact_and_a_new_step_is_taken_up(
    exchange: ExampleExchange, opened: Open
) -> None:
    account = opened()
    exchange.deposit("BTC", -10)
    report = account.broker.submit(buy(quantity=D("0.12345")))
    [fill] = report.fills
    assert (fill.fee_asset, fill.fee) == ("BTC", D("0.00012345"))
    assert account.broker.balances()["BTC"].free == D("0.12345") - D("0.00012345")
    exchange.rules(CODE).step = D("0.001")
    with pytest.raises(OrderRejected, match="bad amount"):
        account.broker.submit(buy("b", side=Side.SELL, quantity=D("0.12332")))
    assert account.market.instrument(SYMBOL).quantity_step == D("0.001")
    sold = account.broker.submit(buy("c", side=Side.SELL, quantity=D("0.123")))
    assert sold.state is OrderState.FILLED


def test_row_19_a_revoked_key_sends_nothing_and_a_new_one_goes_on(
    exchange: ExampleExchange, opened: Open
) -> None:
    account = opened()
    exchange.is_revoked = True
    for act in (account.broker.balances, lambda: account.broker.submit(buy())):
        with pytest.raises(AccessDenied, match="make a new key"):
            act()
    assert exchange.orders_of("a") == []
    exchange.is_revoked, exchange.key = False, "a-new-key"
    assert opened().broker.submit(buy()).state is OrderState.FILLED


def test_row_26_a_cut_network_is_told_and_asked_again_after_it(
    exchange: ExampleExchange, opened: Open
) -> None:
    account = opened()
    account.broker.submit(resting())
    cut = exchange.fault("cut", times=99)
    with pytest.raises(BrokerUnavailable, match="broke off"):
        account.broker.open_orders()
    with pytest.raises(DataError, match="broke off"):
        account.market.candles(SYMBOL, "1m", limit=3)
    with pytest.raises(BrokerUnavailable):
        account.broker.cancel("a", SYMBOL)
    cut.times = 0
    assert account.broker.cancel("a", SYMBOL).state is OrderState.CANCELLED


def test_row_27_a_platform_that_does_not_answer_is_given_up_in_time_and_holds_nobody(
    exchange: ExampleExchange, opened: Open
) -> None:
    slow, other = opened(timeout_s=IMPATIENT_S), opened()
    exchange.fault("timeout", "GET /v1/account")
    with pytest.raises(BrokerUnavailable, match="no answer in time"):
        slow.broker.balances()
    assert other.broker.balances()["USDT"].free == 100_000
    assert slow.broker.balances() == other.broker.balances()


# --- what is more than the suite asks ------------------------------------------------------------


def test_a_clock_that_was_off_is_set_right_and_the_question_asked_again(
    exchange: ExampleExchange, clock: FakeClock, opened: Open
) -> None:
    account = opened()
    exchange.ahead_s = 600
    assert account.broker.balances()
    assert account.market.now() - clock.now() == timedelta(seconds=600)
    asked = exchange.asked("GET /v1/time")
    clock.current += timedelta(hours=1)  # somebody sets this machine's clock, or it slept
    exchange.ahead_s = -3000
    assert account.broker.balances()
    assert exchange.asked("GET /v1/time") == asked + 1


def test_candles_are_closed_by_the_platforms_time_only(
    exchange: ExampleExchange, clock: FakeClock, opened: Open
) -> None:
    exchange.ahead_s = 90
    candles = opened().market.candles(SYMBOL, "1m", limit=3)
    assert candles.last_close_time == clock.now() + timedelta(seconds=60)


def test_a_gap_ends_the_window_and_long_windows_take_pages(
    exchange: ExampleExchange, clock: FakeClock, opened: Open
) -> None:
    market = opened().market
    assert len(market.candles(SYMBOL, "1m", limit=1200)) == 1200
    assert exchange.asked("GET /v1/candles") == 3
    exchange.missing = {int(clock.now().timestamp() * 1000) - 8 * 60_000}
    assert len(market.candles(SYMBOL, "1m", limit=100)) == 7


def test_trades_are_read_over_pages_and_never_in_part(
    exchange: ExampleExchange, clock: FakeClock, opened: Open
) -> None:
    broker = opened().broker
    exchange.rules(CODE).market_fills = 60
    since = clock.now()
    for name in ("a", "b", "c"):
        broker.submit(buy(name))
        clock.advance(1)
    found = broker.executions(SYMBOL, since)
    assert len(found) == len({one.trade_id for one in found}) == 180
    exchange.rules(CODE).market_fills = 150
    with pytest.raises(OrderStateUnknown, match="more trades of one moment than a page"):
        broker.submit(buy("d"))


def test_trades_that_come_newest_first_are_read_back_or_not_at_all(
    exchange: ExampleExchange, clock: FakeClock, opened: Open
) -> None:
    since, broker = clock.now(), opened().broker
    exchange.is_newest_first = True
    exchange.rules(CODE).market_fills = 60
    for name in ("a", "b", "c"):
        broker.submit(buy(name))
        clock.advance(10)
    with pytest.raises(BrokerUnavailable, match=r"newest first; put \{until\} into its query"):
        broker.executions(SYMBOL, since)

    def with_until(text: str) -> str:
        assert 'from: "{since}", order' in text
        return text.replace('from: "{since}", order', 'from: "{since}", to: "{until}", order')

    found = opened(edit=with_until).broker.executions(SYMBOL, since)
    numbers = [int(one.trade_id.rpartition("-")[2]) for one in found]
    assert sorted(numbers) == list(range(1, 181))
    assert [one.time for one in found] == sorted(one.time for one in found)


def test_a_failure_that_comes_as_a_success_is_one_where_it_is_described(
    exchange: ExampleExchange, opened: Open
) -> None:
    def with_failed(text: str) -> str:
        assert "errors:\n" in text
        return text.replace("errors:\n", "errors:\n  failed: contains(keys(@), 'error')\n")

    exchange.fault("error", PLACE, "200 below_minimum", times=2)
    with pytest.raises(OrderStateUnknown):
        opened().broker.submit(buy())
    with pytest.raises(OrderRejected, match="below_minimum"):
        opened(edit=with_failed).broker.submit(buy())


def test_a_404_to_an_order_refuses_nothing_for_certain(
    exchange: ExampleExchange, opened: Open
) -> None:
    exchange.fault("error", PLACE, "404 order_not_found")
    with pytest.raises(OrderStateUnknown):
        opened().broker.submit(buy())


@pytest.mark.parametrize("key", ["k\u00e9y", "two\nlines"])
def test_a_key_that_cannot_be_written_is_told_and_nothing_is_sent(
    exchange: ExampleExchange, opened: Open, key: str
) -> None:
    account = opened(secrets={"key": key, "secret": exchange.secret})
    for act in (account.broker.balances, lambda: account.broker.submit(buy())):
        with pytest.raises(BrokerUnavailable, match="type the key and the secret in again"):
            act()
    assert exchange.asked(PLACE) == 0


def test_an_account_that_was_closed_meanwhile_sends_nothing(
    exchange: ExampleExchange, opened: Open
) -> None:
    account = opened()
    account.client.close()
    for act in (account.broker.balances, lambda: account.broker.submit(buy())):
        with pytest.raises(BrokerUnavailable, match="was closed; nothing was sent"):
            act()
    assert exchange.asked(PLACE) == 0


def test_what_is_not_found_is_an_order_and_nothing_else(
    exchange: ExampleExchange, opened: Open
) -> None:
    account = opened()
    exchange.fault("error", "GET /v1/account", "404 order_not_found")
    with pytest.raises(BrokerUnavailable):
        account.broker.balances()
    account.client.time.doubt()
    exchange.fault("error", "GET /v1/time", "404 order_not_found", times=9)
    with pytest.raises(BrokerUnavailable):
        account.broker.submit(buy())
    assert exchange.asked(PLACE) == 0


def test_an_order_that_is_not_in_the_answer_is_looked_up(
    exchange: ExampleExchange, opened: Open
) -> None:
    row = "    row: order                  # without it the order is looked up once it was taken\n"

    def without_row(text: str) -> str:
        assert row in text
        return text.replace(row, "")

    account = opened(edit=without_row)
    assert account.broker.submit(buy()).state is OrderState.FILLED
    exchange.fault("status", "GET /v1/orders/by-client-id")
    with pytest.raises(OrderStateUnknown):
        account.broker.submit(buy("b"))
    exchange.fault("error", "GET /v1/orders/by-client-id", "401 key_revoked")
    with pytest.raises(OrderStateUnknown):  # revoked since: it was taken all the same
        account.broker.submit(buy("c"))
    assert len(exchange.orders_of("c")) == 1


def test_an_order_is_picked_from_a_list(exchange: ExampleExchange, opened: Open) -> None:
    def listed(text: str) -> str:
        old = 'path: /v1/orders/by-client-id/{client_id}\n    query: {instrument: "{symbol}"}\n'
        assert old in text
        text = text.replace(old, "path: /v1/orders\n")
        return text.replace("    rows: order  ", "    rows: orders  ")

    broker = opened(edit=listed).broker
    broker.submit(resting("a"))
    broker.submit(resting("b"))
    found = broker.find_order("b", SYMBOL)
    assert found is not None
    assert found.client_id == "b"
    assert broker.find_order("c", SYMBOL) is None


BALANCES = "    rows: balances\n    fields: {asset: asset, free: available, locked: held}\n"


@pytest.mark.parametrize(
    ("rows", "held"),
    [
        ("balances[?asset!='USDT']", {"USDT": 100_000, "BTC": 10}),
        ("balances", None),  # the cash is there twice
    ],
)
def test_cash_and_positions_may_be_told_apart(
    opened: Open, rows: str, held: dict[str, int] | None
) -> None:
    def apart(text: str) -> str:
        assert BALANCES in text
        cash = BALANCES.replace("rows: balances", "rows: balances[?asset=='USDT']")
        own = BALANCES.replace("rows: balances", f"rows: {rows}")
        own = own.replace("locked: held", "total: available")
        return text.replace(BALANCES, f"{cash}  positions:\n    path: /v1/account/balances\n{own}")

    broker = opened(edit=apart).broker
    if held is None:
        with pytest.raises(BrokerUnavailable, match="USDT is there twice"):
            broker.balances()
    else:
        assert {name: one.total for name, one in broker.balances().items()} == held


def test_a_cancel_that_comes_too_late_reports_the_fill(
    exchange: ExampleExchange, opened: Open
) -> None:
    broker = opened().broker
    broker.submit(resting())
    exchange.fault("error", "DELETE", "404 order_not_found")
    exchange.set_price(CODE, 39_000)
    assert broker.cancel("a", SYMBOL).state is OrderState.FILLED
    with pytest.raises(NotFound, match="no order 'z'"):
        broker.cancel("z", SYMBOL)


def test_an_order_of_somebody_elses_is_listed(exchange: ExampleExchange, opened: Open) -> None:
    broker = opened().broker
    broker.submit(resting())
    exchange.orders_of("a")[0].client_id = ""
    [report] = broker.open_orders()
    assert (report.client_id, report.venue_id) == ("", "o-1")


@pytest.mark.parametrize("name", ["place", "balances"])
def test_numbers_as_numbers_are_read_and_sent_exactly(
    exchange: ExampleExchange, opened: Open, name: str
) -> None:
    account = opened(edit=lambda text: text.replace("numbers: text ", "numbers: number "))
    if name == "place":  # this exchange takes texts only, so it is the request that is looked at
        with pytest.raises(OrderStateUnknown):
            account.broker.submit(resting().model_copy(update={"quantity": D("0.1")}))
        assert '"amount":0.1,"limit_price":40000,' in exchange.requests[-1].body
        with pytest.raises(OrderRejected, match="more digits"):
            price = D("12345678901234567.89")
            account.broker.submit(buy(type=OrderType.LIMIT, price=price))
    else:
        exchange.deposit("ODD", "0.10000000000000000001")
        assert account.broker.balances()["ODD"].free == D("0.10000000000000000001")


def test_no_secret_is_in_a_log_an_error_or_a_repr(
    exchange: ExampleExchange, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    account = opened(timeout_s=IMPATIENT_S)
    account.broker.submit(buy())
    told = [repr(account.client), repr(account.broker)]
    exchange.key, secret = "another", exchange.secret  # it repeats the key that it was sent
    old = "key-of-the-example-exchange"
    with pytest.raises(AccessDenied) as raised:
        account.broker.balances()
    exchange.fault("timeout", PLACE)
    with pytest.raises(OrderStateUnknown) as lost:
        account.broker.submit(buy("b"))
    for error in (raised.value, lost.value):
        told.append("".join(traceback.format_exception(error)))
    words = " ".join([*told, *(record.getMessage() for record in caplog.records)])
    assert old not in words
    assert secret not in words
    assert "x-ex-sign" not in words.lower()


# --- the test of an account ----------------------------------------------------------------------


def test_an_account_that_is_well_is_told_so(exchange: ExampleExchange, opened: Open) -> None:
    told = inspected(opened())
    assert told.is_usable
    assert {check.name: check.grade for check in told.checks} == dict.fromkeys(
        ("Reachability", "Clock", "Permissions", "Instruments", "Balance", "Minimums"), Grade.OK
    )
    assert told.balances == {"USDT": 100_000, "BTC": 10}
    assert (told.can_withdraw, told.clock_skew_s) == (False, 0)
    [minimums] = [check for check in told.checks if check.name == "Minimums"]
    assert "BTC/USDT from 0.00001 BTC, 5 USDT" in minimums.detail


@pytest.mark.parametrize(
    ("values", "name", "grade", "words"),
    [
        ({"permissions": ["read", "trade", "withdraw"]}, "Permissions", Grade.FAILED, "withdraw"),
        ({"permissions": ["read"]}, "Permissions", Grade.FAILED, "Allow the key to trade"),
        ({"is_revoked": True}, "Balance", Grade.FAILED, "make a new key"),
        ({"ahead_s": 5}, "Clock", Grade.WARNING, "5.0 s behind theirs"),
        ({"ahead_s": -60}, "Clock", Grade.WARNING, "60.0 s ahead of theirs"),
    ],
)
def test_what_is_not_well_is_told_with_advice(
    exchange: ExampleExchange, opened: Open, values: dict[str, Any], name: str, grade: Grade,
    words: str,
) -> None:  # fmt: skip
    account = opened()
    for field, value in values.items():
        setattr(exchange, field, value)
    told = inspected(account)
    [check] = [one for one in told.checks if one.name == name]
    assert check.grade is grade
    assert words in check.detail + check.advice
    assert check.advice
    assert told.is_usable is (grade is not Grade.FAILED)


def test_an_empty_account_and_a_dead_platform_are_told(
    exchange: ExampleExchange, opened: Open
) -> None:
    account = opened()
    exchange.deposit("USDT", -100_000)
    exchange.deposit("BTC", -10)
    told = inspected(account)
    assert {one.name: one.grade for one in told.checks}["Balance"] is Grade.WARNING
    exchange.fault("cut", times=99)
    told = inspected(account)
    assert [one.name for one in told.checks] == ["Reachability"]
    assert not told.is_usable


def inspected(account: Opened) -> Any:
    """What its test finds."""
    from engine.adapters.brokers.rest.inspection import Inspector

    return Inspector(account.client, account.market, account.broker, account.clock).inspect()
