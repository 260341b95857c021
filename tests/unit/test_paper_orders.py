"""The paper venue's order types and times in force, bar by bar."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from engine.domain.orders import OrderReport, OrderState, OrderType, Side, TimeInForce
from engine.errors import InsufficientFunds, OrderRejected
from tests.fakes.market import FakeMarket
from tests.fakes.paper_desk import PaperDesk

D = Decimal
Prices = tuple[float, float, float, float]
STOP_LIMIT, TRAILING = OrderType.STOP_LIMIT, OrderType.TRAILING_STOP


@pytest.fixture
def desk() -> PaperDesk:
    """An account of 1000 USDT that holds 1 BTC, bought at 100."""
    desk = PaperDesk()
    desk.send("held", Side.BUY, "1")
    return desk


def sale(desk: PaperDesk, kind: OrderType, **fields: Any) -> OrderReport:
    return desk.send("a", Side.SELL, "1", type=kind, reduce_only=True, **fields)


def fills(desk: PaperDesk) -> list[Decimal]:
    return [fill.price for fill in desk.found("a").fills]


# --- stop-limit ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stop", "limit", "bars", "expected"),
    [
        (95, 94, [(99, 101, 95.5, 98)], None),  # not reached
        (95, 94, [(99, 101, 94, 98)], 95),  # reached inside the bar, and within the limit
        (95, 94, [(94.5, 96, 93, 95)], D("94.5")),  # a gap that is still within the limit
        (95, 94, [(93, 94.2, 92, 94)], 94),  # a gap past the limit; the price came back
        (95, 94, [(93, 93.5, 92, 93)], None),  # a gap past the limit that stayed there
        (95, 94, [(93, 93.5, 92, 93), (93, 95, 93, 94)], 94),
        (95, 94, [(93, 93.5, 92, 93), (96, 97, 95, 96)], 96),  # the limit's price or better
        (95, 97, [(99, 101, 94, 96)], None),  # 101 may have been before the stop
        (95, 97, [(99, 101, 94, 96), (96, 96.5, 95, 96)], None),
        (95, 97, [(99, 101, 94, 96), (96, 97.5, 95, 96)], 97),
    ],
)
def test_a_stop_limit_sells_only_where_the_bar_could_have_after_the_stop(
    desk: PaperDesk, stop: int, limit: int, bars: list[Prices], expected: Decimal | None
) -> None:
    sale(desk, STOP_LIMIT, stop_price=D(stop), price=str(limit))
    for bar in bars:
        desk.market.add_bar("BTC/USDT", *bar)
    assert fills(desk) == ([] if expected is None else [expected])
    together = desk.found("a")
    again = PaperDesk()
    again.send("held", Side.BUY, "1")
    sale(again, STOP_LIMIT, stop_price=D(stop), price=str(limit))
    for bar in bars:
        again.market.add_bar("BTC/USDT", *bar)
        again.found("a")
    assert again.found("a") == together, "looked at after each bar or at the end, it is the same"


@pytest.mark.parametrize(
    ("stop", "limit", "bars", "expected"),
    [
        (105, 106, [(101, 104.5, 100, 103)], None),
        (105, 106, [(101, 107, 100, 103)], 105),
        (105, 106, [(107, 108, 105.5, 107)], 106),
        (105, 106, [(107, 108, 106.5, 107)], None),
        (105, 103, [(101, 107, 100, 106)], None),  # 100 may have been before the stop
        (105, 103, [(101, 107, 100, 106), (104, 105, 102, 104)], 103),
    ],
)
def test_a_stop_limit_buys_likewise(
    desk: PaperDesk, stop: int, limit: int, bars: list[Prices], expected: int | None
) -> None:
    desk.send("a", Side.BUY, "1", str(limit), stop_price=D(stop), type=STOP_LIMIT)
    for bar in bars:
        desk.market.add_bar("BTC/USDT", *bar)
    assert fills(desk) == ([] if expected is None else [expected])
    left = D(0) if expected else D(limit) * D("1.001")
    assert desk.broker.balances()["USDT"].locked == left


def test_slippage_does_not_pass_the_limit() -> None:
    desk = PaperDesk(slippage_bps=D(50))
    desk.send("held", Side.BUY, "1")
    sale(desk, STOP_LIMIT, stop_price=D(95), price="94.90")
    desk.market.add_bar("BTC/USDT", 99, 101, 94, 98)
    assert fills(desk) == [D("94.90")]


def test_a_stop_that_is_reached_already_trades_at_once(desk: PaperDesk) -> None:
    assert sale(desk, OrderType.STOP, stop_price=D(101)).fills[0].price == 100


def test_a_pulled_trigger_stays_pulled_over_a_restart(desk: PaperDesk) -> None:
    sale(desk, STOP_LIMIT, stop_price=D(95), price="97")
    desk.market.add_bar("BTC/USDT", 99, 101, 94, 96)
    assert desk.found("a").state is OrderState.OPEN
    desk.reopen(FakeMarket(desk.market.clock))
    desk.market.add_bar("BTC/USDT", 96.5, 98, 96, 97)  # never at 95 again
    assert fills(desk) == [97]


def test_a_trigger_that_found_no_volume_goes_on_at_the_next_open(desk: PaperDesk) -> None:
    sale(desk, OrderType.STOP, stop_price=D(95))
    desk.market.add_bar("BTC/USDT", 96, 97, 94, 96, 0.00001)
    desk.market.add_bar("BTC/USDT", 98, 99, 97, 98, 8)
    assert fills(desk) == [98]


# --- trailing stop -------------------------------------------------------------------------------


def test_a_trailing_stop_follows_the_best_price_and_never_steps_back(desk: PaperDesk) -> None:
    assert sale(desk, TRAILING, trail_bps=D(500)).stop_price == 95
    seen = []
    for bar in [(100, 110, 96, 108), (108, 109, 105, 106), (106, 107, 104.6, 105)]:
        desk.market.add_bar("BTC/USDT", *bar)
        seen.append(desk.found("a").stop_price)
    assert seen == [D("104.5")] * 3
    desk.market.add_bar("BTC/USDT", 105, 106, 104, 105)
    assert fills(desk) == [D("104.5")]


def test_a_bar_s_own_high_cannot_both_raise_a_trailing_stop_and_hit_it(desk: PaperDesk) -> None:
    sale(desk, TRAILING, trail_bps=D(500))
    desk.market.add_bar("BTC/USDT", 100, 120, 98, 119)
    assert fills(desk) == []
    assert desk.found("a").stop_price == 114
    desk.market.add_bar("BTC/USDT", 113, 115, 112, 113)
    assert fills(desk) == [113]  # a gap


def test_a_trailing_stop_to_buy_follows_the_price_down(desk: PaperDesk) -> None:
    report = desk.send("a", Side.BUY, "1", type=TRAILING, trail_bps=D(500))
    assert report.stop_price == 105
    assert desk.broker.balances()["USDT"].locked == D("105.105")
    desk.market.add_bar("BTC/USDT", 100, 101, 90, 91)
    assert desk.found("a").stop_price == D("94.5")
    desk.market.add_bar("BTC/USDT", 91, 95, 91, 94)
    assert fills(desk) == [D("94.5")]
    assert desk.broker.balances()["USDT"].locked == 0


def test_a_trailing_stop_is_rounded_so_that_no_risk_is_added(desk: PaperDesk) -> None:
    desk.market.set_price("BTC/USDT", "100.01")
    assert sale(desk, TRAILING, trail_bps=D(333)).stop_price == D("96.68")  # 96.679667
    buy = desk.send("b", Side.BUY, "1", type=TRAILING, trail_bps=D(333))
    assert buy.stop_price == D("103.34")  # 103.340333


def test_a_trailing_stop_keeps_its_height_over_a_restart(desk: PaperDesk) -> None:
    sale(desk, TRAILING, trail_bps=D(500))
    desk.market.add_bar("BTC/USDT", 100, 120, 98, 119)
    assert desk.found("a").stop_price == 114
    desk.reopen(FakeMarket(desk.market.clock))
    assert desk.found("a").stop_price == 114
    desk.market.add_bar("BTC/USDT", 119, 119, 113, 114)
    assert fills(desk) == [114]


# --- time in force -------------------------------------------------------------------------------


def at_evening(desk: PaperDesk) -> None:
    """Two minutes before midnight."""
    desk.market.clock.current = desk.market.now().replace(hour=23, minute=58)


def test_a_day_order_trades_until_midnight(desk: PaperDesk) -> None:
    at_evening(desk)
    desk.send("a", Side.BUY, "1", "95", type=OrderType.LIMIT, time_in_force=TimeInForce.DAY)
    desk.market.add_bar("BTC/USDT", 99, 99, 98, 99)
    desk.market.add_bar("BTC/USDT", 99, 99, 94, 99)  # closes at midnight
    assert desk.found("a").state is OrderState.FILLED


@pytest.mark.parametrize("kind", [OrderType.LIMIT, STOP_LIMIT, TRAILING])
def test_a_day_order_ends_at_midnight_whenever_it_is_looked_at(
    desk: PaperDesk, kind: OrderType
) -> None:
    at_evening(desk)
    free = desk.broker.balances()
    fields: dict[str, Any] = {"time_in_force": TimeInForce.DAY}
    if kind is TRAILING:
        sale(desk, kind, trail_bps=D(500), **fields)
    else:
        stop = D(95) if kind is STOP_LIMIT else None
        sale(desk, kind, price="105" if stop is None else "94", stop_price=stop, **fields)
    for _ in range(2):
        desk.market.add_bar("BTC/USDT", 99, 101, 98, 100)
    desk.market.add_bar("BTC/USDT", 99, 110, 90, 99)  # the next day
    desk.market.clock.current += timedelta(days=2)
    report = desk.found("a")
    assert (report.state, report.fills) == (OrderState.EXPIRED, ())
    assert "day" in report.reason
    assert desk.broker.balances() == free
    assert desk.broker.open_orders() == []


def test_a_day_order_filled_in_part_keeps_what_it_got(desk: PaperDesk) -> None:
    at_evening(desk)
    desk.market.set_price("BTC/USDT", "100", volume="8")
    desk.send("a", Side.BUY, "5", time_in_force=TimeInForce.DAY)
    desk.market.clock.advance(180)
    report = desk.found("a")
    assert (report.state, report.filled) == (OrderState.EXPIRED, D(2))
    assert desk.broker.balances()["USDT"].locked == 0


@pytest.mark.parametrize(("lasting", "got"), [(TimeInForce.IOC, 2), (TimeInForce.FOK, 0)])
def test_a_market_order_that_does_not_wait_gets_what_there_is_or_nothing(
    desk: PaperDesk, lasting: TimeInForce, got: int
) -> None:
    desk.market.set_price("BTC/USDT", "100", volume="8")
    report = desk.send("a", Side.BUY, "5", time_in_force=lasting)
    assert (report.state, report.filled) == (OrderState.EXPIRED, got)
    desk.market.clock.advance(1)
    assert desk.found("a") == report
    assert desk.broker.balances()["USDT"].locked == 0


# --- what makes no sense -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "words", "field"),
    [
        ({"quantity": "0.123456789123"}, "quantity .* step", None),
        ({"quantity": "0.00001"}, "minimum of", None),
        ({"quote_amount": D("0.01")}, "minimum", None),
        ({"quote_amount": D("0.0000001")}, "smaller than the quantity step", None),
        ({"quantity": "1", "quote_amount": D(1)}, "either", None),
        ({}, "either", None),
        ({"quantity": "1", "price": "90"}, "market order has no price", "price"),
        ({"quantity": "1", "type": OrderType.LIMIT}, "limit order needs a price", "price"),
        ({"quantity": "1", "type": OrderType.LIMIT, "price": "90.001"}, "the price .* tick", None),
        ({"quantity": "1", "type": OrderType.STOP}, "needs a stop price", "stop_price"),
        ({"quantity": "1", "type": OrderType.STOP, "price": "95"}, "has no price", "price"),
        ({"quantity": "1", "type": OrderType.STOP, "stop_price": D("105.001")},
         "stop price .* tick", None),
        ({"quantity": "1", "type": STOP_LIMIT, "price": "95"}, "stop limit order needs a stop",
         "stop_price"),
        ({"quantity": "1", "type": TRAILING}, "needs a trailing distance", "trail_bps"),
        ({"quantity": "1", "type": TRAILING, "trail_bps": D(50), "stop_price": D(95)},
         "has no stop price", "stop_price"),
        ({"quantity": "1", "type": OrderType.STOP, "stop_price": D(95),
          "time_in_force": TimeInForce.IOC}, "waits", "time_in_force"),
    ],
)  # fmt: skip
def test_a_malformed_order_is_refused_in_words(
    desk: PaperDesk, fields: dict[str, Any], words: str, field: str | None
) -> None:
    with pytest.raises(OrderRejected, match=words) as raised:
        desk.send("a", Side.BUY, **fields)
    assert raised.value.field == field


def test_what_is_missing_is_said(desk: PaperDesk) -> None:
    with pytest.raises(InsufficientFunds, match=r"needs [\d.]+ USDT and [\d.]+ USDT are free"):
        desk.send("a", Side.BUY, "100")
    with pytest.raises(OrderRejected, match="nothing left to reduce"):
        desk.send("a", Side.BUY, "1", reduce_only=True)
