"""Answers that are not what Binance documents: no number of theirs reaches the books."""

from decimal import Decimal
from typing import Any

import pytest

from engine.adapters.brokers import ccxt_reports as read
from engine.domain.orders import OrderState, VenueFill

D = Decimal
ORDER: dict[str, Any] = {
    "symbol": "BTCUSDT", "orderId": 7, "clientOrderId": "a", "price": "49000.00000000",
    "origQty": "0.30000000", "executedQty": "0.10000000", "status": "PARTIALLY_FILLED",
    "type": "LIMIT", "side": "BUY", "stopPrice": "0.00000000", "time": 1_700_000_000_000,
}  # fmt: skip
TRADE: dict[str, Any] = {
    "symbol": "BTCUSDT", "id": 28, "orderId": 7, "price": "49000.00000000", "qty": "0.10000000",
    "commission": "0.00010000", "commissionAsset": "BTC", "time": 1_700_000_000_001,
    "isBuyer": True,
}  # fmt: skip


def fills(*quantities: str) -> list[VenueFill]:
    """Executions of these quantities."""
    rows = [TRADE | {"id": number, "qty": qty} for number, qty in enumerate(quantities)]
    return [*read.executions(rows, "BTC/USDT")]


JUNK: list[Any] = [
    None, "NaN", float("nan"), "Infinity", "-1", -1, 0.1, True, "", "1e30", "a", [], {},
]  # fmt: skip


@pytest.mark.parametrize("junk", JUNK, ids=repr)
@pytest.mark.parametrize("name", ["price", "qty", "commission"])
def test_an_amount_of_a_trade_that_is_none_is_not_believed(name: str, junk: Any) -> None:
    with pytest.raises(read.Unreadable):
        read.executions([TRADE | {name: junk}], "BTC/USDT")


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None}, {"id": "28"}, {"id": -1}, {"id": True}, {"time": "now"}, {"time": 10**15},
        {"isBuyer": "true"}, {"isBuyer": None}, {"commissionAsset": ""}, {"commissionAsset": 1},
        {"qty": "0"}, {"price": "0.00000000"}, {"symbol": None}, {"orderId": None},
    ],
    ids=repr,
)  # fmt: skip
def test_a_trade_that_is_not_as_documented_is_not_believed(changes: dict[str, Any]) -> None:
    with pytest.raises(read.Unreadable):
        read.executions([TRADE | changes], "BTC/USDT")


@pytest.mark.parametrize("answer", [None, {}, "[]", [None], ["x"], 7])
def test_a_list_that_is_none_is_not_believed(answer: Any) -> None:
    with pytest.raises(read.Unreadable):
        read.executions(answer, "BTC/USDT")


@pytest.mark.parametrize("junk", JUNK, ids=repr)
@pytest.mark.parametrize("name", ["origQty", "executedQty", "price"])
def test_an_amount_of_an_order_that_is_none_is_not_believed(name: str, junk: Any) -> None:
    with pytest.raises(read.Unreadable):
        read.report(ORDER | {name: junk}, "BTC/USDT", fills("0.1"), id_name=read.OWN_ID)


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "HALF"}, {"status": None}, {"side": "UP"}, {"type": "BEST"},
        {"orderId": "7"}, {"time": -1}, {"clientOrderId": None},
    ],
    ids=repr,
)  # fmt: skip
def test_an_order_that_is_not_as_documented_is_not_believed(changes: dict[str, Any]) -> None:
    with pytest.raises(read.Unreadable):
        read.report(ORDER | changes, "BTC/USDT", fills("0.1"), id_name=read.OWN_ID)


@pytest.mark.parametrize(
    ("changes", "traded"),
    [
        ({}, []),  # executed, but no trade is listed yet
        ({}, ["0.05"]),
        ({}, ["0.1", "0.3"]),  # more than was ordered
        ({"status": "FILLED"}, ["0.1"]),
        ({"executedQty": "0.4"}, ["0.4"]),
    ],
)
def test_an_order_whose_trades_do_not_add_up_is_not_believed(
    changes: dict[str, Any], traded: list[str]
) -> None:
    with pytest.raises(read.Unreadable):
        read.report(ORDER | changes, "BTC/USDT", fills(*traded), id_name=read.OWN_ID)


@pytest.mark.parametrize(
    ("changes", "traded", "state"),
    [
        ({}, ["0.1", "0.05"], OrderState.PARTLY_FILLED),
        ({}, ["0.1", "0.2"], OrderState.FILLED),
        ({"status": "NEW", "executedQty": "0"}, ["0.1"], OrderState.PARTLY_FILLED),
        ({"status": "CANCELED"}, ["0.1"], OrderState.CANCELLED),
        ({"status": "CANCELED"}, ["0.1", "0.2"], OrderState.FILLED),
        ({"status": "EXPIRED_IN_MATCH"}, ["0.1"], OrderState.EXPIRED),
    ],
)
def test_trades_made_between_the_two_questions_count(
    changes: dict[str, Any], traded: list[str], state: OrderState
) -> None:
    report = read.report(ORDER | changes, "BTC/USDT", fills(*traded), id_name=read.OWN_ID)
    assert report.state is state
    assert report.filled == sum(D(quantity) for quantity in traded)


def test_an_answer_about_another_order_is_not_believed() -> None:
    assert read.asked_for(ORDER, "a", "BTCUSDT") == ORDER
    for client_id, name in (("b", "BTCUSDT"), ("a", "ETHUSDT")):
        with pytest.raises(read.Unreadable, match="another order"):
            read.asked_for(ORDER, client_id, name)
    renamed = ORDER | {"clientOrderId": "cancel7", "status": "CANCELED"}
    assert read.asked_for(renamed, "a", "BTCUSDT")["clientOrderId"] == "a"


@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_a_balance_that_is_none_is_not_believed(junk: Any) -> None:
    with pytest.raises(read.Unreadable):
        read.balances({"balances": [{"asset": "BTC", "free": junk, "locked": "0"}]})
    with pytest.raises(read.Unreadable):
        read.balances({"balances": junk} if junk != [] else [])


def test_an_event_of_the_stream_is_read_as_strictly() -> None:
    event = {
        "s": "BTCUSDT", "c": "a", "C": "", "S": "BUY", "o": "LIMIT", "q": "0.3", "p": "49000",
        "P": "0", "x": "TRADE", "X": "PARTIALLY_FILLED", "i": 7, "l": "0.1", "z": "0.1",
        "L": "49000", "n": "0.0001", "N": "BTC", "T": 1_700_000_000_000, "t": 28,
        "O": 1_700_000_000_000,
    }  # fmt: skip
    assert read.streamed(event, lambda name: name).filled == D("0.1")
    for name in ("s", "c", "S", "o", "q", "X", "i", "l", "z", "L", "n", "N", "T", "t", "O"):
        with pytest.raises(read.Unreadable):
            read.streamed(event | {name: None}, lambda name: name)
