"""The loopback exchange itself: what Binance documents, asked without any client library."""

import hashlib
import hmac
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from tests.fakes.exchange import KEY, SECRET, BinanceExchange, ExchangeAdmin, binance_exchange
from tests.fakes.exchange.records import Refused
from tooling.place import ROOT

D = Decimal
MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.1"}
LIMIT = MARKET | {"type": "LIMIT", "price": "49000", "timeInForce": "GTC"}
STOP = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_LOSS", "quantity": "0.1",
        "stopPrice": "48000"}  # fmt: skip
OCO = {
    "symbol": "BTCUSDT", "side": "SELL", "quantity": "0.1", "aboveType": "LIMIT_MAKER",
    "abovePrice": "52000", "belowType": "STOP_LOSS", "belowStopPrice": "48000",
}  # fmt: skip
Answer = tuple[int, Any]


@pytest.fixture(scope="module")
def server() -> Iterator[BinanceExchange]:
    with binance_exchange() as exchange:
        yield exchange


@pytest.fixture
def exchange(server: BinanceExchange) -> BinanceExchange:
    """The module's server with an account as new."""
    server.release_all()
    for order in server.matching.open_orders():
        server.matching.cancel(order, "tidy")
    for asset, amount in (("USDT", 100_000), ("BTC", 10), ("BNB", 0)):
        server.deposit(asset, amount - server.balance(asset))
    rules = server.add_symbol("BTC", "USDT", 50_000)
    rules.next_trade = 1 + sum(trade.symbol == "BTCUSDT" for trade in server.trades)
    return server


def ask(exchange: BinanceExchange, endpoint: str, sent: dict[str, str], key: str = KEY,
        secret: str = SECRET, **more: str) -> Answer:  # fmt: skip
    """One signed request; ``more`` is added to what is sent."""
    method, path = endpoint.split()
    told = sent | {"timestamp": str(exchange.now_ms())} | more
    query = urlencode({name: value for name, value in told.items() if value != "-"})
    signature = hmac.new(secret.encode(), query.encode(), hashlib.sha256).hexdigest()
    answer = requests.request(
        method, f"{exchange.url}/api/v3/{path}?{query}&signature={signature}",
        headers={"X-MBX-APIKEY": key} if key else {}, timeout=30,
    )  # fmt: skip
    assert "X-MBX-USED-WEIGHT-1M" in answer.headers
    return answer.status_code, answer.json()


def code(answer: Answer) -> int:
    """The error's code."""
    assert answer[0] >= 400, answer
    return int(answer[1]["code"])


# --- who may, and when ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"key": ""}, -2014),
        ({"key": "another"}, -2015),
        ({"secret": "another"}, -1022),
        ({"timestamp": "-"}, -1102),
        ({"timestamp": "1"}, -1021),
        ({"timestamp": "99999999999999"}, -1021),
        ({"recvWindow": "60001"}, -1131),
    ],
)
def test_only_a_key_a_signature_and_a_time_that_fit_are_let_in(
    exchange: BinanceExchange, options: dict[str, str], expected: int
) -> None:
    assert code(ask(exchange, "GET account", {}, **options)) == expected


# --- parameters ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (MARKET | {"junk": "1"}, -1104),
        (MARKET | {"price": "1"}, -1106),
        (MARKET | {"timeInForce": "GTC"}, -1106),
        (MARKET | {"quantity": "-"}, -1102),
        (MARKET | {"side": "-"}, -1102),
        (MARKET | {"side": "UP"}, -1117),
        (MARKET | {"type": "BEST"}, -1116),
        (MARKET | {"symbol": "NOUSDT"}, -1121),
        (MARKET | {"quantity": "1e-3"}, -1100),
        (MARKET | {"quantity": "-0.1"}, -1100),
        (MARKET | {"quantity": "0.100000001"}, -1111),
        (MARKET | {"newClientOrderId": "no spaces"}, -1100),
        (MARKET | {"newClientOrderId": "x" * 37}, -1100),
        (MARKET | {"newClientOrderId": ""}, -1105),
        (LIMIT | {"timeInForce": "DAY"}, -1115),
        (LIMIT | {"timeInForce": "-"}, -1102),
        (STOP | {"stopPrice": "-"}, -1102),
        (STOP | {"price": "47000"}, -1106),
    ],
)
def test_parameters_are_taken_strictly(
    exchange: BinanceExchange, sent: dict[str, str], expected: int
) -> None:
    assert code(ask(exchange, "POST order", sent)) == expected


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (LIMIT | {"price": "49000.001"}, "PRICE_FILTER"),
        (LIMIT | {"quantity": "0.000015"}, "LOT_SIZE"),
        (MARKET | {"quantity": "1000.5"}, "MARKET_LOT_SIZE"),
        (LIMIT | {"price": "300000"}, "PERCENT_PRICE_BY_SIDE"),
        (LIMIT | {"price": "9000"}, "PERCENT_PRICE_BY_SIDE"),
        (LIMIT | {"quantity": "0.0001"}, "NOTIONAL"),
        (MARKET | {"quantity": "0.00009"}, "NOTIONAL"),
        ({**STOP, "stopPrice": "-", "trailingDelta": "5"}, "TRAILING_DELTA"),
    ],
)
def test_every_filter_is_enforced(
    exchange: BinanceExchange, sent: dict[str, str], name: str
) -> None:
    answer = ask(exchange, "POST order", sent)
    assert code(answer) == -1013
    assert answer[1]["msg"] == f"Filter failure: {name}"


def test_there_is_a_most_of_orders_and_of_stops(exchange: BinanceExchange) -> None:
    rules = exchange.rules("BTCUSDT")
    rules.max_orders, rules.max_stops = 3, 2
    for sent in (STOP, STOP, LIMIT):
        assert ask(exchange, "POST order", sent)[0] == 200
    assert "MAX_NUM_ORDERS" in ask(exchange, "POST order", LIMIT)[1]["msg"]
    rules.max_orders = 200
    assert "MAX_NUM_ALGO_ORDERS" in ask(exchange, "POST order", STOP)[1]["msg"]
    assert ask(exchange, "POST order", MARKET)[0] == 200


# --- the matching engine -------------------------------------------------------------------------


def test_what_the_engine_refuses_has_the_documented_words(exchange: BinanceExchange) -> None:
    cases: list[tuple[dict[str, str], str]] = [
        (MARKET | {"quantity": "5"}, "Account has insufficient balance for requested action."),
        (STOP | {"stopPrice": "50000"}, "Order would trigger immediately."),
        (LIMIT | {"type": "LIMIT_MAKER", "price": "50000", "timeInForce": "-"},
         "Order would immediately match and take."),
        (MARKET | {"symbol": "OLDUSDT", "quantity": "10"}, "Market is closed."),
    ]  # fmt: skip
    for sent, words in cases:
        answer = ask(exchange, "POST order", sent)
        assert (code(answer), answer[1]["msg"]) == (-2010, words)


def test_an_id_is_unique_among_open_orders_only(exchange: BinanceExchange) -> None:
    sent = LIMIT | {"newClientOrderId": "mine"}
    first = ask(exchange, "POST order", sent)[1]
    doubled = ask(exchange, "POST order", sent)
    assert (code(doubled), doubled[1]["msg"]) == (-2010, "Duplicate order sent.")
    named = {"symbol": "BTCUSDT", "origClientOrderId": "mine"}
    assert ask(exchange, "DELETE order", named)[1]["origClientOrderId"] == "mine"
    assert code(ask(exchange, "DELETE order", named)) == -2011
    second = ask(exchange, "POST order", sent)[1]
    assert second["orderId"] > first["orderId"]
    assert ask(exchange, "GET order", named)[1]["orderId"] == second["orderId"]
    assert code(ask(exchange, "GET order", named | {"origClientOrderId": "no"})) == -2013
    assert code(ask(exchange, "GET order", {"symbol": "BTCUSDT"})) == -1102


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"aboveType": "STOP_LOSS", "abovePrice": "-", "aboveStopPrice": "52000"}, -1197),
        ({"belowType": "LIMIT_MAKER", "belowStopPrice": "-", "belowPrice": "48000"}, -1168),
        ({"belowType": "MARKET"}, -1158),
        ({"belowType": "-"}, -1102),
        ({"abovePrice": "49000"}, -2010),
        ({"side": "BUY"}, -1196),
        ({"junk": "1"}, -1104),
    ],
)
def test_a_pair_of_orders_has_to_fit_together(
    exchange: BinanceExchange, changes: dict[str, str], expected: int
) -> None:
    assert code(ask(exchange, "POST orderList/oco", OCO | changes)) == expected
    assert exchange.matching.open_orders() == []


def test_a_list_is_seen_and_taken_back_whole(exchange: BinanceExchange) -> None:
    made = ask(exchange, "POST orderList/oco", OCO | {"listClientOrderId": "pair"})[1]
    named = {"origClientOrderId": "pair"}
    assert ask(exchange, "GET orderList", named)[1]["listOrderStatus"] == "EXECUTING"
    assert len(ask(exchange, "GET openOrders", {})[1]) == 2
    by_id = {"symbol": "BTCUSDT", "orderListId": str(made["orderListId"])}
    assert len(ask(exchange, "DELETE orderList", by_id)[1]["orderReports"]) == 2
    assert ask(exchange, "GET orderList", named)[1]["listOrderStatus"] == "ALL_DONE"
    assert code(ask(exchange, "DELETE orderList", by_id)) == -2011
    assert exchange.balance("BTC") == exchange.matching.holding("BTC").free


def test_all_of_a_symbol_is_taken_back_at_once(exchange: BinanceExchange) -> None:
    for sent in (LIMIT, LIMIT, STOP):
        ask(exchange, "POST order", sent)
    assert len(ask(exchange, "DELETE openOrders", {"symbol": "BTCUSDT"})[1]) == 3
    assert code(ask(exchange, "DELETE openOrders", {"symbol": "BTCUSDT"})) == -2011


def test_trades_are_listed_by_order_by_id_and_by_time(exchange: BinanceExchange) -> None:
    first, second = (ask(exchange, "POST order", MARKET)[1] for _ in range(2))
    pages = {"symbol": "BTCUSDT"}
    own = ask(exchange, "GET myTrades", pages | {"orderId": str(first["orderId"])})[1]
    assert [row["orderId"] for row in own] == [first["orderId"]]
    start = {"fromId": str(second["fills"][0]["tradeId"])}
    assert [row["orderId"] for row in ask(exchange, "GET myTrades", pages | start)[1]] == [
        second["orderId"]
    ]
    newest = ask(exchange, "GET myTrades", pages | {"limit": "1"})[1]
    assert [row["orderId"] for row in newest] == [second["orderId"]]
    days = {"startTime": "0", "endTime": "90000000"}
    assert code(ask(exchange, "GET myTrades", pages | days)) == -1127
    assert code(ask(exchange, "GET myTrades", pages | {"fromId": "1", "startTime": "1"})) == -1128
    assert code(ask(exchange, "GET myTrades", pages | {"limit": "1001"})) == -1130


def test_too_much_weight_is_429_and_going_on_a_ban(exchange: BinanceExchange) -> None:
    exchange.weight_limit = 0
    exchange.used_weight(1)
    refused = ask(exchange, "GET account", {})
    exchange.weight_limit = 6000
    assert (refused[0], code(refused)) == (429, -1003)


def test_balances_add_up_to_the_last_digit_after_any_orders(exchange: BinanceExchange) -> None:
    dice = random.Random(7)
    rules = exchange.rules("BTCUSDT")
    exchange.deposit("BNB", 5)
    refused = 0
    for number in range(1500):
        exchange.walk("BTCUSDT", 1, number)
        rules.depth = dice.choice([None, D("0.02"), D("0.3")])
        rules.market_fills = dice.randint(1, 3)
        exchange.matching.fee_asset = dice.choice([None, "BNB"])
        try:
            random_step(exchange, dice)
        except Refused:
            refused += 1
        if number % 100 == 0:
            assert exchange.imbalance() == {}
    for order in exchange.matching.open_orders():
        exchange.matching.cancel(order, "end")
    assert exchange.imbalance() == {}
    assert 0 < refused < 1000
    for row in exchange.matching.balances.values():
        assert (row.locked, row.free >= 0) == (0, True)


def random_step(exchange: BinanceExchange, dice: random.Random) -> None:
    """Place, or take back, something."""
    engine, price = exchange.matching, exchange.rules("BTCUSDT").price
    working = engine.open_orders("BTCUSDT")
    if working and dice.random() < 0.3:
        engine.cancel(dice.choice(working), "dice")
        return
    side = dice.choice(["BUY", "SELL"])
    quantity = D(dice.randint(1, 40_000)) / 100_000
    away = [price * D(dice.randint(9_950, 10_050)) / 10_000 for _ in range(2)]
    near = [value.quantize(D("0.01")) for value in away]

    def made(kind: str, limit: Decimal, stop: Decimal) -> Any:
        return engine.new_order(
            symbol="BTCUSDT", client_id=str(dice.random()), side=side, type=kind,
            quantity=quantity, price=limit, stop_price=stop,
            time_in_force=dice.choice(["GTC", "IOC", "FOK"]) if kind == "LIMIT" else "GTC",
            trailing_delta=0,
        )  # fmt: skip

    kinds = ["MARKET", "LIMIT", "LIMIT_MAKER", "STOP_LOSS", "STOP_LOSS_LIMIT", "OCO"]
    kind = dice.choice(kinds)
    if kind == "OCO":
        limit, stop = sorted(near, reverse=side == "SELL")
        legs = (made("LIMIT_MAKER", limit, D(0)), made("STOP_LOSS", D(0), stop))
        engine.place_list(legs, "pair")
        return
    has_limit, has_stop = "LIMIT" in kind, "STOP" in kind
    engine.place(made(kind, near[0] if has_limit else D(0), near[1] if has_stop else D(0)))


def test_a_thousand_open_orders_are_listed_in_no_time(exchange: BinanceExchange) -> None:
    for number in range(1_200):
        exchange.order_by_hand("BTCUSDT", "BUY", "0.0001", price=1000 + number)
    assert len(ask(exchange, "GET openOrders", {})[1]) == 1_200


# --- as a process --------------------------------------------------------------------------------


def test_as_a_process_it_is_driven_over_its_admin_api_and_kills(tmp_path: Any) -> None:
    command = [sys.executable, "-m", "tests.fakes.exchange", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        admin = ExchangeAdmin(process.stdout.readline().strip())
        try:
            drive(admin)
        finally:
            process.terminate()
            process.wait()


def drive(admin: ExchangeAdmin) -> None:
    """Orders by hand, a price, faults that kill two other processes."""
    remote = BinanceExchange()
    remote.url = admin.url
    admin.do("order_by_hand", symbol="BTCUSDT", side="BUY", quantity="0.1", price="49000",
             client_id="web")  # fmt: skip
    admin.do("set_price", symbol="BTCUSDT", price="48000")
    for fault, orders in (("kill_before_accept", 1), ("kill_after_accept", 2)):
        victim = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        admin.do("fault", name=fault, on="POST order", value=victim.pid)
        with pytest.raises(requests.ConnectionError):
            ask(remote, "POST order", MARKET)
        assert victim.wait(60) == -9
        assert len(admin.state()["orders"]) == orders
    state = admin.state()
    assert [order["status"] for order in state["orders"]] == ["FILLED", "FILLED"]
    assert (state["imbalance"], state["faults"][1]["hits"]) == ({}, 1)
    assert [request["fault"] for request in state["requests"]] == [
        "kill_before_accept", "kill_after_accept",
    ]  # fmt: skip
    wrong = requests.post(f"{admin.url}/admin/set_price", json={"symbol": "NO", "price": "x"},
                          timeout=5)  # fmt: skip
    assert wrong.status_code == 400
    assert "error" in json.loads(wrong.text)
