"""What each error answer of Alpaca's means, and what is not believed of its other answers."""

import json
from decimal import Decimal as D
from typing import Any

import pytest

from engine.adapters.brokers.alpaca import reading as read
from engine.adapters.brokers.alpaca.client import _exact, _pause_s
from engine.adapters.brokers.alpaca.codes import CODES, Verdict, judge
from engine.adapters.brokers.alpaca.reports import held, report
from engine.domain.instruments import InstrumentKind
from engine.domain.orders import OrderState
from engine.links.http import Answer


def answer(status: int, code: int | None, message: str = "no") -> Answer:
    body: dict[str, Any] = {"message": message} | ({} if code is None else {"code": code})
    return Answer(status, json.dumps(body))


@pytest.mark.parametrize(
    ("status", "code", "message", "verdict"),
    [
        (422, 42210000, "invalid limit_price 290.123. sub-penny", Verdict.REJECTED),
        (422, 42210000, "fractional orders must be DAY orders", Verdict.REJECTED),
        (422, 40010001, "client_order_id must be unique", Verdict.INVALID),
        (422, 42210000, "client order id must be unique", Verdict.INVALID),
        (422, 40010001, "anything else", Verdict.INVALID),
        (403, 40310000, "insufficient buying power", Verdict.NO_FUNDS),
        (403, 40310000, "insufficient qty available for order (requested: 2, available: 1)",
         Verdict.NO_FUNDS),
        (403, 40310000, "account is not allowed to short", Verdict.NO_FUNDS),
        (403, 40310000, "account is not authorized to trade", Verdict.DENIED),
        (403, 40310000, "new orders are rejected by user request", Verdict.DENIED),
        (403, 40310000, "potential wash trade detected. use complex orders", Verdict.REJECTED),
        (403, 40310000, "words of another day", Verdict.REJECTED),
        (403, 40310100, "trade denied due to pattern day trading protection", Verdict.REJECTED),
        (403, None, "forbidden.", Verdict.DENIED),
        (401, None, "unauthorized.", Verdict.DENIED),
        (401, 40110000, "request is not authorized", Verdict.DENIED),
        (404, 40410000, "order not found", Verdict.NO_SUCH_ORDER),
        (404, None, "page not found", Verdict.UNKNOWN),
        (422, 42210000, 'order is already in "filled" state', Verdict.NOT_CANCELABLE),
        (429, 42910000, "rate limit exceeded", Verdict.PAUSE),
        (500, 50010000, "internal server error", Verdict.UNKNOWN),
        (503, 42210000, "insufficient everything", Verdict.UNKNOWN),
        (504, None, "", Verdict.UNKNOWN),
        (422, 42212345, "insufficient buying power", Verdict.UNKNOWN),
        (200, None, "", Verdict.UNKNOWN),
    ],
)  # fmt: skip
def test_an_error_means_what_is_documented_and_nothing_else(
    status: int, code: int | None, message: str, verdict: Verdict
) -> None:
    assert judge(answer(status, code, message)).verdict is verdict


@pytest.mark.parametrize("text", ["", "<html>", "[]", '{"code": "x"}', '{"code": true}', "null"])
def test_an_answer_that_is_no_error_of_alpacas_says_nothing(text: str) -> None:
    assert judge(Answer(422, text)).verdict is Verdict.UNKNOWN
    assert judge(Answer(403, text)).verdict is Verdict.UNKNOWN
    assert judge(None).verdict is Verdict.UNKNOWN


def test_no_status_of_the_server_refuses_an_order() -> None:
    assert all(status < 500 for status, _code in CODES)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0"}, 1),
        ({"retry-after": "99999"}, 3600),
        ({"x-ratelimit-reset": "1772470860", "date": "Mon, 02 Mar 2026 17:00:35 GMT"}, 25),
        ({"x-ratelimit-reset": "1772470860"}, 60),
        ({"x-ratelimit-reset": "soon", "date": "Mon, 02 Mar 2026 17:00:35 GMT"}, 60),
        ({}, 60),
    ],
)
def test_a_pause_lasts_as_long_as_is_told(headers: dict[str, str], wait_s: float) -> None:
    assert _pause_s(Answer(429, "", headers)) == wait_s


@pytest.mark.parametrize("text", ["NaN", "Infinity", '{"a": -Infinity}', "{", "<html>"])
def test_what_is_no_json_is_no_answer(text: str) -> None:
    with pytest.raises(ValueError):
        _exact(Answer(200, text))


def test_numbers_stay_exact() -> None:
    assert _exact(Answer(200, '{"p": 0.1000000000000000055, "n": 3}')) == {
        "p": D("0.1000000000000000055"), "n": 3,
    }  # fmt: skip
    assert _exact(Answer(204, "")) is None


@pytest.mark.parametrize("told", [None, "", "NaN", "inf", "1e30", True, [], {}, "0x10", "-1", -1])
def test_what_is_no_amount_is_not_believed(told: object) -> None:
    with pytest.raises(read.Unreadable):
        read.amount({"qty": told}, "qty")


@pytest.mark.parametrize("told", [None, "", "yesterday", 7, "2026-03-02T10:00:00"])
def test_what_is_no_moment_is_not_believed(told: object) -> None:
    with pytest.raises(read.Unreadable):
        read.moment({"t": told}, "t")


ORDER = {
    "id": "n-1", "client_order_id": "a", "symbol": "AAPL", "qty": "10", "filled_qty": "0",
    "side": "buy", "type": "limit", "time_in_force": "day", "status": "new",
    "limit_price": "150", "stop_price": None, "submitted_at": "2026-03-02T15:00:00.123456789Z",
}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"status": "teleported"}, {"side": "both"}, {"type": "iceberg"}, {"qty": "0"},
        {"qty": None}, {"filled_qty": None}, {"filled_qty": "3"}, {"status": "filled"},
        {"id": ""}, {"client_order_id": None}, {"limit_price": "-1"}, {"submitted_at": "soon"},
    ],
)  # fmt: skip
def test_an_order_that_cannot_be_is_not_believed(change: dict[str, Any]) -> None:
    assert report(ORDER, "AAPL", ()).state is OrderState.OPEN
    with pytest.raises(read.Unreadable):
        report(ORDER | change, "AAPL", ())


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("pending_new", OrderState.OPEN), ("accepted", OrderState.OPEN), ("held", OrderState.OPEN),
        ("done_for_day", OrderState.OPEN), ("pending_cancel", OrderState.OPEN),
        ("canceled", OrderState.CANCELLED), ("replaced", OrderState.CANCELLED),
        ("expired", OrderState.EXPIRED), ("rejected", OrderState.REJECTED),
    ],
)  # fmt: skip
def test_every_documented_status_has_its_state(status: str, state: OrderState) -> None:
    assert report(ORDER | {"status": status}, "AAPL", ()).state is state


def test_an_order_for_an_amount_is_told_by_what_it_got() -> None:
    by_hand = ORDER | {"qty": None, "notional": "500", "type": "market", "limit_price": None}
    told = report(by_hand, "AAPL", ())
    assert (told.state, told.quantity) == (OrderState.OPEN, 0)


def test_a_short_is_below_zero() -> None:
    lines = [{"asset_class": "us_equity", "symbol": "F", "qty": "-5", "qty_available": "-5"},
             {"asset_class": "us_option", "symbol": "F260320C00010000"}]  # fmt: skip
    assert held(lines, InstrumentKind.STOCK, str)["F"].total == -5


def test_more_free_than_held_is_not_believed() -> None:
    lines = [{"asset_class": "us_equity", "symbol": "F", "qty": "5", "qty_available": "6"}]
    with pytest.raises(read.Unreadable):
        held(lines, InstrumentKind.STOCK, str)
