"""What becomes of an order when the network or the venue fails: sure refusals are few."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.adapters.brokers.binance_codes import CODES, MESSAGES, Verdict, judge
from engine.domain.orders import OcoRequest, OrderRequest, OrderState, OrderType, Side
from engine.errors import (
    AccessDenied,
    BrokerUnavailable,
    InsufficientFunds,
    OrderRejected,
    OrderStateUnknown,
)
from engine.links.binance import test_addresses as addresses_of
from engine.links.http import Answer
from engine.links.pause import Pause
from tests.contract.exchange_venue import ExchangeVenue, exchange_venue
from tests.fakes.clock import FakeClock
from tests.fakes.exchange import FAULTS, binance_exchange

BTC = "BTC/USDT"
D = Decimal
PLACE = "POST order"


@pytest.fixture
def venue() -> Iterator[ExchangeVenue]:
    with exchange_venue(timeout_ms=400) as venue:
        venue.market.instruments()
        yield venue
        assert venue.exchange.imbalance() == {}


def buy(client_id: str = "a", **fields: Any) -> OrderRequest:
    """0.1 BTC at the market unless told otherwise."""
    told: dict[str, Any] = {"symbol": BTC, "side": Side.BUY, "quantity": D("0.1")} | fields
    return OrderRequest(client_id=client_id, **told)


def sell_stop(client_id: str = "s") -> OrderRequest:
    """A protection."""
    return buy(client_id, side=Side.SELL, type=OrderType.STOP, stop_price=D(48_000))


PROCESSED = (
    "timeout_after_accept", "cut_after_accept", "invisible", "status_504_after_accept",
    "code_1007", "junk_after_accept", "nan_json", "null_json", "huge_json", "drip",
)  # fmt: skip
NOT_PROCESSED = ("timeout_before_accept", "cut", "status_5xx", "html")


@pytest.mark.parametrize("fault", PROCESSED)
def test_an_order_that_was_taken_but_not_confirmed_is_unknown_and_then_found(
    venue: ExchangeVenue, fault: str
) -> None:
    scripted = venue.exchange.fault(fault, on=PLACE)
    with pytest.raises(OrderStateUnknown):
        venue.broker.submit(buy())
    venue.exchange.release(scripted)
    (order,) = venue.exchange.orders_of("a")
    report = venue.broker.find_order("a", BTC)
    assert report is not None
    assert (report.state, report.filled) == (OrderState.FILLED, order.executed)


@pytest.mark.parametrize("fault", NOT_PROCESSED)
def test_an_order_that_never_arrived_is_unknown_too(venue: ExchangeVenue, fault: str) -> None:
    scripted = venue.exchange.fault(fault, on=PLACE)
    with pytest.raises(OrderStateUnknown):
        venue.broker.submit(buy())
    venue.exchange.release(scripted)
    assert venue.broker.find_order("a", BTC) is None
    assert scripted.hits == 1  # it was sent once and not again


@pytest.mark.parametrize("fault", [name for name in PROCESSED if name != "invisible"])
def test_a_question_without_an_answer_of_use_is_asked_later(
    venue: ExchangeVenue, fault: str
) -> None:
    venue.broker.submit(buy(type=OrderType.LIMIT, price=D(49_000)))
    venue.exchange.fault(fault, on="GET *", times=9)
    for ask in (
        lambda: venue.broker.find_order("a", BTC),
        venue.broker.open_orders,
        venue.broker.balances,
    ):
        with pytest.raises(BrokerUnavailable):
            ask()
        if fault in ("timeout_after_accept", "drip", "huge_json"):
            break  # slow ones: one question stands for all
    venue.exchange.release_all()
    assert len(venue.broker.open_orders()) == 1


def test_a_late_order_lands_long_after_it_was_given_up(venue: ExchangeVenue) -> None:
    late = venue.exchange.fault("lands_late", on=PLACE, client_id="a", value=1800)
    with pytest.raises(OrderStateUnknown):
        venue.broker.submit(buy())
    assert venue.broker.find_order("a", BTC) is None
    with venue.exchange.lock:
        venue.exchange.release(late)
    report = venue.broker.find_order("a", BTC)
    assert report is not None
    assert report.state is OrderState.FILLED


def test_half_an_hour_passes_at_once_for_an_order_that_cannot_be_seen() -> None:
    clock = FakeClock()
    with exchange_venue(clock) as venue:
        venue.exchange.fault("invisible", on=PLACE, value=1800)
        with pytest.raises(OrderStateUnknown):
            venue.broker.submit(buy(type=OrderType.LIMIT, price=D(49_000)))
        clock.advance(1799)
        assert venue.broker.find_order("a", BTC) is None
        assert venue.broker.open_orders() == []
        clock.advance(2)
        report = venue.broker.find_order("a", BTC)
        assert report is not None
        assert list(venue.broker.open_orders()) == [report]


def test_where_nobody_listens_nothing_was_sent(venue: ExchangeVenue) -> None:
    with binance_exchange() as gone:
        addresses = addresses_of(gone.url)
    broker = venue.reopen(addresses=addresses)
    with pytest.raises(BrokerUnavailable, match="no connection"):
        broker.submit(buy())


def test_a_connection_that_ends_while_it_is_kept_open_leaves_an_order_unknown(
    venue: ExchangeVenue,
) -> None:
    venue.broker.balances()
    venue.exchange.fault("cut_after_accept", on=PLACE)
    with pytest.raises(OrderStateUnknown):
        venue.broker.submit(buy())
    assert len(venue.exchange.orders_of("a")) == 1


@pytest.mark.parametrize(("fault", "wait_s"), [("rate_limit_429", 7), ("ban_418", 120)])
def test_nothing_is_sent_before_the_pause_is_over(
    venue: ExchangeVenue, fault: str, wait_s: int
) -> None:
    now = 0.0
    broker = venue.reopen(pause=Pause(lambda: now))
    broker.balances()
    venue.exchange.fault(fault, on=PLACE, value=wait_s)
    with pytest.raises(BrokerUnavailable) as refused:
        broker.submit(buy())
    assert refused.value.retry_after_s == wait_s
    asked = len(venue.exchange.requests)
    now = wait_s - 0.5
    for ask in (broker.balances, lambda: broker.submit(buy()), lambda: broker.cancel("a", BTC)):
        with pytest.raises(BrokerUnavailable) as waiting:
            ask()
        assert waiting.value.retry_after_s == 0.5
    assert len(venue.exchange.requests) == asked
    now, venue.exchange.banned_until_ms = float(wait_s), 0
    assert broker.submit(buy()).state is OrderState.FILLED


def test_asking_on_through_a_429_is_a_ban(venue: ExchangeVenue) -> None:
    """What the pause is for, shown on the exchange: another broker that knows nothing of it."""
    venue.exchange.fault("rate_limit_429", on="GET account", value=60)
    with pytest.raises(BrokerUnavailable):
        venue.broker.balances()
    with pytest.raises(BrokerUnavailable, match="banned until"):
        venue.reopen().balances()


def test_a_revoked_key_is_denied_at_whatever_it_is_used_for(venue: ExchangeVenue) -> None:
    venue.exchange.fault("key_revoked")
    for ask in (
        venue.broker.balances,
        venue.broker.open_orders,
        lambda: venue.broker.find_order("a", BTC),
        lambda: venue.broker.submit(buy()),
        lambda: venue.broker.submit_oco(
            OcoRequest(
                group_id="g",
                stop=sell_stop(),
                limit=buy("l", side=Side.SELL, type=OrderType.LIMIT, price=D(52_000)),
            )
        ),
    ):
        with pytest.raises(AccessDenied):
            ask()


@pytest.mark.parametrize("options", [{"secret": "wrong"}, {"key": "wrong"}])
def test_a_wrong_key_or_secret_is_denied(venue: ExchangeVenue, options: dict[str, str]) -> None:
    with pytest.raises(AccessDenied) as denied:
        venue.reopen(**options).submit(buy())
    assert venue.exchange.secret not in denied.value.message


@pytest.mark.parametrize("skew_s", [-2, 2, 3600, -3600])
def test_a_clock_that_is_off_is_set_right_before_the_first_order(
    venue: ExchangeVenue, skew_s: int
) -> None:
    venue.exchange.fault("clock_skew", value=skew_s)
    assert venue.broker.submit(buy()).state is OrderState.FILLED


@pytest.mark.parametrize("skew_s", [2, 3600, -3600])
def test_a_clock_that_is_set_meanwhile_costs_one_try(venue: ExchangeVenue, skew_s: int) -> None:
    venue.broker.balances()
    venue.exchange.fault("clock_skew", value=-skew_s if abs(skew_s) < 10 else skew_s)
    with pytest.raises(BrokerUnavailable, match="clock"):
        venue.broker.submit(buy())
    assert venue.exchange.orders == []
    assert venue.broker.submit(buy()).state is OrderState.FILLED
    venue.exchange.fault("clock_skew", value=0)
    assert venue.broker.balances()  # a question is asked again at once


def test_a_refused_stop_is_refused_for_certain(venue: ExchangeVenue) -> None:
    venue.exchange.fault("refuse_stop", times=2)
    assert venue.broker.submit(buy()).state is OrderState.FILLED  # no stop, not refused
    for _ in range(2):
        with pytest.raises(OrderRejected, match="trigger immediately"):
            venue.broker.submit(sell_stop())
    assert venue.broker.submit(sell_stop()).state is OrderState.OPEN


def test_a_part_is_filled_and_the_rest_cancelled(venue: ExchangeVenue) -> None:
    venue.exchange.fault("partial_then_cancel", on=PLACE)
    venue.broker.submit(buy(type=OrderType.LIMIT, price=D(49_000)))
    report = venue.broker.find_order("a", BTC)
    assert report is not None
    assert (report.state, report.filled) == (OrderState.CANCELLED, D("0.05"))
    assert venue.broker.cancel("a", BTC) == report


@pytest.mark.parametrize("fault", ["duplicate_fill", "fills_out_of_order"])
def test_doubled_and_shuffled_fills_are_each_told_once_in_order(
    venue: ExchangeVenue, fault: str
) -> None:
    venue.exchange.fault(fault)
    venue.exchange.rules("BTCUSDT").market_fills = 4
    report = venue.broker.submit(buy())
    since = report.fills[0].time
    told = [fill.trade_id for fill in report.fills]
    assert told == [f"BTCUSDT-{number}" for number in range(1, 5)]
    assert [trade.trade_id for trade in venue.broker.executions(BTC, since)] == told
    assert venue.broker.find_order("a", BTC) == report


def test_a_hung_venue_is_given_up_after_the_timeout(venue: ExchangeVenue) -> None:
    hung = venue.exchange.fault("hang", on=PLACE)
    with pytest.raises(OrderStateUnknown):
        venue.broker.submit(buy())
    assert venue.broker.find_order("a", BTC) is None
    venue.exchange.release(hung)


# --- the list of codes ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("-1013 Filter failure: PERCENT_PRICE_BY_SIDE", OrderRejected),
        ("-1111 Parameter 'quantity' has too much precision.", OrderRejected),
        ("-1121 Invalid symbol.", OrderRejected),
        ("-1197 A stop loss order in a sell OCO must be below.", OrderRejected),
        ("-2010 Market is closed.", OrderRejected),
        ("-2010 Account has insufficient balance for requested action.", InsufficientFunds),
        ("-2010 Duplicate order sent.", OrderStateUnknown),
        ("-2010 Something that no list has.", OrderStateUnknown),
        ("-1000 An unknown error occurred while processing the request.", OrderStateUnknown),
        ("-1001 Internal error; unable to process your request.", OrderStateUnknown),
        ("-1006 An unexpected response was received.", OrderStateUnknown),
        ("-1008 Server is currently overloaded with other requests.", OrderStateUnknown),
        ("-9999 A code of tomorrow.", OrderStateUnknown),
        ("-2013 Order does not exist.", OrderStateUnknown),
        ("-1015 Too many new orders.", BrokerUnavailable),
        ("-1003 Too many requests queued.", BrokerUnavailable),
        ("-2014 API-key format invalid.", AccessDenied),
        ("-1022 Signature for this request is not valid.", AccessDenied),
    ],
)
def test_each_error_of_an_order_means_one_thing(
    venue: ExchangeVenue, error: str, kind: type[Exception]
) -> None:
    venue.exchange.fault("error", on=PLACE, value=error)
    with pytest.raises(kind) as raised:
        venue.broker.submit(buy())
    assert issubclass(kind, type(raised.value)) or kind is OrderRejected


@pytest.mark.parametrize("status", [404, 403, 409, 500, 502, 503, 504, 301, 200])
def test_a_status_alone_refuses_nothing(status: int) -> None:
    refusal = '{"code": -1013, "msg": "Filter failure: LOT_SIZE"}'
    assert judge(Answer(status, "")).verdict is Verdict.UNKNOWN
    is_refusal = 400 <= status < 500
    assert (judge(Answer(status, refusal)).verdict is Verdict.RULES) is is_refusal


def test_no_answer_is_nothing_known() -> None:
    assert judge(None).verdict is Verdict.UNKNOWN
    for text in ("[]", "null", "{", '{"code": null}', '{"code": "-1013"}', '{"code": true}'):
        assert judge(Answer(400, text)).verdict is Verdict.UNKNOWN
        assert judge(Answer(401, text)).verdict is Verdict.DENIED


def test_unknown_execution_is_on_no_list() -> None:
    for code in (-1000, -1001, -1006, -1007, -1008, -1010, -1016, -2010):
        assert code not in CODES
    assert "Duplicate order sent." not in MESSAGES


def test_every_named_fault_is_met_by_a_test_of_this_folder() -> None:
    names = ("test_broker_ccxt*.py", "test_exchange*.py")
    text = "".join(path.read_text() for name in names for path in Path(__file__).parent.glob(name))
    assert [name for name in FAULTS if f'"{name}"' not in text] == []
